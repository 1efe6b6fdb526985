//! A pod that is checked, and what is known of where it comes from.

use crate::controls::namespace_annotations::NamespaceAnnotations;
use crate::pod::Pod;

/// A pod that is checked, and what is known of where it comes from.
#[derive(Debug, Clone, Copy)]
pub struct CheckedPod<'p> {
    /// The pod.
    pub pod: &'p Pod<'p>,
    /// What is known of its surroundings.
    pub origin: PodOrigin<'p>,
}

/// Where a pod comes from: nothing is known of a manifest's.
#[derive(Debug, Default, Clone, Copy)]
pub struct PodOrigin<'p> {
    /// The pod as it was before an update; `None` for a new one.
    pub old: Option<&'p Pod<'p>>,
    /// Its namespace; empty where it is not known.
    pub namespace: &'p str,
    /// The annotations of its namespace that controls read; `None` where the namespace is not known.
    pub annotations: Option<&'p NamespaceAnnotations>,
    /// The name of the user who makes the request; empty where nobody is known.
    pub requester: &'p str,
}

impl<'p> CheckedPod<'p> {
    /// A pod of which nothing else is known.
    #[must_use]
    pub fn new(pod: &'p Pod<'p>) -> Self {
        Self { pod, origin: PodOrigin::default() }
    }
}
