//! What a PodSecurityPolicy said of capabilities.

use serde_json::json;

use crate::controls::known_capability;
use crate::psp::draft::Draft;
use crate::psp::parameters::{distinct, set};
use crate::psp::report::Outcome;
use crate::psp::written::{ANY, WrittenSpec};

const ID: &str = "capabilities";
const ALLOWED: &str = "allowedCapabilities";
const DROPPED: &str = "requiredDropCapabilities";
const ADDED: &str = "defaultAddCapabilities";
/// In `requiredDropCapabilities`: every one.
const ALL: &str = "ALL";
/// The one that no policy fills in.
const SYS_ADMIN: &str = "SYS_ADMIN";

pub(super) fn translate(spec: &WrittenSpec, draft: &mut Draft) {
    let allows_any = spec.allowed_capabilities.iter().any(|name| name == ANY);
    let required_drop = dropped(spec, draft);
    let (mut allowed, default_add) = added(spec, &required_drop, draft);
    let mut parameters = json!({});
    if allows_any {
        allowed = vec![ANY];
    }
    for (key, names) in
        [("allowed", &allowed), ("requiredDrop", &required_drop), ("defaultAdd", &default_add)]
    {
        if !names.is_empty() {
            set(&mut parameters, key, json!(names));
        }
    }
    if !required_drop.is_empty() {
        set(&mut parameters, "fillIn", json!(true));
    }
    if allows_any && default_add.is_empty() {
        return draft.unrestricted(ALLOWED, "any capability is allowed, and needs no control");
    }
    draft.control(ID, parameters, &[ALLOWED, DROPPED, ADDED]);
    draft.note(ALLOWED, Outcome::CarriedOver, &[ID], "is now allowed of capabilities");
    if !required_drop.is_empty() {
        draft.note(
            DROPPED,
            Outcome::CarriedOver,
            &[ID],
            "is now requiredDrop of capabilities, and filled in, but beside ALL, which drops them as well",
        );
    }
    if !default_add.is_empty() {
        draft.note(ADDED, Outcome::CarriedOver, &[ID], "is now defaultAdd of capabilities, and filled in");
    }
}

/// What has to be dropped, by its right name: another spelling meant nothing to a runtime.
fn dropped<'s>(spec: &'s WrittenSpec, draft: &mut Draft) -> Vec<&'s str> {
    let mut names = Vec::new();
    for name in &spec.required_drop_capabilities {
        match known_capability(name) {
            _ if name == ALL => names.push(ALL),
            Some(known) => {
                if known != name {
                    draft.stricter(DROPPED, ID, format!("{name:?} is written {known}, and that is dropped"));
                }
                names.push(known);
            }
            None if name.eq_ignore_ascii_case(ALL) => {
                draft.stricter(DROPPED, ID, format!("{name:?} is written ALL, and all are dropped"));
                names.push(ALL);
            }
            None => {
                let text = format!("{name:?} is no capability of Linux: to drop it did nothing");
                draft.note(DROPPED, Outcome::NoCounterpart, &[ID], text);
            }
        }
    }
    if names.contains(&ALL) { vec![ALL] } else { distinct(names) }
}

/// What may be added, and what every container is given.
fn added<'s>(
    spec: &'s WrittenSpec,
    required_drop: &[&str],
    draft: &mut Draft,
) -> (Vec<&'s str>, Vec<&'s str>) {
    let (mut allowed, mut given) = (Vec::new(), Vec::new());
    let lists = [(ALLOWED, &spec.allowed_capabilities), (ADDED, &spec.default_add_capabilities)];
    for (field, name) in
        lists.into_iter().flat_map(|(field, names)| names.iter().map(move |name| (field, name)))
    {
        let is_exact = known_capability(name) == Some(name.as_str());
        match field {
            ALLOWED if name == ANY => {}
            _ if !is_exact => draft.stricter(
                field,
                ID,
                format!("{name:?} is no capability as Kubernetes names them, and is left out"),
            ),
            _ if required_drop.contains(&name.as_str()) => {
                draft.stricter(field, ID, format!("{name:?} has to be dropped, and is left out"));
            }
            ADDED if name == SYS_ADMIN => {
                let text = "SYS_ADMIN may be added, but is filled in for nobody: it makes any container root on its node";
                draft.note(field, Outcome::OtherValue, &[ID], text);
                allowed.push(name.as_str());
            }
            ADDED => given.push(name.as_str()),
            _ => allowed.push(name.as_str()),
        }
    }
    (distinct(allowed), distinct(given))
}
