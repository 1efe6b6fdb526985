//! The reviewer of `podgate serve` without a cluster: what it would ask the API server for is found in files.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::civil::Date;

use crate::admission::{Answer, ExistingPods, Reviewer, Unanswerable, Webhook};
use crate::policy::{Answers, Lookup, LookupAnswer, LookupError, PodsQuery};

/// Answers reviews from files. `pods` are those that exist, as JSON by namespace; `None` if they are not known.
pub(crate) struct OfflineReviewer {
    pub(crate) reviewer: Reviewer,
    pub(crate) pods: Option<BTreeMap<String, Vec<String>>>,
    /// The day on which reviews are judged.
    pub(crate) today: Date,
}

impl OfflineReviewer {
    /// Answers one AdmissionReview.
    pub(crate) fn answer<'b>(&self, webhook: Webhook, review: &'b [u8]) -> Result<Answer<'b>, Unanswerable> {
        self.reviewer.answer(webhook, review, Answers::on(self.today), |lookup| self.resolve(lookup))
    }

    /// Finds in the files what a server would ask the API server for.
    fn resolve(&self, lookup: &Lookup) -> Result<LookupAnswer, LookupError> {
        match lookup {
            Lookup::Namespace(_) => Ok(LookupAnswer::Namespace(None)),
            Lookup::ServiceAccount { .. } => Ok(LookupAnswer::ServiceAccount(None)),
            Lookup::Bound { .. } => Ok(LookupAnswer::Bound(None)),
            Lookup::IdentityRight { .. } => Ok(LookupAnswer::IdentityRight(None)),
            // Files are asked before anybody else is.
            Lookup::Grants { .. } => Err(LookupError::NoBindings),
            Lookup::PodIdentities => Ok(LookupAnswer::PodIdentities(Arc::default())),
            Lookup::PodsIn(query) => self.pods_in(query),
        }
    }

    fn pods_in(&self, query: &PodsQuery) -> Result<LookupAnswer, LookupError> {
        let Some(pods) = &self.pods else { return Err(LookupError::NoCluster) };
        let pods = pods.get(&query.namespace).map(|pods| pods.join(",")).unwrap_or_default();
        let mut existing = ExistingPods::new(query);
        match existing.add(format!("{{\"items\":[{pods}]}}").as_bytes()) {
            Ok(()) => Ok(existing.answer()),
            Err(_) => Err(LookupError::Failed),
        }
    }
}
