//! What an identity needs beside podgate: a service account in each namespace, its annotation, and the webhook that
//! puts the token in.

use kube::core::ObjectMeta;

use crate::doctor::diagnosis::Diagnosis;
use crate::doctor::health_check::HealthCheck;
use crate::doctor::installation::Installation;
use crate::doctor::policies::PoliciesInForce;
use crate::policy::IdentityPolicy;

/// The client id of the identity in Azure. azure-workload-identity ignores its absence silently.
const CLIENT_ID: &str = "azure.workload.identity/client-id";

/// The prefix of the name of azure-workload-identity's webhook configuration, however it was installed.
const WEBHOOK: &str = "azure-wi-webhook";

pub(super) fn check(
    installation: &Installation,
    policies: Option<&PoliciesInForce<'_>>,
    findings: &mut Vec<Diagnosis>,
) {
    let Some(policies) = policies.map(AsRef::as_ref) else { return };
    if policies.identity.is_empty() {
        return;
    }
    webhook(installation, findings);
    let (Ok(namespaces), Ok(accounts)) = (&installation.namespaces, &installation.service_accounts) else {
        return;
    };
    for (namespace, labels) in namespaces {
        for policy in policies.identity_for(namespace, Some(labels)) {
            account(namespace, policy, accounts, findings);
        }
    }
}

fn account(namespace: &str, policy: &IdentityPolicy, accounts: &[ObjectMeta], findings: &mut Vec<Diagnosis>) {
    let Some(name) = policy.target() else { return };
    let is_meant = |account: &&ObjectMeta| {
        (account.namespace.as_deref(), account.name.as_deref()) == (Some(namespace), Some(name))
    };
    let object = format!("ServiceAccount {namespace}/{name}");
    let kubectl = |command: String| format!("kubectl --namespace {namespace} {command}");
    let Some(account) = accounts.iter().find(is_meant) else {
        let found =
            format!("not there, and the IdentityPolicy {} gives it to pods: they are refused", policy.name);
        let missing = Diagnosis::error(HealthCheck::IdentityAccount, object).because(found);
        return findings.push(missing.fix(kubectl(format!("create serviceaccount {name}"))));
    };
    let client = account.annotations.as_ref().and_then(|annotations| annotations.get(CLIENT_ID));
    if client.is_none_or(String::is_empty) {
        let annotate = format!("annotate --overwrite serviceaccount {name} {CLIENT_ID}=CLIENT-ID");
        findings.push(
            Diagnosis::warning(HealthCheck::IdentityClient, object)
                .field(format!("metadata.annotations[{CLIENT_ID}]"))
                .because("not there: pods get a token, and no AZURE_CLIENT_ID to use it for")
                .fix(kubectl(annotate)),
        );
    }
}

fn webhook(installation: &Installation, findings: &mut Vec<Diagnosis>) {
    let Ok(names) = &installation.mutating_names else { return };
    if names.iter().any(|name| name.starts_with(WEBHOOK)) {
        return;
    }
    // Only a note, since nothing says that it cannot have another name.
    findings.push(
        Diagnosis::info(HealthCheck::IdentityWebhook, "every MutatingWebhookConfiguration")
            .field("metadata.name")
            .because(format!(
                "none begins with {WEBHOOK}: podgate sets the service account and the label, and \
                 azure-workload-identity's own webhook puts the token in"
            )),
    );
}
