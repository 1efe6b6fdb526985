//! What is judged of a request: the object, or nothing, or a refusal of what does not fit together.
//!
//! Unknown means judged or refused. What is let pass is a short list: the subresources that carry no pod,
//! the kinds that make none, deletion, and updates that change nothing that a verdict hangs on.

use crate::admission::bounds::quoted;
use crate::admission::request::{Envelope, Part, Request};
use crate::admission::{Fault, Operation, envelope, significance};
use crate::controls::Printable;
use crate::workload::{Object, Workload};

/// Subresources of pods that carry no pod, or one whose spec cannot be changed through them.
pub(super) const IGNORED_POD_SUBRESOURCES: [&str; 8] =
    ["exec", "attach", "binding", "eviction", "log", "portforward", "proxy", "status"];
/// Subresources of the kinds that make pods that carry no template, or one that cannot be changed
/// through them.
const IGNORED_WORKLOAD_SUBRESOURCES: [&str; 2] = ["scale", "status"];
/// Resources of the core group, with their kinds, that carry no pod and that a webhook's rules often name
/// beside pods.
const WITHOUT_PODS: [(&str, &str); 2] = [("namespaces", "Namespace"), ("serviceaccounts", "ServiceAccount")];
pub(super) fn check_version(envelope: &Envelope<'_>) -> Result<(), Fault> {
    let found = (envelope.api_version.as_ref(), envelope.kind.as_ref());
    if found == ("admission.k8s.io/v1", "AdmissionReview") {
        return Ok(());
    }
    let (api_version, kind) = (quoted(found.0), quoted(found.1));
    let message =
        format!("expected an AdmissionReview of admission.k8s.io/v1, found ({api_version}, {kind})");
    Err(Fault::bad_request(message))
}

/// The object that a request asks about; `None` for a request that is let pass unjudged.
pub(super) fn to_judge<'r, 'b>(
    request: &'r Request<'b>,
    operation: Operation,
) -> Result<Option<(&'static Workload, &'r Object<'b>)>, Fault> {
    let Some(workload) = Workload::of_resource(&request.group, &request.resource) else {
        let without = WITHOUT_PODS.iter().find(|(resource, _)| *resource == request.resource);
        return match without.filter(|_| request.group.is_empty()) {
            Some(known) => envelope::check_other(request, operation, *known).map(|()| None),
            None => Err(unknown_resource(request)),
        };
    };
    envelope::check(request, operation, workload)?;
    if is_ignored(workload, &request.subresource) {
        return Ok(None);
    }
    match (operation, &request.object) {
        (Operation::Delete, _) => Ok(None),
        (Operation::Connect, _) => {
            let subresource = Printable(&request.subresource);
            Err(Fault::bad_request(format!("CONNECT to {}/{subresource}", workload.resource)))
        }
        (Operation::Create | Operation::Update, Part::Read(object)) => {
            let is_judged = operation == Operation::Create || is_significant(request, workload, object)?;
            Ok(is_judged.then_some((workload, object.as_ref())))
        }
        (Operation::Create | Operation::Update, Part::Faulty(error)) => {
            Err(Fault::bad_request(format!("the object cannot be read: {error}")))
        }
        (
            Operation::Create | Operation::Update,
            Part::Absent | Part::Unread | Part::Named(_) | Part::Deferred { .. },
        ) => Err(Fault::bad_request(format!("no object: expected a {}", workload.kind))),
    }
}

fn unknown_resource(request: &Request<'_>) -> Fault {
    let group =
        if request.group.is_empty() { String::new() } else { format!(".{}", Printable(&request.group)) };
    Fault::bad_request(format!(
        "not known whether {}{group} carry pods: take them out of the webhook's rules",
        Printable(&request.resource)
    ))
}

/// Whether a subresource is one that carries no pod. An unknown one is not: it is judged.
pub(super) fn is_ignored(workload: &Workload, subresource: &str) -> bool {
    let ignored: &[&str] =
        if workload.is_pod() { &IGNORED_POD_SUBRESOURCES } else { &IGNORED_WORKLOAD_SUBRESOURCES };
    ignored.contains(&subresource)
}

/// Whether an update changes anything that a verdict hangs on; a template is always judged.
fn is_significant(request: &Request<'_>, workload: &Workload, object: &Object<'_>) -> Result<bool, Fault> {
    let Part::Read(old) = &request.old_object else {
        return Err(Fault::bad_request(format!("UPDATE without an oldObject: expected a {}", workload.kind)));
    };
    Ok(match (&object.pod, &old.pod) {
        (Some(new), Some(old)) if workload.is_pod() => significance::is_significant(new, old),
        _ => true,
    })
}
