//! The identity that a pod is given: the service account by policy, and what its provider puts into the pod.

mod choose;

use crate::finding::{Edit, EditOp, Value};
use crate::identity::{
    AZURE_LABEL as LABEL, Injection, InjectionError, Provider, Providers, Recipient, ServiceAccount,
};
use crate::path::Path;
use crate::pod::Pod;
use crate::policy::{AccountState, IdentityPolicy, Injector, LookupError};
use crate::text::printable;

pub use choose::Conflict;

use choose::choose;

/// Longest value of a label in a warning.
const LONGEST_VALUE: usize = 24;

/// A pod that may be given an identity, and who may give it.
#[derive(Debug)]
pub struct IdentityRequest<'p, 'b, P> {
    /// The pod, as it was received.
    pub pod: &'p Pod<'b>,
    /// Its namespace: that of the request.
    pub namespace: &'p str,
    /// The identity policies that hold in that namespace.
    pub policies: P,
    /// The providers that are on.
    pub providers: &'p Providers,
}

/// What is changed in a pod to give it an identity.
#[derive(Debug, Default)]
pub struct IdentityChange<'p> {
    /// The policy that gives it, if any does.
    pub policy: Option<&'p IdentityPolicy>,
    /// The changes; none if the pod has its identity, or is given none.
    pub edits: Vec<Edit<'p>>,
    /// What the pod's author should know, each at most 120 characters.
    pub warnings: Vec<String>,
}

/// Why a pod is refused while it is given an identity.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct IdentityError {
    /// The HTTP code of the refusal.
    pub code: u16,
    /// What is wrong, and what to do.
    pub message: String,
}

impl<'p, P: Iterator<Item = &'p IdentityPolicy>> IdentityRequest<'p, '_, P> {
    /// What is changed in the pod. `account_of` says what is known of a service account of its namespace, or fails with
    /// what has to be looked up.
    ///
    /// # Errors
    /// The failure of `account_of`, or why the pod is refused.
    pub fn change<E>(
        self,
        account_of: impl FnOnce(&str) -> Result<Result<AccountState<'p>, LookupError>, E>,
    ) -> Result<Result<IdentityChange<'p>, IdentityError>, E> {
        let Self { pod, namespace, policies, providers } = self;
        if pod.is_mirror() {
            return Ok(Ok(IdentityChange::default()));
        }
        let policy = match choose(policies, pod) {
            Ok(policy) => policy,
            Err(conflict) => return Ok(Err(IdentityError { code: 500, message: conflict.to_string() })),
        };
        let is_injected = |provider: &&dyn Provider| is_injected(policy, pod, *provider);
        let is_any_injected = providers.iter().any(|provider| is_injected(&provider));
        if policy.is_none() && !is_any_injected {
            let warnings = providers.iter().filter_map(|provider| provider.near_miss(pod)).collect();
            return Ok(Ok(IdentityChange { warnings, ..IdentityChange::default() }));
        }
        let name = policy.map_or_else(|| pod.service_account(), |policy| &policy.service_account_name);
        let account = match found(policy, (namespace, name), account_of(name)?) {
            Ok(account) => account,
            Err(error) => return Ok(Err(error)),
        };
        let mut change = IdentityChange { policy, ..IdentityChange::default() };
        if let Some(policy) = policy {
            change.edits.extend(assign(policy, pod));
            change.warnings.extend(label_warning(pod));
        }
        let Some(account) = account else {
            return Ok(if is_any_injected { Err(untold(namespace, name)) } else { Ok(change) });
        };
        let recipient = Recipient { pod, namespace, account_name: name, account };
        for provider in providers.iter().filter(is_injected) {
            match provider.inject(recipient) {
                Ok(Injection { edits, warnings }) => {
                    change.edits.extend(edits);
                    change.warnings.extend(warnings);
                }
                Err(InjectionError { code, message }) => return Ok(Err(IdentityError { code, message })),
            }
        }
        Ok(Ok(change))
    }
}

/// Whether podgate itself injects what this provider gives: the pod asks for it by its label, or a policy does.
fn is_injected(policy: Option<&IdentityPolicy>, pod: &Pod<'_>, provider: &dyn Provider) -> bool {
    let (key, value) = provider.label();
    let is_asked = match pod.metadata.label(key) {
        Some(written) => written == value,
        None => policy.is_some(),
    };
    is_asked && policy.is_none_or(|policy| policy.injection == Injector::Podgate)
}

/// The service account that a pod will have; `None` if no service accounts are known at all.
fn found<'p>(
    policy: Option<&IdentityPolicy>,
    (namespace, name): (&str, &str),
    state: Result<AccountState<'p>, LookupError>,
) -> Result<Option<&'p ServiceAccount>, IdentityError> {
    let (code, problem) = match state {
        Ok(AccountState::Known(account)) => return Ok(Some(account)),
        Ok(AccountState::Untold) => return Ok(None),
        Ok(AccountState::Absent) if policy.is_some() => {
            (403, "not found: create it, or change the policy".to_owned())
        }
        Ok(AccountState::Absent) => {
            (400, "not found: create it, or name another in spec.serviceAccountName".to_owned())
        }
        Err(reason) => (500, format!("cannot be looked up ({reason}); try again")),
    };
    let message = match policy {
        Some(policy) => format!(
            "IdentityPolicy \"{}\" gives this pod the service account {namespace}/{name}, which is {problem}",
            policy.name
        ),
        None => format!(
            "this pod asks for an identity as the service account {namespace}/{name}, which is {problem}"
        ),
    };
    Err(IdentityError { code, message })
}

/// No service accounts are known at all, so nobody can tell the identity: the pod would run without.
fn untold(namespace: &str, name: &str) -> IdentityError {
    let message = format!(
        "this pod asks for an identity as the service account {namespace}/{name}, which is not found: no service account \
         is known; without a cluster, name files that hold them with --objects"
    );
    IdentityError { code: 400, message }
}

/// The edits that give a pod the service account of a policy, and the label by which the provider's own webhook selects it.
fn assign<'p>(policy: &'p IdentityPolicy, pod: &Pod<'_>) -> impl Iterator<Item = Edit<'p>> {
    let target = policy.service_account_name.as_str();
    let accounts = [
        ("serviceAccountName", &pod.spec.service_account_name),
        ("serviceAccount", &pod.spec.service_account),
    ];
    let swap: Vec<Edit<'p>> = accounts
        .into_iter()
        .filter(|(_, account)| *account != target)
        .map(|(field, _)| set(["spec", field], target))
        .collect();
    let label = pod.metadata.label(LABEL).is_none().then(|| set(["metadata", "labels", LABEL], "true"));
    swap.into_iter().chain(label)
}

/// What the pod's author should know: its own label is not changed, even if it prevents the token.
fn label_warning(pod: &Pod<'_>) -> Option<String> {
    let value = pod.metadata.label(LABEL).filter(|value| *value != "true")?;
    Some(format!(
        "podgate: label {LABEL} is \"{}\", not \"true\": no token comes into the pod",
        printable(value, LONGEST_VALUE)
    ))
}

fn set<'p, const N: usize>(keys: [&'p str; N], value: &'p str) -> Edit<'p> {
    Edit { path: Path::from_keys(keys), op: EditOp::Set(Value::Text(value)) }
}
