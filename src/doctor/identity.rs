//! What an identity needs beside podgate: a service account in each namespace, its annotation, a federated credential, and
//! for some policies rights that podgate does without otherwise.

use std::collections::BTreeMap;

use crate::doctor::diagnosis::{Diagnosis, listed};
use crate::doctor::health_check::HealthCheck;
use crate::doctor::installation::{Installation, NamedAccount};
use crate::doctor::policies::PoliciesInForce;
use crate::identity::{
    AZURE_CLIENT_ID, CrowdedIdentity, MOST_SUBJECTS, crowded_identities, federated_subject,
};
use crate::policy::IdentityPolicy;
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
    rights(installation, findings);
    let (Ok(namespaces), Ok(accounts)) = (&installation.namespaces, &installation.service_accounts) else {
        return;
    };
    let mut subjects: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (namespace, labels) in namespaces {
        for policy in policies.identity_for(namespace, Some(labels)) {
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
    let found = match account.annotation(AZURE_CLIENT_ID) {
        None | Some("") => "not there: pods get a token, and no AZURE_CLIENT_ID to use it for".to_owned(),
        Some(id) if is_client_id(id) => return,
        Some(id) => format!(
            "\"{}\", which is no client id (a GUID that is not all zeros): Azure gives nothing for the token",
            printable(id, LONGEST_VALUE)
        ),
    };
    let annotate = format!("annotate --overwrite serviceaccount {name} {AZURE_CLIENT_ID}=CLIENT-ID");
    findings.push(
        Diagnosis::warning(HealthCheck::IdentityClient, object)
            .field(format!("metadata.annotations[{AZURE_CLIENT_ID}]"))
            .because(found)
            .fix(kubectl(annotate)),
    );
}

/// Whether a text is a GUID, and not the one that stands for none.
fn is_client_id(text: &str) -> bool {
    const GROUPS: [usize; 5] = [8, 4, 4, 4, 12];
    let is_hex = |group: &str| group.bytes().all(|byte| byte.is_ascii_hexdigit());
    text.split('-').map(str::len).eq(GROUPS)
        && text.split('-').all(is_hex)
        && text.bytes().any(|byte| !b"0-".contains(&byte))
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
fn rights(installation: &Installation, findings: &mut Vec<Diagnosis>) {
    let rights = &installation.rights;
    let mut told = |right: &Result<bool, String>, found: &str| {
        let told = Diagnosis::info(HealthCheck::IdentityRights, "ClusterRole podgate");
        match right {
            Ok(true) => {}
            Ok(false) => findings.push(told.because(found).fix(OPTIONAL_RIGHTS)),
            Err(fault) => findings.push(told.because(format!("what it allows is not known: {fault}"))),
        }
    };
    told(
        &rights.lists_bindings,
        "podgate may not list RoleBindings and ClusterRoleBindings: with automountToken: OffUnlessUsed nobody can tell \
             whether a service account uses its token, and it is mounted as with Inherit",
    );
    told(
        &rights.reviews_access,
        "podgate may not create SubjectAccessReviews: whether a service account may use an identity that AKS has bound \
             to the cluster is not checked before the pod runs",
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_client_id_is() {
        for (text, expected) in [
            ("0a0a0a0a-1111-4222-8333-444444444444", true),
            ("0A0A0A0A-1111-4222-8333-444444444444", true),
            ("00000000-0000-0000-0000-000000000000", false),
            ("0a0a0a0a-1111-4222-8333-44444444444", false),
            ("0a0a0a0a11114222833344444444444", false),
            ("g0a0a0a0-1111-4222-8333-444444444444", false),
            (" 0a0a0a0a-1111-4222-8333-444444444444", false),
            ("", false),
        ] {
            assert_eq!(is_client_id(text), expected, "{text}");
        }
    }
}
