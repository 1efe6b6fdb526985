//! The values of a template that are not known: placeholders, and what is of the wrong type.

use crate::assess::best::best;
use crate::assess::field_pattern::{Relation, relation};
use crate::json::{ErrorKind, Reader};
use crate::path::{Path, Step};
use crate::pod::Pod;
use crate::text::printable;
use crate::workload::{Template, Unresolved, UnresolvedReason, has_placeholder};
use crate::yaml::Node;

/// Most values of a template that are looked at: past this nothing of it is judged.
const MOST: usize = 256;
/// Most bytes of JSON that are read for one template, in all.
const MOST_BYTES: usize = 64 << 20;
/// Longest path in a sentence, in characters.
const LONGEST_PATH: usize = 200;

/// A template with the best in place of what is not known.
#[derive(Debug)]
pub(super) struct Known {
    /// Its JSON text.
    pub(super) json: Vec<u8>,
    pub(super) unknown: Vec<Unknown>,
}

/// A value that is not known.
#[derive(Debug)]
pub(super) struct Unknown {
    path: Path<'static>,
    reason: UnresolvedReason,
    message: String,
}

impl Known {
    /// Puts the best in place of all that is not known among the fields that are looked at.
    pub(super) fn of(written: &Node, fields: &[&str], is_gate: bool) -> Self {
        let mut known = Self { json: written.to_json(), unknown: Vec::new() };
        let mut changed = None;
        known.replace_placeholders(written, fields, &mut changed);
        known.replace_wrong_types(written, fields, is_gate, changed);
        known
    }

    /// Whether any value is not known.
    pub(super) fn has_unknown(&self) -> bool {
        !self.unknown.is_empty()
    }

    /// Whether the value at a path is not known.
    pub(super) fn is_unknown(&self, path: &[Step<'_>]) -> bool {
        self.unknown.iter().any(|unknown| unknown.path.steps() == path)
    }

    fn replace_placeholders(&mut self, written: &Node, fields: &[&str], changed: &mut Option<Node>) {
        if !has_placeholder(&String::from_utf8_lossy(&self.json)) {
            return;
        }
        let mut found: Vec<(Path<'static>, &Node)> = Vec::new();
        written.for_each(&mut Path::root(), &mut |path, node| {
            let is_placeholder = node.as_text().is_some_and(has_placeholder);
            if is_placeholder && fields.iter().any(|field| relation(field, path) == Relation::At) {
                found.push((path.clone().into_owned(), node));
            }
        });
        for (path, node) in found {
            let message = format!("is the placeholder {}", printable(node.as_text().unwrap_or_default(), 64));
            let root = changed.get_or_insert_with(|| written.clone());
            replace(root, &path);
            self.unknown.push(Unknown { path, reason: UnresolvedReason::Placeholder, message });
        }
    }

    fn replace_wrong_types(
        &mut self,
        written: &Node,
        fields: &[&str],
        is_gate: bool,
        mut changed: Option<Node>,
    ) {
        let mut bytes = 0;
        for _ in 0..MOST {
            if let Some(changed) = &changed {
                self.json = changed.to_json();
            }
            bytes += self.json.len();
            let Some((path, message, is_type)) = first_error(&self.json, is_gate) else { return };
            let root = changed.get_or_insert_with(|| written.clone());
            let is_replaced = is_type && bytes < MOST_BYTES && replace(root, &path);
            let is_read = |field: &&str| relation(field, &path) != Relation::Apart;
            if fields.iter().any(is_read) || !is_replaced {
                let found = written.locate(&path).node;
                let is_placeholder = found.as_text().is_some_and(has_placeholder);
                let reason =
                    if is_placeholder { UnresolvedReason::Placeholder } else { UnresolvedReason::WrongType };
                self.unknown.push(Unknown { path, reason, message });
            }
            if !is_replaced {
                return;
            }
        }
    }
}

/// Puts the best in place of a value. Whether there was one.
fn replace(root: &mut Node, path: &[Step<'_>]) -> bool {
    let Some(node) = root.locate_mut(path) else { return false };
    let better = best(path, node.span);
    let is_other = node.value != better.value;
    node.value = better.value;
    is_other
}

/// The first error in the JSON of a pod: where, in words, and whether it is one of a value that can be replaced.
fn first_error(json: &[u8], is_gate: bool) -> Option<(Path<'static>, String, bool)> {
    let mut reader = match Reader::new(json) {
        Ok(reader) => reader,
        Err(error) => return Some((Path::root(), error.to_string(), false)),
    };
    if is_gate {
        reader = reader.refusing_misspelt_case();
    }
    let error = Pod::read(&mut reader).err()?;
    let message = error.to_string();
    // The offset is in the JSON that was made of the template, which nobody sees.
    let message = message.strip_suffix(&format!(" (byte {})", error.offset())).unwrap_or(&message);
    let path = error.path().into_owned();
    let message = message.strip_prefix(&format!("{path}: ")).unwrap_or(message).to_owned();
    Some((path, message, error.kind() == ErrorKind::Type))
}

impl Unknown {
    /// What is not known, for the report.
    pub(super) fn unresolved(&self, template: &Template<'_>, written: &Node) -> Unresolved {
        let place = template.places.locate(written, &self.path);
        let field = printable(&place.field, LONGEST_PATH).to_string();
        let is_placeholder = self.reason == UnresolvedReason::Placeholder;
        let text = match (is_placeholder, self.message.starts_with("is ")) {
            (true, false) => format!("{field} is a placeholder"),
            (true, true) => format!("{field} {}", self.message),
            (false, _) => format!("{field}: {}", self.message),
        };
        template.unknown(written, &self.path, self.reason, text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml;

    fn known(text: &str, fields: &[&str]) -> (String, Vec<String>) {
        let document = yaml::read(text).remove(0).expect(text);
        let known = Known::of(&document.root, fields, true);
        let unknown = known.unknown.iter().map(|unknown| format!("{} {:?}", unknown.path, unknown.reason));
        (String::from_utf8_lossy(&known.json).into_owned(), unknown.collect())
    }

    #[test]
    fn what_is_not_known_is_replaced_and_named() {
        let drop = "spec.containers[*].securityContext.capabilities.drop";
        for (text, fields, json, unknown) in [
            (
                "{spec: {hostPID: '${X}'}}",
                &["spec.hostPID"][..],
                r#"{"spec":{"hostPID":null}}"#,
                &["spec.hostPID Placeholder"][..],
            ),
            (
                "{spec: {hostPID: 5}}",
                &["spec.hostPID"],
                r#"{"spec":{"hostPID":null}}"#,
                &["spec.hostPID WrongType"],
            ),
            ("{spec: {hostPID: 5}}", &["spec.hostIPC"], r#"{"spec":{"hostPID":null}}"#, &[]),
            (
                "{spec: {containers: [{image: '{{x}}', securityContext: {capabilities: {drop: ['$CAP']}}}]}}",
                &[drop],
                r#"{"spec":{"containers":[{"image":"{{x}}","securityContext":{"capabilities":{"drop":["ALL"]}}}]}}"#,
                &["spec.containers[0].securityContext.capabilities.drop[0] Placeholder"],
            ),
            (
                "{spec: {securityContext: <ctx>}}",
                &["spec.securityContext.runAsNonRoot"],
                r#"{"spec":{"securityContext":{"runAsNonRoot":true,"seccompProfile":{"type":"RuntimeDefault"}}}}"#,
                &["spec.securityContext Placeholder"],
            ),
            ("{spec: '${X}'}", &["spec.hostPID"], r#"{"spec":null}"#, &["spec Placeholder"]),
        ] {
            let (found, names) = known(text, fields);
            assert_eq!(found, json, "{text}");
            assert_eq!(names, unknown, "{text}");
        }
    }
}
