//! `hostNamespaces` (baseline): no namespace of the node.

use crate::controls::{Cel, Control, Doc, Level, Origin, Revision, Violation};
use crate::finding::{Finding, Fix, Found, Sink, Subject};
use crate::pod::Pod;

pub(super) static CONTROL: Control = Control {
    id: "hostNamespaces",
    number: 1,
    origin: Origin::Standard {
        level: Level::Baseline,
        revisions: &[Revision { since: 0, check }],
        overrides: None,
    },
    violation,
    doc: Doc {
        title: "Host namespaces",
        rule: "A pod in the node's network, process or IPC namespace can see and reach what belongs to the node \
               and to its other pods. Pods must not share the node's namespaces.",
        history: "",
        fields: &["spec.hostNetwork", "spec.hostPID", "spec.hostIPC"],
        fix: "Remove the field. For shared memory (what `docker run --ipc=host` is used for) mount an \
               `emptyDir` with `medium: Memory` at `/dev/shm`; for RDMA use a device plugin and a secondary network.",
        example: "volumes:\n- name: shm\n  emptyDir:\n    medium: Memory\n    sizeLimit: 8Gi\n",
        cel: Cel::Whole,
    },
};

fn check<'p>(pod: &'p Pod<'_>, sink: &mut Sink<'_, 'p>) {
    let spec = &pod.spec;
    for (is_set, name, hint) in [
        (spec.host_network, "hostNetwork", ""),
        (spec.host_pid, "hostPID", ""),
        (spec.host_ipc, "hostIPC", "for shared memory mount an emptyDir with medium: Memory at /dev/shm"),
    ] {
        if is_set {
            sink(Finding::new(Subject::Pod, name, Found::Bool(true), Fix::remove()).help(hint));
        }
    }
}

fn violation(findings: &[Finding<'_>]) -> Violation {
    let namespaces: Vec<String> = findings.iter().map(|finding| format!("{}=true", finding.path)).collect();
    Violation { reason: "host namespaces", detail: namespaces.join(", ") }
}
