//! What the pods of a namespace are judged by: the policies that hold there, or may, and what is known around.

use crate::controls::{Grants, PodOrigin};
use crate::lint::linter::Linter;
use crate::policy::{SecurityPolicy, is_namespace};

impl<'o> Linter<'o> {
    /// The policies that hold for the pods of an object in a namespace, and where those come from.
    pub(super) fn judged_by<'n>(&'n self, namespace: &'n str) -> (Vec<&'o SecurityPolicy>, PodOrigin<'n>)
    where
        'o: 'n,
    {
        let (namespace, set) = (real(namespace), self.policies());
        let (today, snapshot) = self.exceptions;
        let grants = Grants::ToldBy(snapshot);
        let from = PodOrigin { namespace, today, grants, ..PodOrigin::UNKNOWN };
        match self.index.get(namespace) {
            Some(known) => {
                let annotations = Some(known.metadata().annotations());
                (known.policies().security(set).collect(), PodOrigin { annotations, ..from })
            }
            None => (set.security_for(namespace, None).collect(), from),
        }
    }

    /// Whether enough is known of the namespace: if not, every policy that may hold is taken to hold.
    pub(super) fn is_known(&self, namespace: &str) -> bool {
        let namespace = real(namespace);
        let (by_labels, by_name) = self.selects;
        let are_labels_known =
            || self.policies().is_reserved(namespace) || self.index.get(namespace).is_some();
        self.policies().standard.is_some()
            || (!by_name || !namespace.is_empty()) && (!by_labels || are_labels_known())
    }
}

/// The namespace, if one can have this name. Else it stands for one that a template has yet to fill in, and may be any.
fn real(namespace: &str) -> &str {
    if is_namespace(namespace) { namespace } else { "" }
}
