//! What the providers put into a pod, for the service account that it will run as.

use crate::controls::{PodOrigin, RunAs};
use crate::identity::{Injection, InjectionError, Provider, Recipient, ServiceAccount};
use crate::mutate::identity::account_facts::AccountFacts;
use crate::mutate::identity::additions::judge_additions;
use crate::mutate::identity::change::{IdentityChange, IdentityError};
use crate::mutate::identity::plan::{Assigned, Halt, Planner};
use crate::mutate::identity::warning::{LONGEST_WARNING, warning};
use crate::policy::{AccountState, Injector};
use crate::text::{PrintableKey, cut};

impl<'p, F: AccountFacts<'p>> Planner<'p, '_, '_, F> {
    /// Puts into the pod what the providers have for it.
    pub(super) fn inject(
        &self,
        assigned: Option<&Assigned<'p>>,
        name: &'p str,
        change: &mut IdentityChange<'p>,
    ) -> Result<(), Halt<F::Lookup>> {
        let is_injected = |provider: &&dyn Provider| self.is_injected(assigned, *provider);
        if !self.providers.iter().any(|provider| is_injected(&provider)) {
            return Ok(());
        }
        let account = match assigned {
            Some(assigned) => assigned.account,
            None => self.own_account(name)?,
        };
        let Some(account) = account else { return Err(self.untold(name).into()) };
        // Of an account that a policy gives for the identity it is known already.
        if assigned.is_none()
            && let Some(right) = self.lacking_right(name, Some(account))?
        {
            change.warnings.push(warning(&right.brief()));
        }
        let Self { pod, namespace, enforced_level, .. } = *self;
        let is_new_account = assigned.is_some() && pod.service_account() != name;
        let recipient =
            Recipient { pod, namespace, account_name: name, account, is_new_account, enforced_level };
        for provider in self.providers.iter().filter(is_injected) {
            match provider.inject(recipient) {
                Ok(Injection { edits, warnings }) => {
                    change.edits.extend(edits);
                    change.warnings.extend(warnings.into_iter().map(|text| cut(text, LONGEST_WARNING)));
                }
                Err(InjectionError { code, message }) => {
                    return Err(IdentityError::new(code, message.clone(), message).into());
                }
            }
        }
        let origin = PodOrigin { namespace, account: RunAs::Given(name), ..self.origin };
        let refused = judge_additions((&self.security, origin), pod, &mut change.edits);
        change.refused = refused.map_err(|error| IdentityError::unreadable("what is added", &error))?;
        Ok(())
    }

    /// Whether podgate itself injects what this provider gives: the pod asks for it by its label, or a policy does.
    fn is_injected(&self, assigned: Option<&Assigned<'p>>, provider: &dyn Provider) -> bool {
        let (key, value) = provider.label();
        let is_asked = match self.pod.metadata.label(key) {
            Some(written) => written == value,
            None => assigned.is_some(),
        };
        is_asked && assigned.is_none_or(|assigned| assigned.injection == Injector::Podgate)
    }

    /// The account of a pod that asks for an identity by its label.
    fn own_account(&self, name: &str) -> Result<Option<&'p ServiceAccount>, Halt<F::Lookup>> {
        match self.facts.account(name).map_err(Halt::NeedsLookup)? {
            Ok(AccountState::Known(account)) => Ok(Some(account)),
            Ok(AccountState::Untold) => Ok(None),
            Ok(AccountState::Absent) => {
                let message = format!(
                    "{}, which is not found: create it, or name another in spec.serviceAccountName. {}",
                    self.asks(name),
                    self.subject(name)
                );
                let brief = format!("service account {}/{} not found", self.namespace, PrintableKey(name));
                Err(IdentityError::new(400, message, brief).into())
            }
            Err(reason) => Err(self.not_told(None, name, reason).into()),
        }
    }

    /// No service account is known at all, so nobody can tell the identity: without it the pod would run as nobody.
    fn untold(&self, name: &str) -> IdentityError {
        let message = format!(
            "{}, which is not found: no service account is known; name files that hold them with --objects",
            self.asks(name)
        );
        let brief = format!("service account {}/{} not found", self.namespace, PrintableKey(name));
        IdentityError::new(400, message, brief)
    }
}
