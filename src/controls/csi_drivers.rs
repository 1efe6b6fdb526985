//! `csiDrivers` (extended): inline `csi` volumes use only the drivers that the policy lists.

use serde::{Deserialize, Serialize};

use crate::controls::volume_drivers::{check_drivers, detail, faults_of_drivers};
use crate::controls::{
    Cel, Check, CheckedPod, Control, Doc, FoundValue, Origin, ParameterError, Parameters, Violation,
};
use crate::finding::{Finding, Sink};
use crate::pod::{Changes, VolumeSource};

pub(super) static CONTROL: Control = Control {
    id: "csiDrivers",
    number: 25,
    values: &[FoundValue::Text],
    origin: Origin::Extended {
        parameters: Parameters::of::<CsiDrivers>(),
        // The volumes of a pod are immutable, but a new ephemeral container can mount one of them.
        depends_on: Changes::EPHEMERAL_CONTAINERS,
    },
    violation,
    doc: Doc {
        title: "CSI drivers",
        rule: "A `csi` volume that a pod defines itself must use a driver that the policy lists: else the pod chooses any driver \
               of its nodes, with attributes of its own. Volumes that a `persistentVolumeClaim` brings are not meant: a \
               StorageClass chooses their driver. An empty list allows none, other than an empty list of a \
               PodSecurityPolicy.",
        history: "Enabled where a policy sets `controls.csiDrivers`.",
        fields: &["spec.volumes[*].csi.driver"],
        fix: "Use a driver that the policy lists, or a `persistentVolumeClaim`.",
        example: "volumes:\n- name: secrets\n  csi:\n    driver: secrets-store.csi.k8s.io\n",
        cel: Cel::Whole,
    },
};

/// The parameters of `controls.csiDrivers`.
#[derive(Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct CsiDrivers {
    /// The names of the allowed drivers: `secrets-store.csi.k8s.io`; empty for none.
    allowed: Vec<String>,
}

impl Check for CsiDrivers {
    fn check<'p>(&'p self, CheckedPod { pod, .. }: CheckedPod<'p>, sink: &mut Sink<'_, 'p>) {
        check_drivers(pod, (VolumeSource::CSI, "csi.driver"), &self.allowed, sink);
    }

    fn faults(&self) -> Vec<ParameterError> {
        faults_of_drivers(&self.allowed)
    }
}

fn violation(findings: &[Finding<'_>]) -> Violation {
    Violation { reason: "CSI driver", detail: detail(findings, "CSI") }
}
