//! Edits of a pod → a JSON Patch (RFC 6902, with the pointers of RFC 6901).
//!
//! Most edits are put together in a tree. What a list gains at its end needs none of that where the pod has the list: it depends
//! on no other edit, and moves nothing that another names. Most of an identity is such, for each container.

use crate::finding::{Edit, EditOp, Value};
use crate::mutate::patch_text::{LONGEST_PATCH, PatchError, PatchText};
use crate::mutate::patch_tree::PatchTree;
use crate::mutate::place::Place;
use crate::mutate::pointer::JsonPointer;
use crate::path::Step;
use crate::pod::Pod;

/// The patch that makes edits in a pod, which is also given as its JSON text. The edits are handed in one by one, as there may
/// be thousands.
///
/// # Errors
/// When the patch would be too long. A partial one is never sent.
pub(super) fn patch_of<'p>(
    pod: &Pod<'_>,
    text: &str,
    edits: impl FnOnce(&mut dyn FnMut(Edit<'p>)),
) -> Result<PatchText, PatchError> {
    let (mut patch, mut tree) = (PatchText::default(), PatchTree::default());
    let (mut appended, mut least) = (Ok(true), 0);
    edits(&mut |edit| {
        if appended.is_ok() {
            // A patch that is going to be too long is not put together first.
            least += least_length(&edit);
            let is_too_long = least > LONGEST_PATCH;
            appended = if is_too_long { Err(PatchError::TooLong) } else { append(pod, &edit, &mut patch) };
            if matches!(appended, Ok(false)) {
                tree.add(edit);
            }
        }
    });
    appended?;
    tree.build(pod, text, &mut patch)?;
    Ok(patch)
}

/// How many bytes an edit takes in a patch at least, in whatever it is put together with: the last key, and what is written
/// there.
fn least_length(edit: &Edit<'_>) -> usize {
    let of_value = |value: &Value<'_>| match value {
        Value::Bool(_) => "true".len(),
        Value::Integer(_) => 1,
        Value::Text(text) => text.len() + 2,
        Value::ListOf(text) => text.len() + 4,
        Value::Json(json) => json.len(),
    };
    let of_step = |step: Step<'_>| step.as_key().map_or(0, str::len);
    match &edit.op {
        EditOp::Set(value) => edit.path.steps().last().map_or(0, of_step) + of_value(value),
        EditOp::Prepend(value) => of_value(value),
        EditOp::Append(items) => items.iter().map(|item| item.len()).sum(),
        EditOp::Remove => 0,
    }
}

/// Adds what makes an edit to a patch, if it adds to a list of which the model of the pod tells that it is there. Whether it does.
///
/// # Errors
/// When the patch would be too long.
fn append(pod: &Pod<'_>, edit: &Edit<'_>, patch: &mut PatchText) -> Result<bool, PatchError> {
    let (EditOp::Append(items), Some(list)) = (&edit.op, edit.path.only_fields()) else { return Ok(false) };
    let found = Place::of(pod, edit.subject).and_then(|place| place.member(list));
    if !found.is_some_and(|(_, is_there)| is_there) {
        return Ok(false);
    }
    let mut end = JsonPointer::of(edit.subject);
    end.push_field(list);
    end.push_index(None);
    patch.push_each(end.as_json(), items)?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::finding::{FieldPath, Subject, Value};
    use crate::json::Reader;
    use crate::pod::{ContainerKind, ContainerRef};

    fn container<'p>(index: usize) -> Subject<'p> {
        Subject::Container(ContainerRef { kind: ContainerKind::Regular, index, name: "" })
    }

    /// The pod after the patch, by the text of the pod and by its model.
    fn both(pod: &str, edits: &[Edit<'_>]) -> [serde_json::Value; 2] {
        let model = Pod::read(&mut Reader::over(pod)).expect("a pod");
        let (mut tree, mut by_text) = (PatchTree::default(), PatchText::default());
        edits.iter().cloned().for_each(|edit| tree.add(edit));
        tree.build_by_text(pod, &mut by_text).expect("a patch");
        let by_model = patch_of(&model, pod, |add| edits.iter().cloned().for_each(add)).expect("a patch");
        [by_text, by_model].map(|patch| {
            let patch = patch.into_json().unwrap_or_else(|| "[]".to_owned());
            let patch: json_patch::Patch = serde_json::from_str(&patch).expect("a patch");
            let mut pod: serde_json::Value = serde_json::from_str(pod).expect("JSON");
            json_patch::patch(&mut pod, &patch).expect("it applies");
            pod
        })
    }

    #[test]
    fn the_model_tells_what_the_text_tells() {
        let item = |text: &str| Value::Json(text.into());
        let append = |texts: &[&str]| EditOp::Append(texts.iter().map(|text| Arc::from(*text)).collect());
        let label = |key: &'static str| FieldPath::from("labels").key(key);
        let edits = [
            Edit::new(Subject::Metadata, label("a/b"), EditOp::Set(Value::Text("x"))),
            Edit::new(Subject::Metadata, label("gone"), EditOp::Remove),
            Edit::new(Subject::Pod, "serviceAccountName", EditOp::Set(Value::Text("x"))),
            Edit::new(container(0), "env", append(&["1", "2"])),
            Edit::new(container(0), "env", append(&["3"])),
            Edit::new(container(0), "volumeMounts", append(&[r#"{"name":"m"}"#])),
            Edit::new(Subject::Pod, "volumes", append(&[r#"{"name":"v"}"#])),
            Edit::new(Subject::Pod, "initContainers", EditOp::Prepend(item(r#"{"name":"p"}"#))),
            Edit::new(Subject::Pod, "initContainers", append(&[r#"{"name":"i"}"#])),
        ];
        for containers in [
            r#"[{}]"#,
            r#"[null]"#,
            r#"[{"env":null,"volumeMounts":null}]"#,
            r#"[{"env":[],"volumeMounts":[]}]"#,
            r#"[{"env":[{"name":"X"}],"volumeMounts":[{"name":"w"}]}]"#,
        ] {
            for rest in [
                "",
                r#","volumes":null,"initContainers":null,"serviceAccountName":null"#,
                r#","volumes":[],"initContainers":[],"serviceAccountName":"""#,
                r#","volumes":[{"name":"w"}],"initContainers":[{"name":"j"}],"serviceAccountName":"y""#,
            ] {
                for metadata in ["null", "{}", r#"{"labels":null}"#, r#"{"labels":{"a/b":"y","gone":"z"}}"#] {
                    let pod =
                        format!(r#"{{"metadata":{metadata},"spec":{{"containers":{containers}{rest}}}}}"#);
                    for edits in [&edits[..], &edits[2..]] {
                        let [by_text, by_model] = both(&pod, edits);
                        assert_eq!(by_text, by_model, "{pod}");
                    }
                }
            }
        }
    }
}
