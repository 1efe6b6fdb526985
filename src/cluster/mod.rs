//! The Kubernetes API, kept as snapshots.
use std::path::Path;
use std::sync::Arc;
use std::pin::pin;
use futures::StreamExt;
use k8s_openapi::api::core::v1::{Namespace, Pod, ServiceAccount};
use kube::core::PartialObjectMeta;
use kube::runtime::watcher::{self, Event};
use kube::runtime::WatchStreamExt;
use kube::{Api, Client, Config, ResourceExt};
use kube::config::{KubeConfigOptions, Kubeconfig};
use crate::policy::{Labels, Snapshot};

#[derive(Clone)]
pub struct Cluster { client: Client }

impl Cluster {
    pub async fn connect(kubeconfig: Option<&Path>) -> anyhow::Result<Self> {
        let config = match kubeconfig {
            Some(path) => Config::from_custom_kubeconfig(Kubeconfig::read_from(path)?, &KubeConfigOptions::default()).await?,
            None => Config::infer().await?,
        };
        Ok(Self { client: Client::try_from(config)? })
    }
    pub async fn follow(&self, publish: impl Fn(Arc<Snapshot>)) {
        let ns: Api<PartialObjectMeta<Namespace>> = Api::all(self.client.clone());
        let sa: Api<PartialObjectMeta<ServiceAccount>> = Api::all(self.client.clone());
        let ns = watcher::watcher(ns, watcher::Config::default()).default_backoff().map(|e| Ok::<_, ()>(e.map(|e| (Some(e), None))));
        let sa = watcher::watcher(sa, watcher::Config::default()).default_backoff().map(|e| Ok::<_, ()>(e.map(|e| (None, Some(e)))));
        let mut both = pin!(futures::stream::select(ns, sa));
        let mut snapshot = Snapshot::live();
        while let Some(Ok(event)) = both.next().await {
            match event {
                Ok((Some(Event::Apply(o) | Event::InitApply(o)), _)) => snapshot.insert(&o.name_any(), o.labels().clone()),
                Ok((Some(Event::Delete(o)), _)) => snapshot.remove(&o.name_any()),
                Ok((_, Some(Event::Apply(o) | Event::InitApply(o)))) => snapshot.insert_service_account(&o.namespace().unwrap_or_default(), &o.name_any()),
                Ok((_, Some(Event::Delete(o)))) => snapshot.remove_service_account(&o.namespace().unwrap_or_default(), &o.name_any()),
                Ok(_) => {}
                Err(_) => {}
            }
            publish(Arc::new(snapshot.clone()));
        }
    }
    pub async fn namespace(&self, name: &str) -> Result<Option<Labels>, String> {
        let api: Api<Namespace> = Api::all(self.client.clone());
        api.get_metadata_opt(name).await.map(|o| o.map(|o| o.labels().clone())).map_err(|e| e.to_string())
    }
    pub async fn service_account(&self, namespace: &str, name: &str) -> Result<bool, String> {
        let api: Api<ServiceAccount> = Api::namespaced(self.client.clone(), namespace);
        api.get_metadata_opt(name).await.map(|o| o.is_some()).map_err(|e| e.to_string())
    }
    pub async fn pods(&self, namespace: &str) -> Result<String, String> {
        let url = format!("/api/v1/namespaces/{namespace}/pods?limit=10000");
        let request = http::Request::get(url).body(Vec::new()).map_err(|e| e.to_string())?;
        self.client.request_text(request).await.map_err(|e| e.to_string())
    }
}
