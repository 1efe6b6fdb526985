//! An IdentityPolicy, once it fits its schema: whether it makes sense.

use crate::policy::common::is_name;
use crate::policy::document::{DocumentReader, path};
use crate::policy::written::{IdentityMatch, IdentitySpec, Injection, NamespaceMatch, Object};
use crate::policy::{IdentityPolicy, Injector};
use crate::text::not_ascii;

impl DocumentReader<'_> {
    pub(super) fn identity(&mut self, object: Object<IdentitySpec>) {
        let Object { metadata, spec, .. } = object;
        let names: Vec<String> =
            self.policies.set.identity.iter().map(|policy| policy.name.clone()).collect();
        self.check_name(&metadata.name, &names);
        let IdentityMatch { namespaces, namespace_selector, pod_selector, source_service_accounts } =
            spec.r#match;
        let scope = self.scope(NamespaceMatch { namespaces, namespace_selector });
        if let Some(selector) = &pod_selector {
            self.check_selector(selector, "spec.match.podSelector", "leave it out to mean every pod");
        }
        if !is_name(&spec.identity.service_account_name) {
            let account = not_ascii(&spec.identity.service_account_name);
            let message = format!("must be a name of lower-case letters, digits, - and .{account}");
            self.fault(&path("spec.identity.serviceAccountName"), message);
        }
        self.check_chain(&spec.identity.service_account_name, &source_service_accounts);
        let Some(scope) = scope else { return };
        self.policies.set.identity.push(IdentityPolicy {
            name: metadata.name,
            scope,
            pods: pod_selector,
            source_service_accounts,
            service_account_name: spec.identity.service_account_name,
            injection: match spec.identity.injection {
                Injection::Inject => Injector::Podgate,
                Injection::Delegate => Injector::Delegate,
            },
        });
    }

    /// Refuses a service account that another policy would replace in turn: mutating a pod twice must have the same
    /// result as mutating it once.
    fn check_chain(&mut self, target: &str, sources: &[String]) {
        let leads_on = |policy: &&IdentityPolicy| {
            let from_here = policy.source_service_accounts.iter().any(|source| source == target);
            let to_here = sources.contains(&policy.service_account_name);
            (from_here || to_here) && policy.service_account_name != target
        };
        if let Some(other) = self.policies.set.identity.iter().find(leads_on) {
            let message = format!(
                "this policy and \"{}\" lead from service account to service account: name the last one in both",
                other.name
            );
            self.fault(&path("spec.identity.serviceAccountName"), message);
        }
    }
}
