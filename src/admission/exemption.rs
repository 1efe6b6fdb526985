//! Which policies do not judge a request, since its requester or the runtime class of its pod is exempt.
//!
//! An exemption of a requester is for the pods that it makes or changes itself. What a controller makes of an object that it
//! applied is the controller's request; and a new pod that names a controller is judged whoever sends it, so that an exempt
//! account that is a controller itself extends its exemption to nobody whose objects it serves.

use std::borrow::Cow;
use std::sync::Arc;

use crate::admission::answer::Response;
use crate::admission::decision::{Decision, Operation, Webhook};
use crate::admission::error::ReviewError;
use crate::admission::request::Request;
use crate::pod::Pod;
use crate::policy::{ExemptBy, NamespacePolicies, PolicyExemptions, PolicySet};
use crate::workload::{Workload, WorkloadObject};

/// A request that may be exempt from some policies.
pub(super) struct Exemption<'r, 'b> {
    pub(super) set: &'r PolicySet,
    pub(super) request: &'r Request<'b>,
    pub(super) operation: Operation,
    pub(super) workload: &'static Workload,
    pub(super) object: &'r WorkloadObject<'b>,
    pub(super) pod: &'r Pod<'b>,
}

impl Exemption<'_, '_> {
    /// The policies that judge the request, of those that hold in its namespace. From which it is exempt is told once, with its
    /// verdict.
    pub(super) fn without_exempt<'p>(
        &self,
        policies: Cow<'p, NamespacePolicies>,
        response: &mut Response<'_>,
        decision: &mut Decision<'_>,
    ) -> Result<Cow<'p, NamespacePolicies>, ReviewError> {
        if !policies.has_exemptions() {
            return Ok(policies);
        }
        let mut exempt: Vec<(Arc<str>, ExemptBy)> = Vec::new();
        for policy in policies.security(self.set).filter(|policy| !policy.exemptions.is_empty()) {
            exempt.extend(self.by(&policy.exemptions)?.map(|by| (Arc::clone(&policy.name), by)));
        }
        if exempt.is_empty() {
            return Ok(policies);
        }
        let judging =
            policies.without(self.set, |policy| exempt.iter().any(|(name, _)| *name == policy.name));
        match decision.webhook {
            Webhook::Validate => {
                response.audit_annotations.exempt = exempt.iter().map(|(_, by)| *by).min();
                decision.exemptions.extend(exempt);
            }
            // The same request is told of when its pod is judged.
            Webhook::Mutate => {}
        }
        Ok(Cow::Owned(judging))
    }

    /// By what the request is exempt, if it is: in upstream's order.
    fn by(&self, exemptions: &PolicyExemptions) -> Result<Option<ExemptBy>, ReviewError> {
        let by_requester = if self.is_made_by_requester() { self.by_requester(exemptions)? } else { None };
        let has_class = exemptions.has_runtime_class(&self.pod.spec.runtime_class_name);
        Ok(by_requester.or(has_class.then_some(ExemptBy::RuntimeClass)))
    }

    fn by_requester(&self, exemptions: &PolicyExemptions) -> Result<Option<ExemptBy>, ReviewError> {
        let username = self.request.username.as_ref();
        if exemptions.has_user(username) {
            return Ok(Some(ExemptBy::User));
        }
        let mut first = None;
        if exemptions.goes_by_groups_of(username) {
            let read = self.request.for_each_group(|group| {
                let by = exemptions.by_group(username, group);
                first = first.into_iter().chain(by).min();
            });
            read.map_err(|error| {
                let message = format!("the groups in request.userInfo cannot be read: {error}");
                ReviewError::bad_request(message)
            })?;
        }
        Ok(first)
    }

    /// Whether what is judged is what the requester makes or changes: the pods of a template are not made yet, and will be by
    /// somebody else.
    fn is_made_by_requester(&self) -> bool {
        let is_of_controller = self.operation == Operation::Create && self.object.metadata().owner.is_some();
        self.workload.is_pod() && !is_of_controller
    }
}
