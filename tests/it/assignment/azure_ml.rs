//! The namespaces of Azure Machine Learning are left alone, and nobody else's pods are by looking like its own.

use podgate::admission::Webhook;
use podgate::identity::ServiceAccount;
use serde_json::{Value as Json, json};

use super::{Case, account, has_all, injected, policy, trainer};

const VOLCANO: &str = "system:serviceaccount:azureml:volcano-controllers";

const REGISTERED: &str = "---
apiVersion: podgate.dev/v1alpha1
kind: AzureMachineLearning
metadata: {name: aml}
spec:
  systemNamespaces: [azureml]
  compute:
  - namespace: aml-compute
    serviceAccounts: [amljobcontroller]
    creators: [\"system:serviceaccount:azureml:volcano-controllers\"]
";

/// Everything that policies do to pods, everywhere.
fn everything() -> String {
    let anywhere = "{namespaceSelector: {matchExpressions: [{key: team, operator: Exists}]}";
    let to_all = policy(
        "assign-all",
        &format!("{anywhere}, sourceServiceAccounts: [default, amljobcontroller]}}"),
        "identity: {provider: azure, serviceAccountName: trainer-wi}",
    );
    let no_tokens = policy("no-tokens", &format!("{anywhere}}}"), "automountToken: Off");
    let no_default = policy("no-default", &format!("{anywhere}}}"), "denyDefaultServiceAccount: true");
    format!("{to_all}{no_tokens}{no_default}")
}

fn training_pod(account: &str) -> Json {
    let mut pod = trainer(account);
    pod["metadata"]["labels"] = json!({
        "controller": "aml-operator", "jobsource": "aml", "type": "job",
        "ml.azure.com/billing-category": "azureml-training", "ml.azure.com/amlarc-system": "true",
        "isazuremlapp": "true",
    });
    pod["metadata"]["ownerReferences"][0]["apiVersion"] = "batch.volcano.sh/v1alpha1".into();
    pod["metadata"]["ownerReferences"][0]["kind"] = "Job".into();
    pod["spec"]["containers"][0]["env"] = json!([
        {"name": "MSI_ENDPOINT", "value": "http://127.0.0.1:12342/token"},
        {"name": "AZUREML_RUN_TOKEN", "value": "canary-of-a-token"},
    ]);
    pod
}

fn case(namespace: &'static str, creator: &'static str) -> Case {
    let policies = format!("{}{REGISTERED}", everything());
    Case { namespace, creator, ..Case::new(&policies) }
        .with_account("amljobcontroller", ServiceAccount::default())
}

#[test]
fn its_own_pods_are_left_alone() {
    for (namespace, account, creator) in [
        ("aml-compute", "amljobcontroller", VOLCANO),
        ("azureml", "default", "system:serviceaccount:kube-system:replicaset-controller"),
    ] {
        for webhook in [Webhook::Mutate, Webhook::Validate] {
            let outcome = case(namespace, creator).ask(webhook, &training_pod(account));
            assert_eq!((outcome.code, outcome.pod, outcome.warnings), (200, None, Vec::new()), "{namespace}");
        }
    }
}

/// One that may have an identity is held to the promise as any other.
#[test]
fn one_that_may_have_an_identity_has_it_in_the_end() {
    let mut case = case("aml-compute", VOLCANO).with_account("amljobcontroller", account());
    case.policies.push_str("  allowWorkloadIdentity: true\n");
    let mut pod = training_pod("amljobcontroller");
    pod["metadata"]["labels"][super::USE] = "true".into();
    let outcome = case.ask(Webhook::Validate, &pod);
    assert!(outcome.code == 403 && outcome.message.contains("Try again"), "{outcome:?}");
    let whole = case.mutated(&pod).pod.expect("an identity");
    assert_eq!(case.ask(Webhook::Validate, &whole).code, 200);
}

/// Each of the three bounds counts, and labels count for nothing.
#[test]
fn labels_exempt_nobody() {
    for (what, namespace, account, creator) in [
        ("another namespace", "ml-team-a", "amljobcontroller", VOLCANO),
        ("another account", "aml-compute", "default", VOLCANO),
        ("another creator", "aml-compute", "amljobcontroller", "alice@example.com"),
        ("no creator", "aml-compute", "amljobcontroller", ""),
    ] {
        let outcome = case(namespace, creator).ask(Webhook::Mutate, &training_pod(account));
        assert_eq!(outcome.code, 200, "{what}: {}", outcome.message);
        assert_eq!(outcome.pod.unwrap()["spec"]["serviceAccountName"], "trainer-wi", "{what}");
    }
}

#[test]
fn an_endpoint_with_the_default_account_needs_its_registration() {
    let no_default = policy("no-default", "{namespaces: [aml-compute]}", "denyDefaultServiceAccount: true");
    let creator = "system:serviceaccount:kube-system:replicaset-controller";
    let of = |registered: &str| Case {
        namespace: "aml-compute",
        creator,
        ..Case::new(&format!("{no_default}{registered}"))
    };
    let registered = REGISTERED
        .replace("[amljobcontroller]", "[default]")
        .replace("azureml:volcano-controllers", "kube-system:replicaset-controller");
    for webhook in [Webhook::Mutate, Webhook::Validate] {
        let refused = of(REGISTERED).ask(webhook, &training_pod("default"));
        assert_eq!(refused.code, 403);
        has_all(&refused.message, &["aml-compute", "default"]);
        assert_eq!(of(&registered).ask(webhook, &training_pod("default")).code, 200);
    }
}

#[test]
fn its_own_identity_wins_unless_it_is_said_otherwise() {
    let mut pod = training_pod("amljobcontroller");
    pod["metadata"]["labels"]["azure.workload.identity/use"] = "true".into();
    let outcome = case("aml-compute", VOLCANO).mutated(&pod);
    assert_eq!(outcome.pod, None);
    has_all(&outcome.warnings[0], &["MSI_ENDPOINT", "azure.workload.identity/use"]);

    let allowed = format!("{}{REGISTERED}  allowWorkloadIdentity: true\n", everything());
    let case = Case { policies: allowed, ..case("aml-compute", VOLCANO) }
        .with_account("amljobcontroller", account());
    let mut expected = pod.clone();
    expected["spec"]["containers"][0]["env"] = json!([]);
    let injected = injected::injected(expected);
    let after = case.mutated(&pod).pod.unwrap();
    assert_eq!(after["spec"]["volumes"], injected["spec"]["volumes"]);
    assert_eq!(after["spec"]["serviceAccountName"], "amljobcontroller");
    assert_eq!(after["spec"]["containers"][0]["env"].as_array().unwrap().len(), 6);
}
