//! Every integration test, in one binary: one link, and helpers without a crate of their own.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test that cannot go on has failed, and one that is skipped says so"
)]

mod controls;
mod doctor;
mod hostile;
mod lint;
mod manifests;
mod model;
mod mutate;
mod pod_security;
mod pods;
mod policy_files;
mod program;
mod reviews;
mod server;
mod tidy;
mod upstream_corners;
