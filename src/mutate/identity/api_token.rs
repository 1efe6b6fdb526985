//! The API server's own token: the volume that it put into the pod for the account that the pod had.

use crate::finding::{Edit, EditOp, FieldPath, Subject, Value};
use crate::json::Result;
use crate::pod::Pod;

/// The field by which a pod asks for the token, or not to have it.
pub(super) const AUTOMOUNT: &str = "automountServiceAccountToken";

/// Whether the pod holds the token.
pub(super) fn has_api_token(pod: &Pod<'_>) -> bool {
    pod.spec.volumes.iter().any(|volume| volume.is_api_server_token())
}

/// Takes the token out: its volume, and every mount of it.
///
/// # Errors
/// When the mounts of a container cannot be read.
pub(super) fn strip<'p>(pod: &'p Pod<'_>) -> Result<Vec<Edit<'p>>> {
    let volumes = pod.spec.volumes.iter().enumerate();
    let tokens: Vec<(usize, &str)> = volumes
        .filter(|(_, volume)| volume.is_api_server_token())
        .map(|(index, volume)| (index, volume.name.as_ref()))
        .collect();
    let mut edits = Vec::new();
    if tokens.is_empty() {
        return Ok(edits);
    }
    for (at, container) in pod.containers() {
        container.volume_mounts.for_each(|index, mount| {
            if tokens.iter().any(|(_, name)| *name == mount.name) {
                let path = FieldPath::from("volumeMounts").index(index);
                edits.push(Edit::new(Subject::Container(at), path, EditOp::Remove));
            }
        })?;
    }
    let whole = FieldPath::default();
    edits.extend(
        tokens
            .into_iter()
            .map(|(index, name)| Edit::new(Subject::Volume(index, name), whole.clone(), EditOp::Remove)),
    );
    Ok(edits)
}

/// Says that the token is not wanted: otherwise the API server puts it back when it looks at the changed pod.
pub(super) fn turn_off<'p>() -> Edit<'p> {
    Edit::new(Subject::Pod, AUTOMOUNT, EditOp::Set(Value::Bool(false)))
}
