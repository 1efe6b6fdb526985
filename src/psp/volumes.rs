//! What a PodSecurityPolicy said of volumes: their types, paths of the node, drivers.

use serde_json::json;

use crate::psp::draft::Draft;
use crate::psp::parameters::{distinct, set};
use crate::psp::written::{ANY, VOLUME_NAMES, WrittenHostPath, WrittenSpec};

const TYPES: &str = "volumeTypes";

pub(super) fn translate(spec: &WrittenSpec, draft: &mut Draft) {
    let allows_any = spec.volumes.iter().any(|name| name == ANY);
    let is_listed = |name: &str| allows_any || spec.volumes.iter().any(|listed| listed == name);
    of_types(allows_any, &is_listed, draft);
    if !spec.allowed_host_paths.is_empty() {
        of_paths(spec, is_listed("hostPath"), draft);
    }
    let flex = spec.allowed_flex_volumes.iter().map(|volume| volume.driver.as_str());
    of_drivers("allowedFlexVolumes", "flexVolumeDrivers", flex.collect(), is_listed("flexVolume"), draft);
    let csi = spec.allowed_csi_drivers.iter().map(|driver| driver.name.as_str());
    of_drivers("allowedCSIDrivers", "csiDrivers", csi.collect(), is_listed("csi"), draft);
}

fn of_types(allows_any: bool, is_listed: &impl Fn(&str) -> bool, draft: &mut Draft) {
    let allowed = VOLUME_NAMES.iter().filter(|(name, _)| is_listed(name)).map(|(_, ours)| *ours);
    let mut parameters = json!({ "allowed": allowed.collect::<Vec<_>>() });
    let has_token = is_listed("projected") || is_listed("secret");
    if !has_token {
        set(&mut parameters, "apiServerToken", json!("Listed"));
    }
    draft.carry("volumes", TYPES, parameters);
    if allows_any {
        let text = "* is every type that a PodSecurityPolicy knew: later ones, as image, are refused";
        draft.stricter("volumes", TYPES, text);
    } else if has_token && !is_listed("projected") {
        let text = "secret let a projected volume of the pod's own token pass under any name: now it has to be the one that the API \
                    server adds, kube-api-access-...";
        draft.stricter("volumes", TYPES, text);
    }
}

fn of_paths(spec: &WrittenSpec, is_listed: bool, draft: &mut Draft) {
    let (field, id) = ("allowedHostPaths", "hostPaths");
    if !is_listed {
        return draft.unrestricted(field, "has no effect, as volumes does not list hostPath");
    }
    let mut kept: Vec<&WrittenHostPath> = Vec::new();
    for path in &spec.allowed_host_paths {
        let is_usable = path.path_prefix.starts_with('/')
            && !path.path_prefix.contains(['*', '?'])
            && !path.path_prefix.chars().any(char::is_control);
        // One writable directory was enough, wherever it stood in the list.
        let is_covered = spec.allowed_host_paths.iter().any(|other| {
            !other.read_only && path.read_only && is_below(&path.path_prefix, &other.path_prefix)
        });
        let is_known = kept.iter().any(|other| names(&other.path_prefix).eq(names(&path.path_prefix)));
        if !is_usable {
            let text =
                format!("{:?} is no absolute path without patterns, and is left out", path.path_prefix);
            draft.stricter(field, id, text);
        } else if !is_covered && !is_known {
            kept.push(path);
        }
    }
    let allowed = kept.iter().map(|path| {
        let mut allowed = json!({ "prefix": path.path_prefix });
        if path.read_only {
            set(&mut allowed, "readOnly", json!(true));
        }
        allowed
    });
    let allowed: Vec<_> = allowed.collect();
    draft.carry(field, id, json!({ "allowed": allowed, "asWritten": true }));
    draft.stricter(field, id, "a path with .. in it is refused, as the API server does; of prefixes that cover each other the longest counts");
}

/// Whether a directory is another one or below it, as a PodSecurityPolicy compared them.
fn is_below(path: &str, directory: &str) -> bool {
    let (path, directory) =
        (path.strip_suffix('/').unwrap_or(path), directory.strip_suffix('/').unwrap_or(directory));
    path.strip_prefix(directory).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The names that a path consists of.
fn names(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(|name| !matches!(*name, "" | "."))
}

fn of_drivers(field: &'static str, id: &'static str, drivers: Vec<&str>, is_listed: bool, draft: &mut Draft) {
    if drivers.is_empty() {
        return;
    }
    if !is_listed {
        return draft.unrestricted(field, "has no effect, as volumes does not list the type");
    }
    let is_usable =
        |name: &&str| !name.contains('*') && name.trim() == *name && !name.chars().any(char::is_control);
    let (usable, others): (Vec<&str>, Vec<&str>) = drivers.into_iter().partition(is_usable);
    draft.carry(field, id, json!({ "allowed": distinct(usable) }));
    if !others.is_empty() {
        draft.stricter(field, id, format!("no driver can have the name {others:?}, which is left out"));
    }
}
