//! The service account that a pod is about to be given, as far as the pod alone tells.

use smallvec::SmallVec;

use crate::controls::AccountSource;
use crate::mutate::identity::choose::{choose, opts_out};
use crate::pod::Pod;
use crate::policy::{IdentityPolicy, PolicySet};

/// The service accounts that the identity policies of a namespace give to the pods that will be made there: for who judges a
/// template, or a manifest, as its pods will be judged.
///
/// The account is taken to be in order. If it is not, `/mutate` refuses the pod, or says that it keeps its own.
#[derive(Debug)]
pub struct ForetoldAccounts<'p> {
    set: &'p PolicySet,
    policies: SmallVec<[&'p IdentityPolicy; 8]>,
    namespace: &'p str,
}

impl<'p> ForetoldAccounts<'p> {
    /// Those of a namespace, given the identity policies that hold there.
    pub fn new(
        set: &'p PolicySet,
        policies: impl Iterator<Item = &'p IdentityPolicy>,
        namespace: &'p str,
    ) -> Self {
        Self { set, policies: policies.filter(|policy| policy.is_enforced()).collect(), namespace }
    }
}

impl AccountSource for ForetoldAccounts<'_> {
    fn account_for(&self, pod: &Pod<'_>) -> Option<&str> {
        let is_left_alone = self.set.azure_ml_exemption(self.namespace, pod.service_account(), "").is_some();
        if self.policies.is_empty() || is_left_alone || pod.is_mirror() {
            return None;
        }
        let opts_out = opts_out(pod).ok()?;
        let changing = self.policies.iter().copied().filter(|policy| !(opts_out && policy.may_opt_out));
        let (policy, _) = choose(changing, pod).ok()??;
        policy.target()
    }
}
