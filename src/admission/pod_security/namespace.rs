//! Reviews of Namespaces: labels that cannot be read are refused, and of a level that is raised whoever raises
//! it is told which pods would now be refused.

use crate::admission::answer::{AuditAnnotations, Cause, Details, Response, Status};
use crate::admission::bounds::{LONGEST_NAME, LONGEST_WARNINGS, cut, cut_list};
use crate::admission::decision::{Decision, Operation};
use crate::admission::existing_pods::ExistingPods;
use crate::admission::known::{Known, Want};
use crate::admission::pod_security::object::{Namespace, Unread, read_namespace};
use crate::admission::request::Request;
use crate::controls::{Level, go_quoted};
use crate::policy::{Action, LabelFault, LevelVersion, Levels, PodSecurity, joined};

/// Fills in the response to a review of a Namespace: faults of its labels, and whom a new level would refuse.
pub(in crate::admission) fn namespace<'r>(
    configuration: &'r PodSecurity,
    (request, operation): (&Request<'_>, Operation),
    known: Known<'_>,
    response: &mut Response<'r>,
    decision: &mut Decision<'_>,
) -> Result<(), Want> {
    response.allowed = true;
    if !request.requested_subresource.is_empty() {
        return Ok(());
    }
    let review = OfLabels { configuration, request };
    match review.judge(operation, known)? {
        Ok(warnings) => response.warnings = cut_list(warnings, LONGEST_WARNINGS),
        Err(Refused::Unread(unread)) => {
            let error = unread.text();
            response.audit_annotations =
                AuditAnnotations { error: Some(error.clone().into()), ..Default::default() };
            response.status = Some(Status::failure(400, unread.message));
            response.allowed = false;
            decision.fail(400, error);
        }
        Err(Refused::Labels(faults)) => {
            response.status = Some(invalid(request, &faults));
            response.allowed = false;
            decision.deny(422, String::new());
        }
    }
    Ok(())
}

/// Why a Namespace is refused.
enum Refused {
    Unread(Unread),
    Labels(Vec<LabelFault>),
}

/// A review of a Namespace.
struct OfLabels<'o, 'b> {
    configuration: &'o PodSecurity,
    request: &'o Request<'b>,
}

impl OfLabels<'_, '_> {
    /// What whoever makes or changes it is warned of.
    fn judge(&self, operation: Operation, known: Known<'_>) -> Result<Result<Vec<String>, Refused>, Want> {
        let (request, configuration) = (self.request, self.configuration);
        let (object_fault, kind_fault) = ("failed to decode object", "failed to decode namespace");
        let new = match read_namespace(&request.object, request, object_fault, kind_fault) {
            Ok(new) => new,
            Err(unread) => return Ok(Err(Refused::Unread(unread))),
        };
        let (levels, faults) = configuration.levels(&new.labels);
        match operation {
            Operation::Create if !faults.is_empty() => Ok(Err(Refused::Labels(faults))),
            Operation::Create if self.is_exempt() => Ok(Ok(self.exempt_warning(&new, &levels))),
            Operation::Update => {
                // Two spaces, as upstream has them.
                let (object_fault, kind_fault) =
                    ("failed to decode  old object", "failed to decode  old namespace");
                let old = match read_namespace(&request.old_object, request, object_fault, kind_fault) {
                    Ok(old) => old,
                    Err(unread) => return Ok(Err(Refused::Unread(unread))),
                };
                let (old_levels, old_faults) = configuration.levels(&old.labels);
                if !faults.is_empty() && faults != old_faults {
                    return Ok(Err(Refused::Labels(faults)));
                }
                self.change(&new, &levels, old_levels.enforce, known).map(Ok)
            }
            Operation::Create | Operation::Delete | Operation::Connect => Ok(Ok(Vec::new())),
        }
    }

    fn change(
        &self,
        new: &Namespace,
        levels: &Levels,
        old: LevelVersion,
        known: Known<'_>,
    ) -> Result<Vec<String>, Want> {
        let enforce = levels.enforce;
        let is_relaxed = enforce.version == old.version && enforce.level <= old.level;
        if enforce == old || enforce.level == Level::Privileged || is_relaxed {
            return Ok(Vec::new());
        }
        if self.is_exempt() {
            return Ok(self.exempt_warning(new, levels));
        }
        if let Some(warnings) = &known.looked_up.pod_warnings {
            return Ok(warnings.clone());
        }
        Err(Want::Pods(Box::new(ExistingPods::new(
            &new.name,
            enforce.to_string(),
            self.configuration.standard(enforce),
            &self.configuration.exemptions.runtime_classes,
        ))))
    }

    fn is_exempt(&self) -> bool {
        self.configuration.exemptions.namespaces.contains(self.request.namespace.as_ref())
    }

    fn exempt_warning(&self, namespace: &Namespace, levels: &Levels) -> Vec<String> {
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
    let kind = cut(&request.kind, LONGEST_NAME);
    let message = format!("{kind} {} is invalid: {}", go_quoted(&request.name), joined(faults));
    let cause = |fault: &LabelFault| Cause {
        reason: "FieldValueInvalid",
        message: fault.message.clone(),
        field: fault.field.clone(),
    };
    let causes = faults.iter().map(cause).collect();
    let details = Details { name: cut(&request.name, LONGEST_NAME), kind: kind.into(), causes };
    Status { details: Some(details), ..Status::failure(422, message) }
}
