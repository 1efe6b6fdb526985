//! The flags of Azure workload identity: one for each setting of azure-workload-identity's webhook.
//!
//! Their variables are our own. AZURE_TENANT_ID is in many an environment for other reasons, and must not turn the provider on.

use std::sync::Arc;

use anyhow::{Context, Result};

use crate::identity::{
    Azure, AzureSettings, Cloud, KubernetesVersion, LogLevel, Providers, TokenEndpoint, TokenLayout,
    TrustedCa,
};

/// In place of a tenant that does not matter: no verdict depends on which it is.
const ANY_TENANT: &str = "any";

/// Whether pods are given identities of Azure, and how.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Azure workload identity")]
pub(crate) struct AzureArgs {
    /// The tenant of the identities, for service accounts that name none; turns the provider on.
    #[arg(long, value_name = "ID", env = "PODGATE_AZURE_TENANT_ID")]
    azure_tenant_id: Option<String>,

    /// The cloud: AzurePublicCloud, AzureUSGovernmentCloud, AzureChinaCloud or AzureGermanCloud.
    #[arg(long, value_name = "CLOUD", env = "PODGATE_AZURE_ENVIRONMENT", default_value = "AzurePublicCloud")]
    azure_environment: Cloud,

    /// Where the token lies in a pod: as azure-workload-identity 1.6 lays it, or as 1.5 and earlier do.
    #[arg(long, value_name = "LAYOUT", env = "PODGATE_AZURE_LAYOUT", default_value = "v16")]
    azure_layout: LayoutName,

    /// The audience of the token.
    #[arg(
        long,
        value_name = "AUDIENCE",
        env = "PODGATE_AZURE_AUDIENCE",
        default_value = "api://AzureADTokenExchange"
    )]
    azure_audience: String,

    /// Refuse a pod whose service account has no client id, instead of warning of it.
    #[arg(long, env = "PODGATE_AZURE_REQUIRE_CLIENT_ID")]
    azure_require_client_id: bool,

    #[command(flatten)]
    endpoint: EndpointArgs,

    /// The image of the proxy for old clients.
    #[arg(long, value_name = "IMAGE", env = "PODGATE_AZURE_PROXY_IMAGE")]
    azure_proxy_image: Option<String>,

    /// The image of the init container that leads traffic to the proxy.
    #[arg(long, value_name = "IMAGE", env = "PODGATE_AZURE_PROXY_INIT_IMAGE")]
    azure_proxy_init_image: Option<String>,

    /// What the proxy logs: warning, info, debug, trace or all, or nothing for its own choice.
    #[arg(long, value_name = "LEVEL", env = "PODGATE_AZURE_PROXY_LOG_LEVEL", default_value = "info")]
    azure_proxy_log_level: LogLevel,

    /// The version of the API server: before v1.32 its pods get the proxy as a container, not as a sidecar.
    ///
    /// Without it serve asks the API server when it starts; everything else takes it for a newer one.
    #[arg(long, value_name = "VERSION", env = "PODGATE_AZURE_KUBERNETES_VERSION")]
    azure_kubernetes_version: Option<KubernetesVersion>,
}

/// The token endpoint of the cluster, which AKS calls an identity binding.
#[derive(Debug, Clone, clap::Args)]
struct EndpointArgs {
    /// How the annotation ends that binds a pod to the token endpoint of the cluster, behind azure.workload.identity/use-.
    #[arg(
        long,
        value_name = "SUFFIX",
        env = "PODGATE_AZURE_BINDING_SUFFIX",
        default_value = "",
        hide_default_value = true
    )]
    azure_binding_suffix: String,

    /// The audience of the token of a pod that is bound to it.
    #[arg(
        long,
        value_name = "AUDIENCE",
        env = "PODGATE_AZURE_BINDING_AUDIENCE",
        default_value = "",
        hide_default_value = true
    )]
    azure_binding_audience: String,

    /// The address of the token endpoint.
    #[arg(
        long,
        value_name = "URL",
        env = "PODGATE_AZURE_TOKEN_PROXY",
        default_value = "",
        hide_default_value = true
    )]
    azure_token_proxy: String,

    /// The server name of its certificate.
    #[arg(
        long,
        value_name = "NAME",
        env = "PODGATE_AZURE_SNI_NAME",
        default_value = "",
        hide_default_value = true
    )]
    azure_sni_name: String,

    /// The certificates that it is checked against, in PEM.
    #[arg(
        long,
        value_name = "PEM",
        env = "PODGATE_AZURE_CA_DATA",
        default_value = "",
        hide_default_value = true
    )]
    azure_ca_data: String,

    /// The ConfigMap that holds them under ca.crt, in the namespace of the pod.
    #[arg(
        long,
        value_name = "NAME",
        env = "PODGATE_AZURE_CA_CONFIG_MAP",
        default_value = "",
        hide_default_value = true
    )]
    azure_ca_config_map: String,

    /// The signer of the ClusterTrustBundles that hold them.
    #[arg(
        long,
        value_name = "NAME",
        env = "PODGATE_AZURE_CA_SIGNER",
        default_value = "",
        hide_default_value = true
    )]
    azure_ca_signer: String,

    /// Which of its ClusterTrustBundles: a label selector in JSON.
    #[arg(
        long,
        value_name = "JSON",
        env = "PODGATE_AZURE_CA_SELECTOR",
        default_value = "",
        hide_default_value = true
    )]
    azure_ca_selector: String,
}

/// The names of the layouts.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum LayoutName {
    /// /var/run/secrets/azure/tokens, in the volume azure-identity-token.
    V15,
    /// /var/run/secrets/azure/wi, in a volume that is named after the pod.
    V16,
}

impl AzureArgs {
    /// The providers that are on: none without a tenant.
    pub(crate) fn providers(&self) -> Result<Arc<Providers>> {
        let mut providers = Providers::default();
        if let Some(tenant) = &self.azure_tenant_id {
            providers.add(self.provider(tenant).context("the settings of Azure cannot be used")?);
        }
        Ok(Arc::new(providers))
    }

    /// Whether what is injected depends on the version of the API server, and no flag says which it is.
    pub(crate) fn asks_for_version(&self) -> bool {
        self.azure_tenant_id.is_some() && self.azure_kubernetes_version.is_none()
    }

    /// The providers that are on, for an API server of this version.
    pub(crate) fn providers_for(&self, version: &str) -> Result<Arc<Providers>> {
        let version =
            version.parse().with_context(|| format!("the API server says that it is {version:?}"))?;
        Self { azure_kubernetes_version: Some(version), ..self.clone() }.providers()
    }

    /// The providers by whose rules manifests are judged: whoever gives the identities in the cluster, pods ask for them by
    /// the same label.
    pub(crate) fn providers_of_files(&self) -> Result<Arc<Providers>> {
        let tenant = self.azure_tenant_id.clone().unwrap_or_else(|| ANY_TENANT.to_owned());
        Self { azure_tenant_id: Some(tenant), ..self.clone() }.providers()
    }

    fn provider(&self, tenant: &str) -> Result<Azure> {
        let usual = AzureSettings::of_tenant(tenant);
        let settings = AzureSettings {
            cloud: self.azure_environment,
            layout: match self.azure_layout {
                LayoutName::V15 => TokenLayout::V15,
                LayoutName::V16 => TokenLayout::V16,
            },
            audience: self.azure_audience.clone(),
            token_endpoint: self.endpoint.endpoint()?,
            proxy_image: self.azure_proxy_image.clone().unwrap_or(usual.proxy_image),
            proxy_init_image: self.azure_proxy_init_image.clone().unwrap_or(usual.proxy_init_image),
            proxy_log_level: self.azure_proxy_log_level,
            kubernetes_version: self.azure_kubernetes_version.unwrap_or(usual.kubernetes_version),
            requires_client_id: self.azure_require_client_id,
            tenant_id: usual.tenant_id,
        };
        Ok(Azure::new(settings)?)
    }
}

impl EndpointArgs {
    /// The token endpoint, unless its annotation and its audience are left out. What else is said of it must make sense even
    /// then.
    fn endpoint(&self) -> Result<Option<TokenEndpoint>> {
        let ca = TrustedCa::of(
            &self.azure_ca_data,
            &self.azure_ca_config_map,
            &self.azure_ca_signer,
            &self.azure_ca_selector,
        )?;
        if self.azure_binding_suffix.is_empty() && self.azure_binding_audience.is_empty() {
            return Ok(None);
        }
        Ok(Some(TokenEndpoint {
            annotation_suffix: self.azure_binding_suffix.clone(),
            audience: self.azure_binding_audience.clone(),
            token_proxy: self.azure_token_proxy.clone(),
            sni_name: self.azure_sni_name.clone(),
            ca,
        }))
    }
}
