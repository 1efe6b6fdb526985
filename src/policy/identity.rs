//! An IdentityPolicy, once it fits its schema: whether it makes sense.

use crate::identity::ProviderName;
use crate::path::Path;
use crate::policy::common::{is_kind, is_name};
use crate::policy::document::{DocumentReader, path};
use crate::policy::identity_policy::{
    Assignment, AutomountToken, DefaultAccount, IdentityPolicy, Injector, ReservedAccount,
};
use crate::policy::selector::is_namespace;
use crate::policy::written::{NamespaceMatch, Object};
use crate::policy::written_identity::{
    Identity, IdentityMatch, IdentitySpec, Injection, Provider, WrittenReservation,
};
use crate::text::not_ascii;

/// The service account that pods have that name none.
const DEFAULT: &str = "default";
/// What a name of a service account must be.
const NAME: &str = "must be a name of lower-case letters, digits, - and .";

impl DocumentReader<'_> {
    pub(super) fn identity(&mut self, object: Object<IdentitySpec>) {
        let Object { metadata, spec, .. } = object;
        let names: Vec<String> =
            self.policies.set.identity.iter().map(|policy| policy.name.to_string()).collect();
        self.check_name(&metadata.name, &names);
        self.check_sense(&spec);
        let default_account = self.default_account(&spec);
        let IdentityMatch {
            namespaces,
            namespace_selector,
            pod_selector,
            owner_kinds,
            source_service_accounts,
        } = spec.r#match;
        let scope = self.scope(NamespaceMatch { namespaces, namespace_selector });
        if let Some(selector) = &pod_selector {
            self.check_selector(selector, &path("spec.match.podSelector"), "leave it out to mean every pod");
        }
        for (index, kind) in owner_kinds.iter().flatten().enumerate().filter(|(_, kind)| !is_kind(kind)) {
            let message = format!("must be a kind, as in ReplicaSet or Job{}", not_ascii(kind));
            self.fault(&path("spec.match.ownerKinds").index(index), message);
        }
        // A policy that gives no identity takes pods from nowhere: it holds for all of them.
        let sources =
            source_service_accounts.or_else(|| spec.identity.as_ref().map(|_| vec![DEFAULT.to_owned()]));
        for (index, source) in sources.iter().flatten().enumerate() {
            self.check_account(&path("spec.match.sourceServiceAccounts").index(index), source);
        }
        let on_missing = spec.on_missing_service_account.unwrap_or_default();
        let assignment = spec.identity.map(|identity| Assignment { on_missing, ..assignment(identity) });
        if let Some(assignment) = &assignment {
            let target = &assignment.service_account_name;
            self.check_account(&path("spec.identity.serviceAccountName"), target);
            self.check_chain(target, sources.as_deref().unwrap_or_default());
        }
        let reserved_accounts = self.reserved_accounts(spec.reserved_service_accounts.unwrap_or_default());
        let migration = self.migration(spec.migration);
        let Some(scope) = scope else { return };
        let policy = IdentityPolicy {
            name: metadata.name.into(),
            scope,
            pods: pod_selector,
            owner_kinds,
            source_service_accounts: sources,
            mode: spec.mode,
            priority: spec.priority,
            may_opt_out: spec.allow_opt_out,
            assignment,
            automount: spec.automount_token,
            default_account,
            reserved_accounts,
            migration,
        };
        if self.is_in_order() {
            self.warn_of_contradictions(&policy);
        }
        self.policies.set.identity.push(policy);
    }

    /// Refuses what would do nothing, or says two things at once.
    fn check_sense(&mut self, spec: &IdentitySpec) {
        let changes = spec.identity.is_some()
            || spec.automount_token != AutomountToken::Inherit
            || spec.migration.is_some();
        let refuses = spec.deny_default_service_account || spec.reserved_service_accounts.is_some();
        if !changes && !refuses && self.is_in_order() {
            let message = "does nothing: give it identity, automountToken, migration, denyDefaultServiceAccount or \
                           reservedServiceAccounts";
            self.fault(&path("spec"), message);
        }
        if spec.identity.is_none() && spec.on_missing_service_account.is_some() {
            let message =
                "says what is done about the account of spec.identity, which is not given: remove it";
            self.fault(&path("spec.onMissingServiceAccount"), message);
        }
        if !changes && spec.allow_opt_out {
            let message = "this policy changes nothing in a pod that could be left out: remove it";
            self.fault(&path("spec.allowOptOut"), message);
        }
        let gives_default =
            spec.identity.as_ref().is_some_and(|identity| identity.service_account_name == DEFAULT);
        if gives_default && spec.deny_default_service_account {
            let message = "this policy gives pods the service account default: it cannot refuse it as well";
            self.fault(&path("spec.denyDefaultServiceAccount"), message);
        }
    }

    fn default_account(&mut self, spec: &IdentitySpec) -> DefaultAccount {
        let exempt = spec.default_service_account_allowed_in.as_ref();
        for (index, name) in exempt.into_iter().flatten().enumerate().filter(|(_, name)| !is_namespace(name))
        {
            let message = format!("no namespace can be named {name:?}{}", not_ascii(name));
            self.fault(&path("spec.defaultServiceAccountAllowedIn").index(index), message);
        }
        match (spec.deny_default_service_account, exempt) {
            (true, exempt) => DefaultAccount::RefusedExceptIn(exempt.cloned().unwrap_or_default()),
            (false, Some(_)) => {
                let message = "has exceptions to denyDefaultServiceAccount, which is not true: remove it";
                self.fault(&path("spec.defaultServiceAccountAllowedIn"), message);
                DefaultAccount::Allowed
            }
            (false, None) => DefaultAccount::Allowed,
        }
    }

    fn reserved_accounts(&mut self, written: Vec<WrittenReservation>) -> Vec<ReservedAccount> {
        let mut reserved: Vec<ReservedAccount> = Vec::new();
        for (index, WrittenReservation { name, pod_selector }) in written.into_iter().enumerate() {
            let at = path("spec.reservedServiceAccounts").index(index);
            self.check_account(&at.clone().key("name"), &name);
            if pod_selector.is_empty() {
                let message = "the selector is empty: it would reserve the account for every pod";
                self.fault(&at.clone().key("podSelector"), message);
            } else {
                self.check_selector(&pod_selector, &at.clone().key("podSelector"), "");
            }
            if reserved.iter().any(|other| other.name == name) {
                self.fault(&at.key("name"), format!("{name} is reserved twice: join the two"));
            }
            reserved.push(ReservedAccount { name, pods: pod_selector });
        }
        reserved
    }

    fn check_account(&mut self, at: &Path<'_>, name: &str) {
        if !is_name(name) {
            self.fault(at, format!("{NAME}{}", not_ascii(name)));
        }
    }

    /// Refuses a service account that another policy would replace in turn: mutating a pod twice must have the same
    /// result as mutating it once.
    fn check_chain(&mut self, target: &str, sources: &[String]) {
        let leads_on = |policy: &&IdentityPolicy| {
            let Some(other) = policy.target() else { return false };
            let of_other = policy.source_service_accounts.iter().flatten();
            let from_here = of_other.into_iter().any(|source| source == target);
            let to_here = sources.iter().any(|source| source == other);
            (from_here || to_here) && other != target
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

fn assignment(identity: Identity) -> Assignment {
    Assignment {
        provider: match identity.provider {
            Provider::Azure => ProviderName::Azure,
        },
        service_account_name: identity.service_account_name,
        injection: match identity.injection {
            Injection::Inject => Injector::Podgate,
            Injection::Delegate => Injector::Delegate,
        },
        on_missing: Default::default(),
    }
}
