//! Exceptions: named, owned, ending permissions to break controls of one policy in one narrow way.
//!
//! An exception is asked about each finding by itself, so that two which only together cover a pod do. Whatever it lets be is
//! nowhere else a finding: the pod is not refused for it, and it is not filled in.

use std::sync::Arc;

use jiff::civil::Date;

use crate::controls::pattern::{Pattern, any_matches};
use crate::controls::{CheckedPod, Control, Grants, PodOrigin, requests};
use crate::finding::{Finding, Found, Subject};
use crate::pod::{ContainerKind, ContainerRef, Controller, Pod};
use crate::policy::selector::Selector;

/// The group and the resource of what a service account must be allowed to use for an exception that RBAC grants, and the verb.
pub const EXCEPTION_GROUP: &str = "podgate.dev";
/// The resource; the name of an object is that of an exception.
pub const EXCEPTION_RESOURCE: &str = "securityexceptions";
/// The verb, as PodSecurityPolicy had it.
pub const USE_EXCEPTION: &str = "use";

/// How many days before its end an exception warns.
const DAYS_OF_WARNING: i32 = 14;

/// A permission to break controls of one policy.
#[derive(Debug)]
pub struct Exception {
    /// Its name, which no other exception of any policy has.
    pub name: Arc<str>,
    /// The policy that it is one of.
    pub policy: Arc<str>,
    /// Why it is given.
    pub reason: String,
    /// Whom to ask.
    pub owner: String,
    /// The last day on which it holds, in UTC.
    pub expires: Date,
    /// Whether the pod's service account must have been granted its use by RBAC.
    pub is_granted_by_rbac: bool,
    /// The controls that may be broken.
    pub controls: Vec<&'static Control>,
    pub(super) containers: Option<ContainerScope>,
    /// Empty for all.
    pub(super) values: Vec<ExceptedValue>,
    pub(super) condition: Condition,
    /// Whether it holds for ephemeral containers as well, which come to a pod from outside.
    pub(super) has_ephemeral: bool,
}

/// The containers that an exception is about: those whose name and image both match, where both are given.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ContainerScope {
    pub(super) names: Vec<Pattern>,
    pub(super) images: Vec<Pattern>,
}

/// A value that may be there.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum ExceptedValue {
    Bool(bool),
    /// A number from the first to the last.
    Integers(i64, i64),
    Text(Pattern),
}

/// What else must be true of the pod, all of it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Condition {
    /// One of these resources is requested: by the container, if the finding is about one.
    pub(super) requests: Vec<Pattern>,
    pub(super) service_accounts: Vec<String>,
    pub(super) pods: Option<Selector>,
    pub(super) owner_kinds: Vec<String>,
}

/// Whether an exception that covers a finding holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing<'p> {
    /// It does.
    Holds,
    /// It has ended.
    Ended,
    /// What day it is is not known.
    Undated,
    /// RBAC does not grant its use to the pod's service account.
    NotGranted,
    /// Whether RBAC does cannot be told, for this reason.
    GrantUnknown(&'p str),
    /// It is for the pods of some controllers, and which makes the pod is not known.
    ControllerUnknown,
}

impl Standing<'_> {
    /// Whether it depends on what is not known.
    #[must_use]
    pub fn is_in_doubt(self) -> bool {
        matches!(self, Self::GrantUnknown(_) | Self::ControllerUnknown)
    }
}

impl Exception {
    /// Whether a finding of this control is one that it is about, whether or not it holds.
    #[must_use]
    pub fn covers(&self, checked: CheckedPod<'_>, control: &Control, finding: &Finding<'_>) -> bool {
        let CheckedPod { pod, origin } = checked;
        self.controls.contains(&control)
            && finding.found != Found::UNREADABLE
            && self.is_about(pod, finding.subject)
            && self.has_value(pod, finding)
            && self.condition.is_true(pod, origin, finding.subject)
    }

    /// Whether it holds for a pod, as far as time and rights go.
    #[must_use]
    pub fn standing<'p>(&self, CheckedPod { pod, origin }: CheckedPod<'p>) -> Standing<'p> {
        let Some(today) = origin.today else { return Standing::Undated };
        if today > self.expires {
            return Standing::Ended;
        }
        if !self.condition.owner_kinds.is_empty() && origin.controller == Controller::Unknown {
            return Standing::ControllerUnknown;
        }
        if !self.is_granted_by_rbac {
            return Standing::Holds;
        }
        let is_granted = match origin.grants {
            Grants::Known(granted) => granted.contains(&self.name),
            Grants::Unknown(why) => return Standing::GrantUnknown(why),
            Grants::ToldBy(source) => {
                match source.may_use(origin.namespace, origin.account_of(pod), &self.name) {
                    Some(is_granted) => is_granted,
                    None => return Standing::GrantUnknown("its Roles and RoleBindings are not known"),
                }
            }
        };
        if is_granted { Standing::Holds } else { Standing::NotGranted }
    }

    /// How many days it still holds after today, if those are few enough to warn of; never of one that has ended.
    #[must_use]
    pub fn days_left(&self, today: Date) -> Option<i32> {
        let left = (self.expires - today).get_days();
        (0..=DAYS_OF_WARNING).contains(&left).then_some(left)
    }

    /// Whether the part of a pod is one that it is about.
    fn is_about(&self, pod: &Pod<'_>, subject: Subject<'_>) -> bool {
        let Some(at) = subject.container() else { return self.containers.is_none() };
        (self.has_ephemeral || at.kind != ContainerKind::Ephemeral)
            && self.containers.as_ref().is_none_or(|scope| scope.has(pod, at))
    }

    fn has_value(&self, pod: &Pod<'_>, finding: &Finding<'_>) -> bool {
        if self.values.is_empty() {
            return true;
        }
        let has = |found| self.values.iter().any(|value| value.is(found));
        match finding.found {
            Found::List(items) => !items.is_empty() && items.iter().all(|item| has(Found::Text(item))),
            Found::Absent | Found::Hidden => false,
            Found::Bool(_) | Found::Integer(_) | Found::Text(_) => {
                has(finding.found)
                    || has_path(pod, finding.subject).is_some_and(|path| has(Found::Text(path)))
            }
        }
    }
}

/// The path of a volume that is a `hostPath` and nothing else: a finding about its type may be let be for its path.
fn has_path<'p>(pod: &'p Pod<'_>, subject: Subject<'_>) -> Option<&'p str> {
    let Subject::Volume(index, _) = subject else { return None };
    let volume = pod.spec.volumes.get(index)?;
    let is_path_alone = volume.sources().count() == 1 && !volume.has_unknown_source();
    Some(volume.host_path.as_ref()).filter(|path| is_path_alone && !path.is_empty())
}

impl ContainerScope {
    fn has(&self, pod: &Pod<'_>, at: ContainerRef<'_>) -> bool {
        let Some(container) = pod.container(at) else { return false };
        (self.names.is_empty() || any_matches(&self.names, at.name))
            && (self.images.is_empty() || any_matches(&self.images, &container.image))
    }
}

impl ExceptedValue {
    pub(super) fn is(&self, found: Found<'_>) -> bool {
        match (self, found) {
            (Self::Bool(value), Found::Bool(found)) => *value == found,
            (Self::Integers(least, most), Found::Integer(found)) => (*least..=*most).contains(&found),
            (Self::Text(pattern), Found::Text(found)) => {
                // `/mnt/*` is not `/mnt/../etc`.
                pattern.as_str() == found || !has_parent(found) && pattern.matches(found)
            }
            _ => false,
        }
    }
}

/// Whether a path leads up somewhere.
pub(super) fn has_parent(text: &str) -> bool {
    text.split('/').any(|step| step == "..")
}

impl Condition {
    fn is_true(&self, pod: &Pod<'_>, origin: PodOrigin<'_>, subject: Subject<'_>) -> bool {
        let Self { requests, service_accounts, pods, owner_kinds } = self;
        let has_label = |selector: &Selector| selector.matches(|key| pod.metadata.label(key));
        let is_owned = || {
            let owner = pod.metadata.owner.as_ref();
            owner.is_some_and(|owner| owner_kinds.iter().any(|kind| *kind == owner.kind))
        };
        (requests.is_empty() || is_requested(requests, pod, subject))
            && (service_accounts.is_empty()
                || service_accounts.iter().any(|name| name == origin.account_of(pod)))
            && pods.as_ref().is_none_or(has_label)
            && (owner_kinds.is_empty() || origin.controller == Controller::Unknown || is_owned())
    }
}

/// Whether any of these resources is requested: by the container or, where a finding is about none, by any. What cannot be read
/// requests nothing.
fn is_requested(resources: &[Pattern], pod: &Pod<'_>, subject: Subject<'_>) -> bool {
    let asks = |text: &str| requests(text, |name| any_matches(resources, name)).unwrap_or(false);
    match subject.container() {
        Some(at) => pod.container(at).is_some_and(|container| asks(container.resources)),
        None => pod.containers().any(|(_, container)| asks(container.resources)),
    }
}
