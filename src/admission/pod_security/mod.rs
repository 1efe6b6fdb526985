//! Reviews as Kubernetes' own Pod Security Admission answers them, for namespaces that are judged by their
//! `pod-security.kubernetes.io/*` labels.
//!
//! The order of the checks, and every word of the answers, is that of v1.37. That includes what podgate would otherwise do
//! differently: kinds that make pods are never refused, and a pod in a namespace without any level is not read.

mod namespace;
mod object;

use std::borrow::Cow;

use crate::admission::answer::{Cause, Details, Response, Status};
use crate::admission::bounds::{LONGEST_NAME, LONGEST_NOTE, LONGEST_TEXT};
use crate::admission::cluster_view::{ClusterView, NamespaceState};
use crate::admission::decision::{Counted, CountedResource, Decision, Operation};
use crate::admission::request::Request;
use crate::admission::subresource::IGNORED_POD_SUBRESOURCES;
use crate::controls::{Level, go_quoted};
use crate::evaluate::{ControlFindings, Severity, StandardText, by_standard};
use crate::pod::{Changes, Pod};
use crate::policy::{
    Action, ExemptBy, LabelFault, LevelVersion, Levels, Lookup, PodSecurityConfiguration, joined,
};
use crate::text::cut_as_json;
use crate::workload::WorkloadObject;

pub(super) use namespace::namespace;
use object::{DecodeError, read_pod, read_template};

/// One review of a pod or of something that makes pods.
pub(super) struct PodSecurityReview<'j, 'r, 'b> {
    pub(super) configuration: &'r PodSecurityConfiguration,
    pub(super) request: &'j Request<'b>,
    pub(super) operation: Operation,
    pub(super) view: ClusterView<'j>,
    pub(super) response: &'j mut Response<'r>,
    pub(super) decision: &'j mut Decision<'b>,
    pub(super) resource: CountedResource,
}

impl<'j, 'r, 'b> PodSecurityReview<'j, 'r, 'b> {
    /// Fills in the response to a review of a pod.
    pub(super) fn pod(mut self) -> Result<(), Lookup> {
        self.start();
        if IGNORED_POD_SUBRESOURCES.contains(&self.request.requested_subresource.as_ref()) || self.is_exempt()
        {
            return Ok(());
        }
        let (levels, faults) = match self.levels()? {
            Ok(found) => found,
            Err(reason) => {
                self.without_namespace(&reason);
                return Ok(());
            }
        };
        if faults.is_empty() && levels.is_privileged() {
            self.count_evaluation(true, levels.enforce, Action::Enforce);
            let privileged = self.configuration.standard(LevelVersion::PRIVILEGED);
            self.response.audit_annotations.enforce_policy = Some(privileged.text().into());
            return Ok(());
        }
        let request = self.request;
        let judged =
            match read_pod(&request.object, request, "failed to decode object", "failed to decode pod") {
                Ok(object) if self.operation == Operation::Update => {
                    let (object_fault, pod_fault) =
                        ("failed to decode old object", "failed to decode old pod");
                    read_pod(&request.old_object, request, object_fault, pod_fault)
                        .map(|old| (object, Some(old)))
                }
                read => read.map(|object| (object, None)),
            };
        match judged {
            Err(unread) => self.refuse_unread(&unread),
            Ok((new, Some(old))) if !is_significant(new, old) => {}
            Ok((object, _)) => {
                self.decision.describe(object);
                self.judge(object.pod.as_ref().unwrap_or(&Pod::default()), levels, &faults);
            }
        }
        Ok(())
    }

    /// Fills in the response to a review of something that makes pods: it is never refused.
    pub(super) fn controller(mut self) -> Result<(), Lookup> {
        self.start();
        if !self.request.requested_subresource.is_empty() || self.is_exempt() {
            return Ok(());
        }
        let (levels, faults) = match self.levels()? {
            Ok(found) => found,
            Err(reason) => {
                let namespace = go_quoted(&self.request.namespace);
                self.note_error(format!("failed to lookup namespace {namespace}: {reason}"));
                return Ok(());
            }
        };
        let is_unasked = |of: LevelVersion| of.level == Level::Privileged;
        if faults.is_empty() && is_unasked(levels.audit) && is_unasked(levels.warn) {
            return Ok(());
        }
        match read_template(&self.request.object, self.request) {
            Err(error) => self.note_error(error),
            Ok(None) => {}
            Ok(Some((workload, object))) => {
                self.decision.describe(object);
                match &object.pod {
                    Some(pod) => self.judge(pod, levels, &faults),
                    // The one kind whose template may be left out.
                    None if workload.kind == "ReplicationController" => {}
                    None => self.judge(&Pod::default(), levels, &faults),
                }
            }
        }
        Ok(())
    }

    fn start(&mut self) {
        self.response.allowed = true;
        // The other one is not looked at, and so not counted by.
        self.decision.subresource = self.request.requested_subresource.clone();
    }

    fn is_exempt(&mut self) -> bool {
        let exemptions = &self.configuration.exemptions;
        let who = if exemptions.namespaces.contains(self.request.namespace.as_ref()) {
            ExemptBy::Namespace
        } else if exemptions.usernames.contains(self.request.username.as_ref()) {
            ExemptBy::User
        } else {
            return false;
        };
        self.exempt(who);
        true
    }

    fn exempt(&mut self, who: ExemptBy) {
        self.response.audit_annotations.exempt = Some(who);
        self.decision.pod_security.push(Counted::Exemption { resource: self.resource });
    }

    /// What holds in the namespace; `Ok(Err)` when nobody can tell, with the reason.
    fn levels(&self) -> Result<Result<(Levels, Vec<LabelFault>), String>, Lookup> {
        let namespace = self.request.namespace.as_ref();
        Ok(match self.view.namespace(namespace)? {
            NamespaceState::Known(metadata) => Ok(self.configuration.levels(&metadata.labels)),
            NamespaceState::Absent => Err(format!("namespaces {} not found", go_quoted(namespace))),
            NamespaceState::Unknown(reason) => Err(reason.to_string()),
        })
    }

    fn without_namespace(&mut self, reason: &str) {
        let cause = format!("failed to lookup namespace {}", go_quoted(&self.request.namespace));
        let message = format!("Internal error occurred: {cause}");
        self.response.audit_annotations.error = Some(format!("{message}: {reason}").into());
        let causes = vec![Cause { message: cause, ..Cause::default() }];
        let details = Details { name: String::new(), kind: "".into(), causes };
        self.refuse(Status { details: Some(details), ..Status::failure(500, message.clone()) });
        self.decision.fail(500, format!("{message}: {reason}"));
        self.count_error(true);
    }

    fn refuse_unread(&mut self, unread: &DecodeError) {
        self.response.audit_annotations.error = Some(unread.text().into());
        self.refuse(Status::failure(400, unread.message));
        self.decision.fail(400, unread.text());
        self.count_error(true);
    }

    fn refuse(&mut self, status: Status<'r>) {
        self.response.allowed = false;
        self.response.status = Some(status);
    }

    fn note_error(&mut self, error: String) {
        let error = cut_as_json(error, LONGEST_NOTE);
        self.count_error(true);
        self.decision.error.clone_from(&error);
        self.response.audit_annotations.error = Some(error.into());
    }

    /// Judges a pod or template by what holds in its namespace. A template is not held to `enforce`.
    fn judge(&mut self, pod: &Pod<'_>, levels: Levels, faults: &[LabelFault]) {
        if self.configuration.exemptions.runtime_classes.contains(pod.spec.runtime_class_name.as_ref()) {
            return self.exempt(ExemptBy::RuntimeClass);
        }
        if !faults.is_empty() {
            let error = format!("Failed to parse policy: {}", joined(faults));
            self.response.audit_annotations.error = Some(cut_as_json(error, LONGEST_TEXT / 4).into());
            self.count_error(false);
        }
        self.decision.policies.push(self.configuration.standard(levels.enforce).shared_text());
        let enforced = (self.resource == CountedResource::Pod).then(|| self.enforce(pod, levels.enforce));
        let audited = match enforced {
            Some(findings) if levels.audit == levels.enforce => findings,
            others => {
                drop(others);
                self.findings(pod, levels.audit)
            }
        };
        if !audited.controls.is_empty() {
            let text = audited.would_violate(levels.audit);
            self.response.audit_annotations.audit_violations = Some(text);
            self.note(Severity::Audit, &audited);
            self.count_evaluation(false, levels.audit, Action::Audit);
        }
        if !self.response.allowed {
            return;
        }
        let warned = if levels.warn == levels.audit {
            audited
        } else {
            drop(audited);
            self.findings(pod, levels.warn)
        };
        if !warned.controls.is_empty() {
            self.response.warnings.push(warned.would_violate(levels.warn));
            self.note(Severity::Warn, &warned);
            self.count_evaluation(false, levels.warn, Action::Warn);
        }
    }

    fn enforce<'p>(&mut self, pod: &'p Pod<'_>, of: LevelVersion) -> LevelFindings<'p> {
        let standard = self.configuration.standard(of);
        let is_as_asked = standard.version() == of.version;
        self.response.audit_annotations.enforce_policy =
            Some(if is_as_asked { Cow::Borrowed(standard.text()) } else { of.to_string().into() });
        let findings = self.findings(pod, of);
        self.count_evaluation(findings.controls.is_empty(), of, Action::Enforce);
        if !findings.controls.is_empty() {
            let (name, detail) = (self.object_name(), &findings.detail);
            let message = format!("{name} is forbidden: violates PodSecurity \"{of}\": {detail}");
            let message = cut_as_json(message, LONGEST_TEXT);
            let name = cut_as_json(&*self.request.name, LONGEST_NAME);
            let details = Details { name, kind: "pods".into(), causes: Vec::new() };
            self.refuse(Status { details: Some(details), ..Status::failure(403, message) });
            self.decision.deny(403, String::new());
            self.note(Severity::Deny, &findings);
        }
        findings
    }

    /// `pods "train"`, or `pods` while there is no name yet.
    fn object_name(&self) -> String {
        match self.request.name.as_ref() {
            "" => "pods".to_owned(),
            name => format!("pods {}", go_quoted(name)),
        }
    }

    fn findings<'p>(&self, pod: &'p Pod<'_>, of: LevelVersion) -> LevelFindings<'p> {
        let controls = by_standard(self.configuration.standard(of), pod);
        let detail = if controls.is_empty() { String::new() } else { StandardText::of(&controls).detail };
        LevelFindings { controls, detail }
    }

    fn note(&mut self, severity: Severity, findings: &LevelFindings<'_>) {
        for of_control in &findings.controls {
            self.decision.found(severity, of_control.control);
        }
    }

    fn count_evaluation(&mut self, is_allowed: bool, of: LevelVersion, action: Action) {
        let resource = self.resource;
        self.decision.pod_security.push(Counted::Evaluation { resource, is_allowed, of, action });
    }

    fn count_error(&mut self, is_fatal: bool) {
        self.decision.pod_security.push(Counted::Error { resource: self.resource, is_fatal });
    }
}

/// What a pod violates at a level, and the words for it: what is enforced is mostly audited and warned about, too.
struct LevelFindings<'p> {
    controls: Vec<ControlFindings<'p>>,
    detail: String,
}

impl LevelFindings<'_> {
    fn would_violate(&self, of: LevelVersion) -> String {
        cut_as_json(format!("would violate PodSecurity \"{of}\": {}", self.detail), LONGEST_TEXT)
    }
}

fn is_significant(new: &WorkloadObject<'_>, old: &WorkloadObject<'_>) -> bool {
    match (&new.pod, &old.pod) {
        (Some(new), Some(old)) => Changes::between(old, new).intersect(Changes::OF_STANDARD),
        _ => true,
    }
}
