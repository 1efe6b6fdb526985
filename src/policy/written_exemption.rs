//! `exemptions` of a SecurityPolicy: how they are written, and whether they make sense.
//!
//! What would exempt everybody is refused, with what to write in its place: a group that all are in, or an account that makes
//! everybody's pods.

use serde::Deserialize;

use crate::path::Path;
use crate::pod::is_dns_subdomain;
use crate::policy::document::{DocumentReader, ONE_LINE, is_one_line, path};
use crate::policy::exemption::{PolicyExemptions, account_of_user, user_of_account};
use crate::policy::scope::Scope;
use crate::policy::selector::is_namespace;
use crate::text::not_ascii;

/// The namespace that Kubernetes' own controllers have their accounts in.
const SYSTEM: &str = "kube-system";
/// Longest name of a user or a group, in bytes.
const LONGEST_NAME: usize = 512;

/// Who is not judged by a policy, and why.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct WrittenExemption {
    /// Users who make requests, by the exact names that the API server has for them.
    users: Option<Vec<String>>,
    /// Groups of users who make requests, by their exact names.
    groups: Option<Vec<String>>,
    /// Service accounts that make requests, as NAMESPACE/NAME; not those that pods run as.
    service_accounts: Option<Vec<String>>,
    /// Runtime classes of pods.
    runtime_classes: Option<Vec<String>>,
    /// Why they are exempt.
    #[schemars(length(min = 1))]
    reason: String,
    /// Who answers for it.
    #[schemars(length(min = 1))]
    owner: String,
}

impl DocumentReader<'_> {
    pub(super) fn exempt(
        &mut self,
        written: Vec<WrittenExemption>,
        scope: Option<&Scope>,
    ) -> PolicyExemptions {
        let mut exemptions = PolicyExemptions::default();
        for (index, written) in written.into_iter().enumerate() {
            let at = path("spec.exemptions").index(index);
            let WrittenExemption { users, groups, service_accounts, runtime_classes, reason, owner } =
                written;
            for (key, text) in [("reason", &reason), ("owner", &owner)] {
                if !is_one_line(text) {
                    self.fault(&at.clone().key(key), format!("{ONE_LINE}{}", not_ascii(text)));
                }
            }
            let lists = [&users, &groups, &service_accounts, &runtime_classes];
            if lists.iter().all(|list| list.is_none()) {
                let message = "exempts nobody: give it users, groups, serviceAccounts or runtimeClasses";
                self.fault(&at, message);
            }
            self.exempt_names(&at, "users", users, |reader, at, name| {
                reader.exempt_user(at, name, scope, &mut exemptions)
            });
            self.exempt_names(&at, "groups", groups, |reader, at, name| {
                reader.exempt_group(at, name, &mut exemptions)
            });
            self.exempt_names(&at, "serviceAccounts", service_accounts, |reader, at, name| {
                reader.exempt_account(at, &name, scope, &mut exemptions)
            });
            self.exempt_names(&at, "runtimeClasses", runtime_classes, |reader, at, name| {
                if !is_dns_subdomain(&name) {
                    let message = format!("no runtime class can be named {name:?}{}", not_ascii(&name));
                    reader.fault(at, message);
                }
                exemptions.runtime_classes.insert(name)
            });
        }
        exemptions
    }

    /// Takes each name of a list; `take` says whether it is new.
    fn exempt_names(
        &mut self,
        item: &Path<'_>,
        key: &'static str,
        names: Option<Vec<String>>,
        mut take: impl FnMut(&mut Self, &Path<'_>, String) -> bool,
    ) {
        let at = item.clone().key(key);
        if names.as_ref().is_some_and(Vec::is_empty) {
            self.fault(&at, "the list is empty: it exempts nobody");
        }
        for (index, name) in names.into_iter().flatten().enumerate() {
            let at = at.clone().index(index);
            if !take(self, &at, name) {
                self.fault(&at, "is exempt by this policy already; take one out");
            }
        }
    }

    fn exempt_user(
        &mut self,
        at: &Path<'_>,
        name: String,
        scope: Option<&Scope>,
        to: &mut PolicyExemptions,
    ) -> bool {
        if let Some((namespace, account)) = account_of_user(&name) {
            self.check_exempt_account(at, (namespace, account), scope);
            return to.service_accounts.insert(name);
        }
        let fault = match name.as_str() {
            "system:kube-controller-manager" => Some(OF_CONTROLLERS.to_owned()),
            "system:anonymous" => Some("is everybody who does not log in: name users who do".to_owned()),
            other => name_fault(other, "user"),
        };
        fault.into_iter().for_each(|fault| self.fault(at, fault));
        to.users.insert(name)
    }

    fn exempt_group(&mut self, at: &Path<'_>, name: String, to: &mut PolicyExemptions) -> bool {
        let fault = match name.as_str() {
            "system:authenticated" | "system:unauthenticated" => Some(
                "would exempt everybody: name a group of those who need it, which your identity provider keeps"
                    .to_owned(),
            ),
            "system:masters" => Some(
                "has no list of its members, and nobody can be taken out of it: name a group that your identity \
                 provider keeps"
                    .to_owned(),
            ),
            accounts if accounts.starts_with("system:serviceaccounts") => Some(
                "would exempt whatever runs in a pod there: name single accounts in serviceAccounts, as NAMESPACE/NAME"
                    .to_owned(),
            ),
            other => name_fault(other, "group"),
        };
        fault.into_iter().for_each(|fault| self.fault(at, fault));
        to.groups.insert(name)
    }

    fn exempt_account(
        &mut self,
        at: &Path<'_>,
        written: &str,
        scope: Option<&Scope>,
        to: &mut PolicyExemptions,
    ) -> bool {
        if let Some((namespace, name)) = account_of_user(written) {
            self.fault(at, format!("expected NAMESPACE/NAME: write {namespace}/{name}"));
            return true;
        }
        let Some((namespace, name)) = written.split_once('/') else {
            let message = format!("expected NAMESPACE/NAME, found {written:?}{}", not_ascii(written));
            self.fault(at, message);
            return true;
        };
        self.check_exempt_account(at, (namespace, name), scope);
        to.service_accounts.insert(user_of_account(namespace, name))
    }

    /// Refuses an account that cannot be, or that makes everybody's pods, and warns of one that everybody may run as.
    fn check_exempt_account(
        &mut self,
        at: &Path<'_>,
        (namespace, name): (&str, &str),
        scope: Option<&Scope>,
    ) {
        if !is_namespace(namespace) || !is_dns_subdomain(name) {
            let message = format!("no service account can be named {name:?} in a namespace {namespace:?}");
            return self.fault(at, format!("{message}{}", not_ascii(&[namespace, name].concat())));
        }
        if namespace == SYSTEM {
            return self.fault(at, OF_CONTROLLERS);
        }
        let Some(Scope::Names(names)) = scope else { return };
        if names.iter().any(|of_policy| of_policy == namespace) {
            let message = format!(
                "whoever may make pods in {namespace} can run them as this account, and is exempt where that account may \
                 make pods: keep it in a namespace of its own"
            );
            self.warn(at, message);
        }
    }
}

/// What is wrong with an account of the controllers.
const OF_CONTROLLERS: &str = "makes the pods of everybody, so that all would be exempt: name who applies the objects, or write \
                              an exception";

/// What is wrong with the name of a user or a group.
fn name_fault(name: &str, of: &str) -> Option<String> {
    if name.is_empty() || name.len() > LONGEST_NAME || name.contains(char::is_control) || name.trim() != name
    {
        return Some(format!("no {of} has such a name: expected it exactly as the API server has it"));
    }
    let is_pattern = name.contains('*');
    is_pattern.then(|| format!("is the whole name of a {of}, not a pattern: name each"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_exact() {
        for (name, expected) in [
            ("alice@example.com", true),
            ("zoë", true),
            ("oidc:team a", true),
            ("", false),
            (" alice", false),
            ("alice\n", false),
            ("oidc:*", false),
        ] {
            assert_eq!(name_fault(name, "user").is_none(), expected, "{name:?}");
        }
        assert!(name_fault(&"x".repeat(LONGEST_NAME), "user").is_none());
        assert!(name_fault(&"x".repeat(LONGEST_NAME + 1), "user").is_some());
    }
}
