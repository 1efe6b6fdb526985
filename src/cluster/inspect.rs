//! An installation as an onlooker reads it: every object by itself, so that what may not be read hides nothing else.
//!
//! It is read as whoever runs `podgate doctor`, and not with podgate's own role, which allows less.

use std::time::SystemTime;

use http_body_util::{BodyExt as _, Limited};
use hyper::{Request, header};
use k8s_openapi::api::admissionregistration::v1::{
    MutatingWebhookConfiguration, ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding,
    ValidatingWebhookConfiguration,
};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::coordination::v1 as coordination;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Pod, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::apimachinery::pkg::version::Info;
use k8s_openapi::jiff::fmt::rfc2822;
use kube::api::ListParams;
use kube::client::Body;
use kube::core::{ClusterResourceScope, NamespaceResourceScope, PartialObjectMeta};
use kube::{Api, Resource, ResourceExt};
use serde::de::DeserializeOwned;

use tokio::time::timeout;

use super::{Cluster, Fault, Reason};
use crate::policy::Labels;

/// Objects of a page.
const PAGE: u32 = 500;

/// More than the answer to the question for the version.
const LONGEST_VERSION: usize = 64 * 1024;

/// What an onlooker looks for.
#[derive(Debug, Clone)]
pub struct Surroundings {
    /// The namespace that podgate runs in.
    pub namespace: String,
    /// The ValidatingWebhookConfiguration.
    pub validating: String,
    /// The MutatingWebhookConfiguration.
    pub mutating: String,
    /// The Lease, in podgate's namespace.
    pub lease: String,
    /// The Service, in podgate's namespace.
    pub service: String,
    /// The ConfigMap of the policies, there too.
    pub config_map: String,
    /// What selects the pods, as `key=value,…`; `None` when that is not known.
    pub pods: Option<String>,
    /// The ValidatingAdmissionPolicies.
    pub guards: Vec<String>,
}

/// An installation as it was read.
#[derive(Debug)]
pub struct Inspected {
    /// The ValidatingWebhookConfiguration.
    pub validating: Result<Option<ValidatingWebhookConfiguration>, Fault>,
    /// The MutatingWebhookConfiguration.
    pub mutating: Result<Option<MutatingWebhookConfiguration>, Fault>,
    /// The names of all MutatingWebhookConfigurations.
    pub mutating_names: Result<Vec<String>, Fault>,
    /// All Namespaces and their labels.
    pub namespaces: Result<Vec<(String, Labels)>, Fault>,
    /// The ConfigMap of the policies.
    pub config_map: Result<Option<ConfigMap>, Fault>,
    /// The pods.
    pub pods: Result<Vec<Pod>, Fault>,
    /// The disruption budgets of the namespace.
    pub budgets: Result<Vec<PodDisruptionBudget>, Fault>,
    /// The Service.
    pub service: Result<Option<Service>, Fault>,
    /// Its EndpointSlices.
    pub endpoints: Result<Vec<EndpointSlice>, Fault>,
    /// The network policies of the namespace.
    pub network_policies: Result<Vec<NetworkPolicy>, Fault>,
    /// The Lease.
    pub lease: Result<Option<coordination::Lease>, Fault>,
    /// The ValidatingAdmissionPolicies that were asked for, by name.
    pub guards: Vec<(String, Result<Option<ValidatingAdmissionPolicy>, Fault>)>,
    /// All bindings of such.
    pub bindings: Result<Vec<ValidatingAdmissionPolicyBinding>, Fault>,
}

impl Cluster {
    /// The version of the API server, and what its clock says; `None` if it does not tell.
    ///
    /// # Errors
    /// Why it does not answer.
    pub async fn version(&self) -> Result<(String, Option<SystemTime>), Fault> {
        let path = "/version";
        let call = self.call("Get", path, "get the version");
        let garbled = |error: &dyn std::fmt::Display| Fault::new(Reason::Garbled, &call, error.to_string());
        let request = Request::get(path).body(Body::empty()).map_err(|error| garbled(&error))?;
        let answer = self.asked(path, "get the version", self.client.send(request)).await?;
        let date = answer.headers().get(header::DATE).and_then(|date| date.to_str().ok());
        let time = date.and_then(|date| rfc2822::parse(date).ok()).map(|date| date.timestamp().into());
        let status = answer.status();
        let body = Limited::new(answer.into_body(), LONGEST_VERSION).collect().await;
        let body = body.map_err(|error| garbled(&error))?.to_bytes();
        if matches!(status.as_u16(), 401 | 403) {
            return Err(Fault::new(Reason::Forbidden, &call, status.to_string()));
        }
        let Info { git_version, .. } = serde_json::from_slice(&body).map_err(|error| garbled(&error))?;
        Ok((git_version, time))
    }

    /// A Deployment of podgate's namespace.
    ///
    /// # Errors
    /// Why nobody can tell.
    pub async fn deployment(&self, namespace: &str, name: &str) -> Result<Option<Deployment>, Fault> {
        self.own(namespace, name).await
    }

    /// Everything else of an installation but its Secret.
    pub async fn inspect(&self, around: &Surroundings) -> Inspected {
        let namespace = around.namespace.as_str();
        let slices = format!("kubernetes.io/service-name={}", around.service);
        let (configurations, names, namespaces, own, workload, network) = futures::join!(
            async { futures::join!(self.global(&around.validating), self.global(&around.mutating)) },
            self.names_of::<MutatingWebhookConfiguration>(),
            self.namespaces(),
            async {
                futures::join!(
                    self.own(namespace, &around.config_map),
                    self.own(namespace, &around.service),
                    self.own(namespace, &around.lease)
                )
            },
            async { futures::join!(self.own_pods(around), self.all_own(namespace, None)) },
            async { futures::join!(self.all_own(namespace, Some(&slices)), self.all_own(namespace, None)) },
        );
        let mut guards = Vec::new();
        for name in &around.guards {
            guards.push((name.clone(), self.global(name).await));
        }
        Inspected {
            validating: configurations.0,
            mutating: configurations.1,
            mutating_names: names,
            namespaces,
            config_map: own.0,
            service: own.1,
            lease: own.2,
            pods: workload.0,
            budgets: workload.1,
            endpoints: network.0,
            network_policies: network.1,
            guards,
            bindings: self.all(&Api::all(self.client.clone()), None).await,
        }
    }

    async fn global<K>(&self, name: &str) -> Result<Option<K>, Fault>
    where
        K: Resource<DynamicType = (), Scope = ClusterResourceScope>
            + Clone
            + DeserializeOwned
            + std::fmt::Debug,
    {
        let path = format!("{}/{name}", K::url_path(&(), None));
        self.asked(&path, &wanted::<K>("get"), Api::<K>::all(self.client.clone()).get_opt(name)).await
    }

    async fn own<K>(&self, namespace: &str, name: &str) -> Result<Option<K>, Fault>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
            + Clone
            + DeserializeOwned
            + std::fmt::Debug,
    {
        let path = format!("{}/{name}", K::url_path(&(), Some(namespace)));
        let api = Api::<K>::namespaced(self.client.clone(), namespace);
        self.asked(&path, &wanted::<K>("get"), api.get_opt(name)).await
    }

    async fn all_own<K>(&self, namespace: &str, labels: Option<&str>) -> Result<Vec<K>, Fault>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
            + Clone
            + DeserializeOwned
            + std::fmt::Debug,
    {
        self.all(&Api::namespaced(self.client.clone(), namespace), labels).await
    }

    async fn own_pods(&self, around: &Surroundings) -> Result<Vec<Pod>, Fault> {
        match around.pods.as_deref() {
            Some(selector) => self.all_own(&around.namespace, Some(selector)).await,
            None => Ok(Vec::new()),
        }
    }

    async fn names_of<K>(&self) -> Result<Vec<String>, Fault>
    where
        K: Resource<DynamicType = ()> + Clone + DeserializeOwned + std::fmt::Debug,
    {
        let all = self.all_metadata::<K>().await?;
        Ok(all.iter().map(ResourceExt::name_any).collect())
    }

    async fn namespaces(&self) -> Result<Vec<(String, Labels)>, Fault> {
        let all = self.all_metadata::<Namespace>().await?;
        let labelled = |namespace: PartialObjectMeta<Namespace>| {
            (namespace.name_any(), namespace.metadata.labels.unwrap_or_default())
        };
        Ok(all.into_iter().map(labelled).collect())
    }

    /// All objects of a kind, page by page.
    async fn all<K>(&self, api: &Api<K>, labels: Option<&str>) -> Result<Vec<K>, Fault>
    where
        K: Resource<DynamicType = ()> + Clone + DeserializeOwned + std::fmt::Debug,
    {
        let mut parameters = ListParams::default().limit(PAGE);
        parameters.label_selector = labels.map(ToOwned::to_owned);
        let mut all = Vec::new();
        loop {
            let page = self.asked(api.resource_url(), &wanted::<K>("list"), api.list(&parameters)).await?;
            all.extend(page.items);
            parameters.continue_token = page.metadata.continue_.filter(|token| !token.is_empty());
            if parameters.continue_token.is_none() {
                return Ok(all);
            }
        }
    }

    /// The same of a whole cluster, of which only the metadata are read.
    async fn all_metadata<K>(&self) -> Result<Vec<PartialObjectMeta<K>>, Fault>
    where
        K: Resource<DynamicType = ()> + Clone + DeserializeOwned + std::fmt::Debug,
    {
        let api = Api::<K>::all(self.client.clone());
        let mut parameters = ListParams::default().limit(PAGE);
        let mut all = Vec::new();
        loop {
            let listed = api.list_metadata(&parameters);
            let page = self.asked(api.resource_url(), &wanted::<K>("list"), listed).await?;
            all.extend(page.items);
            parameters.continue_token = page.metadata.continue_.filter(|token| !token.is_empty());
            if parameters.continue_token.is_none() {
                return Ok(all);
            }
        }
    }

    /// Waits for an answer as long as anybody waits.
    async fn asked<T>(
        &self,
        path: &str,
        wanted: &str,
        answer: impl Future<Output = kube::Result<T>>,
    ) -> Result<T, Fault> {
        let call = self.call("Get", path, wanted);
        match timeout(self.limits.list, answer).await {
            Ok(answer) => answer.map_err(|error| Fault::of(&error, &call)),
            Err(_) => Err(Fault::late(&call)),
        }
    }
}

/// What is needed in RBAC: `list pods`.
fn wanted<K: Resource<DynamicType = ()>>(verb: &str) -> String {
    format!("{verb} {}", K::plural(&()))
}
