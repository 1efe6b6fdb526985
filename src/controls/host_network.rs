//! `hostNetwork` (extended): one of the node's namespaces that a pod must not share, apart from the others.

use serde::{Deserialize, Serialize};

use crate::controls::{
    Cel, Check, CheckedPod, Control, Doc, FoundValue, Origin, Parameters, host_namespaces,
};
use crate::finding::Sink;
use crate::pod::Changes;

pub(super) static CONTROL: Control = Control {
    id: "hostNetwork",
    number: 31,
    values: &[FoundValue::Bool(true)],
    origin: Origin::Extended {
        parameters: Parameters::of::<HostNetwork>(),
        // Immutable.
        depends_on: Changes::NONE,
    },
    violation: host_namespaces::violation,
    doc: Doc {
        title: "Node's network",
        rule: "A pod in the node's network can reach what listens on the node alone, listen on its ports and see \
               its traffic, past network policies. Pods must not set `hostNetwork`. It is a part of the standard's \
               `hostNamespaces`.",
        history: "Enabled where a policy sets `controls.hostNetwork`.",
        fields: &["spec.hostNetwork"],
        fix: "Remove the field, and reach the pod through a Service; for RDMA use a device plugin and a secondary \
              network.",
        example: "containers:\n- name: server\n  ports:\n  - containerPort: 8080\n",
        cel: Cel::Whole,
    },
};

/// The parameters of `controls.hostNetwork`: none but those of every control.
#[derive(Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct HostNetwork {}

impl Check for HostNetwork {
    fn check<'p>(&'p self, CheckedPod { pod, .. }: CheckedPod<'p>, sink: &mut Sink<'_, 'p>) {
        host_namespaces::NETWORK.find(pod, sink);
    }
}
