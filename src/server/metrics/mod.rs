//! The metrics of the server, under `/metrics`.

mod cluster;
mod exceptions;
mod factory;
mod pod_security;
mod process;
mod reloads;
mod reviews;
mod rotation;
mod server;
mod switch;
mod unjudged;

pub use cluster::ClusterMetrics;
pub use reloads::Reloaded;
pub use rotation::RotationMetrics;
pub use server::Metrics;
