//! Every integration test, in one binary: one link, and helpers without a crate of their own.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test that cannot go on has failed, and one that is skipped says so"
)]

mod cluster_api;
mod cluster_follow;
mod cluster_objects;
mod controls;
mod corpus;
mod crowd;
mod doctor;
mod draining;
mod drop_in;
mod envelopes;
mod findings;
mod guarded_labels;
mod hostile;
mod lint;
mod log_lines;
mod lookups;
mod manifests;
mod member_order;
mod model;
mod mutate;
mod nulls;
mod overload;
mod patience;
mod pod_security;
mod pods;
mod policy_files;
mod program;
#[path = "../cluster/programs.rs"]
mod programs;
mod promises;
mod replay;
mod reviews;
mod rollout;
mod rotation;
mod server;
mod service_accounts;
mod serving;
mod tidy;
mod unjudged;
mod upstream_corners;
mod wire;
