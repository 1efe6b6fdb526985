//! What may be wrong with a pod: one file a control, one ordered list of them all.
//!
//! A control is data and a plain function. The function walks the pod and gives a [`Finding`] for each
//! breach to a [`Sink`]; it allocates nothing for a pod that passes. The standard's own message is put
//! together from the findings afterwards, so no rule is written twice.
//!
//! To add one: a file here, its `mod` line and its entry in [`ALL`] (and, beyond the standard, its
//! settings in [`Settings`]). The tests then ask for its fixtures and its page in `docs/controls.md`.

mod finding;
mod standard;
mod text;

mod allow_privilege_escalation;
mod app_armor_profile;
mod capabilities_baseline;
mod capabilities_restricted;
mod host_namespaces;
mod host_path_volumes;
mod host_ports;
mod host_probes_and_host_lifecycle;
mod privileged;
mod proc_mount;
mod proc_mount_restricted;
mod restricted_volumes;
mod run_as_non_root;
mod run_as_user;
mod se_linux_options;
mod seccomp_profile_baseline;
mod seccomp_profile_restricted;
mod sysctls;
mod volume_types;
mod windows_host_process;

use serde::Deserialize;

use crate::pod::Pod;

pub use finding::{Finding, Found, Printable, PrintableKey, Remedy, Value};
pub use standard::{Level, NEWEST_MINOR, Standard, StandardError, Version};
pub use text::go_quoted;
pub use volume_types::VolumeTypes;

/// Every control: the standard's in the standard's order (baseline, then restricted, each by id in
/// byte order), then those beyond it by id.
pub static ALL: [&Control; 20] = [
    &app_armor_profile::CONTROL,
    &capabilities_baseline::CONTROL,
    &host_namespaces::CONTROL,
    &host_path_volumes::CONTROL,
    &host_ports::CONTROL,
    &host_probes_and_host_lifecycle::CONTROL,
    &privileged::CONTROL,
    &proc_mount::CONTROL,
    &se_linux_options::CONTROL,
    &seccomp_profile_baseline::CONTROL,
    &sysctls::CONTROL,
    &windows_host_process::CONTROL,
    &allow_privilege_escalation::CONTROL,
    &capabilities_restricted::CONTROL,
    &proc_mount_restricted::CONTROL,
    &restricted_volumes::CONTROL,
    &run_as_non_root::CONTROL,
    &run_as_user::CONTROL,
    &seccomp_profile_restricted::CONTROL,
    &volume_types::CONTROL,
];

/// One rule that a pod can break.
#[derive(Debug)]
pub struct Control {
    /// Its id: upstream's for the standard's controls, ours in the same style beyond it.
    pub id: &'static str,
    /// Its place in a refusal's code: unique, never changed and never used again.
    pub number: u8,
    /// Whether it is the standard's, and how.
    pub kind: Kind,
    /// Puts findings of this control (at least one, in the order of the walk) into the standard's words.
    pub violation: fn(&[Finding<'_>]) -> Violation,
    /// What people are told about it.
    pub doc: Doc,
}

/// Where a control comes from.
#[derive(Debug)]
pub enum Kind {
    /// From the Pod Security Standards.
    Standard {
        /// The level that it belongs to.
        level: Level,
        /// Its checks through the versions, oldest first. Before the first it does not exist.
        revisions: &'static [Revision],
        /// The control of the baseline level that it stands in for.
        overrides: Option<&'static Control>,
    },
    /// Ours: a policy file turns it on.
    Beyond,
}

/// A control's check from one minor version until the next revision.
#[derive(Debug, Clone, Copy)]
pub struct Revision {
    /// The first minor version at which it holds.
    pub since: u64,
    /// The check.
    pub check: Check,
}

/// Looks at a pod, and gives a finding for each breach to a [`Sink`].
pub type Check = for<'p, 'a> fn(&'p Pod<'a>, &mut Sink<'_, 'p>);

/// Takes the findings of a walk one by one: how many of them are kept is for whoever asks. A walk can be repeated, and then
/// gives the same ones in the same order.
pub type Sink<'s, 'p> = dyn FnMut(Finding<'p>) + 's;

/// A broken control in the standard's words.
#[derive(Debug, PartialEq, Eq)]
pub struct Violation {
    /// What is wrong in a few words: `hostPort`.
    pub reason: &'static str,
    /// Where and how: `container "c" uses hostPort 80`.
    pub detail: String,
}

/// What people are told about a control.
#[derive(Debug)]
pub struct Doc {
    /// What it is about, in a few words.
    pub title: &'static str,
    /// What must hold, and why.
    pub rule: &'static str,
    /// How the rule changed through the versions; empty if it never did.
    pub history: &'static str,
    /// The fields it looks at, as in a pod.
    pub fields: &'static [&'static str],
    /// How to mend a breach.
    pub mend: &'static str,
    /// A part of a pod that keeps the rule, as YAML.
    pub example: &'static str,
}

/// The `controls` of a policy file: the rules beyond the standard that are on, with their settings.
#[derive(Debug, Default, Clone, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Settings {
    /// Which types of volume a pod may have.
    pub volume_types: Option<VolumeTypes>,
}

impl Settings {
    /// Looks at a pod with each control that is on.
    pub fn check<'p>(&'p self, pod: &'p Pod<'_>, sink: &mut Sink<'_, 'p>) {
        if let Some(volume_types) = &self.volume_types {
            volume_types.check(pod, sink);
        }
    }
}

impl Control {
    /// The control with this id.
    #[must_use]
    pub fn named(id: &str) -> Option<&'static Self> {
        ALL.into_iter().find(|control| control.id == id)
    }
}

impl PartialEq for Control {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn ids_and_numbers_are_unique() {
        let ids: BTreeSet<_> = ALL.iter().map(|control| control.id).collect();
        let numbers: BTreeSet<_> = ALL.iter().map(|control| control.number).collect();
        assert_eq!((ids.len(), numbers.len()), (ALL.len(), ALL.len()));
    }

    #[test]
    fn the_list_is_in_the_standards_order() {
        let key = |control: &Control| (control.level().map_or(9, |level| level as u8), control.id);
        assert!(ALL.windows(2).all(|pair| key(pair[0]) < key(pair[1])), "by level, then by id");
    }

    #[test]
    fn revisions_grow_and_overrides_are_of_the_level_below() {
        for control in ALL {
            let Kind::Standard { revisions, overrides, .. } = control.kind else {
                continue;
            };
            assert!(!revisions.is_empty(), "{}", control.id);
            assert!(revisions.windows(2).all(|pair| pair[0].since < pair[1].since), "{}", control.id);
            assert!(revisions.iter().all(|revision| revision.since <= NEWEST_MINOR), "{}", control.id);
            if let Some(other) = overrides {
                assert_eq!(
                    (control.level(), other.level()),
                    (Some(Level::Restricted), Some(Level::Baseline))
                );
            }
        }
        let newest = ALL.iter().filter_map(|control| match control.kind {
            Kind::Standard { revisions, .. } => revisions.last().map(|revision| revision.since),
            Kind::Beyond => None,
        });
        assert_eq!(newest.max(), Some(NEWEST_MINOR));
    }

    #[test]
    fn every_control_is_documented() {
        for Control { id, doc, .. } in ALL {
            for text in [doc.title, doc.rule, doc.mend, doc.example] {
                assert!(!text.trim().is_empty(), "{id}");
            }
            assert!(!doc.fields.is_empty(), "{id}");
        }
    }
}
