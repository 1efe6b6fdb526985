//! podgate: the admission gate for ML namespaces on Kubernetes.
//!
//! The modules are in reading order, from the bottom up; each imports only from the ones above
//! it in this list, and a test checks that. Everything through [`admission`] is pure
//! and synchronous: bytes and plain values in, bytes and plain values out.

pub mod path;
pub mod text;

pub mod json;
pub mod yaml;

pub mod pod;
pub mod workload;

pub mod finding;
pub mod identity;

pub mod controls;
pub mod policy;

pub mod evaluate;
pub mod psp;

pub mod assess;
pub mod mutate;

pub mod admission;

pub mod certificates;
pub mod cluster;
pub mod doctor;
pub mod kinds;
pub mod lint;
pub mod policy_test;
pub mod server;
pub mod survey;

pub mod cli;
