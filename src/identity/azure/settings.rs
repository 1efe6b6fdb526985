//! What the provider is told: one to one the settings of azure-workload-identity's webhook, and a few of our own.

use std::collections::BTreeMap;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The audience of a token that Microsoft Entra ID takes in exchange.
const USUAL_AUDIENCE: &str = "api://AzureADTokenExchange";
/// The images of the proxy that azure-workload-identity v1.6.0 names.
const PROXY_IMAGE: &str = "mcr.microsoft.com/oss/azure/workload-identity/proxy:v1.6.0";
const PROXY_INIT_IMAGE: &str = "mcr.microsoft.com/oss/azure/workload-identity/proxy-init:v1.6.0";

/// The settings of the provider.
#[derive(Debug, Clone)]
pub struct AzureSettings {
    /// The tenant, for service accounts that name none.
    pub tenant_id: String,
    /// The cloud, which says where tokens are exchanged.
    pub cloud: Cloud,
    /// Where the token lies in a pod.
    pub layout: TokenLayout,
    /// The audience of the token.
    pub audience: String,
    /// The token endpoint of the cluster, for the pods that are bound to it.
    pub token_endpoint: Option<TokenEndpoint>,
    /// The image of the proxy.
    pub proxy_image: String,
    /// The image of the init container that leads traffic to the proxy.
    pub proxy_init_image: String,
    /// What the proxy logs.
    pub proxy_log_level: LogLevel,
    /// The version of the API server, on which the form of the proxy depends.
    pub kubernetes_version: KubernetesVersion,
    /// Whether a pod is refused whose service account has no client id.
    pub requires_client_id: bool,
}

/// The token endpoint of the cluster, in place of that of Microsoft Entra ID: what AKS calls an identity binding.
#[derive(Debug, Clone, Default)]
pub struct TokenEndpoint {
    /// What the annotation of a pod that is bound to it ends with, behind `azure.workload.identity/use-`.
    pub annotation_suffix: String,
    /// The audience of its tokens.
    pub audience: String,
    /// Its address; empty for none.
    pub token_proxy: String,
    /// The server name of its certificate; empty for none.
    pub sni_name: String,
    /// What its certificate is checked against.
    pub ca: TrustedCa,
}

/// What the certificate of the token endpoint is checked against.
#[derive(Debug, Clone, Default)]
pub enum TrustedCa {
    /// What the container trusts anyway.
    #[default]
    Unset,
    /// These certificates, in PEM.
    Inline(String),
    /// The key `ca.crt` of this ConfigMap, in the namespace of the pod.
    ConfigMap(String),
    /// The ClusterTrustBundles of a signer.
    TrustBundle {
        /// The signer.
        signer: String,
        /// Which of its bundles; without it all.
        selector: Option<LabelSelector>,
    },
}

/// A label selector, as Kubernetes writes it in JSON.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LabelSelector {
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    match_labels: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    match_expressions: Vec<Requirement>,
}

/// One requirement of a label selector.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Requirement {
    key: String,
    operator: SelectorOperator,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    values: Vec<String>,
}

/// The operator of a requirement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum SelectorOperator {
    In,
    NotIn,
    Exists,
    DoesNotExist,
}

/// Where the token lies in a pod.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum TokenLayout {
    /// As azure-workload-identity v1.5.1 and earlier lay it: what documentation and lists of allowed volumes mostly name.
    V15,
    /// As v1.6.0 lays it.
    #[default]
    V16,
}

impl TokenLayout {
    /// Where the volume is mounted.
    pub(super) fn mount_path(self) -> &'static str {
        match self {
            Self::V15 => "/var/run/secrets/azure/tokens",
            Self::V16 => "/var/run/secrets/azure/wi",
        }
    }

    /// The path of the token in the volume.
    pub(super) fn token_path(self) -> &'static str {
        match self {
            Self::V15 => "azure-identity-token",
            Self::V16 => "token/azure-identity-token",
        }
    }
}

/// A cloud of Azure.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Cloud {
    /// The public one.
    #[default]
    Public,
    /// That of the government of the United States.
    UsGovernment,
    /// That of China.
    China,
    /// That of Germany, which was closed.
    German,
}

impl Cloud {
    /// Where Microsoft Entra ID answers.
    pub(super) fn authority_host(self) -> &'static str {
        match self {
            Self::Public => "https://login.microsoftonline.com/",
            Self::UsGovernment => "https://login.microsoftonline.us/",
            Self::China => "https://login.chinacloudapi.cn/",
            Self::German => "https://login.microsoftonline.de/",
        }
    }
}

/// The names that azure-workload-identity takes, in any case; empty is the public cloud.
impl FromStr for Cloud {
    type Err = SettingsError;

    fn from_str(name: &str) -> Result<Self, SettingsError> {
        match name.to_ascii_uppercase().as_str() {
            "" | "AZUREPUBLICCLOUD" | "AZURECLOUD" => Ok(Self::Public),
            "AZUREUSGOVERNMENTCLOUD" | "AZUREUSGOVERNMENT" => Ok(Self::UsGovernment),
            "AZURECHINACLOUD" => Ok(Self::China),
            "AZUREGERMANCLOUD" => Ok(Self::German),
            _ => Err(SettingsError::UnknownCloud),
        }
    }
}

/// What the proxy logs, in its own words.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum LogLevel {
    /// As the proxy itself chooses.
    Unset,
    /// Warnings.
    Warning,
    /// What azure-workload-identity's chart sets.
    #[default]
    Info,
    /// More.
    Debug,
    /// More than that.
    Trace,
    /// Everything.
    All,
}

impl LogLevel {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Unset => "",
            Self::Warning => "warning",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
            Self::All => "all",
        }
    }
}

impl FromStr for LogLevel {
    type Err = SettingsError;

    fn from_str(word: &str) -> Result<Self, SettingsError> {
        let levels = [Self::Unset, Self::Warning, Self::Info, Self::Debug, Self::Trace, Self::All];
        levels.into_iter().find(|level| level.word() == word).ok_or(SettingsError::UnknownLogLevel)
    }
}

/// A version of Kubernetes, as far as it matters: `1.31`, `v1.32.0-alpha.1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct KubernetesVersion {
    major: u32,
    minor: u32,
}

impl KubernetesVersion {
    /// The first with sidecars that its API server and all its nodes know for certain.
    const WITH_SIDECARS: Self = Self { major: 1, minor: 32 };
    /// The newest that podgate knows.
    const NEWEST: Self = Self { major: 1, minor: 37 };

    pub(super) fn has_sidecars(self) -> bool {
        self >= Self::WITH_SIDECARS
    }
}

impl FromStr for KubernetesVersion {
    type Err = SettingsError;

    fn from_str(text: &str) -> Result<Self, SettingsError> {
        let mut parts = text.strip_prefix('v').unwrap_or(text).splitn(3, '.');
        let mut number = || {
            let digits = parts.next().filter(|part| part.bytes().all(|byte| byte.is_ascii_digit()));
            digits.and_then(|digits| digits.parse().ok()).ok_or(SettingsError::UnknownVersion)
        };
        Ok(Self { major: number()?, minor: number()? })
    }
}

/// Why settings cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// The tenant is empty.
    #[error(
        "the tenant is empty: name it by its id or its domain, or leave the setting out to turn Azure off"
    )]
    NoTenant,
    /// The cloud has no such name.
    #[error(
        "no such cloud: AzurePublicCloud, AzureUSGovernmentCloud, AzureChinaCloud or AzureGermanCloud; Azure Stack is \
         not supported"
    )]
    UnknownCloud,
    /// The proxy has no such level.
    #[error("no such level of the proxy: warning, info, debug, trace or all, or empty for its own choice")]
    UnknownLogLevel,
    /// It is no version.
    #[error("not a version of Kubernetes, such as v1.31")]
    UnknownVersion,
    /// Of suffix and audience one is missing.
    #[error(
        "the token endpoint needs both the suffix of its annotation and its audience: set both, or neither"
    )]
    IncompleteEndpoint,
    /// Both kinds of tokens have the same audience.
    #[error("the audience of the token endpoint must differ from {USUAL_AUDIENCE}")]
    SameAudience,
    /// Several sources of one certificate.
    #[error("only one of the CA's data, its ConfigMap and the signer of its trust bundles can be set")]
    SeveralCas,
    /// A selector of nothing.
    #[error("a selector of trust bundles needs a signer, too")]
    SelectorWithoutSigner,
    /// It is no label selector.
    #[error("the selector of trust bundles is not a label selector in JSON: {0}")]
    BadSelector(String),
}

impl TrustedCa {
    /// The one source that is named; an empty text names none.
    ///
    /// # Errors
    /// When several are named, or the selector cannot be used.
    pub fn of(data: &str, config_map: &str, signer: &str, selector: &str) -> Result<Self, SettingsError> {
        let selector = match selector {
            "" => None,
            text => Some(
                serde_json::from_str::<LabelSelector>(text)
                    .map_err(|error| SettingsError::BadSelector(error.to_string()))?,
            ),
        };
        match (data, config_map, signer, selector) {
            ("", "", "", None) => Ok(Self::Unset),
            ("", "", "", Some(_)) => Err(SettingsError::SelectorWithoutSigner),
            (data, "", "", None) => Ok(Self::Inline(data.to_owned())),
            ("", name, "", None) => Ok(Self::ConfigMap(name.to_owned())),
            ("", "", signer, selector) => Ok(Self::TrustBundle { signer: signer.to_owned(), selector }),
            (_, _, "", Some(_)) => Err(SettingsError::SelectorWithoutSigner),
            _ => Err(SettingsError::SeveralCas),
        }
    }
}

impl AzureSettings {
    /// The usual settings, for a tenant.
    #[must_use]
    pub fn of_tenant(tenant_id: &str) -> Self {
        Self {
            tenant_id: tenant_id.to_owned(),
            cloud: Cloud::default(),
            layout: TokenLayout::default(),
            audience: USUAL_AUDIENCE.to_owned(),
            token_endpoint: None,
            proxy_image: PROXY_IMAGE.to_owned(),
            proxy_init_image: PROXY_INIT_IMAGE.to_owned(),
            proxy_log_level: LogLevel::default(),
            kubernetes_version: KubernetesVersion::NEWEST,
            requires_client_id: false,
        }
    }

    pub(super) fn check(&self) -> Result<(), SettingsError> {
        if self.tenant_id.is_empty() {
            return Err(SettingsError::NoTenant);
        }
        let Some(TokenEndpoint { annotation_suffix, audience, .. }) = &self.token_endpoint else {
            return Ok(());
        };
        if annotation_suffix.is_empty() || audience.is_empty() {
            return Err(SettingsError::IncompleteEndpoint);
        }
        if audience.eq_ignore_ascii_case(USUAL_AUDIENCE) {
            return Err(SettingsError::SameAudience);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clouds_have_several_names_in_any_case() {
        for (name, host) in [
            ("", Some("https://login.microsoftonline.com/")),
            ("AzureCloud", Some("https://login.microsoftonline.com/")),
            ("azurepubliccloud", Some("https://login.microsoftonline.com/")),
            ("AzureUSGovernment", Some("https://login.microsoftonline.us/")),
            ("AzureUSGovernmentCloud", Some("https://login.microsoftonline.us/")),
            ("AzureChinaCloud", Some("https://login.chinacloudapi.cn/")),
            ("AzureGermanCloud", Some("https://login.microsoftonline.de/")),
            ("AzureMars", None),
            ("AzureStackCloud", None),
            (" AzureCloud", None),
        ] {
            assert_eq!(name.parse().ok().map(Cloud::authority_host), host, "{name}");
        }
    }

    #[test]
    fn sidecars_come_with_a_version() {
        for (version, has_sidecars) in [
            ("v1.31.14", Some(false)),
            ("1.31", Some(false)),
            ("v1.32.0-alpha.1", Some(true)),
            ("1.32", Some(true)),
            ("v2.0", Some(true)),
            ("v1.9.11", Some(false)),
            ("1", None),
            ("1.", None),
            ("1.+32", None),
            ("v1.32-alpha", None),
            ("", None),
        ] {
            let found: Result<KubernetesVersion, _> = version.parse();
            assert_eq!(found.ok().map(KubernetesVersion::has_sidecars), has_sidecars, "{version}");
        }
        for level in ["", "warning", "info", "debug", "trace", "all"] {
            assert_eq!(level.parse().map(LogLevel::word), Ok(level));
        }
        assert_eq!("loud".parse::<LogLevel>(), Err(SettingsError::UnknownLogLevel));
    }

    #[test]
    fn a_ca_has_one_source() {
        for ([data, config_map, signer, selector], expected) in [
            (["", "", "", ""], "Ok(Unset)"),
            (["x", "", "", ""], "Ok(Inline(\"x\"))"),
            (["", "x", "", ""], "Ok(ConfigMap(\"x\"))"),
            (["", "", "x", ""], "Ok(TrustBundle { signer: \"x\", selector: None })"),
            (["x", "x", "", ""], "Err(SeveralCas)"),
            (["", "x", "x", ""], "Err(SeveralCas)"),
            (["x", "", "x", "{}"], "Err(SeveralCas)"),
            (["", "", "", "{}"], "Err(SelectorWithoutSigner)"),
            (["", "x", "", "{}"], "Err(SelectorWithoutSigner)"),
        ] {
            assert_eq!(format!("{:?}", TrustedCa::of(data, config_map, signer, selector)), expected);
        }
        for selector in
            ["a=b", "[]", r#"{"matchLabel":{}}"#, r#"{"matchExpressions":[{"key":"a","operator":"in"}]}"#]
        {
            let found = TrustedCa::of("", "", "x", selector);
            assert!(matches!(found, Err(SettingsError::BadSelector(_))), "{selector}: {found:?}");
        }
    }

    #[test]
    fn contradictions_are_refused() {
        let endpoint = |suffix: &str, audience: &str| AzureSettings {
            token_endpoint: Some(TokenEndpoint {
                annotation_suffix: suffix.to_owned(),
                audience: audience.to_owned(),
                ..TokenEndpoint::default()
            }),
            ..AzureSettings::of_tenant("t")
        };
        for (settings, expected) in [
            (AzureSettings::of_tenant(""), Err(SettingsError::NoTenant)),
            (AzureSettings::of_tenant("  "), Ok(())),
            (endpoint("x", ""), Err(SettingsError::IncompleteEndpoint)),
            (endpoint("", "x"), Err(SettingsError::IncompleteEndpoint)),
            (endpoint("x", "api://azureadtokenexchange"), Err(SettingsError::SameAudience)),
            (AzureSettings { audience: "x".to_owned(), ..endpoint("x", "x") }, Ok(())),
        ] {
            assert_eq!(settings.check(), expected);
        }
    }
}
