//! What a policy on trial would change, in warnings: in a sentence, or change by change.

use std::collections::HashSet;
use std::sync::Arc;

use serde_json::Value as Json;

use crate::finding::{Edit, EditOp, Value};
use crate::mutate::identity::change::IdentityChange;
use crate::mutate::identity::warning::{LONGEST_WARNING, policy_name, warning};
use crate::path::{Path, Step};
use crate::pod::Pod;
use crate::policy::{IdentityMode, IdentityPolicy};
use crate::text::{counted, printable};

/// Most warnings about the changes: a pod gets the same into each of its containers, which is told once.
const MOST_LINES: usize = 8;
/// Longest name in a warning.
const LONGEST_NAME: usize = 63;

/// What would be changed, each thing once.
#[derive(Default)]
struct Changes {
    set: Vec<String>,
    add: Vec<String>,
    remove: Vec<String>,
}

/// What a policy would change, of which `done` is changed anyway.
pub(super) fn explain(
    policy: &IdentityPolicy,
    pod: &Pod<'_>,
    planned: &IdentityChange<'_>,
    done: &IdentityChange<'_>,
) -> Vec<String> {
    let done: HashSet<Edit<'_>> = done.edits.iter().flat_map(Edit::one_by_one).collect();
    let planned = planned.edits.iter().flat_map(Edit::one_by_one);
    let edits: Vec<Edit<'_>> = planned.filter(|edit| !done.contains(edit)).collect();
    if edits.is_empty() {
        return Vec::new();
    }
    let name = policy_name(&policy.name);
    if policy.mode != IdentityMode::Explain {
        let what = match policy.target() {
            Some(target) if target != pod.service_account() => format!("service account {target}"),
            _ => counted(edits.len(), "change"),
        };
        return vec![warning(&format!("IdentityPolicy {name} would give this pod: {what}"))];
    }
    let mut changes = Changes::default();
    edits.iter().for_each(|edit| changes.add(edit, pod));
    let Changes { set, add, remove } = changes;
    let mut lines = Vec::new();
    for (verb, items) in [("set", set), ("add", add), ("remove", remove)] {
        lines.extend(joined(&format!("{name} would {verb} "), items));
    }
    let more = lines.len().saturating_sub(MOST_LINES);
    if more > 0 {
        lines.truncate(MOST_LINES);
        lines.push(format!("{name} would change more: {}", counted(more, "line")));
    }
    lines.iter().map(|line| warning(line)).collect()
}

/// Items in as few lines as there is room for, each behind the same beginning.
fn joined(beginning: &str, items: Vec<String>) -> Vec<String> {
    let room = LONGEST_WARNING - "podgate: ".len();
    let mut lines: Vec<String> = Vec::new();
    for item in items {
        match lines.last_mut() {
            Some(line) if line.len() + ", ".len() + item.len() <= room => {
                line.push_str(", ");
                line.push_str(&item);
            }
            _ => lines.push(format!("{beginning}{item}")),
        }
    }
    lines
}

impl Changes {
    fn add(&mut self, edit: &Edit<'_>, pod: &Pod<'_>) {
        let path = edit.whole_path();
        let keys: Vec<&str> = path.iter().filter_map(Step::as_key).collect();
        match (&edit.op, keys.as_slice()) {
            // The name's alias says nothing more.
            (_, ["spec", "serviceAccount"]) => {}
            (EditOp::Set(Value::Text(name)), ["spec", field @ "serviceAccountName"]) => {
                let old = printable(pod.service_account(), LONGEST_NAME);
                push(&mut self.set, format!("{field} {old} -> {name}"));
            }
            (EditOp::Set(Value::Text(value)), ["metadata", "labels", key]) => {
                push(&mut self.set, format!("label {key}={value}"));
            }
            (EditOp::Set(Value::Bool(value)), ["spec", field]) => {
                push(&mut self.set, format!("{field}: {value}"));
            }
            (EditOp::Set(_), _) => push(&mut self.set, path.to_string()),
            (EditOp::Append(items), keys) => {
                items.iter().for_each(|item| self.add_to_list(keys, &Value::Json(Arc::clone(item))));
            }
            (EditOp::Prepend(value), keys) => self.add_to_list(keys, value),
            (EditOp::Remove, ["spec", "volumes"]) => {
                push(&mut self.remove, format!("volume {}", volume_at(&path, pod)));
            }
            (EditOp::Remove, ["spec", _, "volumeMounts"]) => push(&mut self.remove, "its mounts".to_owned()),
            (EditOp::Remove, _) => push(&mut self.remove, path.to_string()),
        }
    }

    fn add_to_list(&mut self, keys: &[&str], value: &Value<'_>) {
        added(keys, value).into_iter().for_each(|item| push(&mut self.add, item));
    }
}

/// What is added to a list: by its name, and a token by its path as well. No value of a variable is shown.
fn added(keys: &[&str], value: &Value<'_>) -> Vec<String> {
    let json = Json::from(value);
    let text = |pointer: &str| json.pointer(pointer).and_then(Json::as_str);
    let name = printable(text("/name").unwrap_or_default(), LONGEST_NAME);
    match keys {
        [.., "env"] => vec![name.to_string()],
        [.., "volumes"] => {
            let token = text("/projected/sources/0/serviceAccountToken/path");
            let token = token.map(|path| format!("token {}", printable(path, LONGEST_NAME)));
            std::iter::once(format!("volume {name}")).chain(token).collect()
        }
        [.., "volumeMounts"] => {
            vec![format!("mount {}", printable(text("/mountPath").unwrap_or_default(), LONGEST_NAME))]
        }
        [.., list] => vec![format!("{name} to {list}")],
        [] => Vec::new(),
    }
}

fn volume_at(path: &Path<'_>, pod: &Pod<'_>) -> String {
    let index = path.last().and_then(|step| match step {
        Step::Index(index) => Some(*index),
        Step::Key(_) => None,
    });
    let volume = index.and_then(|index| pod.spec.volumes.get(index));
    volume.map(|volume| printable(&volume.name, LONGEST_NAME).to_string()).unwrap_or_default()
}

/// Adds what is not there yet.
fn push(items: &mut Vec<String>, item: String) {
    if !items.contains(&item) {
        items.push(item);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn items_share_lines_as_long_as_there_is_room() {
        let items = |count: usize| (0..count).map(|index| format!("VARIABLE_NUMBER_{index}")).collect();
        assert_eq!(joined("p would add ", items(2)), ["p would add VARIABLE_NUMBER_0, VARIABLE_NUMBER_1"]);
        let lines = joined("p would add ", items(9));
        assert_eq!(lines.len(), 2);
        assert!(lines.iter().all(|line| line.starts_with("p would add ") && line.len() <= 111));
        let unique: BTreeSet<&str> =
            lines.iter().flat_map(|line| line["p would add ".len()..].split(", ")).collect();
        assert_eq!(unique.len(), 9);
    }
}
