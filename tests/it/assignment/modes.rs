//! Policies on trial: nothing is changed, and what would be is told.

use podgate::admission::Webhook;
use serde_json::json;

use super::{Case, account, policy, trainer, trainers, whole};

#[test]
fn a_dry_run_says_what_would_be_given() {
    let outcome = Case::new(&trainers("", ", mode: DryRun")).mutated(&trainer("default"));
    assert_eq!(outcome.pod, None);
    assert_eq!(
        outcome.warnings,
        ["podgate: IdentityPolicy ml-team-a-trainers would give this pod: service account trainer-wi"]
    );
    // What it has already is not told.
    assert_eq!(Case::new(&trainers("", ", mode: DryRun")).mutated(&whole("trainer-wi")).warnings, [""; 0]);
}

#[test]
fn explain_names_each_change() {
    let mut pod = trainer("default");
    let container = pod["spec"]["containers"][0].clone();
    pod["spec"]["containers"] = json!([container, container]);
    let outcome = Case::new(&trainers("", ", mode: Explain, automountToken: Off")).mutated(&pod);
    assert_eq!(outcome.pod, None);
    assert_eq!(
        outcome.warnings,
        [
            "podgate: ml-team-a-trainers would set serviceAccountName default -> trainer-wi, label \
             azure.workload.identity/use=true",
            "podgate: ml-team-a-trainers would set automountServiceAccountToken: false",
            "podgate: ml-team-a-trainers would add AZURE_CLIENT_ID, AZURE_TENANT_ID, AZURE_FEDERATED_TOKEN_FILE, \
             AZURE_AUTHORITY_HOST",
            "podgate: ml-team-a-trainers would add mount /var/run/secrets/azure/tokens, volume azure-identity-token",
            "podgate: ml-team-a-trainers would add token azure-identity-token",
            "podgate: ml-team-a-trainers would remove its mounts, volume kube-api-access-x7k2p",
        ]
    );
}

/// A policy on trial stands beside those that are enforced, and does not take their place.
#[test]
fn what_is_enforced_is_done_beside_a_trial() {
    let trial = policy(
        "infer",
        "{namespaces: [ml-team-a]}",
        "identity: {provider: azure, serviceAccountName: infer-wi}, priority: 5, mode: DryRun",
    );
    let case = Case::new(&format!("{}{trial}", trainers("", ""))).with_account("infer-wi", account());
    let outcome = case.ask(Webhook::Mutate, &trainer("default"));
    assert_eq!(outcome.pod, Some(whole("trainer-wi")));
    assert_eq!(
        outcome.warnings,
        ["podgate: IdentityPolicy infer would give this pod: service account infer-wi"]
    );
    // Two that would tie are only told of.
    let tie = trial.replace("priority: 5", "priority: 0");
    let case = Case::new(&format!("{}{tie}", trainers("", ""))).with_account("infer-wi", account());
    let outcome = case.ask(Webhook::Mutate, &trainer("default"));
    assert_eq!(outcome.pod, Some(whole("trainer-wi")));
    assert_eq!(
        outcome.warnings,
        ["podgate: would be denied: ml-team-a-trainers and infer give different accounts"]
    );
}
