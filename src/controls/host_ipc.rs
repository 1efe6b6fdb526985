//! `hostIPC` (extended): one of the node's namespaces that a pod must not share, apart from the others.

use serde::{Deserialize, Serialize};

use crate::controls::{
    Cel, Check, CheckedPod, Control, Doc, FoundValue, Origin, Parameters, host_namespaces,
};
use crate::finding::Sink;
use crate::pod::Changes;

pub(super) static CONTROL: Control = Control {
    id: "hostIPC",
    number: 30,
    values: &[FoundValue::Bool(true)],
    origin: Origin::Extended {
        parameters: Parameters::of::<HostIpc>(),
        // Immutable.
        depends_on: Changes::NONE,
    },
    violation: host_namespaces::violation,
    doc: Doc {
        title: "Node's IPC namespace",
        rule: "A pod in the node's IPC namespace can read and change the shared memory of the node and of its other \
               such pods. Pods must not set `hostIPC`. It is a part of the standard's `hostNamespaces`.",
        history: "Enabled where a policy sets `controls.hostIPC`.",
        fields: &["spec.hostIPC"],
        fix: "Remove the field. For shared memory (what `docker run --ipc=host` is used for) mount an `emptyDir` \
              with `medium: Memory` at `/dev/shm`.",
        example: "volumes:\n- name: shm\n  emptyDir:\n    medium: Memory\n    sizeLimit: 8Gi\n",
        cel: Cel::Whole,
    },
};

/// The parameters of `controls.hostIPC`: none but those of every control.
#[derive(Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct HostIpc {}

impl Check for HostIpc {
    fn check<'p>(&'p self, CheckedPod { pod, .. }: CheckedPod<'p>, sink: &mut Sink<'_, 'p>) {
        host_namespaces::IPC.find(pod, sink);
    }
}
