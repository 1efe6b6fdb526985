//! Pods of AAD Pod Identity, through `podgate review`: which service account they are moved to, and what is said where they are not.
//! The numbers are those of the acceptance cases.

use std::fs;
use std::path::Path;

use serde_json::{Value as Json, json};

use crate::command::run;
use crate::reviews::apply;

const A: &str = "0a0a0a0a-1111-4222-8333-444444444444";
const B: &str = "0b0b0b0b-1111-4222-8333-444444444444";
/// What templates have in place of an id.
const ZEROS: &str = "00000000-0000-0000-0000-000000000000";

/// A cluster, a policy and a pod; [`Case::default`] is case C01.
struct Case {
    /// `spec.migration`.
    migration: Json,
    /// The namespace of the pod, and of the policy.
    namespace: &'static str,
    /// The AzureIdentity and the AzureIdentityBinding, or nothing.
    bindings: Vec<Json>,
    /// The service accounts of the namespace, with their client ids.
    accounts: Vec<(&'static str, &'static str)>,
    labels: Json,
    service_account: &'static str,
}

impl Default for Case {
    fn default() -> Self {
        Self {
            migration: json!({"aadPodIdentity": "Enforce"}),
            namespace: "ml-team-a",
            bindings: vec![identity("ml-team-a", 0, A), binding("ml-team-a")],
            accounts: vec![("default", ""), ("batch-runner", B), ("trainer-wi", A)],
            labels: json!({"app": "trainer", "aadpodidbinding": "ml-identity"}),
            service_account: "default",
        }
    }
}

fn identity(namespace: &str, of_type: i64, client_id: &str) -> Json {
    json!({
        "apiVersion": "aadpodidentity.k8s.io/v1",
        "kind": "AzureIdentity",
        "metadata": {"name": "ml-id", "namespace": namespace},
        "spec": {"type": of_type, "clientID": client_id, "clientPassword": {"name": "ml-secret"}},
    })
}

fn binding(namespace: &str) -> Json {
    json!({
        "apiVersion": "aadpodidentity.k8s.io/v1",
        "kind": "AzureIdentityBinding",
        "metadata": {"name": "ml-bind", "namespace": namespace},
        "spec": {"azureIdentity": "ml-id", "selector": "ml-identity"},
    })
}

fn namespaced(mut identity: Json) -> Json {
    identity["metadata"]["annotations"] = json!({"aadpodidentity.k8s.io/Behavior": "namespaced"});
    identity
}

impl Case {
    fn pod(&self) -> Json {
        json!({
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"generateName": "trainer-7d4b9c6f5-", "labels": self.labels},
            "spec": {
                "serviceAccountName": self.service_account,
                "serviceAccount": self.service_account,
                "containers": [{
                    "name": "main",
                    "image": "registry.example/train:1",
                    "env": [{"name": "SECRET", "value": "CANARY-1"}],
                }],
            },
        })
    }

    fn write(&self, folder: &Path) {
        let account = |(name, id): &(&str, &str)| {
            let mut account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": self.namespace}});
            if !id.is_empty() {
                account["metadata"]["annotations"] = json!({"azure.workload.identity/client-id": id});
            }
            account
        };
        let accounts = self.accounts.iter().map(account);
        let items: Vec<Json> = accounts.chain(self.bindings.iter().cloned()).collect();
        let objects = json!({"apiVersion": "v1", "kind": "List", "items": items});
        let policy = json!({
            "apiVersion": "podgate.dev/v1alpha1",
            "kind": "IdentityPolicy",
            "metadata": {"name": "from-aad-pod-identity"},
            "spec": {"match": {"namespaces": [self.namespace]}, "migration": self.migration},
        });
        fs::write(folder.join("objects.json"), objects.to_string()).unwrap();
        fs::write(folder.join("policy.json"), policy.to_string()).unwrap();
    }

    /// The pod after the patch, or `None` if there is none, and all warnings. A second run changes nothing.
    fn review(&self) -> (Option<Json>, String) {
        let folder = tempfile::tempdir().unwrap();
        self.write(folder.path());
        let mut pod = self.pod();
        let (is_patched, warnings) = review(folder.path(), self.namespace, &mut pod);
        let mut again = pod.clone();
        let (is_patched_again, _) = review(folder.path(), self.namespace, &mut again);
        assert!(!is_patched_again, "{again}");
        (is_patched.then_some(pod), warnings)
    }
}

fn review(folder: &Path, namespace: &str, pod: &mut Json) -> (bool, String) {
    review_with(&[], folder, namespace, pod)
}

/// With these flags beside the usual ones.
fn review_with(flags: &[&str], folder: &Path, namespace: &str, pod: &mut Json) -> (bool, String) {
    let review = json!({
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": "u",
            "kind": {"group": "", "version": "v1", "kind": "Pod"},
            "resource": {"group": "", "version": "v1", "resource": "pods"},
            "namespace": namespace,
            "operation": "CREATE",
            "object": pod,
        },
    });
    let arguments = ["review", "--mutate", "--policy", "policy.json", "--objects", "objects.json"];
    let ended = run(folder, &[&arguments, flags].concat(), &review.to_string()).with(0);
    assert!(!ended.output.contains("CANARY") && ended.errors.is_empty(), "{ended:?}");
    let response = &ended.lines()[0]["response"];
    let warnings: Vec<&str> =
        response["warnings"].as_array().into_iter().flatten().filter_map(Json::as_str).collect();
    for warning in &warnings {
        assert!(warning.starts_with("podgate: ") && warning.len() <= 120, "{warning}");
    }
    (response["patch"].is_string() && apply("review", response, pod), warnings.join("\n"))
}

/// The pod of case C01 after its patch.
fn migrated(case: &Case) -> Json {
    let mut pod = case.pod();
    pod["metadata"]["labels"]["azure.workload.identity/use"] = json!("true");
    pod["spec"]["serviceAccountName"] = json!("trainer-wi");
    pod["spec"]["serviceAccount"] = json!("trainer-wi");
    pod
}

#[track_caller]
fn assert_fragments(warnings: &str, fragments: &[&str]) {
    for fragment in fragments {
        assert!(warnings.lines().any(|warning| warning.contains(fragment)), "{fragment}: {warnings:?}");
    }
}

#[test]
fn a_pod_gets_the_account_of_its_identity() {
    let told = ["aadpodidbinding", "ml-identity", "trainer-wi"];
    let shared = vec![identity("shared", 0, A), binding("shared")];
    for (name, case) in [
        ("C01", Case::default()),
        ("C04", Case { bindings: shared, ..Case::default() }),
        (
            "upper case",
            Case {
                bindings: vec![identity("ml-team-a", 0, &A.to_uppercase()), binding("ml-team-a")],
                ..Case::default()
            },
        ),
        (
            "namespaced, in its own",
            Case {
                bindings: vec![namespaced(identity("ml-team-a", 0, A)), binding("ml-team-a")],
                ..Case::default()
            },
        ),
        (
            "E05",
            Case {
                namespace: "azureml-mlworkload",
                labels: json!({"isazuremlapp": "true", "aadpodidbinding": "ml-identity"}),
                bindings: vec![identity("azureml-mlworkload", 0, A), binding("azureml-mlworkload")],
                ..Case::default()
            },
        ),
        ("already its account", Case { service_account: "trainer-wi", ..Case::default() }),
    ] {
        let (pod, warnings) = case.review();
        assert_eq!(pod, Some(migrated(&case)), "{name}: {warnings}");
        assert_fragments(&warnings, &told);
    }
}

/// Cases C01 and C07 where podgate gives tokens: the pod gets its own in the same review.
#[test]
fn a_migrated_pod_gets_its_token() {
    const TENANT: &str = "99999999-aaaa-4bbb-8ccc-dddddddddddd";
    let flags = ["--azure-tenant-id", TENANT, "--azure-layout", "v15"];
    let moved = json!({"aadpodidbinding": "ml-identity", "azure.workload.identity/use": "true"});
    for case in [Case::default(), Case { labels: moved, service_account: "trainer-wi", ..Case::default() }] {
        let folder = tempfile::tempdir().unwrap();
        case.write(folder.path());
        let mut pod = case.pod();
        assert!(review_with(&flags, folder.path(), case.namespace, &mut pod).0);
        let env = &pod["spec"]["containers"][0]["env"];
        assert_eq!(env[1], json!({"name": "AZURE_CLIENT_ID", "value": A}), "{pod}");
        assert_eq!(env[2], json!({"name": "AZURE_TENANT_ID", "value": TENANT}), "{pod}");
        assert_eq!(pod["spec"]["volumes"][0]["name"], "azure-identity-token", "{pod}");
        assert_eq!(pod["spec"]["serviceAccountName"], "trainer-wi");
        assert_eq!(pod["metadata"]["labels"]["aadpodidbinding"], "ml-identity");
        let again = review_with(&flags, folder.path(), case.namespace, &mut pod.clone());
        assert_eq!(again, (false, String::new()));
    }
}

#[test]
fn the_old_label_goes_where_asked() {
    let migration = json!({"aadPodIdentity": "Enforce", "removeLegacyLabel": true});
    let case = Case { migration, ..Case::default() };
    let mut expected = migrated(&case);
    expected["metadata"]["labels"].as_object_mut().unwrap().remove("aadpodidbinding");
    let (pod, warnings) = case.review();
    assert_eq!(pod, Some(expected), "C01r");
    assert_fragments(&warnings, &["aadpodidbinding", "ml-identity", "trainer-wi"]);
}

#[test]
fn a_pod_that_cannot_be_migrated_stays_as_it_is() {
    let with = |labels: Json| Case { labels, ..Case::default() };
    let typed = |of_type| Case {
        bindings: vec![identity("ml-team-a", of_type, A), binding("ml-team-a")],
        ..Case::default()
    };
    let no_binding = ["aadpodidbinding", "ml-identity", "no AzureIdentityBinding"];
    for (name, case, fragments) in [
        (
            "C02",
            Case { accounts: vec![("default", ""), ("batch-runner", B)], ..Case::default() },
            &["ml-identity", "ml-id", A, "system:serviceaccount:ml-team-a:"][..],
        ),
        (
            "several accounts",
            Case { accounts: vec![("one", A), ("two", A)], ..Case::default() },
            &["ml-identity", "ml-id", "one, two"],
        ),
        ("C05", typed(1), &["ml-id", "type 1"]),
        ("C05", typed(2), &["ml-id", "type 2"]),
        ("C06", Case { bindings: vec![identity("ml-team-a", 0, A)], ..Case::default() }, &no_binding),
        ("C12", Case { bindings: Vec::new(), ..Case::default() }, &no_binding),
        (
            "C09",
            with(json!({"aadpodidbinding": "ML-Identity"})),
            &["aadpodidbinding", "ML-Identity", "no AzureIdentityBinding"],
        ),
        (
            "namespaced, elsewhere",
            Case {
                bindings: vec![namespaced(identity("shared", 0, A)), binding("shared")],
                ..Case::default()
            },
            &no_binding,
        ),
        (
            "a near miss",
            with(json!({"aadpodidbinding": "ml-identity", "azure.workload.identity/use": "True"})),
            &["aadpodidbinding ml-identity is not migrated", "azure.workload.identity/use is \"True\""],
        ),
        (
            "zeros",
            Case {
                bindings: vec![identity("ml-team-a", 0, ZEROS), binding("ml-team-a")],
                accounts: vec![("default", ""), ("template", ZEROS)],
                ..Case::default()
            },
            &["ml-identity: not migrated", "ml-id has the clientID 00000000-"],
        ),
        (
            "no identity",
            Case { bindings: vec![binding("ml-team-a")], ..Case::default() },
            &["ml-identity", "AzureIdentity ml-id"],
        ),
    ] {
        assert_unchanged(name, &case, fragments);
    }
}

/// The pod stays as it is, and its author is told this.
#[track_caller]
fn assert_unchanged(name: &str, case: &Case, fragments: &[&str]) {
    let (pod, warnings) = case.review();
    assert_eq!(pod, None, "{name}");
    assert_fragments(&warnings, fragments);
    assert!(!warnings.contains("ml-secret"), "{warnings}");
}

#[test]
fn what_is_tried_out_and_what_its_author_has_chosen_stays() {
    for (name, case, fragments) in [
        (
            "C10",
            Case {
                migration: json!({"aadPodIdentity": "DryRun", "removeLegacyLabel": true}),
                ..Case::default()
            },
            &[
                "aadpodidbinding ml-identity would be migrated",
                "serviceAccountName default -> trainer-wi",
                "azure.workload.identity/use",
                "remove label aadpodidbinding",
            ][..],
        ),
        (
            "C11",
            Case { service_account: "batch-runner", ..Case::default() },
            &["batch-runner", "system:serviceaccount:ml-team-a:batch-runner"],
        ),
    ] {
        assert_unchanged(name, &case, fragments);
    }
}

#[test]
fn what_migration_has_nothing_to_do_with_is_left_alone() {
    let use_label = "azure.workload.identity/use";
    for (name, labels, service_account, namespace) in [
        ("no label", json!({"app": "a"}), "default", "ml-team-a"),
        ("C07", json!({"aadpodidbinding": "ml-identity", use_label: "true"}), "trainer-wi", "ml-team-a"),
        (
            "an author who wants none",
            json!({"aadpodidbinding": "ml-identity", use_label: "false"}),
            "default",
            "ml-team-a",
        ),
    ] {
        let case = Case { labels, service_account, namespace, ..Case::default() };
        assert_eq!(case.review(), (None, String::new()), "{name}");
    }
}

#[test]
fn a_service_of_azureml_gets_its_binding_by_rule() {
    let rule = json!({"azureMLServices": {"bindingSelector": "ml-identity"}});
    let service = || json!({"isazuremlapp": "true"});
    let case = Case { migration: rule.clone(), labels: service(), ..Case::default() };
    let mut expected = case.pod();
    expected["metadata"]["labels"]["aadpodidbinding"] = json!("ml-identity");
    assert_eq!(case.review(), (Some(expected), String::new()));
    for labels in [
        json!({"isazuremlapp": "True"}),
        json!({"isazuremlapp": "true", "aadpodidbinding": "other"}),
        json!({"app": "trainer"}),
    ] {
        let case = Case { migration: rule.clone(), labels, ..Case::default() };
        assert_eq!(case.review(), (None, String::new()));
    }
    // Together with the migration it ends where the migration does.
    for removes in [false, true] {
        let mut migration = rule.clone();
        migration["aadPodIdentity"] = json!("Enforce");
        migration["removeLegacyLabel"] = json!(removes);
        let case = Case { migration, labels: service(), ..Case::default() };
        let mut expected = migrated(&case);
        if !removes {
            expected["metadata"]["labels"]["aadpodidbinding"] = json!("ml-identity");
        }
        assert_eq!(case.review().0, Some(expected));
    }
}
