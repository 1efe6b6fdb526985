//! Guards that are no objects of the API: `manifests/static` on an API server that reads them from its disk, tried by
//! somebody with every right on webhook configurations and admission policies.

use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::json;
use tempfile::TempDir;

use crate::control_plane::ControlPlane;
use crate::guards::{as_tenant, with_a_tenant};
use crate::installation::manifests;
use crate::own_rights::{
    ADMIN, BUNDLE, MUTATING, ONLY_BUNDLES, VALIDATING, forbidden, give_rights_on_admission, set,
};
use crate::wait::eventually;

/// Where the shipped file looks for policies.
const FOLDER: &str = "/etc/kubernetes/podgate";

/// The names that podgate's guards have in the API.
const GUARDS: [&str; 4] =
    ["podgate-policy-label", "podgate-installation", "podgate-webhooks", "podgate-service-account"];

/// The shipped files, as they would be on the machine of an API server.
fn on_disk() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let shipped = Path::new(&manifests("static")).to_owned();
    fs::create_dir(folder.path().join("policies")).unwrap();
    fs::copy(shipped.join("policies/podgate.yaml"), folder.path().join("policies/podgate.yaml")).unwrap();
    let configuration = fs::read_to_string(shipped.join("admission.yaml")).unwrap();
    assert!(configuration.contains(FOLDER), "{configuration}");
    let here = configuration.replace(FOLDER, folder.path().to_str().unwrap());
    fs::write(folder.path().join("admission.yaml"), here).unwrap();
    folder
}

#[test]
fn nobody_can_remove_the_guards_through_the_api() {
    let folder = on_disk();
    let configuration = folder.path().join("admission.yaml");
    let flags = ["--admission-control-config-file", configuration.to_str().unwrap()];
    let Some(cluster) = ControlPlane::start(&flags) else { return };
    with_a_tenant(&cluster);
    give_rights_on_admission(&cluster);
    eventually("the tenant's rights", || {
        let ended = as_tenant(&cluster, &["get", "validatingadmissionpolicies"]);
        if ended.is_success { Ok(()) } else { Err(ended.errors) }
    });
    let metrics = cluster.kubectl(&["get", "--raw=/metrics"]).succeeded();
    assert!(metrics.contains("apiserver_manifest_admission_config_controller_automatic_reloads_total{"));
    let refused = |arguments: &[&str], reason: &str| {
        let errors = as_tenant(&cluster, arguments).failed();
        assert!(errors.contains(reason) && errors.contains(".static.k8s.io"), "{arguments:?}: {errors}");
    };
    for name in GUARDS {
        let (policy, binding) =
            (format!("validatingadmissionpolicy/{name}"), format!("validatingadmissionpolicybinding/{name}"));
        for object in [&policy, &binding] {
            refused(&["delete", object], ADMIN);
            refused(&["annotate", object, "a=b"], ADMIN);
        }
        let ignore = set("/spec/failurePolicy", json!("Ignore")).to_string();
        refused(&["patch", &policy, "--type=json", "--patch", &ignore], ADMIN);
        let audit = set("/spec/validationActions", json!(["Audit"])).to_string();
        refused(&["patch", &binding, "--type=json", "--patch", &audit], ADMIN);
    }
    for kind in ["validatingadmissionpolicies", "validatingadmissionpolicybindings"] {
        refused(&["delete", kind, "--all"], ADMIN);
    }
    // The guard of the webhooks in the API is gone here, with the right: the one on disk is enough.
    cluster.kubectl(&["delete", "validatingadmissionpolicybinding/podgate-webhooks"]).succeeded();
    eventually("the end of the guard in the API", || {
        let ended = as_tenant(&cluster, &["delete", MUTATING, "--dry-run=server"]);
        if ended.errors.contains(".static.k8s.io") { Ok(()) } else { Err(format!("{ended:?}")) }
    });
    for object in [VALIDATING, MUTATING] {
        refused(&["delete", object], ONLY_BUNDLES);
        for patch in forbidden() {
            refused(&["patch", object, "--type=json", "--patch", &patch.to_string()], ONLY_BUNDLES);
        }
        let bundle = set("/webhooks/0/clientConfig/caBundle", json!(BASE64.encode(BUNDLE))).to_string();
        as_tenant(&cluster, &["patch", object, "--type=json", "--patch", &bundle]).succeeded();
    }
    // What is not podgate's is nobody's business, and podgate can be uninstalled by who may.
    let other = "apiVersion: admissionregistration.k8s.io/v1\nkind: ValidatingAdmissionPolicyBinding\n\
                 metadata: {name: other}\nspec: {policyName: other, validationActions: [Deny]}\n";
    cluster.kubectl_with(&["create", "--filename=-", "--as=tenant"], other).succeeded();
    as_tenant(&cluster, &["delete", "validatingadmissionpolicybinding/other"]).succeeded();
    cluster.kubectl(&["delete", "--ignore-not-found", "--kustomize", &manifests("base")]).succeeded();
}
