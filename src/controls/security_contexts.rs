//! The walk over the security contexts of a pod: its own, then those of its containers.

use crate::finding::Subject;
use crate::pod::{Container, ContainerKind, ContainerRef, Pod, PodSecurityContext, SecurityContext};

/// Beside what [`newcomers`] have to say for themselves.
pub(super) const POD_NOT_ALLOWED: &str = "the pod's own is not allowed";

/// The containers that an update can bring. What is wrong with the rest of the pod was there before and is let be; but what
/// they inherit of it is as new as they are, so they have to say something else.
pub(super) fn newcomers<'p, 'a: 'p>(
    pod: &'p Pod<'a>,
) -> impl Iterator<Item = (ContainerRef<'p>, &'p Container<'a>)> {
    pod.containers().filter(|(at, _)| at.kind == ContainerKind::Ephemeral)
}

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
