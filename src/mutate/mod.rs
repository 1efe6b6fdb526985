//! Remedies and identity → a JSON Patch.
//!
//! The patch only adds what is absent, with two exceptions that an IdentityPolicy asks for: the
//! service account fields. It never replaces an array or an object, so a field that we do not know
//! survives; and it is made from the pod exactly as received, so it applies to that pod.

mod identity;

use std::collections::HashMap;

use json_patch::jsonptr::PointerBuf;
use json_patch::{AddOperation, Patch, PatchOperation};
use serde_json::{Map, Value as Json, json};

use crate::controls::{Finding, Remedy, Value};
use crate::evaluate::Verdict;
use crate::pod::{Container, Metadata, Pod, Step, steps};

pub use identity::{Conflict, Identity, choose};

/// What a pod is given.
#[derive(Debug, Default)]
pub struct Mutation {
    /// The changes, in order; empty for none.
    pub patch: Patch,
    /// What whoever made the pod should know of them, each at most 120 characters.
    pub warnings: Vec<String>,
}

/// The changes for a pod that is created: the repairs of the verdict, and an identity.
///
/// A mirror pod is given nothing: it shows a static pod, which only its node can change.
#[must_use]
pub fn mutate(pod: &Pod<'_>, verdict: &Verdict<'_>, identity: Option<&Identity<'_>>) -> Mutation {
    let mut mutation = Mutation::default();
    if pod.metadata.annotation(Metadata::MIRROR).is_some() {
        return mutation;
    }
    let mut repairs: HashMap<_, Vec<&Finding<'_>>> = HashMap::new();
    for finding in verdict.repairs() {
        let at = finding.place.container().map(|at| (at.kind, at.index));
        repairs.entry(at).or_default().push(finding);
    }
    let mut without_user = 0;
    for (at, container) in pod.containers() {
        let Some(of_container) = repairs.get(&Some((at.kind, at.index))) else { continue };
        repair(container, of_container, &mut mutation.patch);
        without_user += usize::from(is_non_root_without_user(pod, container, of_container));
    }
    if let Some(identity) = identity {
        identity.apply(pod, &mut mutation);
    }
    mutation.warnings.extend(root_warning(without_user));
    mutation
}

/// Adds the repairs of one container: what they set is put together first, so that an object that is
/// absent is added once, whole.
fn repair(container: &Container<'_>, findings: &[&Finding<'_>], patch: &mut Patch) {
    let mut additions = Json::Object(Map::new());
    let mut base = Vec::new();
    for finding in findings {
        let Remedy::Set(value) = finding.remedy else {
            continue;
        };
        let path = steps(finding.place, finding.field);
        let (of_container, of_field) = path.split_at(CONTAINER_STEPS.min(path.len()));
        base = of_container.to_vec();
        insert(&mut additions, of_field, to_json(value));
    }
    if let Json::Object(additions) = additions {
        add_absent(&base, additions, &|path| is_set(container, path), patch);
    }
}

/// `spec`, the list, the index.
const CONTAINER_STEPS: usize = 3;

fn insert(target: &mut Json, path: &[Step<'_>], value: Json) {
    match path.split_first() {
        Some((Step::Key(key), rest)) => {
            let Json::Object(members) = target else { return };
            let member = members.entry(*key).or_insert_with(|| Json::Object(Map::new()));
            insert(member, rest, value);
        }
        Some((Step::Index(_), _)) => {}
        None => *target = value,
    }
}

/// Adds each member: whole if it is absent from the container, member by member if it is there.
fn add_absent(
    base: &[Step<'_>],
    additions: Map<String, Json>,
    is_set: &dyn Fn(&[Step<'_>]) -> bool,
    patch: &mut Patch,
) {
    for (key, value) in additions {
        let path: Vec<Step<'_>> = base.iter().copied().chain([Step::Key(&key)]).collect();
        let is_there = is_set(path.get(CONTAINER_STEPS..).unwrap_or_default());
        if let (true, Json::Object(members)) = (is_there, &value) {
            add_absent(&path, members.clone(), is_set, patch);
        } else {
            patch.0.push(add(&path, value));
        }
    }
}

/// Whether an object of a container is there, of those that a repair may have to make.
fn is_set(container: &Container<'_>, path: &[Step<'_>]) -> bool {
    let security = container.security.as_ref();
    match path {
        [Step::Key("securityContext")] => security.is_some(),
        [Step::Key("securityContext"), Step::Key("capabilities")] => {
            security.is_some_and(|security| security.capabilities.is_some())
        }
        _ => false,
    }
}

fn add(path: &[Step<'_>], value: Json) -> PatchOperation {
    PatchOperation::Add(AddOperation { path: pointer(path), value })
}

fn pointer(path: &[Step<'_>]) -> PointerBuf {
    PointerBuf::from_tokens(path.iter().map(|step| match step {
        Step::Key(key) => (*key).into(),
        Step::Index(index) => json_patch::jsonptr::Token::from(*index),
    }))
}

fn to_json(value: Value) -> Json {
    match value {
        Value::Bool(value) => json!(value),
        Value::Text(text) => json!(text),
        Value::ListOf(text) => json!([text]),
    }
}

/// Whether `runAsNonRoot` is filled in for a container of which nothing says as which user it runs.
fn is_non_root_without_user(pod: &Pod<'_>, container: &Container<'_>, repairs: &[&Finding<'_>]) -> bool {
    let own = container.security.as_ref().and_then(|security| security.run_as_user);
    own.or(pod.spec.security.run_as_user).is_none()
        && repairs.iter().any(|finding| finding.control.id == "runAsNonRoot")
}

/// Filling in `runAsNonRoot` keeps an image that runs as root from starting, so whoever made the pod is
/// told.
fn root_warning(containers: usize) -> Option<String> {
    let plural = if containers == 1 { "container" } else { "containers" };
    (containers > 0).then(|| {
        format!(
            "runAsNonRoot: true filled in for {containers} {plural}; an image that runs as root needs a runAsUser"
        )
    })
}
