//! What security policies make of what an identity adds to a pod. `/validate` judges that as it judges the rest, and so would a
//! second call of `/mutate`: what can be filled in is filled in at once, and what will be refused is told to the pod's author,
//! who did not write it.

use std::sync::Arc;

use serde_json::Value as Json;
use smallvec::SmallVec;

use crate::controls::Control;
use crate::evaluate::{Context, Disposition, Verdict, evaluate};
use crate::finding::{Edit, EditOp, Subject, Value};
use crate::json::{Reader, Result};
use crate::mutate::identity::warning::{policy_name, warning};
use crate::path::{Path, Step};
use crate::pod::{Pod, Spec};
use crate::policy::SecurityPolicy;
use crate::text::printable;

/// The lists of a pod that an identity adds to, in the order of the walk over containers.
const LISTS: [&str; 3] = ["initContainers", "containers", "volumes"];
/// Longest name of a container in a warning.
const LONGEST_NAME: usize = 28;

/// Something that is added: its list, and its edit.
type Addition = (&'static str, usize);

/// Completes the edits that add containers, and tells what the policies will refuse of all that is added.
///
/// # Errors
/// When what is added cannot be read.
pub(super) fn judge_additions(
    policies: &[&SecurityPolicy],
    pod: &Pod<'_>,
    edits: &mut Vec<Edit<'_>>,
) -> Result<Vec<String>> {
    let added = additions(edits);
    if added.is_empty() || policies.is_empty() {
        return Ok(Vec::new());
    }
    let text = pod_of(&added, edits);
    let mut additions = Pod::read(&mut Reader::over(&text))?;
    if !additions.spec.init_containers.is_empty() || !additions.spec.containers.is_empty() {
        // What the pod says for all of its containers it says for these.
        let Spec { security, os_name, node_os, host_users, .. } = &pod.spec;
        additions.spec.security = security.clone();
        (additions.spec.os_name, additions.spec.node_os) = (os_name.clone(), node_os.clone());
        additions.spec.host_users = *host_users;
    }
    let verdict = evaluate(policies.iter().copied(), &additions, Context::CREATE);
    let mut volumes = Vec::new();
    verdict.defaults().edits(&additions, &mut |default| fill_in(&default, &added, edits, &mut volumes));
    let is_new = |volume: &Json| pod.spec.volumes.iter().all(|known| volume["name"] != *known.name);
    edits.extend(volumes.into_iter().filter(is_new).map(|volume| Edit {
        path: Path::from_keys(["spec", "volumes"]),
        op: EditOp::Append(Value::Json(volume.to_string().into())),
    }));
    Ok(refusals(&verdict))
}

/// What is added to the lists, list by list.
fn additions(edits: &[Edit<'_>]) -> SmallVec<[Addition; 4]> {
    let list_of = |edit: &Edit<'_>| match (edit.path.steps(), &edit.op) {
        ([_, last], EditOp::Append(Value::Json(_)) | EditOp::Prepend(Value::Json(_))) => {
            LISTS.into_iter().find(|list| last.as_key() == Some(list))
        }
        _ => None,
    };
    let added = edits.iter().enumerate().filter_map(|(index, edit)| Some((list_of(edit)?, index)));
    let mut added: SmallVec<[Addition; 4]> = added.collect();
    added.sort_by_key(|(list, _)| LISTS.iter().position(|known| known == list));
    added
}

/// A pod that has what is added and nothing else, as JSON.
fn pod_of(added: &[Addition], edits: &[Edit<'_>]) -> String {
    let mut text = String::from("{\"spec\":{");
    // A list that is read has room made for it: most pods get a volume and no container.
    let is_used = |list: &&str| added.iter().any(|(of, _)| of == list);
    for list in LISTS.into_iter().filter(is_used) {
        text.push_str(if text.ends_with(']') { ",\"" } else { "\"" });
        text.push_str(list);
        text.push_str("\":[");
        for (_, edit) in added.iter().filter(|(of, _)| *of == list) {
            let op = edits.get(*edit).map(|edit| &edit.op);
            let Some(EditOp::Append(Value::Json(json)) | EditOp::Prepend(Value::Json(json))) = op else {
                continue;
            };
            text.push_str(if text.ends_with('[') { "" } else { "," });
            text.push_str(json);
        }
        text.push(']');
    }
    text.push_str("}}");
    text
}

/// Makes one of the edits that fill in what is added, in the edit that adds it. A volume that a container gets besides is
/// added to `volumes`.
fn fill_in(default: &Edit<'_>, added: &[Addition], edits: &mut [Edit<'_>], volumes: &mut Vec<Json>) {
    let (value, is_item) = match &default.op {
        EditOp::Set(value) => (Json::from(value), false),
        EditOp::Append(value) => (Json::from(value), true),
        EditOp::Prepend(_) | EditOp::Remove => return,
    };
    match default.path.steps() {
        [_, Step::Key(list), Step::Index(index), field @ ..] => {
            let place = added.iter().filter(|(of, _)| of == list).nth(*index);
            let edit = place.and_then(|(_, edit)| edits.get_mut(*edit)).map(|edit| &mut edit.op);
            if let Some(EditOp::Append(container) | EditOp::Prepend(container)) = edit {
                let mut json = Json::from(&*container);
                set(&mut json, field, value, is_item);
                *container = Value::Json(Arc::from(json.to_string()));
            }
        }
        [_, Step::Key(list)] if list == "volumes" => volumes.push(value),
        _ => {}
    }
}

/// Sets a field of a container, or adds an item to a list of it.
fn set(container: &mut Json, field: &[Step<'_>], value: Json, is_item: bool) {
    let place = field.iter().try_fold(container, |parent, step| match (parent, step) {
        (Json::Object(members), Step::Key(key)) => Some(members.entry(key.as_ref()).or_insert(Json::Null)),
        (parent @ Json::Null, Step::Key(key)) => {
            *parent = Json::Object(serde_json::Map::new());
            parent.as_object_mut().map(|members| members.entry(key.as_ref()).or_insert(Json::Null))
        }
        (_, Step::Key(_) | Step::Index(_)) => None,
    });
    match place {
        Some(Json::Array(items)) if is_item => items.push(value),
        Some(place) if is_item => *place = Json::Array(vec![value]),
        Some(place) => *place = value,
        None => {}
    }
}

/// A warning for each policy and each thing that it will refuse.
fn refusals(verdict: &Verdict<'_>) -> Vec<String> {
    let mut refused: Vec<(&SecurityPolicy, Subject<'_>, Vec<&'static Control>)> = Vec::new();
    for judged in verdict.judged().filter(|judged| judged.disposition == Disposition::Denied) {
        let (policy, subject, control) = (judged.policy, judged.finding.subject, judged.control());
        let known = refused.iter_mut().find(|(by, of, _)| std::ptr::eq(*by, policy) && *of == subject);
        match known {
            Some((.., controls)) if controls.iter().any(|known| known.id == control.id) => {}
            Some((.., controls)) => controls.push(control),
            None => refused.push((policy, subject, vec![control])),
        }
    }
    refused.iter().filter_map(|(policy, subject, controls)| refusal(policy, *subject, controls)).collect()
}

/// The pod's own fields are not the identity's: whoever wrote them is told by `/validate`.
fn refusal(policy: &SecurityPolicy, subject: Subject<'_>, controls: &[&'static Control]) -> Option<String> {
    let first = controls.first()?.id;
    let more = match controls.len() - 1 {
        0 => String::new(),
        more => format!(" +{more}"),
    };
    let policy = policy_name(&policy.name);
    match subject {
        Subject::Volume(..) => Some(warning(&format!(
            "{policy} refuses the identity's token volume ({first}{more}): have it allowed there"
        ))),
        Subject::Container(at) => Some(warning(&format!(
            "{policy} refuses the container {} of the identity ({first}{more})",
            printable(at.name, LONGEST_NAME)
        ))),
        Subject::Pod | Subject::Metadata => None,
    }
}
