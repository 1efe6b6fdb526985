//! Objects as Kubernetes' own webhook reads them: what it cannot read is an error that names no place.

use std::borrow::Cow;

use crate::admission::request::{Part, Request};
use crate::policy::Labels;
use crate::workload::{Object, Workload};

/// The versions of kinds that Kubernetes' own webhook can read; every other is an error to it.
const READABLE: [&str; 3] = ["v1", "apps/v1", "batch/v1"];

/// Why an object was not judged.
pub(super) struct Unread {
    /// `failed to decode pod`
    pub(super) message: &'static str,
    /// What is wrong with it, where it is told.
    cause: Option<String>,
}

impl Unread {
    pub(super) fn text(&self) -> String {
        match &self.cause {
            Some(cause) => format!("{}: {cause}", self.message),
            None => self.message.to_owned(),
        }
    }
}

pub(super) fn read_pod<'p, 'b>(
    part: &'p Part<'b>,
    request: &Request<'_>,
    object_fault: &'static str,
    pod_fault: &'static str,
) -> Result<&'p Object<'b>, Unread> {
    let no_pod = Unread { message: pod_fault, cause: None };
    let (api_version, kind) = type_of(part, request);
    if let Some(cause) = unreadable(part, &api_version, &kind) {
        return Err(Unread { message: object_fault, cause: Some(cause) });
    }
    match part {
        Part::Read(object) if kind == "Pod" => Ok(object),
        Part::Read(_)
        | Part::Absent
        | Part::Unread
        | Part::Named(_)
        | Part::Faulty(_)
        | Part::Deferred { .. } => Err(no_pod),
    }
}

/// The template of an object that makes pods; `None` for no object at all. An error is the text of the note.
pub(super) fn read_template<'p, 'b>(
    part: &'p Part<'b>,
    request: &Request<'_>,
) -> Result<Option<(&'static Workload, &'p Object<'b>)>, String> {
    if matches!(part, Part::Absent) {
        return Ok(None);
    }
    let (api_version, kind) = type_of(part, request);
    if let Some(cause) = unreadable(part, &api_version, &kind) {
        return Err(format!("failed to decode object: {cause}"));
    }
    match (request.workload(), part) {
        (Some(workload), Part::Read(object)) if kind == workload.kind => Ok(Some((workload, object))),
        _ => {
            let (group, version) = api_version.split_once('/').unwrap_or(("", &api_version));
            Err(format!(
                "failed to extract pod template: unexpected object type: {group}/{version}, Kind={kind}"
            ))
        }
    }
}

/// The `apiVersion` and `kind` of an object: its own, or what its request says where it has none.
fn type_of<'t>(part: &'t Part<'_>, request: &'t Request<'_>) -> (Cow<'t, str>, Cow<'t, str>) {
    let (api_version, kind) = match part {
        Part::Read(object) => (object.api_version.as_ref(), object.kind.as_ref()),
        Part::Named(named) => (named.api_version.as_ref(), named.kind.as_ref()),
        Part::Absent | Part::Unread | Part::Faulty(_) | Part::Deferred { .. } => ("", ""),
    };
    let api_version = match (api_version, request.kind_group.as_ref()) {
        ("", "") => request.kind_version.as_ref().into(),
        ("", group) => format!("{group}/{}", request.kind_version).into(),
        (own, _) => own.into(),
    };
    (api_version, if kind.is_empty() { request.kind.as_ref().into() } else { kind.into() })
}

/// Why Kubernetes' own webhook could not read an object. The texts of Go's decoders, which name Go's types,
/// are not made up here: ours say what is wrong in our words.
fn unreadable(part: &Part<'_>, api_version: &str, kind: &str) -> Option<String> {
    if let Part::Faulty(error) = part {
        return Some(error.to_string());
    }
    let is_there = matches!(part, Part::Read(_) | Part::Named(_));
    (is_there && !READABLE.contains(&api_version))
        .then(|| format!("no kind \"{kind}\" is registered for version \"{api_version}\""))
}

/// What is read of a Namespace.
pub(super) struct Namespace {
    pub(super) name: String,
    pub(super) labels: Labels,
}

pub(super) fn read_namespace(
    part: &Part<'_>,
    request: &Request<'_>,
    object_fault: &'static str,
    kind_fault: &'static str,
) -> Result<Namespace, Unread> {
    let (api_version, kind) = type_of(part, request);
    if let Some(cause) = unreadable(part, &api_version, &kind) {
        return Err(Unread { message: object_fault, cause: Some(cause) });
    }
    match part {
        Part::Named(named) if kind == "Namespace" => {
            let labels = named.metadata.labels.iter().flatten();
            let owned = labels.map(|(key, value)| (key.to_string(), value.to_string()));
            Ok(Namespace { name: named.metadata.name.to_string(), labels: owned.collect() })
        }
        Part::Named(_)
        | Part::Read(_)
        | Part::Absent
        | Part::Unread
        | Part::Faulty(_)
        | Part::Deferred { .. } => Err(Unread { message: kind_fault, cause: None }),
    }
}
