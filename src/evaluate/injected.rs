//! Containers that nobody writes into a manifest: who injects them, and what there is to turn.

use crate::finding::Subject;

/// Who injects a container, and where its security context is set.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Injector {
    /// The names of its containers.
    containers: &'static [&'static str],
    /// Its name.
    pub(super) name: &'static str,
    /// What to turn.
    pub(super) knob: &'static str,
}

/// The injectors whose containers are named so distinctly that nobody else's are.
static INJECTORS: [Injector; 8] = [
    Injector {
        containers: &["gke-gcsfuse-sidecar", "gke-gcsfuse-metadata-prefetch"],
        name: "GKE's Cloud Storage FUSE driver",
        knob: "it is not in your file; ask the cluster's administrator",
    },
    Injector {
        containers: &["istio-init", "istio-validation", "istio-proxy"],
        name: "Istio",
        knob: "have the Istio CNI node agent enabled, or its injection template changed",
    },
    Injector {
        containers: &["linkerd-init", "linkerd-proxy", "linkerd-network-validator"],
        name: "Linkerd",
        knob: "have its CNI plugin enabled (cniEnabled), or its proxy values changed",
    },
    Injector {
        containers: &["storage-initializer"],
        name: "KServe",
        knob: "ClusterStorageContainer spec.container.securityContext",
    },
    Injector {
        containers: &["vault-agent", "vault-agent-init"],
        name: "Vault's agent injector",
        knob: "annotations vault.hashicorp.com/agent-run-as-user and agent-set-security-context",
    },
    Injector {
        containers: &["azwi-proxy", "azwi-proxy-init"],
        name: "azure-workload-identity",
        knob: "leave out the annotation azure.workload.identity/inject-proxy-sidecar",
    },
    Injector { containers: &["daprd"], name: "Dapr", knob: "Helm values dapr_sidecar_injector.sidecar..." },
    Injector {
        containers: &["queue-proxy"],
        name: "Knative",
        knob: "secure-pod-defaults in its ConfigMap config-features",
    },
];

/// Who injects the container that a finding is about, where its name tells.
pub(super) fn injector_of(subject: Subject<'_>) -> Option<&'static Injector> {
    let name = subject.container()?.name;
    INJECTORS.iter().find(|injector| injector.containers.contains(&name))
}
