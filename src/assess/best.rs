//! The best that an unknown value of a pod can be: what no control of a standard minds.

use crate::path::Step;
use crate::yaml::{Node, Span, Value};

/// A container that no control of a standard minds.
fn security(span: Span) -> Node {
    Node::object(
        span,
        [
            ("allowPrivilegeEscalation", boolean(span, false)),
            ("capabilities", capabilities(span)),
            ("runAsNonRoot", boolean(span, true)),
            ("seccompProfile", profile(span)),
            ("readOnlyRootFilesystem", boolean(span, true)),
        ],
    )
}

fn of_pod(span: Span) -> Node {
    Node::object(span, [("runAsNonRoot", boolean(span, true)), ("seccompProfile", profile(span))])
}

fn capabilities(span: Span) -> Node {
    Node::object(span, [("drop", Node::list(span, vec![Node::text(span, "ALL")]))])
}

fn profile(span: Span) -> Node {
    Node::object(span, [("type", Node::text(span, "RuntimeDefault"))])
}

fn container(span: Span) -> Node {
    Node::object(
        span,
        [
            ("name", Node::text(span, "unknown")),
            ("image", Node::text(span, "unknown")),
            ("securityContext", security(span)),
        ],
    )
}

fn boolean(span: Span, value: bool) -> Node {
    Node { value: Value::Bool(value), span, alias: None }
}

/// What to judge in place of a value that is not known; `null`, which is absent, where that is best.
pub(super) fn best(path: &[Step<'_>], span: Span) -> Node {
    let keys: Vec<&str> = path.iter().filter_map(Step::as_key).collect();
    let is_item = path.last().is_some_and(|step| step.as_key().is_none());
    let text = |text: &str| Node::text(span, text);
    match (keys.as_slice(), is_item) {
        ([.., "containers" | "initContainers" | "ephemeralContainers"], true) => container(span),
        ([.., "volumes"], true) => Node::object(span, [("name", text("unknown"))]),
        ([.., "capabilities", "drop"], true) => text("ALL"),
        ([.., "capabilities", "drop"], false) => Node::list(span, vec![text("ALL")]),
        ([.., "capabilities", "add"], true) => text("NET_BIND_SERVICE"),
        ([.., "capabilities"], false) => capabilities(span),
        (["spec", "securityContext"], false) => of_pod(span),
        ([.., "securityContext"], false) => security(span),
        ([.., "allowPrivilegeEscalation" | "hostUsers"], false) => boolean(span, false),
        ([.., "runAsNonRoot" | "readOnlyRootFilesystem"], false) => boolean(span, true),
        ([.., "seccompProfile"], false) => profile(span),
        ([.., "seccompProfile" | "appArmorProfile", "type"], false) => text("RuntimeDefault"),
        ([.., "seLinuxOptions", "type"], false) => text("container_t"),
        (["spec", "os"], false) => Node::object(span, [("name", text("windows"))]),
        (["spec", "os", "name"], false) => text("windows"),
        (["metadata", "annotations", _], false) => text("runtime/default"),
        ([.., "sysctls"], true) => Node::object(span, [("name", text("kernel.shm_rmid_forced"))]),
        ([.., "sysctls", "name"], false) => text("kernel.shm_rmid_forced"),
        _ => Node { value: Value::Null, span, alias: None },
    }
}
