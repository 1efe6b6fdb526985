//! An event of a watch: that of kube's watcher, with what is kept of the object.
//!
//! The type of the objects is left out, so that events of every kind go the same way.

use kube::runtime::watcher;

use crate::cluster::watched_object::WatchedObject;

/// An event of a watch.
pub(super) enum WatchEvent {
    /// A list begins.
    Init,
    /// An object is there.
    Apply(WatchedObject),
    /// An object is gone.
    Delete(WatchedObject),
    /// The list is complete: what was not in it is gone.
    InitDone,
}

impl<K> From<watcher::Event<K>> for WatchEvent
where
    WatchedObject: From<K>,
{
    fn from(event: watcher::Event<K>) -> Self {
        match event {
            watcher::Event::Init => Self::Init,
            watcher::Event::InitApply(object) | watcher::Event::Apply(object) => Self::Apply(object.into()),
            watcher::Event::Delete(object) => Self::Delete(object.into()),
            watcher::Event::InitDone => Self::InitDone,
        }
    }
}
