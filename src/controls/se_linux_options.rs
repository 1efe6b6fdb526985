//! `seLinuxOptions` (baseline): SELinux types for containers only, no user, no role.

use std::borrow::Cow;

use crate::controls::security_contexts::in_security_contexts;
use crate::controls::{Cel, Control, Doc, FoundValue, Level, Origin, Revision, Violation, text};
use crate::finding::{Finding, Fix, Found, Sink, Subject};
use crate::pod::{Pod, SeLinuxOptions};

pub(super) static CONTROL: Control = Control {
    id: "seLinuxOptions",
    number: 9,
    values: &[FoundValue::Text],
    origin: Origin::Standard {
        level: Level::Baseline,
        revisions: &[Revision { since: 0, check }, Revision { since: 31, check: check_from_1_31 }],
        overrides: None,
    },
    violation,
    doc: Doc {
        title: "SELinux",
        rule: "The SELinux type must be absent or one that is made for containers (`container_t`, \
               `container_init_t`, `container_kvm_t`, `container_engine_t`); a user or role must not be set.",
        history: "`container_engine_t` since v1.31.",
        fields: &[
            "spec.securityContext.seLinuxOptions.{type,user,role}",
            "spec.{containers,initContainers,ephemeralContainers}[*].securityContext.seLinuxOptions.{type,user,role}",
        ],
        fix: "Remove the type, user and role; `level` may stay.",
        example: "securityContext:\n  seLinuxOptions:\n    level: s0:c123,c456\n",
        cel: Cel::Whole,
    },
};

const TYPES: [&str; 3] = ["container_t", "container_init_t", "container_kvm_t"];
const TYPES_FROM_1_31: [&str; 4] =
    ["container_t", "container_init_t", "container_kvm_t", "container_engine_t"];

pub(super) const TYPE: &str = "securityContext.seLinuxOptions.type";
pub(super) const USER: &str = "securityContext.seLinuxOptions.user";
pub(super) const ROLE: &str = "securityContext.seLinuxOptions.role";

fn check<'p>(pod: &'p Pod<'_>, sink: &mut Sink<'_, 'p>) {
    find(&TYPES, pod, sink);
}

fn check_from_1_31<'p>(pod: &'p Pod<'_>, sink: &mut Sink<'_, 'p>) {
    find(&TYPES_FROM_1_31, pod, sink);
}

fn find<'p>(types: &'static [&str], pod: &'p Pod<'_>, sink: &mut Sink<'_, 'p>) {
    let options = in_security_contexts(
        pod,
        |of_pod| of_pod.se_linux_options.as_deref(),
        |own| own.se_linux_options.as_deref(),
    );
    for (subject, options) in options {
        find_in(types, pod.is_windows(), subject, options, sink);
    }
}

fn find_in<'p>(
    types: &'static [&str],
    is_windows: bool,
    subject: Subject<'p>,
    options: &'p SeLinuxOptions<'_>,
    sink: &mut Sink<'_, 'p>,
) {
    let mut push = |name, value: &'p Cow<'_, str>, fix| {
        sink(Finding::new(subject, name, Found::Text(value), fix));
    };
    if !options.kind.is_empty() && !types.contains(&options.kind.as_ref()) {
        push(TYPE, &options.kind, if is_windows { Fix::remove() } else { Fix::one_of(types) });
    }
    if !options.user.is_empty() {
        push(USER, &options.user, Fix::remove());
    }
    if !options.role.is_empty() {
        push(ROLE, &options.role, Fix::remove());
    }
}

fn violation(findings: &[Finding<'_>]) -> Violation {
    let mut parts = Vec::new();
    let types = text::sorted_set(text::found_texts(findings.iter().filter(|finding| finding.path.is(TYPE))));
    if !types.is_empty() {
        parts.push(format!("{} {}", text::plural("type", types.len()), text::quoted(types)));
    }
    for (name, part) in [(USER, "user may not be set"), (ROLE, "role may not be set")] {
        if findings.iter().any(|finding| finding.path.is(name)) {
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
