//! The levels and versions of the Pod Security Standards.

use std::fmt;
use std::str::FromStr;

use crate::text::not_ascii;

/// The newest minor version at which the rules changed: `latest`, and every later version, means it.
pub const NEWEST_MINOR: u64 = 37;

/// A level of the standard, from lax to strict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// No rule at all.
    Privileged,
    /// Prevents known privilege escalations.
    Baseline,
    /// Current best practice for hardening.
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
    /// The minor version whose rules apply.
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
    #[error("no such level \"{0}\"{not_ascii}: use privileged, baseline or restricted", not_ascii = not_ascii(.0))]
    Level(String),
    /// Neither `latest` nor `v1.N`.
    #[error("no such version \"{0}\"{not_ascii}: use latest or v1.N, as v1.30", not_ascii = not_ascii(.0))]
    Version(String),
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
}
