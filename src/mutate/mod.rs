//! Remedies and identity → a JSON Patch.
//!
//! The patch only adds what is absent, with two exceptions that an IdentityPolicy asks for: the
//! service account fields. It never replaces an array or an object, so a field that we do not know
//! survives (a container that is `null` has none, and is replaced); and it is made from the pod exactly as received, so it applies to that pod.

mod identity;

mod patch;

use json_patch::jsonptr::PointerBuf;
use json_patch::{AddOperation, PatchOperation, ReplaceOperation};
use serde_json::{Map, Value as Json, json};

use crate::controls::Value;
use crate::evaluate::{Repair, Repairs};
use crate::pod::{Container, Metadata, Place, Pod, Step, steps};

pub use identity::{Conflict, Identity, choose};
pub use patch::{PatchText, TooLong};

/// What a pod is given.
#[derive(Debug, Default)]
pub struct Mutation {
    /// The changes, in order; empty for none.
    pub patch: PatchText,
    /// What whoever made the pod should know of them, each at most 120 characters.
    pub warnings: Vec<String>,
}

/// The changes for a pod that is created: what is filled in, and an identity.
///
/// A mirror pod is given nothing: it shows a static pod, which only its node can change.
///
/// # Errors
/// When the patch would be too long. Half of one is never given.
pub fn mutate(
    pod: &Pod<'_>,
    repairs: &Repairs,
    identity: Option<&Identity<'_>>,
) -> Result<Mutation, TooLong> {
    let mut mutation = Mutation::default();
    if pod.metadata.annotation(Metadata::MIRROR).is_some() {
        return Ok(mutation);
    }
    let mut without_user = 0;
    for (at, container) in pod.containers() {
        if repairs.of(at).next().is_none() {
            continue;
        }
        repair(Place::Container(at), container, repairs.of(at), &mut mutation.patch)?;
        without_user += usize::from(is_non_root_without_user(pod, container, repairs.of(at)));
    }
    if let Some(identity) = identity {
        identity.apply(pod, &mut mutation)?;
    }
    mutation.warnings.extend(root_warning(without_user));
    Ok(mutation)
}

/// Adds the repairs of one container: what they set is put together first, so that an object that is
/// absent is added once, whole.
fn repair<'r>(
    place: Place<'_>,
    container: &Container<'_>,
    repairs: impl Iterator<Item = &'r Repair>,
    patch: &mut PatchText,
) -> Result<(), TooLong> {
    let mut additions = Json::Object(Map::new());
    let mut base = Vec::new();
    for repair in repairs {
        let path = steps(place, repair.field);
        let (of_container, of_field) = path.split_at(CONTAINER_STEPS.min(path.len()));
        base = of_container.to_vec();
        insert(&mut additions, of_field, to_json(repair.value));
    }
    if container.is_null {
        // Nothing can be added to what is not there.
        let replace = ReplaceOperation { path: pointer(&base), value: additions };
        return patch.push(&PatchOperation::Replace(replace));
    }
    if let Json::Object(additions) = additions {
        add_absent(&base, additions, &|path| is_set(container, path), patch)?;
    }
    Ok(())
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
    patch: &mut PatchText,
) -> Result<(), TooLong> {
    for (key, value) in additions {
        let path: Vec<Step<'_>> = base.iter().copied().chain([Step::Key(&key)]).collect();
        let is_there = is_set(path.get(CONTAINER_STEPS..).unwrap_or_default());
        if let (true, Json::Object(members)) = (is_there, &value) {
            add_absent(&path, members.clone(), is_set, patch)?;
        } else {
            patch.push(&add(&path, value))?;
        }
    }
    Ok(())
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
fn is_non_root_without_user<'r>(
    pod: &Pod<'_>,
    container: &Container<'_>,
    mut repairs: impl Iterator<Item = &'r Repair>,
) -> bool {
    let own = container.security.as_ref().and_then(|security| security.run_as_user);
    own.or(pod.spec.security.run_as_user).is_none()
        && repairs.any(|repair| repair.control.id == "runAsNonRoot")
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
