//! What may be wrong with a pod: one file per control, one ordered registry of them all.
//!
//! A control is data and a check. The check walks the pod and reports a [`Finding`](crate::finding::Finding) for each
//! violation; it allocates nothing for a pod that passes. The standard's own message is put together from the findings
//! afterwards, so no rule is written twice.
//!
//! To add one: a file here, its `mod` line, and its line in [`CONTROLS`]. The tests then demand its fixtures, its page
//! in `docs/controls.md`, its schema and a round trip of its parameters.

mod allowed_ids;
pub(crate) mod api_token;
mod checked_pod;
mod container_ids;
mod control;
mod id_blocks;
mod id_range;
mod id_ranges;
mod image_name;
mod level;
mod lists;
mod names;
mod namespace_annotations;
mod new_mounts;
pub(crate) mod pattern;
mod profiles;
mod quantity;
mod registry;
mod reserved_keys;
mod resources;
mod security_contexts;
mod standard;
mod text;
mod volume_drivers;
mod written;

mod allow_privilege_escalation;
mod app_armor_profile;
mod app_armor_profiles;
mod automount_service_account_token;
mod capabilities;
mod capabilities_baseline;
mod capabilities_restricted;
mod csi_drivers;
mod empty_dirs;
mod flex_volume_drivers;
mod fs_group_ranges;
mod gpu_visibility;
mod host_ipc;
mod host_namespaces;
mod host_network;
mod host_path_volumes;
mod host_paths;
mod host_pid;
mod host_port_ranges;
mod host_ports;
mod host_probes_and_host_lifecycle;
mod host_users;
mod image_digests;
mod image_registries;
mod image_tags;
mod node_name;
mod node_selectors;
mod non_root_users;
mod priority_classes;
mod privilege_escalation;
mod privileged;
mod privileged_containers;
mod proc_mount;
mod proc_mount_restricted;
mod proc_mount_types;
mod projected_sources;
mod read_only_root_filesystem;
mod required_labels;
mod required_resources;
mod reserved_annotations;
mod reserved_labels;
mod resource_limits;
mod restricted_volumes;
mod run_as_group_ranges;
mod run_as_non_root;
mod run_as_user;
mod run_as_user_ranges;
mod runtime_classes;
mod schedulers;
mod se_linux_labels;
mod se_linux_options;
mod seccomp_profile_baseline;
mod seccomp_profile_restricted;
mod seccomp_profiles;
mod supplemental_group_ranges;
mod sysctl_names;
mod sysctls;
mod tolerations;
mod volume_types;
mod windows;
mod windows_host_process;

pub use checked_pod::{AccountSource, CheckedPod, GrantSource, Grants, Groups, PodOrigin, RunAs};
pub use control::{
    Cel, Check, CheckFn, Configured, Control, Doc, FoundValue, Origin, ParameterError, Parameters, Revision,
    Violation,
};
pub use level::{Level, NEWEST_MINOR, StandardError, Version};
pub use namespace_annotations::NamespaceAnnotations;
pub(crate) use new_mounts::NEW_MOUNT;
pub use registry::CONTROLS;
pub(crate) use resources::has_any_of as requests;
pub use standard::Standard;
pub use text::go_quoted;

pub(crate) use capabilities::known_capability;
