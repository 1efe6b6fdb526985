//! A pod that is checked, and what is known of where it comes from.

use std::fmt::Debug;
use std::sync::Arc;

use jiff::civil::Date;

use crate::controls::namespace_annotations::NamespaceAnnotations;
use crate::json::Reader;
use crate::pod::{Controller, Pod};

/// A pod that is checked, and what is known of where it comes from.
#[derive(Debug, Clone, Copy)]
pub struct CheckedPod<'p> {
    /// The pod.
    pub pod: &'p Pod<'p>,
    /// What is known of its surroundings.
    pub origin: PodOrigin<'p>,
}

/// Where a pod comes from: nothing is known of a manifest's.
#[derive(Debug, Default, Clone, Copy)]
pub struct PodOrigin<'p> {
    /// The pod as it was before an update; `None` for a new one.
    pub old: Option<&'p Pod<'p>>,
    /// Its namespace; empty where it is not known.
    pub namespace: &'p str,
    /// The annotations of its namespace that controls read; `None` where the namespace is not known.
    pub annotations: Option<&'p NamespaceAnnotations>,
    /// The name of the user who makes the request; empty where nobody is known.
    pub requester: &'p str,
    /// The groups of that user.
    pub groups: Groups<'p>,
    /// The day on which it is judged, in UTC; `None` where nobody says, and then no exception holds.
    pub today: Option<Date>,
    /// The exceptions that RBAC lets its service account use.
    pub grants: Grants<'p>,
    /// The service account that it runs as.
    pub account: RunAs<'p>,
    /// The controller that makes it.
    pub controller: Controller,
}

/// The groups of a user, as JSON text that is read when a control asks: nearly none does.
#[derive(Debug, Default, Clone, Copy)]
pub struct Groups<'p>(&'p str);

impl<'p> Groups<'p> {
    /// Those in this list of texts; none in an empty text.
    #[must_use]
    pub const fn of(text: &'p str) -> Self {
        Self(text)
    }

    /// Whether any of them is one that is meant. There is none in what is no list of texts.
    pub fn any(self, mut is_meant: impl FnMut(&str) -> bool) -> bool {
        let mut has_any = false;
        let read = Reader::over_part(self.0).array(|reader, _| {
            has_any |= is_meant(&reader.string()?);
            Ok(())
        });
        !self.0.is_empty() && read.is_ok() && has_any
    }
}

/// The service account that a pod runs as.
#[derive(Debug, Default, Clone, Copy)]
pub enum RunAs<'p> {
    /// Its own.
    #[default]
    Own,
    /// One that it is about to be given in place of its own.
    Given(&'p str),
    /// The one that this gives it in place of its own, if it gives any.
    GivenBy(&'p dyn AccountSource),
}

/// Tells which service account a pod is about to be given.
pub trait AccountSource: Debug {
    /// Its name; `None` where the pod keeps its own.
    fn account_for(&self, pod: &Pod<'_>) -> Option<&str>;
}

/// Which exceptions RBAC lets a service account use.
#[derive(Debug, Clone, Copy)]
pub enum Grants<'p> {
    /// Those of these names.
    Known(&'p [Arc<str>]),
    /// That cannot be told, for this reason.
    Unknown(&'p str),
    /// Those of which this says so.
    ToldBy(&'p dyn GrantSource),
}

/// Tells what RBAC grants.
pub trait GrantSource: Debug {
    /// Whether a service account may use an exception in its namespace; `None` where that cannot be told.
    fn may_use(&self, namespace: &str, account: &str, exception: &Arc<str>) -> Option<bool>;
}

impl Default for Grants<'_> {
    fn default() -> Self {
        Self::Known(&[])
    }
}

impl<'p> PodOrigin<'p> {
    /// What is known of a pod of which nothing is known.
    pub const UNKNOWN: Self = Self {
        old: None,
        namespace: "",
        annotations: None,
        requester: "",
        groups: Groups::of(""),
        today: None,
        grants: Grants::Known(&[]),
        account: RunAs::Own,
        controller: Controller::Written,
    };

    /// Whether the requester is the user of this name. Another way to log in may let somebody choose the name of a service
    /// account, so that one counts only in the group of its namespace's accounts, which the API server alone makes.
    #[must_use]
    pub fn is_requested_by(&self, user: &str) -> bool {
        let account = user.strip_prefix("system:serviceaccount:").and_then(|account| account.split_once(':'));
        let is_in_group = |(namespace, _): (&str, &str)| {
            self.groups.any(|group| group.strip_prefix("system:serviceaccounts:") == Some(namespace))
        };
        self.requester == user && account.is_none_or(is_in_group)
    }

    /// The service account that a pod runs as.
    #[must_use]
    pub fn account_of<'a>(&self, pod: &'a Pod<'_>) -> &'a str
    where
        'p: 'a,
    {
        let given = match self.account {
            RunAs::Own => None,
            RunAs::Given(name) => Some(name),
            RunAs::GivenBy(source) => source.account_for(pod),
        };
        given.unwrap_or(pod.service_account())
    }
}

impl<'p> CheckedPod<'p> {
    /// A pod of which nothing else is known.
    #[must_use]
    pub fn new(pod: &'p Pod<'p>) -> Self {
        Self { pod, origin: PodOrigin::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_counts_only_in_the_group_of_its_namespace() {
        let account = "system:serviceaccount:hami:scheduler";
        for (requester, groups, user, expected) in [
            ("jane", "", "jane", true),
            ("jane", "", "june", false),
            (account, r#"["system:authenticated","system:serviceaccounts:hami"]"#, account, true),
            (account, r#"["system:serviceaccounts","system:serviceaccounts:other"]"#, account, false),
            (account, r#"["system:serviceaccounts:hami",7]"#, account, false),
            (account, r#"{"a":"system:serviceaccounts:hami"}"#, account, false),
            (account, "null", account, false),
            (account, "", account, false),
        ] {
            let origin = PodOrigin { requester, groups: Groups::of(groups), ..PodOrigin::UNKNOWN };
            assert_eq!(origin.is_requested_by(user), expected, "{requester} {groups}");
        }
    }
}
