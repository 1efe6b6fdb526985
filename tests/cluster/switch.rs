//! The switch, with podgate's own rights: a ConfigMap that an operator makes in an emergency.
//!
//! Each test has a cluster of its own, since what is installed is the whole cluster's.

use std::time::{Duration, SystemTime};

use serde_json::Value as Json;

use crate::control_plane::{ControlPlane, Ended};
use crate::gate::{LABEL, bad_pod};
use crate::guards::{as_tenant, with_a_tenant};
use crate::installation::{OWN, manifests, start_as_shipped};
use crate::wait::eventually;

/// What an operator waits for at most.
const SOON: Duration = Duration::from_secs(2);

/// Makes the ConfigMap, as the page about emergencies has it.
fn switch(create: impl Fn(&[&str]) -> Ended, lasts: Duration) -> Ended {
    let end = humantime::format_rfc3339_seconds(SystemTime::now() + lasts);
    let text =
        format!("policies: [ml-restricted]\nuntil: {end}\nreason: INC-1234\nowner: oncall@example.com\n");
    let literal = format!("--from-literal=switch={text}");
    create(&["--namespace", OWN, "create", "configmap", "podgate-switch", &literal])
}

fn time(text: &Json) -> SystemTime {
    humantime::parse_rfc3339(text.as_str().unwrap()).unwrap()
}

#[test]
fn a_refused_pod_is_admitted_within_two_seconds_and_refused_again_after_the_end() {
    let Some(cluster) = ControlPlane::start_apart() else { return };
    cluster.kubectl(&["apply", "--kustomize", &manifests("base")]).succeeded();
    let mut podgate = start_as_shipped(&cluster, manifests("base/ml-restricted.yaml"));
    let namespace = cluster.namespace(&[LABEL]);
    cluster.await_refusal(&namespace, &bad_pod("bad"), "spec.hostIPC");
    switch(|arguments| cluster.kubectl(arguments), Duration::from_secs(15)).succeeded();
    eventually("a pod that the policy refuses", || {
        let ended = cluster.create(&bad_pod("bad"), &["--namespace", &namespace]);
        if ended.is_success { Ok(()) } else { Err(ended.errors) }
    });
    let event = cluster.audited("create", &namespace, "bad");
    let note = event["annotations"]["pods.podgate.dev/switch"].as_str().unwrap();
    assert!(note.starts_with("ml-restricted is switched to Audit until 20"), "{event:#}");
    // By the two clocks, which are one here: how long this test itself took for a pod says nothing.
    let made = time(&cluster.audited("create", OWN, "podgate-switch")["stageTimestamp"]);
    let told = podgate.await_log("policies are switched to Audit: they refuse, warn of and fill in nothing");
    let took = time(&told["timestamp"]).duration_since(made).unwrap_or_default();
    assert!(took <= SOON, "{took:?}");
    // It ends by itself, with the ConfigMap still there.
    cluster.await_refusal(&namespace, &bad_pod("later"), "spec.hostIPC");
    let ended = podgate.await_log("the switch has ended: policies hold as they are written");
    assert!(time(&ended["timestamp"]) >= time(&ended["until"]), "{ended}");
    assert!(time(&ended["timestamp"]).duration_since(time(&ended["until"])).unwrap() <= SOON, "{ended}");
    cluster.get(OWN, "configmap/podgate-switch");
    assert!(podgate.terminate().success());
}

#[test]
fn tenants_cannot_make_a_switch() {
    let Some(cluster) = ControlPlane::start(&[]) else { return };
    with_a_tenant(&cluster);
    let refused = switch(|arguments| as_tenant(&cluster, arguments), Duration::from_secs(60)).failed();
    assert!(refused.contains("podgate-installation-admin"), "{refused}");
    switch(|arguments| cluster.kubectl(arguments), Duration::from_secs(60)).succeeded();
    let patch =
        ["--namespace", OWN, "patch", "configmap/podgate-switch", "--patch", r#"{"data":{"switch":""}}"#];
    assert!(as_tenant(&cluster, &patch).failed().contains("podgate-installation-admin"));
}
