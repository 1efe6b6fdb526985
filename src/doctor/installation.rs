//! What was read of an installation: the objects as the API server has them, and why others were not read.

use std::collections::BTreeMap;
use std::time::SystemTime;

use k8s_openapi::api::admissionregistration::v1::{
    MutatingWebhookConfiguration, ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding,
    ValidatingWebhookConfiguration,
};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{ConfigMap, Pod, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;

use crate::policy::{Labels, PolicySet};

/// An object; `None` if there is none; or why nobody can tell, in one line.
pub type Found<T> = Result<Option<T>, String>;

/// Objects of one kind, or why they were not read, in one line.
pub type Listed<T> = Result<Vec<T>, String>;

/// What podgate is installed as, by name.
#[derive(Debug, Clone)]
pub struct Names {
    /// The namespace of all that has one.
    pub namespace: String,
    /// The Deployment.
    pub deployment: String,
    /// The Service.
    pub service: String,
    /// The ConfigMap of the policies.
    pub config_map: String,
    /// The Secret of the certificate.
    pub secret: String,
    /// The Lease of whoever rotates it.
    pub lease: String,
    /// The ValidatingWebhookConfiguration.
    pub validating: String,
    /// The MutatingWebhookConfiguration.
    pub mutating: String,
}

/// An installation as it was read at one moment.
#[derive(Debug)]
pub struct Installation {
    /// What it was looked for by.
    pub names: Names,
    /// The time here.
    pub now: SystemTime,
    /// The API server.
    pub server: Result<Server, String>,
    /// The ValidatingWebhookConfiguration.
    pub validating: Found<ValidatingWebhookConfiguration>,
    /// The MutatingWebhookConfiguration.
    pub mutating: Found<MutatingWebhookConfiguration>,
    /// The names of every MutatingWebhookConfiguration.
    pub mutating_names: Listed<String>,
    /// What the bundles of the webhooks come to, for each that has one.
    pub bundles: Vec<Bundle>,
    /// The certificate's Secret.
    pub secret: Found<Secret>,
    /// The namespaces of the cluster with their labels.
    pub namespaces: Listed<(String, Labels)>,
    /// The service accounts of the cluster.
    pub service_accounts: Listed<ServiceAccount>,
    /// Where the policies come from.
    pub policies: Policies,
    /// The Deployment.
    pub deployment: Found<Deployment>,
    /// The pods that the Deployment selects.
    pub pods: Listed<Pod>,
    /// The disruption budgets of podgate's namespace.
    pub budgets: Listed<PodDisruptionBudget>,
    /// The Service.
    pub service: Found<Service>,
    /// Its EndpointSlices.
    pub endpoints: Listed<EndpointSlice>,
    /// The network policies of podgate's namespace.
    pub network_policies: Listed<NetworkPolicy>,
    /// The Lease.
    pub lease: Found<Lease>,
    /// The guards that podgate is shipped with.
    pub guards: Vec<Guard>,
    /// Every binding of a ValidatingAdmissionPolicy.
    pub bindings: Listed<ValidatingAdmissionPolicyBinding>,
}

/// The API server.
#[derive(Debug, Clone)]
pub struct Server {
    /// Its version, as `v1.37.1`.
    pub version: String,
    /// What its clock said when ours said `now`; `None` if it did not tell.
    pub time: Option<SystemTime>,
}

/// Where the policies come from.
#[derive(Debug)]
pub enum Policies {
    /// From the installation.
    ConfigMap(Found<ConfigMap>),
    /// Given by hand.
    Given(PolicySet),
}

/// A service account, as far as identities hang on it.
#[derive(Debug, Clone)]
pub struct ServiceAccount {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its annotations.
    pub annotations: BTreeMap<String, String>,
}

/// The certificate's Secret, without its keys.
#[derive(Debug, Clone)]
pub struct Secret {
    /// What stands under `tls.crt`; `None` if that is no certificate, or nothing.
    pub certificate: Option<Certificate>,
}

/// What a certificate says of itself.
#[derive(Debug, Clone)]
pub struct Certificate {
    /// From when on it is valid.
    pub not_before: SystemTime,
    /// Until when it is valid.
    pub not_after: SystemTime,
    /// The names that it is for.
    pub names: Vec<String>,
}

/// What the `caBundle` of a webhook comes to.
#[derive(Debug, Clone)]
pub struct Bundle {
    /// The name of the webhook.
    pub webhook: String,
    /// Whether it is of the mutating configuration.
    pub is_mutating: bool,
    /// The CAs in it.
    pub authorities: Vec<Authority>,
    /// Whether there is anything in it that is no CA.
    pub has_others: bool,
    /// Whether it vouches for the Secret's certificate; `None` when that was not read.
    pub vouches: Option<bool>,
    /// What came of a connection; `None` when none was asked for.
    pub served: Option<Served>,
}

/// The dates of a CA.
#[derive(Debug, Clone, Copy)]
pub struct Authority {
    /// From when on it is valid.
    pub not_before: SystemTime,
    /// Until when it is valid.
    pub not_after: SystemTime,
}

/// What came of a connection to podgate with a bundle, for the name of its Service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Served {
    /// A certificate that the bundle vouches for.
    Trusted,
    /// One that it does not vouch for, and why.
    Foreign {
        /// Where.
        address: String,
        /// What TLS says.
        reason: String,
    },
    /// No TLS connection.
    Unreached {
        /// Where.
        address: String,
        /// What the network or TLS says.
        reason: String,
    },
}

/// A guard that podgate is shipped with.
#[derive(Debug)]
pub struct Guard {
    /// The name of the ValidatingAdmissionPolicy.
    pub name: String,
    /// The policy.
    pub policy: Found<ValidatingAdmissionPolicy>,
}

impl Names {
    /// A kubectl command in podgate's namespace.
    pub(super) fn kubectl(&self, command: &str) -> String {
        format!("kubectl --namespace {} {command}", self.namespace)
    }

    /// What restarts the replicas.
    pub(super) fn restart(&self) -> String {
        self.kubectl(&format!("rollout restart deployment/{}", self.deployment))
    }

    /// An object of podgate's namespace.
    pub(super) fn own(&self, kind: &str, name: &str) -> String {
        format!("{kind} {}/{name}", self.namespace)
    }
}

impl Installation {
    /// Whether podgate manages its certificate by itself; assumed as long as nothing says otherwise.
    pub(super) fn is_self_managed(&self) -> bool {
        match &self.deployment {
            Ok(Some(deployment)) => !super::has_certificate_files(deployment),
            Ok(None) | Err(_) => true,
        }
    }
}

/// What puts back what is missing. How it was installed is not known here.
pub(super) const REINSTALL: &str =
    "kubectl apply --kustomize manifests/base # or the overlay or chart that it was installed with";
