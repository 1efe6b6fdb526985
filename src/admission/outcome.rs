//! A verdict, or why there is none, as it is sent to the API server.

use std::borrow::Cow;

use jiff::civil::Date;

use crate::admission::answer::{AuditAnnotations, Cause, Details, Response, Status};
use crate::admission::bounds::{LONGEST_ANSWER, LONGEST_CAUSE, LONGEST_FIELD, LONGEST_NAME, LONGEST_NOTE};
use crate::admission::cluster_view::NamespaceState;
use crate::admission::decision::{Decision, Operation};
use crate::admission::error::ReviewError;
use crate::admission::request::{ObjectField, Request};
use crate::controls::{Grants, Groups, PodOrigin};
use crate::evaluate::{
    Context, ControlFindings, ExistingPod, Judged, Refusal, RuleViolations, Subject, Verdict, note,
};
use crate::finding::{EditOp, Fix, Found};
use crate::path::Path;
use crate::pod::{Changes, Pod};
use crate::policy::{Exception, NamespacePolicies, SecurityPolicy};
use crate::text::{cut, cut_as_json, printable};
use crate::workload::{Workload, WorkloadObject};

/// Most causes in a status: enough for every fault of a real pod, and a bound for a hostile one.
const MOST_CAUSES: usize = 64;
/// Most findings of a control in a note about a template: their words fill it.
const MOST_NOTED: usize = 64;
/// Longest message about a review that cannot be judged, in bytes.
const LONGEST_ERROR: usize = 256;

/// What is judged of a request that is judged.
pub(super) struct Task<'t, 'b> {
    pub(super) operation: Operation,
    pub(super) request: &'t Request<'b>,
    pub(super) workload: &'static Workload,
    pub(super) object: &'t WorkloadObject<'b>,
    pub(super) pod: &'t Pod<'b>,
    pub(super) changes: Changes,
    pub(super) namespace: NamespaceState<'t>,
    pub(super) policies: Cow<'t, NamespacePolicies>,
    /// The day on which it is judged.
    pub(super) today: Option<Date>,
}

/// Where the pods come from that a request makes, or that an object of it will.
pub(super) fn origin_of_new<'t>(
    request: &'t Request<'_>,
    namespace: NamespaceState<'t>,
    today: Option<Date>,
) -> PodOrigin<'t> {
    PodOrigin {
        namespace: &request.namespace,
        annotations: namespace.annotations(),
        requester: &request.username,
        groups: Groups::of(request.groups),
        today,
        ..PodOrigin::UNKNOWN
    }
}

impl Task<'_, '_> {
    /// What the verdict depends on besides policies and pod. The mutating webhook does not see existing pods, and leaves
    /// mirror pods alone. A template's pods are new.
    pub(super) fn context<'c>(&'c self, grants: Grants<'c>) -> Context<'c> {
        let is_new = self.operation == Operation::Create;
        Context {
            changes: self.changes,
            fills_in_defaults: !self.workload.is_pod() || is_new,
            origin: PodOrigin { grants, ..self.origin() },
        }
    }

    /// Where the pod comes from.
    pub(super) fn origin(&self) -> PodOrigin<'_> {
        let new = origin_of_new(self.request, self.namespace, self.today);
        PodOrigin { old: self.old_pod(), controller: self.workload.controller(), ..new }
    }

    /// The pod as it was before an update. The pods of a template are new.
    pub(super) fn existing(&self) -> Option<ExistingPod<'_>> {
        self.old_pod().map(ExistingPod::new)
    }

    fn old_pod(&self) -> Option<&Pod<'_>> {
        let ObjectField::Read(old) = &self.request.old_object else { return None };
        let is_update = self.operation == Operation::Update && self.workload.is_pod();
        old.pod.as_ref().filter(|_| is_update)
    }

    /// Whether the template is not the one that was there before.
    pub(super) fn is_new_template(&self) -> bool {
        let ObjectField::Read(old) = &self.request.old_object else { return true };
        self.operation == Operation::Create || old.template_text != self.object.template_text
    }

    /// The text of a refusal for these findings.
    pub(super) fn refusal<'p>(&'p self, verdict: &Verdict<'p>, denied: &[Judged<'_, 'p>]) -> Refusal {
        let owner = self.object.metadata().owner.as_ref();
        let template = self.workload.template_steps().to_string();
        let subject = Subject {
            kind: self.workload.kind,
            name: name(self.request, self.object),
            owner: owner.map(|owner| (owner.kind.as_ref(), owner.name.as_ref())),
            namespace: &self.request.namespace,
            template: &template,
            elsewhere: 0,
        };
        Refusal::new(subject, self.pod, (verdict, denied), self.existing().as_ref())
    }

    /// The status of a refusal for these findings.
    pub(super) fn status(
        &self,
        verdict: &Verdict<'_>,
        denied: &[Judged<'_, '_>],
        message: String,
    ) -> Status<'static> {
        let base = self.workload.template_steps();
        let existing = self.existing();
        // What a template leaves out is no fault of it.
        let is_told = |judged: &&Judged<'_, '_>| self.workload.is_pod() || !judged.is_filled_in();
        let causes = denied
            .iter()
            .filter(is_told)
            .take(MOST_CAUSES)
            .map(|judged| {
                let instead = instead_of_fix(verdict, existing.as_ref(), judged);
                cause(&base, judged, note(self.pod, judged, instead))
            })
            .collect();
        let details = Details {
            name: cut_as_json(&*self.request.name, LONGEST_NAME),
            kind: self.workload.resource.into(),
            causes,
        };
        Status { details: Some(details), ..Status::failure(403, message) }
    }
}

/// What a program is told of the fix, where it is not the author's to make.
fn instead_of_fix(
    verdict: &Verdict<'_>,
    existing: Option<&ExistingPod<'_>>,
    judged: &Judged<'_, '_>,
) -> Option<&'static str> {
    if judged.is_filled_in() && verdict.is_denied_with_defaults() {
        Some("filled in for you when the rest is fixed")
    } else if judged.is_filled_in() {
        Some("filled in for you where podgate's mutating webhook sees the pod")
    } else if existing.is_some_and(|existing| !existing.can_fix(judged.finding)) {
        Some("cannot be changed in an existing pod: recreate it")
    } else {
        None
    }
}

fn cause(base: &Path<'_>, judged: &Judged<'_, '_>, message: String) -> Cause {
    let finding = judged.finding;
    let field = if base.is_empty() {
        finding.subject.dotted(&finding.path)
    } else {
        base.join(&finding.whole_path()).to_string()
    };
    cause_at(field, judged, message)
}

/// A finding as a cause, at this field of the object.
pub(super) fn cause_at(field: String, judged: &Judged<'_, '_>, message: String) -> Cause {
    let finding = judged.finding;
    let reason = match (finding.found, &finding.fix) {
        (Found::Absent, _) => "FieldValueRequired",
        (_, Fix::Edit { op: EditOp::Remove, .. } | Fix::Edits { .. }) => "FieldValueForbidden",
        (
            _,
            Fix::Edit { op: EditOp::Set(_) | EditOp::Append(_) | EditOp::Prepend(_), .. }
            | Fix::OneOf(_)
            | Fix::Range { .. },
        ) => "FieldValueInvalid",
    };
    Cause { reason, message: cut_as_json(message, LONGEST_CAUSE), field: cut_as_json(field, LONGEST_FIELD) }
}

/// The name to show: a pod that is made by a controller has none yet when it is mutated.
pub(super) fn name<'n>(request: &'n Request<'_>, object: &'n WorkloadObject<'_>) -> &'n str {
    let metadata = object.metadata();
    [&request.name, &metadata.name, &metadata.generate_name]
        .into_iter()
        .find(|name| !name.is_empty())
        .map_or("", AsRef::as_ref)
}

/// The standards that pods are held to, as Pod Security Admission annotates the one it holds them to.
pub(super) fn enforced<'p>(policies: impl Iterator<Item = &'p SecurityPolicy>) -> Option<Cow<'p, str>> {
    let mut enforced: Option<Cow<'p, str>> = None;
    let denies = |policy: &&SecurityPolicy| policy.rules.iter().any(|rule| rule.actions.deny);
    for standard in policies.filter(denies).filter_map(|policy| policy.enforce.as_ref()) {
        let text = standard.text();
        enforced = Some(match enforced {
            None => text.into(),
            Some(others) if others.split(", ").any(|other| other == text) => others,
            Some(others) => format!("{others}, {text}").into(),
        });
    }
    enforced
}

/// `would violate PodSecurity "restricted:latest": ...` for each rule that is audited, without what is filled in; with it
/// only if a pod is refused for nothing else.
pub(super) fn audit_text(verdict: &Verdict<'_>, is_refused: bool) -> Option<String> {
    let with_defaults = is_refused && !verdict.is_denied_with_defaults();
    let mut texts: Vec<String> = Vec::new();
    let mut length = 0;
    for violation in &verdict.violations {
        if length > LONGEST_NOTE {
            break;
        }
        let remaining;
        let audited = violation.controls.iter().filter(|control| control.active.actions.audit);
        let findings: Vec<&ControlFindings<'_>> = if with_defaults {
            audited.map(|control| &control.findings).collect()
        } else {
            remaining = verdict.look_at_remaining(violation, |actions| actions.audit, MOST_NOTED);
            remaining.iter().map(AsRef::as_ref).collect()
        };
        if findings.is_empty() {
            continue;
        }
        let text = ["would violate ", &violation.text_of(findings)].concat();
        if !texts.contains(&text) {
            length += text.len();
            texts.push(text);
        }
    }
    (!texts.is_empty()).then(|| cut_as_json(texts.join("; "), LONGEST_NOTE))
}

/// Which exceptions let what be: `rdma-memlock (ml-restricted): capabilities_restricted`.
pub(super) fn exceptions_text(verdict: &Verdict<'_>) -> Option<String> {
    let used = verdict.used_exceptions();
    let text = |(exception, controls): &(&Exception, Vec<&str>)| {
        format!("{} ({}): {}", exception.name, exception.policy, controls.join(", "))
    };
    let texts: Vec<String> = used.iter().map(text).collect();
    (!texts.is_empty()).then(|| cut_as_json(texts.join("; "), LONGEST_NOTE))
}

/// Which policies are switched to Audit that would do more than note what they find.
pub(super) fn switch_text(verdict: &Verdict<'_>) -> Option<String> {
    let is_eased = |violation: &&RuleViolations<'_>| {
        let mut enforced = violation.controls.iter().map(|control| control.active.enforced);
        enforced.any(|actions| actions.deny || actions.warn)
    };
    let mut notes: Vec<&str> = Vec::new();
    for violation in verdict.violations.iter().filter(is_eased) {
        notes.extend(violation.policy.switch.as_deref());
    }
    // Of several rules of one policy there is one note.
    notes.dedup();
    (!notes.is_empty()).then(|| cut_as_json(notes.join("; "), LONGEST_NOTE))
}

/// Refuses a review that cannot be judged, for this reason.
pub(super) fn refuse_unjudged(error: &ReviewError, response: &mut Response<'_>, decision: &mut Decision<'_>) {
    let message = one_line(&format!("podgate: {}", error.message));
    response.allowed = false;
    response.audit_annotations =
        AuditAnnotations { error: Some(message.clone().into()), ..AuditAnnotations::default() };
    response.status = Some(Status::failure(error.code, message.clone()));
    decision.fail(error.code, message);
}

/// Refuses a pod by a policy, for this reason.
pub(super) fn deny(reason: &str, response: &mut Response<'_>, decision: &mut Decision<'_>) {
    let message = cut(printable(&format!("podgate: {reason}"), LONGEST_NOTE).to_string(), LONGEST_NOTE);
    response.allowed = false;
    response.status = Some(Status::failure(403, message));
    decision.deny(403, String::new());
}

pub(super) fn too_long() -> String {
    format!("the answer would be longer than {} KiB", LONGEST_ANSWER / 1024)
}

/// A message about a review that cannot be judged: one line of ASCII, and bounded.
pub(super) fn one_line(message: &str) -> String {
    cut(printable(message, LONGEST_ERROR).to_string(), LONGEST_ERROR)
}
