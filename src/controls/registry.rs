//! Every control, in order.

use crate::controls;
use crate::controls::control::Control;

/// Every control: the standard's in the standard's order (baseline, then restricted, each by id in
/// byte order), then the extended ones by id.
pub static CONTROLS: &[&Control] = &[
    &controls::app_armor_profile::CONTROL,
    &controls::capabilities_baseline::CONTROL,
    &controls::host_namespaces::CONTROL,
    &controls::host_path_volumes::CONTROL,
    &controls::host_ports::CONTROL,
    &controls::host_probes_and_host_lifecycle::CONTROL,
    &controls::privileged::CONTROL,
    &controls::proc_mount::CONTROL,
    &controls::se_linux_options::CONTROL,
    &controls::seccomp_profile_baseline::CONTROL,
    &controls::sysctls::CONTROL,
    &controls::windows_host_process::CONTROL,
    &controls::allow_privilege_escalation::CONTROL,
    &controls::capabilities_restricted::CONTROL,
    &controls::proc_mount_restricted::CONTROL,
    &controls::restricted_volumes::CONTROL,
    &controls::run_as_non_root::CONTROL,
    &controls::run_as_user::CONTROL,
    &controls::seccomp_profile_restricted::CONTROL,
    &controls::app_armor_profiles::CONTROL,
    &controls::automount_service_account_token::CONTROL,
    &controls::capabilities::CONTROL,
    &controls::csi_drivers::CONTROL,
    &controls::empty_dirs::CONTROL,
    &controls::flex_volume_drivers::CONTROL,
    &controls::gpu_visibility::CONTROL,
    &controls::host_ipc::CONTROL,
    &controls::host_network::CONTROL,
    &controls::host_pid::CONTROL,
    &controls::host_paths::CONTROL,
    &controls::host_port_ranges::CONTROL,
    &controls::host_users::CONTROL,
    &controls::image_digests::CONTROL,
    &controls::image_registries::CONTROL,
    &controls::image_tags::CONTROL,
    &controls::node_name::CONTROL,
    &controls::node_selectors::CONTROL,
    &controls::non_root_users::CONTROL,
    &controls::priority_classes::CONTROL,
    &controls::privilege_escalation::CONTROL,
    &controls::privileged_containers::CONTROL,
    &controls::proc_mount_types::CONTROL,
    &controls::projected_sources::CONTROL,
    &controls::read_only_root_filesystem::CONTROL,
    &controls::required_labels::CONTROL,
    &controls::required_resources::CONTROL,
    &controls::reserved_annotations::CONTROL,
    &controls::reserved_labels::CONTROL,
    &controls::resource_limits::CONTROL,
    &controls::runtime_classes::CONTROL,
    &controls::schedulers::CONTROL,
    &controls::se_linux_labels::CONTROL,
    &controls::seccomp_profiles::CONTROL,
    &controls::sysctl_names::CONTROL,
    &controls::tolerations::CONTROL,
    &controls::volume_types::CONTROL,
];

impl Control {
    /// The control with this id.
    #[must_use]
    pub fn named(id: &str) -> Option<&'static Self> {
        CONTROLS.iter().find(|control| control.id == id).copied()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::controls::control::Origin;
    use crate::controls::level::{Level, NEWEST_MINOR};

    #[test]
    fn ids_and_numbers_are_unique() {
        let ids: BTreeSet<_> = CONTROLS.iter().map(|control| control.id).collect();
        let numbers: BTreeSet<_> = CONTROLS.iter().map(|control| control.number).collect();
        assert_eq!((ids.len(), numbers.len()), (CONTROLS.len(), CONTROLS.len()));
    }

    #[test]
    fn the_list_is_in_the_standards_order() {
        let key = |control: &Control| (control.level().map_or(9, |level| level as u8), control.id);
        assert!(CONTROLS.windows(2).all(|pair| key(pair[0]) < key(pair[1])), "by level, then by id");
    }

    #[test]
    fn revisions_grow_and_overrides_are_of_the_level_below() {
        for control in CONTROLS.iter().copied() {
            let Origin::Standard { revisions, overrides, .. } = control.origin else {
                continue;
            };
            assert!(!revisions.is_empty(), "{}", control.id);
            assert!(revisions.windows(2).all(|pair| pair[0].since < pair[1].since), "{}", control.id);
            assert!(revisions.iter().all(|revision| revision.since <= NEWEST_MINOR), "{}", control.id);
            if let Some(other) = overrides {
                assert_eq!(
                    (control.level(), other.level()),
                    (Some(Level::Restricted), Some(Level::Baseline))
                );
            }
        }
        let newest = CONTROLS.iter().filter_map(|control| match control.origin {
            Origin::Standard { revisions, .. } => revisions.last().map(|revision| revision.since),
            Origin::Extended { .. } => None,
        });
        assert_eq!(newest.max(), Some(NEWEST_MINOR));
    }

    #[test]
    fn every_control_is_documented() {
        for Control { id, doc, .. } in CONTROLS.iter().copied() {
            for text in [doc.title, doc.rule, doc.fix, doc.example] {
                assert!(!text.trim().is_empty(), "{id}");
            }
            assert!(!doc.fields.is_empty(), "{id}");
        }
    }
}
