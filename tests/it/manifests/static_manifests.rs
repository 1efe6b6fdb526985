//! The policies for the disk of an API server: those that guard podgate, under names that the API has reserved for them.

use std::collections::BTreeSet;
use std::fs;

use serde_json::{Value as Json, json};

use super::{base, items, objects_of, the};
use crate::pods::of_repository;

/// The API server takes no other names from files.
const SUFFIX: &str = ".static.k8s.io";
const POLICY: &str = "ValidatingAdmissionPolicy";

fn on_disk(name: &str) -> Vec<Json> {
    let path = format!("manifests/static/{name}");
    objects_of(&path, &fs::read_to_string(of_repository(&path)).unwrap())
}

#[test]
fn the_api_server_is_told_to_read_them() {
    let [configuration] = &on_disk("admission.yaml")[..] else { panic!("one configuration") };
    assert_eq!(configuration["kind"], "AdmissionConfiguration");
    let [plugin] = items(&configuration["plugins"]) else { panic!("{configuration:#}") };
    // In this folder the API server takes only policies of this kind and their bindings.
    assert_eq!(plugin["name"], POLICY);
    assert_eq!(plugin["configuration"]["kind"], "ValidatingAdmissionPolicyConfiguration");
    assert_eq!(plugin["configuration"]["staticManifestsDir"], "/etc/kubernetes/podgate/policies");
}

#[test]
fn names_and_bindings_are_as_files_must_have_them() {
    let objects = on_disk("policies/podgate.yaml");
    let (mut policies, mut bound) = (BTreeSet::new(), BTreeSet::new());
    for object in &objects {
        let name = object["metadata"]["name"].as_str().unwrap();
        assert!(name.ends_with(SUFFIX), "{name}");
        assert!(object["spec"]["paramKind"].is_null() && object["spec"]["paramRef"].is_null(), "{name}");
        if object["kind"] == POLICY {
            assert_eq!(object["spec"]["failurePolicy"], "Fail");
            policies.insert(name);
        } else {
            assert_eq!(object["kind"], "ValidatingAdmissionPolicyBinding");
            assert_eq!(object["spec"]["validationActions"], json!(["Deny"]));
            bound.insert(object["spec"]["policyName"].as_str().unwrap());
        }
    }
    assert_eq!(policies.len(), 2);
    assert_eq!(policies, bound);
}

#[test]
fn every_guard_of_the_base_is_guarded() {
    let objects = on_disk("policies/podgate.yaml");
    let base = base();
    let guards = the(&objects, POLICY, &format!("podgate-guards{SUFFIX}"));
    let condition = guards["spec"]["matchConditions"][0]["expression"].as_str().unwrap();
    let named: BTreeSet<&str> = condition.split('"').skip(1).step_by(2).collect();
    let kinds = [POLICY, "ValidatingAdmissionPolicyBinding"];
    let of_base: BTreeSet<&str> = base
        .iter()
        .filter(|object| kinds.contains(&object["kind"].as_str().unwrap()))
        .map(|object| object["metadata"]["name"].as_str().unwrap())
        .collect();
    assert_eq!(named, of_base);
    let webhooks = the(&objects, POLICY, &format!("podgate-webhooks{SUFFIX}"));
    assert_eq!(webhooks["spec"], the(&base, POLICY, "podgate-webhooks")["spec"]);
}
