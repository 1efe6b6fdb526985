//! `appArmorProfile` (baseline): no profile that turns AppArmor off.
//!
//! Fields and annotations are both judged at every version, and every annotation with the prefix,
//! whether or not it names a container of the pod.

use std::borrow::Cow;

use crate::controls::security_contexts::in_security_contexts;
use crate::controls::windows::NO_PROFILE;
use crate::controls::{Cel, Control, Doc, FoundValue, Level, Origin, Revision, Violation, text};
use crate::finding::{FieldPath, Finding, Fix, Found, Sink, Subject};
use crate::pod::Pod;

pub(super) static CONTROL: Control = Control {
    id: "appArmorProfile",
    number: 18,
    values: &[FoundValue::Text],
    origin: Origin::Standard {
        level: Level::Baseline,
        revisions: &[Revision { since: 0, check }],
        overrides: None,
    },
    violation,
    doc: Doc {
        title: "AppArmor",
        rule: "On nodes with AppArmor the runtime's profile applies by default. It must not be turned off, and \
               may only be replaced by a profile that the node has: absent, `RuntimeDefault` and `Localhost` are \
               allowed.",
        history: "",
        fields: &[
            "spec.securityContext.appArmorProfile.type",
            "spec.{containers,initContainers,ephemeralContainers}[*].securityContext.appArmorProfile.type",
            "metadata.annotations[container.apparmor.security.beta.kubernetes.io/*]",
        ],
        fix: "Remove the profile, or set its type to `RuntimeDefault`, which only nodes with AppArmor take; remove the \
              annotation.",
        example: "securityContext:\n  appArmorProfile:\n    type: RuntimeDefault\n",
        cel: Cel::Whole,
    },
};

const ALLOWED: [&str; 2] = ["RuntimeDefault", "Localhost"];
/// The type of a profile.
pub(super) const FIELD: &str = "securityContext.appArmorProfile.type";
/// Before the name of a container.
pub(super) const ANNOTATION: &str = "container.apparmor.security.beta.kubernetes.io/";

fn check<'p>(pod: &'p Pod<'_>, sink: &mut Sink<'_, 'p>) {
    let profiles = in_security_contexts(
        pod,
        |of_pod| of_pod.app_armor_profile.as_ref().map(|profile| profile.kind.as_ref()),
        |own| own.app_armor_profile.as_ref().map(|profile| profile.kind.as_ref()),
    );
    for (subject, kind) in profiles.filter(|(_, kind)| !ALLOWED.contains(kind)) {
        let (fix, help) = if pod.is_windows() {
            (Fix::remove_at(subject, "securityContext.appArmorProfile"), NO_PROFILE)
        } else {
            (Fix::one_of(&ALLOWED), "or remove the whole profile: the runtime's own then holds")
        };
        sink(Finding::new(subject, FIELD, Found::Text(kind), fix).help(help));
    }
    for (key, value) in &pod.metadata.annotations {
        if key.starts_with(ANNOTATION) && !is_allowed_annotation(value) {
            let path = FieldPath::from("annotations").key(key);
            sink(Finding::new(Subject::Metadata, path, Found::Text(value), Fix::remove()));
        }
    }
}

fn is_allowed_annotation(value: &str) -> bool {
    value.is_empty() || value == "runtime/default" || value.starts_with("localhost/")
}

/// The one control whose reason changes: it counts the bad values, not who set them.
fn violation(findings: &[Finding<'_>]) -> Violation {
    let split = findings.iter().position(|finding| text::annotation(finding).is_some());
    let (of_fields, of_annotations) = findings.split_at(split.unwrap_or(findings.len()));
    let mut setters = text::setters(of_fields);
    if !of_annotations.is_empty() {
        setters.push(text::plural("annotation", of_annotations.len()));
    }
    let mut annotations: Vec<String> = of_annotations.iter().filter_map(text::annotation).collect();
    annotations.sort_unstable();
    let types = text::sorted_set(text::found_texts(of_fields));
    let values: Vec<Cow<'_, str>> =
        types.into_iter().map(Cow::from).chain(annotations.into_iter().map(Cow::from)).collect();
    Violation {
        reason: if values.len() == 1 { "forbidden AppArmor profile" } else { "forbidden AppArmor profiles" },
        detail: format!(
            "{} must not set AppArmor profile type to {}",
            setters.join(" and "),
            text::quoted(values.iter().map(AsRef::as_ref))
        ),
    }
}
