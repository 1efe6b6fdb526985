//! `hostPathVolumes` (baseline): no directory of the node. At restricted `restrictedVolumes` says more.

use crate::controls::{Control, Doc, Finding, Found, Kind, Level, Remedy, Revision, Sink, Violation, text};
use crate::pod::{Field, Place, Pod, Source};

pub(super) static CONTROL: Control = Control {
    id: "hostPathVolumes",
    number: 2,
    kind: Kind::Standard {
        level: Level::Baseline,
        revisions: &[Revision { since: 0, check }],
        overrides: None,
    },
    violation,
    doc: Doc {
        title: "HostPath volumes",
        rule: "A hostPath volume shows a directory of the node to the pod, with all that other pods and the \
               node itself keep there. Pods must not use hostPath volumes.",
        history: "At the restricted level `restrictedVolumes` takes its place.",
        fields: &["spec.volumes[*].hostPath"],
        mend: "Keep datasets and model caches in a `persistentVolumeClaim`, and scratch data in an `emptyDir`.",
        example: "volumes:\n- name: datasets\n  persistentVolumeClaim:\n    claimName: datasets\n",
    },
};

fn check<'p>(pod: &'p Pod<'_>, sink: &mut Sink<'_, 'p>) {
    for (index, volume) in pod.spec.volumes.iter().enumerate() {
        if volume.has(Source::HOST_PATH) {
            sink(
                Finding::new(
                    &CONTROL,
                    Place::Volume(index, &volume.name),
                    Field::named(Source::HOST_PATH.name()),
                    Found::Text(Source::HOST_PATH.name()),
                    Remedy::Remove,
                )
                .hint("use a persistentVolumeClaim"),
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
