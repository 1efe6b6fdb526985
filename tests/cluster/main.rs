//! podgate behind a real kube-apiserver: every test here talks to a cluster, as its users do.
//!
//! Upstream's programs come from `tests/upstream/build`; without them the tests are left out, and say so. Each test
//! works in namespaces of its own, so that all of them can share one cluster at once.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test that cannot go on has failed"
)]

mod alerts;
mod applied;
mod authority;
mod azure_delegate;
mod azure_inject;
mod azure_webhook;
mod control_plane;
mod doctor;
mod end_to_end;
mod exceptions;
mod gate;
mod guards;
mod installation;
mod labels;
#[path = "../it/left_out.rs"]
mod left_out;
mod network;
mod own_rights;
mod programs;
mod self_managed;
mod serving;
mod smoke;
mod static_manifests;
mod survey;
mod switch;
mod unjudged;
mod updates;
mod upstream_suite;
mod wait;
mod webhooks;
#[path = "../it/wire.rs"]
#[allow(dead_code, reason = "some of it is for clients of podgate itself")]
mod wire;
