//! Which annotations and labels of a service account are kept: those that some provider looks at.
//!
//! Apart from [`ServiceAccount`], so that a provider can look at one.

use crate::identity::azure;
use crate::identity::service_account::ServiceAccount;

/// Whether a provider looks at an annotation or label of a service account with this key: rightly, or because people write it
/// in place of the right one.
static KEYS: [fn(&str) -> bool; 1] = [azure::names_key];

impl ServiceAccount {
    /// A service account with these annotations and labels.
    #[must_use]
    pub fn new<'m>(
        annotations: impl IntoIterator<Item = (&'m str, &'m str)>,
        labels: impl IntoIterator<Item = (&'m str, &'m str)>,
    ) -> Self {
        Self::keeping(|key| KEYS.iter().any(|names| names(key)), annotations, labels)
    }
}
