//! The Pod Security Standards: levels, versions, and which controls each of them is made of.
//!
//! Source: <https://kubernetes.io/docs/concepts/security/pod-security-standards/>, and Kubernetes'
//! own pod-security-admission of v1.37 wherever the page leaves a question open.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::controls::{ALL, Check, Control, Kind};

/// The newest minor version at which the rules changed: `latest`, and every later version, means it.
pub const NEWEST_MINOR: u64 = 37;

/// A level of the standard, from lax to strict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// No rule at all.
    Privileged,
    /// Keeps known ways to more privilege closed.
    Baseline,
    /// The hardening that current practice asks for.
    Restricted,
}

impl Level {
    /// Every level, from lax to strict.
    pub const ALL: [Self; 3] = [Self::Privileged, Self::Baseline, Self::Restricted];

    /// Its name in labels, flags and policy files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Privileged => "privileged",
            Self::Baseline => "baseline",
            Self::Restricted => "restricted",
        }
    }
}

/// A version of the standard. `Latest` is newer than every number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Version {
    /// `v1.N`, kept as it was asked for even if it is past [`NEWEST_MINOR`].
    Minor(u64),
    /// `latest`: the newest rules of this build.
    Latest,
}

impl Version {
    /// The minor version whose rules hold.
    #[must_use]
    pub fn minor(self) -> u64 {
        match self {
            Self::Minor(minor) => minor.min(NEWEST_MINOR),
            Self::Latest => NEWEST_MINOR,
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Minor(minor) => write!(f, "v1.{minor}"),
            Self::Latest => f.write_str("latest"),
        }
    }
}

impl FromStr for Version {
    type Err = StandardError;

    fn from_str(text: &str) -> Result<Self, StandardError> {
        if text == "latest" {
            return Ok(Self::Latest);
        }
        text.strip_prefix("v1.")
            .filter(|minor| minor.bytes().all(|byte| byte.is_ascii_digit()))
            .filter(|minor| *minor == "0" || !minor.starts_with('0'))
            .and_then(|minor| minor.parse::<i64>().ok())
            .and_then(|minor| u64::try_from(minor).ok())
            .map(Self::Minor)
            .ok_or_else(|| StandardError::Version(text.to_owned()))
    }
}

impl FromStr for Level {
    type Err = StandardError;

    fn from_str(text: &str) -> Result<Self, StandardError> {
        Self::ALL
            .into_iter()
            .find(|level| level.name() == text)
            .ok_or_else(|| StandardError::Level(text.to_owned()))
    }
}

/// A level or version that does not exist.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StandardError {
    /// Not one of the three levels.
    #[error("no such level \"{0}\": use privileged, baseline or restricted")]
    Level(String),
    /// Neither `latest` nor `v1.N`.
    #[error("no such version \"{0}\": use latest or v1.N, as v1.30")]
    Version(String),
}

/// A level at a version, with its controls looked up: `restricted:v1.30`.
#[derive(Clone)]
pub struct Standard {
    level: Level,
    version: Version,
    text: Arc<str>,
    checks: Vec<Check>,
}

impl Standard {
    /// The standard of this level and version.
    #[must_use]
    pub fn new(level: Level, version: Version) -> Self {
        let text = format!("{}:{version}", level.name()).into();
        Self { level, version, text, checks: checks(level, version.minor()) }
    }

    /// The level.
    #[must_use]
    pub fn level(&self) -> Level {
        self.level
    }

    /// The version.
    #[must_use]
    pub fn version(&self) -> Version {
        self.version
    }

    /// Its name, as it was asked for: `restricted:v1.30`.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Its name, to be kept.
    #[must_use]
    pub fn shared_text(&self) -> Arc<str> {
        Arc::clone(&self.text)
    }

    /// Its controls' checks, in the standard's order.
    #[must_use]
    pub fn checks(&self) -> &[Check] {
        &self.checks
    }
}

impl PartialEq for Standard {
    fn eq(&self, other: &Self) -> bool {
        (self.level, self.version) == (other.level, other.version)
    }
}

impl fmt::Debug for Standard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Standard({self})")
    }
}

impl fmt::Display for Standard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
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

/// The checks of a level at a minor version: those of the level and the ones below it that have a
/// revision then, less those that a control of the restricted level stands in for.
fn checks(level: Level, minor: u64) -> Vec<Check> {
    let active: Vec<(&Control, Check)> = ALL
        .iter()
        .filter(|control| control.level().is_some_and(|of| of <= level))
        .filter_map(|control| control.check_at(minor).map(|check| (*control, check)))
        .collect();
    let is_overridden =
        |id: &str| active.iter().any(|(control, _)| control.overrides().is_some_and(|other| other.id == id));
    let of_level = |level| {
        active
            .iter()
            .filter(move |(control, _)| control.level() == Some(level))
            .filter(|(control, _)| !is_overridden(control.id))
            .map(|(_, check)| *check)
    };
    of_level(Level::Baseline).chain(of_level(Level::Restricted)).collect()
}

impl Control {
    /// The level it belongs to; `None` for a rule beyond the standard.
    #[must_use]
    pub fn level(&self) -> Option<Level> {
        match self.kind {
            Kind::Standard { level, .. } => Some(level),
            Kind::Beyond => None,
        }
    }

    /// The control of the baseline level that it stands in for at the restricted level.
    #[must_use]
    pub fn overrides(&self) -> Option<&'static Self> {
        match self.kind {
            Kind::Standard { overrides, .. } => overrides,
            Kind::Beyond => None,
        }
    }

    /// Its check at a minor version; `None` before its first revision.
    fn check_at(&self, minor: u64) -> Option<Check> {
        match self.kind {
            Kind::Standard { revisions, .. } => {
                revisions.iter().rev().find(|revision| revision.since <= minor).map(|revision| revision.check)
            }
            Kind::Beyond => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_exactly() {
        for (text, expected) in [
            ("latest", Ok(Version::Latest)),
            ("v1.0", Ok(Version::Minor(0))),
            ("v1.37", Ok(Version::Minor(37))),
            ("v1.99", Ok(Version::Minor(99))),
            ("v1.9223372036854775807", Ok(Version::Minor(i64::MAX as u64))),
        ] {
            assert_eq!(text.parse(), expected);
            assert_eq!(expected.expect("a version").to_string(), text);
        }
        for text in
            ["", "Latest", "1.24", "v1", "v1.", "v1.01", "v1.+1", "v2.0", "v1.24.0", "v1.9223372036854775808"]
        {
            assert_eq!(text.parse::<Version>(), Err(StandardError::Version(text.to_owned())), "{text}");
        }
        assert!(Version::Minor(u64::MAX) < Version::Latest);
    }

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
        let id = |check: &Check| {
            ALL.iter()
                .find(|control| match control.kind {
                    Kind::Standard { revisions, .. } => {
                        revisions.iter().any(|revision| std::ptr::fn_addr_eq(revision.check, *check))
                    }
                    Kind::Beyond => false,
                })
                .map_or("?", |control| control.id)
        };
        standard.checks().iter().map(id).collect()
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
