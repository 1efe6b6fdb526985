//! The policies that are served: counted, checked for unguarded labels, and read again when their files change.

use std::sync::Arc;

use jiff::Timestamp;

use crate::admission::Reviewer;
use crate::cli::serve::in_force::PoliciesInForce;
use crate::cli::serve::switch::SwitchedPolicies;
use crate::cli::sources::Sources;
use crate::policy::{GuardedLabels, UnguardedLabel};
use crate::server::{Metrics, Reload, Reloaded, SourceChange};

/// Shows how many policies are in force, and the counters of drop-in mode where it is on.
pub(super) fn show_policies(metrics: &Metrics, reviewer: &Reviewer) {
    metrics.policies(reviewer.policy_count());
    metrics.exceptions(
        reviewer.policies().security.iter().flat_map(|policy| &policy.exceptions).map(AsRef::as_ref),
    );
    if reviewer.is_pod_security() {
        metrics.show_pod_security();
    }
}

/// Warns of policies that anybody who may edit a Namespace can evade.
pub(super) fn warn_of_unguarded(reviewer: &Reviewer, guarded: &GuardedLabels) {
    for UnguardedLabel { policy, key, is_annotation } in reviewer.policies().unguarded_labels(guarded) {
        if is_annotation {
            tracing::warn!(
                policy,
                annotation = key,
                "a policy goes by an annotation that is not guarded: whoever may edit a Namespace can set the annotation, \
                 make any pod, and set it back. Guard its key like that of a label (guardedLabels of the chart, \
                 PODGATE_GUARDED_LABELS of the base)"
            );
            continue;
        }
        tracing::warn!(
            policy,
            label = key,
            "a policy depends on a label that is not guarded: whoever may edit a Namespace can set the label, make any \
             pod, and set it back. Guard the label (guardedLabels of the chart, PODGATE_GUARDED_LABELS of the base), or \
             select by one that is guarded"
        );
    }
}

/// Reads policies and objects again when they change; the last good ones stay in force.
pub(super) fn follow_policies(
    mut sources: Sources,
    policies: Arc<SwitchedPolicies>,
    metrics: Arc<Metrics>,
    guarded: GuardedLabels,
) -> Reload<Arc<Reviewer>> {
    let mut known = PoliciesInForce::of(&sources);
    let look = move || match sources.changed() {
        Ok(None) => Ok(SourceChange::Unchanged),
        Ok(Some(changed)) => {
            // Nobody waits here while the policies of each namespace are resolved.
            let put = policies.put_sources(changed.clone(), Timestamp::now());
            let reviewer = put.map_err(|error| format!("{error:#}"))?;
            sources = changed;
            let now = PoliciesInForce::of(&sources);
            now.log_changes(&known);
            known = now;
            Ok(SourceChange::Changed(reviewer))
        }
        Err(error) => Err(format!("{error:#}")),
    };
    let loaded = Arc::clone(&metrics);
    Reload::new(Reloaded::Policies, metrics, look, move |reviewer: Arc<Reviewer>| {
        show_policies(&loaded, &reviewer);
        warn_of_unguarded(&reviewer, &guarded);
    })
}
