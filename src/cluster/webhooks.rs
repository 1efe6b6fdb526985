//! The two webhook configurations, and the CA bundles in them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::certificates::WebhookBundle;
use crate::cluster::client::Cluster;
use crate::cluster::error::{ApiError, Reason};
use crate::cluster::own_objects::OwnObjects;
use crate::cluster::raw::{JSON_PATCH, ObjectVersion, body};

#[derive(Deserialize)]
struct WebhookConfiguration {
    metadata: ObjectVersion,
    #[serde(default)]
    webhooks: Vec<ConfiguredWebhook>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ConfiguredWebhook {
    name: String,
    client_config: ClientConfig,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ClientConfig {
    #[serde(default)]
    ca_bundle: String,
    service: Option<ServiceReference>,
}

#[derive(Deserialize)]
struct ServiceReference {
    namespace: String,
    name: String,
}

/// A configuration: its name in reports, its path, and its plural.
struct ConfigurationPath {
    shown: String,
    path: String,
    plural: &'static str,
}

impl OwnObjects {
    /// Whether a webhook leads to our Service. An API server asks for a certificate of that name.
    fn leads_here(&self, webhook: &ConfiguredWebhook) -> bool {
        let Some(service) = &webhook.client_config.service else { return false };
        service.namespace == self.namespace && service.name == self.service
    }

    fn places(&self) -> [ConfigurationPath; 2] {
        let place = |kind: &str, plural: &'static str, name: &str| ConfigurationPath {
            shown: format!("{kind} {name}"),
            path: format!("/apis/admissionregistration.k8s.io/v1/{plural}/{name}"),
            plural,
        };
        [
            place("ValidatingWebhookConfiguration", "validatingwebhookconfigurations", &self.validating),
            place("MutatingWebhookConfiguration", "mutatingwebhookconfigurations", &self.mutating),
        ]
    }
}

impl Cluster {
    /// Every webhook of both configurations, in their order. A configuration that is not there has none.
    ///
    /// # Errors
    ///
    /// What went wrong with either.
    pub async fn bundles(&self, names: &OwnObjects) -> Result<Vec<WebhookBundle>, ApiError> {
        let mut bundles = Vec::new();
        for place in names.places() {
            let wanted = format!("get {}", place.plural);
            let Some(found) = self.get_json::<WebhookConfiguration>(&place.path, &wanted).await? else {
                continue;
            };
            for webhook in found.webhooks.into_iter().filter(|webhook| names.leads_here(webhook)) {
                // What is not base64 verifies nobody, as does what is empty.
                let bundle = STANDARD.decode(&webhook.client_config.ca_bundle).unwrap_or_default();
                bundles.push(WebhookBundle {
                    configuration: place.shown.clone(),
                    version: found.metadata.resource_version.clone(),
                    webhook: webhook.name,
                    bundle,
                });
            }
        }
        Ok(bundles)
    }

    /// Sets the `caBundle` of every webhook that was seen. A configuration is changed only while it has the
    /// version that was seen, so that no concurrent change is undone.
    ///
    /// # Errors
    ///
    /// [`Reason::Conflict`] when one was changed since; else what went wrong. One configuration may be done
    /// and the other not.
    pub async fn publish(
        &self,
        names: &OwnObjects,
        bundle: &[u8],
        seen: &[WebhookBundle],
    ) -> Result<(), ApiError> {
        let encoded = STANDARD.encode(bundle);
        for place in names.places() {
            let of_place: Vec<&WebhookBundle> =
                seen.iter().filter(|seen| seen.configuration == place.shown).collect();
            let Some(first) = of_place.first() else { continue };
            let wanted = format!("get {}", place.plural);
            let found = self.get_json::<WebhookConfiguration>(&place.path, &wanted).await?;
            let webhooks = found.map(|found| found.webhooks).unwrap_or_default();
            let mut patch = vec![test("/metadata/resourceVersion", &first.version)];
            // The others lead to another Service.
            for (index, webhook) in
                webhooks.iter().enumerate().filter(|(_, webhook)| names.leads_here(webhook))
            {
                patch.push(test(&format!("/webhooks/{index}/name"), &webhook.name));
                let path = format!("/webhooks/{index}/clientConfig/caBundle");
                patch.push(json!({"op": "add", "path": path, "value": encoded}));
            }
            self.patch(&place, &patch).await?;
        }
        Ok(())
    }

    async fn patch(&self, place: &ConfigurationPath, patch: &[Value]) -> Result<(), ApiError> {
        let call = self.call("Patch", &place.path, &format!("patch {}", place.plural));
        let body = body(&patch, &call)?;
        match self.send("PATCH", &place.path, Some((JSON_PATCH, body)), &call).await {
            Ok(_) => Ok(()),
            // A test that fails is answered with 422 by some versions, and with 400 by others. What we send is known
            // to be well-formed.
            Err(fault) if fault.reason == Reason::Refused => {
                let message = format!("{}: it has been changed since it was read ({fault})", place.shown);
                Err(ApiError::new(Reason::Conflict, &call, message))
            }
            Err(fault) => Err(fault),
        }
    }
}

fn test(path: &str, value: &str) -> Value {
    json!({"op": "test", "path": path, "value": value})
}
