//! Objects as Kubernetes' own webhook reads them: what it cannot read is an error that names no place.

use crate::admission::object_type::ObjectType;
use crate::admission::request::{ObjectField, Request};
use crate::controls::go_quoted;
use crate::policy::PackedLabels;
use crate::workload::{Workload, WorkloadObject};

/// The type of Namespaces.
const NAMESPACE: ObjectType<'static> = ObjectType { group: "", version: "v1", kind: "Namespace" };

/// Why an object was not judged.
pub(super) struct DecodeError {
    /// `failed to decode pod`
    pub(super) message: &'static str,
    /// What is wrong with it, where that is reported.
    cause: Option<String>,
}

impl DecodeError {
    pub(super) fn text(&self) -> String {
        match &self.cause {
            Some(cause) => format!("{}: {cause}", self.message),
            None => self.message.to_owned(),
        }
    }
}

pub(super) fn read_pod<'p, 'b>(
    part: &'p ObjectField<'b>,
    request: &Request<'_>,
    object_fault: &'static str,
    pod_fault: &'static str,
) -> Result<&'p WorkloadObject<'b>, DecodeError> {
    let known = known_type(part, request)
        .map_err(|cause| DecodeError { message: object_fault, cause: Some(cause) })?;
    match part {
        ObjectField::Read(object) if known.is_some_and(|of| of.workload().is_some_and(Workload::is_pod)) => {
            Ok(object)
        }
        ObjectField::Read(_)
        | ObjectField::Absent
        | ObjectField::Unread
        | ObjectField::Named(_)
        | ObjectField::Faulty(_)
        | ObjectField::Deferred { .. } => Err(DecodeError { message: pod_fault, cause: None }),
    }
}

/// The template of an object that makes pods; `None` for no object at all. An error is the text of the note.
pub(super) fn read_template<'p, 'b>(
    part: &'p ObjectField<'b>,
    request: &Request<'_>,
) -> Result<Option<(&'static Workload, &'p WorkloadObject<'b>)>, String> {
    let known = known_type(part, request).map_err(|cause| format!("failed to decode object: {cause}"))?;
    let Some(known) = known else { return Ok(None) };
    if let (Some(workload), ObjectField::Read(object)) = (known.workload(), part) {
        return Ok(Some((workload, object)));
    }
    // Here upstream looks only at what the object says of itself.
    let ObjectType { group, version, kind } = part.own_type().unwrap_or_default();
    Err(format!("failed to extract pod template: unexpected object type: {group}/{version}, Kind={kind}"))
}

/// The type of an object, `None` for no object at all; or why Kubernetes' own webhook could not read it. The texts of
/// Go's decoders, which name Go's types, are not made up here: ours say what is wrong in our words.
fn known_type<'t>(
    part: &'t ObjectField<'_>,
    request: &'t Request<'_>,
) -> Result<Option<ObjectType<'t>>, String> {
    match part {
        ObjectField::Absent | ObjectField::Unread | ObjectField::Deferred { .. } => return Ok(None),
        ObjectField::Faulty(error) => return Err(error.to_string()),
        ObjectField::Read(_) | ObjectField::Named(_) => {}
    }
    let Some(own) = part.own_type() else {
        return Err("its apiVersion is not a group and a version".to_owned());
    };
    let full = own.or(request.object_type());
    if full.is_known() {
        return Ok(Some(full));
    }
    let ObjectType { group, version, kind } = full;
    let slash = if group.is_empty() { "" } else { "/" };
    Err(format!(
        "no kind {} is registered for version {}",
        go_quoted(kind),
        go_quoted(&format!("{group}{slash}{version}"))
    ))
}

/// What is read of a Namespace.
pub(super) struct NamespaceObject {
    pub(super) name: String,
    pub(super) labels: PackedLabels,
}

pub(super) fn read_namespace(
    part: &ObjectField<'_>,
    request: &Request<'_>,
    object_fault: &'static str,
    kind_fault: &'static str,
) -> Result<NamespaceObject, DecodeError> {
    let known = known_type(part, request)
        .map_err(|cause| DecodeError { message: object_fault, cause: Some(cause) })?;
    match part {
        ObjectField::Named(named) if known == Some(NAMESPACE) => {
            let labels = named.metadata.labels.iter().flatten();
            Ok(NamespaceObject {
                name: named.metadata.name.to_string(),
                labels: labels.map(|(key, value)| (key, value)).collect(),
            })
        }
        ObjectField::Named(_)
        | ObjectField::Read(_)
        | ObjectField::Absent
        | ObjectField::Unread
        | ObjectField::Faulty(_)
        | ObjectField::Deferred { .. } => Err(DecodeError { message: kind_fault, cause: None }),
    }
}
