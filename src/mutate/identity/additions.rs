//! What security policies make of what an identity adds to a pod. `/validate` judges that as it judges the rest, and so would a
//! second call of `/mutate`: what can be filled in is filled in at once, and what will be refused is told to the pod's author,
//! who did not write it.

use std::sync::Arc;

use serde_json::Value as Json;
use smallvec::SmallVec;

use crate::controls::{Control, PodOrigin};
use crate::evaluate::{Context, Disposition, Verdict, evaluate};
use crate::finding::{Edit, EditOp, Subject, Value};
use crate::json::{Reader, Result};
use crate::mutate::identity::warning::{policy_name, warning};
use crate::pod::{Pod, Spec};
use crate::policy::SecurityPolicy;
use crate::text::printable;

/// The lists of a pod that an identity adds to, in the order of the walk over containers.
const LISTS: [&str; 3] = ["initContainers", "containers", "volumes"];
/// Longest name of a container in a warning.
const LONGEST_NAME: usize = 28;

/// Something that is added.
struct Addition {
    /// Its list.
    list: &'static str,
    /// Its edit, and which of the items it is that the edit adds.
    edit: usize,
    item: usize,
}

/// Completes the edits that add containers, and tells what the policies will refuse of all that is added.
///
/// # Errors
/// When what is added cannot be read.
pub(super) fn judge_additions(
    (policies, origin): (&[&SecurityPolicy], PodOrigin<'_>),
    pod: &Pod<'_>,
    edits: &mut Vec<Edit<'_>>,
) -> Result<Vec<String>> {
    let added = additions(edits);
    // Most pods get one volume for a token, which hardly any policy refuses.
    let has_containers = added.iter().any(|addition| addition.list != "volumes");
    let mut controls = policies.iter().flat_map(|policy| policy.controls());
    if added.is_empty() || !has_containers && !controls.any(|control| control.may_refuse_token) {
        return Ok(Vec::new());
    }
    let text = pod_of(&added, edits);
    let mut additions = Pod::read(&mut Reader::over(&text))?;
    if !additions.spec.init_containers.is_empty() || !additions.spec.containers.is_empty() {
        // What the pod says for all of its containers it says for these.
        let Spec { security, os_name, node_os, host_users, .. } = &pod.spec;
        additions.spec.service_account_name = pod.service_account().to_owned().into();
        additions.spec.security = security.clone();
        (additions.spec.os_name, additions.spec.node_os) = (os_name.clone(), node_os.clone());
        additions.spec.host_users = *host_users;
    }
    let verdict = evaluate(policies.iter().copied(), &additions, Context { origin, ..Context::CREATE });
    if !verdict.defaults().is_empty() {
        let mut completed: Json = serde_json::from_str(&text).unwrap_or_default();
        verdict.defaults().edits(&additions, &mut |default| default.make_in(&mut completed));
        complete(&added, pod, edits, &completed);
    }
    Ok(refusals(&verdict))
}

/// What is added to the lists, list by list.
fn additions(edits: &[Edit<'_>]) -> SmallVec<[Addition; 4]> {
    let mut added = SmallVec::new();
    for list in LISTS {
        let is_of_list =
            |edit: &Edit<'_>| edit.subject == Subject::Pod && edit.path.only_fields() == Some(list);
        for (edit, op) in edits.iter().enumerate().filter(|(_, edit)| is_of_list(edit)) {
            let items = 0..items(&op.op).len();
            added.extend(items.map(|item| Addition { list, edit, item }));
        }
    }
    added
}

/// The items that an edit adds to a list.
fn items<'e>(op: &'e EditOp<'_>) -> &'e [Arc<str>] {
    match op {
        EditOp::Append(items) => items,
        EditOp::Prepend(Value::Json(item)) => std::slice::from_ref(item),
        EditOp::Prepend(_) | EditOp::Set(_) | EditOp::Remove => &[],
    }
}

/// A pod that has what is added and nothing else, as JSON.
fn pod_of(added: &[Addition], edits: &[Edit<'_>]) -> String {
    let mut text = String::from("{\"spec\":{");
    // A list that is read has room made for it: most pods get a volume and no container.
    let is_used = |list: &&str| added.iter().any(|addition| addition.list == *list);
    for list in LISTS.into_iter().filter(is_used) {
        text.push_str(if text.ends_with(']') { ",\"" } else { "\"" });
        text.push_str(list);
        text.push_str("\":[");
        for Addition { edit, item, .. } in added.iter().filter(|addition| addition.list == list) {
            let json = edits.get(*edit).and_then(|edit| items(&edit.op).get(*item));
            text.push_str(if text.ends_with('[') { "" } else { "," });
            text.push_str(json.map_or("null", AsRef::as_ref));
        }
        text.push(']');
    }
    text.push_str("}}");
    text
}

/// Has the edits add what it has come to: each item as it is `completed`, and the volumes that containers got besides.
fn complete(added: &[Addition], pod: &Pod<'_>, edits: &mut Vec<Edit<'_>>, completed: &Json) {
    let all = |list: &str| completed.pointer(&format!("/spec/{list}")).and_then(Json::as_array);
    for list in LISTS {
        let of_list = added.iter().filter(|addition| addition.list == list);
        let mut made = all(list).into_iter().flatten();
        for (Addition { edit, item, .. }, made) in of_list.zip(&mut made) {
            if let Some(edit) = edits.get_mut(*edit).filter(|_| list != "volumes") {
                replace(&mut edit.op, *item, made.to_string().into());
            }
        }
        let is_new = |volume: &&Json| {
            pod.spec.volumes.iter().all(|known| volume.get("name") != Some(&Json::from(&*known.name)))
        };
        let besides = made.filter(is_new).map(|volume| EditOp::append(volume.to_string()));
        edits.extend(besides.map(|add| Edit::new(Subject::Pod, list, add)));
    }
}

/// Puts another item in the place of one that an edit adds.
fn replace(op: &mut EditOp<'_>, item: usize, by: Arc<str>) {
    match op {
        EditOp::Append(items) => {
            let mut all = items.to_vec();
            all.get_mut(item).into_iter().for_each(|item| *item = Arc::clone(&by));
            *items = all.into();
        }
        EditOp::Prepend(value) => *value = Value::Json(by),
        EditOp::Set(_) | EditOp::Remove => {}
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
        Subject::Pod | Subject::Metadata | Subject::Namespace(_) => None,
    }
}
