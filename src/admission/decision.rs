//! What was decided about a review, for the server's log line and counters.

use std::borrow::Cow;
use std::sync::Arc;

use smallvec::SmallVec;

use crate::admission::request::Request;
use crate::controls::Control;
use crate::evaluate::{Severity, Verdict};
use crate::mutate::IdentityOutcome;
use crate::pod::Owner;
use crate::policy::{Action, ExemptBy, LevelVersion};
use crate::workload::WorkloadObject;

/// Which of the two webhooks a request was sent to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Webhook {
    /// `POST /validate`: the verdict.
    Validate,
    /// `POST /mutate`: the patch.
    Mutate,
}

/// What was decided about one review. Borrows from the request's bytes; it holds names and control
/// ids, and nothing of a pod's environment.
#[derive(Debug)]
pub struct Decision<'b> {
    /// The webhook that was asked.
    pub webhook: Webhook,
    /// How it ended.
    pub outcome: Outcome,
    /// `status.code` of a refusal; 200 otherwise.
    pub code: u16,
    /// `None` when it could not be read.
    pub operation: Option<Operation>,
    /// The request's uid.
    pub uid: Cow<'b, str>,
    /// The kind of the object.
    pub kind: Cow<'b, str>,
    /// The subresource; mostly empty.
    pub subresource: Cow<'b, str>,
    /// The request's namespace.
    pub namespace: Cow<'b, str>,
    /// The object's name; empty while it is to be generated.
    pub name: Cow<'b, str>,
    /// What the name is generated from.
    pub generate_name: Cow<'b, str>,
    /// The controller that made the object.
    pub owner: Option<Owner<'b>>,
    /// Whether nothing of it will be kept.
    pub is_dry_run: bool,
    /// Whether no policy holds in its namespace, so that it was allowed unjudged.
    pub is_unjudged: bool,
    /// Whether its answer warns the user, or has something for the audit log: a violation, or what kept it from being judged as it
    /// should.
    pub has_remarks: bool,
    /// The policies that it was judged by.
    pub policies: SmallVec<[Arc<str>; 2]>,
    /// The exceptions that let something be, each once: its policy and its name.
    pub exceptions: SmallVec<[(Arc<str>, Arc<str>); 1]>,
    /// The security policies that it is exempt from, and by what: told by the validating webhook alone.
    pub exemptions: SmallVec<[(Arc<str>, ExemptBy); 1]>,
    /// What identity policies came to, each at most once.
    pub identities: SmallVec<[(Arc<str>, IdentityOutcome); 1]>,
    /// The controls that are violated, each once with the strictest action that it leads to: by what is left once defaults
    /// are filled in or, if a pod is refused for nothing else, by all.
    pub findings: Vec<(&'static str, Severity)>,
    /// The controls of which nothing is left once defaults are filled in, or would be if the policy were enforced.
    pub filled_in: Vec<&'static str>,
    /// The code of the refusal, as `PG-7F3K`; empty if there is none.
    pub refusal_code: String,
    /// How many changes the patch has.
    pub patch_operations: usize,
    /// What Kubernetes' own Pod Security Admission counts of it; nothing when its labels are not judged by.
    pub pod_security: SmallVec<[Counted; 3]>,
    /// Why it could not be judged; empty if it was.
    pub error: String,
}

impl Decision<'_> {
    /// The same, without anything of the request's bytes.
    #[must_use]
    pub fn into_owned(self) -> Decision<'static> {
        let owned = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
        let owner = self.owner.map(|Owner { api_version, kind, name, uid }| Owner {
            api_version: owned(api_version),
            kind: owned(kind),
            name: owned(name),
            uid: owned(uid),
        });
        Decision {
            uid: owned(self.uid),
            kind: owned(self.kind),
            subresource: owned(self.subresource),
            namespace: owned(self.namespace),
            name: owned(self.name),
            generate_name: owned(self.generate_name),
            owner,
            ..self
        }
    }
}

/// Something that Pod Security Admission counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counted {
    /// A pod was judged by a level.
    Evaluation {
        /// The resource.
        resource: CountedResource,
        /// The verdict.
        is_allowed: bool,
        /// The level and version.
        of: LevelVersion,
        /// What for.
        action: Action,
    },
    /// Nobody was judged.
    Exemption {
        /// The resource.
        resource: CountedResource,
    },
    /// Something kept it from being judged as it should.
    Error {
        /// The resource.
        resource: CountedResource,
        /// Whether it was not judged at all.
        is_fatal: bool,
    },
}

/// What Pod Security Admission's counters tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CountedResource {
    /// A pod.
    Pod,
    /// Anything that makes pods, or is sent as if it did.
    Controller,
}

/// How a review ended: a label of the metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Allowed as it is.
    Allowed,
    /// Allowed with a patch.
    Patched,
    /// Refused by a policy.
    Denied,
    /// Refused because it could not be read or judged.
    Error,
}

/// The operation of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// A new object.
    Create,
    /// A changed object.
    Update,
    /// An object that goes.
    Delete,
    /// A connection to a subresource.
    Connect,
}

impl Operation {
    fn named(name: &str) -> Option<Self> {
        match name {
            "CREATE" => Some(Self::Create),
            "UPDATE" => Some(Self::Update),
            "DELETE" => Some(Self::Delete),
            "CONNECT" => Some(Self::Connect),
            _ => None,
        }
    }
}

impl<'b> Decision<'b> {
    pub(super) fn new(webhook: Webhook, uid: Cow<'b, str>, request: &Request<'b>) -> Self {
        Self {
            webhook,
            outcome: Outcome::Allowed,
            code: 200,
            operation: Operation::named(&request.operation),
            uid,
            kind: request.kind.clone(),
            subresource: request.subresource.clone(),
            namespace: request.namespace.clone(),
            name: request.name.clone(),
            generate_name: Cow::default(),
            owner: None,
            is_dry_run: request.is_dry_run,
            is_unjudged: false,
            has_remarks: false,
            policies: SmallVec::new(),
            exceptions: SmallVec::new(),
            exemptions: SmallVec::new(),
            identities: SmallVec::new(),
            findings: Vec::new(),
            filled_in: Vec::new(),
            refusal_code: String::new(),
            patch_operations: 0,
            pod_security: SmallVec::new(),
            error: String::new(),
        }
    }

    pub(super) fn describe(&mut self, object: &WorkloadObject<'b>) {
        let metadata = object.metadata();
        if self.name.is_empty() {
            self.name = metadata.name.clone();
        }
        self.generate_name = metadata.generate_name.clone();
        self.owner.clone_from(&metadata.owner);
    }

    pub(super) fn record(
        &mut self,
        policies: impl Iterator<Item = Arc<str>>,
        verdict: &Verdict<'_>,
        is_refused: bool,
    ) {
        self.policies.extend(policies);
        for (exception, _) in verdict.used_exceptions() {
            let used = (Arc::clone(&exception.policy), Arc::clone(&exception.name));
            if !self.exceptions.contains(&used) {
                self.exceptions.push(used);
            }
        }
        let is_all_missing = is_refused && !verdict.is_denied_with_defaults();
        for (_, control) in verdict.controls() {
            let counts_whole = is_all_missing && control.active.actions.deny;
            let id = control.active.control.id;
            if control.remains() || counts_whole {
                self.found(control.severity(), control.active.control);
            } else if !self.filled_in.contains(&id) {
                self.filled_in.push(id);
            }
        }
    }

    pub(super) fn found(&mut self, severity: Severity, control: &'static Control) {
        match self.findings.iter_mut().find(|(id, _)| *id == control.id) {
            Some((_, strictest)) => *strictest = severity.max(*strictest),
            None => self.findings.push((control.id, severity)),
        }
    }

    pub(super) fn deny(&mut self, code: u16, refusal_code: String) {
        self.outcome = Outcome::Denied;
        self.code = code;
        self.refusal_code = refusal_code;
    }

    pub(super) fn patched(&mut self, operations: usize) {
        if operations > 0 {
            self.outcome = Outcome::Patched;
            self.patch_operations = operations;
        }
    }

    pub(super) fn fail(&mut self, code: u16, error: String) {
        self.outcome = Outcome::Error;
        self.code = code;
        self.error = error;
    }
}
