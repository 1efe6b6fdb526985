//! Subresources that carry no pod: requests for them are allowed unjudged.

use crate::workload::Workload;

/// Subresources of pods that carry no pod, or one whose spec cannot be changed through them.
pub(super) const IGNORED_POD_SUBRESOURCES: [&str; 8] =
    ["exec", "attach", "binding", "eviction", "log", "portforward", "proxy", "status"];
/// Subresources of the kinds that make pods that carry no template, or one that cannot be changed
/// through them.
const IGNORED_WORKLOAD_SUBRESOURCES: [&str; 2] = ["scale", "status"];

/// Whether a subresource is one that carries no pod. An unknown one is not: it is judged.
pub(super) fn is_ignored(workload: &Workload, subresource: &str) -> bool {
    let ignored: &[&str] =
        if workload.is_pod() { &IGNORED_POD_SUBRESOURCES } else { &IGNORED_WORKLOAD_SUBRESOURCES };
    ignored.contains(&subresource)
}
