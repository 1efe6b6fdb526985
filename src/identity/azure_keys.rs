//! The keys of azure-workload-identity, of pods and of service accounts. Apart from the provider, as a service account keeps
//! what they name.

/// The label of a pod that asks for an identity, with the value `true`.
pub const LABEL: &str = "azure.workload.identity/use";
/// The client id, on a service account.
pub const CLIENT_ID: &str = "azure.workload.identity/client-id";
/// The tenant, on a service account, in place of the one of the settings.
pub(super) const TENANT_ID: &str = "azure.workload.identity/tenant-id";
/// How long a token lasts, in seconds, on a pod or a service account.
pub(super) const EXPIRATION: &str = "azure.workload.identity/service-account-token-expiration";
/// The containers of a pod that are left alone.
pub(super) const SKIP_CONTAINERS: &str = "azure.workload.identity/skip-containers";
/// Asks for the proxy, on a pod, whatever its value.
pub(super) const INJECT_PROXY: &str = "azure.workload.identity/inject-proxy-sidecar";
/// The port of the proxy, on a pod.
pub(super) const PROXY_PORT: &str = "azure.workload.identity/proxy-sidecar-port";

/// What all keys begin with.
const PREFIX: &str = "azure.workload.identity/";

/// Whether a key is one of azure-workload-identity, or so like one that somebody must have meant it.
pub(super) fn names_key(key: &str) -> bool {
    let lower = key.to_ascii_lowercase();
    key.starts_with(PREFIX) || (lower.contains("azure") && lower.contains("identity"))
}

/// Whether a key is the one that binds a pod to the token endpoint of the cluster, which ends as the settings say.
pub(super) fn is_binding(key: &str, suffix: &str) -> bool {
    key.strip_prefix(PREFIX).and_then(|key| key.strip_prefix("use-")) == Some(suffix)
}
