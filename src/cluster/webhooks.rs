//! The `caBundle` of our two webhook configurations: read, and written into every entry.

use k8s_openapi::ByteString;
use k8s_openapi::api::admissionregistration::v1::{
    MutatingWebhookConfiguration, ValidatingWebhookConfiguration, WebhookClientConfig,
};
use kube::api::{Patch, PatchParams};
use kube::{Api, Resource, ResourceExt};
use serde_json::{Value, json};

use super::read::in_time;
use super::{Cluster, Fault, Objects};

/// A webhook entry of one of the two configurations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its configuration, with the kind.
    pub configuration: String,
    /// The resourceVersion of that.
    pub version: String,
    /// Its name.
    pub webhook: String,
    /// Its `caBundle`, without base64. May be empty.
    pub bundle: Vec<u8>,
}

/// What the two kinds of configuration have in common.
trait Configuration: Resource<DynamicType = ()> + Clone + serde::de::DeserializeOwned + std::fmt::Debug {
    /// The name of each webhook, and who is called for it.
    fn webhooks(&self) -> Vec<(&str, &WebhookClientConfig)>;
}

impl Configuration for ValidatingWebhookConfiguration {
    fn webhooks(&self) -> Vec<(&str, &WebhookClientConfig)> {
        let webhooks = self.webhooks.iter().flatten();
        webhooks.map(|webhook| (webhook.name.as_str(), &webhook.client_config)).collect()
    }
}

impl Configuration for MutatingWebhookConfiguration {
    fn webhooks(&self) -> Vec<(&str, &WebhookClientConfig)> {
        let webhooks = self.webhooks.iter().flatten();
        webhooks.map(|webhook| (webhook.name.as_str(), &webhook.client_config)).collect()
    }
}

impl Cluster {
    /// Every webhook entry of the two configurations. One that does not exist has none.
    ///
    /// # Errors
    /// Why nobody can tell.
    pub async fn webhook_entries(&self, objects: &Objects) -> Result<Vec<Entry>, Fault> {
        let (validating, mutating) = self.configurations();
        let mut entries = entries(&validating, &objects.validating).await?;
        entries.extend(self::entries(&mutating, &objects.mutating).await?);
        Ok(entries)
    }

    /// Writes a `caBundle` into every entry of both, each only while it is as it was `seen`.
    ///
    /// # Errors
    /// [`Fault::Conflict`] when one has changed since.
    pub async fn publish_bundle(
        &self,
        objects: &Objects,
        bundle: &[u8],
        seen: &[Entry],
    ) -> Result<(), Fault> {
        let (validating, mutating) = self.configurations();
        publish(&validating, &objects.validating, bundle, seen).await?;
        publish(&mutating, &objects.mutating, bundle, seen).await
    }

    fn configurations(&self) -> (Api<ValidatingWebhookConfiguration>, Api<MutatingWebhookConfiguration>) {
        (Api::all(self.client.clone()), Api::all(self.client.clone()))
    }
}

/// `ValidatingWebhookConfiguration podgate`
fn named<K: Configuration>(name: &str) -> String {
    format!("{} {name}", K::kind(&()))
}

async fn entries<K: Configuration>(api: &Api<K>, name: &str) -> Result<Vec<Entry>, Fault> {
    let Some(configuration) = in_time(api.get_opt(name)).await? else { return Ok(Vec::new()) };
    let version = configuration.resource_version().unwrap_or_default();
    let entry = |(webhook, client): (&str, &WebhookClientConfig)| Entry {
        configuration: named::<K>(name),
        version: version.clone(),
        webhook: webhook.to_owned(),
        bundle: client.ca_bundle.as_ref().map(|ByteString(bundle)| bundle.clone()).unwrap_or_default(),
    };
    Ok(configuration.webhooks().into_iter().map(entry).collect())
}

async fn publish<K: Configuration>(
    api: &Api<K>,
    name: &str,
    bundle: &[u8],
    seen: &[Entry],
) -> Result<(), Fault> {
    let configuration = named::<K>(name);
    let entries: Vec<&Entry> = seen.iter().filter(|entry| entry.configuration == configuration).collect();
    let Some(first) = entries.first() else { return Ok(()) };
    let patch: json_patch::Patch = serde_json::from_value(operations(&first.version, &entries, bundle))
        .map_err(|error| Fault::Invalid(error.to_string()))?;
    let patched = in_time(api.patch(name, &PatchParams::default(), &Patch::<()>::Json(patch))).await;
    match patched {
        Ok(_) => Ok(()),
        // A test of the patch that fails is one: somebody has changed it since.
        Err(Fault::Invalid(message)) if message.contains("test") => Err(Fault::Conflict(message)),
        Err(fault) => Err(fault),
    }
}

/// A JSON Patch that changes the bundles and nothing else, and that only of the configuration that was seen.
fn operations(version: &str, entries: &[&Entry], bundle: &[u8]) -> Value {
    let bundle = ByteString(bundle.to_vec());
    let mut operations = vec![json!({ "op": "test", "path": "/metadata/resourceVersion", "value": version })];
    for (index, entry) in entries.iter().enumerate() {
        let webhook = format!("/webhooks/{index}");
        operations.push(json!({ "op": "test", "path": format!("{webhook}/name"), "value": entry.webhook }));
        operations.push(
            json!({ "op": "add", "path": format!("{webhook}/clientConfig/caBundle"), "value": bundle }),
        );
    }
    Value::Array(operations)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_patch_touches_the_bundles_alone() {
        let entry = |webhook: &str| Entry {
            configuration: "ValidatingWebhookConfiguration podgate".into(),
            version: "7".into(),
            webhook: webhook.into(),
            bundle: Vec::new(),
        };
        let (one, two) = (entry("a"), entry("b"));
        assert_eq!(
            operations("7", &[&one, &two], b"pem"),
            json!([
                { "op": "test", "path": "/metadata/resourceVersion", "value": "7" },
                { "op": "test", "path": "/webhooks/0/name", "value": "a" },
                { "op": "add", "path": "/webhooks/0/clientConfig/caBundle", "value": "cGVt" },
                { "op": "test", "path": "/webhooks/1/name", "value": "b" },
                { "op": "add", "path": "/webhooks/1/clientConfig/caBundle", "value": "cGVt" },
            ])
        );
    }
}
