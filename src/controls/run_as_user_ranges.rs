//! `runAsUserRanges` (extended): every container runs as a user of the policy's ranges, or of its namespace's.

use serde::{Deserialize, Serialize};

use crate::controls::container_ids::{self, ContainerId};
use crate::controls::id_ranges::{IdKind, IdRanges, IdRules};
use crate::controls::{
    Cel, Check, CheckedPod, Control, Doc, FoundValue, Origin, ParameterError, Parameters, Violation,
};
use crate::finding::{Finding, Sink};
use crate::pod::Changes;

pub(super) static CONTROL: Control = Control {
    id: "runAsUserRanges",
    number: 52,
    values: &[FoundValue::Integer],
    origin: Origin::Extended {
        parameters: Parameters::of::<RunAsUserRanges>(),
        depends_on: Changes::EPHEMERAL_CONTAINERS,
    },
    violation,
    doc: Doc {
        title: "Ranges of users",
        rule: "The user of every container, which is its own `runAsUser` or else the pod's, must be in a range that the \
               policy lists or, with `fromNamespace: true`, in a block of the annotation \
               `openshift.io/sa.scc.uid-range` of the pod's namespace: `START/LENGTH` or `START-END`, several with commas \
               between. A namespace whose annotation is missing or anything else has no pods admitted. A pod's user that \
               no container goes by is not judged. With `required: false`, as with `MayRunAs` of a PodSecurityPolicy, a \
               container may leave it to the image. \
               \n\n\
               A `default` is filled in for the containers, and is never 0. `PerServiceAccount` takes the id at the place \
               FNV-1a (64 bits) of `NAMESPACE/SERVICEACCOUNT` modulo the number of all ids that are allowed. An account then \
               keeps its id for the files that it shares, as long as the ranges stay. That is an affinity and not isolation: \
               two accounts may get the same id, and a pod may name any other of the ranges.",
        history: "Enabled where a policy sets `controls.runAsUserRanges`.",
        fields: &[
            "metadata.namespace",
            "spec.securityContext.runAsUser",
            "spec.{containers,initContainers,ephemeralContainers}[*].securityContext.runAsUser",
        ],
        fix: "Set `runAsUser` to a number of the ranges. If the message is about the namespace, whoever runs the cluster has \
              to set its annotation.",
        example: "securityContext:\n  runAsUser: 1000\n",
        cel: Cel::Partly("a default that depends on the service account"),
    },
};

/// The parameters of `controls.runAsUserRanges`.
#[derive(Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(transparent)]
struct RunAsUserRanges(IdRanges);

const FIELD: ContainerId = ContainerId {
    path: "securityContext.runAsUser",
    of_pod: |of_pod| of_pod.run_as_user,
    of_container: |own| own.run_as_user,
};

impl RunAsUserRanges {
    fn rules(&self) -> IdRules<'_> {
        self.0.rules(IdKind::User)
    }
}

impl Check for RunAsUserRanges {
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
    container_ids::violation("user not allowed", FIELD.path, findings)
}
