//! The AdmissionReview v1 protocol: the bytes of a request in, the bytes of the answer out.
//!
//! Whenever a uid can be read the answer is a review, a refusal included: an HTTP error would be
//! subject to `failurePolicy`, a refusal is not.

mod answer;
mod bounds;
mod decision;
mod dispatch;
mod envelope;
mod existing_pods;
mod known;
mod object_type;
mod pod_security;
mod request;
mod significance;
mod unjudged;

use std::borrow::Cow;
use std::sync::Arc;

use crate::controls::{Finding, Found, Remedy};
use crate::evaluate::{Refusal, Severity, Subject, Verdict, evaluate, findings_of, note, repairs};
use crate::json::{ErrorKind, Reader};
use crate::mutate::{self, Identity, Mutation};
use crate::pod::{Metadata, Pod, Step, dotted, steps};
use crate::policy::{IdentityPolicy, PodSecurity, PolicySet, SecurityPolicy, Snapshot};
use crate::workload::{Object, Workload};

use answer::{AuditAnnotations, Cause, Details, Response, Status};
use bounds::{
    LONGEST_ANSWER, LONGEST_CAUSE, LONGEST_FIELD, LONGEST_NAME, LONGEST_NOTE, cut, cut_owned, quoted,
};
use dispatch::{check_version, to_judge};
use known::{Known, OfNamespace};
use request::{Envelope, Reading, Request};

pub use decision::{Counted, Decision, Operation, Outcome, Resource};
pub use existing_pods::ExistingPods;
pub use known::{LookedUp, LookupError, Want};

/// Most causes in a status: enough for every fault of a real pod, and a bound for a hostile one.
const MOST_CAUSES: usize = 64;
/// Most findings of a control in a note about a template: their words fill it.
const MOST_NOTED: usize = 64;
/// Longest message about a review that cannot be judged, in bytes.
const LONGEST_ERROR: usize = 256;

/// Which of the two webhooks a request was sent to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Webhook {
    /// `POST /validate`: the verdict.
    Validate,
    /// `POST /mutate`: the patch.
    Mutate,
}

/// Judges reviews by one set of policies and one snapshot of the cluster. Immutable, cheap to share, and cheap
/// to make anew when one of the two changes.
#[derive(Debug, Clone)]
pub struct Reviewer {
    policies: Arc<PolicySet>,
    snapshot: Arc<Snapshot>,
}

/// What a review came to.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "almost every reply is an answer, and a box for it would be an allocation"
)]
pub enum Reply<'b> {
    /// An answer.
    Answer(Answer<'b>),
    /// Something has to be looked up first.
    Wants(Want),
}

/// What goes back, and what was decided.
#[derive(Debug)]
pub struct Answer<'b> {
    /// The AdmissionReview to send, as JSON.
    pub body: Vec<u8>,
    /// What was decided: for the log line and the counters.
    pub decision: Decision<'b>,
}

/// A body without a readable uid: there is nothing to answer to, so the caller answers HTTP 400.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Unanswerable {
    /// One printable line that says why.
    pub message: String,
}

/// Why a review is not judged, or not yet.
enum Stop {
    Fault(Fault),
    Want(Want),
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<Want> for Stop {
    fn from(want: Want) -> Self {
        Self::Want(want)
    }
}

/// A review that cannot be judged: the code of its refusal, and why.
struct Fault {
    code: u16,
    message: String,
}

impl Fault {
    fn bad_request(message: impl Into<String>) -> Self {
        Self { code: 400, message: message.into() }
    }
}

impl<'b> Reply<'b> {
    /// The answer, unless something has to be looked up first.
    #[must_use]
    pub fn answer(self) -> Option<Answer<'b>> {
        match self {
            Self::Answer(answer) => Some(answer),
            Self::Wants(_) => None,
        }
    }
}

impl Reviewer {
    /// A reviewer by these policies, in the cluster that the snapshot shows.
    #[must_use]
    pub fn new(policies: PolicySet, snapshot: Snapshot) -> Self {
        Self { policies: Arc::new(policies), snapshot: Arc::new(snapshot) }
    }

    /// The same policies, in a cluster that has changed.
    #[must_use]
    pub fn with_snapshot(&self, snapshot: Arc<Snapshot>) -> Self {
        Self { policies: Arc::clone(&self.policies), snapshot }
    }

    /// The cluster that it knows.
    #[must_use]
    pub fn snapshot(&self) -> &Arc<Snapshot> {
        &self.snapshot
    }

    /// The policies that it judges by.
    #[must_use]
    pub fn policies(&self) -> &PolicySet {
        &self.policies
    }

    /// How many policies are in force.
    #[must_use]
    pub fn policy_count(&self) -> usize {
        let PolicySet { security, identity, pod_security, .. } = self.policies.as_ref();
        security.len() + identity.len() + usize::from(pod_security.is_some())
    }

    /// Whether every verdict is Kubernetes' own.
    #[must_use]
    pub fn is_pod_security(&self) -> bool {
        self.policies.pod_security.is_some()
    }

    /// Answers one AdmissionReview, or says what has to be looked up before it can be.
    ///
    /// # Errors
    /// [`Unanswerable`] when no uid could be read, so that there is no review to answer with.
    pub fn review<'b>(
        &self,
        webhook: Webhook,
        body: &'b [u8],
        looked_up: &LookedUp,
    ) -> Result<Reply<'b>, Unanswerable> {
        let mut envelope = Envelope::default();
        let read = match Reader::new(body) {
            Ok(reader) => envelope.read(reader, self.reading(webhook)),
            Err(error) => {
                // What stands before the first bad byte may hold the uid.
                let _ = envelope.read(Reader::of_valid_part(body), self.reading(webhook));
                Err(error)
            }
        };
        let Some(uid) = envelope.uid().cloned() else {
            let reason =
                read.err().map_or_else(|| "it has no request.uid".to_owned(), |error| error.to_string());
            return Err(Unanswerable { message: one_line(&format!("not an AdmissionReview: {reason}")) });
        };
        let fault = match read {
            Err(error) => {
                let code = if error.kind() == ErrorKind::Limit { 413 } else { 400 };
                Some(Fault { code, message: format!("the review cannot be read: {error}") })
            }
            Ok(()) => check_version(&envelope).err(),
        };
        let request = &envelope.request;
        let mut decision = Decision::new(webhook, uid.clone(), request);
        let mut response = Response::refusing(&uid);
        let known = Known { snapshot: &self.snapshot, looked_up };
        let judged = match fault {
            Some(fault) => Err(Stop::Fault(fault)),
            None => self.judge((webhook, request), known, &mut response, &mut decision),
        };
        match judged {
            Ok(()) => {}
            Err(Stop::Fault(fault)) => refuse_unjudged(&fault, &mut response, &mut decision),
            Err(Stop::Want(want)) => return Ok(Reply::Wants(want)),
        }
        let mut body = response.to_bytes();
        if body.len() > LONGEST_ANSWER {
            // Each part of an answer is bounded so that this is not reached.
            refuse_unjudged(&Fault { code: 413, message: too_long() }, &mut response, &mut decision);
            body = response.to_bytes();
        }
        Ok(Reply::Answer(Answer { body, decision }))
    }

    fn reading(&self, webhook: Webhook) -> Reading {
        match (&self.policies.pod_security, webhook) {
            (Some(_), Webhook::Validate) => Reading::PodSecurity,
            _ if self.policies.is_gate() => Reading::Gate,
            _ => Reading::Plain,
        }
    }

    /// Fills in the response to a request that was read.
    fn judge<'r, 'b>(
        &'r self,
        (webhook, request): (Webhook, &Request<'b>),
        known: Known<'_>,
        response: &mut Response<'r>,
        decision: &mut Decision<'b>,
    ) -> Result<(), Stop> {
        let operation = decision
            .operation
            .ok_or_else(|| Fault::bad_request(format!("no such operation {}", quoted(&request.operation))))?;
        if let (Some(configuration), Webhook::Validate) = (&self.policies.pod_security, webhook) {
            return self.judge_labels(configuration, (request, operation), known, response, decision);
        }
        response.allowed = true;
        let Some((workload, object)) = to_judge(request, operation)? else {
            return Ok(());
        };
        decision.describe(object);
        let Some(pod) = &object.pod else { return Ok(()) };
        let namespace = self.namespace(&request.namespace, known)?;
        let task = Task { operation, request, workload, object, pod, namespace };
        match webhook {
            Webhook::Validate => self.validate(&task, response, decision),
            Webhook::Mutate if workload.is_pod() && operation == Operation::Create => {
                self.mutate(&task, known, response, decision)?;
            }
            Webhook::Mutate => {}
        }
        Ok(())
    }

    /// What is known of the namespace, as far as any policy hangs on it.
    ///
    /// The API server asks because of the labels that it sees. If no policy reaches the namespace by those that we
    /// know, ours may be older: they are read before anything is let pass for it.
    fn namespace<'k>(&self, name: &str, known: Known<'k>) -> Result<OfNamespace<'k>, Want> {
        if !self.policies.needs_labels(name) {
            return Ok(OfNamespace::Absent);
        }
        let found = known.namespace(name)?;
        match found {
            OfNamespace::Labels(labels)
                if known.may_be_stale() && !self.policies.may_reach(name, Some(labels)) =>
            {
                Err(Want::Namespace(name.to_owned()))
            }
            OfNamespace::Labels(_) | OfNamespace::Absent | OfNamespace::Unknown(_) => Ok(found),
        }
    }

    /// Fills in the response as Kubernetes' own Pod Security Admission does.
    fn judge_labels<'r, 'b>(
        &'r self,
        configuration: &'r PodSecurity,
        (request, operation): (&Request<'b>, Operation),
        known: Known<'_>,
        response: &mut Response<'r>,
        decision: &mut Decision<'b>,
    ) -> Result<(), Stop> {
        if self.policies.is_reserved(&request.namespace) {
            response.allowed = true;
            return Ok(());
        }
        let (group, name) = (request.group.as_ref(), request.resource.as_ref());
        if (group, name) == ("", "namespaces") {
            let request = (request, operation);
            return Ok(pod_security::namespace(configuration, request, known, response, decision)?);
        }
        let resource = if (group, name) == ("", "pods") { Resource::Pod } else { Resource::Controller };
        let judge =
            pod_security::Judge { configuration, request, operation, known, response, decision, resource };
        match resource {
            Resource::Pod => judge.pod()?,
            Resource::Controller => judge.controller()?,
        }
        Ok(())
    }

    /// The policies that hold for what is judged.
    fn security<'v>(&'v self, task: &Task<'_, '_>) -> impl Iterator<Item = &'v SecurityPolicy> {
        self.policies.security_for(&task.request.namespace, task.namespace.labels())
    }

    /// Whether nothing is judged because no policy holds, where one is meant to: webhooks are called for namespaces
    /// that ask for it. The reserved namespaces are left out on purpose.
    fn is_unjudged(&self, task: &Task<'_, '_>) -> bool {
        let namespace = task.request.namespace.as_ref();
        !namespace.is_empty()
            && !self.policies.is_reserved(namespace)
            && !self.policies.may_reach(namespace, task.namespace.labels())
    }

    fn validate<'r, 'b>(
        &'r self,
        task: &Task<'_, 'b>,
        response: &mut Response<'r>,
        decision: &mut Decision<'b>,
    ) {
        if self.is_unjudged(task) {
            decision.is_unjudged = true;
            let labels = task.namespace.labels();
            response.warnings = unjudged::warnings(&self.policies, &task.request.namespace, labels);
            return;
        }
        let policies = || self.security(task);
        let mut verdict = evaluate(policies(), task.pod);
        if !task.is_repaired() {
            verdict.expect_no_repair();
        }
        decision.record(policies().map(|policy| Arc::clone(&policy.name)), &verdict);
        let is_pod = task.workload.is_pod();
        if is_pod {
            response.audit_annotations.enforce_policy = enforced(policies());
        }
        if verdict.breaches.is_empty() {
            return;
        }
        response.audit_annotations.audit_violations = audit_text(&verdict, task.pod, !is_pod);
        if !is_pod {
            response.warnings = verdict.template_warnings(task.pod);
        } else if verdict.is_denied() {
            let refusal = task.refusal(&verdict);
            decision.deny(403, refusal.code.clone());
            response.allowed = false;
            response.status = Some(task.status(&verdict, refusal.message));
        } else {
            response.warnings = verdict.warnings(task.pod);
        }
    }

    fn mutate<'b>(
        &self,
        task: &Task<'_, 'b>,
        known: Known<'_>,
        response: &mut Response<'_>,
        decision: &mut Decision<'b>,
    ) -> Result<(), Stop> {
        let repairs = repairs(self.security(task), task.pod);
        let identity = self.identity(task)?;
        if let Some(Identity { policy }) = &identity {
            check_service_account(policy, &task.request.namespace, known)?;
        }
        let mutated = mutate::mutate(task.pod, &repairs, identity.as_ref());
        let Mutation { patch, warnings } = mutated.map_err(|error| {
            let name = quoted(name(task.request, task.object));
            Fault { code: 413, message: format!("the pod {name} cannot be mutated: {error}") }
        })?;
        decision.patched(patch.operations());
        response.set_patch(patch);
        response.warnings = warnings;
        Ok(())
    }

    /// The identity that a pod is given. While nobody can tell the labels of its namespace none is, and the pod
    /// is refused if one might be meant for it: it would run without.
    fn identity<'v>(&'v self, task: &Task<'v, '_>) -> Result<Option<Identity<'v>>, Fault> {
        let namespace = &task.request.namespace;
        if let OfNamespace::Unknown(reason) = task.namespace
            && self.policies.may_give_identity(namespace)
        {
            let message = format!(
                "the labels of the namespace {namespace} cannot be read ({reason}), so nobody can tell which \
                 identity the pod gets; try again"
            );
            return Err(Fault { code: 500, message });
        }
        let identities = self.policies.identity_for(namespace, task.namespace.labels());
        mutate::choose(identities, task.pod)
            .map_err(|conflict| Fault { code: 500, message: conflict.to_string() })
    }
}

/// Checks that the service account is there that a policy gives a pod. The API server would check it too, and
/// tell whoever made the pod of an account that they never wrote.
fn check_service_account(policy: &IdentityPolicy, namespace: &str, known: Known<'_>) -> Result<(), Stop> {
    let IdentityPolicy { name, service_account_name, .. } = policy;
    let (code, problem) = match known.service_account(namespace, service_account_name)? {
        Ok(true) => return Ok(()),
        Ok(false) => (403, "not found: create it, or change the policy".to_owned()),
        Err(reason) => (500, format!("cannot be looked up ({reason}); try again")),
    };
    let message = format!(
        "IdentityPolicy \"{name}\" gives this pod the service account {namespace}/{service_account_name}, \
         which is {problem}"
    );
    Err(Stop::Fault(Fault { code, message }))
}

/// Refuses a review that could not be read whole (too large, too slow), or whose judging failed: the
/// uid is taken from the part that is there. `code` is the HTTP-like status inside the answer.
///
/// # Errors
/// [`Unanswerable`] when the part holds no uid.
pub fn refuse<'b>(
    webhook: Webhook,
    partial: &'b [u8],
    code: u16,
    message: &str,
) -> Result<Answer<'b>, Unanswerable> {
    let mut envelope = Envelope::default();
    // Whatever is wrong further on, the review is refused for the reason that was given.
    let _ = envelope.read(Reader::of_valid_part(partial), Reading::Plain);
    let Some(uid) = envelope.uid().cloned() else {
        return Err(Unanswerable { message: one_line(message) });
    };
    let mut decision = Decision::new(webhook, uid.clone(), &envelope.request);
    let mut response = Response::refusing(&uid);
    refuse_unjudged(&Fault { code, message: message.to_owned() }, &mut response, &mut decision);
    Ok(Answer { body: response.to_bytes(), decision })
}

fn refuse_unjudged(fault: &Fault, response: &mut Response<'_>, decision: &mut Decision<'_>) {
    let message = one_line(&format!("podgate: {}", fault.message));
    response.allowed = false;
    response.audit_annotations =
        AuditAnnotations { error: Some(message.clone().into()), ..AuditAnnotations::default() };
    response.status = Some(Status::failure(fault.code, message.clone()));
    decision.fail(fault.code, message);
}

/// What is judged of a request that is judged.
struct Task<'t, 'b> {
    operation: Operation,
    request: &'t Request<'b>,
    workload: &'static Workload,
    object: &'t Object<'b>,
    pod: &'t Pod<'b>,
    namespace: OfNamespace<'t>,
}

impl Task<'_, '_> {
    /// Whether the mutating webhook fills in what the pod leaves out: not for a pod that is there already,
    /// nor for one that shows a static pod. A template's pods are made anew.
    fn is_repaired(&self) -> bool {
        let is_new = self.operation == Operation::Create;
        let is_mirror = self.pod.metadata.annotation(Metadata::MIRROR).is_some();
        !self.workload.is_pod() || (is_new && !is_mirror)
    }

    fn refusal(&self, verdict: &Verdict<'_>) -> Refusal {
        let owner = self.object.metadata().owner.as_ref();
        let subject = Subject {
            kind: self.workload.kind,
            name: name(self.request, self.object),
            owner: owner.map(|owner| (owner.kind.as_ref(), owner.name.as_ref())),
            namespace: &self.request.namespace,
        };
        Refusal::new(subject, self.pod, verdict)
    }

    fn status(&self, verdict: &Verdict<'_>, message: String) -> Status<'static> {
        let base = self.workload.template_steps();
        let causes = findings_of(verdict, Severity::Deny)
            .into_iter()
            .take(MOST_CAUSES)
            .map(|finding| cause(self.pod, &base, finding))
            .collect();
        let details = Details {
            name: cut(&self.request.name, LONGEST_NAME),
            kind: self.workload.resource.into(),
            causes,
        };
        Status { details: Some(details), ..Status::failure(403, message) }
    }
}

fn cause(pod: &Pod<'_>, base: &[Step<'_>], finding: &Finding<'_>) -> Cause {
    let reason = match (finding.found, finding.remedy) {
        (Found::Absent, _) => "FieldValueRequired",
        (_, Remedy::Choose(_) | Remedy::Set(_)) => "FieldValueInvalid",
        (_, Remedy::Remove) => "FieldValueForbidden",
    };
    let path: Vec<Step<'_>> = base.iter().copied().chain(steps(finding.place, finding.field)).collect();
    Cause {
        reason,
        message: cut_owned(note(pod, finding), LONGEST_CAUSE),
        field: cut_owned(dotted(&path), LONGEST_FIELD),
    }
}

/// The name to show: a pod that is made by a controller has none yet when it is mutated.
fn name<'n>(request: &'n Request<'_>, object: &'n Object<'_>) -> &'n str {
    let metadata = object.metadata();
    [&request.name, &metadata.name, &metadata.generate_name]
        .into_iter()
        .find(|name| !name.is_empty())
        .map_or("", AsRef::as_ref)
}

/// The standards that pods are held to, as Pod Security Admission annotates the one it holds them to.
fn enforced<'p>(policies: impl Iterator<Item = &'p SecurityPolicy>) -> Option<Cow<'p, str>> {
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

/// `would violate PodSecurity "restricted:latest": ...` for each rule that is audited. Of a template,
/// what is filled in when its pods are made is left out.
fn audit_text<'p>(verdict: &Verdict<'p>, pod: &'p Pod<'_>, is_template: bool) -> Option<String> {
    let mut texts: Vec<String> = Vec::new();
    let mut length = 0;
    for breach in verdict.breaches.iter().filter(|breach| breach.rule.actions.audit) {
        if length > LONGEST_NOTE {
            break;
        }
        let unrepaired;
        let findings = if is_template {
            unrepaired = verdict.unrepaired(breach, pod, MOST_NOTED);
            &unrepaired
        } else {
            &breach.findings
        };
        if findings.is_empty() {
            continue;
        }
        let text = format!("would violate {}", breach.text_of(findings));
        if !texts.contains(&text) {
            length += text.len();
            texts.push(text);
        }
    }
    (!texts.is_empty()).then(|| cut_owned(texts.join("; "), LONGEST_NOTE))
}

fn too_long() -> String {
    format!("the answer would be longer than {} KiB", LONGEST_ANSWER / 1024)
}

/// A message about a review that cannot be judged: one line of ASCII, and bounded.
fn one_line(message: &str) -> String {
    let escaped = message.chars().flat_map(|character| match character {
        ' '..='~' => [character].into_iter().collect::<Vec<_>>(),
        other => other.escape_unicode().collect(),
    });
    let mut line: String = escaped.take(LONGEST_ERROR).collect();
    if line.len() == LONGEST_ERROR {
        line.truncate(LONGEST_ERROR - 3);
        line.push_str("...");
    }
    line
}
