//! Whether a resource can be watched: a condition that lasts is reported once.

use crate::cluster::error::{ApiError, Reason};
use crate::cluster::event::{ClusterEvent, WatchedResource};

/// The condition of one resource, and who is notified when it changes.
pub(super) struct WatchCondition<'o, O> {
    resource: WatchedResource,
    observe: &'o O,
    state: WatchState,
}

#[derive(PartialEq, Eq)]
enum WatchState {
    Unknown,
    Up,
    Down(Reason),
}

impl<'o, O: Fn(ClusterEvent)> WatchCondition<'o, O> {
    pub(super) fn new(resource: WatchedResource, observe: &'o O) -> Self {
        Self { resource, observe, state: WatchState::Unknown }
    }

    pub(super) fn is_up(&self) -> bool {
        self.state == WatchState::Up
    }

    pub(super) fn up(&mut self) {
        if self.state != WatchState::Up {
            self.state = WatchState::Up;
            (self.observe)(ClusterEvent::Up(self.resource));
        }
    }

    pub(super) fn down(&mut self, fault: &ApiError) {
        let state = WatchState::Down(fault.reason);
        if self.state != state {
            self.state = state;
            (self.observe)(ClusterEvent::Down(self.resource, fault.clone()));
        }
    }

    pub(super) fn failed(&self, reason: Reason) {
        (self.observe)(ClusterEvent::Failed(self.resource, reason));
    }
}
