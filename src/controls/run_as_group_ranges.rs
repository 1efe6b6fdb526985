//! `runAsGroupRanges` (extended): every container runs as a group of the policy's ranges, or of its namespace's.

use serde::{Deserialize, Serialize};

use crate::controls::container_ids::{self, ContainerId};
use crate::controls::id_ranges::{IdKind, IdRanges, IdRules};
use crate::controls::{
    Cel, Check, CheckedPod, Control, Doc, FoundValue, Origin, ParameterError, Parameters, Violation,
};
use crate::finding::{Finding, Sink};
use crate::pod::Changes;

pub(super) static CONTROL: Control = Control {
    id: "runAsGroupRanges",
    number: 51,
    values: &[FoundValue::Integer],
    origin: Origin::Extended {
        parameters: Parameters::of::<RunAsGroupRanges>(),
        depends_on: Changes::EPHEMERAL_CONTAINERS,
    },
    violation,
    doc: Doc {
        title: "Ranges of groups",
        rule: "The group of every container, which is its own `runAsGroup` or else the pod's, must be in a range that the \
               policy lists or, with `fromNamespace: true`, in a block of the annotation \
               `openshift.io/sa.scc.supplemental-groups` of the pod's namespace or, where that is missing, of \
               `openshift.io/sa.scc.uid-range`. How blocks are written, what `required` and `default` do, and what \
               `PerServiceAccount` is and is not, is said of [`runAsUserRanges`](#runasuserranges); but a group may be \
               filled in as 0 where the ranges have it. Where nothing says the group, it is that of the image, or root's.",
        history: "Enabled where a policy sets `controls.runAsGroupRanges`.",
        fields: &[
            "metadata.namespace",
            "spec.securityContext.runAsGroup",
            "spec.{containers,initContainers,ephemeralContainers}[*].securityContext.runAsGroup",
        ],
        fix: "Set `runAsGroup` to a number of the ranges. If the message is about the namespace, whoever runs the cluster has \
              to set its annotation.",
        example: "securityContext:\n  runAsGroup: 1000\n",
        cel: Cel::Partly("a default that depends on the service account"),
    },
};

/// The parameters of `controls.runAsGroupRanges`.
#[derive(Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(transparent)]
struct RunAsGroupRanges(IdRanges);

const FIELD: ContainerId = ContainerId {
    path: "securityContext.runAsGroup",
    of_pod: |of_pod| of_pod.run_as_group,
    of_container: |own| own.run_as_group,
};

impl RunAsGroupRanges {
    fn rules(&self) -> IdRules<'_> {
        self.0.rules(IdKind::Group)
    }
}

impl Check for RunAsGroupRanges {
    fn check<'p>(&'p self, checked: CheckedPod<'p>, sink: &mut Sink<'_, 'p>) {
        FIELD.check(self.rules(), checked, sink);
    }

    fn faults(&self) -> Vec<ParameterError> {
        self.rules().faults()
    }

    fn namespace_annotations(&self) -> &'static [&'static str] {
        self.rules().annotations()
    }
}

fn violation(findings: &[Finding<'_>]) -> Violation {
    container_ids::violation("group not allowed", FIELD.path, findings)
}
