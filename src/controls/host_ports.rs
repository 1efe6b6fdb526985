//! `hostPorts` (baseline): no port of the node.

use crate::controls::{Control, Doc, Finding, Found, Kind, Level, Remedy, Revision, Sink, Violation, text};
use crate::pod::{Field, Place, Pod};

pub(super) static CONTROL: Control = Control {
    id: "hostPorts",
    number: 3,
    kind: Kind::Standard {
        level: Level::Baseline,
        revisions: &[Revision { since: 0, check }],
        overrides: None,
    },
    violation,
    doc: Doc {
        title: "Host ports",
        rule: "A host port is a port of the node: it takes it from others and is reached past network \
               policies. Containers must not ask for one.",
        history: "",
        fields: &["spec.{containers,initContainers,ephemeralContainers}[*].ports[*].hostPort"],
        mend: "Remove `hostPort` (0 is the same as none); reach the pod through a Service.",
        example: "containers:\n- name: server\n  ports:\n  - containerPort: 8080\n",
    },
};

fn check<'p>(pod: &'p Pod<'_>, sink: &mut Sink<'_, 'p>) {
    for (at, container) in pod.containers() {
        for host_port in &container.host_ports {
            sink(
                Finding::new(
                    &CONTROL,
                    Place::Container(at),
                    Field::item("ports", host_port.index, "hostPort"),
                    Found::Integer(host_port.port.into()),
                    Remedy::Remove,
                )
                .hint("reach the pod through a Service"),
            );
        }
    }
}

/// Ports are sorted as the strings they are printed as, and not quoted.
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
