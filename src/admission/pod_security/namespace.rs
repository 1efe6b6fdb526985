//! Reviews of Namespaces: labels that cannot be read are refused, and a user who raises a level is warned of
//! the pods that it would refuse.

use crate::admission::answer::{AuditAnnotations, Cause, Details, Response, Status};
use crate::admission::bounds::{LONGEST_NAME, LONGEST_WARNINGS, cut_list};
use crate::admission::cluster_view::ClusterView;
use crate::admission::decision::{Decision, Operation};
use crate::admission::existing_pods::ExistingPods;
use crate::admission::pod_security::object::{DecodeError, NamespaceObject, read_namespace};
use crate::admission::request::Request;
use crate::controls::{Level, go_quoted};
use crate::policy::{
    Action, LabelFault, LevelVersion, Levels, Lookup, PodSecurityConfiguration, PodsQuery, joined,
};
use crate::text::cut_as_json;

/// Fills in the response to a review of a Namespace: faults of its labels, and the pods that a new level would refuse.
pub(in crate::admission) fn namespace<'r>(
    configuration: &'r PodSecurityConfiguration,
    (request, operation): (&Request<'_>, Operation),
    view: ClusterView<'_>,
    response: &mut Response<'r>,
    decision: &mut Decision<'_>,
) -> Result<(), Lookup> {
    response.allowed = true;
    if !request.requested_subresource.is_empty() {
        return Ok(());
    }
    let review = NamespaceReview { configuration, request };
    match review.judge(operation, view)? {
        Ok(warnings) => response.warnings = cut_list(warnings, LONGEST_WARNINGS),
        Err(NamespaceRefusal::Unread(unread)) => {
            let error = unread.text();
            response.audit_annotations =
                AuditAnnotations { error: Some(error.clone().into()), ..Default::default() };
            response.status = Some(Status::failure(400, unread.message));
            response.allowed = false;
            decision.fail(400, error);
        }
        Err(NamespaceRefusal::Labels(faults)) => {
            response.status = Some(invalid(request, &faults));
            response.allowed = false;
            decision.deny(422, String::new());
        }
    }
    Ok(())
}

/// Why a Namespace is refused.
enum NamespaceRefusal {
    Unread(DecodeError),
    Labels(Vec<LabelFault>),
}

/// A review of a Namespace.
struct NamespaceReview<'o, 'b> {
    configuration: &'o PodSecurityConfiguration,
    request: &'o Request<'b>,
}

impl NamespaceReview<'_, '_> {
    /// The warnings for the user who creates or changes it.
    fn judge(
        &self,
        operation: Operation,
        view: ClusterView<'_>,
    ) -> Result<Result<Vec<String>, NamespaceRefusal>, Lookup> {
        let (request, configuration) = (self.request, self.configuration);
        let (object_fault, kind_fault) = ("failed to decode object", "failed to decode namespace");
        let new = match read_namespace(&request.object, request, object_fault, kind_fault) {
            Ok(new) => new,
            Err(unread) => return Ok(Err(NamespaceRefusal::Unread(unread))),
        };
        let (levels, faults) = configuration.levels(&new.labels);
        match operation {
            Operation::Create if !faults.is_empty() => Ok(Err(NamespaceRefusal::Labels(faults))),
            Operation::Create if self.is_exempt() => Ok(Ok(self.exempt_warning(&new, &levels))),
            Operation::Update => {
                // Two spaces, as upstream has them.
                let (object_fault, kind_fault) =
                    ("failed to decode  old object", "failed to decode  old namespace");
                let old = match read_namespace(&request.old_object, request, object_fault, kind_fault) {
                    Ok(old) => old,
                    Err(unread) => return Ok(Err(NamespaceRefusal::Unread(unread))),
                };
                let (old_levels, old_faults) = configuration.levels(&old.labels);
                if !faults.is_empty() && faults != old_faults {
                    return Ok(Err(NamespaceRefusal::Labels(faults)));
                }
                self.change(&new, &levels, old_levels.enforce, view).map(Ok)
            }
            Operation::Create | Operation::Delete | Operation::Connect => Ok(Ok(Vec::new())),
        }
    }

    fn change(
        &self,
        new: &NamespaceObject,
        levels: &Levels,
        old: LevelVersion,
        view: ClusterView<'_>,
    ) -> Result<Vec<String>, Lookup> {
        let enforce = levels.enforce;
        let is_relaxed = enforce.version == old.version && enforce.level <= old.level;
        if enforce == old || enforce.level == Level::Privileged || is_relaxed {
            return Ok(Vec::new());
        }
        if self.is_exempt() {
            return Ok(self.exempt_warning(new, levels));
        }
        let exempt_runtime_classes = self.configuration.exemptions.runtime_classes.iter().cloned().collect();
        let query = PodsQuery { namespace: new.name.clone(), level: enforce, exempt_runtime_classes };
        Ok(view.pods_in(query)?.map_or_else(|_| ExistingPods::not_listed(), <[String]>::to_vec))
    }

    fn is_exempt(&self) -> bool {
        self.configuration.exemptions.namespaces.contains(self.request.namespace.as_ref())
    }

    fn exempt_warning(&self, namespace: &NamespaceObject, levels: &Levels) -> Vec<String> {
        if levels.is_privileged() || levels.is_equivalent(&self.configuration.defaults) {
            return Vec::new();
        }
        let modes: Vec<String> = Action::ALL
            .into_iter()
            .filter(|action| levels.of(*action).level != Level::Privileged)
            .filter(|action| action.is_labelled(&namespace.labels))
            .map(|action| format!("{}={}", action.name(), levels.of(action)))
            .collect();
        vec![format!(
            "namespace {} is exempt from Pod Security, and the policy ({}) will be ignored",
            go_quoted(&namespace.name),
            modes.join(", ")
        )]
    }
}

/// The refusal of labels that cannot be read.
fn invalid(request: &Request<'_>, faults: &[LabelFault]) -> Status<'static> {
    let kind = cut_as_json(&*request.kind, LONGEST_NAME);
    let message = format!("{kind} {} is invalid: {}", go_quoted(&request.name), joined(faults));
    let cause = |fault: &LabelFault| Cause {
        reason: "FieldValueInvalid",
        message: fault.message.clone(),
        field: fault.field.clone(),
    };
    let causes = faults.iter().map(cause).collect();
    let details = Details { name: cut_as_json(&*request.name, LONGEST_NAME), kind: kind.into(), causes };
    Status { details: Some(details), ..Status::failure(422, message) }
}
