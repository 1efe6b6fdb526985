//! `flexVolumeDrivers` (extended): `flexVolume` volumes use only the drivers that the policy lists.

use serde::{Deserialize, Serialize};

use crate::controls::volume_drivers::{check_drivers, detail, faults_of_drivers};
use crate::controls::{
    Cel, Check, CheckedPod, Control, Doc, FoundValue, Origin, ParameterError, Parameters, Violation,
};
use crate::finding::{Finding, Sink};
use crate::pod::{Changes, VolumeSource};

pub(super) static CONTROL: Control = Control {
    id: "flexVolumeDrivers",
    number: 27,
    values: &[FoundValue::Text],
    origin: Origin::Extended {
        parameters: Parameters::of::<FlexVolumeDrivers>(),
        // The volumes of a pod are immutable, but a new ephemeral container can mount one of them.
        depends_on: Changes::EPHEMERAL_CONTAINERS,
    },
    violation,
    doc: Doc {
        title: "FlexVolume drivers",
        rule: "A `flexVolume` must use a driver that the policy lists: it is a program of the node, which runs as root with \
               options of the pod's choice. An empty list allows none, other than an empty list of a PodSecurityPolicy.",
        history: "Enabled where a policy sets `controls.flexVolumeDrivers`. The restricted level allows no `flexVolume` at all, \
                  unless `standard.except` relaxes `restrictedVolumes`.",
        fields: &["spec.volumes[*].flexVolume.driver"],
        fix: "Use a driver that the policy lists, or a `persistentVolumeClaim`.",
        example: "volumes:\n- name: share\n  flexVolume:\n    driver: example.com/lvm\n",
        cel: Cel::Whole,
    },
};

/// The parameters of `controls.flexVolumeDrivers`.
#[derive(Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct FlexVolumeDrivers {
    /// The names of the allowed drivers: `example.com/lvm`; empty for none.
    allowed: Vec<String>,
}

impl Check for FlexVolumeDrivers {
    fn check<'p>(&'p self, CheckedPod { pod, .. }: CheckedPod<'p>, sink: &mut Sink<'_, 'p>) {
        check_drivers(pod, (VolumeSource::FLEX_VOLUME, "flexVolume.driver"), &self.allowed, sink);
    }

    fn faults(&self) -> Vec<ParameterError> {
        faults_of_drivers(&self.allowed)
    }
}

fn violation(findings: &[Finding<'_>]) -> Violation {
    Violation { reason: "FlexVolume driver", detail: detail(findings, "FlexVolume") }
}
