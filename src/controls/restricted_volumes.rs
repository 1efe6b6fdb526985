//! `restrictedVolumes` (restricted): only volumes that Kubernetes itself manages.

use crate::controls::{
    Cel, Control, Doc, FoundValue, Level, Origin, Revision, Violation, host_path_volumes, text,
};
use crate::finding::{Choices, Finding, Fix, Found, Sink, Subject};
use crate::pod::{Pod, Volume, VolumeSource};

pub(super) static CONTROL: Control = Control {
    id: "restrictedVolumes",
    number: 15,
    values: &[FoundValue::VolumeSource],
    origin: Origin::Standard {
        level: Level::Restricted,
        revisions: &[Revision { since: 0, check }],
        overrides: Some(&host_path_volumes::CONTROL),
    },
    violation,
    doc: Doc {
        title: "Volume types (restricted)",
        rule: "A volume must be one of configMap, csi, downwardAPI, emptyDir, ephemeral, image, \
               persistentVolumeClaim, projected or secret. Storage such as NFS or a cloud disk is reached through a claim.",
        history: "",
        fields: &["spec.volumes[*]"],
        fix: "Replace the volume with a `persistentVolumeClaim`; an administrator can create one for an NFS \
              share, a cloud disk or a directory of a node.",
        example: "volumes:\n- name: datasets\n  persistentVolumeClaim:\n    claimName: datasets\n",
        cel: Cel::Whole,
    },
};

/// What the fix offers: the claim first, since most refused volumes hold data.
const OFFERED: [&str; 9] = [
    "persistentVolumeClaim",
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "image",
    "projected",
    "secret",
];

fn check<'p>(pod: &'p Pod<'_>, sink: &mut Sink<'_, 'p>) {
    for (index, volume) in pod.spec.volumes.iter().enumerate() {
        if !volume.has_restricted_safe() {
            let fix = Fix::OneOf(Choices::Fixed(&OFFERED));
            sink(finding(index, volume, volume.sources().next(), fix));
        }
    }
}

/// A volume with a source that is not allowed; without a source it is of no type that we know.
pub(super) fn finding<'p>(
    index: usize,
    volume: &'p Volume<'_>,
    source: Option<VolumeSource>,
    fix: Fix<'p>,
) -> Finding<'p> {
    Finding::new(
        Subject::Volume(index, &volume.name),
        source.map_or("", VolumeSource::name),
        Found::Text(source.map_or("unknown", VolumeSource::name)),
        fix,
    )
}

fn violation(findings: &[Finding<'_>]) -> Violation {
    Violation { reason: "restricted volume types", detail: detail(findings, "restricted volume type", "") }
}

/// `volume "v" uses restricted volume type "nfs"`
pub(super) fn detail(findings: &[Finding<'_>], what: &str, which: &str) -> String {
    let names = text::volume_names(findings);
    let types = text::sorted_set(text::found_texts(findings));
    let volumes = if names.len() == 1 { "volume " } else { "volumes " };
    let names_quoted = text::quoted(names.iter().copied());
    let plural = if types.len() == 1 { "" } else { "s" };
    let uses = text::uses(names.len());
    [volumes, &names_quoted, " ", uses, " ", what, plural, which, " ", &text::quoted(types)].concat()
}
