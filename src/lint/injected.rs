//! What is said about the containers that operators and webhooks add to pods: whose they are, and what becomes of them.

use serde::Serialize;

use crate::assess::{InjectedOutcome, assess_injected};
use crate::controls::PodOrigin;
use crate::policy::SecurityPolicy;
use crate::workload::InjectedContainer;

/// A container that somebody else adds to the pods of an object, and that is not in order as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Injected {
    /// Its name.
    pub container: &'static str,
    /// Who adds it.
    pub by: &'static str,
    /// Whether podgate fills in what it leaves out. If not, the pods are refused for it.
    #[serde(rename = "filledIn")]
    pub is_filled_in: bool,
    /// The same in words.
    pub text: String,
}

impl Injected {
    /// Of those that are added, the ones that there is something to say about.
    pub(super) fn of(
        containers: impl IntoIterator<Item = InjectedContainer>,
        (policies, origin): (&[&SecurityPolicy], PodOrigin<'_>),
    ) -> Vec<Self> {
        let mut found: Vec<Self> = Vec::new();
        for container in containers {
            let added = Self::new(&container, assess_injected(&container, (policies, origin)));
            found.extend(added.filter(|added| !found.contains(added)));
        }
        found
    }

    fn new(container: &InjectedContainer, outcome: InjectedOutcome) -> Option<Self> {
        let InjectedContainer { name, by, hardened_by, .. } = *container;
        let consequence = match (outcome, hardened_by) {
            (InjectedOutcome::Allowed, _) => return None,
            (InjectedOutcome::FilledIn, _) => "podgate fills in what it leaves out".to_owned(),
            (InjectedOutcome::Refused, "") => "the pods are refused for it".to_owned(),
            (InjectedOutcome::Refused, place) => {
                format!("the pods are refused for it; who runs the cluster can change that by {place}")
            }
        };
        Some(Self {
            container: name,
            by,
            is_filled_in: outcome == InjectedOutcome::FilledIn,
            text: format!("{by} adds the container {name}: {consequence}"),
        })
    }
}
