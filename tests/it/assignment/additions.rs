//! What security policies make of what an identity adds: containers are filled in at once, and what will be refused is told.

use podgate::admission::Webhook;
use serde_json::{Value as Json, json};

use super::{Case, TEAM, has_all, policy, trainer, trainers};

const PROXY: &str = "azure.workload.identity/inject-proxy-sidecar";

/// A SecurityPolicy for the team, with more in its `spec`.
fn security(spec: &str) -> String {
    format!(
        "---\napiVersion: podgate.dev/v1alpha1\nkind: SecurityPolicy\nmetadata: {{name: files}}\n\
         spec: {{match: {{namespaces: [{TEAM}]}}, {spec}}}\n"
    )
}

/// A trainer that asks for the proxy, in order but for what can be filled in.
fn with_proxy() -> Json {
    let mut pod = trainer("default");
    pod["metadata"]["annotations"] = json!({ PROXY: "true" });
    pod
}

fn context(pod: &Json, list: &str, name: &str) -> Json {
    let containers = pod["spec"][list].as_array().unwrap();
    let found = containers.iter().find(|container| container["name"] == name);
    found.unwrap_or_else(|| panic!("no {name} in {pod:#}"))["securityContext"].clone()
}

#[test]
fn injected_containers_are_filled_in_by_the_same_patch() {
    let restricted = "standard: {enforce: 'restricted:latest'}, defaults: {securityContext: Restricted}";
    let case = Case::new(&format!("{}{}", trainers("", ""), security(restricted)));
    let pod = case.mutated(&with_proxy()).pod.unwrap();
    let seccomp = json!({"type": "RuntimeDefault"});
    for (list, name) in
        [("initContainers", "azwi-proxy"), ("initContainers", "azwi-proxy-init"), ("containers", "main")]
    {
        assert_eq!(context(&pod, list, name)["seccompProfile"], seccomp, "{name}");
    }
    // What the proxy says itself stays.
    let init = context(&pod, "initContainers", "azwi-proxy-init");
    assert_eq!(
        init,
        json!({
            "capabilities": {"add": ["NET_ADMIN"], "drop": ["ALL"]},
            "privileged": true,
            "runAsNonRoot": false,
            "runAsUser": 0,
            "seccompProfile": seccomp,
        })
    );
    assert_eq!(context(&pod, "initContainers", "azwi-proxy")["readOnlyRootFilesystem"], true);
    // What the pod says for all of its containers is not repeated in them.
    let mut of_pod = with_proxy();
    of_pod["spec"]["securityContext"] = json!({"seccompProfile": seccomp});
    let pod = case.mutated(&of_pod).pod.unwrap();
    assert_eq!(context(&pod, "initContainers", "azwi-proxy")["seccompProfile"], Json::Null);
    // Where nothing is filled in, nothing is added to them either.
    let laxer = security("standard: {enforce: 'restricted:latest'}, defaults: {securityContext: Off}");
    let case = Case::new(&format!("{}{laxer}", trainers("", "")));
    let pod = case.mutated(&with_proxy()).pod.unwrap();
    assert_eq!(context(&pod, "initContainers", "azwi-proxy")["seccompProfile"], Json::Null);
}

#[test]
fn what_a_security_policy_will_refuse_of_an_identity_is_told_at_once() {
    let volumes = "controls: {volumeTypes: {allowed: [configMap, secret]}}";
    let restricted = "standard: {enforce: 'restricted:latest'}, defaults: {securityContext: Restricted}";
    let without_volume = ["files refuses the identity's token volume (volumeTypes)", "have it allowed there"];
    let proxy = ["files refuses the container azwi-proxy-init of the identity", "privileged"];
    for (what, more, spec, pod, is_refused, fragments) in [
        ("volumes", "", volumes.to_owned(), trainer("default"), true, &without_volume[..]),
        ("only warned of", "", format!("{volumes}, mode: Warn"), trainer("default"), false, &[]),
        ("allowed", "", volumes.replace("secret", "projected"), trainer("default"), false, &[]),
        ("proxy", "", restricted.to_owned(), with_proxy(), true, &proxy),
        ("no proxy", "", restricted.to_owned(), trainer("default"), false, &[]),
        ("trial", ", mode: DryRun", volumes.to_owned(), trainer("default"), false, &without_volume),
    ] {
        let case = Case::new(&format!("{}{}", trainers("", more), security(&spec)));
        let outcome = case.ask(Webhook::Mutate, &pod);
        let told: Vec<&String> =
            outcome.warnings.iter().filter(|warning| warning.contains(" refuses ")).collect();
        if fragments.is_empty() {
            assert_eq!(told, [""; 0], "{what}");
        } else {
            let [told] = told.as_slice() else { panic!("{what}: {outcome:?}") };
            has_all(told, fragments);
        }
        let after = outcome.pod.as_ref().unwrap_or(&pod);
        let validated = case.ask(Webhook::Validate, after);
        assert_eq!(validated.code == 403, is_refused, "{what}: {validated:?}");
    }
    // A pod that asks by its label, and no policy: the same.
    let mut labelled = trainer("trainer-wi");
    labelled["metadata"]["labels"][super::USE] = "true".into();
    let outcome = Case::new(&security(volumes)).ask(Webhook::Mutate, &labelled);
    has_all(&outcome.warnings.join("\n"), &without_volume);
    // The name of a policy is whatever its author likes.
    let long = security(volumes).replace("name: files", &format!("name: {}", "f".repeat(63)));
    let outcome = Case::new(&format!(
        "{}{long}",
        policy(
            "p",
            "{namespaces: [ml-team-a]}",
            "identity: {provider: azure, serviceAccountName: trainer-wi}"
        )
    ))
    .ask(Webhook::Mutate, &trainer("default"));
    has_all(&outcome.warnings.join("\n"), &["volumeTypes", "have it allowed there"]);
}
