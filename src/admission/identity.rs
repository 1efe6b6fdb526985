//! The identity that a pod is given, and whether it can be.

use crate::admission::cluster_view::{ClusterView, NamespaceState};
use crate::admission::error::{Interrupt, ReviewError};
use crate::admission::outcome::Task;
use crate::identity::Providers;
use crate::mutate::{IdentityChange, IdentityError, IdentityRequest};
use crate::policy::PolicySet;

/// What is changed in a pod to give it an identity. While the labels of its namespace are unknown it gets none, and the pod
/// is refused if one might be meant for it: otherwise it would run without.
pub(super) fn identity<'v>(
    task: &Task<'v, '_>,
    (policies, providers): (&'v PolicySet, &'v Providers),
    view: ClusterView<'v>,
) -> Result<IdentityChange<'v>, Interrupt> {
    let namespace = task.request.namespace.as_ref();
    if let NamespaceState::Unknown(reason) = task.namespace
        && task.policies.may_give_identity()
    {
        let message = format!(
            "the labels of the namespace {namespace} cannot be read ({reason}), so nobody can tell which identity the \
             pod gets; try again"
        );
        return Err(Interrupt::Failed(ReviewError { code: 500, message }));
    }
    let request =
        IdentityRequest { pod: task.pod, namespace, policies: task.policies.identity(policies), providers };
    let change = request.change(|name| view.service_account(namespace, name))?;
    change.map_err(|IdentityError { code, message }| Interrupt::Failed(ReviewError { code, message }))
}
