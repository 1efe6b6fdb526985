//! What `/mutate` answers for a new pod: the patch of its defaults and its identity.

use std::sync::Arc;

use crate::admission::answer::Response;
use crate::admission::cluster_view::ClusterView;
use crate::admission::decision::Decision;
use crate::admission::error::{Interrupt, ReviewError};
use crate::admission::grants::PodGrants;
use crate::admission::identity::{audit_note, identity};
use crate::admission::outcome::{Task, name};
use crate::controls::{Grants, PodOrigin, RunAs};
use crate::evaluate::{Context, defaults};
use crate::identity::Providers;
use crate::mutate::{self, Mutation};
use crate::policy::PolicySet;
use crate::text::quoted;

/// Fills in the response about a pod, given the policies and who gives identities. What is filled in goes by the service account
/// that the pod is about to be given, as that of the finished pod.
pub(super) fn mutate<'v, 'b>(
    task: &Task<'v, 'b>,
    identities: (&'v PolicySet, &'v Providers),
    view: ClusterView<'v>,
    response: &mut Response<'_>,
    decision: &mut Decision<'b>,
) -> Result<(), Interrupt> {
    let identity = identity(task, identities, view, decision)?;
    decision.policies.extend(identity.policy.map(|policy| Arc::clone(&policy.name)));
    let note = audit_note(task, &identity);
    let security = || task.policies.security(identities.0);
    let origin = PodOrigin { account: identity.account.map_or(RunAs::Own, RunAs::Given), ..task.origin() };
    let context = Context { origin, ..task.context(Grants::default()) };
    let grants = PodGrants::of(security(), task.pod, context, view)?;
    let defaults = defaults(security(), task.pod, PodOrigin { grants: grants.told(), ..origin });
    let mutated = mutate::mutate(task.pod, task.object.text, &defaults, identity);
    let Mutation { patch, warnings } = mutated.map_err(|error| {
        let name = quoted(name(task.request, task.object));
        ReviewError { code: 413, message: format!("the pod {name} cannot be mutated: {error}") }
    })?;
    decision.patched(patch.operations());
    response.set_patch(patch);
    response.audit_annotations.identity = note;
    response.warnings = warnings;
    Ok(())
}
