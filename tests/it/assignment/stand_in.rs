//! A provider that puts into a pod what Azure's does in its older layout: enough to see that policies call it.

use podgate::finding::{Edit, EditOp, Value};
use podgate::identity::{Injection, InjectionError, Provider, Recipient};
use podgate::path::Path;
use podgate::pod::Pod;
use serde_json::{Value as Json, json};

use super::{CLIENT_ID, USE};

/// See the module.
#[derive(Debug)]
pub(super) struct StandIn;

const VOLUME: &str = "azure-identity-token";

fn variables(client_id: &str) -> [Json; 2] {
    [
        json!({"name": "AZURE_CLIENT_ID", "value": client_id}),
        json!({"name": "AZURE_FEDERATED_TOKEN_FILE", "value": "/var/run/secrets/azure/tokens/azure-identity-token"}),
    ]
}

fn mount() -> Json {
    json!({"name": VOLUME, "mountPath": "/var/run/secrets/azure/tokens", "readOnly": true})
}

fn volume() -> Json {
    json!({"name": VOLUME, "projected": {"sources": [{"serviceAccountToken": {
        "audience": "api://AzureADTokenExchange", "expirationSeconds": 3600, "path": "azure-identity-token",
    }}]}})
}

impl Provider for StandIn {
    fn label(&self) -> (&'static str, &'static str) {
        (USE, "true")
    }

    fn inject<'p>(&self, recipient: Recipient<'p, '_>) -> Result<Injection<'p>, InjectionError> {
        let Recipient { pod, account, .. } = recipient;
        if pod.spec.volumes.iter().any(|volume| volume.name == VOLUME) {
            return Ok(Injection::default());
        }
        let client_id = account.annotation(CLIENT_ID).unwrap_or_default();
        let append = |path: Path<'p>, value: &Json| Edit {
            path,
            op: EditOp::Append(Value::Json(value.to_string().into())),
        };
        let mut edits = Vec::new();
        for index in 0..pod.spec.containers.len() {
            let at = |list: &'static str| Path::from_keys(["spec", "containers"]).index(index).key(list);
            edits.extend(variables(client_id).iter().map(|variable| append(at("env"), variable)));
            edits.push(append(at("volumeMounts"), &mount()));
        }
        edits.push(append(Path::from_keys(["spec", "volumes"]), &volume()));
        Ok(Injection { edits, warnings: Vec::new() })
    }

    fn near_miss(&self, _: &Pod<'_>) -> Option<String> {
        None
    }
}

/// A pod with one container, with what it gets for client A.
pub(super) fn injected(mut pod: Json) -> Json {
    let container = &mut pod["spec"]["containers"][0];
    container["env"].as_array_mut().unwrap().extend(variables(super::CLIENT_A));
    container["volumeMounts"].as_array_mut().unwrap().push(mount());
    pod["spec"]["volumes"].as_array_mut().unwrap().push(volume());
    pod
}
