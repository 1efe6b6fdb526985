//! What podgate injects depends on the version of the API server, which it asks for when it starts.

use serde_json::{Value as Json, json};

use crate::cluster_api::{Api, Fault, Verb};
use crate::requests::creation;
use crate::serving::{Process, response};

const TENANT: &str = "--azure-tenant-id=99999999-aaaa-4bbb-8ccc-dddddddddddd";

/// A cluster of this version, with one account.
async fn cluster(version: &str) -> Api {
    let api = Api::start().await;
    api.put_namespace("team", &json!({}));
    let annotations = json!({"azure.workload.identity/client-id": "0a0a0a0a-1111-4222-8333-444444444444"});
    api.put(
        "/api/v1/namespaces/team/serviceaccounts/trainer",
        json!({"metadata": {"name": "trainer", "namespace": "team", "annotations": annotations}}),
    );
    let told = json!({
        "major": "1", "minor": "31", "gitVersion": version, "gitCommit": "", "gitTreeState": "", "buildDate": "",
        "goVersion": "", "compiler": "", "platform": "", "metadata": {},
    });
    api.put("/version", told);
    api
}

/// Where the proxy of a pod comes to be, how often the API server was asked for its version, and the log.
async fn proxied(api: &Api, flags: &[&str]) -> (String, usize, String) {
    let (folder, path) = api.kubeconfig();
    let kubeconfig = std::fs::read_to_string(path).unwrap();
    drop(folder);
    let usual = ["--kubeconfig=kubeconfig", "--policy=none", TENANT];
    let process = Process::start(&[("kubeconfig", &kubeconfig)], &[&usual, flags].concat());
    process.until_ready().await;
    let pod = json!({
        "metadata": {
            "name": "p",
            "labels": {"azure.workload.identity/use": "true"},
            "annotations": {"azure.workload.identity/inject-proxy-sidecar": "true"},
        },
        "spec": {"serviceAccountName": "trainer", "containers": [{"name": "c", "image": "i"}]},
    });
    let mut client = process.connect().await;
    let answer: Json = response(&client.post("/mutate", &creation("u", "team", &pod).to_string()).await.body);
    let mut mutated = pod;
    crate::reviews::apply("p", &answer, &mut mutated);
    let lists = ["initContainers", "containers"].into_iter().filter(|list| {
        mutated["spec"][list].as_array().unwrap().iter().any(|container| container["name"] == "azwi-proxy")
    });
    let asked = api.calls("GET /version").len();
    (lists.collect::<Vec<_>>().join(","), asked, process.end())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_server_is_asked_once_and_the_flag_wins() {
    for (version, flags, list, calls) in [
        ("v1.31.4-gke.100", &[][..], "containers", 1),
        ("v1.32.0", &[], "initContainers", 1),
        ("v1.31.4", &["--azure-kubernetes-version=1.33"], "initContainers", 0),
        ("v1.33.0", &["--azure-kubernetes-version=v1.31"], "containers", 0),
    ] {
        let api = cluster(version).await;
        let (found, asked, log) = proxied(&api, flags).await;
        assert_eq!((found.as_str(), asked), (list, calls), "{version} {flags:?}\n{log}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_is_not_told_stops_nothing() {
    let api = cluster("none").await;
    let (found, _, log) = proxied(&api, &[]).await;
    assert_eq!(found, "initContainers");
    assert!(log.contains("--azure-kubernetes-version") && log.contains("is not known"), "{log}");
    let api = cluster("v1.31.0").await;
    api.fail(Verb::Get, "/version", Fault::Status(403, "Forbidden"));
    let (found, _, log) = proxied(&api, &[]).await;
    assert_eq!(found, "initContainers");
    assert!(log.contains("is not known"), "{log}");
}
