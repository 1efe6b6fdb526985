//! A PodSecurityPolicy as it was written → one that makes sense, by the rules of the API server that took it.

use crate::path::Path;
use crate::pod::is_dns_subdomain;
use crate::policy::PlacedFaults;
use crate::psp::profile_names::{self, ProfileNames};
use crate::psp::written::{ANY, GroupRule, WrittenGroup, WrittenPsp, WrittenRange, WrittenSpec};
use crate::text::quoted;

/// A PodSecurityPolicy that an API server would have taken.
#[derive(Debug)]
pub(super) struct CheckedPsp {
    pub(super) name: String,
    pub(super) spec: WrittenSpec,
    pub(super) seccomp: ProfileNames,
    pub(super) app_armor: ProfileNames,
}

/// Longest name of a sysctl.
const LONGEST_SYSCTL: usize = 253;

/// Checks what its shape does not say. Faults are reported; what is returned then is of no use.
pub(super) fn check(written: WrittenPsp, faults: &mut PlacedFaults<'_>) -> CheckedPsp {
    let WrittenPsp { metadata, spec, .. } = written;
    if metadata.namespace.is_some() {
        let message = "a PodSecurityPolicy is of the cluster: remove the namespace";
        faults.fault(&Path::from_dotted("metadata.namespace"), message);
    }
    if !is_dns_subdomain(&metadata.name) {
        let message = format!(
            "{} is no name of a PodSecurityPolicy: it has up to 253 lower-case letters, digits, \"-\" and \".\"",
            quoted(&metadata.name)
        );
        faults.fault(&Path::from_dotted("metadata.name"), message);
    }
    check_capabilities(&spec, faults);
    check_volumes(&spec, faults);
    check_sysctls("allowedUnsafeSysctls", &spec.allowed_unsafe_sysctls, faults);
    check_sysctls("forbiddenSysctls", &spec.forbidden_sysctls, faults);
    check_overlaps(&spec, faults);
    check_ranges("runAsUser", &spec.run_as_user.ranges, faults);
    for (field, group) in [("supplementalGroups", &spec.supplemental_groups), ("fsGroup", &spec.fs_group)] {
        check_ranges(field, &group.ranges, faults);
    }
    if let Some(group) = &spec.run_as_group {
        check_ranges("runAsGroup", &group.ranges, faults);
        check_run_as_group(group, faults);
    }
    if spec.default_allow_privilege_escalation == Some(true) && spec.allow_privilege_escalation == Some(false)
    {
        let message = "cannot be true beside allowPrivilegeEscalation: false: remove one of the two";
        faults.fault(&at("defaultAllowPrivilegeEscalation"), message);
    }
    check_runtime_classes(&spec, faults);
    let seccomp = profile_names::of_seccomp(&metadata.annotations, faults);
    let app_armor = profile_names::of_app_armor(&metadata.annotations, faults);
    CheckedPsp { name: metadata.name, spec, seccomp, app_armor }
}

/// The path of a field of `spec`.
fn at(field: &'static str) -> Path<'static> {
    Path::root().key("spec").key(field)
}

fn check_capabilities(spec: &WrittenSpec, faults: &mut PlacedFaults<'_>) {
    let dropped = &spec.required_drop_capabilities;
    if !dropped.is_empty() && spec.allowed_capabilities.iter().any(|name| name == ANY) {
        let message = "must be empty beside allowedCapabilities: [\"*\"]: remove one of the two";
        faults.fault(&at("requiredDropCapabilities"), message);
    }
    let lists = [
        ("allowedCapabilities", &spec.allowed_capabilities),
        ("defaultAddCapabilities", &spec.default_add_capabilities),
    ];
    for (field, names) in lists {
        for (index, name) in names.iter().enumerate().filter(|(_, name)| dropped.contains(name)) {
            let message = format!(
                "{} is in requiredDropCapabilities, too: leave it out of one of the two",
                quoted(name)
            );
            faults.fault(&at(field).index(index), message);
        }
    }
}

fn check_volumes(spec: &WrittenSpec, faults: &mut PlacedFaults<'_>) {
    for (index, path) in spec.allowed_host_paths.iter().enumerate() {
        if path.path_prefix.split('/').any(|name| name == "..") {
            let message = "must not have .. in it: write the directory that is meant";
            faults.fault(&at("allowedHostPaths").index(index).key("pathPrefix"), message);
        }
    }
}

/// As the API server had it: names with dots, in lower case, with a `*` at the end at most.
fn check_sysctls(field: &'static str, patterns: &[String], faults: &mut PlacedFaults<'_>) {
    for (index, pattern) in patterns.iter().enumerate() {
        let name = pattern.strip_suffix('*').unwrap_or(pattern);
        let is_inner =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_.".contains(&byte);
        if pattern.is_empty() || pattern.len() > LONGEST_SYSCTL || !name.bytes().all(is_inner) {
            let message = format!(
                "{} is no name of a sysctl: write it in lower case and with dots, with a * at its end at most",
                quoted(pattern)
            );
            faults.fault(&at(field).index(index), message);
        }
    }
    if patterns.len() > 1 && patterns.iter().any(|pattern| pattern == ANY) {
        faults.fault(&at(field), "* is every sysctl: leave the others out");
    }
}

/// No sysctl may be both: what is allowed is looked at, or what is forbidden if all of that is allowed.
fn check_overlaps(spec: &WrittenSpec, faults: &mut PlacedFaults<'_>) {
    let (allowed, forbidden) = ("allowedUnsafeSysctls", "forbiddenSysctls");
    for (index, name) in spec.allowed_unsafe_sysctls.iter().enumerate() {
        for (other, denied) in spec.forbidden_sysctls.iter().enumerate() {
            let (place, pattern) = if is_within(name, denied) {
                (at(allowed).index(index), format!("{forbidden}: {}", quoted(denied)))
            } else if is_within(denied, name) {
                (at(forbidden).index(other), format!("{allowed}: {}", quoted(name)))
            } else {
                continue;
            };
            faults.fault(&place, format!("is in {pattern}, too: leave it out of one of the two"));
        }
    }
}

/// Whether a pattern of sysctls stands for all that another one does.
fn is_within(one: &str, other: &str) -> bool {
    match other.strip_suffix(ANY) {
        Some(start) => one.strip_suffix(ANY).unwrap_or(one).starts_with(start),
        None => one == other,
    }
}

fn check_ranges(field: &'static str, ranges: &[WrittenRange], faults: &mut PlacedFaults<'_>) {
    for (index, WrittenRange { min, max }) in ranges.iter().enumerate() {
        let at = || at(field).key("ranges").index(index);
        if *min < 0 || *max < 0 {
            faults.fault(&at(), "ids are not negative");
        } else if min > max {
            faults.fault(&at(), format!("min {min} is above max {max}: exchange them"));
        }
    }
}

fn check_run_as_group(group: &WrittenGroup, faults: &mut PlacedFaults<'_>) {
    let at = at("runAsGroup").key("ranges");
    match (group.rule, group.ranges.is_empty()) {
        (GroupRule::RunAsAny, false) => {
            faults.fault(&at, "RunAsAny takes no ranges: remove them, or write MustRunAs")
        }
        (GroupRule::MayRunAs | GroupRule::MustRunAs, true) => {
            faults.fault(&at, "needs at least one range: give one, or write RunAsAny");
        }
        (GroupRule::RunAsAny, true) | (GroupRule::MayRunAs | GroupRule::MustRunAs, false) => {}
    }
}

fn check_runtime_classes(spec: &WrittenSpec, faults: &mut PlacedFaults<'_>) {
    let Some(class) = &spec.runtime_class else { return };
    let allowed = &class.allowed_runtime_class_names;
    let list = at("runtimeClass").key("allowedRuntimeClassNames");
    let is_name = |name: &str| {
        let is_inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.".contains(&byte);
        !name.is_empty() && name.bytes().all(is_inner)
    };
    for (index, name) in allowed.iter().enumerate() {
        if name != ANY && !is_name(name) {
            faults
                .fault(&list.clone().index(index), format!("no runtime class can be named {}", quoted(name)));
        } else if allowed.iter().take(index).any(|before| before == name) {
            faults.fault(&list.clone().index(index), "is listed twice: keep one of the two");
        }
    }
    let allows_any = allowed.iter().any(|name| name == ANY);
    if allows_any && allowed.len() > 1 {
        faults.fault(&list, "* is every class: leave the others out");
    }
    let of_default = at("runtimeClass").key("defaultRuntimeClassName");
    match &class.default_runtime_class_name {
        Some(name) if !is_name(name) => {
            faults.fault(&of_default, format!("no runtime class can be named {}", quoted(name)));
        }
        Some(name) if !allows_any && !allowed.contains(name) => {
            faults.fault(&of_default, "is not among allowedRuntimeClassNames: add it there");
        }
        Some(_) | None => {}
    }
}
