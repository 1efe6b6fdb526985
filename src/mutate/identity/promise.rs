//! Whether a pod has the identity that it was promised, in the end: other webhooks may have taken it away, or the one that was
//! to give it was not called.

use crate::identity::{ProviderName, Providers, check_account, lacking};
use crate::mutate::identity::account_facts::AccountFacts;
use crate::mutate::identity::bound_identity::lacking_right;
use crate::mutate::identity::change::IdentityError;
use crate::mutate::identity::choose::{choose, opts_out};
use crate::mutate::identity::warning::{policy_name, warning};
use crate::pod::Pod;
use crate::policy::{AccountState, Assignment, IdentityPolicy, Injector, OnMissing};
use crate::text::{Printable, PrintableKey};

/// A new pod, and who may have promised it an identity.
#[derive(Debug)]
pub struct PromisedPod<'p, 'b, P> {
    /// The pod, as all webhooks have left it.
    pub pod: &'p Pod<'b>,
    /// Its namespace.
    pub namespace: &'p str,
    /// The identity policies that hold in it.
    pub policies: P,
    /// The providers that are on.
    pub providers: &'p Providers,
}

/// A pod without what it was promised.
#[derive(Debug)]
pub struct BrokenPromise<'p> {
    /// The policy that promised it; `None` if the pod's own label did.
    pub policy: Option<&'p IdentityPolicy>,
    /// What the pod lacks, and what to do.
    pub message: String,
    /// The same as a warning, where the policy does not refuse the pod for it.
    pub warning: Option<String>,
}

impl<'p, P: Iterator<Item = &'p IdentityPolicy>> PromisedPod<'p, '_, P> {
    /// What was promised and is not there, given what is known of the service accounts of the namespace.
    ///
    /// # Errors
    /// What has to be looked up first, or why the pod cannot be judged.
    pub fn broken_promise<F: AccountFacts<'p>>(
        self,
        facts: &F,
    ) -> Result<Result<Option<BrokenPromise<'p>>, IdentityError>, F::Lookup> {
        let Self { pod, namespace, policies, providers } = self;
        if pod.is_mirror() {
            return Ok(Ok(None));
        }
        let left_out = opts_out(pod).unwrap_or_default();
        let promising = policies.filter(|policy| policy.is_enforced() && !(left_out && policy.may_opt_out));
        let promised = match choose(promising, pod) {
            Ok(promised) => promised,
            Err(conflict) => {
                let brief = conflict.to_string();
                return Ok(Err(IdentityError::new(500, brief.clone(), brief)));
            }
        };
        let is_asked = providers.iter().any(|provider| {
            let (key, value) = provider.label();
            pod.metadata.label(key) == Some(value)
        });
        let name = match promised {
            Some((_, assignment)) if !refuses_label(assignment.provider, pod) => {
                &assignment.service_account_name
            }
            None if is_asked => pod.service_account(),
            Some(_) | None => return Ok(Ok(None)),
        };
        let (provider, own) = (ProviderName::Azure, pod.service_account());
        // What cannot be told of the account is not missed.
        let account = match facts.account(name)? {
            Ok(AccountState::Known(account)) => Some(account),
            Ok(AccountState::Absent | AccountState::Untold) | Err(_) => None,
        };
        let what = if own == name {
            match lacking(provider, pod, account) {
                Ok(what) => what,
                Err(error) => return Ok(Err(IdentityError::unreadable("the pod", &error))),
            }
        } else {
            Some(format!("it runs as {}", PrintableKey(own)))
        };
        let Some(what) = what else { return Ok(Ok(None)) };
        // A pod whose account was not ready was left as it was.
        if promised.is_some_and(|(_, assignment)| assignment.on_missing != OnMissing::Deny) {
            let Some(account) = account.filter(|account| check_account(provider, account).is_empty()) else {
                return Ok(Ok(None));
            };
            if lacking_right(providers, (pod, namespace), (name, account), facts)?.is_some() {
                return Ok(Ok(None));
            }
        }
        let injected = promised.is_none_or(|(_, assignment)| assignment.injection == Injector::Podgate);
        let nobody = injected && providers.iter().next().is_none();
        Ok(Ok(broken(promised, (namespace, name), &what, nobody)))
    }
}

/// Whether the pod's author has written the provider's label with another value: no token comes in then, and it was said.
fn refuses_label(provider: ProviderName, pod: &Pod<'_>) -> bool {
    let (key, value) = provider.label();
    pod.metadata.label(key).is_some_and(|written| written != value)
}

fn broken<'p>(
    promised: Option<(&'p IdentityPolicy, &'p Assignment)>,
    (namespace, name): (&str, &str),
    what: &str,
    has_no_provider: bool,
) -> Option<BrokenPromise<'p>> {
    let on_missing = promised.map_or(OnMissing::Deny, |(_, assignment)| assignment.on_missing);
    if on_missing == OnMissing::Skip {
        return None;
    }
    let (namespace, name) = (Printable(namespace), PrintableKey(name));
    let (by, brief_by) = match promised {
        Some((policy, _)) => (format!("IdentityPolicy \"{}\"", policy.name), policy_name(&policy.name)),
        None => ("its label".to_owned(), "its label".to_owned()),
    };
    let why = if has_no_provider {
        "podgate injects nothing, as it was started without --azure-tenant-id, and no other webhook did. Try again once \
         one of them does"
    } else {
        "the webhook that puts it in was not called, or another took it out again. Try again; if it stays so, podgate \
         doctor tells whether the webhooks are called in the right order"
    };
    let message = format!(
        "this pod was promised the identity of the service account {namespace}/{name} by {by}, but {what}: {why}"
    );
    let warning = (on_missing == OnMissing::Warn)
        .then(|| warning(&format!("promised an identity by {brief_by}, but {what}; try again")));
    Some(BrokenPromise { policy: promised.map(|(policy, _)| policy), message, warning })
}
