//! The API server's own token: the volume that it puts into a pod, how that is taken out, and tokens like it in other volumes.

use std::borrow::Cow;

use crate::finding::{Edit, EditOp, FieldPath, Subject, Value};
use crate::json::{Reader, Result, members};
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

/// Calls back with the index of each source of a `projected` that is a token with which the API server lets somebody in.
///
/// # Errors
/// When it is no such object, or a field differs from one that is read in case only.
pub(super) fn for_each_api_token(projected: &str, mut each: impl FnMut(usize)) -> Result<()> {
    let reader = &mut Reader::over_part(projected).refusing_misspelt_case();
    members!(reader, {
        "sources" => reader.array(|reader, index| {
            let mut is_token = false;
            members!(reader, { "serviceAccountToken" => is_token = is_api_token(reader)? })?;
            if is_token {
                each(index);
            }
            Ok(())
        })?,
    })
    .map(drop)
}

fn is_api_token(reader: &mut Reader<'_>) -> Result<bool> {
    let mut audience = Cow::Borrowed("");
    let is_set = members!(reader, { "audience" => audience = reader.string()? })?;
    Ok(is_set && is_of_api_server(&audience))
}

/// Whether an audience is the API server: an empty one always is, and most clusters call it by its Service.
fn is_of_api_server(audience: &str) -> bool {
    let rest = audience.strip_prefix("https://kubernetes.default.svc");
    audience.is_empty() || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', ':', '/']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_for_nobody_else_is_the_api_servers() {
        for (source, is_it) in [
            (r#"{"serviceAccountToken":{"path":"token"}}"#, true),
            (r#"{"serviceAccountToken":{}}"#, true),
            (r#"{"serviceAccountToken":{"audience":"","path":"token"}}"#, true),
            (r#"{"serviceAccountToken":{"audience":null,"path":"token"}}"#, true),
            (r#"{"serviceAccountToken":{"audience":"https://kubernetes.default.svc"}}"#, true),
            (r#"{"serviceAccountToken":{"audience":"https://kubernetes.default.svc.cluster.local"}}"#, true),
            (r#"{"serviceAccountToken":{"audience":"https://kubernetes.default.svc-2"}}"#, false),
            (r#"{"serviceAccountToken":{"audience":"vault"}}"#, false),
            (r#"{"serviceAccountToken":null}"#, false),
            (r#"{"configMap":{"name":"c"}}"#, false),
            ("null", false),
        ] {
            let projected = format!(r#"{{"defaultMode":420,"sources":[{{}},{source}]}}"#);
            let mut found = Vec::new();
            for_each_api_token(&projected, |index| found.push(index)).expect(source);
            assert_eq!(found, if is_it { &[1][..] } else { &[] }, "{source}");
        }
        for projected in
            [r#"{"sources":{}}"#, r#"{"Sources":[]}"#, r#"{"sources":[{"serviceaccounttoken":{}}]}"#]
        {
            assert!(for_each_api_token(projected, |_| {}).is_err(), "{projected}");
        }
    }
}
