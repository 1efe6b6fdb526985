//! Azure workload identity, delegated: the pod gets its service account and the label by which
//! azure-workload-identity's own webhook knows it. That webhook puts the token in.

use json_patch::{PatchOperation, ReplaceOperation};
use serde_json::json;

use crate::controls::Printable;
use crate::mutate::{Mutation, TooLong, add, pointer};
use crate::pod::{Pod, Step};
use crate::policy::IdentityPolicy;

const LABEL: &str = "azure.workload.identity/use";

/// The identity that a pod is given.
#[derive(Debug, Clone, Copy)]
pub struct Identity<'p> {
    /// The policy that gives it.
    pub policy: &'p IdentityPolicy,
}

/// Two policies that would give one pod different service accounts. There is no order among them:
/// whoever wrote them has to say which.
#[derive(Debug, thiserror::Error)]
#[error(
    "IdentityPolicy \"{}\" gives this pod the service account {}, and \"{}\" gives it {}: make their match differ",
    one.name, one.service_account_name, other.name, other.service_account_name
)]
pub struct Conflict<'p> {
    /// A policy that matches.
    pub one: &'p IdentityPolicy,
    /// Another that does.
    pub other: &'p IdentityPolicy,
}

/// Chooses the identity of a pod among the policies that hold in its namespace.
///
/// # Errors
/// When two of them name different service accounts.
pub fn choose<'p>(
    policies: impl Iterator<Item = &'p IdentityPolicy>,
    pod: &Pod<'_>,
) -> Result<Option<Identity<'p>>, Conflict<'p>> {
    let mut chosen: Option<&IdentityPolicy> = None;
    for policy in policies.filter(|policy| is_for(policy, pod)) {
        match chosen {
            Some(one) if one.service_account_name != policy.service_account_name => {
                return Err(Conflict { one, other: policy });
            }
            _ => chosen = Some(policy),
        }
    }
    Ok(chosen.map(|policy| Identity { policy }))
}

fn is_for(policy: &IdentityPolicy, pod: &Pod<'_>) -> bool {
    let is_selected =
        policy.pods.as_ref().is_none_or(|selector| selector.matches(|key| pod.metadata.label(key)));
    let service_account = pod.service_account();
    // One that has the service account already may still lack the label.
    let is_taken = service_account == policy.service_account_name
        || policy.source_service_accounts.iter().any(|source| source == service_account);
    is_selected && is_taken
}

impl Identity<'_> {
    /// Adds the changes that give a pod this identity; none if it has it.
    pub(super) fn apply(&self, pod: &Pod<'_>, mutation: &mut Mutation) -> Result<(), TooLong> {
        let target = self.policy.service_account_name.as_str();
        if !pod.has_spec {
            let spec = json!({ "serviceAccountName": target, "serviceAccount": target });
            mutation.patch.push(&add(&[Step::Key("spec")], spec))?;
            return self.label(pod, mutation);
        }
        for (name, value) in [
            ("serviceAccountName", &pod.spec.service_account_name),
            ("serviceAccount", &pod.spec.service_account),
        ] {
            let path = [Step::Key("spec"), Step::Key(name)];
            let value = value.as_ref();
            if value.is_empty() {
                mutation.patch.push(&add(&path, json!(target)))?;
            } else if value != target {
                let replace = ReplaceOperation { path: pointer(&path), value: json!(target) };
                mutation.patch.push(&PatchOperation::Replace(replace))?;
            }
        }
        self.label(pod, mutation)
    }

    fn label(&self, pod: &Pod<'_>, mutation: &mut Mutation) -> Result<(), TooLong> {
        let labels = [Step::Key("metadata"), Step::Key("labels")];
        let label = [labels[0], labels[1], Step::Key(LABEL)];
        match (&pod.metadata.labels, pod.metadata.label(LABEL)) {
            (None, _) if !pod.has_metadata => {
                let metadata = json!({ "labels": { LABEL: "true" } });
                mutation.patch.push(&add(&[Step::Key("metadata")], metadata))?;
            }
            (None, _) => mutation.patch.push(&add(&labels, json!({ LABEL: "true" })))?,
            (Some(_), None) => mutation.patch.push(&add(&label, json!("true")))?,
            (Some(_), Some("true")) => {}
            (Some(_), Some(value)) => mutation.warnings.push(format!(
                "label {LABEL} is \"{}\": left as it is, so no token comes into the pod",
                Printable(value)
            )),
        }
        Ok(())
    }
}
