//! The Secret that a self-managed certificate lives in: read, and replaced only if nobody else has in between.

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1 as core;
use kube::api::{ObjectMeta, PostParams};
use kube::{Api, ResourceExt};

use super::read::in_time;
use super::{Cluster, Fault, Objects};

/// The Secret at one version. Deliberately without `Debug`: it holds keys.
#[derive(Clone)]
pub struct Secret {
    /// Its resourceVersion.
    pub version: String,
    /// Its data, without base64.
    pub data: BTreeMap<String, Vec<u8>>,
}

impl Cluster {
    /// The Secret as it is now; `None` if there is none.
    ///
    /// # Errors
    /// Why nobody can tell.
    pub async fn secret(&self, objects: &Objects) -> Result<Option<Secret>, Fault> {
        let found = in_time(self.secrets(objects).get_opt(&objects.secret)).await?;
        Ok(found.map(Secret::from))
    }

    /// Replaces the data of the Secret, and returns it as it is then. `version` is that of the Secret whose data
    /// they follow, or none to make it.
    ///
    /// # Errors
    /// [`Fault::Conflict`] when the Secret has another version by now, or exists.
    pub async fn replace_secret(
        &self,
        objects: &Objects,
        version: Option<&str>,
        data: &BTreeMap<String, Vec<u8>>,
    ) -> Result<Secret, Fault> {
        let api = self.secrets(objects);
        let data = data.iter().map(|(key, value)| (key.clone(), ByteString(value.clone()))).collect();
        let parameters = PostParams::default();
        let written = match version {
            None => {
                let metadata = ObjectMeta { name: Some(objects.secret.clone()), ..ObjectMeta::default() };
                let secret = core::Secret { metadata, data: Some(data), ..core::Secret::default() };
                in_time(api.create(&parameters, &secret)).await?
            }
            Some(version) => {
                // What is not ours of it, as the labels of whoever installed it, stays.
                let mut secret = in_time(api.get(&objects.secret)).await?;
                if secret.resource_version().as_deref() != Some(version) {
                    return Err(Fault::Conflict(format!("the Secret {}", objects.secret)));
                }
                secret.data = Some(data);
                in_time(api.replace(&objects.secret, &parameters, &secret)).await?
            }
        };
        Ok(written.into())
    }

    fn secrets(&self, objects: &Objects) -> Api<core::Secret> {
        Api::namespaced(self.client.clone(), &objects.namespace)
    }
}

impl From<core::Secret> for Secret {
    fn from(secret: core::Secret) -> Self {
        let version = secret.resource_version().unwrap_or_default();
        let data = secret.data.unwrap_or_default();
        Self { version, data: data.into_iter().map(|(key, ByteString(value))| (key, value)).collect() }
    }
}
