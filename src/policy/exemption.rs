//! Who a policy does not judge: requesters and runtime classes, each by its exact name.
//!
//! An exemption is of the one who sends a request, whom the API server names, and never of the account that a pod runs as: that
//! one is chosen by whoever makes the pod. Each name is found by its hash, so that ten thousand cost a review what one does.

use std::collections::HashSet;

/// What the API server puts in front of a service account's namespace in the name of its user.
const ACCOUNT: &str = "system:serviceaccount:";
/// What it puts in front of the namespace in the group of all service accounts of one.
const ACCOUNTS_OF: &str = "system:serviceaccounts:";

/// By what a request is exempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ExemptBy {
    /// The namespace; only a `PodSecurityConfiguration` exempts one.
    Namespace,
    /// The user who sent it, service accounts included.
    User,
    /// A group of that user.
    Group,
    /// The runtime class of the pod.
    RuntimeClass,
}

impl ExemptBy {
    /// Its name in audit annotations and metrics: upstream's, which has none for groups.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Namespace => "namespace",
            Self::User => "user",
            Self::Group => "group",
            Self::RuntimeClass => "runtimeClass",
        }
    }
}

/// Who is exempt from one SecurityPolicy.
#[derive(Debug, Default)]
pub struct PolicyExemptions {
    pub(super) users: HashSet<String>,
    /// By the names of their users. Each has to be in the group of its namespace's accounts as well, which the API server alone
    /// makes: some other way to log in may let a user choose such a name.
    pub(super) service_accounts: HashSet<String>,
    pub(super) groups: HashSet<String>,
    pub(super) runtime_classes: HashSet<String>,
}

impl PolicyExemptions {
    /// Whether nobody is exempt.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let Self { users, service_accounts, groups, runtime_classes } = self;
        [users, service_accounts, groups, runtime_classes].iter().all(|names| names.is_empty())
    }

    /// Whether a user is exempt by name, in whatever groups.
    #[must_use]
    pub fn has_user(&self, username: &str) -> bool {
        self.users.contains(username)
    }

    /// Whether the groups of a user may exempt it.
    #[must_use]
    pub fn goes_by_groups_of(&self, username: &str) -> bool {
        !self.groups.is_empty() || self.service_accounts.contains(username)
    }

    /// By what this group exempts this user.
    #[must_use]
    pub fn by_group(&self, username: &str, group: &str) -> Option<ExemptBy> {
        let is_account = |namespace| {
            let account = username.strip_prefix(ACCOUNT).and_then(|account| account.split_once(':'));
            account.is_some_and(|(of, _)| of == namespace) && self.service_accounts.contains(username)
        };
        if group.strip_prefix(ACCOUNTS_OF).is_some_and(is_account) {
            Some(ExemptBy::User)
        } else {
            self.groups.contains(group).then_some(ExemptBy::Group)
        }
    }

    /// Whether pods of this runtime class are exempt; a pod without one has the empty name.
    #[must_use]
    pub fn has_runtime_class(&self, name: &str) -> bool {
        self.runtime_classes.contains(name)
    }
}

/// The name of a service account's user.
pub(super) fn user_of_account(namespace: &str, name: &str) -> String {
    [ACCOUNT, namespace, ":", name].concat()
}

/// The namespace and name of the service account that a user is; `None` for any other user.
pub(super) fn account_of_user(username: &str) -> Option<(&str, &str)> {
    let account = username.strip_prefix(ACCOUNT)?;
    Some(account.split_once(':').unwrap_or((account, "")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_exempt_by_which_group() {
        let set = |names: &[&str]| names.iter().map(ToString::to_string).collect();
        let exemptions = PolicyExemptions {
            users: set(&["alice"]),
            service_accounts: set(&["system:serviceaccount:ci:builder"]),
            groups: set(&["sre"]),
            runtime_classes: set(&["kata"]),
        };
        let builder = "system:serviceaccount:ci:builder";
        for (username, group, expected) in [
            (builder, "system:serviceaccounts:ci", Some(ExemptBy::User)),
            (builder, "system:serviceaccounts:other", None),
            (builder, "system:serviceaccounts", None),
            (builder, "system:serviceaccounts:ci:builder", None),
            ("system:serviceaccount:ci:builder-2", "system:serviceaccounts:ci", None),
            ("system:serviceaccount:ci-2:builder", "system:serviceaccounts:ci-2", None),
            ("System:serviceaccount:ci:builder", "system:serviceaccounts:ci", None),
            ("alice", "system:serviceaccounts:ci", None),
            ("alice", "sre", Some(ExemptBy::Group)),
            (builder, "sre", Some(ExemptBy::Group)),
            ("bob", "sre ", None),
            ("bob", "", None),
        ] {
            assert_eq!(exemptions.by_group(username, group), expected, "{username} in {group}");
        }
        assert!(exemptions.has_user("alice") && !exemptions.has_user(builder) && !exemptions.has_user(""));
        assert!(exemptions.has_runtime_class("kata") && !exemptions.has_runtime_class(""));
        assert!(exemptions.goes_by_groups_of("bob") && !exemptions.is_empty());
        let of_users = PolicyExemptions { users: set(&["alice"]), ..PolicyExemptions::default() };
        assert!(!of_users.goes_by_groups_of("alice") && !of_users.is_empty());
        assert!(PolicyExemptions::default().is_empty());
    }
}
