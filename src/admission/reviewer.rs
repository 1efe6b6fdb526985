//! The reviewer: from the bytes of a review to the reply.

use std::borrow::Cow;
use std::sync::Arc;

use crate::admission::answer::Response;
use crate::admission::bounds::LONGEST_ANSWER;
use crate::admission::cluster_view::{ClusterView, NamespaceState};
use crate::admission::decision::{CountedResource, Decision, Operation, Webhook};
use crate::admission::dispatch::{ToJudge, check_version, read_mode, to_judge};
use crate::admission::error::{Interrupt, ReviewError};
use crate::admission::exemption::Exemption;
use crate::admission::identity::check_identity;
use crate::admission::mutation::mutate;
use crate::admission::outcome::{Task, deny, one_line, origin_of_new, refuse_unjudged, too_long};
use crate::admission::pod_security;
use crate::admission::reply::{Answer, Reply, Unanswerable};
use crate::admission::request::{Envelope, NamedObject, Request};
use crate::admission::templates::TemplateReview;
use crate::admission::validation::validate;
use crate::controls::{Grants, PodOrigin, RunAs};
use crate::identity::Providers;
use crate::json::{ErrorKind, Reader};
use crate::mutate::ForetoldAccounts;
use crate::pod::{Changes, Controller};
use crate::policy::{
    Answers, IndexedNamespace, Lookup, LookupAnswer, LookupError, NamespacePolicies,
    PodSecurityConfiguration, PolicyIndex, PolicySet, Snapshot,
};
use crate::text::quoted;
use crate::workload::Kinds;

/// Judges reviews by one set of policies and one snapshot of the cluster. Immutable, cheap to share, and cheap
/// to make anew when one of the two changes.
#[derive(Debug, Clone)]
pub struct Reviewer {
    index: Arc<PolicyIndex>,
    snapshot: Arc<Snapshot>,
    /// The changes of an existing pod that any control depends on.
    depends_on: Changes,
    /// The custom resources that are known.
    kinds: Arc<Kinds>,
    /// Who gives pods an identity.
    providers: Arc<Providers>,
}

impl Reviewer {
    /// A reviewer by these policies, in the cluster that the snapshot shows.
    #[must_use]
    pub fn new(policies: PolicySet, snapshot: Snapshot) -> Self {
        let depends_on = policies.depends_on();
        let index = Arc::new(PolicyIndex::new(policies, &snapshot));
        Self {
            index,
            snapshot: Arc::new(snapshot),
            depends_on,
            kinds: Arc::new(Kinds::default()),
            providers: Arc::default(),
        }
    }

    /// The same policies, in a changed cluster. Only namespaces whose labels changed are resolved again.
    #[must_use]
    pub fn with_snapshot(&self, snapshot: Arc<Snapshot>) -> Self {
        let index = if snapshot.has_namespaces_of(&self.snapshot) {
            Arc::clone(&self.index)
        } else {
            Arc::new(self.index.with_snapshot(&snapshot))
        };
        Self { index, snapshot, ..self.clone() }
    }

    /// The same, with these providers of identities.
    #[must_use]
    pub fn with_providers(self, providers: Arc<Providers>) -> Self {
        Self { providers, ..self }
    }

    /// The snapshot of the cluster.
    #[must_use]
    pub fn snapshot(&self) -> &Arc<Snapshot> {
        &self.snapshot
    }

    /// The policies that it judges by.
    #[must_use]
    pub fn policies(&self) -> &PolicySet {
        self.index.policies()
    }

    /// How many policies are in force.
    #[must_use]
    pub fn policy_count(&self) -> usize {
        let PolicySet { security, identity, pod_security, .. } = self.policies();
        security.len() + identity.len() + usize::from(pod_security.is_some())
    }

    /// Whether every verdict is Kubernetes' own.
    #[must_use]
    pub fn is_pod_security(&self) -> bool {
        self.policies().pod_security.is_some()
    }

    /// Answers one AdmissionReview, judging it again with each thing that `resolve` finds for it. `answers` says which day it
    /// is, and what was found before.
    ///
    /// # Errors
    /// [`Unanswerable`] when no uid could be read, so that there is no review to answer with.
    pub fn answer<'b>(
        &self,
        webhook: Webhook,
        body: &'b [u8],
        mut answers: Answers,
        mut resolve: impl FnMut(&Lookup) -> Result<LookupAnswer, LookupError>,
    ) -> Result<Answer<'b>, Unanswerable> {
        loop {
            match self.review(webhook, body, &answers)? {
                Reply::Answer(answer) => return Ok(answer),
                Reply::NeedsLookup(lookup) => {
                    let found = resolve(&lookup);
                    answers.insert(lookup, found);
                }
            }
        }
    }

    /// Answers one AdmissionReview, or says what has to be looked up before it can be. That happens at most
    /// [`MOST_LOOKUPS`](crate::policy::MOST_LOOKUPS) times: what is missing then stays unknown.
    ///
    /// # Errors
    /// [`Unanswerable`] when no uid could be read, so that there is no review to answer with.
    pub fn review<'b>(
        &self,
        webhook: Webhook,
        body: &'b [u8],
        answers: &Answers,
    ) -> Result<Reply<'b>, Unanswerable> {
        let (mut envelope, mode) = (Envelope::default(), read_mode(self.policies(), webhook));
        let read = match Reader::new(body) {
            Ok(reader) => envelope.read(reader, mode),
            Err(error) => {
                // What stands before the first bad byte may hold the uid.
                let _ = envelope.read(Reader::of_valid_part(body), mode);
                Err(error)
            }
        };
        let Some(uid) = envelope.uid().cloned() else {
            let reason =
                read.err().map_or_else(|| "it has no request.uid".to_owned(), |error| error.to_string());
            return Err(Unanswerable { message: one_line(&format!("not an AdmissionReview: {reason}")) });
        };
        let error = match read {
            Err(error) => {
                let code = if error.kind() == ErrorKind::Limit { 413 } else { 400 };
                Some(ReviewError { code, message: format!("the review cannot be read: {error}") })
            }
            Ok(()) => check_version(&envelope).err(),
        };
        let request = &envelope.request;
        let mut decision = Decision::new(webhook, uid.clone(), request);
        let mut response = Response::refusing(&uid);
        let view = ClusterView { snapshot: &self.snapshot, answers };
        let judged = match error {
            Some(error) => Err(Interrupt::Failed(error)),
            None => self.judge((webhook, request), view, &mut response, &mut decision),
        };
        match judged {
            Ok(()) => {}
            Err(Interrupt::Failed(error)) => refuse_unjudged(&error, &mut response, &mut decision),
            Err(Interrupt::Denied(reason)) => deny(&reason, &mut response, &mut decision),
            Err(Interrupt::NeedsLookup(lookup)) => return Ok(Reply::NeedsLookup(lookup)),
        }
        decision.has_remarks = response.has_remarks();
        let mut body = response.to_bytes();
        if body.len() > LONGEST_ANSWER {
            // Each part of an answer is bounded so that this is not reached.
            refuse_unjudged(&ReviewError { code: 413, message: too_long() }, &mut response, &mut decision);
            body = response.to_bytes();
        }
        Ok(Reply::Answer(Answer { body, decision }))
    }

    /// Fills in the response to a request that was read.
    fn judge<'r, 'b>(
        &'r self,
        (webhook, request): (Webhook, &Request<'b>),
        view: ClusterView<'_>,
        response: &mut Response<'r>,
        decision: &mut Decision<'b>,
    ) -> Result<(), Interrupt> {
        let operation = decision.operation.ok_or_else(|| {
            ReviewError::bad_request(format!("no such operation {}", quoted(&request.operation)))
        })?;
        if let (Some(configuration), Webhook::Validate) = (&self.policies().pod_security, webhook) {
            return self.judge_labels(configuration, (request, operation), view, response, decision);
        }
        response.allowed = true;
        let (workload, object, changes) = match to_judge(request, operation, &self.kinds)? {
            ToJudge::Nothing => return Ok(()),
            ToJudge::CustomResource(object) if webhook == Webhook::Validate => {
                return self.judge_templates(request, object, view, response, decision);
            }
            ToJudge::CustomResource(_) => return Ok(()),
            ToJudge::Workload(workload, object, changes) => (workload, object, changes),
        };
        if !changes.intersect(self.depends_on) {
            return Ok(());
        }
        decision.describe(object);
        let Some(pod) = &object.pod else { return Ok(()) };
        let (namespace, policies) = self.namespace(&request.namespace, view)?;
        let exemption = Exemption { set: self.policies(), request, operation, workload, object, pod };
        let policies = exemption.without_exempt(policies, response, decision)?;
        let today = view.answers.today();
        let task = Task { operation, request, workload, object, pod, changes, namespace, policies, today };
        match webhook {
            Webhook::Validate => {
                validate(&task, self.policies(), view, response, decision)?;
                let identities = (self.policies(), self.providers.as_ref());
                check_identity(&task, identities, view, response, decision)?;
            }
            Webhook::Mutate if workload.is_pod() && operation == Operation::Create => {
                mutate(&task, (self.policies(), &self.providers), view, response, decision)?;
            }
            Webhook::Mutate => {}
        }
        Ok(())
    }

    /// Fills in the response to a request about a custom resource.
    fn judge_templates<'r, 'b>(
        &'r self,
        request: &Request<'b>,
        object: &NamedObject<'b>,
        view: ClusterView<'_>,
        response: &mut Response<'r>,
        decision: &mut Decision<'b>,
    ) -> Result<(), Interrupt> {
        let (namespace, policies) = self.namespace(&request.namespace, view)?;
        if policies.is_unjudged() {
            decision.is_unjudged = true;
            return Ok(());
        }
        let accounts = ForetoldAccounts::new(
            self.policies(),
            policies.identity(self.policies()),
            request.namespace.as_ref(),
        );
        let review = TemplateReview {
            kinds: &self.kinds,
            policies: policies.security(self.policies()).collect(),
            is_gate: self.policies().is_gate(),
            // Its templates may be for several service accounts. The pods are asked about when they are made.
            origin: PodOrigin {
                grants: Grants::Unknown("it is asked about each pod when it is made"),
                account: RunAs::GivenBy(&accounts),
                controller: Controller::Unknown,
                ..origin_of_new(request, namespace, view.answers.today())
            },
            request,
            object,
        };
        review.answer(response, decision);
        Ok(())
    }

    /// What is known of a namespace, and the policies that hold there.
    ///
    /// The API server calls because of the labels that it sees. If no policy holds by the labels that we know, ours may be
    /// outdated: they are read again before anything is allowed because no policy holds, and annotations before anything is
    /// refused because there are none.
    fn namespace<'k>(
        &'k self,
        name: &str,
        view: ClusterView<'k>,
    ) -> Result<(NamespaceState<'k>, Cow<'k, NamespacePolicies>), Lookup> {
        let is_live = self.snapshot.is_live();
        let state = match (view.looked_up_namespace(name), self.index.get(name)) {
            // What cannot be read again is as it was known, unless nothing would be judged by it.
            (Some(NamespaceState::Unknown(_)), Some(known)) if !known.policies().needs_current_labels() => {
                return Ok(by_index(known));
            }
            (Some(state), _) => state,
            (None, Some(known)) if is_live && known.may_be_outdated() => view.ask_for_namespace(name)?,
            (None, Some(known)) => return Ok(by_index(known)),
            (None, None) if is_live && self.policies().needs_namespace(name) => {
                view.ask_for_namespace(name)?
            }
            (None, None) => NamespaceState::Absent,
        };
        Ok((state, Cow::Owned(self.policies().resolve(name, state.labels()))))
    }

    /// Fills in the response as Kubernetes' own Pod Security Admission does.
    fn judge_labels<'r, 'b>(
        &'r self,
        configuration: &'r PodSecurityConfiguration,
        (request, operation): (&Request<'b>, Operation),
        view: ClusterView<'_>,
        response: &mut Response<'r>,
        decision: &mut Decision<'b>,
    ) -> Result<(), Interrupt> {
        if self.policies().is_reserved(&request.namespace) {
            response.allowed = true;
            return Ok(());
        }
        let (group, name) = (request.group.as_ref(), request.resource.as_ref());
        if (group, name) == ("", "namespaces") {
            let request = (request, operation);
            return Ok(pod_security::namespace(configuration, request, view, response, decision)?);
        }
        let resource =
            if (group, name) == ("", "pods") { CountedResource::Pod } else { CountedResource::Controller };
        let judge = pod_security::PodSecurityReview {
            configuration,
            request,
            operation,
            view,
            response,
            decision,
            resource,
        };
        match resource {
            CountedResource::Pod => judge.pod()?,
            CountedResource::Controller => judge.controller()?,
        }
        Ok(())
    }
}

/// What is known of a namespace by the index.
fn by_index(known: &IndexedNamespace) -> (NamespaceState<'_>, Cow<'_, NamespacePolicies>) {
    (NamespaceState::Known(known.metadata()), Cow::Borrowed(known.policies()))
}

#[cfg(test)]
mod tests {
    use crate::identity::ServiceAccount;
    use crate::policy::{BUILT_IN, MATCHES, Policies, read_file};

    use super::*;

    const REVIEW: &[u8] = include_bytes!("../../benches/payloads/one-container.json");

    /// A reviewer by the built-in policy and so many that match no namespace, in a cluster of so many namespaces.
    fn reviewer(policy_count: usize, namespace_count: usize) -> Reviewer {
        let mut policies = Policies::new(vec!["podgate-system".into()]);
        read_file("built in", BUILT_IN, &mut policies);
        for index in 0..policy_count {
            let other = BUILT_IN
                .replace("name: ml-restricted", &format!("name: other-{index}"))
                .replace("policy: ml-restricted", &format!("policy: other-{index}"));
            read_file("other", &other, &mut policies);
        }
        let mut snapshot = Snapshot::live();
        let label = || [("podgate.dev/policy".to_owned(), "ml-restricted".to_owned())].into();
        snapshot.insert("ml-team-a", label());
        for index in 0..namespace_count {
            snapshot.insert(&format!("n{index}"), label());
        }
        Reviewer::new(policies.finish().unwrap(), snapshot)
    }

    #[test]
    fn a_review_matches_no_selector() {
        for (policy_count, namespace_count) in [(0, 0), (200, 0), (0, 2000), (50, 500)] {
            let reviewer = reviewer(policy_count, namespace_count);
            assert_eq!(reviewer.policy_count(), 1 + policy_count);
            let before = MATCHES.get();
            for webhook in [Webhook::Validate, Webhook::Mutate] {
                let reply = reviewer.review(webhook, REVIEW, &Answers::default()).unwrap();
                assert_eq!(reply.answer().unwrap().decision.code, 200);
            }
            assert_eq!(MATCHES.get(), before, "{policy_count} policies, {namespace_count} namespaces");
        }
    }

    #[test]
    fn changes_of_service_accounts_leave_the_policies_of_namespaces_alone() {
        let reviewer = reviewer(10, 100);
        let mut snapshot = Snapshot::clone(reviewer.snapshot());
        snapshot.insert_service_account("ml-team-a", "trainer", ServiceAccount::default());
        let changed = reviewer.with_snapshot(Arc::new(snapshot.clone()));
        assert!(Arc::ptr_eq(&reviewer.index, &changed.index));
        snapshot.insert("ml-team-a", [("podgate.dev/policy".to_owned(), "other-3".to_owned())].into());
        let changed = reviewer.with_snapshot(Arc::new(snapshot));
        let reply = changed.review(Webhook::Validate, REVIEW, &Answers::default()).unwrap();
        assert_eq!(reply.answer().unwrap().decision.policies.as_slice(), ["other-3".into()]);
    }
}
