//! `privilegedContainers` (extended): no container is privileged, whatever the standard of the policy says.

use serde::{Deserialize, Serialize};

use crate::controls::{Cel, Check, CheckedPod, Control, Doc, FoundValue, Origin, Parameters, privileged};
use crate::finding::Sink;
use crate::pod::Changes;

pub(super) static CONTROL: Control = Control {
    id: "privilegedContainers",
    number: 43,
    values: &[FoundValue::Bool(true)],
    origin: Origin::Extended {
        parameters: Parameters::of::<PrivilegedContainers>(),
        depends_on: Changes::EPHEMERAL_CONTAINERS,
    },
    violation: privileged::violation,
    doc: Doc {
        title: "Privileged containers, by themselves",
        rule: "Containers must not be privileged: such a container has every capability and every device of the \
               node. It is the standard's `privileged`, for policies that want this rule without the rest of the \
               baseline.",
        history: "Enabled where a policy sets `controls.privilegedContainers`.",
        fields: &["spec.{containers,initContainers,ephemeralContainers}[*].securityContext.privileged"],
        fix: "Remove `privileged`, or set it to false. A GPU does not need it: request it through its resource, for \
              example `nvidia.com/gpu: 1`.",
        example: "containers:\n- name: trainer\n  securityContext:\n    privileged: false\n",
        cel: Cel::Whole,
    },
};

/// The parameters of `controls.privilegedContainers`: none but those of every control.
#[derive(Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct PrivilegedContainers {}

impl Check for PrivilegedContainers {
    fn check<'p>(&'p self, CheckedPod { pod, .. }: CheckedPod<'p>, sink: &mut Sink<'_, 'p>) {
        privileged::check(pod, sink);
    }
}
