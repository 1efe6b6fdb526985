//! `hostPorts` (baseline): no port of the node.

use crate::controls::{Cel, Control, Doc, FoundValue, Level, Origin, Revision, Violation, text};
use crate::finding::{FieldPath, Finding, Fix, Found, Sink, Subject};
use crate::pod::{Container, ContainerRef, Pod};

pub(super) static CONTROL: Control = Control {
    id: "hostPorts",
    number: 3,
    values: &[FoundValue::Integer],
    origin: Origin::Standard {
        level: Level::Baseline,
        revisions: &[Revision { since: 0, check }],
        overrides: None,
    },
    violation,
    doc: Doc {
        title: "Host ports",
        rule: "A host port is a port of the node: no other pod there can use it, and it is reachable past network \
               policies. Containers must not use one.",
        history: "",
        fields: &["spec.{containers,initContainers,ephemeralContainers}[*].ports[*].hostPort"],
        fix: "Remove `hostPort` (0 is the same as none); reach the pod through a Service.",
        example: "containers:\n- name: server\n  ports:\n  - containerPort: 8080\n",
        cel: Cel::Whole,
    },
};

fn check<'p>(pod: &'p Pod<'_>, sink: &mut Sink<'_, 'p>) {
    for (at, container) in pod.containers() {
        find(pod, at, container, |_| Some(Fix::remove()), sink);
    }
}

/// Finds the host ports of a container for which there is a fix, as none is needed for those that are allowed.
pub(super) fn find<'p>(
    pod: &Pod<'_>,
    at: ContainerRef<'p>,
    container: &Container<'_>,
    fix: impl Fn(i32) -> Option<Fix<'static>>,
    sink: &mut Sink<'_, 'p>,
) {
    for host_port in &container.host_ports {
        let Some(fix) = fix(host_port.port) else { continue };
        let path = FieldPath::from("ports").index(host_port.index).fields("hostPort");
        let found = Found::Integer(host_port.port.into());
        sink(Finding::new(Subject::Container(at), path, found, fix).help(help(pod)));
    }
}

/// The API server sets the ports of a pod of the host's network, whose author mostly has not.
pub(super) fn help(pod: &Pod<'_>) -> &'static str {
    if pod.spec.host_network {
        "it comes with hostNetwork: remove that"
    } else {
        "reach the pod through a Service"
    }
}

fn violation(findings: &[Finding<'_>]) -> Violation {
    Violation { reason: "hostPort", detail: used(findings) }
}

/// `container "c" uses hostPort 80`: ports are sorted as strings, and not quoted.
pub(super) fn used(findings: &[Finding<'_>]) -> String {
    let names = text::container_names(findings);
    let ports: Vec<String> = findings.iter().map(|finding| finding.found.to_string()).collect();
    let ports = text::sorted_set(ports.iter().map(String::as_str));
    format!(
        "{} {} {} {}",
        text::containers(&names),
        text::uses(names.len()),
        text::plural("hostPort", ports.len()),
        ports.join(", ")
    )
}
