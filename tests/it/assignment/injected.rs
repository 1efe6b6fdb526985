//! What Azure's provider puts into a pod with one container, in its older layout.

use serde_json::{Value as Json, json};

use super::{CLIENT_A, TENANT};

const VOLUME: &str = "azure-identity-token";

/// A pod with one container, with what it gets for client A.
pub(super) fn injected(mut pod: Json) -> Json {
    let container = &mut pod["spec"]["containers"][0];
    container["env"].as_array_mut().unwrap().extend([
        json!({"name": "AZURE_CLIENT_ID", "value": CLIENT_A}),
        json!({"name": "AZURE_TENANT_ID", "value": TENANT}),
        json!({"name": "AZURE_FEDERATED_TOKEN_FILE", "value": "/var/run/secrets/azure/tokens/azure-identity-token"}),
        json!({"name": "AZURE_AUTHORITY_HOST", "value": "https://login.microsoftonline.com/"}),
    ]);
    let mount = json!({"name": VOLUME, "mountPath": "/var/run/secrets/azure/tokens", "readOnly": true});
    container["volumeMounts"].as_array_mut().unwrap().push(mount);
    let volume = json!({"name": VOLUME, "projected": {"sources": [{"serviceAccountToken": {
        "audience": "api://AzureADTokenExchange", "expirationSeconds": 3600, "path": "azure-identity-token",
    }}]}});
    pod["spec"]["volumes"].as_array_mut().unwrap().push(volume);
    pod
}
