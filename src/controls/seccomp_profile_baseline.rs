//! `seccompProfile_baseline` (baseline): no profile that turns seccomp off.
//!
//! Until v1.18 profiles stood in annotations, from v1.19 in fields; each revision looks at its own
//! place alone. At restricted, from v1.19, `seccompProfile_restricted` takes its place.

use std::collections::HashSet;

use crate::controls::{Control, Doc, Finding, Found, Kind, Level, Remedy, Revision, Sink, Violation, text};
use crate::pod::{Field, Place, Pod};

pub(super) static CONTROL: Control = Control {
    id: "seccompProfile_baseline",
    number: 10,
    kind: Kind::Standard {
        level: Level::Baseline,
        revisions: &[
            Revision { since: 0, check: check_annotations },
            Revision { since: 19, check: check_fields },
        ],
        overrides: None,
    },
    violation,
    doc: Doc {
        title: "Seccomp",
        rule: "Seccomp keeps system calls that a container does not need away from the kernel. The profile must \
               not be `Unconfined`: absent, `RuntimeDefault` or `Localhost` pass.",
        history: "Until v1.18 the annotations are judged and the fields are not, from v1.19 the other way round. At the \
                  restricted level, from v1.19, `seccompProfile_restricted` takes its place.",
        fields: &[
            "spec.securityContext.seccompProfile.type",
            "spec.{containers,initContainers,ephemeralContainers}[*].securityContext.seccompProfile.type",
            "metadata.annotations[seccomp.security.alpha.kubernetes.io/pod]",
            "metadata.annotations[container.seccomp.security.alpha.kubernetes.io/*]",
        ],
        mend: "Set the type to `RuntimeDefault`, or remove the profile.",
        example: "securityContext:\n  seccompProfile:\n    type: RuntimeDefault\n",
    },
};

/// The types that pass, at restricted too.
pub(super) const ALLOWED: [&str; 2] = ["RuntimeDefault", "Localhost"];
pub(super) const FIELD: Field = Field::named("securityContext.seccompProfile.type");

const POD_ANNOTATION: &str = "seccomp.security.alpha.kubernetes.io/pod";
const CONTAINER_ANNOTATION: &str = "container.seccomp.security.alpha.kubernetes.io/";
const ANNOTATION_VALUES: [&str; 2] = ["runtime/default", "localhost/<profile>"];

/// Judges the pod's annotation and those of containers that exist; others are not looked at.
fn check_annotations<'p>(pod: &'p Pod<'_>, sink: &mut Sink<'_, 'p>) {
    if pod.metadata.annotations.is_empty() {
        return;
    }
    let names: HashSet<&str> = pod.containers().map(|(at, _)| at.name).collect();
    for (key, value) in &pod.metadata.annotations {
        let of_container = key.strip_prefix(CONTAINER_ANNOTATION);
        let is_ours = key == POD_ANNOTATION || of_container.is_some_and(|name| names.contains(name));
        if is_ours && !is_allowed_annotation(value) {
            sink(Finding::new(
                &CONTROL,
                Place::Annotation(key),
                Field::named(""),
                Found::Text(value),
                Remedy::Choose(&ANNOTATION_VALUES),
            ));
        }
    }
}

fn is_allowed_annotation(value: &str) -> bool {
    ["runtime/default", "docker/default"].contains(&value) || value.starts_with("localhost/")
}

fn check_fields<'p>(pod: &'p Pod<'_>, sink: &mut Sink<'_, 'p>) {
    find_set(&CONTROL, pod, sink);
}

/// Finds the profiles that are set and not allowed.
pub(super) fn find_set<'p>(control: &'static Control, pod: &'p Pod<'_>, sink: &mut Sink<'_, 'p>) {
    let of_pod = pod.spec.security.seccomp_profile.as_deref().map(|kind| (Place::Pod, kind));
    let of_containers = pod.containers().filter_map(|(at, container)| {
        let kind = container.security.as_ref()?.seccomp_profile.as_deref()?;
        Some((Place::Container(at), kind))
    });
    for (place, kind) in of_pod.into_iter().chain(of_containers) {
        if !ALLOWED.contains(&kind) {
            sink(Finding::new(control, place, FIELD, Found::Text(kind), Remedy::Choose(&ALLOWED)));
        }
    }
}

fn violation(findings: &[Finding<'_>]) -> Violation {
    let annotations: Vec<String> = findings.iter().filter_map(text::annotation).collect();
    let detail = if annotations.is_empty() {
        set(findings)
    } else {
        let annotations = text::sorted_set(annotations.iter().map(String::as_str));
        let word = text::plural("annotation", annotations.len());
        format!("forbidden {word} {}", annotations.join(", "))
    };
    Violation { reason: "seccompProfile", detail }
}

/// `pod must not set securityContext.seccompProfile.type to "Unconfined"`
pub(super) fn set(findings: &[Finding<'_>]) -> String {
    format!(
        "{} must not set securityContext.seccompProfile.type to {}",
        text::setters(findings).join(" and "),
        text::quoted(text::sorted_set(text::found_texts(findings)))
    )
}
