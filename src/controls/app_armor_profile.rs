//! `appArmorProfile` (baseline): no profile that turns AppArmor off.
//!
//! Fields and annotations are both judged at every version, and every annotation with the prefix,
//! whether or not it names a container of the pod.

use std::borrow::Cow;

use crate::controls::{Control, Doc, Finding, Found, Kind, Level, Remedy, Revision, Sink, Violation, text};
use crate::pod::{Field, Place, Pod};

pub(super) static CONTROL: Control = Control {
    id: "appArmorProfile",
    number: 18,
    kind: Kind::Standard {
        level: Level::Baseline,
        revisions: &[Revision { since: 0, check }],
        overrides: None,
    },
    violation,
    doc: Doc {
        title: "AppArmor",
        rule: "On nodes with AppArmor the runtime's profile holds by default, and must not be turned off or replaced but \
               by one that the node has: absent, `RuntimeDefault` and `Localhost` pass.",
        history: "",
        fields: &[
            "spec.securityContext.appArmorProfile.type",
            "spec.{containers,initContainers,ephemeralContainers}[*].securityContext.appArmorProfile.type",
            "metadata.annotations[container.apparmor.security.beta.kubernetes.io/*]",
        ],
        mend: "Remove the profile, or set its type to `RuntimeDefault`; remove the annotation.",
        example: "securityContext:\n  appArmorProfile:\n    type: RuntimeDefault\n",
    },
};

const ALLOWED: [&str; 2] = ["RuntimeDefault", "Localhost"];
const FIELD: Field = Field::named("securityContext.appArmorProfile.type");
const ANNOTATION: &str = "container.apparmor.security.beta.kubernetes.io/";

fn check<'p>(pod: &'p Pod<'_>, sink: &mut Sink<'_, 'p>) {
    let of_pod = pod.spec.security.app_armor_profile.as_deref().map(|kind| (Place::Pod, kind));
    let of_containers = pod.containers().filter_map(|(at, container)| {
        let kind = container.security.as_ref()?.app_armor_profile.as_deref()?;
        Some((Place::Container(at), kind))
    });
    for (place, kind) in of_pod.into_iter().chain(of_containers) {
        if !ALLOWED.contains(&kind) {
            sink(Finding::new(&CONTROL, place, FIELD, Found::Text(kind), Remedy::Choose(&ALLOWED)));
        }
    }
    for (key, value) in &pod.metadata.annotations {
        if key.starts_with(ANNOTATION) && !is_allowed_annotation(value) {
            sink(Finding::new(
                &CONTROL,
                Place::Annotation(key),
                Field::named(""),
                Found::Text(value),
                Remedy::Remove,
            ));
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
