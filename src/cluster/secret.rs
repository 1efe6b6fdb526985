//! The one Secret with the certificates: read, and written only over the version that was read.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::cluster::fault::Call;
use crate::cluster::raw::{JSON, body, parse};
use crate::cluster::{Cluster, Fault, Reason};

/// A Secret at one version.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret {
    /// Its resourceVersion.
    pub version: String,
    /// Its data, without base64.
    pub data: BTreeMap<String, Vec<u8>>,
}

/// Names what is in it, and shows none of it.
impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys: Vec<&String> = self.data.keys().collect();
        formatter.debug_struct("Secret").field("version", &self.version).field("keys", &keys).finish()
    }
}

#[derive(Deserialize)]
struct Written {
    metadata: Metadata,
    data: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    resource_version: String,
}

impl Cluster {
    /// The Secret; `None` when there is none.
    ///
    /// # Errors
    ///
    /// What went wrong; nothing of its content.
    pub async fn secret(&self, namespace: &str, name: &str) -> Result<Option<Secret>, Fault> {
        let path = path(namespace, name);
        let call = self.call("Get", &path, "get secrets");
        let Some(written) = self.get_json::<Written>(&path, &call.wanted).await? else { return Ok(None) };
        decode(written, &call).map(Some)
    }

    /// Replaces the data of the Secret, if it is still at this version; makes it, if there is to be none yet.
    /// All else about it stays. Returns it as it is then.
    ///
    /// # Errors
    ///
    /// [`Reason::Conflict`] when it has another version by now, or is there; else what went wrong.
    pub async fn write_secret(
        &self,
        namespace: &str,
        name: &str,
        data: &BTreeMap<String, Vec<u8>>,
        version: Option<&str>,
    ) -> Result<Secret, Fault> {
        let data: BTreeMap<&String, String> =
            data.iter().map(|(key, value)| (key, STANDARD.encode(value))).collect();
        let Some(version) = version else {
            let call = self.call("Post", &path(namespace, ""), "create secrets");
            let secret = json!({
                "apiVersion": "v1", "kind": "Secret", "type": "Opaque",
                "metadata": {"namespace": namespace, "name": name}, "data": data,
            });
            return self.put_secret("POST", path(namespace, "").trim_end_matches('/'), &secret, &call).await;
        };
        let path = path(namespace, name);
        let call = self.call("Put", &path, "update secrets");
        let Some(mut secret) = self.get_json::<Value>(&path, "get secrets").await? else {
            return Err(Fault::new(Reason::NotFound, &call, format!("secrets \"{name}\" not found")));
        };
        if secret.pointer("/metadata/resourceVersion").and_then(Value::as_str) != Some(version) {
            let message = format!("secrets \"{name}\": it has been changed since version {version}");
            return Err(Fault::new(Reason::Conflict, &call, message));
        }
        if let Some(secret) = secret.as_object_mut() {
            secret.insert("data".to_owned(), json!(data));
        }
        self.put_secret("PUT", &path, &secret, &call).await
    }

    async fn put_secret(
        &self,
        method: &str,
        path: &str,
        secret: &Value,
        call: &Call,
    ) -> Result<Secret, Fault> {
        let body = body(secret, call)?;
        let answer = self.send(method, path, Some((JSON, body)), call).await?;
        decode(parse(&answer, call)?, call)
    }
}

fn path(namespace: &str, name: &str) -> String {
    format!("/api/v1/namespaces/{namespace}/secrets/{name}")
}

fn decode(written: Written, call: &Call) -> Result<Secret, Fault> {
    let mut data = BTreeMap::new();
    for (key, value) in written.data.unwrap_or_default() {
        let Ok(value) = STANDARD.decode(&value) else {
            return Err(Fault::new(Reason::Garbled, call, format!("data.{key} of the answer is not base64")));
        };
        data.insert(key, value);
    }
    Ok(Secret { version: written.metadata.resource_version, data })
}
