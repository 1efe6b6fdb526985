//! The Pod Security Standards: which controls each level has at each version.
//!
//! Source: <https://kubernetes.io/docs/concepts/security/pod-security-standards/>, and Kubernetes'
//! own pod-security-admission of v1.37 wherever the page leaves a question open.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;
use std::sync::Arc;

use crate::controls::control::{CheckFn, Control};
use crate::controls::level::{Level, StandardError, Version};
use crate::controls::registry::CONTROLS;

/// A level at a version, with its controls looked up: `restricted:v1.30`.
#[derive(Clone)]
pub struct Standard(Arc<LevelAtVersion>);

struct LevelAtVersion {
    level: Level,
    version: Version,
    text: Arc<str>,
    controls: Vec<(&'static Control, CheckFn)>,
}

impl Standard {
    /// The standard of this level and version.
    #[must_use]
    pub fn new(level: Level, version: Version) -> Self {
        let text = format!("{}:{version}", level.name()).into();
        let controls = controls(level, version.minor(), |_| false);
        Self(Arc::new(LevelAtVersion { level, version, text, controls }))
    }

    /// The level.
    #[must_use]
    pub fn level(&self) -> Level {
        self.0.level
    }

    /// The version.
    #[must_use]
    pub fn version(&self) -> Version {
        self.0.version
    }

    /// Its name, as it was asked for: `restricted:v1.30`.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.0.text
    }

    /// Its name, owned.
    #[must_use]
    pub fn shared_text(&self) -> Arc<str> {
        Arc::clone(&self.0.text)
    }

    /// Its controls with their checks, in the standard's order.
    #[must_use]
    pub fn controls(&self) -> &[(&'static Control, CheckFn)] {
        &self.0.controls
    }

    /// Its controls, and beside each that is relaxed the control of the baseline level that it would replace.
    #[must_use]
    pub fn controls_with_replaced(
        &self,
        is_relaxed: impl Fn(&Control) -> bool,
    ) -> Vec<(&'static Control, CheckFn)> {
        controls(self.level(), self.version().minor(), is_relaxed)
    }
}

impl PartialEq for Standard {
    fn eq(&self, other: &Self) -> bool {
        (self.level(), self.version()) == (other.level(), other.version())
    }
}

impl Eq for Standard {}

impl Hash for Standard {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.level(), self.version()).hash(state);
    }
}

impl fmt::Debug for Standard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Standard({self})")
    }
}

impl fmt::Display for Standard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

/// Reads `LEVEL` or `LEVEL:VERSION`; without a version it is `latest`.
impl FromStr for Standard {
    type Err = StandardError;

    fn from_str(text: &str) -> Result<Self, StandardError> {
        let (level, version) = text.split_once(':').unwrap_or((text, "latest"));
        Ok(Self::new(level.parse()?, version.parse()?))
    }
}

/// The controls of a level at a minor version: those of the level and the ones below it that have a
/// revision then, except those that a control of the restricted level replaces, unless `is_relaxed` says that this one does
/// not count.
fn controls(
    level: Level,
    minor: u64,
    is_relaxed: impl Fn(&Control) -> bool,
) -> Vec<(&'static Control, CheckFn)> {
    let active: Vec<(&'static Control, CheckFn)> = CONTROLS
        .iter()
        .filter(|control| control.level().is_some_and(|of| of <= level))
        .filter_map(|control| control.check_at(minor).map(|check| (*control, check)))
        .collect();
    let is_replaced = |replaced: &Control| {
        active.iter().any(|(control, _)| control.overrides() == Some(replaced) && !is_relaxed(control))
    };
    // The registry has them in this order: baseline, then restricted.
    active.iter().filter(|(control, _)| !is_replaced(control)).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn standards_print_as_they_were_asked_for() {
        for text in ["restricted:latest", "baseline:v1.22", "privileged:v1.99"] {
            assert_eq!(text.parse::<Standard>().expect("a standard").to_string(), text);
        }
        assert_eq!("baseline".parse::<Standard>().expect("a standard").to_string(), "baseline:latest");
        assert!("Restricted".parse::<Standard>().is_err());
        assert!("restricted:".parse::<Standard>().is_err());
    }

    /// The sequence of control ids at a level and version, with the table of overrides applied.
    fn sequence(text: &str) -> Vec<&'static str> {
        let standard: Standard = text.parse().expect("a standard");
        standard.controls().iter().map(|(control, _)| control.id).collect()
    }

    #[test]
    fn restricted_replaces_what_it_overrides() {
        assert_eq!(
            sequence("restricted:v1.0"),
            [
                "appArmorProfile",
                "capabilities_baseline",
                "hostNamespaces",
                "hostPorts",
                "privileged",
                "procMount",
                "seLinuxOptions",
                "seccompProfile_baseline",
                "sysctls",
                "windowsHostProcess",
                "restrictedVolumes",
                "runAsNonRoot",
            ]
        );
        assert_eq!(
            sequence("restricted:latest"),
            [
                "appArmorProfile",
                "hostNamespaces",
                "hostPorts",
                "hostProbesAndHostLifecycle",
                "privileged",
                "seLinuxOptions",
                "sysctls",
                "windowsHostProcess",
                "allowPrivilegeEscalation",
                "capabilities_restricted",
                "procMount_restricted",
                "restrictedVolumes",
                "runAsNonRoot",
                "runAsUser",
                "seccompProfile_restricted",
            ]
        );
        assert_eq!(sequence("privileged:latest"), [""; 0]);
        assert_eq!(sequence("baseline:latest").len(), 12);
        assert_eq!(sequence("baseline:v1.33").len(), 11);
        assert_eq!(sequence("restricted:v1.5000"), sequence("restricted:v1.37"));
    }
}
