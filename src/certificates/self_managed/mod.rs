//! The certificate that podgate issues for itself where nobody else does, and its rotation.

pub(super) mod authority;
pub(super) mod ca_secret;
pub(super) mod certificate;
pub(super) mod clocks;
pub(super) mod lifetimes;
pub(super) mod read_secret;
pub(super) mod rotation;
pub(super) mod serving;
pub(super) mod status;
pub(super) mod store;
