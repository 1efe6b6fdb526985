//! What the pods of a namespace are judged by: the policies that hold there, or may, and what is known around.

use crate::controls::{Grants, PodOrigin, RunAs};
use crate::lint::linter::Linter;
use crate::mutate::ForetoldAccounts;
use crate::pod::Controller;
use crate::policy::{SecurityPolicy, is_namespace};

/// What the pods of a namespace are judged by.
pub(super) struct JudgedBy<'n> {
    /// The policies that hold there, or may.
    pub(super) policies: Vec<&'n SecurityPolicy>,
    origin: PodOrigin<'n>,
    accounts: ForetoldAccounts<'n>,
}

impl JudgedBy<'_> {
    /// The policies, and where pods come from that this controller makes.
    pub(super) fn for_pods_of(&self, controller: Controller) -> (&[&SecurityPolicy], PodOrigin<'_>) {
        let account = RunAs::GivenBy(&self.accounts);
        (&self.policies, PodOrigin { account, controller, ..self.origin })
    }
}

impl<'o> Linter<'o> {
    /// What the pods of an object in a namespace are judged by.
    pub(super) fn judged_by<'n>(&'n self, namespace: &'n str) -> JudgedBy<'n>
    where
        'o: 'n,
    {
        let (namespace, set) = (real(namespace), self.policies());
        let (today, snapshot) = self.exceptions;
        let grants = Grants::ToldBy(snapshot);
        let origin = PodOrigin { namespace, today, grants, ..PodOrigin::UNKNOWN };
        match self.index.get(namespace) {
            Some(known) => {
                let annotations = Some(known.metadata().annotations());
                JudgedBy {
                    policies: known.policies().security(set).collect(),
                    origin: PodOrigin { annotations, ..origin },
                    accounts: ForetoldAccounts::new(set, known.policies().identity(set), namespace),
                }
            }
            None => JudgedBy {
                policies: set.security_for(namespace, None).collect(),
                origin,
                accounts: ForetoldAccounts::new(set, set.identity_for(namespace, None), namespace),
            },
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
