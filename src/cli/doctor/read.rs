//! Reads an installation: each object by itself, so that one that may not be read hides no other.
//!
//! It is read as whoever runs `podgate doctor`, and not with podgate's own role, which allows less.

use std::time::SystemTime;

use k8s_openapi::api::admissionregistration::v1::MutatingWebhookConfiguration;
use k8s_openapi::api::core::v1::Namespace;
use kube::Resource;
use kube::core::ObjectMeta;
use serde::de::DeserializeOwned;

use crate::certificates::WebhookService;
use crate::cli::doctor::trust::{self, SecretLeaf, Trust};
use crate::cluster::{ApiError, Cluster};
use crate::doctor::{
    ApiServer, Guard, Installation, InstallationNames, ListRead, NamedAccount, ObjectRead, OptionalRights,
    OwnDeployment, OwnPod, PolicySource, mounted_secret, selector_text,
};
use crate::identity::aad_pod_identity::PodIdentityKind;
use crate::policy::{Labels, PolicySet, SWITCH_CONFIG_MAP};

/// The ValidatingAdmissionPolicies that podgate is shipped with.
const GUARDS: [&str; 4] =
    ["podgate-policy-label", "podgate-installation", "podgate-webhooks", "podgate-service-account"];

/// The Secret of a self-managed certificate, as the flag has it by default.
const SECRET: &str = "podgate-tls";

/// The service account of podgate, as the manifests call it.
const OWN_ACCOUNT: &str = "podgate";

/// Reads an installation.
pub(super) struct InstallationReader<'r> {
    pub(super) cluster: &'r Cluster,
    /// Where to connect to podgate, if anywhere.
    pub(super) connect: Option<&'r str>,
}

impl InstallationReader<'_> {
    /// Reads everything but the API server's version, which is read already, and policies that are given.
    pub(super) async fn read(
        &self,
        mut names: InstallationNames,
        server: Result<ApiServer, String>,
        policies: Option<PolicySet>,
    ) -> Installation {
        let now = SystemTime::now();
        let deployment = self.get::<OwnDeployment>(Some(&names.namespace), &names.deployment).await;
        if names.secret == SECRET
            && let Some(mounted) = mounted(&deployment)
        {
            mounted.clone_into(&mut names.secret);
        }
        let own = Some(names.namespace.as_str());
        let slices = format!("kubernetes.io/service-name={}", names.service);
        let ((validating, mutating), cluster, lists, identity, served, (lease, leaf), workload, network) = futures::join!(
            async { futures::join!(self.get(None, &names.validating), self.get(None, &names.mutating)) },
            async { futures::join!(self.mutating_names(), self.namespaces(), self.guards()) },
            async { futures::join!(self.service_accounts(), self.list(None, None)) },
            async { futures::join!(self.list(None, None), self.rights(&names.namespace)) },
            async {
                let (map, service) = (&names.config_map, &names.service);
                futures::join!(self.get(own, map), self.get(own, service), self.get(own, SWITCH_CONFIG_MAP))
            },
            async { futures::join!(self.get(own, &names.lease), self.leaf(&names)) },
            async { futures::join!(self.pods(own, &deployment), self.list(own, None)) },
            async { futures::join!(self.list(own, Some(&slices)), self.list(own, None)) },
        );
        let trust = Trust {
            service: &WebhookService::new(&names.service, &names.namespace),
            leaf: leaf.as_ref().ok().and_then(|leaf| leaf.as_ref()?.as_ref()),
            now,
            connect: self.connect,
        };
        Installation {
            now,
            server,
            bundles: trust.bundles(&validating, &mutating).await,
            validating,
            mutating,
            mutating_names: cluster.0,
            namespaces: cluster.1,
            guards: cluster.2,
            service_accounts: lists.0,
            bindings: lists.1,
            mutating_policies: identity.0,
            rights: identity.1,
            secret: leaf.map(|secret| secret.map(|leaf| Some(leaf?.certificate))),
            policies: policies.map_or(PolicySource::ConfigMap(served.0), PolicySource::Given),
            deployment,
            pods: workload.0,
            budgets: workload.1,
            service: served.1,
            switch: served.2,
            endpoints: network.0,
            network_policies: network.1,
            lease,
            names,
        }
    }

    async fn get<K>(&self, namespace: Option<&str>, name: &str) -> ObjectRead<K>
    where
        K: Resource<DynamicType = ()> + DeserializeOwned,
    {
        in_words(self.cluster.get(namespace, name).await)
    }

    async fn list<K>(&self, namespace: Option<&str>, labels: Option<&str>) -> ListRead<K>
    where
        K: Resource<DynamicType = ()> + DeserializeOwned,
    {
        in_words(self.cluster.list(namespace, labels).await)
    }

    /// The certificate in the Secret.
    async fn leaf(&self, names: &InstallationNames) -> ObjectRead<Option<SecretLeaf>> {
        let secret = in_words(self.cluster.secret(&names.namespace, &names.secret).await)?;
        Ok(secret.map(|secret| trust::leaf(&secret.data)))
    }

    /// The pods that a Deployment selects; none where that is not known.
    async fn pods(
        &self,
        namespace: Option<&str>,
        deployment: &ObjectRead<OwnDeployment>,
    ) -> ListRead<OwnPod> {
        let Ok(Some(deployment)) = deployment else { return Ok(Vec::new()) };
        match selector_text(deployment).as_str() {
            "" => Ok(Vec::new()),
            selector => self.list(namespace, Some(selector)).await,
        }
    }

    async fn service_accounts(&self) -> ListRead<NamedAccount> {
        let all = in_words(self.cluster.service_accounts().await)?;
        let named = |(namespace, name, account)| NamedAccount { namespace, name, account };
        Ok(all.into_iter().map(named).collect())
    }

    /// What podgate's own account may do that only some policies need.
    async fn rights(&self, namespace: &str) -> OptionalRights {
        let may = async |verb, group, resource| {
            let account = (namespace, OWN_ACCOUNT);
            in_words(self.cluster.may_account(account, verb, group, resource).await)
        };
        let mut lists_bindings = Ok(true);
        for resource in ["rolebindings", "clusterrolebindings"] {
            for verb in ["list", "watch"] {
                if lists_bindings == Ok(true) {
                    lists_bindings = may(verb, "rbac.authorization.k8s.io", resource).await;
                }
            }
        }
        let mut lists_pod_identities = Ok(true);
        for kind in PodIdentityKind::ALL {
            if lists_pod_identities == Ok(true) {
                lists_pod_identities = may("list", PodIdentityKind::GROUP, kind.resource()).await;
            }
        }
        let reviews_access = may("create", "authorization.k8s.io", "subjectaccessreviews").await;
        let mut watches_switch = Ok(true);
        for verb in ["get", "list", "watch"] {
            if watches_switch == Ok(true) {
                let object = (namespace, "configmaps", SWITCH_CONFIG_MAP);
                let may = self.cluster.may_account_on((namespace, OWN_ACCOUNT), verb, object).await;
                watches_switch = in_words(may);
            }
        }
        OptionalRights { lists_bindings, lists_pod_identities, reviews_access, watches_switch }
    }

    async fn mutating_names(&self) -> ListRead<String> {
        let all = in_words(self.cluster.list_metadata::<MutatingWebhookConfiguration>().await)?;
        Ok(all.into_iter().filter_map(|metadata| metadata.name).collect())
    }

    async fn namespaces(&self) -> ListRead<(String, Labels)> {
        let labelled =
            |metadata: ObjectMeta| (metadata.name.unwrap_or_default(), metadata.labels.unwrap_or_default());
        let all = in_words(self.cluster.list_metadata::<Namespace>().await)?;
        Ok(all.into_iter().map(labelled).collect())
    }

    async fn guards(&self) -> Vec<Guard> {
        let mut guards = Vec::new();
        for name in GUARDS {
            guards.push(Guard { name: name.to_owned(), policy: self.get(None, name).await });
        }
        guards
    }
}

/// The Secret that a Deployment mounts for its certificate.
fn mounted(deployment: &ObjectRead<OwnDeployment>) -> Option<&str> {
    mounted_secret(deployment.as_ref().ok()?.as_ref()?)
}

/// What was read, or why it was not, in one line.
pub(super) fn in_words<T>(read: Result<T, ApiError>) -> Result<T, String> {
    read.map_err(|error| error.to_string())
}
