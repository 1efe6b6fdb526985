//! What `/validate` answers about a pod, or about an object of Kubernetes' own that makes pods: the verdict.

use std::sync::Arc;

use crate::admission::answer::Response;
use crate::admission::cluster_view::ClusterView;
use crate::admission::decision::Decision;
use crate::admission::grants::PodGrants;
use crate::admission::outcome::{Task, audit_text, enforced, exceptions_text, switch_text};
use crate::admission::unjudged;
use crate::controls::{Grants, PodOrigin, RunAs};
use crate::evaluate::{Context, Refusal, Severity, evaluate, findings_of};
use crate::mutate::ForetoldAccounts;
use crate::pod::Changes;
use crate::policy::{Lookup, PolicySet};

/// Fills in the response to a request about a pod, or about an object of Kubernetes' own that makes pods, by these policies.
///
/// # Errors
/// What has to be looked up first.
pub(super) fn validate<'r, 'b>(
    task: &Task<'_, 'b>,
    set: &'r PolicySet,
    view: ClusterView<'_>,
    response: &mut Response<'r>,
    decision: &mut Decision<'b>,
) -> Result<(), Lookup> {
    if task.policies.is_unjudged() {
        if !task.changes.intersect(Changes::OF_STANDARD) {
            // Asked for by policies of other namespaces: nobody is told with each label that is set.
            return Ok(());
        }
        decision.is_unjudged = true;
        let labels = task.namespace.labels();
        response.warnings = unjudged::warnings(set, &task.request.namespace, labels);
        return Ok(());
    }
    let policies = || task.policies.security(set);
    let is_pod = task.workload.is_pod();
    // Of a template's pods `/mutate` has seen none yet.
    let foretold =
        (!is_pod).then(|| ForetoldAccounts::new(set, task.policies.identity(set), &task.request.namespace));
    let account = foretold.as_ref().map_or(RunAs::Own, |accounts| RunAs::GivenBy(accounts));
    let context = |grants| {
        let context = task.context(grants);
        Context { origin: PodOrigin { account, ..context.origin }, ..context }
    };
    let grants = PodGrants::of(policies(), task.pod, context(Grants::default()), view)?;
    let context = context(grants.told());
    let verdict = evaluate(policies(), task.pod, context);
    let is_refused = is_pod && verdict.is_denied();
    decision.record(policies().map(|policy| Arc::clone(&policy.name)), &verdict, is_refused);
    if is_pod {
        response.audit_annotations.enforce_policy = enforced(policies());
    }
    response.audit_annotations.exceptions = exceptions_text(&verdict);
    if verdict.violations.is_empty() {
        response.warnings = verdict.ending_warnings();
        return Ok(());
    }
    response.audit_annotations.audit_violations = audit_text(&verdict, is_refused);
    response.audit_annotations.switch = switch_text(&verdict);
    if !is_pod {
        if refuse_template((task, set), context, response, decision) {
            return Ok(());
        }
        response.warnings = verdict.template_warnings(task.pod, None);
        response.warnings.extend(verdict.ending_warnings());
    } else if is_refused {
        let denied = findings_of(&verdict, Severity::Deny);
        let Refusal { message, code, .. } = task.refusal(&verdict, &denied);
        decision.deny(403, code);
        response.allowed = false;
        response.status = Some(task.status(&verdict, &denied, message));
    } else {
        response.warnings = verdict.warnings(task.pod, task.existing().as_ref());
        response.warnings.extend(verdict.ending_warnings());
    }
    Ok(())
}

/// Refuses an object whose pods would be refused, if a policy says so and its template is new. Whether it is refused.
fn refuse_template<'b>(
    (task, set): (&Task<'_, 'b>, &PolicySet),
    context: Context<'_>,
    response: &mut Response<'_>,
    decision: &mut Decision<'b>,
) -> bool {
    let refusing = || task.policies.security(set).filter(|policy| policy.refuses_templates);
    if refusing().next().is_none() || !task.is_new_template() {
        return false;
    }
    let verdict = evaluate(refusing(), task.pod, context);
    if !verdict.is_denied_with_defaults() {
        return false;
    }
    let denied = findings_of(&verdict, Severity::Deny);
    let Refusal { message, code, .. } = task.refusal(&verdict, &denied);
    decision.deny(403, code);
    response.allowed = false;
    response.status = Some(task.status(&verdict, &denied, message));
    true
}
