//! Whether a text that cannot be read was meant as a manifest: a broken one must not be passed over, and what is found in a
//! folder besides manifests must not be complained of.

use std::borrow::Cow;

use crate::yaml::has_template;

/// The document around a line, counted from 1, in a text of several.
pub(super) fn document_at(text: &str, line: usize) -> String {
    let mut document = String::new();
    for (number, content) in (1..).zip(text.split_inclusive('\n')) {
        if content.starts_with("---") {
            if number > line {
                break;
            }
            document.clear();
        }
        document.push_str(content);
    }
    document
}

/// Whether bytes that are no UTF-8, or the start of a file that is too large, look like a manifest.
pub(super) fn are_like_manifest(bytes: &[u8]) -> bool {
    // Text in UTF-16, as PowerShell writes it, has a NUL in every other byte.
    let bytes: Cow<'_, [u8]> = if bytes.contains(&0) {
        bytes.iter().copied().filter(|byte| *byte != 0).collect()
    } else {
        bytes.into()
    };
    let text = String::from_utf8_lossy(&bytes);
    text.split("\n---").any(is_like_manifest)
}

/// Whether a document has the keys `apiVersion` and `kind` where those of an object are.
pub(super) fn is_like_manifest(document: &str) -> bool {
    let lines = || document.lines().map(|line| line.trim_start_matches(['\u{feff}', '\u{fffd}']));
    let mut content = lines().filter(|line| !is_blank(line));
    let first = content.next().unwrap_or_default();
    if first.trim_start().starts_with(['{', '[']) {
        // Of what is in brackets, the depth is not known.
        return ["apiVersion", "kind"].iter().all(|key| document.contains(key));
    }
    let is_outermost = |line: &str| indent(line) == 0 || indent(line) == indent(first);
    let has = |key: &str| lines().any(|line| is_outermost(line) && is_key(line.trim_start(), key));
    has("apiVersion") && has("kind")
}

/// Whether a template engine has yet to make YAML of a document.
pub(super) fn is_template(document: &str) -> bool {
    document.lines().any(has_template)
}

fn is_blank(line: &str) -> bool {
    let line = line.trim();
    line.is_empty() || line.starts_with('#') || line.starts_with("---")
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

/// Whether a line starts with a key, in quotes or not.
fn is_key(line: &str, key: &str) -> bool {
    let plain = line.strip_prefix(['"', '\'']).unwrap_or(line);
    let behind = plain.strip_prefix(key).map(|behind| behind.trim_start_matches(['"', '\'', ' ', '\t']));
    behind.is_some_and(|behind| behind.starts_with(':'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_is_known_by_its_keys() {
        for (text, expected) in [
            ("apiVersion: v1\nkind: Pod\nspec: {", true),
            ("# c\n  apiVersion: v1\n  kind: Pod\n", true),
            ("\"apiVersion\" : v1\r\n'kind': Pod\r\n", true),
            ("---\nkind: Pod\napiVersion: v1", true),
            ("{\"apiVersion\": \"v1\", \"kind\": \"Pod\",", true),
            ("{apiVersion: v1, kind: Pod", true),
            ("\u{feff}apiVersion: v1\nkind: Pod\n\tx", true),
            ("apiVersion: v2\nname: chart\n  x", false),
            ("a:\n  apiVersion: v1\n  kind: Pod\n x", false),
            ("AWSTemplateFormatVersion: x\nResources: !Ref a", false),
            ("kindness: a\napiVersions: b", false),
            ("{\"a\": 1,", false),
            ("", false),
        ] {
            assert_eq!(is_like_manifest(text), expected, "{text}");
        }
        let utf_16: Vec<u8> = "apiVersion: v1\nkind: Pod".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert!(are_like_manifest(&[&b"\xff\xfe"[..], &utf_16].concat()));
        assert!(are_like_manifest(b"a: b\n---\napiVersion: v1\nkind: Pod\nname: \xff"));
        assert!(!are_like_manifest(b"\xff\x00\x01binary"));
    }

    #[test]
    fn the_document_around_a_line_is_cut_out() {
        let text = "a\nb\n---\nc\nd\n--- e\nf";
        for (line, expected) in [
            (1, "a\nb\n"),
            (2, "a\nb\n"),
            (4, "---\nc\nd\n"),
            (6, "--- e\nf"),
            (7, "--- e\nf"),
            (99, "--- e\nf"),
        ] {
            assert_eq!(document_at(text, line), expected, "{line}");
        }
    }

    #[test]
    fn templates_are_told_from_text_in_quotes() {
        for (text, expected) in [
            ("name: {{ .Release.Name }}", true),
            ("{{- if .Values.on }}\na: b", true),
            ("- {{ x }}", true),
            ("{% for x in y %}", true),
            ("name: \"{{inputs.parameters.name}}\"", false),
            ("# name: {{ x }}", false),
        ] {
            assert_eq!(is_template(text), expected, "{text}");
        }
    }
}
