//! An event of a watch: that of kube's watcher, with the metadata alone.
//!
//! The type of the objects is left out, so that events of every kind go the same way.

use kube::core::{ObjectMeta, PartialObjectMeta};
use kube::runtime::watcher;

/// An event of a watch.
pub(super) enum WatchEvent {
    /// A list begins.
    Init,
    /// An object is there.
    Apply(ObjectMeta),
    /// An object is gone.
    Delete(ObjectMeta),
    /// The list is complete: what was not in it is gone.
    InitDone,
}

impl<K> From<watcher::Event<PartialObjectMeta<K>>> for WatchEvent {
    fn from(event: watcher::Event<PartialObjectMeta<K>>) -> Self {
        match event {
            watcher::Event::Init => Self::Init,
            watcher::Event::InitApply(object) | watcher::Event::Apply(object) => Self::Apply(object.metadata),
            watcher::Event::Delete(object) => Self::Delete(object.metadata),
            watcher::Event::InitDone => Self::InitDone,
        }
    }
}
