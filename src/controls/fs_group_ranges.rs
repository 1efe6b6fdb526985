//! `fsGroupRanges` (extended): the group of the files in a pod's volumes is of the policy's ranges, or its namespace's.

use serde::{Deserialize, Serialize};

use crate::controls::allowed_ids::AllowedIds;
use crate::controls::container_ids;
use crate::controls::id_ranges::{IdKind, IdRanges, IdRules};
use crate::controls::{
    Cel, Check, CheckedPod, Control, Doc, FoundValue, Origin, ParameterError, Parameters, Violation,
};
use crate::finding::{Finding, Found, Sink, Subject, Value};
use crate::pod::Changes;

pub(super) static CONTROL: Control = Control {
    id: "fsGroupRanges",
    number: 28,
    values: &[FoundValue::Integer],
    origin: Origin::Extended {
        parameters: Parameters::of::<FsGroupRanges>(),
        // It is immutable.
        depends_on: Changes::NONE,
    },
    violation,
    doc: Doc {
        title: "Ranges of the group of files",
        rule: "The pod's `fsGroup`, which gets the files of its volumes and which its processes belong to, must be in a range \
               that the policy lists or, with `fromNamespace: true`, be the first id of the first block in the annotation \
               `openshift.io/sa.scc.supplemental-groups` of the pod's namespace or, where that is missing, in \
               `openshift.io/sa.scc.uid-range`. OpenShift allows that one id and no other; `ranges` can add more. How blocks \
               are written, what `required` and `default` do, and what `PerServiceAccount` is and is not, is said of \
               [`runAsUserRanges`](#runasuserranges); but a group may be filled in as 0 where the ranges have it.",
        history: "Enabled where a policy sets `controls.fsGroupRanges`.",
        fields: &["metadata.namespace", "spec.securityContext.fsGroup"],
        fix: "Set `fsGroup` to a number of the ranges. If the message is about the namespace, whoever runs the cluster has to \
              set its annotation.",
        example: "securityContext:\n  fsGroup: 1000\n",
        cel: Cel::Partly("a default that depends on the service account"),
    },
};

const FIELD: &str = "securityContext.fsGroup";

/// The parameters of `controls.fsGroupRanges`.
#[derive(Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(transparent)]
struct FsGroupRanges(IdRanges);

impl FsGroupRanges {
    fn rules(&self) -> IdRules<'_> {
        self.0.rules(IdKind::FileGroup)
    }
}

impl Check for FsGroupRanges {
    fn check<'p>(&'p self, checked: CheckedPod<'p>, sink: &mut Sink<'_, 'p>) {
        let Some(allowed) = AllowedIds::of(self.rules(), checked, sink) else { return };
        match checked.pod.spec.security.fs_group {
            Some(id) if allowed.have(id) => {}
            Some(id) => sink(allowed.with_advice(Subject::Pod, FIELD, Found::Integer(id))),
            None if allowed.are_required() => sink(allowed.absent(Subject::Pod, FIELD, Value::Integer)),
            None => {}
        }
    }

    fn faults(&self) -> Vec<ParameterError> {
        self.rules().faults()
    }

    fn namespace_annotations(&self) -> &'static [&'static str] {
        self.rules().annotations()
    }
}

fn violation(findings: &[Finding<'_>]) -> Violation {
    container_ids::violation("fsGroup not allowed", FIELD, findings)
}
