//! The environment variables of an identity, in the order in which azure-workload-identity adds them.

use std::sync::Arc;

use smallvec::SmallVec;

use crate::identity::azure::settings::{AzureSettings, TokenEndpoint, TrustedCa};
use crate::identity::azure_keys::{CLIENT_ID, TENANT_ID};
use crate::identity::service_account::ServiceAccount;
use crate::json::write_string;

/// The most variables of one container.
pub(super) const MOST_VARIABLES: usize = 8;

/// A variable that containers are given.
#[derive(Debug)]
pub(super) struct Injected {
    pub(super) name: &'static str,
    pub(super) value: Box<str>,
    /// The whole entry of `env`: every container has the same.
    pub(super) json: Arc<str>,
}

impl Injected {
    pub(super) fn new(name: &'static str, value: &str) -> Self {
        let mut json = String::with_capacity(64 + name.len() + value.len());
        json.push_str("{\"name\":\"");
        json.push_str(name);
        json.push_str("\",\"value\":");
        write_string(value, &mut json);
        json.push('}');
        Self { name, value: value.into(), json: json.into() }
    }

    /// A variable, unless its value is empty.
    fn unless_empty(name: &'static str, value: &str) -> Option<Self> {
        (!value.is_empty()).then(|| Self::new(name, value))
    }
}

/// A text in JSON.
pub(super) fn json_text(text: &str) -> String {
    let mut json = String::with_capacity(text.len() + 2);
    write_string(text, &mut json);
    json
}

/// The variables that depend on the settings alone.
#[derive(Debug)]
pub(super) struct SettingsVariables {
    tenant: Option<Injected>,
    /// For every container: the token's file, and where it is exchanged.
    always: [Injected; 2],
    /// For pods that are bound to the token endpoint.
    endpoint: Vec<Injected>,
}

/// The variables that depend on the service account.
#[derive(Debug)]
pub(super) struct AccountVariables {
    client: Option<Injected>,
    /// `None` if the account does not say.
    tenant: Option<Option<Injected>>,
}

/// The variables of a service account. Its values are taken as they are: none is checked here.
pub(super) fn variables(account: &ServiceAccount) -> AccountVariables {
    AccountVariables {
        client: account.annotation(CLIENT_ID).and_then(|id| Injected::unless_empty("AZURE_CLIENT_ID", id)),
        tenant: account.annotation(TENANT_ID).map(|id| Injected::unless_empty("AZURE_TENANT_ID", id)),
    }
}

impl SettingsVariables {
    pub(super) fn of(settings: &AzureSettings) -> Self {
        let layout = settings.layout;
        let token_file = format!("{}/{}", layout.mount_path(), layout.token_path());
        Self {
            tenant: Injected::unless_empty("AZURE_TENANT_ID", &settings.tenant_id),
            always: [
                Injected::new("AZURE_FEDERATED_TOKEN_FILE", &token_file),
                Injected::new("AZURE_AUTHORITY_HOST", settings.cloud.authority_host()),
            ],
            endpoint: settings
                .token_endpoint
                .as_ref()
                .map(|at| of_endpoint(at, layout.mount_path()))
                .unwrap_or_default(),
        }
    }

    /// All variables of a pod, in order.
    pub(super) fn with<'v>(
        &'v self,
        account: &'v AccountVariables,
        is_bound: bool,
    ) -> SmallVec<[&'v Injected; MOST_VARIABLES]> {
        let tenant = account.tenant.as_ref().map_or(self.tenant.as_ref(), Option::as_ref);
        let endpoint = if is_bound { self.endpoint.as_slice() } else { &[] };
        account.client.iter().chain(tenant).chain(&self.always).chain(endpoint).collect()
    }
}

/// The file of the CA is named even where none is mounted, as azure-workload-identity does.
fn of_endpoint(endpoint: &TokenEndpoint, mount_path: &str) -> Vec<Injected> {
    let data = match &endpoint.ca {
        TrustedCa::Inline(data) => data.as_str(),
        TrustedCa::Unset | TrustedCa::ConfigMap(_) | TrustedCa::TrustBundle { .. } => "",
    };
    let file = format!("{mount_path}/ca-cert/ca.crt");
    [
        ("AZURE_KUBERNETES_TOKEN_PROXY", endpoint.token_proxy.as_str()),
        ("AZURE_KUBERNETES_SNI_NAME", &endpoint.sni_name),
        ("AZURE_KUBERNETES_CA_FILE", &file),
        ("AZURE_KUBERNETES_CA_DATA", data),
    ]
    .into_iter()
    .filter_map(|(name, value)| Injected::unless_empty(name, value))
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_empty_is_left_out() {
        let settings = AzureSettings {
            token_endpoint: Some(TokenEndpoint {
                token_proxy: "https://tp".to_owned(),
                ca: TrustedCa::Inline("\"pem\"\n".to_owned()),
                ..TokenEndpoint::default()
            }),
            ..AzureSettings::of_tenant("t")
        };
        let of_settings = SettingsVariables::of(&settings);
        for (account, is_bound, expected) in [
            (vec![], false, "AZURE_TENANT_ID=t FILE HOST"),
            (vec![(CLIENT_ID, "c")], false, "AZURE_CLIENT_ID=c AZURE_TENANT_ID=t FILE HOST"),
            (vec![(CLIENT_ID, ""), (TENANT_ID, "")], false, "FILE HOST"),
            (vec![(TENANT_ID, "u")], true, "AZURE_TENANT_ID=u FILE HOST PROXY CA_FILE CA_DATA"),
        ] {
            let own = variables(&ServiceAccount::new(account, []));
            let found: Vec<String> = of_settings
                .with(&own, is_bound)
                .iter()
                .map(|variable| match variable.name {
                    "AZURE_CLIENT_ID" | "AZURE_TENANT_ID" => format!("{}={}", variable.name, variable.value),
                    "AZURE_KUBERNETES_TOKEN_PROXY" => "PROXY".to_owned(),
                    name if name.starts_with("AZURE_KUBERNETES_") => name.replace("AZURE_KUBERNETES_", ""),
                    name => name.rsplit('_').next().unwrap_or_default().to_owned(),
                })
                .collect();
            assert_eq!(found.join(" "), expected);
        }
        let data = &of_settings.endpoint[2].json;
        assert_eq!(data.as_ref(), r#"{"name":"AZURE_KUBERNETES_CA_DATA","value":"\"pem\"\n"}"#);
    }
}
