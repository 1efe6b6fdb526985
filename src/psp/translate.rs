//! A PodSecurityPolicy → the controls that say the same of a pod after `/mutate`, and what became of each field.

use serde_json::json;

use crate::psp::draft::Draft;
use crate::psp::parameters::{as_ranges, disjoint, distinct, set};
use crate::psp::report::Outcome;
use crate::psp::spec::CheckedPsp;
use crate::psp::written::{ANY, ProcMount, WrittenRange, WrittenSpec};
use crate::psp::{capability_lists, identities, profiles, volumes};

/// The sysctls that a PodSecurityPolicy took for safe without being told, as of Kubernetes 1.24.
const SAFE_SYSCTLS: [&str; 5] = [
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.ping_group_range",
    "net.ipv4.tcp_syncookies",
];

/// The ports that there are.
const PORTS: (i64, i64) = (1, 65_535);

/// The controls of a PodSecurityPolicy.
pub(super) fn translate(psp: &CheckedPsp) -> Draft {
    let mut draft = Draft::of(&psp.name);
    let spec = &psp.spec;
    of_host(spec, &mut draft);
    volumes::translate(spec, &mut draft);
    capability_lists::translate(spec, &mut draft);
    of_escalation(spec, &mut draft);
    of_root_filesystem(spec, &mut draft);
    identities::translate(spec, &mut draft);
    of_proc_mount(spec, &mut draft);
    of_sysctls(spec, &mut draft);
    of_runtime_class(spec, &mut draft);
    profiles::of_seccomp(&psp.seccomp, &mut draft);
    profiles::of_app_armor(&psp.app_armor, &mut draft);
    draft.finish()
}

fn of_host(spec: &WrittenSpec, draft: &mut Draft) {
    for (field, is_allowed, id) in [
        ("privileged", spec.privileged, "privilegedContainers"),
        ("hostPID", spec.host_pid, "hostPID"),
        ("hostIPC", spec.host_ipc, "hostIPC"),
        ("hostNetwork", spec.host_network, "hostNetwork"),
    ] {
        if is_allowed {
            draft.unrestricted(field, "is allowed, and needs no control");
        } else {
            draft.carry(field, id, json!({}));
        }
    }
    let (least, most) = PORTS;
    let ranges = spec.host_ports.iter().map(|range| (range.min.max(least), range.max.min(most)));
    let ranges = disjoint(ranges.filter(|(min, max)| min <= max));
    if ranges == [PORTS] {
        return draft.unrestricted("hostPorts", "every port is allowed, and needs no control");
    }
    draft.carry("hostPorts", "hostPortRanges", json!({ "allowed": as_ranges(&ranges) }));
    for WrittenRange { min, max } in spec.host_ports.iter().filter(|range| range.min > range.max) {
        let text = format!("min {min} is above max {max}, which allowed no port, and allows none now");
        draft.unrestricted("hostPorts", &text);
    }
    if spec.host_network {
        let text = "on the node's network ports of ephemeral containers count, too";
        draft.stricter("hostPorts", "hostPortRanges", text);
    }
}

fn of_escalation(spec: &WrittenSpec, draft: &mut Draft) {
    let id = "privilegeEscalation";
    let (allowed, default) = ("allowPrivilegeEscalation", "defaultAllowPrivilegeEscalation");
    match (spec.allow_privilege_escalation, spec.default_allow_privilege_escalation) {
        (Some(false), _) => {
            draft.carry(allowed, id, json!({ "fillIn": true }));
            let text = "false is filled in but for containers that are privileged, of which the API server takes no false: they are \
                        refused";
            draft.stricter(allowed, id, text);
        }
        (None | Some(true), Some(false)) => {
            draft.carry(default, id, json!({ "fillIn": true, "explicit": "Allowed" }));
            let text = "false is filled in but for containers that are privileged, of which the API server takes no false: these \
                        have to say true";
            draft.stricter(default, id, text);
        }
        (None | Some(true), None | Some(true)) => {
            let text = "is allowed, as where nothing is said, and needs no control; true is not written into containers that say nothing, \
                        of which it is true";
            draft.unrestricted(allowed, text);
        }
    }
}

fn of_root_filesystem(spec: &WrittenSpec, draft: &mut Draft) {
    let field = "readOnlyRootFilesystem";
    if spec.read_only_root_filesystem {
        draft.carry(field, field, json!({ "fillIn": true, "mountTmp": false }));
    } else {
        draft.unrestricted(field, "is not asked for, and needs no control");
    }
}

fn of_proc_mount(spec: &WrittenSpec, draft: &mut Draft) {
    let (field, id) = ("allowedProcMountTypes", "procMountTypes");
    let has = |wanted| spec.allowed_proc_mount_types.contains(&wanted);
    match (has(ProcMount::Default), has(ProcMount::Unmasked)) {
        (_, false) => draft.carry(field, id, json!({ "allowed": ["Default"] })),
        (true, true) => draft.carry(field, id, json!({ "allowed": ["Default", "Unmasked"] })),
        (false, true) => {
            // A control that demands Unmasked would make every pod ask for what hardly any may have.
            draft.admit_none(
                field,
                Outcome::Stricter,
                "Unmasked alone let only pods pass of which every container says Unmasked",
            );
        }
    }
}

fn of_sysctls(spec: &WrittenSpec, draft: &mut Draft) {
    let id = "sysctlNames";
    let (allowed_field, forbidden_field) = ("allowedUnsafeSysctls", "forbiddenSysctls");
    let forbidden = distinct(spec.forbidden_sysctls.iter().map(String::as_str));
    let is_forbidden = |name: &str| {
        let mut patterns = forbidden.iter();
        patterns.any(|pattern| match pattern.strip_suffix('*') {
            Some(start) => name.starts_with(start),
            None => name == *pattern,
        })
    };
    let allows_any = spec.allowed_unsafe_sysctls.iter().any(|pattern| pattern == ANY);
    if !forbidden.is_empty() {
        draft.note(forbidden_field, Outcome::CarriedOver, &[id], "is now forbidden of sysctlNames");
    }
    if allows_any {
        return draft.unrestricted(allowed_field, "every sysctl is allowed, and needs no control");
    }
    let unsafe_ones = spec.allowed_unsafe_sysctls.iter().map(String::as_str);
    let all = distinct(SAFE_SYSCTLS.into_iter().chain(unsafe_ones));
    let allowed: Vec<&str> = all.into_iter().filter(|pattern| !is_forbidden(pattern)).collect();
    let mut parameters = json!({ "allowed": allowed });
    if !forbidden.is_empty() {
        set(&mut parameters, "forbidden", json!(forbidden));
    }
    draft.control(id, parameters, &[allowed_field, forbidden_field]);
    let text = "is now allowed of sysctlNames, with the sysctls that Kubernetes 1.24 took for safe";
    draft.note(allowed_field, Outcome::CarriedOver, &[id], text);
    if spec.allowed_unsafe_sysctls.iter().any(|pattern| pattern.ends_with('*')) {
        draft.stricter(allowed_field, id, "a name that is written with slashes is refused, whatever it is");
    }
}

fn of_runtime_class(spec: &WrittenSpec, draft: &mut Draft) {
    let (field, id) = ("runtimeClass", "runtimeClasses");
    let Some(class) = &spec.runtime_class else { return };
    let allows_any = class.allowed_runtime_class_names.iter().any(|name| name == ANY);
    let mut parameters = json!({ "allowed": class.allowed_runtime_class_names });
    match &class.default_runtime_class_name {
        None if allows_any => return draft.unrestricted(field, "any class is allowed, and needs no control"),
        None => {}
        Some(default) => set(&mut parameters, "default", json!(default)),
    }
    draft.carry(field, id, parameters);
}
