//! A pod that may be given an identity → what is changed in it.

use std::sync::Arc;

use smallvec::SmallVec;

use crate::controls::PodOrigin;
use crate::identity::{Provider, Providers};
use crate::mutate::identity::account_facts::AccountFacts;
use crate::mutate::identity::change::{IdentityChange, IdentityError};
use crate::mutate::identity::choose::opts_out;
use crate::mutate::identity::explain::explain;
use crate::mutate::identity::plan::{Halt, Plan, Planner};
use crate::mutate::identity::warning::{policy_name, warning, would_be_denied};
use crate::pod::Pod;
use crate::policy::{IdentityPolicy, SecurityPolicy};

/// A pod that may be given an identity, and who may give it.
#[derive(Debug)]
pub struct IdentityRequest<'p, 'b, P, S> {
    /// The pod, as it was received.
    pub pod: &'p Pod<'b>,
    /// The same as its JSON text.
    pub text: &'p str,
    /// Its namespace: that of the request.
    pub namespace: &'p str,
    /// The level of the Pod Security Standards that the namespace enforces, if that is known.
    pub enforced_level: Option<&'p str>,
    /// What is known of where it comes from, as controls and exceptions go by it.
    pub origin: PodOrigin<'p>,
    /// The identity policies that hold in that namespace.
    pub policies: P,
    /// The security policies that hold there.
    pub security: S,
    /// The providers that are on.
    pub providers: &'p Providers,
}

impl<'p, P, S> IdentityRequest<'p, '_, P, S>
where
    P: Iterator<Item = &'p IdentityPolicy>,
    S: Iterator<Item = &'p SecurityPolicy>,
{
    /// What is changed in the pod, given what is known of the service accounts of its namespace.
    ///
    /// # Errors
    /// What has to be looked up first, or why the pod is refused.
    pub fn change<F: AccountFacts<'p>>(
        self,
        facts: &F,
    ) -> Result<Result<IdentityChange<'p>, IdentityError>, F::Lookup> {
        let Self { pod, text, namespace, enforced_level, origin, policies, security, providers } = self;
        if pod.is_mirror() {
            return Ok(Ok(IdentityChange::default()));
        }
        let policies: SmallVec<[&IdentityPolicy; 8]> = policies.collect();
        let is_asked = |provider: &dyn Provider| {
            let (key, value) = provider.label();
            pod.metadata.label(key) == Some(value)
        };
        if policies.is_empty() && !providers.iter().any(is_asked) {
            let warnings = providers.iter().filter_map(|provider| provider.near_miss(pod)).collect();
            return Ok(Ok(IdentityChange { warnings, ..IdentityChange::default() }));
        }
        let security = security.collect();
        let planner = Planner { pod, text, namespace, enforced_level, origin, providers, security, facts };
        match change(&planner, &policies) {
            Ok(change) => Ok(Ok(change)),
            Err(Halt::Refused(error)) => Ok(Err(error)),
            Err(Halt::NeedsLookup(lookup)) => Err(lookup),
        }
    }
}

fn change<'p, F: AccountFacts<'p>>(
    planner: &Planner<'p, '_, '_, F>,
    policies: &[&'p IdentityPolicy],
) -> Result<IdentityChange<'p>, Halt<F::Lookup>> {
    let pod = planner.pod;
    let is_selected = || policies.iter().copied().filter(|policy| policy.selects(pod));
    let opts_out = is_selected().next().is_some() && opts_out(pod)?;
    let enforced = policies.iter().copied().filter(|policy| policy.is_enforced());
    let Plan { mut change, .. } = planner.plan(enforced, opts_out)?;
    if change.policy.is_none() {
        change.warnings.extend(planner.providers.iter().filter_map(|provider| provider.near_miss(pod)));
    }
    if let Some(policy) = change.policy.filter(|_| opts_out) {
        let name = policy_name(&policy.name);
        change.warnings.push(warning(&format!("podgate.dev/skip is of no effect: {name} does not allow it")));
    }
    // A reserved account is refused to pods that the rest of the policy is not for.
    if policies.iter().all(|policy| policy.is_enforced()) {
        return Ok(change);
    }
    match planner.plan(policies.iter().copied(), opts_out) {
        Ok(planned) => tell(&planned, pod, &mut change),
        Err(Halt::Refused(error)) => {
            change.warnings.push(would_be_denied(&error.brief));
            change.on_trial = error.policy;
        }
        Err(Halt::NeedsLookup(lookup)) => return Err(Halt::NeedsLookup(lookup)),
    }
    Ok(change)
}

/// Tells what the policies on trial would change beside what is changed.
fn tell<'p>(planned: &Plan<'p>, pod: &Pod<'_>, change: &mut IdentityChange<'p>) {
    let on_trial = |policy: &Option<&'p IdentityPolicy>| policy.filter(|policy| !policy.is_enforced());
    let by = on_trial(&planned.change.policy).or_else(|| on_trial(&planned.automount));
    if let Some(policy) = by {
        let told = explain(policy, pod, &planned.change, change);
        change.on_trial = (!told.is_empty()).then(|| Arc::clone(&policy.name));
        change.warnings.extend(told);
    }
    for told in planned.change.refused.iter().chain(&planned.change.warnings) {
        if !change.refused.contains(told) && !change.warnings.contains(told) {
            change.warnings.push(told.clone());
        }
    }
}
