//! Patterns of policies: text in which `*` stands for any characters.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// A text in which each `*` stands for any number of characters, none and `/` among them: `kernel.shm*`. Matching allocates
/// nothing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Pattern(String);

impl Pattern {
    /// Whether a text is one of those that it stands for.
    pub(crate) fn matches(&self, text: &str) -> bool {
        matches(&self.0, text)
    }

    /// The text itself.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether a text is one of those that a pattern stands for, which is kept as text where a fix offers it.
pub(crate) fn matches(pattern: &str, text: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut left) = text.strip_prefix(start) else { return false };
    let (middle, end) = rest.rsplit_once('*').unwrap_or(("", rest));
    for part in middle.split('*') {
        let Some((_, after)) = left.split_once(part) else { return false };
        left = after;
    }
    left.ends_with(end)
}

/// Whether any of the patterns stands for a text.
pub(crate) fn any_matches(patterns: &[Pattern], text: &str) -> bool {
    patterns.iter().any(|pattern| pattern.matches(text))
}

impl From<&str> for Pattern {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl JsonSchema for Pattern {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Pattern".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "minLength": 1 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_is_any_text() {
        for (pattern, matching, others) in [
            ("a", &["a"][..], &["", "aa", "b"][..]),
            ("*", &["", "a", "a/b"], &[]),
            ("kernel.shm*", &["kernel.shm", "kernel.shmmax"], &["kernel.sh", "net.kernel.shm"]),
            ("*.example.com", &[".example.com", "a.example.com"], &["example.com", "a.example.com.evil"]),
            ("a*b*c", &["abc", "axxbyyc", "abbc"], &["ab", "acb", "bc"]),
            ("a*a", &["aa", "aba"], &["a"]),
            ("a**b", &["ab", "axb"], &["a"]),
            ("*ab*ab*", &["abab", "xabyabz"], &["ab", "aab"]),
        ] {
            let pattern = Pattern::from(pattern);
            assert!(matching.iter().all(|text| pattern.matches(text)), "{pattern:?}");
            assert!(others.iter().all(|text| !pattern.matches(text)), "{pattern:?}");
        }
    }
}
