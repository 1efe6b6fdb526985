//! The API server's own token: the volume that it puts into a pod, and how that is taken out.

use crate::finding::{Edit, EditOp, Value};
use crate::json::Result;
use crate::path::Path;
use crate::pod::Pod;

/// The field by which a pod asks for the token, or not to have it.
pub(crate) const AUTOMOUNT: &str = "automountServiceAccountToken";

/// Whether the pod holds the token.
pub(crate) fn has_api_token(pod: &Pod<'_>) -> bool {
    pod.spec.volumes.iter().any(|volume| volume.is_api_server_token())
}

/// Takes the token out: every mount of it, and then its volume.
///
/// # Errors
/// When the mounts of a container cannot be read.
pub(crate) fn strip<'p>(pod: &Pod<'_>, mut edit: impl FnMut(Edit<'p>)) -> Result<()> {
    let volumes = pod.spec.volumes.iter().enumerate();
    let tokens: Vec<(usize, &str)> = volumes
        .filter(|(_, volume)| volume.is_api_server_token())
        .map(|(index, volume)| (index, volume.name.as_ref()))
        .collect();
    if tokens.is_empty() {
        return Ok(());
    }
    for (at, container) in pod.containers() {
        container.volume_mounts.for_each(|index, mount| {
            if tokens.iter().any(|(_, name)| *name == mount.name) {
                let list = Path::from_keys(["spec", at.kind.list()]).index(at.index).key("volumeMounts");
                edit(Edit { path: list.index(index), op: EditOp::Remove });
            }
        })?;
    }
    for (index, _) in tokens {
        edit(Edit { path: Path::from_keys(["spec", "volumes"]).index(index), op: EditOp::Remove });
    }
    Ok(())
}

/// Says that the token is not wanted: otherwise the API server puts it back when it looks at the changed pod.
pub(crate) fn turn_off<'p>() -> Edit<'p> {
    Edit { path: Path::from_keys(["spec", AUTOMOUNT]), op: EditOp::Set(Value::Bool(false)) }
}
