//! Whether the parts of a request fit together, as an API server puts them together.
//!
//! What a request says of itself decides what is read of it and whether it is judged at all. One that says two things at a
//! time, a pod that is created through its own status, is from no API server, and is refused before one of the two is
//! believed.

use crate::admission::decision::Operation;
use crate::admission::error::ReviewError;
use crate::admission::object_type::ObjectType;
use crate::admission::request::{ObjectField, Request};
use crate::pod::Metadata;
use crate::text::{Printable, quoted};
use crate::workload::Workload;

/// What a subresource is asked with.
struct Subresource {
    name: &'static str,
    operation: Operation,
    /// The kind of its objects, and the group of that.
    group: &'static str,
    kind: &'static str,
}

/// Those of pods that are known.
const OF_PODS: [Subresource; 10] = [
    subresource("status", Operation::Update, "", "Pod"),
    subresource("ephemeralcontainers", Operation::Update, "", "Pod"),
    subresource("resize", Operation::Update, "", "Pod"),
    subresource("binding", Operation::Create, "", "Binding"),
    subresource("eviction", Operation::Create, "policy", "Eviction"),
    subresource("exec", Operation::Connect, "", "PodExecOptions"),
    subresource("attach", Operation::Connect, "", "PodAttachOptions"),
    subresource("portforward", Operation::Connect, "", "PodPortForwardOptions"),
    subresource("proxy", Operation::Connect, "", "PodProxyOptions"),
    // Logs are read, and no API server asks about that so far.
    subresource("log", Operation::Connect, "", "PodLogOptions"),
];
/// That of service accounts.
const TOKEN: Subresource = subresource("token", Operation::Create, "authentication.k8s.io", "TokenRequest");
/// How many replicas something has.
const SCALE: Subresource = subresource("scale", Operation::Update, "autoscaling", "Scale");
/// Groups of which the same kinds are, or were: `matchPolicy: Equivalent` converts from one to the other.
const OF_ONE_FAMILY: [&str; 3] = ["apps", "autoscaling", "extensions"];

const fn subresource(
    name: &'static str,
    operation: Operation,
    group: &'static str,
    kind: &'static str,
) -> Subresource {
    Subresource { name, operation, group, kind }
}

/// Checks a request about a resource without pods.
pub(super) fn check_other(
    request: &Request<'_>,
    operation: Operation,
    (resource, kind): (&str, &str),
) -> Result<(), ReviewError> {
    check_converted(request)?;
    if (resource, request.subresource.as_ref()) == ("serviceaccounts", "token") {
        check_subresource(request, operation, &TOKEN)?;
        return check_objects(request, operation, TOKEN.kind);
    }
    check_kind(request, "", kind)?;
    check_objects(request, operation, kind)
}

/// Checks a request about something that carries pods.
pub(super) fn check(
    request: &Request<'_>,
    operation: Operation,
    workload: &Workload,
) -> Result<(), ReviewError> {
    check_converted(request)?;
    let known = match request.subresource.as_ref() {
        "scale" if !workload.is_pod() => Some(&SCALE),
        name if workload.is_pod() => OF_PODS.iter().find(|known| known.name == name),
        "status" => {
            check_operation(request, operation, Operation::Update)?;
            None
        }
        _ => None,
    };
    match known {
        Some(known) => check_subresource(request, operation, known)?,
        None => check_kind(request, workload.group, workload.kind)?,
    }
    check_objects(request, operation, known.map_or(workload.kind, |known| known.kind))
}

/// Checks a request about a custom resource that carries pods. What it is called is known from its kind alone: a definition
/// may give its resource any name.
pub(super) fn check_custom_resource(request: &Request<'_>, operation: Operation) -> Result<(), ReviewError> {
    check_converted(request)?;
    check_objects(request, operation, &request.kind)
}

/// What was asked for, and what it was converted to.
fn check_converted(request: &Request<'_>) -> Result<(), ReviewError> {
    let (plain, requested) = (request.plain_subresource.as_ref(), request.requested_subresource.as_ref());
    // An API server before v1.15 names what was asked for nowhere.
    let is_named = !requested.is_empty() || !request.requested_resource.is_empty();
    if is_named && plain != requested {
        return Err(contradiction("subResource", plain, "requestSubResource", requested));
    }
    for (name, (group, of), requested_name, (requested_group, requested)) in [
        (
            "kind",
            (&request.kind_group, &request.kind),
            "requestKind",
            (&request.requested_kind_group, &request.requested_kind),
        ),
        (
            "resource",
            (&request.group, &request.resource),
            "requestResource",
            (&request.requested_group, &request.requested_resource),
        ),
    ] {
        if requested.is_empty() {
            continue;
        }
        if of != requested {
            return Err(contradiction(name, of, requested_name, requested));
        }
        let is_family = |group: &str| OF_ONE_FAMILY.contains(&group);
        if group != requested_group && !(is_family(group) && is_family(requested_group)) {
            return Err(contradiction(
                name,
                &format!("{of}.{}", short(group)),
                requested_name,
                &format!("{of}.{}", short(requested_group)),
            ));
        }
    }
    Ok(())
}

/// A group, as far as it may be one.
fn short(group: &str) -> String {
    group.chars().take(63).collect()
}

fn check_subresource(
    request: &Request<'_>,
    operation: Operation,
    known: &Subresource,
) -> Result<(), ReviewError> {
    check_operation(request, operation, known.operation)?;
    // Of two groups there is a Scale.
    let group =
        if OF_ONE_FAMILY.contains(&known.group) && OF_ONE_FAMILY.contains(&request.kind_group.as_ref()) {
            request.kind_group.as_ref()
        } else {
            known.group
        };
    check_kind(request, group, known.kind)
}

fn check_operation(
    request: &Request<'_>,
    operation: Operation,
    expected: Operation,
) -> Result<(), ReviewError> {
    if operation == expected {
        return Ok(());
    }
    let (resource, subresource) = (Printable(&request.resource), Printable(&request.subresource));
    Err(ReviewError::bad_request(format!(
        "{} of {resource}/{subresource}, which no API server asks for",
        request.operation
    )))
}

/// Checks that the kind of a request is that of its resource.
fn check_kind(request: &Request<'_>, group: &str, kind: &str) -> Result<(), ReviewError> {
    let found = &request.kind;
    if found.is_empty() || (found == kind && request.kind_group == group) {
        return Ok(());
    }
    let slash = if request.subresource.is_empty() { "" } else { "/" };
    let place = format!("{}{slash}{}", Printable(&request.resource), Printable(&request.subresource));
    let of =
        if found == kind { format!(" of the group {}", quoted(&request.kind_group)) } else { String::new() };
    Err(ReviewError::bad_request(format!("the resource {place} with the kind {}{of}", quoted(found))))
}

/// Checks which objects are there, and that they are what the request says, or of this kind if it says none.
fn check_objects(request: &Request<'_>, operation: Operation, kind: &str) -> Result<(), ReviewError> {
    let is_there = |part: &ObjectField<'_>| !matches!(part, ObjectField::Absent);
    let (object, old_object) = (is_there(&request.object), is_there(&request.old_object));
    let problem = match (operation, object, old_object) {
        (Operation::Create, false, _) => "CREATE without an object",
        (Operation::Create, true, true) => "CREATE with an oldObject",
        (Operation::Update, false, _) => "UPDATE without an object",
        (Operation::Update, true, false) => "UPDATE without an oldObject",
        (Operation::Delete, true, _) => "DELETE with an object: it has an oldObject alone",
        (Operation::Connect, _, true) => "CONNECT with an oldObject",
        (Operation::Create | Operation::Update, true, _)
        | (Operation::Delete, false, _)
        | (Operation::Connect, _, false) => {
            check_type(request, &request.object, kind)?;
            return check_type(request, &request.old_object, kind);
        }
    };
    Err(ReviewError::bad_request(problem))
}

/// Checks that an object is of the type and the namespace that its request says. No verdict depends on its name.
fn check_type(request: &Request<'_>, part: &ObjectField<'_>, kind: &str) -> Result<(), ReviewError> {
    let Some(metadata) = metadata(part) else { return Ok(()) };
    let own = part.own_type().ok_or_else(|| ReviewError::bad_request("the object's apiVersion is none"))?;
    let said = request.object_type();
    if !own.kind.is_empty() && own.kind != kind {
        return Err(ReviewError::bad_request(format!(
            "expected a {kind} as object, found a {}",
            quoted(own.kind)
        )));
    }
    let is_versioned = !own.version.is_empty() && !said.version.is_empty();
    if is_versioned && (own.group, own.version) != (said.group, said.version) {
        return Err(contradiction("kind", &api_version(said), "the object's apiVersion", &api_version(own)));
    }
    let (of_object, of_request) = (&metadata.namespace, &request.namespace);
    if !of_object.is_empty() && !of_request.is_empty() && of_object != of_request {
        return Err(ReviewError::bad_request(format!(
            "the object is of the namespace {}, the request of {}",
            quoted(of_object),
            quoted(of_request)
        )));
    }
    Ok(())
}

fn metadata<'p, 'b>(part: &'p ObjectField<'b>) -> Option<&'p Metadata<'b>> {
    match part {
        ObjectField::Read(object) => Some(object.metadata()),
        ObjectField::Named(named) => Some(&named.metadata),
        ObjectField::Absent | ObjectField::Unread | ObjectField::Faulty(_) | ObjectField::Deferred { .. } => {
            None
        }
    }
}

fn api_version(of: ObjectType<'_>) -> String {
    let slash = if of.group.is_empty() { "" } else { "/" };
    format!("{}{slash}{}", short(of.group), short(of.version))
}

fn contradiction(one: &str, says: &str, other: &str, too: &str) -> ReviewError {
    ReviewError::bad_request(format!("{one} is {}, and {other} is {}", quoted(says), quoted(too)))
}
