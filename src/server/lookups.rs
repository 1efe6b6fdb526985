//! Looking up what a review needs, within its time.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Instant;

use futures::future::{BoxFuture, FutureExt as _};
use tokio::time::timeout_at;

use crate::policy::{Lookup, LookupAnswer, LookupError};
use crate::server::metrics::Metrics;

/// Looks up what a review depends on and the snapshot does not hold.
pub trait Resolver: Send + Sync + 'static {
    /// Looks it up. After `deadline` nobody waits for the answer.
    fn resolve<'l>(
        &'l self,
        lookup: &'l Lookup,
        deadline: Instant,
    ) -> BoxFuture<'l, Result<LookupAnswer, LookupError>>;
}

/// Resolves a look-up by its deadline. A resolver that takes longer, or panics, is an error like others: the review is
/// answered in any case.
pub(super) async fn resolve(
    resolver: Option<&Arc<dyn Resolver>>,
    lookup: &Lookup,
    deadline: Instant,
    metrics: &Metrics,
) -> Result<LookupAnswer, LookupError> {
    let Some(resolver) = resolver else { return Err(LookupError::NoCluster) };
    let found = AssertUnwindSafe(resolver.resolve(lookup, deadline)).catch_unwind();
    match timeout_at(deadline.into(), found).await {
        Ok(Ok(found)) => found,
        Ok(Err(_)) => {
            metrics.panicked();
            tracing::error!("a look-up for a review ended in a panic");
            Err(LookupError::TimedOut)
        }
        Err(_) => Err(LookupError::TimedOut),
    }
}
