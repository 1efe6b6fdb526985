//! The identity that a pod is given, and whether it can be.

use crate::admission::cluster_view::{ClusterView, NamespaceState};
use crate::admission::error::{Interrupt, ReviewError};
use crate::admission::outcome::Task;
use crate::mutate::{self, Identity};
use crate::policy::{IdentityPolicy, PolicySet};

/// The identity that a pod is given. While the labels of its namespace are unknown it gets none, and the pod is refused
/// if one might be meant for it: otherwise it would run without.
pub(super) fn identity<'v>(
    task: &Task<'v, '_>,
    policies: &'v PolicySet,
) -> Result<Option<Identity<'v>>, ReviewError> {
    let namespace = &task.request.namespace;
    if let NamespaceState::Unknown(reason) = task.namespace
        && task.policies.may_give_identity()
    {
        let message = format!(
            "the labels of the namespace {namespace} cannot be read ({reason}), so nobody can tell which identity the \
             pod gets; try again"
        );
        return Err(ReviewError { code: 500, message });
    }
    let identities = task.policies.identity(policies);
    mutate::choose(identities, task.pod)
        .map_err(|conflict| ReviewError { code: 500, message: conflict.to_string() })
}

/// Checks that the service account exists that a policy gives a pod. The API server would check it too, but its error
/// would name an account that the author of the pod never wrote.
pub(super) fn check_service_account(
    policy: &IdentityPolicy,
    namespace: &str,
    view: ClusterView<'_>,
) -> Result<(), Interrupt> {
    let IdentityPolicy { name, service_account_name, .. } = policy;
    let (code, problem) = match view.service_account(namespace, service_account_name)? {
        Ok(true) => return Ok(()),
        Ok(false) => (403, "not found: create it, or change the policy".to_owned()),
        Err(reason) => (500, format!("cannot be looked up ({reason}); try again")),
    };
    let message = format!(
        "IdentityPolicy \"{name}\" gives this pod the service account {namespace}/{service_account_name}, which is \
         {problem}"
    );
    Err(Interrupt::Failed(ReviewError { code, message }))
}
