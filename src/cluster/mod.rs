//! The Kubernetes API, kept as snapshots: whoever asks here gets what is known, and what is not known is read once.
//!
//! A verdict waits for the API server only where it needs a Namespace that is not known yet. Namespaces (metadata only)
//! and service accounts are watched ([`Cluster::follow`]), and RoleBindings from when somebody first asks
//! ([`Cluster::is_bound`]); while the API server cannot be reached, or refuses, the
//! last [`Snapshot`](crate::policy::Snapshot) holds. Changes are reported as an [`ClusterEvent`], for others to log and
//! count: nothing is logged here, and a condition that lasts is reported once.
//!
//! The client library logs on its own, at each attempt, and may put a body that it cannot parse into a log line.
//! Secrets are therefore read here without it, and whoever sets up the log leaves its lines out.

mod binding_watches;
mod bindings;
mod budget;
mod client;
mod config_map;
mod connect;
mod credentials;
mod error;
mod event;
mod follow;
mod key;
mod kubeconfig;
mod lease;
mod live;
mod objects;
mod own_objects;
mod plugin;
mod pod_identities;
mod pods;
mod publisher;
mod raw;
mod reads;
mod recent_reads;
mod secret;
mod section;
mod snapshot_updater;
mod store;
mod tls;
mod transport;
mod watch_condition;
mod watch_event;
mod watched_object;
mod webhooks;

pub use client::{ClientLimits, Cluster};
pub use connect::{ClusterOrigin, ConnectError};
pub use error::{ApiError, Reason};
pub use event::{ClusterEvent, WatchedResource};
pub use lease::LeaseLock;
pub use own_objects::OwnObjects;
pub use pod_identities::{ListedPodIdentities, RawPage};
pub use pods::PodPage;
pub use store::ClusterStore;
pub use watched_object::ConfigMapContent;
