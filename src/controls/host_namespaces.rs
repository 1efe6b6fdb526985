//! `hostNamespaces` (baseline): no namespace of the node.

use crate::controls::{Cel, Control, Doc, FoundValue, Level, Origin, Revision, Violation};
use crate::finding::{Finding, Fix, Found, Sink, Subject};
use crate::pod::{Pod, Spec};

pub(super) static CONTROL: Control = Control {
    id: "hostNamespaces",
    number: 1,
    values: &[FoundValue::Bool(true)],
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

/// A namespace of the node that a pod can share.
pub(super) struct HostNamespace {
    field: &'static str,
    is_shared: fn(&Spec<'_>) -> bool,
    hint: &'static str,
}

pub(super) const NETWORK: HostNamespace =
    HostNamespace { field: "hostNetwork", is_shared: |spec| spec.host_network, hint: "" };
pub(super) const PROCESSES: HostNamespace =
    HostNamespace { field: "hostPID", is_shared: |spec| spec.host_pid, hint: "" };
pub(super) const IPC: HostNamespace = HostNamespace {
    field: "hostIPC",
    is_shared: |spec| spec.host_ipc,
    hint: "for shared memory mount an emptyDir with medium: Memory at /dev/shm",
};

fn check<'p>(pod: &'p Pod<'_>, sink: &mut Sink<'_, 'p>) {
    for namespace in [NETWORK, PROCESSES, IPC] {
        namespace.find(pod, sink);
    }
}

impl HostNamespace {
    /// Finds that a pod shares it.
    pub(super) fn find<'p>(&self, pod: &'p Pod<'_>, sink: &mut Sink<'_, 'p>) {
        if (self.is_shared)(&pod.spec) {
            sink(Finding::new(Subject::Pod, self.field, Found::Bool(true), Fix::remove()).help(self.hint));
        }
    }
}

pub(super) fn violation(findings: &[Finding<'_>]) -> Violation {
    let namespaces: Vec<String> = findings.iter().map(|finding| format!("{}=true", finding.path)).collect();
    Violation { reason: "host namespaces", detail: namespaces.join(", ") }
}
