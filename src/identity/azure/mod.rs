//! Azure workload identity: what azure-workload-identity's webhook puts into a pod, as edits.
//!
//! It was written from what that webhook was seen to answer. Where it differs, it is because the API server would refuse the
//! pod that comes out, or because somebody would wait in vain for a token; `docs/identity.md` lists each difference.

mod annotations;
mod check;
mod containers;
mod error;
mod promise;
mod proxy;
mod settings;
mod token_volume;
mod variables;

use crate::identity::azure_keys::{CLIENT_ID, LABEL, TENANT_ID};
use crate::identity::provider::{Injection, InjectionError, Provider, Recipient};
use crate::identity::service_account::ServiceAccount;
use crate::pod::Pod;
use crate::text::printable;

pub use settings::{
    AzureSettings, Cloud, KubernetesVersion, LabelSelector, LogLevel, SettingsError, TokenEndpoint,
    TokenLayout, TrustedCa,
};

pub(super) use check::check;
pub(super) use promise::lacking;

use annotations::{Expiration, SkippedContainers, is_bound};
use containers::{Block, Conflicts};
use proxy::Proxy;
use token_volume::{FoundVolume, TokenVolume};
use variables::{SettingsVariables, variables};

/// Longest namespace with the name of a service account in a warning.
const LONGEST_ACCOUNT: usize = 44;

/// Injects identities of Azure.
#[derive(Debug)]
pub struct Azure {
    settings: AzureSettings,
    variables: SettingsVariables,
}

impl Azure {
    /// A provider with these settings.
    ///
    /// # Errors
    /// When they contradict each other.
    pub fn new(settings: AzureSettings) -> Result<Self, SettingsError> {
        settings.check()?;
        Ok(Self { variables: SettingsVariables::of(&settings), settings })
    }

    /// The changes of a pod, apart from what a service account lacks.
    fn edits<'p>(&self, recipient: Recipient<'p, '_>) -> Result<Injection<'p>, InjectionError> {
        let Recipient { pod, account, enforced_level, .. } = recipient;
        let endpoint = self.settings.token_endpoint.as_ref().filter(|endpoint| is_bound(pod, endpoint));
        // Of several faults the first in the order in which azure-workload-identity looks for them.
        let proxy = Proxy::of(pod, &self.settings)?;
        let expiration = Expiration::of(pod, account, (recipient.namespace, recipient.account_name))?;
        let volume = TokenVolume::new(&self.settings, endpoint, expiration, &pod.metadata);
        let found = volume.find(&pod.spec.volumes)?;
        let skipped = SkippedContainers::of(pod);
        let own = variables(account);
        // Who has the token already was injected before, for the account that a policy now replaces.
        let replaces = recipient.is_new_account && !matches!(found, FoundVolume::Absent);
        let variables = self.variables.with(&own, endpoint.is_some());
        let block = Block::new(variables, volume.name(&found), self.settings.layout, replaces);
        let mut injection = Injection::default();
        let mut conflicts = Conflicts::default();
        block.add_to(pod, skipped, (&mut injection.edits, &mut conflicts))?;
        if !matches!(found, FoundVolume::Present(_)) {
            injection.edits.push(volume.edit(&found));
        }
        let mut added: &[&str] = &[];
        if let Some(proxy) = proxy {
            proxy.add_to(&block, skipped, &mut injection.edits);
            injection.warnings.extend(proxy::refused_by(enforced_level));
            added = &Proxy::NAMES;
        }
        injection.warnings.extend(skipped.warning(pod, added));
        injection.warnings.extend(conflicts.warnings());
        Ok(injection)
    }

    /// Refuses a pod whose service account has no client id, if it is asked to; else says so.
    fn check_client_id(&self, recipient: Recipient<'_, '_>) -> Result<Option<String>, InjectionError> {
        let Recipient { namespace, account_name, account, .. } = recipient;
        if account.annotation(CLIENT_ID).is_some_and(|id| !id.is_empty()) {
            return Ok(None);
        }
        if self.settings.requires_client_id {
            let message = format!(
                "the service account {namespace}/{account_name} has no annotation {}: set it to the client id of the \
                 identity that its pods are to have",
                CLIENT_ID
            );
            return Err(InjectionError { code: 403, message });
        }
        let name = format!("{namespace}/{account_name}");
        let name = printable(&name, LONGEST_ACCOUNT);
        Ok(Some(format!("podgate: service account {name} has no {}", CLIENT_ID)))
    }
}

impl Provider for Azure {
    fn label(&self) -> (&'static str, &'static str) {
        (LABEL, "true")
    }

    fn inject<'p>(&self, recipient: Recipient<'p, '_>) -> Result<Injection<'p>, InjectionError> {
        let lacks_client_id = self.check_client_id(recipient)?;
        let mut injection = self.edits(recipient)?;
        injection.warnings.extend(lacks_client_id);
        if recipient.account.annotation(TENANT_ID) == Some("") {
            let name = format!("{}/{}", recipient.namespace, recipient.account_name);
            let name = printable(&name, LONGEST_ACCOUNT);
            let warning = format!("podgate: service account {name} has an empty {}", TENANT_ID);
            injection.warnings.push(warning);
        }
        Ok(injection)
    }

    fn bound_client_id<'a>(&self, pod: &Pod<'_>, account: &'a ServiceAccount) -> Option<&'a str> {
        let endpoint = self.settings.token_endpoint.as_ref()?;
        let client_id = account.annotation(CLIENT_ID).filter(|id| !id.is_empty())?;
        is_bound(pod, endpoint).then_some(client_id)
    }

    fn near_miss(&self, pod: &Pod<'_>) -> Option<String> {
        let is_meant = |value: &str| value.trim().eq_ignore_ascii_case("true");
        match pod.metadata.label(LABEL) {
            Some("true") => None,
            Some(value) if is_meant(value) => Some(format!(
                "podgate: label {LABEL} is \"{}\": only \"true\" gives this pod an identity",
                printable(value, 16)
            )),
            Some(_) => None,
            None => pod.metadata.annotation(LABEL).filter(|value| is_meant(value)).map(|_| {
                format!("podgate: {LABEL}: \"true\" is an annotation here: only a label gives an identity")
            }),
        }
    }
}
