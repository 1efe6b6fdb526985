//! `reservedAnnotations` (extended): annotations that only some users may write.

use serde::{Deserialize, Serialize};

use crate::controls::reserved_keys::{self, Entry, Map, ReservedKeys};
use crate::controls::{Cel, Check, CheckedPod, Control, Doc, Origin, ParameterError, Parameters, Violation};
use crate::finding::{Finding, Sink};
use crate::pod::Changes;

pub(super) static CONTROL: Control = Control {
    id: "reservedAnnotations",
    number: 48,
    values: &[],
    origin: Origin::Extended {
        parameters: Parameters::of::<ReservedAnnotations>(),
        depends_on: Changes::METADATA,
    },
    violation,
    doc: Doc {
        title: "Reserved annotations",
        rule: "Only the `writers` of the policy may create a pod with an annotation whose key it reserves, and only they may \
               add, change or remove one later. `*` in a key stands for any text. Device plugins and runtimes obey such \
               annotations: `hami.io/*` says which GPUs a pod gets, and how much of them; `cdi.k8s.io/*` names devices of the \
               node. An annotation that a mutating webhook adds to a new pod counts as written by whoever makes the pod. \
               `podgate lint` knows no requester, so a reserved annotation in a file is always a violation. Values are not \
               shown.",
        history: "Enabled where a policy sets `controls.reservedAnnotations`. Updates of annotations reach podgate only where \
                  the webhook asks for them (see [install.md](install.md#updates-of-metadata)).",
        fields: &["metadata.annotations"],
        fix: "Leave the annotation to its writers: remove it from the pod or template, or leave its value as it was.",
        example: "metadata:\n  annotations:\n    example.com/owner: research\n",
        cel: Cel::Whole,
    },
};

static ANNOTATIONS: Map = Map {
    name: "annotations",
    for_each: |metadata, each| metadata.for_each_annotation(|key, value| each(Entry { key, value })),
    shows_values: false,
};

/// The parameters of `controls.reservedAnnotations`.
#[derive(Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(transparent)]
struct ReservedAnnotations(ReservedKeys);

impl Check for ReservedAnnotations {
    fn check<'p>(&'p self, checked: CheckedPod<'p>, sink: &mut Sink<'_, 'p>) {
        self.0.check(&ANNOTATIONS, checked, sink);
    }

    fn compares_with_old(&self) -> bool {
        true
    }

    fn faults(&self) -> Vec<ParameterError> {
        self.0.faults()
    }
}

fn violation(findings: &[Finding<'_>]) -> Violation {
    reserved_keys::violation(&ANNOTATIONS, "reserved annotations", findings)
}
