//! `seccompProfile_baseline` (baseline): no profile that turns seccomp off.
//!
//! Until v1.18 profiles were in annotations, from v1.19 in fields; each revision checks only its own
//! place. At restricted, from v1.19, `seccompProfile_restricted` takes its place.

use smallvec::SmallVec;

use crate::controls::security_contexts::in_security_contexts;
use crate::controls::windows::NO_PROFILE;
use crate::controls::{Cel, Control, Doc, FoundValue, Level, Origin, Revision, Violation, text};
use crate::finding::{FieldPath, Finding, Fix, Found, Sink, Subject};
use crate::pod::Pod;

pub(super) static CONTROL: Control = Control {
    id: "seccompProfile_baseline",
    number: 10,
    values: &[FoundValue::Text],
    origin: Origin::Standard {
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
        rule: "Seccomp blocks system calls that a container does not need. The profile must not be `Unconfined`: \
               absent, `RuntimeDefault` and `Localhost` are allowed.",
        history: "Until v1.18 the annotations are judged and not the fields, from v1.19 the fields and not the \
                  annotations. At the restricted level, from v1.19, `seccompProfile_restricted` takes its place.",
        fields: &[
            "spec.securityContext.seccompProfile.type",
            "spec.{containers,initContainers,ephemeralContainers}[*].securityContext.seccompProfile.type",
            "metadata.annotations[seccomp.security.alpha.kubernetes.io/pod]",
            "metadata.annotations[container.seccomp.security.alpha.kubernetes.io/*]",
        ],
        fix: "Set the type to `RuntimeDefault`, or remove the profile. On Windows remove it.",
        example: "securityContext:\n  seccompProfile:\n    type: RuntimeDefault\n",
        cel: Cel::Whole,
    },
};

/// The types that are allowed, at restricted too.
pub(super) const ALLOWED: [&str; 2] = ["RuntimeDefault", "Localhost"];
pub(super) const FIELD: &str = "securityContext.seccompProfile.type";

const POD_ANNOTATION: &str = "seccomp.security.alpha.kubernetes.io/pod";
pub(super) const CONTAINER_ANNOTATION: &str = "container.seccomp.security.alpha.kubernetes.io/";
const ANNOTATION_VALUES: [&str; 2] = ["runtime/default", "localhost/<profile>"];

fn check_annotations<'p>(pod: &'p Pod<'_>, sink: &mut Sink<'_, 'p>) {
    for (key, value) in annotations(pod).filter(|(_, value)| !is_allowed_annotation(value)) {
        let path = FieldPath::from("annotations").key(key);
        sink(Finding::new(Subject::Metadata, path, Found::Text(value), Fix::one_of(&ANNOTATION_VALUES)));
    }
}

/// The pod's annotation and those of containers that exist; others are ignored.
pub(super) fn annotations<'p>(pod: &'p Pod<'_>) -> impl Iterator<Item = (&'p str, &'p str)> {
    let all = pod.metadata.annotations.iter().map(|(key, value)| (key.as_ref(), value.as_ref()));
    let of_containers = || {
        let mut names: SmallVec<[&str; 16]> = pod.containers().map(|(at, _)| at.name).collect();
        names.sort_unstable();
        names
    };
    let mut names = None;
    all.filter(move |(key, _)| {
        *key == POD_ANNOTATION
            || key
                .strip_prefix(CONTAINER_ANNOTATION)
                .is_some_and(|name| names.get_or_insert_with(of_containers).binary_search(&name).is_ok())
    })
}

fn is_allowed_annotation(value: &str) -> bool {
    ["runtime/default", "docker/default"].contains(&value) || value.starts_with("localhost/")
}

fn check_fields<'p>(pod: &'p Pod<'_>, sink: &mut Sink<'_, 'p>) {
    find_set(pod, sink);
}

/// Finds the profiles that are set and not allowed.
pub(super) fn find_set<'p>(pod: &'p Pod<'_>, sink: &mut Sink<'_, 'p>) {
    let profiles = in_security_contexts(
        pod,
        |of_pod| of_pod.seccomp_profile.as_ref().map(|profile| profile.kind.as_ref()),
        |own| own.seccomp_profile.as_ref().map(|profile| profile.kind.as_ref()),
    );
    for (subject, kind) in profiles.filter(|(_, kind)| !ALLOWED.contains(kind)) {
        let (fix, help) = if pod.is_windows() {
            (Fix::remove_at(subject, "securityContext.seccompProfile"), NO_PROFILE)
        } else {
            (Fix::one_of(&ALLOWED), "Localhost needs a localhostProfile")
        };
        sink(Finding::new(subject, FIELD, Found::Text(kind), fix).help(help));
    }
}

fn violation(findings: &[Finding<'_>]) -> Violation {
    let detail = forbidden_annotations(findings).unwrap_or_else(|| set(findings));
    Violation { reason: "seccompProfile", detail }
}

/// `forbidden annotation a="b"`, if any finding is about one.
pub(super) fn forbidden_annotations(findings: &[Finding<'_>]) -> Option<String> {
    let annotations: Vec<String> = findings.iter().filter_map(text::annotation).collect();
    let annotations = text::sorted_set(annotations.iter().map(String::as_str));
    let word = text::plural("annotation", annotations.len());
    (!annotations.is_empty()).then(|| format!("forbidden {word} {}", annotations.join(", ")))
}

/// `pod must not set securityContext.seccompProfile.type to "Unconfined"`
pub(super) fn set(findings: &[Finding<'_>]) -> String {
    format!(
        "{} must not set securityContext.seccompProfile.type to {}",
        text::setters(findings).join(" and "),
        text::quoted(text::sorted_set(text::found_texts(findings)))
    )
}
