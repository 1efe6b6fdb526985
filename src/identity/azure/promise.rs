//! What a pod lacks that was to have an identity of Azure, whoever was to give it.

use crate::identity::azure::annotations::SkippedContainers;
use crate::identity::azure_keys::CLIENT_ID;
use crate::identity::service_account::ServiceAccount;
use crate::json::{Reader, Result, members};
use crate::pod::{Container, ContainerKind, ContainerRef, Pod, Volume};
use crate::text::PrintableKey;

/// The last part of the token's path, in every layout.
const TOKEN_FILE: &str = "azure-identity-token";

/// The variable that names the file of the token.
const FILE_VARIABLE: &str = "AZURE_FEDERATED_TOKEN_FILE";
/// The variable with the client id.
const CLIENT_VARIABLE: &str = "AZURE_CLIENT_ID";

/// What keeps the containers of a pod from acting as its service account, in words; `None` if nothing does. Of the service
/// account nothing is looked at where it is not known.
///
/// Not asked for are the variables of containers that the pod leaves out, and ephemeral ones. Who wrote a variable does not
/// matter.
///
/// # Errors
/// When the volumes, mounts or variables cannot be read.
pub(crate) fn lacking(pod: &Pod<'_>, account: Option<&ServiceAccount>) -> Result<Option<String>> {
    let mut tokens = Vec::new();
    for volume in &pod.spec.volumes {
        if has_token(volume)? {
            tokens.push(volume.name.as_ref());
        }
    }
    if tokens.is_empty() {
        return Ok(Some("it has no volume with a token for Azure".to_owned()));
    }
    let has_client =
        account.and_then(|account| account.annotation(CLIENT_ID)).is_some_and(|id| !id.is_empty());
    let skipped = SkippedContainers::of(pod);
    for (at, container) in pod.containers() {
        if at.kind == ContainerKind::Ephemeral || skipped.has(&container.name) {
            continue;
        }
        if let Some(what) = lacking_in(container, &tokens, has_client)? {
            return Ok(Some(format!("{} {what}", place(at))));
        }
    }
    Ok(None)
}

fn place(at: ContainerRef<'_>) -> String {
    format!("spec.{}[{}] ({})", at.kind.list(), at.index, PrintableKey(at.name))
}

fn lacking_in(container: &Container<'_>, tokens: &[&str], has_client: bool) -> Result<Option<&'static str>> {
    let (mut names_file, mut names_client, mut is_mounted) = (false, false, false);
    container.for_each_variable(|_, variable| {
        names_file |= variable.name == FILE_VARIABLE;
        names_client |= variable.name == CLIENT_VARIABLE;
    })?;
    container.volume_mounts.for_each(|_, mount| is_mounted |= tokens.contains(&mount.name.as_ref()))?;
    Ok(match (names_file, is_mounted, names_client || !has_client) {
        (false, _, _) => Some("has no AZURE_FEDERATED_TOKEN_FILE"),
        (true, false, _) => Some("does not mount the volume with the token for Azure"),
        (true, true, false) => Some("has no AZURE_CLIENT_ID"),
        (true, true, true) => None,
    })
}

/// Whether a volume holds a token that is not for the API server, at the path of those for Azure.
fn has_token(volume: &Volume<'_>) -> Result<bool> {
    let mut has_token = false;
    if volume.projected.is_empty() {
        return Ok(false);
    }
    let mut reader = Reader::over(volume.projected);
    let reader = &mut reader;
    members!(reader, {
        "sources" => reader.array(|reader, _| {
            let (mut audience, mut path) = (String::new(), String::new());
            members!(reader, {
                "serviceAccountToken" => members!(reader, {
                    "audience" => audience = reader.string()?.into_owned(),
                    "path" => path = reader.string()?.into_owned(),
                })
                .map(drop)?,
            })?;
            has_token |= !audience.is_empty() && path.rsplit('/').next() == Some(TOKEN_FILE);
            Ok(())
        })?,
    })?;
    Ok(has_token)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = r#"{"name":"t","projected":{"sources":[{"serviceAccountToken":{"audience":"api://AzureADTokenExchange","path":"token/azure-identity-token"}}]}}"#;
    const ENV: &str =
        r#"[{"name":"AZURE_CLIENT_ID","value":"a"},{"name":"AZURE_FEDERATED_TOKEN_FILE","value":"f"}]"#;
    const MOUNTS: &str = r#"[{"name":"t","mountPath":"/t"}]"#;

    fn lacking_of(annotations: &str, volumes: &str, env: &str, mounts: &str) -> Option<String> {
        let text = format!(
            r#"{{"metadata":{{"annotations":{annotations}}},"spec":{{"volumes":[{volumes}],"containers":[{{"name":"main","env":{env},"volumeMounts":{mounts}}}],"ephemeralContainers":[{{"name":"debug"}}]}}}}"#
        );
        let pod = Pod::read(&mut Reader::over(&text)).expect("a pod");
        let account = ServiceAccount::new([(CLIENT_ID, "a")], []);
        lacking(&pod, Some(&account)).expect("readable")
    }

    #[test]
    fn a_pod_needs_the_token_its_mount_and_the_variables() {
        let without = |name: &str| ENV.replace(name, "OTHER");
        let no_audience = TOKEN.replace(r#""audience":"api://AzureADTokenExchange","#, "");
        for (annotations, volumes, env, mounts, expected) in [
            ("{}", TOKEN, ENV, MOUNTS, None),
            ("{}", "", ENV, MOUNTS, Some("it has no volume with a token for Azure")),
            ("{}", &no_audience, ENV, MOUNTS, Some("it has no volume with a token for Azure")),
            (
                "{}",
                TOKEN,
                &without("AZURE_FEDERATED_TOKEN_FILE"),
                MOUNTS,
                Some("spec.containers[0] (main) has no AZURE_FEDERATED_TOKEN_FILE"),
            ),
            (
                "{}",
                TOKEN,
                &without("AZURE_CLIENT_ID"),
                MOUNTS,
                Some("spec.containers[0] (main) has no AZURE_CLIENT_ID"),
            ),
            (
                "{}",
                TOKEN,
                ENV,
                "null",
                Some("spec.containers[0] (main) does not mount the volume with the token for Azure"),
            ),
            (r#"{"azure.workload.identity/skip-containers":"main"}"#, TOKEN, "null", "null", None),
        ] {
            let found = lacking_of(annotations, volumes, env, mounts);
            assert_eq!(found.as_deref(), expected, "{volumes} {env} {mounts}");
        }
    }
}
