//! The two webhook configurations: by which certificates the API server checks who answers it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::cluster::raw::{JSON_PATCH, body};
use crate::cluster::{Cluster, Fault, Reason};

/// The names of the two configurations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookNames {
    /// Of the ValidatingWebhookConfiguration.
    pub validating: String,
    /// Of the MutatingWebhookConfiguration.
    pub mutating: String,
    /// The namespace of the Service that they lead to.
    pub namespace: String,
    /// Its name. Webhooks that lead elsewhere are not ours.
    pub service: String,
}

/// One webhook of a configuration, and the certificates that it is called by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bundle {
    /// Its configuration, with the kind: `ValidatingWebhookConfiguration podgate`.
    pub configuration: String,
    /// The resourceVersion of that.
    pub version: String,
    /// The name of the webhook in it.
    pub webhook: String,
    /// Its `caBundle`, without base64. May be empty.
    pub bundle: Vec<u8>,
}

#[derive(Deserialize)]
struct Configuration {
    metadata: Metadata,
    #[serde(default)]
    webhooks: Vec<Webhook>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    resource_version: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Webhook {
    name: String,
    client_config: ClientConfig,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ClientConfig {
    #[serde(default)]
    ca_bundle: String,
    service: Option<Service>,
}

#[derive(Deserialize)]
struct Service {
    namespace: String,
    name: String,
}

/// A configuration: what people call it, where it is, and its plural.
struct Place {
    shown: String,
    path: String,
    plural: &'static str,
}

impl WebhookNames {
    /// Whether a webhook leads to our Service. An API server asks for a certificate of that name.
    fn leads_here(&self, webhook: &Webhook) -> bool {
        let Some(service) = &webhook.client_config.service else { return false };
        service.namespace == self.namespace && service.name == self.service
    }

    fn places(&self) -> [Place; 2] {
        let place = |kind: &str, plural: &'static str, name: &str| Place {
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
    pub async fn bundles(&self, names: &WebhookNames) -> Result<Vec<Bundle>, Fault> {
        let mut bundles = Vec::new();
        for place in names.places() {
            let wanted = format!("get {}", place.plural);
            let Some(found) = self.get_json::<Configuration>(&place.path, &wanted).await? else { continue };
            for webhook in found.webhooks.into_iter().filter(|webhook| names.leads_here(webhook)) {
                // What is not base64 verifies nobody, as does what is empty.
                let bundle = STANDARD.decode(&webhook.client_config.ca_bundle).unwrap_or_default();
                bundles.push(Bundle {
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
    /// version that was seen, so that nothing that somebody else did meanwhile is undone.
    ///
    /// # Errors
    ///
    /// [`Reason::Conflict`] when one was changed since; else what went wrong. One configuration may be done
    /// and the other not.
    pub async fn publish(&self, names: &WebhookNames, bundle: &[u8], seen: &[Bundle]) -> Result<(), Fault> {
        let encoded = STANDARD.encode(bundle);
        for place in names.places() {
            let of_place: Vec<&Bundle> =
                seen.iter().filter(|seen| seen.configuration == place.shown).collect();
            let Some(first) = of_place.first() else { continue };
            let wanted = format!("get {}", place.plural);
            let found = self.get_json::<Configuration>(&place.path, &wanted).await?;
            let webhooks = found.map(|found| found.webhooks).unwrap_or_default();
            let mut patch = vec![test("/metadata/resourceVersion", &first.version)];
            // The others lead elsewhere, and are somebody else's.
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

    async fn patch(&self, place: &Place, patch: &[Value]) -> Result<(), Fault> {
        let call = self.call("Patch", &place.path, &format!("patch {}", place.plural));
        let body = body(&patch, &call)?;
        match self.send("PATCH", &place.path, Some((JSON_PATCH, body)), &call).await {
            Ok(_) => Ok(()),
            // A test that does not hold is answered 422 by some versions, and as what cannot be understood
            // by others. What we send is known to be sound.
            Err(fault) if fault.reason == Reason::Refused => {
                let message = format!("{}: it has been changed since it was read ({fault})", place.shown);
                Err(Fault::new(Reason::Conflict, &call, message))
            }
            Err(fault) => Err(fault),
        }
    }
}

fn test(path: &str, value: &str) -> Value {
    json!({"op": "test", "path": path, "value": value})
}
