//! Who may use which PodSecurityPolicy where: the Roles and bindings that grant the verb `use` on it.

use std::collections::{BTreeMap, BTreeSet};

use crate::psp::read::{FoundBinding, FoundRole, Objects};
use crate::psp::report::{Note, Outcome};
use crate::psp::written::{RoleKind, SubjectKind, WrittenRule, WrittenSubject};
use crate::text::{Printable, quoted};

/// A right to use one PodSecurityPolicy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct UseGrant {
    /// Its place among the PodSecurityPolicies.
    pub(super) psp: usize,
    /// The namespace of the pods; everywhere without one.
    pub(super) namespace: Option<String>,
    pub(super) holder: Holder,
}

/// Whose pods it is for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Holder {
    /// Every service account.
    Everybody,
    /// Every service account of a namespace.
    AllOf(String),
    /// One service account: its namespace and its name.
    Account(String, String),
}

impl UseGrant {
    /// The same among those of all namespaces: what a RoleBinding grants to everybody, it grants to the accounts of its namespace.
    /// `None` if it is for nobody who runs pods there.
    pub(super) fn in_whole_cluster(&self) -> Option<Self> {
        let Some(namespace) = &self.namespace else { return Some(self.clone()) };
        let holder = match &self.holder {
            Holder::Everybody => Holder::AllOf(namespace.clone()),
            Holder::AllOf(of) | Holder::Account(of, _) if of == namespace => self.holder.clone(),
            Holder::AllOf(_) | Holder::Account(..) => return None,
        };
        Some(Self { holder, ..self.clone() })
    }
}

const PSP_GROUPS: [&str; 2] = ["policy", "extensions"];
const PSP_RESOURCE: &str = "podsecuritypolicies";
const USE: &str = "use";
const EVERY: &str = "*";
const ACCOUNT_USER: &str = "system:serviceaccount:";
const ALL_ACCOUNTS: &str = "system:serviceaccounts";
const AUTHENTICATED: &str = "system:authenticated";
/// What the report calls all of this.
const FIELD: &str = "use";

impl Holder {
    /// Whether some account may be one of both.
    pub(super) fn meets(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Everybody, _) | (_, Self::Everybody) => true,
            (Self::AllOf(one) | Self::Account(one, _), Self::AllOf(other))
            | (Self::AllOf(one), Self::Account(other, _)) => one == other,
            (Self::Account(..), Self::Account(..)) => self == other,
        }
    }
}

/// The rights, and what of the Roles and bindings could not be followed.
pub(super) fn resolve(objects: &Objects, notes: &mut Vec<Note>) -> Vec<UseGrant> {
    let roles: BTreeMap<(RoleKind, &str, &str), &FoundRole> = objects
        .roles
        .iter()
        .map(|role| {
            let namespace = role.written.metadata.namespace.as_deref().unwrap_or_default();
            ((role.kind, namespace, role.written.metadata.name.as_str()), role)
        })
        .collect();
    let mut grants = Vec::new();
    for binding in &objects.bindings {
        let namespace = binding.written.metadata.namespace.as_deref().unwrap_or_default();
        let role = &binding.written.role_ref;
        let of_role = if role.kind == RoleKind::Role { namespace } else { "" };
        let Some(found) = roles.get(&(role.kind, of_role, role.name.as_str())) else {
            let text = format!(
                "{} is to a role that is not given ({}): what it grants is not known",
                binding.place,
                Printable(&role.name)
            );
            notes.push(note(Outcome::NoCounterpart, text));
            continue;
        };
        if found.written.aggregation_rule.is_some() && found.written.rules.is_empty() {
            let text = format!(
                "{} is to the ClusterRole {} which others are aggregated into: give it as the cluster has it",
                binding.place,
                Printable(&role.name)
            );
            notes.push(note(Outcome::NoCounterpart, text));
        }
        let psps = usable(objects, &found.written.rules);
        if !psps.is_empty() {
            of_binding(binding, namespace, &psps, &mut grants, notes);
        }
    }
    grants
}

/// The PodSecurityPolicies that rules let somebody use.
fn usable(objects: &Objects, rules: &[WrittenRule]) -> BTreeSet<usize> {
    let has = |list: &[String], wanted: &[&str]| {
        list.iter().any(|item| item == EVERY || wanted.contains(&item.as_str()))
    };
    let is_meant = |rule: &&WrittenRule| {
        has(&rule.verbs, &[USE])
            && has(&rule.api_groups, &PSP_GROUPS)
            && has(&rule.resources, &[PSP_RESOURCE])
    };
    let meant: Vec<&WrittenRule> = rules.iter().filter(is_meant).collect();
    let is_named = |name: &String| {
        meant.iter().any(|rule| rule.resource_names.is_empty() || rule.resource_names.contains(name))
    };
    let psps = objects.psps.iter().enumerate().filter(|(_, psp)| is_named(&psp.name));
    psps.map(|(index, _)| index).collect()
}

fn of_binding(
    binding: &FoundBinding,
    namespace: &str,
    psps: &BTreeSet<usize>,
    grants: &mut Vec<UseGrant>,
    notes: &mut Vec<Note>,
) {
    let of_namespace = (!binding.is_of_cluster).then(|| namespace.to_owned());
    for subject in &binding.written.subjects {
        let Some(holder) = holder_of(subject) else {
            let text = format!(
                "{} names {}, which is no service account: a right counts for the account that a pod runs as, and not for who makes it",
                binding.place,
                quoted(&subject.name)
            );
            notes.push(note(Outcome::NoCounterpart, text));
            continue;
        };
        for psp in psps {
            grants.push(UseGrant { psp: *psp, namespace: of_namespace.clone(), holder: holder.clone() });
        }
    }
}

/// Whose pods a subject stands for; `None` if it is nobody that pods run as.
fn holder_of(subject: &WrittenSubject) -> Option<Holder> {
    let name = subject.name.as_str();
    match subject.kind {
        SubjectKind::ServiceAccount => {
            let namespace = subject.namespace.as_deref().filter(|namespace| !namespace.is_empty())?;
            Some(Holder::Account(namespace.to_owned(), name.to_owned()))
        }
        SubjectKind::User => {
            let (namespace, name) = name.strip_prefix(ACCOUNT_USER)?.split_once(':')?;
            let is_account = !namespace.is_empty() && !name.is_empty();
            is_account.then(|| Holder::Account(namespace.to_owned(), name.to_owned()))
        }
        SubjectKind::Group if [AUTHENTICATED, ALL_ACCOUNTS].contains(&name) => Some(Holder::Everybody),
        SubjectKind::Group => {
            let namespace = name.strip_prefix(ALL_ACCOUNTS)?.strip_prefix(':')?;
            Some(Holder::AllOf(namespace.to_owned()))
        }
    }
}

/// Something about Roles and bindings.
pub(super) fn note(outcome: Outcome, text: String) -> Note {
    Note { psp: String::new(), field: FIELD.to_owned(), outcome, controls: Vec::new(), text }
}
