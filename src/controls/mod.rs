//! What may be wrong with a pod: one file per control, one ordered registry of them all.
//!
//! A control is data and a check. The check walks the pod and reports a [`Finding`](crate::finding::Finding) for each
//! violation; it allocates nothing for a pod that passes. The standard's own message is put together from the findings
//! afterwards, so no rule is written twice.
//!
//! To add one: a file here, its `mod` line, and its line in [`CONTROLS`]. The tests then demand its fixtures, its page
//! in `docs/controls.md`, its schema and a round trip of its parameters.

mod allowed_ids;
mod checked_pod;
mod container_ids;
mod control;
mod id_blocks;
mod id_range;
mod id_ranges;
mod level;
mod namespace_annotations;
mod pattern;
mod registry;
mod security_contexts;
mod standard;
mod text;

mod allow_privilege_escalation;
mod app_armor_profile;
mod capabilities_baseline;
mod capabilities_restricted;
mod fs_group_ranges;
mod host_namespaces;
mod host_path_volumes;
mod host_paths;
mod host_ports;
mod host_probes_and_host_lifecycle;
mod privileged;
mod proc_mount;
mod proc_mount_restricted;
mod read_only_root_filesystem;
mod restricted_volumes;
mod run_as_group_ranges;
mod run_as_non_root;
mod run_as_user;
mod run_as_user_ranges;
mod se_linux_options;
mod seccomp_profile_baseline;
mod seccomp_profile_restricted;
mod supplemental_group_ranges;
mod sysctls;
mod volume_types;
mod windows;
mod windows_host_process;

pub use checked_pod::{CheckedPod, PodOrigin};
pub use control::{
    Cel, Check, CheckFn, Configured, Control, Doc, Origin, ParameterError, Parameters, Revision, Violation,
};
pub use level::{Level, NEWEST_MINOR, StandardError, Version};
pub use namespace_annotations::NamespaceAnnotations;
pub use registry::CONTROLS;
pub use standard::Standard;
pub use text::go_quoted;
