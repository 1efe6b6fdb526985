//! What an identity needs beside podgate: a service account in each namespace, what it says, and the webhook that
//! puts the token in.

use super::policies::InForce;
use super::{Check, Finding, Installation, ServiceAccount, Severity};
use crate::policy::IdentityPolicy;

/// The client id of the identity in Azure. azure-workload-identity passes over its absence without a word.
const CLIENT_ID: &str = "azure.workload.identity/client-id";

/// How the configuration of azure-workload-identity's webhook is called, however it was installed.
const WEBHOOK: &str = "azure-wi-webhook";

pub(super) fn check(
    installation: &Installation,
    policies: Option<&InForce<'_>>,
    findings: &mut Vec<Finding>,
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

fn account(
    namespace: &str,
    policy: &IdentityPolicy,
    accounts: &[ServiceAccount],
    findings: &mut Vec<Finding>,
) {
    let name = policy.service_account_name.as_str();
    let found = accounts
        .iter()
        .find(|account| (account.namespace.as_str(), account.name.as_str()) == (namespace, name));
    let mut report = |check, severity, field: &str, found: String, command: String| {
        let object = format!("ServiceAccount {namespace}/{name}");
        let mend = format!("kubectl --namespace {namespace} {command}");
        findings.push(Finding { check, severity, object, field: field.to_owned(), found, mend });
    };
    let Some(account) = found else {
        let found =
            format!("not there, and the IdentityPolicy {} gives it to pods: they are refused", policy.name);
        let mend = format!("create serviceaccount {name}");
        return report(Check::IdentityAccount, Severity::Error, "", found, mend);
    };
    if account.annotations.get(CLIENT_ID).is_none_or(String::is_empty) {
        let found = "not there: pods get a token, and no AZURE_CLIENT_ID to use it for".to_owned();
        let mend = format!("annotate --overwrite serviceaccount {name} {CLIENT_ID}=CLIENT-ID");
        report(
            Check::IdentityClient,
            Severity::Warning,
            &format!("metadata.annotations[{CLIENT_ID}]"),
            found,
            mend,
        );
    }
}

fn webhook(installation: &Installation, findings: &mut Vec<Finding>) {
    let Ok(names) = &installation.mutating_names else { return };
    if names.iter().any(|name| name.starts_with(WEBHOOK)) {
        return;
    }
    findings.push(Finding {
        check: Check::IdentityWebhook,
        // Nothing says that it cannot have another name.
        severity: Severity::Info,
        object: "every MutatingWebhookConfiguration".to_owned(),
        field: "metadata.name".to_owned(),
        found: format!(
            "none begins with {WEBHOOK}: podgate sets the service account and the label, and azure-workload-identity's \
             own webhook puts the token in"
        ),
        mend: String::new(),
    });
}
