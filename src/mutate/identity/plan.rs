//! What a set of policies changes in a pod to give it an identity.

use smallvec::SmallVec;

use crate::controls::PodOrigin;
use crate::controls::api_token::{self, AUTOMOUNT, has_api_token};
use crate::identity::{Provider, Providers, ServiceAccount, check_account, federated_subject};
use crate::mutate::identity::account_facts::AccountFacts;
use crate::mutate::identity::account_rules::account_refusal_of_any;
use crate::mutate::identity::assign::{assign, label_warning, pull_secrets_of, swap_pull_secrets};
use crate::mutate::identity::bound_identity::{LackingRight, lacking_right};
use crate::mutate::identity::change::{IdentityChange, IdentityError, IdentityOutcome};
use crate::mutate::identity::choose::{choose, choose_automount};
use crate::mutate::identity::migrate::{Migrated, MigratedAccount, migrate};
use crate::mutate::identity::mountable_secrets::mountable_secret_warnings;
use crate::mutate::identity::warning::{policy_name, warning};
use crate::pod::Pod;
use crate::policy::{
    AccountState, Assignment, AutomountToken, IdentityPolicy, Injector, LookupError, OnMissing,
    SecurityPolicy,
};
use crate::text::{Printable, PrintableKey};

/// A pod, and what is known around it.
pub(super) struct Planner<'p, 'b, 'f, F> {
    pub(super) pod: &'p Pod<'b>,
    /// The pod as its JSON text.
    pub(super) text: &'p str,
    pub(super) namespace: &'p str,
    /// The level of the Pod Security Standards that the namespace enforces, if that is known.
    pub(super) enforced_level: Option<&'p str>,
    pub(super) providers: &'p Providers,
    /// What is known of where the pod comes from.
    pub(super) origin: PodOrigin<'p>,
    /// The security policies that hold in the namespace.
    pub(super) security: SmallVec<[&'p SecurityPolicy; 4]>,
    /// What is known of the service accounts of the namespace.
    pub(super) facts: &'f F,
}

/// Why there is no plan.
pub(super) enum Halt<E> {
    /// Something has to be looked up.
    NeedsLookup(E),
    /// The pod is refused.
    Refused(IdentityError),
}

/// What is planned, and which policies have a part in it.
pub(super) struct Plan<'p> {
    pub(super) change: IdentityChange<'p>,
    /// The policy that decides on the API server's token.
    pub(super) automount: Option<&'p IdentityPolicy>,
}

/// A service account that a policy gives.
pub(super) struct Assigned<'p> {
    pub(super) policy: &'p IdentityPolicy,
    /// Its name.
    pub(super) target: &'p str,
    pub(super) injection: Injector,
    /// `None` if no service accounts are known at all.
    pub(super) account: Option<&'p ServiceAccount>,
}

impl<E> Halt<E> {
    /// The same, naming the policy that is followed, if none is named yet.
    fn by(self, policy: Option<&IdentityPolicy>) -> Self {
        match self {
            Self::Refused(error) => Self::Refused(error.by(policy)),
            Self::NeedsLookup(lookup) => Self::NeedsLookup(lookup),
        }
    }
}

impl Assigned<'_> {
    fn outcome(&self) -> IdentityOutcome {
        match self.injection {
            Injector::Podgate => IdentityOutcome::Injected,
            Injector::Delegate => IdentityOutcome::Delegated,
        }
    }
}

/// The policy that gives the pod nothing as its author asks for that.
fn left_out_by_author<'p>(
    mut policies: impl Iterator<Item = &'p IdentityPolicy>,
    pod: &Pod<'_>,
) -> Option<&'p IdentityPolicy> {
    policies.find(|policy| {
        policy.may_opt_out
            && policy.target().is_some()
            && policy.selects(pod)
            && policy.takes_from(pod.service_account())
    })
}

impl<E> From<IdentityError> for Halt<E> {
    fn from(error: IdentityError) -> Self {
        Self::Refused(error)
    }
}

impl<'p, F: AccountFacts<'p>> Planner<'p, '_, '_, F> {
    /// What these policies change, of which the ones that may be left out are, if `opts_out`.
    pub(super) fn plan(
        &self,
        policies: impl Iterator<Item = &'p IdentityPolicy> + Clone,
        opts_out: bool,
    ) -> Result<Plan<'p>, Halt<F::Lookup>> {
        let pod = self.pod;
        let changing = || policies.clone().filter(|policy| !(opts_out && policy.may_opt_out));
        let chosen = choose(changing(), pod).map_err(|conflict| {
            let (one, other) = (policy_name(&conflict.one.name), policy_name(&conflict.other.name));
            let brief = format!("{one} and {other} give different accounts");
            IdentityError::new(500, conflict.to_string(), brief).by(Some(conflict.one))
        })?;
        let mut change = IdentityChange::default();
        let assigned = match chosen {
            Some(chosen) => {
                self.assigned(chosen, &mut change.warnings).map_err(|halt| halt.by(Some(chosen.0)))?
            }
            None => None,
        };
        let assigned = self.migrated(assigned, changing(), &mut change)?;
        let own = pod.service_account();
        let name = assigned.as_ref().map_or(own, |assigned| assigned.target);
        let mut is_stripped = false;
        if let Some(assigned) = &assigned {
            (change.policy, change.account) = (Some(assigned.policy), Some(assigned.target));
            is_stripped = self.swap(assigned, &mut change)?;
        }
        let giving = change.policy;
        self.inject(assigned.as_ref(), name, &mut change).map_err(|halt| halt.by(giving))?;
        let automount = choose_automount(changing(), pod, name);
        self.automount(automount, name, is_stripped, &mut change)?;
        if let Some(refusal) = account_refusal_of_any(policies.clone(), pod, (self.namespace, name)) {
            let error = IdentityError::new(403, refusal.message, refusal.brief);
            return Err(Halt::Refused(error.by(Some(refusal.policy))));
        }
        change.outcome = match (&assigned, chosen) {
            (Some(_), _) if change.edits.is_empty() => {
                giving.map(|policy| (policy, IdentityOutcome::Unchanged))
            }
            (Some(assigned), _) => Some((assigned.policy, assigned.outcome())),
            (None, Some((policy, _))) => Some((policy, IdentityOutcome::Skipped)),
            (None, None) if opts_out => {
                left_out_by_author(policies, pod).map(|policy| (policy, IdentityOutcome::Skipped))
            }
            (None, None) => None,
        };
        Ok(Plan { change, automount })
    }

    /// The service account that a policy gives the pod; `None` if it is not given, as its state does not allow it.
    fn assigned(
        &self,
        (policy, assignment): (&'p IdentityPolicy, &'p Assignment),
        warnings: &mut Vec<String>,
    ) -> Result<Option<Assigned<'p>>, Halt<F::Lookup>> {
        let name = &assignment.service_account_name;
        let account = match self.facts.account(name).map_err(Halt::NeedsLookup)? {
            Ok(AccountState::Known(account)) => Some(account),
            Ok(AccountState::Untold) if !self.injects(policy, assignment.injection) => None,
            Ok(state @ (AccountState::Untold | AccountState::Absent)) => {
                // Only files know of no service account at all.
                let fix = match state {
                    AccountState::Untold => {
                        "no service account is known; name files that hold them with --objects"
                    }
                    AccountState::Absent | AccountState::Known(_) => "create it, or change the policy",
                };
                let message = format!(
                    "{}, which is not found: {fix}. {}",
                    self.gives(policy, name),
                    self.subject(name)
                );
                let brief = format!("service account {}/{name} not found", self.namespace);
                self.unmet(policy, assignment, IdentityError::new(403, message, brief), warnings)?;
                return Ok(None);
            }
            Err(reason) => return Err(self.not_told(Some(policy), name, reason).into()),
        };
        let faults = account.map(|account| check_account(assignment.provider, account)).unwrap_or_default();
        if let Some(fault) = faults.first() {
            let message = format!(
                "{}, which {}: {}. {}",
                self.gives(policy, name),
                fault.what,
                fault.fix,
                self.subject(name)
            );
            let brief = format!("{}: service account {}/{name}", fault.brief, self.namespace);
            self.unmet(policy, assignment, IdentityError::new(403, message, brief), warnings)?;
            return Ok(None);
        }
        if let Some(right) = self.lacking_right(name, account)? {
            let message = format!("{}, which {}", self.gives(policy, name), right.what());
            self.unmet(policy, assignment, IdentityError::new(403, message, right.brief()), warnings)?;
            return Ok(None);
        }
        let injection = assignment.injection;
        Ok(Some(Assigned { policy, target: name, injection, account }))
    }

    /// Whether podgate itself injects for this policy, so that it has to know the service account.
    fn injects(&self, policy: &IdentityPolicy, injection: Injector) -> bool {
        let is_asked = |provider: &dyn Provider| {
            let (key, value) = provider.label();
            policy.target().is_some() && self.pod.metadata.label(key).is_none_or(|written| written == value)
        };
        injection == Injector::Podgate && self.providers.iter().any(is_asked)
    }

    /// The right that the pod would lack as this service account.
    pub(super) fn lacking_right(
        &self,
        name: &str,
        account: Option<&ServiceAccount>,
    ) -> Result<Option<LackingRight>, Halt<F::Lookup>> {
        let Some(account) = account else { return Ok(None) };
        let pod = (self.pod, self.namespace);
        lacking_right(self.providers, pod, (name, account), self.facts).map_err(Halt::NeedsLookup)
    }

    /// What a federated credential of the account has to name.
    pub(super) fn subject(&self, name: &str) -> String {
        format!(
            "Its subject for the federated credential is {}",
            federated_subject(&Printable(self.namespace).to_string(), &PrintableKey(name).to_string())
        )
    }

    /// The service account that takes the place of a binding of AAD Pod Identity, unless a policy gives one already.
    fn migrated(
        &self,
        assigned: Option<Assigned<'p>>,
        policies: impl Iterator<Item = &'p IdentityPolicy> + Clone,
        change: &mut IdentityChange<'p>,
    ) -> Result<Option<Assigned<'p>>, Halt<F::Lookup>> {
        let migrated =
            migrate((self.pod, self.namespace), policies, assigned.is_some(), || self.facts.legacy());
        let Migrated { account, edits, warnings } = migrated.map_err(Halt::NeedsLookup)??;
        change.edits.extend(edits);
        change.warnings.extend(warnings);
        Ok(assigned.or(account.map(|MigratedAccount { policy, name, account }| {
            let injection = policy.assignment.as_ref().map(|assignment| assignment.injection);
            let injection = injection.unwrap_or_default();
            Assigned { policy, target: name, injection, account: Some(account) }
        })))
    }

    /// What follows where the account that a policy gives is not as it has to be.
    fn unmet(
        &self,
        policy: &IdentityPolicy,
        assignment: &Assignment,
        error: IdentityError,
        warnings: &mut Vec<String>,
    ) -> Result<(), IdentityError> {
        let brief = format!("{} ({})", error.brief, policy_name(&policy.name));
        match assignment.on_missing {
            OnMissing::Deny => return Err(IdentityError { brief, ..error }),
            OnMissing::Warn => warnings.push(warning(&brief)),
            OnMissing::Skip => {}
        }
        Ok(())
    }

    fn gives(&self, policy: &IdentityPolicy, name: &str) -> String {
        format!(
            "IdentityPolicy \"{}\" gives this pod the service account {}/{name}",
            policy.name, self.namespace
        )
    }

    /// Why nobody can tell whether there is a service account.
    pub(super) fn not_told(
        &self,
        policy: Option<&IdentityPolicy>,
        name: &str,
        reason: LookupError,
    ) -> IdentityError {
        let problem = format!("which cannot be looked up ({reason}); try again");
        let message = match policy {
            Some(policy) => format!("{}, {problem}", self.gives(policy, name)),
            None => format!("{}, {problem}", self.asks(name)),
        };
        let brief = format!("service account {}/{} cannot be looked up", self.namespace, PrintableKey(name));
        IdentityError::new(500, message, brief)
    }

    pub(super) fn asks(&self, name: &str) -> String {
        let (namespace, name) = (Printable(self.namespace), PrintableKey(name));
        format!("this pod asks for an identity as the service account {namespace}/{name}")
    }

    /// Gives the pod its new service account, with all that the API server did for the old one. Whether the API server's token
    /// is taken out.
    fn swap(
        &self,
        assigned: &Assigned<'p>,
        change: &mut IdentityChange<'p>,
    ) -> Result<bool, Halt<F::Lookup>> {
        let Assigned { policy, target, account, .. } = assigned;
        let pod = self.pod;
        change.edits.extend(assign(target, pod));
        change.warnings.extend(label_warning(pod));
        let own = pod.service_account();
        let (Some(account), false) = (account, own == *target) else { return Ok(false) };
        let unreadable = |part: &'static str| move |error| IdentityError::unreadable(part, &error);
        let written = pull_secrets_of(pod).map_err(unreadable("spec.imagePullSecrets"))?;
        let mut kept = written.as_slice();
        if !written.is_empty() {
            match self.facts.account(own).map_err(Halt::NeedsLookup)? {
                Ok(AccountState::Known(old)) => {
                    let swapped = swap_pull_secrets(&written, old, account);
                    kept = if swapped.is_some() { &[] } else { kept };
                    change.edits.extend(swapped);
                }
                Ok(AccountState::Absent | AccountState::Untold) => {}
                Err(reason) => return Err(self.not_told(None, own, reason).into()),
            }
        }
        if let Some(mountable) = &account.mountable_secrets {
            let told = mountable_secret_warnings(self.text, mountable, (kept, &account.image_pull_secrets))
                .map_err(unreadable("the pod"))?;
            change.warnings.extend(told);
        }
        let is_off = account.automount_token == Some(false) && pod.spec.automount_token.is_none();
        let keeps = policy.automount == AutomountToken::Keep;
        if is_off && !keeps {
            api_token::strip(pod, |edit| change.edits.push(edit)).map_err(unreadable("volumeMounts"))?;
        }
        Ok(is_off && !keeps)
    }

    /// Takes out the API server's token where a policy says so.
    fn automount(
        &self,
        policy: Option<&'p IdentityPolicy>,
        name: &str,
        is_stripped: bool,
        change: &mut IdentityChange<'p>,
    ) -> Result<(), Halt<F::Lookup>> {
        let Some(policy) = policy else { return Ok(()) };
        let is_off = match policy.automount {
            AutomountToken::Off => true,
            AutomountToken::OffUnlessUsed => {
                self.facts.is_bound(name).map_err(Halt::NeedsLookup)? == Some(false)
            }
            AutomountToken::Inherit | AutomountToken::Keep => false,
        };
        match (is_off, self.pod.spec.automount_token) {
            (true, None) => {
                if !is_stripped {
                    let stripped = api_token::strip(self.pod, |edit| change.edits.push(edit));
                    stripped.map_err(|error| IdentityError::unreadable("volumeMounts", &error))?;
                }
                change.edits.push(api_token::turn_off());
            }
            (true, Some(true)) if has_api_token(self.pod) => change.warnings.push(warning(&format!(
                "{AUTOMOUNT}: true keeps the API server's token in, which {} would take out",
                policy_name(&policy.name)
            ))),
            (true, Some(_)) | (false, _) => {}
        }
        Ok(())
    }
}
