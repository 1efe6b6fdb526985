//! What an identity needs beside podgate: a service account in each namespace, its annotation, a federated credential, and
//! for some policies rights that podgate does without otherwise.

use std::collections::BTreeMap;

use crate::doctor::diagnosis::{Diagnosis, listed};
use crate::doctor::health_check::HealthCheck;
use crate::doctor::installation::{Installation, NamedAccount};
use crate::doctor::policies::PoliciesInForce;
use crate::identity::{
    AZURE_CLIENT_ID, AccountFault, CrowdedIdentity, MOST_SUBJECTS, check_account, crowded_identities,
    federated_subject,
};
use crate::policy::{AutomountToken, IdentityPolicy, MigrationMode};
use crate::text::printable;

/// Longest value of an annotation that is shown.
const LONGEST_VALUE: usize = 48;

/// The component of the manifests that gives the optional rights.
const OPTIONAL_RIGHTS: &str = "kubectl apply --kustomize OVERLAY # with manifests/components/identity-rights, or identity.rights: true of the chart";

pub(super) fn check(
    installation: &Installation,
    policies: Option<&PoliciesInForce<'_>>,
    findings: &mut Vec<Diagnosis>,
) {
    if let Ok(accounts) = &installation.service_accounts {
        let all = accounts.iter().map(|of| (of.namespace.as_str(), of.name.as_str(), &of.account));
        findings.extend(crowded_identities(all).iter().map(crowded));
    }
    let Some(policies) = policies.map(AsRef::as_ref) else { return };
    if policies.identity.is_empty() {
        return;
    }
    rights(installation, &policies.identity, findings);
    let (Ok(namespaces), Ok(accounts)) = (&installation.namespaces, &installation.service_accounts) else {
        return;
    };
    let mut subjects: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (namespace, labels) in namespaces {
        for policy in policies.identity_for(namespace, Some(&labels.clone().into())) {
            account(namespace, policy, accounts, findings);
            let subject = policy.target().map(|name| federated_subject(namespace, name));
            subjects.entry(&policy.name).or_default().extend(subject);
        }
    }
    findings.extend(subjects.iter().map(|(policy, subjects)| of_subjects(policy, subjects)));
}

fn account(
    namespace: &str,
    policy: &IdentityPolicy,
    accounts: &[NamedAccount],
    findings: &mut Vec<Diagnosis>,
) {
    let Some(name) = policy.target() else { return };
    let object = format!("ServiceAccount {namespace}/{name}");
    let kubectl = |command: String| format!("kubectl --namespace {namespace} {command}");
    let is_meant = |of: &&NamedAccount| (of.namespace.as_str(), of.name.as_str()) == (namespace, name);
    let Some(NamedAccount { account, .. }) = accounts.iter().find(is_meant) else {
        let found =
            format!("not there, and the IdentityPolicy {} gives it to pods: they are refused", policy.name);
        let missing = Diagnosis::error(HealthCheck::IdentityAccount, object).because(found);
        return findings.push(missing.fix(kubectl(format!("create serviceaccount {name}"))));
    };
    let Some(assignment) = &policy.assignment else { return };
    for AccountFault { what, fix, .. } in check_account(assignment.provider, account) {
        let annotate =
            format!("annotate --overwrite serviceaccount {name} {AZURE_CLIENT_ID}=CLIENT-ID # {fix}");
        findings.push(
            Diagnosis::warning(HealthCheck::IdentityClient, object.clone())
                .field(format!("metadata.annotations[{AZURE_CLIENT_ID}]"))
                .because(format!(
                    "it {what}: the IdentityPolicy {} refuses pods for it, or gives them no token",
                    policy.name
                ))
                .fix(kubectl(annotate)),
        );
    }
}

fn of_subjects(policy: &str, subjects: &[String]) -> Diagnosis {
    let names: Vec<&str> = subjects.iter().map(String::as_str).collect();
    Diagnosis::info(HealthCheck::IdentitySubject, format!("IdentityPolicy {policy}"))
        .field("spec.identity.serviceAccountName")
        .because(format!(
            "the tokens of its pods are for {}: the federated credential of the identity has to name that to the letter",
            listed(&names)
        ))
}

fn crowded(CrowdedIdentity { client_id, subjects }: &CrowdedIdentity) -> Diagnosis {
    let names: Vec<&str> = subjects.iter().map(String::as_str).collect();
    let id = printable(client_id, LONGEST_VALUE);
    Diagnosis::warning(HealthCheck::IdentityCrowded, format!("the identity with the client id {id}"))
        .field(format!("metadata.annotations[{AZURE_CLIENT_ID}]"))
        .because(format!(
            "{} service accounts stand for it, and Azure takes {MOST_SUBJECTS} federated credentials for one identity: {}",
            subjects.len(),
            listed(&names)
        ))
        .fix(
            "kubectl get serviceaccounts --all-namespaces # give some another identity, or use an identity binding of AKS \
             (az aks identity-binding create), which needs one credential for all of them",
        )
}

/// The rights that only some policies need.
fn rights(installation: &Installation, policies: &[IdentityPolicy], findings: &mut Vec<Diagnosis>) {
    let rights = &installation.rights;
    let mut told = |right: &Result<bool, String>, found: &str| {
        let told = Diagnosis::info(HealthCheck::IdentityRights, "ClusterRole podgate");
        match right {
            Ok(true) => {}
            Ok(false) => findings.push(told.because(found).fix(OPTIONAL_RIGHTS)),
            Err(fault) => findings.push(told.because(format!("what it allows is not known: {fault}"))),
        }
    };
    let asks_for_bindings = |policy: &IdentityPolicy| policy.automount == AutomountToken::OffUnlessUsed;
    if policies.iter().any(asks_for_bindings) {
        told(
            &rights.lists_bindings,
            "podgate may not list RoleBindings and ClusterRoleBindings: with automountToken: OffUnlessUsed nobody can tell \
             whether a service account uses its token, and it is mounted as with Inherit",
        );
    }
    if policies.iter().any(|policy| policy.migration.mode != MigrationMode::Off) {
        told(
            &rights.lists_pod_identities,
            "podgate may not list AzureIdentities and AzureIdentityBindings: with migration.aadPodIdentity nobody can tell \
             which identity a pod of AAD Pod Identity has, so that it is refused (Enforce) or not told of (DryRun)",
        );
    }
    told(
        &rights.reviews_access,
        "podgate may not create SubjectAccessReviews: whether a service account may use an identity that AKS has bound \
             to the cluster is not checked before the pod runs",
    );
}
