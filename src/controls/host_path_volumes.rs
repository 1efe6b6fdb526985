//! `hostPathVolumes` (baseline): no directory of the node. At restricted `restrictedVolumes` is stricter.

use crate::controls::{Cel, Control, Doc, FoundValue, Level, Origin, Revision, Violation, text};
use crate::finding::{Finding, Fix, Found, Sink, Subject};
use crate::pod::{Pod, VolumeSource};

pub(super) static CONTROL: Control = Control {
    id: "hostPathVolumes",
    number: 2,
    values: &[FoundValue::VolumeSource],
    origin: Origin::Standard {
        level: Level::Baseline,
        revisions: &[Revision { since: 0, check }],
        overrides: None,
    },
    violation,
    doc: Doc {
        title: "HostPath volumes",
        rule: "A hostPath volume exposes a directory of the node to the pod, with everything that other pods and \
               the node itself keep there. Pods must not use hostPath volumes.",
        history: "At the restricted level `restrictedVolumes` takes its place.",
        fields: &["spec.volumes[*].hostPath"],
        fix: "Keep datasets and model caches in a `persistentVolumeClaim`, and scratch data in an `emptyDir`.",
        example: "volumes:\n- name: datasets\n  persistentVolumeClaim:\n    claimName: datasets\n",
        cel: Cel::Whole,
    },
};

fn check<'p>(pod: &'p Pod<'_>, sink: &mut Sink<'_, 'p>) {
    for (index, volume) in pod.spec.volumes.iter().enumerate() {
        if volume.has(VolumeSource::HOST_PATH) {
            sink(
                Finding::new(
                    Subject::Volume(index, &volume.name),
                    VolumeSource::HOST_PATH.name(),
                    Found::Text(VolumeSource::HOST_PATH.name()),
                    Fix::one_of(&["persistentVolumeClaim"]),
                )
                .help("or an emptyDir for scratch data"),
            );
        }
    }
}

fn violation(findings: &[Finding<'_>]) -> Violation {
    let names = text::volume_names(findings);
    Violation {
        reason: "hostPath volumes",
        detail: format!("{} {}", text::plural("volume", names.len()), text::quoted(names)),
    }
}
