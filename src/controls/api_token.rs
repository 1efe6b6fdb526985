//! The API server's own token: the volume that it puts into a pod, and how that is taken out.

use crate::finding::{Edit, EditOp, FieldPath, Subject, Value};
use crate::json::Result;
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
pub(crate) fn strip<'p>(pod: &'p Pod<'_>, mut edit: impl FnMut(Edit<'p>)) -> Result<()> {
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
                let path = FieldPath::from("volumeMounts").index(index);
                edit(Edit::new(Subject::Container(at), path, EditOp::Remove));
            }
        })?;
    }
    for (index, name) in tokens {
        edit(Edit::new(Subject::Volume(index, name), FieldPath::default(), EditOp::Remove));
    }
    Ok(())
}

/// Says that the token is not wanted: otherwise the API server puts it back when it looks at the changed pod.
pub(crate) fn turn_off<'p>() -> Edit<'p> {
    Edit::new(Subject::Pod, AUTOMOUNT, EditOp::Set(Value::Bool(false)))
}
