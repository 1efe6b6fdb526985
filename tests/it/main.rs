//! Every integration test, in one binary: one link, and helpers without a crate of their own.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test that cannot go on has failed, and one that is skipped says so"
)]

mod any_certificate;
mod applied;
mod assignment;
mod azure;
mod azure_cases;
mod azure_recording;
mod azure_replay;
mod azure_version;
mod cases;
mod cases_kinds;
mod cases_reading;
mod cases_review;
mod cluster_accounts;
mod cluster_api;
mod cluster_follow;
mod cluster_objects;
mod command;
mod completions;
mod contradictions;
mod control_modes;
mod controls;
mod corpus;
mod crowd;
mod defaults;
mod docs;
mod doctor;
mod draining;
mod drop_in;
mod envelopes;
mod exceptions;
mod exemptions;
mod fields;
mod findings;
mod guarded_labels;
mod hostile;
mod id_ranges;
mod kind_table;
mod kinds;
mod kubeconfig;
mod left_out;
mod lint;
mod log_lines;
mod lookups;
mod manifests;
mod member_order;
mod migration;
mod migration_cluster;
mod model;
mod mutate;
mod nulls;
mod overload;
mod parity;
mod patience;
mod pod_security;
mod pods;
mod policies;
mod policy_files;
mod policy_tests;
mod program;
#[path = "../cluster/programs.rs"]
mod programs;
mod promises;
mod psp;
mod psp_import;
mod real_data;
mod replay;
mod requests;
mod reviews;
mod rollout;
mod rotation;
mod server;
mod service_accounts;
mod serving;
mod survey;
mod switch;
mod terminal;
mod tidy;
mod told;
mod trials;
mod unjudged;
mod updates;
mod upstream_corners;
mod wire;
