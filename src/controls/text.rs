//! The words of the standard's messages, as Kubernetes' own Pod Security Admission writes them.
//!
//! Byte for byte: people grep logs and alerts for these texts. Names are in plain quotes,
//! unescaped; only what [`go_quoted`] renders is escaped.

use unicode_general_category::{GeneralCategory, get_general_category};

use crate::finding::{Finding, Found, Subject};
use crate::text::prefix;

pub(super) use crate::text::plural;

/// Longest name or value that is printed whole, in bytes. The longest that Kubernetes allows is the key of an annotation:
/// 317.
const LONGEST_SHOWN: usize = 512;

/// A name or value as far as it is printed: before validation it may be as long as the review.
fn shown(text: &str) -> &str {
    prefix(text, LONGEST_SHOWN)
}

/// Room for a usual list of names and the words around it.
const USUAL: usize = 96;

/// `"a", "b"`: no escaping.
pub(super) fn quoted<'t>(items: impl IntoIterator<Item = &'t str>) -> String {
    let mut text = String::with_capacity(USUAL);
    push_quoted(&mut text, items);
    text
}

fn push_quoted<'t>(text: &mut String, items: impl IntoIterator<Item = &'t str>) {
    for (index, item) in items.into_iter().enumerate() {
        text.push_str(if index == 0 { "\"" } else { ", \"" });
        text.push_str(item);
        text.push('"');
    }
}

/// The distinct values, in byte order.
pub(super) fn sorted_set<'t>(values: impl IntoIterator<Item = &'t str>) -> Vec<&'t str> {
    let mut values: Vec<&str> = values.into_iter().collect();
    values.sort_unstable();
    values.dedup();
    values
}

/// The names of the containers with a finding: in the order of the walk, one for each container,
/// so a name appears twice if two containers have it.
pub(super) fn container_names<'p>(findings: &[Finding<'p>]) -> Vec<&'p str> {
    let mut containers: Vec<_> = findings.iter().filter_map(|finding| finding.subject.container()).collect();
    containers.dedup_by_key(|container| (container.kind, container.index));
    containers.into_iter().map(|container| shown(container.name)).collect()
}

/// `container "a"`, or `containers "a", "b"`.
pub(super) fn containers(names: &[&str]) -> String {
    let mut text = String::with_capacity(USUAL);
    text.push_str(if names.len() == 1 { "container " } else { "containers " });
    push_quoted(&mut text, names.iter().copied());
    text
}

/// `pod`, `container "a"`, `pod and containers "a", "b"`: who set a value that must not be set.
pub(super) fn setters(findings: &[Finding<'_>]) -> Vec<String> {
    let mut setters = Vec::new();
    if findings.iter().any(|finding| finding.subject == Subject::Pod) {
        setters.push("pod".to_owned());
    }
    let names = container_names(findings);
    if !names.is_empty() {
        setters.push(containers(&names));
    }
    setters
}

/// The names of the volumes with a finding, in the order of the list.
pub(super) fn volume_names<'p>(findings: &[Finding<'p>]) -> Vec<&'p str> {
    let name = |finding: &Finding<'p>| match finding.subject {
        Subject::Volume(_, name) => Some(shown(name)),
        Subject::Pod | Subject::Container(_) | Subject::Metadata | Subject::Namespace(_) => None,
    };
    findings.iter().filter_map(name).collect()
}

/// The strings that were found.
pub(super) fn found_texts<'f, 'p: 'f>(
    findings: impl IntoIterator<Item = &'f Finding<'p>>,
) -> impl Iterator<Item = &'p str> {
    findings.into_iter().filter_map(|finding| match finding.found {
        Found::Text(text) => Some(shown(text)),
        Found::Absent | Found::Bool(_) | Found::Integer(_) | Found::List(_) | Found::Hidden => None,
    })
}

/// `key="value"`, if the finding is about an annotation: the value is escaped, the key is not.
pub(super) fn annotation(finding: &Finding<'_>) -> Option<String> {
    match (finding.subject, finding.path.last_key(), finding.found) {
        (Subject::Metadata, Some(key), Found::Text(value)) => {
            Some(format!("{}={}", shown(key), go_quoted(value)))
        }
        _ => None,
    }
}

/// The findings with values that are present.
pub(super) fn of_values<'p>(findings: &[Finding<'p>]) -> Vec<Finding<'p>> {
    findings.iter().filter(|finding| finding.found != Found::Absent).cloned().collect()
}

/// `uses` for one, `use` for more.
pub(super) fn uses(count: usize) -> &'static str {
    if count == 1 { "uses" } else { "use" }
}

/// A string as Go's `%q` writes it, or the beginning of one that is longer than any name.
///
/// What is printable follows our tables of Unicode, so a character that is newer than Go's, or than
/// ours, may come out differently.
#[must_use]
pub fn go_quoted(text: &str) -> String {
    let text = shown(text);
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            '\u{7}' => quoted.push_str("\\a"),
            '\u{8}' => quoted.push_str("\\b"),
            '\u{c}' => quoted.push_str("\\f"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '\u{b}' => quoted.push_str("\\v"),
            _ if is_printable(character) => quoted.push(character),
            _ => quoted.push_str(&escaped(character)),
        }
    }
    quoted.push('"');
    quoted
}

fn escaped(character: char) -> String {
    match u32::from(character) {
        code @ (..0x20 | 0x7f) => format!("\\x{code:02x}"),
        code @ ..0x10000 => format!("\\u{code:04x}"),
        code => format!("\\U{code:08x}"),
    }
}

/// Go's `strconv.IsPrint`: letters, marks, numbers, punctuation, symbols, and the ASCII space.
fn is_printable(character: char) -> bool {
    use GeneralCategory as G;
    character == ' '
        || !matches!(
            get_general_category(character),
            G::Control
                | G::Format
                | G::LineSeparator
                | G::ParagraphSeparator
                | G::PrivateUse
                | G::SpaceSeparator
                | G::Surrogate
                | G::Unassigned
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn go_quoting_is_not_rust_quoting() {
        for (text, expected) in [
            ("plain 'x'", r#""plain 'x'""#),
            ("a\"b\\c", r#""a\"b\\c""#),
            ("\u{7}\u{8}\u{c}\n\r\t\u{b}", r#""\a\b\f\n\r\t\v""#),
            ("\0\u{1f}\u{7f}", r#""\x00\x1f\x7f""#),
            ("e\u{301}é日本\u{1f600}\u{fffd}", "\"e\u{301}é日本\u{1f600}\u{fffd}\""),
            ("\u{a0}\u{ad}\u{200b}\u{2028}\u{3000}\u{feff}", r#""\u00a0\u00ad\u200b\u2028\u3000\ufeff""#),
            ("\u{80}\u{e0001}", r#""\u0080\U000e0001""#),
        ] {
            assert_eq!(go_quoted(text), expected);
        }
    }

    #[test]
    fn plain_quoting_does_not_escape() {
        assert_eq!(quoted(["a\"b", "c\\d"]), r#""a"b", "c\d""#);
        assert_eq!(containers(&["a"]), "container \"a\"");
        assert_eq!(containers(&["a", "a"]), "containers \"a\", \"a\"");
    }
}
