//! In which namespaces policies are to hold, and which PodSecurityPolicies could be used in each.

use std::collections::BTreeMap;

use crate::psp::grants::{Holder, UseGrant, note};
use crate::psp::input::{ImportFault, ImportOptions};
use crate::psp::report::{Note, Outcome};
use crate::text::{joined, quoted};

/// Namespaces in which the same PodSecurityPolicies could be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) namespaces: Namespaces,
    /// The PodSecurityPolicies that could be used there, and by whom. Where no right is known, nobody is.
    pub(super) usable: Vec<Usable>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Namespaces {
    Named(Vec<String>),
    Labelled(String, String),
}

/// A PodSecurityPolicy that could be used in a place.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Usable {
    pub(super) psp: usize,
    pub(super) holders: Vec<Holder>,
}

impl Usable {
    /// Whether every account of the place could use it.
    pub(super) fn is_for_all(&self, namespaces: &Namespaces) -> bool {
        let has = |holder: &Holder| self.holders.contains(holder);
        let is_of_each = |names: &[String]| names.iter().all(|name| has(&Holder::AllOf(name.clone())));
        has(&Holder::Everybody) || matches!(namespaces, Namespaces::Named(names) if is_of_each(names))
    }

    /// Whether some account could use both.
    pub(super) fn shares_accounts(&self, other: &Self) -> bool {
        let meets = |holder: &Holder| other.holders.iter().any(|other| holder.meets(other));
        self.holders.is_empty() || other.holders.is_empty() || self.holders.iter().any(meets)
    }
}

/// The places, or what the options lack.
pub(super) fn places(
    psps: usize,
    grants: &[UseGrant],
    options: &ImportOptions,
    notes: &mut Vec<Note>,
) -> Result<Vec<Place>, Vec<ImportFault>> {
    if let Some((key, value)) = &options.namespace_selector {
        let namespaces = Namespaces::Labelled(key.clone(), value.clone());
        let grants: Vec<UseGrant> = grants.iter().filter_map(UseGrant::in_whole_cluster).collect();
        return Ok(vec![Place { namespaces, usable: usable_in(psps, &grants, |_| true) }]);
    }
    let mut names = options.namespaces.clone();
    if names.is_empty() {
        names = grants.iter().filter_map(|grant| grant.namespace.clone()).collect();
    } else {
        report_other_namespaces(&names, grants, notes);
    }
    names.sort();
    names.dedup();
    if options.namespaces.is_empty() {
        for name in names.iter().filter(|name| options.reserved.contains(name)) {
            let text =
                format!("no policy may reach the namespace {name}, so what was granted there is left out");
            notes.push(note(Outcome::NoCounterpart, text));
        }
        names.retain(|name| !options.reserved.contains(name));
    }
    if names.is_empty() {
        return Err(vec![ImportFault::Lacking(nowhere(grants))]);
    }
    let mut places: BTreeMap<Vec<Usable>, Vec<String>> = BTreeMap::new();
    let mut faults = Vec::new();
    for name in names {
        let usable = usable_in(psps, grants, |namespace| namespace == name);
        if usable.is_empty() {
            let message = format!(
                "no PodSecurityPolicy could be used in the namespace {}, by the Roles and bindings that are given: leave it out, or \
                 give its RoleBinding, too",
                quoted(&name)
            );
            faults.push(ImportFault::Lacking(message));
        }
        places.entry(usable).or_default().push(name);
    }
    let place = |(usable, names)| Place { namespaces: Namespaces::Named(names), usable };
    if faults.is_empty() { Ok(places.into_iter().map(place).collect()) } else { Err(faults) }
}

/// What is said where no namespace is left.
fn nowhere(grants: &[UseGrant]) -> String {
    let mut bound: Vec<&str> = grants.iter().filter_map(|grant| grant.namespace.as_deref()).collect();
    bound.sort_unstable();
    bound.dedup();
    let found = if bound.is_empty() {
        "no RoleBinding says in which namespaces a PodSecurityPolicy could be used".to_owned()
    } else {
        let shown = joined(bound.iter(), ", ");
        format!("RoleBindings let a PodSecurityPolicy be used only where no policy may reach ({shown})")
    };
    format!("{found}: give --namespaces or --namespace-selector")
}

/// What could be used in namespaces: by what is granted there and in all of the cluster. Where nothing is granted to anybody,
/// that is not known, and each may be.
fn usable_in(psps: usize, grants: &[UseGrant], is_there: impl Fn(&str) -> bool) -> Vec<Usable> {
    let of = |psp: usize| {
        let is_meant =
            |grant: &&UseGrant| grant.psp == psp && grant.namespace.as_deref().is_none_or(&is_there);
        let mut holders: Vec<Holder> =
            grants.iter().filter(is_meant).map(|grant| grant.holder.clone()).collect();
        holders.sort();
        holders.dedup();
        Usable { psp, holders }
    };
    // Pods of a namespace run as accounts of it.
    let is_of_place = |holder: &Holder| match holder {
        Holder::Everybody => true,
        Holder::AllOf(namespace) | Holder::Account(namespace, _) => is_there(namespace),
    };
    let all = (0..psps).map(of).map(|mut usable| {
        usable.holders.retain(is_of_place);
        usable
    });
    all.filter(|usable| grants.is_empty() || !usable.holders.is_empty()).collect()
}

fn report_other_namespaces(names: &[String], grants: &[UseGrant], notes: &mut Vec<Note>) {
    let mut others: Vec<&String> = grants.iter().filter_map(|grant| grant.namespace.as_ref()).collect();
    others.sort();
    others.dedup();
    for other in others.into_iter().filter(|other| !names.contains(other)) {
        let text = format!(
            "the namespace {} is not among --namespaces: what its RoleBindings grant is left out",
            quoted(other)
        );
        notes.push(note(Outcome::NoCounterpart, text));
    }
}
