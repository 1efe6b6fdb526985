//! The walk over the security contexts of a pod: its own, then those of its containers.

use crate::finding::Subject;
use crate::pod::{Pod, PodSecurityContext, SecurityContext};

/// What the security contexts of the pod and of each container say, where they say anything.
pub(super) fn in_security_contexts<'p, 'a: 'p, T>(
    pod: &'p Pod<'a>,
    of_pod: impl FnOnce(&'p PodSecurityContext<'a>) -> Option<T>,
    of_container: impl Fn(&'p SecurityContext<'a>) -> Option<T>,
) -> impl Iterator<Item = (Subject<'p>, T)> {
    let own = of_pod(&pod.spec.security).map(|value| (Subject::Pod, value));
    let of_containers = pod.containers().filter_map(move |(at, container)| {
        Some((Subject::Container(at), of_container(container.security.as_ref()?)?))
    });
    own.into_iter().chain(of_containers)
}
