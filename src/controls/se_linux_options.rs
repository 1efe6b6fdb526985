//! `seLinuxOptions` (baseline): SELinux types for containers only, no user, no role.

use std::borrow::Cow;

use crate::controls::{Control, Doc, Finding, Found, Kind, Level, Remedy, Revision, Sink, Violation, text};
use crate::pod::{Field, Place, Pod, SeLinuxOptions};

pub(super) static CONTROL: Control = Control {
    id: "seLinuxOptions",
    number: 9,
    kind: Kind::Standard {
        level: Level::Baseline,
        revisions: &[Revision { since: 0, check }, Revision { since: 31, check: check_from_1_31 }],
        overrides: None,
    },
    violation,
    doc: Doc {
        title: "SELinux",
        rule: "The SELinux type may only be one that is made for containers (`container_t`, `container_init_t`, \
               `container_kvm_t`, `container_engine_t`) or absent; a user or role must not be set.",
        history: "`container_engine_t` since v1.31.",
        fields: &[
            "spec.securityContext.seLinuxOptions.{type,user,role}",
            "spec.{containers,initContainers,ephemeralContainers}[*].securityContext.seLinuxOptions.{type,user,role}",
        ],
        mend: "Remove the type, user and role; `level` may stay.",
        example: "securityContext:\n  seLinuxOptions:\n    level: s0:c123,c456\n",
    },
};

const TYPES: [&str; 3] = ["container_t", "container_init_t", "container_kvm_t"];
const TYPES_FROM_1_31: [&str; 4] =
    ["container_t", "container_init_t", "container_kvm_t", "container_engine_t"];

const TYPE: &str = "securityContext.seLinuxOptions.type";
const USER: &str = "securityContext.seLinuxOptions.user";
const ROLE: &str = "securityContext.seLinuxOptions.role";

fn check<'p>(pod: &'p Pod<'_>, sink: &mut Sink<'_, 'p>) {
    find(&TYPES, pod, sink);
}

fn check_from_1_31<'p>(pod: &'p Pod<'_>, sink: &mut Sink<'_, 'p>) {
    find(&TYPES_FROM_1_31, pod, sink);
}

fn find<'p>(types: &'static [&str], pod: &'p Pod<'_>, sink: &mut Sink<'_, 'p>) {
    if let Some(options) = &pod.spec.security.se_linux_options {
        find_in(types, Place::Pod, options, sink);
    }
    for (at, container) in pod.containers() {
        let options = container.security.as_ref().and_then(|security| security.se_linux_options.as_ref());
        if let Some(options) = options {
            find_in(types, Place::Container(at), options, sink);
        }
    }
}

fn find_in<'p>(
    types: &'static [&str],
    place: Place<'p>,
    options: &'p SeLinuxOptions<'_>,
    sink: &mut Sink<'_, 'p>,
) {
    let mut push = |name, value: &'p Cow<'_, str>, remedy| {
        sink(Finding::new(&CONTROL, place, Field::named(name), Found::Text(value), remedy));
    };
    if !options.kind.is_empty() && !types.contains(&options.kind.as_ref()) {
        push(TYPE, &options.kind, Remedy::Choose(types));
    }
    if !options.user.is_empty() {
        push(USER, &options.user, Remedy::Remove);
    }
    if !options.role.is_empty() {
        push(ROLE, &options.role, Remedy::Remove);
    }
}

fn violation(findings: &[Finding<'_>]) -> Violation {
    let mut parts = Vec::new();
    let types =
        text::sorted_set(text::found_texts(findings.iter().filter(|finding| finding.field.name == TYPE)));
    if !types.is_empty() {
        parts.push(format!("{} {}", text::plural("type", types.len()), text::quoted(types)));
    }
    for (name, part) in [(USER, "user may not be set"), (ROLE, "role may not be set")] {
        if findings.iter().any(|finding| finding.field.name == name) {
            parts.push(part.to_owned());
        }
    }
    Violation {
        reason: "seLinuxOptions",
        detail: format!(
            "{} set forbidden securityContext.seLinuxOptions: {}",
            text::setters(findings).join(" and "),
            parts.join("; ")
        ),
    }
}
