//! The identity of a pod: by AAD Pod Identity, by workload identity, and how it comes from the one to the other.

use serde::Deserialize;

use crate::identity::aad_pod_identity::{
    AZUREML_SERVICE_LABEL, LEGACY_LABEL, LegacyPod, PodIdentities, migration_target,
};
use crate::identity::{
    AZURE_CLIENT_ID as CLIENT_ID, AZURE_LABEL, ProviderName, check_account, federated_subject as subject,
};
use crate::pod::Pod;
use crate::policy::Snapshot;
use crate::survey::advice;
use crate::survey::surveyed_pod::{
    LegacyIdentity, SurveyNote, SurveyState, SurveyTarget, SurveyedPod, WorkloadIdentity,
};

/// What the paths of the token that Azure takes end with, in whatever layout.
const TOKEN_FILE: &str = "azure-identity-token";

/// What is known of a cluster besides its pods.
#[derive(Debug, Clone, Copy)]
pub struct IdentitySurvey<'k> {
    /// The identities and bindings of AAD Pod Identity.
    pub identities: &'k PodIdentities,
    /// The service accounts.
    pub accounts: &'k Snapshot,
}

/// `projected` of a volume, as far as tokens are concerned.
#[derive(Deserialize)]
struct ProjectedTokens {
    #[serde(default)]
    sources: Option<Vec<TokenSource>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TokenSource {
    service_account_token: Option<TokenPath>,
}

#[derive(Deserialize)]
struct TokenPath {
    #[serde(default)]
    path: String,
}

impl IdentitySurvey<'_> {
    /// What is to be reported of a pod of this namespace.
    ///
    /// # Errors
    /// When one of its volumes cannot be read.
    pub fn pod(&self, pod: &Pod<'_>, namespace: &str) -> Result<SurveyedPod, serde_json::Error> {
        let metadata = &pod.metadata;
        let owner = metadata.owner.as_ref().map(|owner| format!("{} {}", owner.kind, owner.name));
        let mut surveyed = SurveyedPod {
            namespace: namespace.to_owned(),
            name: metadata.name.clone().into_owned(),
            owner,
            service_account: pod.service_account().to_owned(),
            state: SurveyState::None,
            aad_pod_identity: None,
            workload_identity: self.workload_identity(pod, namespace)?,
            target: None,
            missing: Vec::new(),
            check: Vec::new(),
        };
        let selector = metadata.label(LEGACY_LABEL).filter(|selector| !selector.is_empty());
        match (selector, &surveyed.workload_identity) {
            (Some(selector), _) => self.legacy(selector, &mut surveyed),
            (None, Some(_)) => self.workload(&mut surveyed),
            (None, None) if metadata.label(AZUREML_SERVICE_LABEL) == Some("true") => {
                surveyed.check.push(advice::azure_ml_service());
            }
            (None, None) => {}
        }
        match metadata.label(AZURE_LABEL) {
            Some("true") => {}
            // A label with any other value is the author's word that no token is wanted: nothing is migrated then.
            Some(value) => {
                let is_kept = surveyed.state == SurveyState::Ready;
                surveyed.state = if is_kept { SurveyState::Blocked } else { surveyed.state };
                if is_kept || value != "false" {
                    surveyed.missing.push(advice::other_label(value));
                }
            }
            None if metadata.annotation(AZURE_LABEL).is_some() => {
                surveyed.missing.push(advice::annotation_for_label());
            }
            None => {}
        }
        Ok(surveyed)
    }

    fn workload_identity(
        &self,
        pod: &Pod<'_>,
        namespace: &str,
    ) -> Result<Option<WorkloadIdentity>, serde_json::Error> {
        let is_asked = pod.metadata.label(AZURE_LABEL) == Some("true");
        let mut has_token = false;
        for volume in pod.spec.volumes.iter().filter(|volume| !volume.projected.is_empty()) {
            has_token |= holds_token(volume.projected)?;
        }
        let client_id = || self.client_id(namespace, pod.service_account()).map(ToOwned::to_owned);
        Ok((is_asked || has_token).then(|| WorkloadIdentity { is_asked, has_token, client_id: client_id() }))
    }

    fn client_id(&self, namespace: &str, account: &str) -> Option<&str> {
        let id = self.accounts.service_account(namespace, account)?.annotation(CLIENT_ID)?;
        Some(id).filter(|id| !id.is_empty())
    }

    /// A pod with the label of AAD Pod Identity.
    fn legacy(&self, selector: &str, surveyed: &mut SurveyedPod) {
        let SurveyedPod { namespace, service_account, .. } = &*surveyed;
        let pod = LegacyPod { namespace, selector, service_account };
        let bound = self.identities.bound_to(selector, namespace).next();
        let identity = bound.and_then(|bound| bound.identity);
        let legacy = LegacyIdentity {
            selector: selector.to_owned(),
            binding: bound.map(|bound| bound.binding.to_string()),
            identity: identity.map(|identity| identity.name.to_string()),
            identity_type: identity.map(|identity| identity.identity_type),
            client_id: identity.map(|identity| identity.client_id.to_string()),
        };
        let (state, target, notes): (_, _, Vec<SurveyNote>) =
            match migration_target(pod, self.identities, self.accounts.service_accounts_of(namespace)) {
                Ok(target) => {
                    let has = surveyed.workload_identity.as_ref().is_some_and(|has| has.is_asked);
                    let is_migrated = has && service_account == target.account;
                    let state = if is_migrated { SurveyState::Migrated } else { SurveyState::Ready };
                    (state, Some(target_of(namespace, target.account)), Vec::new())
                }
                Err(blocker) => (SurveyState::Blocked, None, vec![advice::of_blocker(&blocker, pod)]),
            };
        surveyed.state = state;
        surveyed.missing.extend(notes);
        surveyed.check.extend(target.iter().map(|target| advice::federated_credential(&target.subject)));
        if state != SurveyState::Migrated {
            surveyed.check.push(advice::sdk());
        }
        if state == SurveyState::Migrated && !has_token(surveyed) {
            surveyed.missing.push(advice::no_token());
        }
        (surveyed.target, surveyed.aad_pod_identity) = (target, Some(legacy));
    }

    /// A pod with workload identity alone.
    fn workload(&self, surveyed: &mut SurveyedPod) {
        let SurveyedPod { namespace, service_account, .. } = &*surveyed;
        let mut missing = Vec::new();
        match self.accounts.service_account(namespace, service_account) {
            None => missing.push(advice::no_such_account(namespace, service_account)),
            Some(account) => {
                let faults = check_account(ProviderName::Azure, account);
                let of = (namespace.as_str(), service_account.as_str());
                missing.extend(faults.first().map(|fault| advice::of_account(of, fault)));
            }
        }
        if !has_token(surveyed) {
            missing.push(advice::no_token());
        }
        let target = target_of(namespace, service_account);
        surveyed.check.push(advice::federated_credential(&target.subject));
        surveyed.state = SurveyState::WorkloadIdentity;
        surveyed.target = Some(target);
        surveyed.missing.extend(missing);
    }
}

fn has_token(surveyed: &SurveyedPod) -> bool {
    surveyed.workload_identity.as_ref().is_some_and(|has| has.has_token)
}

fn target_of(namespace: &str, account: &str) -> SurveyTarget {
    SurveyTarget { service_account: account.to_owned(), subject: subject(namespace, account) }
}

/// Whether a projected volume holds the token that Azure takes.
fn holds_token(projected: &str) -> Result<bool, serde_json::Error> {
    let ProjectedTokens { sources } = serde_json::from_str(projected)?;
    let mut tokens = sources.into_iter().flatten().filter_map(|source| source.service_account_token);
    Ok(tokens.any(|token| token.path.rsplit('/').next() == Some(TOKEN_FILE)))
}

#[cfg(test)]
mod tests {
    use crate::identity::ServiceAccount;
    use crate::identity::aad_pod_identity::{AzureIdentity, AzureIdentityBinding, ObjectName};
    use crate::json::Reader;

    use super::*;

    const A: &str = "0a0a0a0a-1111-4222-8333-444444444444";
    const C: &str = "0c0c0c0c-1111-4222-8333-444444444444";
    const ZERO: &str = "00000000-0000-0000-0000-000000000000";

    fn known() -> (PodIdentities, Snapshot) {
        let name = |name: &str| ObjectName { namespace: "team".into(), name: name.into() };
        let mut identities = PodIdentities::default();
        for (identity, identity_type, client_id) in
            [("ml-id", 0, A), ("old-id", 1, "b"), ("lost-id", 0, C), ("zero-id", 0, ZERO)]
        {
            let client_id = client_id.into();
            let name = name(identity);
            identities.add_identity(AzureIdentity { name, identity_type, client_id, is_namespaced: false });
        }
        for (selector, identity) in
            [("ml", "ml-id"), ("old", "old-id"), ("lost", "lost-id"), ("zero", "zero-id"), ("gone", "gone")]
        {
            let (azure_identity, selector) = (identity.into(), selector.into());
            identities.add_binding(AzureIdentityBinding { name: name("b"), azure_identity, selector });
        }
        let mut accounts = Snapshot::default();
        for (account, id) in
            [("trainer-wi", Some(A)), ("default", None), ("batch", None), ("zero", Some(ZERO))]
        {
            let annotations = id.map(|id| (CLIENT_ID, id));
            accounts.insert_service_account("team", account, ServiceAccount::new(annotations, []));
        }
        (identities, accounts)
    }

    /// The state of a pod, the codes of what is missing, and those of what is to be checked.
    fn surveyed(labels: &str, account: &str, path: &str) -> String {
        let volume = format!(
            r#"{{"name":"v","projected":{{"sources":[{{"serviceAccountToken":{{"path":"{path}"}}}}]}}}}"#
        );
        let json = format!(
            r#"{{"metadata":{{"name":"p","labels":{{{labels}}}}},"spec":{{"serviceAccountName":"{account}","volumes":[{volume}]}}}}"#
        );
        let pod = Pod::read(&mut Reader::over(&json)).unwrap();
        let (identities, accounts) = known();
        let survey = IdentitySurvey { identities: &identities, accounts: &accounts };
        let pod = survey.pod(&pod, "team").unwrap();
        let codes = |notes: &[SurveyNote]| notes.iter().map(|note| note.code).collect::<Vec<_>>().join(",");
        let target = pod.target.as_ref().map_or("-", |target| &target.service_account);
        format!("{:?} {target} [{}] [{}]", pod.state, codes(&pod.missing), codes(&pod.check))
    }

    #[test]
    fn every_pod_has_a_state() {
        let bound = |selector: &str| format!(r#""aadpodidbinding":"{selector}""#);
        let asks = r#""azure.workload.identity/use":"true""#;
        let both = format!("{},{asks}", bound("ml"));
        let near = |value: &str| format!("{},{}", bound("ml"), asks.replace("true", value));
        for (labels, account, path, expected) in [
            ("", "", "token", "None - [] []"),
            (&bound("ml"), "", "token", "Ready trainer-wi [] [federatedCredential,sdk]"),
            (&bound("ml"), "trainer-wi", "token", "Ready trainer-wi [] [federatedCredential,sdk]"),
            (&bound("ml"), "batch", "token", "Blocked - [otherAccount] [sdk]"),
            (&bound("old"), "", "token", "Blocked - [hasSecret] [sdk]"),
            (&bound("lost"), "", "token", "Blocked - [noAccount] [sdk]"),
            (&bound("gone"), "", "token", "Blocked - [noIdentity] [sdk]"),
            (&bound("zero"), "", "token", "Blocked - [badClientId] [sdk]"),
            (&near("True"), "", "token", "Blocked trainer-wi [labelValue] [federatedCredential,sdk]"),
            (&near("false"), "", "token", "Blocked trainer-wi [labelValue] [federatedCredential,sdk]"),
            (
                asks,
                "zero",
                "token/azure-identity-token",
                "WorkloadIdentity zero [noClientId] [federatedCredential]",
            ),
            (&bound("ML"), "", "token", "Blocked - [noBinding] [sdk]"),
            (&both, "trainer-wi", "azure-identity-token", "Migrated trainer-wi [] [federatedCredential]"),
            (&both, "trainer-wi", "token", "Migrated trainer-wi [noToken] [federatedCredential]"),
            (&both, "", "token", "Ready trainer-wi [] [federatedCredential,sdk]"),
            (
                asks,
                "trainer-wi",
                "token/azure-identity-token",
                "WorkloadIdentity trainer-wi [] [federatedCredential]",
            ),
            (asks, "batch", "token", "WorkloadIdentity batch [noClientId,noToken] [federatedCredential]"),
            (
                asks,
                "nobody",
                "token",
                "WorkloadIdentity nobody [accountNotFound,noToken] [federatedCredential]",
            ),
            (
                "",
                "trainer-wi",
                "azure-identity-token",
                "WorkloadIdentity trainer-wi [] [federatedCredential]",
            ),
            (r#""azure.workload.identity/use":"True""#, "", "token", "None - [labelValue] []"),
            (r#""azure.workload.identity/use":"false""#, "", "token", "None - [] []"),
            (r#""isazuremlapp":"true""#, "", "token", "None - [] [azureMLService]"),
            (
                r#""isazuremlapp":"true","aadpodidbinding":"ml""#,
                "",
                "token",
                "Ready trainer-wi [] [federatedCredential,sdk]",
            ),
        ] {
            assert_eq!(surveyed(labels, account, path), expected, "{labels} {account} {path}");
        }
    }

    #[test]
    fn what_is_said_names_the_objects_and_the_subject() {
        let json = r#"{"metadata":{"name":"p","labels":{"aadpodidbinding":"lost"}}}"#;
        let pod = Pod::read(&mut Reader::over(json)).unwrap();
        let (identities, accounts) = known();
        let survey = IdentitySurvey { identities: &identities, accounts: &accounts };
        let pod = survey.pod(&pod, "team").unwrap();
        let text = &pod.missing[0].text;
        for fragment in
            ["team/lost-id", "azure.workload.identity/client-id=0c0c0c0c-", "system:serviceaccount:team:NAME"]
        {
            assert!(text.contains(fragment), "{text}");
        }
        assert_eq!(pod.aad_pod_identity.unwrap().binding.as_deref(), Some("team/b"));
    }
}
