//! AAD Pod Identity in a cluster: what a migration asks the API server for, and the survey of a cluster.

use serde_json::{Value as Json, json};

use crate::cluster_api::{Api, Fault, Verb};
use crate::command::podgate;
use crate::requests::creation;
use crate::serving::{Process, response};

const A: &str = "0a0a0a0a-1111-4222-8333-444444444444";
const IDENTITIES: &str = "/apis/aadpodidentity.k8s.io/v1/azureidentities";
const BINDINGS: &str = "/apis/aadpodidentity.k8s.io/v1/azureidentitybindings";

fn policy(mode: &str) -> String {
    let policy = json!({
        "apiVersion": "podgate.dev/v1alpha1",
        "kind": "IdentityPolicy",
        "metadata": {"name": "from-aad-pod-identity"},
        "spec": {"match": {"namespaces": ["team"]}, "migration": {"aadPodIdentity": mode}},
    });
    policy.to_string()
}

/// A cluster with one account, in which AAD Pod Identity is not installed.
async fn cluster() -> Api {
    let api = Api::start().await;
    api.put_namespace("team", &json!({}));
    let annotations = json!({"azure.workload.identity/client-id": A});
    api.put(
        "/api/v1/namespaces/team/serviceaccounts/trainer-wi",
        json!({"metadata": {"name": "trainer-wi", "namespace": "team", "annotations": annotations}}),
    );
    api
}

/// Installs AAD Pod Identity, with one binding.
fn install(api: &Api) {
    let list = |item: Json| json!({"metadata": {}, "items": [item]});
    let metadata = |name: &str| json!({"name": name, "namespace": "team"});
    api.put(IDENTITIES, list(json!({"metadata": metadata("ml-id"), "spec": {"type": 0, "clientID": A}})));
    let spec = json!({"azureIdentity": "ml-id", "selector": "ml"});
    api.put(BINDINGS, list(json!({"metadata": metadata("ml-bind"), "spec": spec})));
}

async fn serve(api: &Api, mode: &str) -> Process {
    let (folder, path) = api.kubeconfig();
    let kubeconfig = std::fs::read_to_string(path).unwrap();
    drop(folder);
    let policy = policy(mode);
    let files = [("kubeconfig", kubeconfig.as_str()), ("policy.json", policy.as_str())];
    let process = Process::start(&files, &["--kubeconfig=kubeconfig", "--policy=policy.json"]);
    process.until_ready().await;
    process
}

fn pod() -> Json {
    json!({
        "metadata": {"name": "p", "labels": {"aadpodidbinding": "ml"}},
        "spec": {"containers": [{"name": "c", "image": "i"}]},
    })
}

async fn mutate(process: &Process) -> Json {
    let mut client = process.connect().await;
    let review = creation("u", "team", &pod()).to_string();
    response(&client.post("/mutate", &review).await.body)
}

/// C12.
#[tokio::test]
async fn where_it_is_not_installed_no_binding_exists() {
    let api = cluster().await;
    let process = serve(&api, "Enforce").await;
    let answer = mutate(&process).await;
    assert_eq!((&answer["allowed"], answer.get("patch")), (&json!(true), None), "{answer}");
    let warnings = answer["warnings"].to_string();
    assert!(warnings.contains("aadpodidbinding ml: no AzureIdentityBinding"), "{warnings}");
}

#[tokio::test]
async fn bindings_are_listed_once_for_many_pods() {
    let api = cluster().await;
    install(&api);
    let process = serve(&api, "Enforce").await;
    assert_eq!(api.calls("aadpodidentity").len(), 0, "nobody has asked");
    for _ in 0..5 {
        let answer = mutate(&process).await;
        assert!(answer["patch"].is_string(), "{answer}");
    }
    assert_eq!(api.calls("aadpodidentity").len(), 2, "{:?}", api.calls("aadpodidentity"));
}

#[tokio::test]
async fn bindings_that_may_not_be_read_refuse_the_pod_or_warn() {
    for (mode, is_allowed) in [("Enforce", false), ("DryRun", true)] {
        let api = cluster().await;
        api.fail(Verb::Get, "/azureidentities", Fault::Status(403, "Forbidden"));
        let process = serve(&api, mode).await;
        let answer = mutate(&process).await;
        assert_eq!(answer["allowed"], is_allowed, "{answer}");
        let told = answer.to_string();
        assert!(told.contains("cannot be read") && !told.contains("refused with"), "{told}");
        if !is_allowed {
            assert_eq!(answer["status"]["code"], 500, "{answer}");
        }
        assert!(process.end().contains("azureidentitybindings"), "the log names what was not read");
    }
}

fn survey(api: &Api, arguments: &[&str]) -> (i32, String, String) {
    let (_folder, kubeconfig) = api.kubeconfig();
    let mut command = podgate();
    command.args(["survey", "identity", "--kubeconfig"]).arg(kubeconfig).args(arguments);
    let ended = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (ended.status.code().unwrap(), text(ended.stdout), text(ended.stderr))
}

/// More pods than a page has.
#[tokio::test(flavor = "multi_thread")]
async fn a_survey_reads_page_by_page() {
    let api = cluster().await;
    install(&api);
    for index in 0..1001 {
        let mut pod = pod();
        pod["metadata"] =
            json!({"name": format!("p{index:04}"), "namespace": "team", "labels": {"aadpodidbinding": "ml"}});
        api.put(&format!("/api/v1/namespaces/team/pods/p{index:04}"), pod);
    }
    let (code, output, errors) = survey(&api, &["--format", "json"]);
    assert_eq!(code, 0, "{errors}");
    let report: Json = serde_json::from_str(&output).unwrap();
    assert_eq!(report["summary"]["ready"], 1001, "{}", report["summary"]);
    let names = report["pods"].as_array().unwrap().iter().map(|pod| pod["name"].as_str().unwrap());
    assert!(names.is_sorted());
    assert_eq!(api.calls("GET /api/v1/pods").len(), 3);
    assert!(api.calls("").iter().all(|call| call.starts_with("GET ")), "it only reads");
    let (_, of_namespace, _) = survey(&api, &["-n", "other"]);
    assert!(of_namespace.starts_with("no pods were found"), "{of_namespace}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_not_be_listed_is_told() {
    for (verb, path) in
        [(Verb::Get, "/azureidentities"), (Verb::List, "/serviceaccounts"), (Verb::List, "/pods")]
    {
        let api = cluster().await;
        api.fail(verb, path, Fault::Status(403, "Forbidden"));
        let (code, output, errors) = survey(&api, &[]);
        assert_eq!(code, 3, "{path}: {output} {errors}");
        assert!(output.contains("unread: ") && output.contains("the report is not complete"), "{output}");
    }
}
