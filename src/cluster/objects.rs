//! The objects of podgate's own installation, by name.

use std::pin::pin;
use std::sync::Arc;

use futures::StreamExt;
use k8s_openapi::api::admissionregistration::v1::{
    MutatingWebhookConfiguration, ValidatingWebhookConfiguration,
};
use k8s_openapi::api::core::v1 as core;
use kube::core::PartialObjectMeta;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Resource};
use tokio::sync::Notify;

use super::Cluster;

/// The names of the objects that a self-managed certificate lives in.
#[derive(Debug, Clone)]
pub struct Objects {
    /// The namespace that podgate runs in.
    pub namespace: String,
    /// The Secret of the certificate.
    pub secret: String,
    /// The Lease of whoever rotates it.
    pub lease: String,
    /// The ValidatingWebhookConfiguration.
    pub validating: String,
    /// The MutatingWebhookConfiguration.
    pub mutating: String,
}

impl Cluster {
    /// Tells `changed` whenever one of the Secret and the two configurations is another. For as long as it runs;
    /// what a watch misses is seen by whoever looks now and then.
    pub async fn watch_objects(&self, objects: &Objects, changed: Arc<Notify>) {
        let secrets: Api<PartialObjectMeta<core::Secret>> =
            Api::namespaced(self.client.clone(), &objects.namespace);
        let validating: Api<PartialObjectMeta<ValidatingWebhookConfiguration>> =
            Api::all(self.client.clone());
        let mutating: Api<PartialObjectMeta<MutatingWebhookConfiguration>> = Api::all(self.client.clone());
        tokio::join!(
            watch_one(secrets, &objects.secret, &changed),
            watch_one(validating, &objects.validating, &changed),
            watch_one(mutating, &objects.mutating, &changed),
        );
    }
}

async fn watch_one<K>(api: Api<K>, name: &str, changed: &Notify)
where
    K: Resource + Clone + serde::de::DeserializeOwned + std::fmt::Debug + Send + 'static,
{
    let of_name = watcher::Config::default().fields(&format!("metadata.name={name}"));
    let mut events = pin!(watcher(api, of_name).default_backoff());
    while let Some(event) = events.next().await {
        if event.is_ok() {
            changed.notify_one();
        }
    }
}
