//! `hostProbesAndHostLifecycle` (baseline, from v1.34): probes and lifecycle handlers reach their own pod only.

use crate::controls::{Cel, Control, Doc, FoundValue, Level, Origin, Revision, Violation, text};
use crate::finding::{Finding, Fix, Found, Sink, Subject};
use crate::pod::Pod;

pub(super) static CONTROL: Control = Control {
    id: "hostProbesAndHostLifecycle",
    number: 4,
    values: &[FoundValue::Text],
    origin: Origin::Standard {
        level: Level::Baseline,
        revisions: &[Revision { since: 34, check }],
        overrides: None,
    },
    violation,
    doc: Doc {
        title: "Hosts of probes and lifecycle handlers",
        rule: "The kubelet makes the connections of probes and lifecycle handlers, from the node's network. With \
               a host in them, a pod's author can reach what only the node can reach. The host must be absent or \
               empty.",
        history: "Since v1.34.",
        fields: &[
            "spec.{containers,initContainers,ephemeralContainers}[*].{livenessProbe,readinessProbe,startupProbe}.{httpGet,tcpSocket}.host",
            "spec.{containers,initContainers,ephemeralContainers}[*].lifecycle.{postStart,preStop}.{httpGet,tcpSocket}.host",
        ],
        fix: "Remove `host`: without it the kubelet connects to the pod. For a virtual host set a `Host` header in `httpHeaders`.",
        example: "containers:\n- name: server\n  readinessProbe:\n    httpGet:\n      path: /ready\n      port: 8080\n",
        cel: Cel::Whole,
    },
};

fn check<'p>(pod: &'p Pod<'_>, sink: &mut Sink<'_, 'p>) {
    for (at, container) in pod.containers() {
        for probe in &container.probe_hosts {
            sink(
                Finding::new(Subject::Container(at), probe.field, Found::Text(&probe.host), Fix::remove())
                    .help("without it the pod itself is asked"),
            );
        }
    }
}

/// The only control whose container names are a sorted set.
fn violation(findings: &[Finding<'_>]) -> Violation {
    let names = text::sorted_set(text::container_names(findings));
    let hosts = text::sorted_set(text::found_texts(findings));
    Violation {
        reason: "probe or lifecycle host",
        detail: format!(
            "{} {} {} {}",
            text::containers(&names),
            text::uses(names.len()),
            text::plural("probe or lifecycle host", hosts.len()),
            text::quoted(hosts)
        ),
    }
}
