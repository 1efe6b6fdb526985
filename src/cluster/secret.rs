//! The one Secret with the certificates: read, and written only over the version that was read.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::certificates::VersionedSecret;
use crate::cluster::client::Cluster;
use crate::cluster::error::{ApiCall, ApiError, Reason};
use crate::cluster::raw::{JSON, ObjectVersion, body, parse};

#[derive(Deserialize)]
struct SecretObject {
    metadata: ObjectVersion,
    data: Option<BTreeMap<String, String>>,
}

impl Cluster {
    /// The Secret; `None` when there is none.
    ///
    /// # Errors
    ///
    /// What went wrong; nothing of its content.
    pub async fn secret(&self, namespace: &str, name: &str) -> Result<Option<VersionedSecret>, ApiError> {
        let path = path(namespace, name);
        let call = self.call("Get", &path, "get secrets");
        let Some(written) = self.get_json::<SecretObject>(&path, &call.wanted).await? else {
            return Ok(None);
        };
        decode(written, &call).map(Some)
    }

    /// Replaces the data of the Secret if it is still at the version of `new`; creates it where that has none. All
    /// else about it stays. Returns it as it is then.
    ///
    /// # Errors
    ///
    /// [`Reason::Conflict`] when it has another version by now, or is there; else what went wrong.
    pub async fn write_secret(
        &self,
        namespace: &str,
        name: &str,
        new: &VersionedSecret,
    ) -> Result<VersionedSecret, ApiError> {
        let data: BTreeMap<&String, String> =
            new.data.iter().map(|(key, value)| (key, STANDARD.encode(value))).collect();
        let Some(version) = new.version.as_deref() else {
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
            return Err(ApiError::new(Reason::NotFound, &call, format!("secrets \"{name}\" not found")));
        };
        if secret.pointer("/metadata/resourceVersion").and_then(Value::as_str) != Some(version) {
            let message = format!("secrets \"{name}\": it has been changed since version {version}");
            return Err(ApiError::new(Reason::Conflict, &call, message));
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
        call: &ApiCall,
    ) -> Result<VersionedSecret, ApiError> {
        let body = body(secret, call)?;
        let answer = self.send(method, path, Some((JSON, body)), call).await?;
        decode(parse(&answer, call)?, call)
    }
}

fn path(namespace: &str, name: &str) -> String {
    format!("/api/v1/namespaces/{namespace}/secrets/{name}")
}

fn decode(written: SecretObject, call: &ApiCall) -> Result<VersionedSecret, ApiError> {
    let mut data = BTreeMap::new();
    for (key, value) in written.data.unwrap_or_default() {
        let Ok(value) = STANDARD.decode(&value) else {
            return Err(ApiError::new(
                Reason::InvalidResponse,
                call,
                format!("data.{key} of the answer is not base64"),
            ));
        };
        data.insert(key, value);
    }
    Ok(VersionedSecret { version: Some(written.metadata.resource_version), data })
}
