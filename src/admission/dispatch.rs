//! What is judged of a request: the object, or nothing, or a refusal of what does not fit together.
//!
//! Unknown means judged or refused. What is allowed unjudged is a short list: the subresources that carry no pod,
//! the kinds that make none, deletion, and updates that change nothing that a verdict depends on.

use crate::admission::decision::{Operation, Webhook};
use crate::admission::envelope;
use crate::admission::error::ReviewError;
use crate::admission::request::{Envelope, NamedObject, ObjectField, ReadMode, Request};
use crate::admission::subresource::is_ignored;
use crate::admission::templates::is_changed;
use crate::pod::Changes;
use crate::policy::PolicySet;
use crate::text::{Printable, quoted};
use crate::workload::{Kinds, Workload, WorkloadObject};

/// Resources of the core group, with their kinds, that carry no pod and that a webhook's rules often name
/// beside pods.
const WITHOUT_PODS: [(&str, &str); 2] = [("namespaces", "Namespace"), ("serviceaccounts", "ServiceAccount")];

/// How a review is read for a webhook that judges by these policies.
pub(super) fn read_mode(policies: &PolicySet, webhook: Webhook) -> ReadMode {
    match (&policies.pod_security, webhook) {
        (Some(_), Webhook::Validate) => ReadMode::PodSecurity,
        _ if policies.is_gate() => ReadMode::Gate,
        _ => ReadMode::Plain,
    }
}

pub(super) fn check_version(envelope: &Envelope<'_>) -> Result<(), ReviewError> {
    let found = (envelope.api_version.as_ref(), envelope.kind.as_ref());
    if found == ("admission.k8s.io/v1", "AdmissionReview") {
        return Ok(());
    }
    let (api_version, kind) = (quoted(found.0), quoted(found.1));
    let message =
        format!("expected an AdmissionReview of admission.k8s.io/v1, found ({api_version}, {kind})");
    Err(ReviewError::bad_request(message))
}

/// What a request asks about.
pub(super) enum ToJudge<'r, 'b> {
    /// Nothing that is judged: it is allowed.
    Nothing,
    /// A pod, or an object of Kubernetes' own with a template of one; and what is new about it.
    Workload(&'static Workload, &'r WorkloadObject<'b>, Changes),
    /// A custom resource that carries pods.
    CustomResource(&'r NamedObject<'b>),
}

/// What a request asks about.
pub(super) fn to_judge<'r, 'b>(
    request: &'r Request<'b>,
    operation: Operation,
    kinds: &Kinds,
) -> Result<ToJudge<'r, 'b>, ReviewError> {
    let Some(workload) = Workload::of_resource(&request.group, &request.resource) else {
        let without = WITHOUT_PODS.iter().find(|(resource, _)| *resource == request.resource);
        if let Some(known) = without.filter(|_| request.group.is_empty()) {
            return envelope::check_other(request, operation, *known).map(|()| ToJudge::Nothing);
        }
        if !request.subresource.is_empty() && is_kind(request, kinds) {
            // Its scale, its status: they carry no pod, and may be of a kind of their own.
            return Ok(ToJudge::Nothing);
        }
        let api_version = format!("{}/{}", request.kind_group, request.kind_version);
        if kinds.find(&api_version, &request.kind).is_none() || request.kind_group != request.group {
            return Err(unknown_resource(request));
        }
        return custom_resource(request, operation);
    };
    envelope::check(request, operation, workload)?;
    if is_ignored(workload, &request.subresource) {
        return Ok(ToJudge::Nothing);
    }
    match (operation, &request.object) {
        (Operation::Delete, _) => Ok(ToJudge::Nothing),
        (Operation::Connect, _) => {
            let subresource = Printable(&request.subresource);
            Err(ReviewError::bad_request(format!("CONNECT to {}/{subresource}", workload.resource)))
        }
        (Operation::Create | Operation::Update, ObjectField::Read(object)) => {
            let changes = match operation {
                Operation::Update => changes(request, workload, object)?,
                Operation::Create | Operation::Delete | Operation::Connect => Changes::ALL,
            };
            Ok(ToJudge::Workload(workload, object.as_ref(), changes))
        }
        (Operation::Create | Operation::Update, ObjectField::Faulty(error)) => {
            Err(ReviewError::bad_request(format!("the object cannot be read: {error}")))
        }
        (
            Operation::Create | Operation::Update,
            ObjectField::Absent | ObjectField::Unread | ObjectField::Named(_) | ObjectField::Deferred { .. },
        ) => Err(ReviewError::bad_request(format!("no object: expected a {}", workload.kind))),
    }
}

/// Whether the resource of a request is one of the kinds that are known.
fn is_kind(request: &Request<'_>, kinds: &Kinds) -> bool {
    kinds.iter().any(|kind| kind.group == request.group && kind.resource() == request.resource)
}

/// A custom resource is judged when it is created, and when an update changes what its pods depend on. Its subresources
/// carry none.
fn custom_resource<'r, 'b>(
    request: &'r Request<'b>,
    operation: Operation,
) -> Result<ToJudge<'r, 'b>, ReviewError> {
    if !request.subresource.is_empty() {
        return Ok(ToJudge::Nothing);
    }
    envelope::check_custom_resource(request, operation)?;
    let ObjectField::Named(object) = &request.object else { return Ok(ToJudge::Nothing) };
    match (operation, &request.old_object) {
        (Operation::Create, _) => Ok(ToJudge::CustomResource(object)),
        (Operation::Update, ObjectField::Named(old)) => {
            let is_changed = is_changed(old.text, object.text)
                .map_err(|error| ReviewError::bad_request(format!("the object cannot be read: {error}")))?;
            Ok(if is_changed { ToJudge::CustomResource(object) } else { ToJudge::Nothing })
        }
        (Operation::Update | Operation::Delete | Operation::Connect, _) => Ok(ToJudge::Nothing),
    }
}

fn unknown_resource(request: &Request<'_>) -> ReviewError {
    let group =
        if request.group.is_empty() { String::new() } else { format!(".{}", Printable(&request.group)) };
    ReviewError::bad_request(format!(
        "not known whether {}{group} carry pods: take them out of the webhook's rules",
        Printable(&request.resource)
    ))
}

/// What an update changes; a template counts as new.
fn changes(
    request: &Request<'_>,
    workload: &Workload,
    object: &WorkloadObject<'_>,
) -> Result<Changes, ReviewError> {
    let ObjectField::Read(old) = &request.old_object else {
        return Err(ReviewError::bad_request(format!(
            "UPDATE without an oldObject: expected a {}",
            workload.kind
        )));
    };
    Ok(match (&old.pod, &object.pod) {
        (Some(old), Some(new)) if workload.is_pod() => Changes::between(old, new),
        _ => Changes::ALL,
    })
}
