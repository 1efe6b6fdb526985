//! `reservedLabels` (extended): labels that only some users may write.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::controls::reserved_keys::{self, Entry, Map, ReservedKeys};
use crate::controls::{
    Cel, Check, CheckedPod, Control, Doc, FoundValue, Origin, ParameterError, Parameters, Violation,
};
use crate::finding::{Finding, Sink};
use crate::pod::Changes;

pub(super) static CONTROL: Control = Control {
    id: "reservedLabels",
    number: 49,
    values: &[FoundValue::Text],
    origin: Origin::Extended {
        parameters: Parameters::of::<ReservedLabels>(),
        depends_on: Changes::METADATA,
    },
    violation,
    doc: Doc {
        title: "Reserved labels",
        rule: "Only the `writers` of the policy may create a pod with a label whose key it reserves, and only they may add, \
               change or remove one later. `*` in a key stands for any text. Schedulers and queues trust such labels: \
               `kai.scheduler/*`, `runai-*` and `kueue.x-k8s.io/managed` are examples. A label that a mutating webhook adds \
               to a new pod counts as written by whoever makes the pod. `podgate lint` knows no requester, so a reserved label \
               in a file is always a violation.",
        history: "Enabled where a policy sets `controls.reservedLabels`. Updates of labels reach podgate only where the webhook \
                  asks for them (see [install.md](install.md#updates-of-metadata)).",
        fields: &["metadata.labels"],
        fix: "Leave the label to its writers: remove it from the pod or template, or leave its value as it was.",
        example: "metadata:\n  labels:\n    app: trainer\n",
        cel: Cel::Whole,
    },
};

static LABELS: Map = Map {
    name: "labels",
    for_each: |metadata, each| {
        metadata
            .labels
            .iter()
            .flatten()
            .for_each(|(key, value)| each(Entry { key: Cow::Borrowed(key), value }));
        Ok(())
    },
    shows_values: true,
};

/// The parameters of `controls.reservedLabels`.
#[derive(Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(transparent)]
struct ReservedLabels(ReservedKeys);

impl Check for ReservedLabels {
    fn check<'p>(&'p self, checked: CheckedPod<'p>, sink: &mut Sink<'_, 'p>) {
        self.0.check(&LABELS, checked, sink);
    }

    fn compares_with_old(&self) -> bool {
        true
    }

    fn faults(&self) -> Vec<ParameterError> {
        self.0.faults()
    }
}

fn violation(findings: &[Finding<'_>]) -> Violation {
    reserved_keys::violation(&LABELS, "reserved labels", findings)
}
