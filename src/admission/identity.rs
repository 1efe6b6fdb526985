//! The identity that a pod is given, whether it can be, and whether the pod may run as the service account that it has.

use std::sync::Arc;

use crate::admission::answer::Response;
use crate::admission::bounds::LONGEST_NOTE;
use crate::admission::cluster_view::{ClusterView, NamespaceState};
use crate::admission::decision::{Decision, Operation};
use crate::admission::error::{Interrupt, ReviewError};
use crate::admission::outcome::{Task, origin_of_new};
use crate::identity::{Provider, Providers};
use crate::mutate::{
    AccountFacts, AccountRefusal, BrokenPromise, IdentityChange, IdentityError, IdentityOutcome,
    IdentityRequest, LegacyObjects, PromisedPod, account_refusal, account_warnings,
};
use crate::policy::{AccountState, Action, AzureMlExemption, Lookup, LookupError, PolicySet};
use crate::text::{PrintableKey, cut};

/// The service accounts of the namespace of a review.
struct NamespaceAccounts<'v> {
    view: ClusterView<'v>,
    namespace: &'v str,
}

impl<'v> AccountFacts<'v> for NamespaceAccounts<'v> {
    type Lookup = Lookup;

    fn account(&self, name: &str) -> Result<Result<AccountState<'v>, LookupError>, Lookup> {
        self.view.service_account(self.namespace, name)
    }

    fn is_bound(&self, name: &str) -> Result<Option<bool>, Lookup> {
        self.view.is_bound(self.namespace, name)
    }

    fn may_use_identity(&self, name: &str, client_id: &str) -> Result<Option<bool>, Lookup> {
        self.view.may_use_identity(self.namespace, name, client_id)
    }

    fn legacy(&self) -> Result<Result<LegacyObjects<'v>, LookupError>, Lookup> {
        self.view.legacy_objects(self.namespace)
    }
}

/// What is changed in a pod to give it an identity. While the labels of its namespace are unknown it gets none, and the pod
/// is refused if one might be meant for it: otherwise it would run without.
pub(super) fn identity<'v>(
    task: &Task<'v, '_>,
    (policies, providers): (&'v PolicySet, &'v Providers),
    view: ClusterView<'v>,
    decision: &mut Decision<'_>,
) -> Result<IdentityChange<'v>, Interrupt> {
    let namespace = task.request.namespace.as_ref();
    let (exemption, is_left_alone) = match exemption(task, policies) {
        Some(exemption) => (Some(exemption), true),
        None => (None, false),
    };
    if !is_left_alone {
        check_labels(task, task.policies.may_enforce_identity(), "which identity the pod gets")?;
    }
    if exemption.is_some_and(|exemption| !exemption.allows_workload_identity) {
        let warnings = azure_ml_warning(task, providers).into_iter().collect();
        return Ok(IdentityChange { warnings, ..IdentityChange::default() });
    }
    let request = IdentityRequest {
        pod: task.pod,
        text: task.object.text,
        namespace,
        enforced_level: task.namespace.labels().and_then(|labels| labels.get(Action::Enforce.level_label())),
        policies: task.policies.identity(policies).filter(|_| !is_left_alone),
        origin: origin_of_new(task.request, task.namespace, task.today),
        security: task.policies.security(policies),
        providers,
    };
    match request.change(&NamespaceAccounts { view, namespace })? {
        Ok(change) => {
            let outcome = change.outcome.map(|(policy, outcome)| (Arc::clone(&policy.name), outcome));
            let on_trial = change.on_trial.clone().map(|policy| (policy, IdentityOutcome::DryRun));
            decision.identities.extend(outcome.into_iter().chain(on_trial));
            Ok(change)
        }
        Err(error) => {
            let outcome = error.outcome();
            let IdentityError { code, message, policy, .. } = error;
            decision.identities.extend(policy.map(|policy| (policy, outcome)));
            Err(match code {
                403 => Interrupt::Denied(message),
                _ => Interrupt::Failed(ReviewError { code, message }),
            })
        }
    }
}

/// Refuses a pod, beside all else that it may be refused for, that may not run as its service account, or that lacks the
/// identity it was promised.
pub(super) fn check_identity<'v, 'b>(
    task: &Task<'v, 'b>,
    (policies, providers): (&'v PolicySet, &'v Providers),
    view: ClusterView<'v>,
    response: &mut Response<'_>,
    decision: &mut Decision<'b>,
) -> Result<(), Interrupt> {
    let (refusal, warnings) = account_rules(task, policies)?;
    response.warnings.extend(warnings);
    let (policy, reason) = match refusal {
        Some(AccountRefusal { policy, message, .. }) => {
            decision.identities.push((Arc::clone(&policy.name), IdentityOutcome::Refused));
            (Some(policy), message)
        }
        None => {
            let Some(broken) = promise(task, (policies, providers), view)? else { return Ok(()) };
            let BrokenPromise { policy, message, warning } = broken;
            let unkept = policy.map(|policy| (Arc::clone(&policy.name), IdentityOutcome::Unkept));
            decision.identities.extend(unkept);
            if let Some(warning) = warning {
                response.warnings.push(warning);
                return Ok(());
            }
            (policy, message)
        }
    };
    decision.policies.extend(policy.map(|policy| Arc::clone(&policy.name)));
    match &mut response.status {
        Some(status) => status.add(&reason),
        None => return Err(Interrupt::Denied(reason)),
    }
    Ok(())
}

/// Why a pod may not run as the service account that it has, and what policies on trial would say.
fn account_rules<'v>(
    task: &Task<'v, '_>,
    policies: &'v PolicySet,
) -> Result<(Option<AccountRefusal<'v>>, Vec<String>), ReviewError> {
    // Nobody can change the account of a pod that is there.
    let is_new = task.workload.is_pod() && task.existing().is_none();
    if !is_new || exemption(task, policies).is_some() {
        return Ok((None, Vec::new()));
    }
    check_labels(task, task.policies.may_refuse_account(), "which service accounts its pods may use")?;
    let of = (task.request.namespace.as_ref(), task.pod.service_account());
    let refusal = account_refusal(task.policies.identity(policies), task.pod, of);
    let warnings = account_warnings(task.policies.identity(policies), task.pod, of);
    Ok((refusal, warnings))
}

/// Whether a new pod lacks what it was promised: an identity, by a policy or its own label.
fn promise<'v>(
    task: &Task<'v, '_>,
    (policies, providers): (&'v PolicySet, &'v Providers),
    view: ClusterView<'v>,
) -> Result<Option<BrokenPromise<'v>>, Interrupt> {
    let is_new = task.workload.is_pod() && task.operation == Operation::Create;
    let exemption = exemption(task, policies);
    if !is_new || exemption.is_some_and(|exemption| !exemption.allows_workload_identity) {
        return Ok(None);
    }
    let namespace = task.request.namespace.as_ref();
    let holding = task.policies.identity(policies).filter(|_| exemption.is_none());
    let promised = PromisedPod { pod: task.pod, namespace, policies: holding, providers };
    let broken = promised.broken_promise(&NamespaceAccounts { view, namespace })?;
    broken.map_err(|IdentityError { code, message, .. }| Interrupt::Failed(ReviewError { code, message }))
}

/// What the audit log says of an identity that is given.
pub(super) fn audit_note(task: &Task<'_, '_>, change: &IdentityChange<'_>) -> Option<String> {
    let policy = change.policy.filter(|_| !change.edits.is_empty())?;
    let namespace = &task.request.namespace;
    let (from, to) = (task.pod.service_account(), change.account?);
    let from = PrintableKey(from);
    Some(cut(format!("{}: {namespace}/{from} -> {namespace}/{to}", policy.name), LONGEST_NOTE))
}

/// Whether identities leave the pod alone, as one of Azure Machine Learning's own.
fn exemption(task: &Task<'_, '_>, policies: &PolicySet) -> Option<AzureMlExemption> {
    let request = task.request;
    policies.azure_ml_exemption(&request.namespace, task.pod.service_account(), &request.username)
}

/// Why its label gets such a pod nothing.
fn azure_ml_warning(task: &Task<'_, '_>, providers: &Providers) -> Option<String> {
    let is_asked = |provider: &&dyn Provider| {
        let (key, value) = provider.label();
        task.pod.metadata.label(key) == Some(value)
    };
    let (key, _) = providers.iter().find(is_asked)?.label();
    Some(format!("podgate: {key} ignored: it would win over AzureML's own identity (MSI_ENDPOINT)"))
}

/// Refuses to go on while it is not known whether a policy holds.
fn check_labels(task: &Task<'_, '_>, is_needed: bool, what: &str) -> Result<(), ReviewError> {
    let NamespaceState::Unknown(reason) = task.namespace else { return Ok(()) };
    if !is_needed {
        return Ok(());
    }
    let namespace = &task.request.namespace;
    let message = format!(
        "the labels of the namespace {namespace} cannot be read ({reason}), so nobody can tell {what}; try again"
    );
    Err(ReviewError { code: 500, message })
}
