//! Whether a resource can be followed: a condition that lasts is told once.

use crate::cluster::{Event, Fault, Reason, Resource};

/// The condition of one resource, and who is told when it changes.
pub(super) struct Condition<'o, O> {
    resource: Resource,
    observe: &'o O,
    state: State,
}

#[derive(PartialEq, Eq)]
enum State {
    Unknown,
    Up,
    Down(Reason),
}

impl<'o, O: Fn(Event)> Condition<'o, O> {
    pub(super) fn new(resource: Resource, observe: &'o O) -> Self {
        Self { resource, observe, state: State::Unknown }
    }

    pub(super) fn is_up(&self) -> bool {
        self.state == State::Up
    }

    pub(super) fn up(&mut self) {
        if self.state != State::Up {
            self.state = State::Up;
            (self.observe)(Event::Up(self.resource));
        }
    }

    pub(super) fn down(&mut self, fault: &Fault) {
        let state = State::Down(fault.reason);
        if self.state != state {
            self.state = state;
            (self.observe)(Event::Down(self.resource, fault.clone()));
        }
    }

    pub(super) fn failed(&self, reason: Reason) {
        (self.observe)(Event::Failed(self.resource, reason));
    }
}
