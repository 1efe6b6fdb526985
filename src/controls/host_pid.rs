//! `hostPID` (extended): one of the node's namespaces that a pod must not share, apart from the others.

use serde::{Deserialize, Serialize};

use crate::controls::{
    Cel, Check, CheckedPod, Control, Doc, FoundValue, Origin, Parameters, host_namespaces,
};
use crate::finding::Sink;
use crate::pod::Changes;

pub(super) static CONTROL: Control = Control {
    id: "hostPID",
    number: 32,
    values: &[FoundValue::Bool(true)],
    origin: Origin::Extended {
        parameters: Parameters::of::<HostPid>(),
        // Immutable.
        depends_on: Changes::NONE,
    },
    violation: host_namespaces::violation,
    doc: Doc {
        title: "Node's processes",
        rule: "A pod among the node's processes can see them and those of all its pods, with their arguments and \
               variables, and as root enter them. Pods must not set `hostPID`. It is a part of the standard's \
               `hostNamespaces`.",
        history: "Enabled where a policy sets `controls.hostPID`.",
        fields: &["spec.hostPID"],
        fix: "Remove the field. To see the processes of the pod's own containers set `shareProcessNamespace`.",
        example: "shareProcessNamespace: true\ncontainers:\n- name: trainer\n- name: profiler\n",
        cel: Cel::Whole,
    },
};

/// The parameters of `controls.hostPID`: none but those of every control.
#[derive(Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct HostPid {}

impl Check for HostPid {
    fn check<'p>(&'p self, CheckedPod { pod, .. }: CheckedPod<'p>, sink: &mut Sink<'_, 'p>) {
        host_namespaces::PROCESSES.find(pod, sink);
    }
}
