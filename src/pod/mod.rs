//! What we read of a pod: the fields that some control looks at, borrowed from the JSON text.
//!
//! Our own types rather than `k8s_openapi`'s, which take five times as long to read and hundreds of allocations a pod. The
//! price is that a field missing here would be a hole, so a test compares every field with `k8s_openapi`'s reading over all
//! fixtures and generated pods.
//!
//! They read as the API server's Go types do: `null` is absent, an unknown field is ignored, a
//! value of the wrong type is an error. A boolean or number that Go keeps without a pointer
//! (`hostNetwork`, `hostPort`) cannot be absent: it is `false` or `0`.

mod changes;
mod container;
mod container_ref;
mod controller;
mod label;
mod limits;
mod metadata;
mod node_terms;
mod projected_token;
mod security;
mod spec;
mod strings;
mod toleration;
mod volume;
mod volume_mount;

pub use changes::Changes;
pub use container::{Container, ContainerKind, HostPort, ProbeHost, Variable};
pub use container_ref::ContainerRef;
pub use controller::Controller;
pub use label::{
    can_match_label_key, can_match_label_value, is_dns_subdomain, is_label_key, is_label_value, stands_for,
};
pub use metadata::{Metadata, Owner};
pub use node_terms::NodeTerm;
pub use security::{Capabilities, Groups, PodSecurityContext, Profile, SeLinuxOptions, SecurityContext};
pub use spec::{Pod, Spec};
pub use strings::Strings;
pub use toleration::Toleration;
pub use volume::{Volume, VolumeSource};
pub use volume_mount::{VolumeMount, VolumeMounts};
