//! `procMount_restricted` (restricted, from v1.35): `/proc` stays masked, in a user namespace too.

use crate::controls::{Cel, Control, Doc, FoundValue, Level, Origin, Revision, proc_mount};
use crate::finding::Sink;
use crate::pod::Pod;

pub(super) static CONTROL: Control = Control {
    id: "procMount_restricted",
    number: 6,
    values: &[FoundValue::Text],
    origin: Origin::Standard {
        level: Level::Restricted,
        revisions: &[Revision { since: 35, check }],
        overrides: Some(&proc_mount::CONTROL),
    },
    violation: proc_mount::violation,
    doc: Doc {
        title: "/proc mount type (restricted)",
        rule: "At the restricted level the mount type of `/proc` must be absent or `Default` even for a pod in a \
               user namespace.",
        history: "Since v1.35, when `procMount` began to exempt such pods at baseline.",
        fields: &["spec.{containers,initContainers,ephemeralContainers}[*].securityContext.procMount"],
        fix: "Remove `procMount`.",
        example: "containers:\n- name: trainer\n  securityContext:\n    procMount: Default\n",
        cel: Cel::Whole,
    },
};

fn check<'p>(pod: &'p Pod<'_>, sink: &mut Sink<'_, 'p>) {
    proc_mount::find_unmasked(pod, sink);
}
