//! Kubernetes' own policy: a PodSecurityConfiguration, and what a Namespace's labels make of its defaults.
//!
//! Every text here is exactly the one that Pod Security Admission v1.37 writes, and a label that cannot be read has the
//! same effect: `enforce` becomes the strictest level, `audit` and `warn` the laxest.

use std::collections::HashSet;
use std::fmt;

use crate::controls::{Level, NEWEST_MINOR, Standard, Version, go_quoted};
use crate::policy::PackedLabels;

/// In front of every label that is read here.
const PREFIX: &str = "pod-security.kubernetes.io/";

/// What a fault of a level says.
const LEVEL_RULE: &str = "must be one of privileged, baseline, restricted";
/// What a fault of a version says.
const VERSION_RULE: &str = "must be \"latest\" or \"v1.x\"";

/// A PodSecurityConfiguration: the levels that hold where a Namespace has no labels for them, and who is exempt.
#[derive(Debug)]
pub struct PodSecurityConfiguration {
    /// What holds in a Namespace without labels.
    pub defaults: Levels,
    /// Who is not judged.
    pub exemptions: Exemptions,
    /// Every level at every version that has rules of its own, so that none is put together for a review.
    standards: Vec<Standard>,
}

/// Who is not judged: each by its exact name.
#[derive(Debug, Default)]
pub struct Exemptions {
    /// Names of users, as authentication made them.
    pub usernames: HashSet<String>,
    /// Namespaces.
    pub namespaces: HashSet<String>,
    /// Runtime classes of pods.
    pub runtime_classes: HashSet<String>,
}

/// A level at a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LevelVersion {
    /// The level.
    pub level: Level,
    /// The version, as it was asked for.
    pub version: Version,
}

/// What holds in a Namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Levels {
    /// Pods that violate it are refused.
    pub enforce: LevelVersion,
    /// Pods that violate it are noted in the audit log.
    pub audit: LevelVersion,
    /// Pods that violate it are warned of.
    pub warn: LevelVersion,
}

/// A label that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelFault {
    /// `metadata.labels[pod-security.kubernetes.io/enforce]`
    pub field: String,
    /// `Invalid value: "strict": must be one of privileged, baseline, restricted`
    pub message: String,
}

/// One of the three things that are done with a verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Refuse.
    Enforce,
    /// Note in the audit log.
    Audit,
    /// Warn.
    Warn,
}

impl Action {
    /// Every action, in the order in which faults are reported.
    pub const ALL: [Self; 3] = [Self::Enforce, Self::Audit, Self::Warn];

    /// Its name, in labels and metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Enforce => "enforce",
            Self::Audit => "audit",
            Self::Warn => "warn",
        }
    }

    /// The label with its level.
    #[must_use]
    pub fn level_label(self) -> &'static str {
        match self {
            Self::Enforce => "pod-security.kubernetes.io/enforce",
            Self::Audit => "pod-security.kubernetes.io/audit",
            Self::Warn => "pod-security.kubernetes.io/warn",
        }
    }

    /// The label with its version.
    fn version_label(self) -> &'static str {
        match self {
            Self::Enforce => "pod-security.kubernetes.io/enforce-version",
            Self::Audit => "pod-security.kubernetes.io/audit-version",
            Self::Warn => "pod-security.kubernetes.io/warn-version",
        }
    }

    /// Both labels.
    pub(super) fn labels(self) -> [&'static str; 2] {
        [self.level_label(), self.version_label()]
    }

    /// Whether a Namespace says something of its own about it.
    #[must_use]
    pub fn is_labelled(self, labels: &PackedLabels) -> bool {
        self.labels().iter().any(|label| labels.contains_key(label))
    }
}

impl LevelVersion {
    /// `privileged:latest`: no rule at all.
    pub const PRIVILEGED: Self = Self { level: Level::Privileged, version: Version::Latest };

    fn is_equivalent(self, other: Self) -> bool {
        self == other || self.level == Level::Privileged && other.level == Level::Privileged
    }
}

impl fmt::Display for LevelVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.level.name(), self.version)
    }
}

impl Levels {
    /// What holds for an action.
    #[must_use]
    pub fn of(&self, action: Action) -> LevelVersion {
        match action {
            Action::Enforce => self.enforce,
            Action::Audit => self.audit,
            Action::Warn => self.warn,
        }
    }

    fn of_mut(&mut self, action: Action) -> &mut LevelVersion {
        match action {
            Action::Enforce => &mut self.enforce,
            Action::Audit => &mut self.audit,
            Action::Warn => &mut self.warn,
        }
    }

    /// Whether it allows every pod.
    #[must_use]
    pub fn is_privileged(&self) -> bool {
        Action::ALL.iter().all(|action| self.of(*action).level == Level::Privileged)
    }

    /// Whether both judge every pod alike.
    #[must_use]
    pub fn is_equivalent(&self, other: &Self) -> bool {
        Action::ALL.iter().all(|action| self.of(*action).is_equivalent(other.of(*action)))
    }
}

impl Default for Levels {
    fn default() -> Self {
        let privileged = LevelVersion::PRIVILEGED;
        Self { enforce: privileged, audit: privileged, warn: privileged }
    }
}

impl fmt::Display for LabelFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.message)
    }
}

/// Faults in one text: one as it is, more in brackets, each once.
#[must_use]
pub fn joined(faults: &[LabelFault]) -> String {
    let mut texts: Vec<String> = Vec::new();
    for text in faults.iter().map(ToString::to_string) {
        if !texts.contains(&text) {
            texts.push(text);
        }
    }
    match texts.as_slice() {
        [one] => one.clone(),
        several => format!("[{}]", several.join(", ")),
    }
}

impl PodSecurityConfiguration {
    /// A configuration of these defaults and exemptions.
    #[must_use]
    pub fn new(defaults: Levels, exemptions: Exemptions) -> Self {
        let versions = || (0..=NEWEST_MINOR).map(Version::Minor).chain([Version::Latest]);
        let standards = Level::ALL
            .into_iter()
            .flat_map(|level| versions().map(move |version| Standard::new(level, version)))
            .collect();
        Self { defaults, exemptions, standards }
    }

    /// What holds in a Namespace with these labels, and which of them cannot be read.
    #[must_use]
    pub fn levels(&self, labels: &PackedLabels) -> (Levels, Vec<LabelFault>) {
        let mut levels = self.defaults;
        let mut faults = Vec::new();
        // Most Namespaces have none: one look instead of six.
        if !labels.has_prefix(PREFIX) {
            return (levels, faults);
        }
        let mut is_enforce_set = false;
        for action in Action::ALL {
            let of_action = levels.of_mut(action);
            if let Some(value) = labels.get(action.level_label()) {
                match value.parse() {
                    Ok(level) => {
                        of_action.level = level;
                        is_enforce_set |= action == Action::Enforce;
                    }
                    Err(_) => {
                        of_action.level = fallback(action);
                        faults.push(fault(action.level_label(), value, LEVEL_RULE));
                    }
                }
            }
            if let Some(value) = labels.get(action.version_label()) {
                of_action.version = value.parse().unwrap_or_else(|_| {
                    faults.push(fault(action.version_label(), value, VERSION_RULE));
                    Version::Latest
                });
            }
        }
        let Levels { enforce, warn, .. } = &mut levels;
        // A Namespace that sets a level to enforce and none to warn warns of what it refuses.
        let is_warn_set = labels.contains_key(Action::Warn.level_label());
        if !is_warn_set && is_enforce_set && enforce.level > warn.level {
            warn.level = enforce.level;
            if !labels.contains_key(Action::Warn.version_label()) {
                warn.version = enforce.version;
            }
        }
        (levels, faults)
    }

    /// The standard of a level and version, with the text that was asked for unless that is of a version
    /// past the newest rules.
    #[must_use]
    pub fn standard(&self, of: LevelVersion) -> &Standard {
        static NOTHING: std::sync::LazyLock<Standard> =
            std::sync::LazyLock::new(|| Standard::new(Level::Restricted, Version::Latest));
        let newest = NEWEST_MINOR as usize;
        let column = match of.version {
            Version::Minor(minor) => usize::try_from(minor).unwrap_or(usize::MAX).min(newest),
            Version::Latest => newest + 1,
        };
        self.standards.get(of.level as usize * (newest + 2) + column).unwrap_or(&NOTHING)
    }
}

/// The level that a label means which cannot be read.
fn fallback(action: Action) -> Level {
    match action {
        Action::Enforce => Level::Restricted,
        Action::Audit | Action::Warn => Level::Privileged,
    }
}

fn fault(label: &str, value: &str, rule: &str) -> LabelFault {
    LabelFault {
        field: format!("metadata.labels[{label}]"),
        message: format!("Invalid value: {}: {rule}", go_quoted(value)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn levels(labels: &[(&str, &str)], defaults: Levels) -> (String, Vec<String>) {
        let labels = labels.iter().map(|(key, value)| (format!("{PREFIX}{key}"), (*value).to_owned()));
        let configuration = PodSecurityConfiguration::new(defaults, Exemptions::default());
        let (Levels { enforce, audit, warn }, faults) = configuration.levels(&labels.collect());
        (format!("{enforce} {audit} {warn}"), faults.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn labels_make_levels() {
        for (labels, expected, faults) in [
            (&[][..], "privileged:latest privileged:latest privileged:latest", 0),
            (&[("enforce", "baseline")], "baseline:latest privileged:latest baseline:latest", 0),
            (
                &[("enforce", "baseline"), ("enforce-version", "v1.22")],
                "baseline:v1.22 privileged:latest baseline:v1.22",
                0,
            ),
            (
                &[("enforce", "baseline"), ("enforce-version", "v1.22"), ("warn-version", "latest")],
                "baseline:v1.22 privileged:latest baseline:latest",
                0,
            ),
            (
                &[("enforce", "baseline"), ("warn-version", "v1.23")],
                "baseline:latest privileged:latest baseline:v1.23",
                0,
            ),
            (
                &[("enforce", "baseline"), ("warn", "privileged")],
                "baseline:latest privileged:latest privileged:latest",
                0,
            ),
            (
                &[("enforce", "baseline"), ("warn", "foo")],
                "baseline:latest privileged:latest privileged:latest",
                1,
            ),
            (&[("enforce", "foo")], "restricted:latest privileged:latest privileged:latest", 1),
            (&[("audit", "foo")], "privileged:latest privileged:latest privileged:latest", 1),
            (&[("enforce-version", "v1.20")], "privileged:v1.20 privileged:latest privileged:latest", 0),
            (
                &[("enforce", "oops"), ("enforce-version", "v1.99")],
                "restricted:v1.99 privileged:latest privileged:latest",
                1,
            ),
            (
                &[("warn", ""), ("audit-version", "")],
                "privileged:latest privileged:latest privileged:latest",
                2,
            ),
        ] {
            let (found, found_faults) = levels(labels, Levels::default());
            assert_eq!(
                (found.as_str(), found_faults.len()),
                (expected, faults),
                "{labels:?}: {found_faults:?}"
            );
        }
    }

    #[test]
    fn a_stricter_default_of_warn_stays() {
        let restricted = LevelVersion { level: Level::Restricted, version: Version::Latest };
        let defaults = Levels { warn: restricted, ..Levels::default() };
        let (found, _) = levels(&[("enforce", "baseline")], defaults);
        assert_eq!(found, "baseline:latest privileged:latest restricted:latest");
    }

    #[test]
    fn faults_are_told_in_upstreams_words_and_order() {
        let (_, faults) =
            levels(&[("warn-version", "v2.0"), ("enforce", "nope"), ("audit", "\"")], Levels::default());
        assert_eq!(
            faults,
            [
                "metadata.labels[pod-security.kubernetes.io/enforce]: Invalid value: \"nope\": must be one of \
                 privileged, baseline, restricted",
                "metadata.labels[pod-security.kubernetes.io/audit]: Invalid value: \"\\\"\": must be one of \
                 privileged, baseline, restricted",
                "metadata.labels[pod-security.kubernetes.io/warn-version]: Invalid value: \"v2.0\": must be \
                 \"latest\" or \"v1.x\"",
            ]
        );
        let fault = |message: &str| LabelFault { field: "f".into(), message: message.into() };
        assert_eq!(joined(&[fault("a")]), "f: a");
        assert_eq!(joined(&[fault("a"), fault("b"), fault("a")]), "[f: a, f: b]");
    }

    #[test]
    fn every_standard_is_at_its_place() {
        let configuration = PodSecurityConfiguration::new(Levels::default(), Exemptions::default());
        for level in Level::ALL {
            for version in [0, 1, 22, 36, 37].map(Version::Minor).into_iter().chain([Version::Latest]) {
                let of = LevelVersion { level, version };
                assert_eq!(configuration.standard(of).text(), of.to_string());
            }
            let newer = LevelVersion { level, version: Version::Minor(u64::MAX) };
            assert_eq!(configuration.standard(newer).text(), format!("{}:v1.37", level.name()));
        }
    }
}
