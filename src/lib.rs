//! podgate: the admission gate for ML namespaces on Kubernetes.
//!
//! The modules stand in reading order, from the ground up; each imports only from the ones above
//! it in this list, and a test holds the tree to that. Everything through [`admission`] is pure
//! and synchronous: bytes and plain values in, bytes and plain values out.

pub mod json;
pub mod yaml;

pub mod pod;
pub mod workload;

pub mod controls;
pub mod policy;

pub mod evaluate;

pub mod mutate;

pub mod admission;

pub mod certificates;
pub mod cluster;
pub mod doctor;
pub mod lint;
pub mod server;

pub mod cli;
