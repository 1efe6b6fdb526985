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
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Pod, Service, ServiceAccount};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::apimachinery::pkg::version::Info;
use k8s_openapi::jiff::fmt::rfc2822;
use kube::Resource;
use kube::client::Body;
use kube::core::ObjectMeta;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use crate::cluster::pods::escape;
use crate::cluster::raw::parse;
use crate::cluster::{Cluster, Fault, Reason};
use crate::policy::Labels;

/// Objects of a page.
const PAGE_SIZE: u32 = 500;

/// More than the answer to the question for the version.
const LONGEST_VERSION: usize = 64 * 1024;

/// What an onlooker looks for, by name.
#[derive(Debug, Clone)]
pub struct Sought {
    /// podgate's namespace.
    pub namespace: String,
    /// The ValidatingWebhookConfiguration.
    pub validating: String,
    /// The MutatingWebhookConfiguration.
    pub mutating: String,
    /// The Service, in podgate's namespace.
    pub service: String,
    /// The ConfigMap of the policies, there too.
    pub config_map: String,
    /// The Lease, there too.
    pub lease: String,
    /// What selects the pods, as `key=value,…`; `None` when that is not known.
    pub pods: Option<String>,
    /// The ValidatingAdmissionPolicies.
    pub guards: Vec<String>,
}

/// A page of a list.
#[derive(Deserialize)]
struct Page<K> {
    #[serde(default)]
    metadata: PageMetadata,
    items: Vec<K>,
}

#[derive(Default, Deserialize)]
struct PageMetadata {
    #[serde(default, rename = "continue")]
    next: String,
}

/// An object of which only the metadata are looked at.
#[derive(Deserialize)]
struct Named {
    metadata: ObjectMeta,
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
    /// The metadata of all ServiceAccounts.
    pub service_accounts: Result<Vec<ObjectMeta>, Fault>,
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
    pub lease: Result<Option<Lease>, Fault>,
    /// The ValidatingAdmissionPolicies that were asked for, by name.
    pub guards: Vec<(String, Result<Option<ValidatingAdmissionPolicy>, Fault>)>,
    /// All bindings of such.
    pub bindings: Result<Vec<ValidatingAdmissionPolicyBinding>, Fault>,
}

impl Cluster {
    /// The version of the API server, and what its clock says; `None` if it does not tell.
    ///
    /// # Errors
    ///
    /// Why it does not answer.
    pub async fn version(&self) -> Result<(String, Option<SystemTime>), Fault> {
        let call = self.call("Get", "/version", "get /version");
        let garbled = |error: String| Fault::new(Reason::Garbled, &call, error);
        let request =
            Request::get("/version").body(Body::empty()).map_err(|error| garbled(error.to_string()))?;
        let answer = timeout(self.limits.answer, self.client.send(request)).await;
        let answer = answer.map_err(|_| Fault::late(&call))?.map_err(|error| Fault::of(&error, &call))?;
        let date = answer.headers().get(header::DATE).and_then(|date| date.to_str().ok());
        let time = date.and_then(|date| rfc2822::parse(date).ok()).map(|date| date.timestamp().into());
        let reason = match answer.status().as_u16() {
            401 => Some(Reason::Unauthorized),
            403 => Some(Reason::Forbidden),
            _ => None,
        };
        if let Some(reason) = reason {
            return Err(Fault::new(reason, &call, format!("the server answered with {}", answer.status())));
        }
        let body =
            timeout(self.limits.answer, Limited::new(answer.into_body(), LONGEST_VERSION).collect()).await;
        let body =
            body.map_err(|_| Fault::late(&call))?.map_err(|error| garbled(error.to_string()))?.to_bytes();
        let Info { git_version, .. } = parse(&String::from_utf8_lossy(&body), &call)?;
        Ok((git_version, time))
    }

    /// A Deployment.
    ///
    /// # Errors
    ///
    /// Why nobody can tell.
    pub async fn deployment(&self, namespace: &str, name: &str) -> Result<Option<Deployment>, Fault> {
        self.one(Some(namespace), name).await
    }

    /// Everything else of an installation but its Secret.
    pub async fn inspect(&self, sought: &Sought) -> Inspected {
        let own = Some(sought.namespace.as_str());
        let slices = format!("kubernetes.io/service-name={}", sought.service);
        let (configurations, cluster, accounts, objects, workload, network) = futures::join!(
            async { futures::join!(self.one(None, &sought.validating), self.one(None, &sought.mutating)) },
            async { futures::join!(self.mutating_names(), self.labelled_namespaces(), self.all(None, None)) },
            self.metadata::<ServiceAccount>(),
            async {
                futures::join!(
                    self.one(own, &sought.config_map),
                    self.one(own, &sought.service),
                    self.one(own, &sought.lease)
                )
            },
            async { futures::join!(self.selected_pods(sought), self.all(own, None)) },
            async { futures::join!(self.all(own, Some(&slices)), self.all(own, None)) },
        );
        let mut guards = Vec::new();
        for name in &sought.guards {
            guards.push((name.clone(), self.one(None, name).await));
        }
        Inspected {
            validating: configurations.0,
            mutating: configurations.1,
            mutating_names: cluster.0,
            namespaces: cluster.1,
            bindings: cluster.2,
            service_accounts: accounts,
            config_map: objects.0,
            service: objects.1,
            lease: objects.2,
            pods: workload.0,
            budgets: workload.1,
            endpoints: network.0,
            network_policies: network.1,
            guards,
        }
    }

    async fn one<K>(&self, namespace: Option<&str>, name: &str) -> Result<Option<K>, Fault>
    where
        K: Resource<DynamicType = ()> + DeserializeOwned,
    {
        let path = format!("{}/{}", K::url_path(&(), namespace), escape(name));
        self.get_json(&path, &format!("get {}", K::plural(&()))).await
    }

    /// All objects of a kind, page by page; none where the kind is not known.
    async fn all<K>(&self, namespace: Option<&str>, labels: Option<&str>) -> Result<Vec<K>, Fault>
    where
        K: Resource<DynamicType = ()> + DeserializeOwned,
    {
        self.pages(&K::url_path(&(), namespace), &format!("list {}", K::plural(&())), labels).await
    }

    async fn pages<T>(&self, path: &str, wanted: &str, labels: Option<&str>) -> Result<Vec<T>, Fault>
    where
        T: DeserializeOwned,
    {
        let selector = labels.map(|labels| format!("&labelSelector={}", escape(labels))).unwrap_or_default();
        let mut all = Vec::new();
        let mut next = String::new();
        loop {
            let query = format!("{path}?limit={PAGE_SIZE}{selector}{next}");
            let Some(Page { metadata, items }) = self.get_json(&query, wanted).await? else { return Ok(all) };
            all.extend(items);
            if metadata.next.is_empty() {
                return Ok(all);
            }
            next = format!("&continue={}", escape(&metadata.next));
        }
    }

    async fn selected_pods(&self, sought: &Sought) -> Result<Vec<Pod>, Fault> {
        match sought.pods.as_deref() {
            Some(selector) => self.all(Some(&sought.namespace), Some(selector)).await,
            None => Ok(Vec::new()),
        }
    }

    /// The metadata of all objects of a kind.
    async fn metadata<K: Resource<DynamicType = ()>>(&self) -> Result<Vec<ObjectMeta>, Fault> {
        let wanted = format!("list {}", K::plural(&()));
        let all = self.pages::<Named>(&K::url_path(&(), None), &wanted, None).await?;
        Ok(all.into_iter().map(|Named { metadata }| metadata).collect())
    }

    async fn mutating_names(&self) -> Result<Vec<String>, Fault> {
        let all = self.metadata::<MutatingWebhookConfiguration>().await?;
        Ok(all.into_iter().filter_map(|metadata| metadata.name).collect())
    }

    async fn labelled_namespaces(&self) -> Result<Vec<(String, Labels)>, Fault> {
        let labelled =
            |metadata: ObjectMeta| (metadata.name.unwrap_or_default(), metadata.labels.unwrap_or_default());
        Ok(self.metadata::<Namespace>().await?.into_iter().map(labelled).collect())
    }
}
