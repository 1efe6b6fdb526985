//! What the model of a pod tells of its text: whether something is there. Where it tells all that edits need to know, the text is
//! not scanned again, which takes nearly as long as to read it.

use crate::finding::Subject;
use crate::pod::{Container, Pod};

/// A place in a pod.
#[derive(Debug, Clone, Copy)]
pub(super) enum Place<'p, 'b> {
    /// The pod itself.
    Pod(&'p Pod<'b>),
    /// Its `metadata`.
    Metadata(&'p Pod<'b>),
    /// Its labels.
    Labels(&'p Pod<'b>),
    /// Its `spec`.
    Spec(&'p Pod<'b>),
    /// One of its lists of containers.
    Containers(&'p [Container<'b>]),
    /// One container.
    Container(&'p Container<'b>),
    /// Something with nothing below it that the model knows.
    Leaf,
}

impl<'p, 'b> Place<'p, 'b> {
    /// The place of a part of a pod, if the model tells that it is there.
    pub(super) fn of(pod: &'p Pod<'b>, subject: Subject<'_>) -> Option<Self> {
        match subject {
            Subject::Pod => pod.has_spec.then_some(Self::Spec(pod)),
            Subject::Metadata => pod.has_metadata.then_some(Self::Metadata(pod)),
            Subject::Container(at) => {
                let (list, _) = Self::Spec(pod).member(at.kind.list())?;
                let (container, _) = list.item(u32::try_from(at.index).ok()?)?;
                Some(container)
            }
            Subject::Volume(..) => None,
        }
    }

    /// The place of a member, and whether it is there and not `null`; `None` if the model does not tell.
    pub(super) fn member(self, key: &str) -> Option<(Self, bool)> {
        match (self, key) {
            (Self::Pod(pod), "metadata") => Some((Self::Metadata(pod), pod.has_metadata)),
            (Self::Pod(pod), "spec") => Some((Self::Spec(pod), pod.has_spec)),
            (Self::Metadata(pod), "labels") => Some((Self::Labels(pod), pod.metadata.labels.is_some())),
            (Self::Labels(pod), key) => Some((Self::Leaf, pod.metadata.label(key).is_some())),
            (Self::Spec(pod), "initContainers") => Some(list(&pod.spec.init_containers)),
            (Self::Spec(pod), "containers") => Some(list(&pod.spec.containers)),
            // An empty list is as good as none: what is added makes a list of its own.
            (Self::Spec(pod), "volumes") => Some((Self::Leaf, !pod.spec.volumes.is_empty())),
            (Self::Spec(pod), "serviceAccountName") => {
                Some((Self::Leaf, !pod.spec.service_account_name.is_empty()))
            }
            (Self::Spec(pod), "serviceAccount") => Some((Self::Leaf, !pod.spec.service_account.is_empty())),
            (Self::Container(container), "env") => Some((Self::Leaf, container.has_env())),
            (Self::Container(container), "volumeMounts") => {
                Some((Self::Leaf, container.volume_mounts.are_set()))
            }
            (
                Self::Pod(_)
                | Self::Metadata(_)
                | Self::Spec(_)
                | Self::Containers(_)
                | Self::Container(_)
                | Self::Leaf,
                _,
            ) => None,
        }
    }

    /// The same of an item of a list.
    pub(super) fn item(self, index: u32) -> Option<(Self, bool)> {
        match self {
            Self::Containers(containers) => {
                let container = containers.get(usize::try_from(index).ok()?)?;
                (!container.is_null).then_some((Self::Container(container), true))
            }
            Self::Pod(_)
            | Self::Metadata(_)
            | Self::Labels(_)
            | Self::Spec(_)
            | Self::Container(_)
            | Self::Leaf => None,
        }
    }
}

fn list<'p, 'b>(containers: &'p [Container<'b>]) -> (Place<'p, 'b>, bool) {
    (Place::Containers(containers), !containers.is_empty())
}
