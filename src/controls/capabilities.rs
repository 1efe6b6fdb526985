//! `capabilities` (extended): the capabilities that containers may add, have to drop, and are given.

use serde::{Deserialize, Serialize};

use crate::controls::windows::{NOT_ON_WINDOWS, OTHER_POLICY};
use crate::controls::{
    Cel, Check, CheckedPod, Control, Doc, FoundValue, Origin, ParameterError, Parameters, Violation,
    capabilities_baseline, capabilities_restricted, lists, text,
};
use crate::finding::{Edit, EditOp, Finding, Fix, Found, Safety, Sink, Subject, Value};
use crate::pod::{Capabilities, Changes, Container, ContainerKind, ContainerRef, Pod};

pub(super) static CONTROL: Control = Control {
    id: "capabilities",
    number: 24,
    values: &[FoundValue::Capability],
    origin: Origin::Extended {
        parameters: Parameters::of::<CapabilityLists>(),
        depends_on: Changes::EPHEMERAL_CONTAINERS,
    },
    violation,
    doc: Doc {
        title: "Capabilities of the policy",
        rule: "A container may add only the capabilities in `allowed` or `defaultAdd`, `*` standing for any, and \
               never one in `requiredDrop`. It must drop every one in `requiredDrop`, by its name or with `ALL`; it \
               must add every one in `defaultAdd` unless it drops that by its name (`ALL` does not count), which is \
               asked neither of ephemeral containers nor on Windows. Names are exact: upper case, without `CAP_`. \
               Windows has no capabilities, so `requiredDrop` refuses pods with `os.name: windows`.",
        history: "Enabled where a policy sets `controls.capabilities`. With none of its lists no capability may be \
                  added.",
        fields: &[
            "spec.{containers,initContainers,ephemeralContainers}[*].securityContext.capabilities.drop",
            "spec.{containers,initContainers,ephemeralContainers}[*].securityContext.capabilities.add",
        ],
        fix: "Remove what the policy does not list from `capabilities.add`, and drop what it asks for, most often \
              `[ALL]`. `fillIn: true` adds what is missing to `drop`, and `defaultAdd` to `add`.",
        example: "containers:\n- name: trainer\n  securityContext:\n    capabilities:\n      drop: [ALL]\n",
        cel: Cel::Whole,
    },
};

const ADD: &str = capabilities_baseline::ADD;
const DROP: &str = capabilities_restricted::DROP;

/// In `allowed`: any.
const ANY: &str = "*";
/// In `drop` and `requiredDrop`: every one.
const ALL: &str = "ALL";
/// The one that makes a container root on its node.
const SYS_ADMIN: &str = "SYS_ADMIN";

/// The capabilities of Linux 6, as Kubernetes names them.
const KNOWN: [&str; 41] = [
    "AUDIT_CONTROL",
    "AUDIT_READ",
    "AUDIT_WRITE",
    "BLOCK_SUSPEND",
    "BPF",
    "CHECKPOINT_RESTORE",
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "IPC_LOCK",
    "IPC_OWNER",
    "KILL",
    "LEASE",
    "LINUX_IMMUTABLE",
    "MAC_ADMIN",
    "MAC_OVERRIDE",
    "MKNOD",
    "NET_ADMIN",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_RAW",
    "PERFMON",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_CHROOT",
    "SYS_MODULE",
    "SYS_NICE",
    "SYS_PACCT",
    "SYS_PTRACE",
    "SYS_RAWIO",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "SYSLOG",
    "WAKE_ALARM",
];

/// The parameters of `controls.capabilities`.
#[derive(Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct CapabilityLists {
    /// The capabilities that may be added: `NET_BIND_SERVICE`; `*` for any.
    #[serde(default)]
    allowed: Vec<String>,
    /// Those that every container has to drop; `ALL` for every one.
    #[serde(default)]
    required_drop: Vec<String>,
    /// Those that every container is given unless it drops them by name: filled in, with or without `fillIn`.
    #[serde(default)]
    default_add: Vec<String>,
    /// Whether what is missing of `requiredDrop`, which must not be empty then, is filled in.
    #[serde(default)]
    fill_in: bool,
}

impl Check for CapabilityLists {
    fn check<'p>(&'p self, CheckedPod { pod, .. }: CheckedPod<'p>, sink: &mut Sink<'_, 'p>) {
        for (at, container) in pod.containers() {
            if let Some(finding) = self.check_drop(pod, at, container) {
                sink(finding);
            }
        }
        capabilities_baseline::find_added(pod, sink, |added| self.fix_of(added));
        for (at, container) in pod.containers() {
            if let Some(finding) = self.check_given(pod, at, container) {
                sink(finding);
            }
        }
    }

    fn faults(&self) -> Vec<ParameterError> {
        let lists = [
            ("allowed", &self.allowed, Some(ANY)),
            ("requiredDrop", &self.required_drop, Some(ALL)),
            ("defaultAdd", &self.default_add, None),
        ];
        let mut faults = Vec::new();
        for (field, names, word) in lists {
            faults.extend(lists::repeated(field, names));
            faults.extend(lists::faults(field, names, |name| {
                if Some(name.as_str()) == word { None } else { self.fault_of(field, name) }
            }));
        }
        if self.required_drop.len() > 1 && self.required_drop.iter().any(|name| name == ALL) {
            faults.push(ParameterError::at("requiredDrop".into(), "ALL covers the others: leave them out"));
        }
        if self.allowed.len() > 1 && self.allows_any() {
            faults.push(ParameterError::at("allowed".into(), "* covers the others: leave them out"));
        }
        if self.fill_in && self.required_drop.is_empty() {
            faults.push(ParameterError::at(
                "fillIn".into(),
                "fills in requiredDrop, which is empty: remove it",
            ));
        }
        faults
    }
}

impl CapabilityLists {
    fn allows_any(&self) -> bool {
        self.allowed.iter().any(|name| name == ANY)
    }

    /// What is wrong with a name in a list of the policy.
    fn fault_of(&self, field: &str, name: &str) -> Option<String> {
        if !KNOWN.contains(&name) {
            return Some(unknown(field, name));
        }
        let is_dropped = self.required_drop.iter().any(|dropped| dropped == name);
        if field != "requiredDrop" && is_dropped {
            return Some(format!("{name} is in requiredDrop, too: leave it out of one of the two"));
        }
        let is_root = field == "defaultAdd" && name == SYS_ADMIN;
        is_root.then(|| "SYS_ADMIN makes any container root on its node: put it into allowed".to_owned())
    }

    /// What to do about an added capability; nothing if it may be added. What has to be dropped may not come back after
    /// `drop: [ALL]`, in whatever spelling.
    fn fix_of<'p>(&'p self, added: &str) -> Option<Fix<'p>> {
        let mut allowed = self.allowed.iter().chain(&self.default_add).map(String::as_str);
        let meant = capabilities_baseline::unprefixed(added);
        let mut dropped = self.required_drop.iter().filter(|name| *name != ALL);
        let comes_back =
            dropped.any(|name| meant.eq_ignore_ascii_case(ALL) || meant.eq_ignore_ascii_case(name));
        if comes_back {
            return Some(Fix::remove());
        }
        let is_allowed = self.allows_any() || allowed.clone().any(|name| name == added);
        (!is_allowed).then(|| capabilities_baseline::respelt(&mut allowed, added))
    }

    /// What a container does not drop of what it has to.
    fn check_drop<'p>(
        &'p self,
        pod: &Pod<'_>,
        at: ContainerRef<'p>,
        container: &'p Container<'_>,
    ) -> Option<Finding<'p>> {
        let dropped = capabilities_of(container).and_then(|capabilities| capabilities.drop.as_deref());
        let has = |name: &str| dropped.unwrap_or_default().iter().any(|dropped| dropped == name);
        if has(ALL) {
            return None;
        }
        let missing = Missing { names: &self.required_drop, is_there: has };
        missing.first()?;
        let found = dropped.map_or(Found::Absent, Found::List);
        let (fix, help) = if pod.is_windows() {
            (OTHER_POLICY, NOT_ON_WINDOWS)
        } else {
            let safety = safety(self.fill_in && at.kind != ContainerKind::Ephemeral);
            (missing.fix(safety, dropped.is_none()), "")
        };
        Some(Finding::new(Subject::Container(at), DROP, found, fix).help(help))
    }

    /// What a container neither adds nor drops of what it is given.
    fn check_given<'p>(
        &'p self,
        pod: &Pod<'_>,
        at: ContainerRef<'p>,
        container: &'p Container<'_>,
    ) -> Option<Finding<'p>> {
        if pod.is_windows() || at.kind == ContainerKind::Ephemeral {
            return None;
        }
        let capabilities = capabilities_of(container);
        let added = capabilities.map(|capabilities| &*capabilities.add).unwrap_or_default();
        let dropped = capabilities.and_then(|capabilities| capabilities.drop.as_deref()).unwrap_or_default();
        let has = |name: &str| added.iter().chain(dropped).any(|own| own == name);
        let missing = Missing { names: &self.default_add, is_there: has };
        missing.first()?;
        let found = if added.is_empty() { Found::Absent } else { Found::List(added) };
        Some(Finding::new(Subject::Container(at), ADD, found, missing.fix(Safety::Default, false)))
    }
}

/// The names of a list of the policy that are not in one of a container.
struct Missing<'p, F> {
    names: &'p [String],
    is_there: F,
}

impl<'p, F: Fn(&str) -> bool> Missing<'p, F> {
    fn names(&self) -> impl Iterator<Item = &'p str> {
        self.names.iter().map(String::as_str).filter(|name| !(self.is_there)(name))
    }

    fn first(&self) -> Option<&'p str> {
        self.names().next()
    }

    /// Add them. Where there is no list one alone is set, as the standard's own default is.
    fn fix(&self, safety: Safety, is_absent: bool) -> Fix<'p> {
        let mut names = self.names();
        match (names.next(), names.next()) {
            (Some(only), None) => {
                let op = if is_absent { EditOp::Set(Value::ListOf(only)) } else { EditOp::append_text(only) };
                Fix::Edit { op, safety }
            }
            (first, second) => {
                let all = first.into_iter().chain(second).chain(names);
                Fix::Edit { op: EditOp::append_texts(all), safety }
            }
        }
    }
}

fn safety(is_default: bool) -> Safety {
    if is_default { Safety::Default } else { Safety::Review }
}

fn capabilities_of<'c, 'a>(container: &'c Container<'a>) -> Option<&'c Capabilities<'a>> {
    container.security.as_ref()?.capabilities.as_ref()
}

/// The capability of Linux that a word means, in whatever case and with or without `CAP_`, as Kubernetes names it.
pub(crate) fn known_capability(written: &str) -> Option<&'static str> {
    let meant = capabilities_baseline::unprefixed(written);
    KNOWN.into_iter().find(|known| known.eq_ignore_ascii_case(meant))
}

/// What to write in place of a word that is no capability.
fn unknown(field: &str, written: &str) -> String {
    match (field, written) {
        ("allowed", ALL) => return "write * to allow any capability".to_owned(),
        ("defaultAdd", ALL) => return "name the capabilities that every container needs".to_owned(),
        ("requiredDrop", ANY) => return "write ALL to have every capability dropped".to_owned(),
        _ => {}
    }
    let is_all = capabilities_baseline::unprefixed(written).eq_ignore_ascii_case(ALL);
    match known_capability(written).or(is_all.then_some(ALL)) {
        Some(known) => format!("write {known}: names are upper case, without CAP_"),
        None => "is no capability of Linux: names are like NET_BIND_SERVICE".to_owned(),
    }
}

fn violation(findings: &[Finding<'_>]) -> Violation {
    let is_added = |finding: &Finding<'_>| finding.path.has_index();
    let of = |is_meant: &dyn Fn(&Finding<'_>) -> bool| -> Vec<Finding<'_>> {
        findings.iter().filter(|finding| is_meant(finding)).cloned().collect()
    };
    let mut parts = Vec::new();
    let missing = of(&|finding| finding.path.is(DROP));
    if !missing.is_empty() {
        parts.push(asked(&missing, DROP));
    }
    let adding = of(&is_added);
    if !adding.is_empty() {
        parts.push(capabilities_baseline::added(&adding));
    }
    let given = of(&|finding| finding.path.is(ADD));
    if !given.is_empty() {
        parts.push(asked(&given, ADD));
    }
    Violation { reason: "capabilities", detail: parts.join("; ") }
}

/// `container "c" must include "NET_RAW" in securityContext.capabilities.drop`
fn asked(findings: &[Finding<'_>], field: &str) -> String {
    let edits: Vec<Edit<'_>> = findings.iter().flat_map(Finding::edits).collect();
    let names = edits.iter().flat_map(|edit| match &edit.op {
        EditOp::Set(Value::ListOf(name)) => vec![*name],
        // Names have nothing to escape.
        EditOp::Append(items) => items.iter().map(|item| item.trim_matches('"')).collect(),
        EditOp::Set(_) | EditOp::Prepend(_) | EditOp::Remove => Vec::new(),
    });
    let names = text::sorted_set(names);
    let what = if names.is_empty() { "what the policy requires".to_owned() } else { text::quoted(names) };
    format!("{} must include {what} in {field}", text::containers(&text::container_names(findings)))
}
