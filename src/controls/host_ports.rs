//! `hostPorts` (baseline): no port of the node.

use crate::controls::{Cel, Control, Doc, Level, Origin, Revision, Violation, text};
use crate::finding::{FieldPath, Finding, Fix, Found, Sink, Subject};
use crate::pod::Pod;

pub(super) static CONTROL: Control = Control {
    id: "hostPorts",
    number: 3,
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
        // The API server sets the ports of a pod of the host's network, whose author mostly has not.
        let help = if pod.spec.host_network {
            "it comes with hostNetwork: remove that"
        } else {
            "reach the pod through a Service"
        };
        for host_port in &container.host_ports {
            sink(
                Finding::new(
                    Subject::Container(at),
                    FieldPath::from("ports").index(host_port.index).fields("hostPort"),
                    Found::Integer(host_port.port.into()),
                    Fix::remove(),
                )
                .help(help),
            );
        }
    }
}

/// Ports are sorted as strings, and not quoted.
fn violation(findings: &[Finding<'_>]) -> Violation {
    let names = text::container_names(findings);
    let ports: Vec<String> = findings.iter().map(|finding| finding.found.to_string()).collect();
    let ports = text::sorted_set(ports.iter().map(String::as_str));
    Violation {
        reason: "hostPort",
        detail: format!(
            "{} {} {} {}",
            text::containers(&names),
            text::uses(names.len()),
            text::plural("hostPort", ports.len()),
            ports.join(", ")
        ),
    }
}
