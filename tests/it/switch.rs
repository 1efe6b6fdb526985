//! The switch: policies that are turned to Audit for a while, by a file or a ConfigMap.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use podgate::cluster::{ConfigMapContent, WatchedResource};
use podgate::policy::SWITCH_CONFIG_MAP;
use serde_json::{Value as Json, json};

use crate::cluster_api::{Api, Fault, Verb, until};
use crate::server::PATIENCE;
use crate::serving::{Process, review_of_bad_pod};

const POLICY: &str = "apiVersion: podgate.dev/v1alpha1\nkind: SecurityPolicy\nmetadata: {name: p}\n\
                      spec: {match: {namespaces: [team]}, standard: {enforce: baseline}}\n";
const PATH: &str = "/api/v1/namespaces/podgate-system/configmaps/podgate-switch";

/// A switch that ends in an hour.
fn switch(policies: &str) -> String {
    let end = humantime::format_rfc3339_seconds(SystemTime::now() + Duration::from_secs(3600));
    format!("policies: {policies}\nuntil: {end}\nreason: INC-7\nowner: oncall\n")
}

fn config_map(text: &str) -> Json {
    json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "podgate-switch", "namespace": "podgate-system"}, "data": {"switch": text}})
}

/// Asks until a pod that the policy refuses is allowed, or refused; what is said of the switch then.
async fn until_allowed(process: &Process, expected: bool) -> Option<String> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let response = process.ask("/validate", &review_of_bad_pod("u", "team")).await;
        if response["allowed"] == expected {
            return response["auditAnnotations"]["switch"].as_str().map(ToOwned::to_owned);
        }
        assert!(Instant::now() < deadline, "not {expected}: {response}\n{}", process.log());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_file_switches_policies_and_switches_them_back() {
    let arguments = ["--policy=policy.yaml", "--switch-file=switch.yaml", "--reload-interval=50ms"];
    let process = Process::start(&[("policy.yaml", POLICY)], &arguments);
    assert_eq!(until_allowed(&process, false).await, None);
    process.change("switch.yaml", &switch("'*'"));
    let note = until_allowed(&process, true).await.unwrap();
    assert!(note.starts_with("p is switched to Audit until 20") && note.ends_with(": INC-7"), "{note}");
    assert_eq!(process.metric("podgate_switch_active{policy=\"p\"}").await.to_string(), "1");
    // Policies that are read again stay switched.
    process.change("policy.yaml", &POLICY.replace("baseline", "restricted"));
    let reloaded = "podgate_policy_reload_total{result=\"changed\"}";
    while process.metric(reloaded).await < 1.0 {}
    until_allowed(&process, true).await;
    process.change("switch.yaml", &switch("[q]"));
    until_allowed(&process, false).await;
    assert_eq!(process.metric("podgate_switch_faulty").await.to_string(), "1");
    process.change("switch.yaml", &switch("[p]"));
    until_allowed(&process, true).await;
    let log = process.end();
    for line in [
        "ERROR policies are switched to Audit: they refuse, warn of and fill in nothing policies=\"*\"",
        "switch.yaml:1:12: policies: there is no SecurityPolicy \\\"q\\\"",
        "owner=\"oncall\"",
    ] {
        assert!(log.contains(line), "no {line} in\n{log}");
    }
}

/// In the cluster, by the watch of the one ConfigMap; while that is down, what was known last holds.
#[tokio::test]
async fn a_config_map_switches_policies_while_it_is_there() {
    let api = Api::start().await;
    api.put_namespace("team", &json!({}));
    let (folder, path) = api.kubeconfig();
    let kubeconfig = std::fs::read_to_string(path).unwrap();
    drop(folder);
    let files = [("kubeconfig", &*kubeconfig), ("policy.yaml", POLICY)];
    let process = Process::start(&files, &["--kubeconfig=kubeconfig", "--policy=policy.yaml"]);
    process.until_ready().await;
    assert_eq!(until_allowed(&process, false).await, None);
    api.put(PATH, config_map(&switch("[p]")));
    assert!(until_allowed(&process, true).await.is_some());
    let calls = api.calls("configmaps");
    let is_by_name = |call: &String| call.contains("fieldSelector=metadata.name%3Dpodgate-switch");
    assert!(!calls.is_empty() && calls.iter().all(is_by_name), "{calls:?}");
    api.fail(Verb::Watch, "configmaps", Fault::Status(500, "InternalError"));
    api.fail(Verb::List, "configmaps", Fault::Status(500, "InternalError"));
    api.end_watches(true);
    let up = "podgate_cluster_watch_up{resource=\"configmaps\"}";
    let deadline = Instant::now() + PATIENCE;
    while process.metric(up).await > 0.0 {
        assert!(Instant::now() < deadline, "{}", process.log());
    }
    assert!(until_allowed(&process, true).await.is_some());
    api.forget(PATH);
    api.mend();
    assert_eq!(until_allowed(&process, false).await, None);
    api.put(PATH, config_map(&switch("[p]").replace("reason", "reasons")));
    let deadline = Instant::now() + PATIENCE;
    while process.metric("podgate_switch_faulty").await < 1.0 {
        assert!(Instant::now() < deadline, "{}", process.log());
    }
    assert_eq!(until_allowed(&process, false).await, None);
    let log = process.end();
    assert!(log.contains("ConfigMap podgate-system/podgate-switch:3:1: reasons: unknown key"), "{log}");
}

#[tokio::test]
async fn one_config_map_is_followed_and_no_other() {
    let api = Api::start().await;
    let cluster = api.cluster().await;
    let (seen, conditions) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(Vec::new())));
    let task = tokio::spawn({
        let (seen, conditions) = (Arc::clone(&seen), Arc::clone(&conditions));
        async move {
            let changed = |content: Option<ConfigMapContent>| {
                let text = |content: ConfigMapContent| {
                    (
                        content.data.into_iter().map(|(key, value)| key + "=" + &value).collect::<String>(),
                        content.has_binary,
                    )
                };
                seen.lock().unwrap().push(content.map(text));
            };
            let observe = |event| conditions.lock().unwrap().push(event);
            match cluster.follow_config_map("podgate-system", SWITCH_CONFIG_MAP, changed, observe).await {}
        }
    });
    let last = |expected: Option<(&str, bool)>| {
        let expected = expected.map(|(text, has_binary)| (text.to_owned(), has_binary));
        seen.lock().unwrap().last() == Some(&expected)
    };
    until("none", || last(None)).await;
    api.put(
        "/api/v1/namespaces/podgate-system/configmaps/podgate",
        json!({"metadata": {"name": "podgate"}, "data": {"x": "y"}}),
    );
    api.put(PATH, config_map("a"));
    until("the first", || last(Some(("switch=a", false)))).await;
    assert_eq!(seen.lock().unwrap().len(), 2, "{seen:?}");
    let mut other = config_map("b");
    other["binaryData"] = json!({"k": "AA=="});
    api.put(PATH, other);
    until("the second", || last(Some(("switch=b", true)))).await;
    api.delete(PATH);
    until("its end", || last(None)).await;
    // What happens while nobody is told is seen by the next list.
    api.put(PATH, config_map("c"));
    until("the third", || last(Some(("switch=c", false)))).await;
    api.fail(Verb::Watch, "configmaps", Fault::Silence);
    api.end_watches(true);
    api.forget(PATH);
    api.compact();
    api.mend();
    until("the list", || last(None)).await;
    let of_resource = |event: &podgate::cluster::ClusterEvent| format!("{event:?}").contains("ConfigMap");
    assert!(conditions.lock().unwrap().iter().all(of_resource));
    assert_eq!(WatchedResource::ConfigMap.as_str(), "configmaps");
    task.abort();
}
