//! `podgate import psp`: what each field becomes, files at fault, several PodSecurityPolicies beside each other, and the example.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use podgate::psp::{ImportOptions, ImportSource, Imported, Outcome, import};
use serde_json::{Value as Json, json};

use crate::command::run;
use crate::pods::{annotated_files, json_of, of_repository};

/// A PodSecurityPolicy that asks for nothing: what a case says is set beside.
fn psp(name: &str, spec: &Json, annotations: &Json) -> Json {
    let any = json!({"rule": "RunAsAny"});
    let mut whole = json!({"privileged": true, "hostPID": true, "hostIPC": true, "hostNetwork": true,
        "hostPorts": [{"min": 0, "max": 65535}], "volumes": ["*"], "allowedCapabilities": ["*"],
        "allowedUnsafeSysctls": ["*"], "allowedProcMountTypes": ["Default", "Unmasked"],
        "seLinux": any, "runAsUser": any, "fsGroup": any, "supplementalGroups": any});
    for (key, value) in spec.as_object().into_iter().flatten() {
        whole[key] = value.clone();
    }
    let mut all = json!({"seccomp.security.alpha.kubernetes.io/allowedProfileNames": "*"});
    for (key, value) in annotations.as_object().into_iter().flatten() {
        all[key] = value.clone();
    }
    all.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    json!({"apiVersion": "policy/v1beta1", "kind": "PodSecurityPolicy",
        "metadata": {"name": name, "annotations": all}, "spec": whole})
}

/// A Role that lets somebody use a PodSecurityPolicy in `team`, bound to these service accounts.
fn rights(name: &str, accounts: &[&str]) -> Vec<Json> {
    let metadata = json!({"name": name, "namespace": "team"});
    let subjects: Vec<Json> = accounts
        .iter()
        .map(|account| json!({"kind": "ServiceAccount", "name": account, "namespace": "team"}))
        .collect();
    vec![
        json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": metadata, "rules":
            [{"apiGroups": ["policy"], "resources": ["podsecuritypolicies"], "resourceNames": [name], "verbs": ["use"]}]}),
        json!({"apiVersion": "rbac.authorization.k8s.io/v1beta1", "kind": "RoleBinding", "metadata": metadata,
            "subjects": subjects, "roleRef": {"kind": "Role", "name": name}}),
    ]
}

fn options() -> ImportOptions {
    ImportOptions {
        namespaces: vec!["team".to_owned()],
        owner: Some("platform".to_owned()),
        expires: "2099-12-31".to_owned(),
        reserved: vec!["kube-system".to_owned()],
        ..ImportOptions::default()
    }
}

fn imported(objects: &[Json], options: &ImportOptions) -> Result<Imported, Vec<String>> {
    let text = json!({"apiVersion": "v1", "kind": "List", "items": objects}).to_string();
    let sources = [ImportSource { name: "psp.yaml", text: &text }];
    import(&sources, options).map_err(|faults| faults.iter().map(ToString::to_string).collect())
}

/// The policies by name.
fn policies(text: &str) -> BTreeMap<String, Json> {
    let read =
        text.split("\n---\n").map(|text| serde_json::from_slice::<Json>(&json_of("policies", text)).unwrap());
    read.map(|policy| (policy["metadata"]["name"].as_str().unwrap().to_owned(), policy["spec"].clone()))
        .collect()
}

fn controls(spec: &Json, annotations: &Json) -> Json {
    let made = imported(&[psp("p", spec, annotations)], &options()).unwrap();
    policies(&made.policies)["p"]["controls"].clone()
}

const SECCOMP_ALLOWED: &str = "seccomp.security.alpha.kubernetes.io/allowedProfileNames";
const SECCOMP_DEFAULT: &str = "seccomp.security.alpha.kubernetes.io/defaultProfileName";
const APP_ARMOR_ALLOWED: &str = "apparmor.security.beta.kubernetes.io/allowedProfileNames";
const APP_ARMOR_DEFAULT: &str = "apparmor.security.beta.kubernetes.io/defaultProfileName";

/// What is refused of every pod.
fn is_refusing(controls: &Json) -> bool {
    controls["runAsUserRanges"]["ranges"] == json!([{"min": 0, "max": 0}])
        && controls["nonRootUsers"].is_object()
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn each_field_becomes_a_control() {
    let must = |ranges: Json| json!({"rule": "MustRunAs", "ranges": ranges});
    for (spec, expected) in [
        (json!({"privileged": false}), json!({"privilegedContainers": {}})),
        (json!({"privileged": null, "hostPID": false}), json!({"privilegedContainers": {}, "hostPID": {}})),
        (json!({"hostIPC": false, "hostNetwork": false}), json!({"hostIPC": {}, "hostNetwork": {}})),
        (json!({"hostPorts": []}), json!({"hostPortRanges": {"allowed": []}})),
        (
            json!({"hostPorts": [{"min": 0, "max": 80}, {"min": 70, "max": 99999}, {"min": 9, "max": 8}]}),
            json!({"hostPortRanges": {"allowed": [{"min": 1, "max": 80}, {"min": 81, "max": 65535}]}}),
        ),
        (json!({"volumes": ["secret", "cephFS"]}), json!({"volumeTypes": {"allowed": ["cephfs", "secret"]}})),
        (json!({"volumes": []}), json!({"volumeTypes": {"allowed": [], "apiServerToken": "Listed"}})),
        (
            json!({"volumes": ["hostPath", "projected"], "allowedHostPaths": [
                {"pathPrefix": "/a/"}, {"pathPrefix": "/a/b", "readOnly": true}, {"pathPrefix": "/c", "readOnly": true}, {"pathPrefix": "d"}]}),
            json!({"volumeTypes": {"allowed": ["hostPath", "projected"]},
                "hostPaths": {"allowed": [{"prefix": "/a/"}, {"prefix": "/c", "readOnly": true}], "asWritten": true}}),
        ),
        (
            json!({"volumes": ["secret"], "allowedHostPaths": [{"pathPrefix": "/a"}], "allowedCSIDrivers": [{"name": "d"}]}),
            json!({"volumeTypes": {"allowed": ["secret"]}}),
        ),
        (
            json!({"volumes": ["csi", "flexVolume", "secret"], "allowedCSIDrivers": [{"name": "d.x"}, {"name": "d.x"}],
                "allowedFlexVolumes": [{"driver": "x/lvm"}]}),
            json!({"volumeTypes": {"allowed": ["csi", "flexVolume", "secret"]}, "csiDrivers": {"allowed": ["d.x"]},
                "flexVolumeDrivers": {"allowed": ["x/lvm"]}}),
        ),
        (json!({"allowedCapabilities": []}), json!({"capabilities": {}})),
        (
            json!({"allowedCapabilities": ["NET_ADMIN", "net_raw", "ALL"], "requiredDropCapabilities": ["cap_kill", "MKNOD", "FOO"],
                "defaultAddCapabilities": ["CHOWN", "SYS_ADMIN"]}),
            json!({"capabilities": {"allowed": ["NET_ADMIN", "SYS_ADMIN"], "requiredDrop": ["KILL", "MKNOD"],
                "defaultAdd": ["CHOWN"], "fillIn": true}}),
        ),
        (
            json!({"allowedCapabilities": ["*"], "defaultAddCapabilities": ["CHOWN"]}),
            json!({"capabilities": {"allowed": ["*"], "defaultAdd": ["CHOWN"]}}),
        ),
        (
            json!({"readOnlyRootFilesystem": true}),
            json!({"readOnlyRootFilesystem": {"fillIn": true, "mountTmp": false}}),
        ),
        (json!({"allowPrivilegeEscalation": false}), json!({"privilegeEscalation": {"fillIn": true}})),
        (
            json!({"defaultAllowPrivilegeEscalation": false}),
            json!({"privilegeEscalation": {"fillIn": true, "explicit": "Allowed"}}),
        ),
        (json!({"defaultAllowPrivilegeEscalation": true}), json!(null)),
        (json!({"allowedProcMountTypes": []}), json!({"procMountTypes": {"allowed": ["Default"]}})),
        (
            json!({"allowedUnsafeSysctls": ["kernel.msg*"], "forbiddenSysctls": ["net.*"]}),
            json!({"sysctlNames": {"allowed": ["kernel.shm_rmid_forced", "kernel.msg*"], "forbidden": ["net.*"]}}),
        ),
        (json!({"forbiddenSysctls": ["kernel.*"]}), json!({"sysctlNames": {"forbidden": ["kernel.*"]}})),
        (
            json!({"runtimeClass": {"allowedRuntimeClassNames": ["*"], "defaultRuntimeClassName": "gvisor"}}),
            json!({"runtimeClasses": {"allowed": ["*"], "default": "gvisor"}}),
        ),
        (json!({"runtimeClass": {}}), json!({"runtimeClasses": {"allowed": []}})),
        (json!({"runAsUser": {"rule": "MustRunAsNonRoot"}}), json!({"nonRootUsers": {"fillIn": true}})),
        (
            json!({"runAsUser": must(json!([{"min": 5, "max": 9}, {"min": 1, "max": 9999999999i64}]))}),
            json!({"runAsUserRanges": {"ranges": [{"min": 5, "max": 9}, {"min": 1, "max": 4}, {"min": 10, "max": 2147483647}],
                "default": "Lowest"}}),
        ),
        (
            json!({"runAsUser": must(json!([{"min": 0, "max": 0}]))}),
            json!({"runAsUserRanges": {"ranges": [{"min": 0, "max": 0}]}}),
        ),
        (
            json!({"runAsGroup": {"rule": "MayRunAs", "ranges": [{"min": 1, "max": 2}]}, "fsGroup": must(json!([{"min": 0, "max": 2}])),
                "supplementalGroups": must(json!([{"min": 7, "max": 7}]))}),
            json!({"runAsGroupRanges": {"ranges": [{"min": 1, "max": 2}], "required": false},
                "fsGroupRanges": {"ranges": [{"min": 0, "max": 2}], "default": "Lowest"},
                "supplementalGroupRanges": {"ranges": [{"min": 7, "max": 7}], "default": "Lowest"}}),
        ),
        (
            json!({"seLinux": {"rule": "MustRunAs", "seLinuxOptions": {"level": "s0:c1"}}}),
            json!({"seLinuxLabels": {"types": [], "users": [], "roles": [], "levels": ["s0:c1"], "default": {"level": "s0:c1"},
                "wholeDefault": true}}),
        ),
    ] {
        let base = controls(&json!({}), &json!({SECCOMP_ALLOWED: ""}));
        let mut found = controls(&spec, &json!({SECCOMP_ALLOWED: ""}));
        found.as_object_mut().unwrap().retain(|id, control| base.get(id) != Some(control));
        let expected = if expected.is_null() { json!({}) } else { expected };
        assert_eq!(found, expected, "{spec}");
    }
}

#[test]
fn annotations_become_controls() {
    let all = json!(["RuntimeDefault", "Localhost", "Unconfined"]);
    for (annotations, id, expected) in [
        (json!({SECCOMP_ALLOWED: null}), "seccompProfiles", json!({"allowed": ["RuntimeDefault"]})),
        (json!({SECCOMP_ALLOWED: ""}), "seccompProfiles", json!({"allowed": []})),
        (
            json!({SECCOMP_ALLOWED: "docker/default,localhost/a.json", SECCOMP_DEFAULT: "runtime/default"}),
            "seccompProfiles",
            json!({"allowed": ["RuntimeDefault", "Localhost"], "localhost": ["a.json"], "default": "RuntimeDefault"}),
        ),
        (
            json!({SECCOMP_ALLOWED: "runtime/default", SECCOMP_DEFAULT: "unconfined"}),
            "seccompProfiles",
            json!({"allowed": ["RuntimeDefault"], "required": true, "podRequired": true}),
        ),
        (
            json!({SECCOMP_DEFAULT: "localhost/a.json"}),
            "seccompProfiles",
            json!({"allowed": all, "default": "Localhost", "defaultLocalhost": "a.json"}),
        ),
        (json!({SECCOMP_ALLOWED: "runtime/default,*"}), "seccompProfiles", json!(null)),
        (
            json!({APP_ARMOR_DEFAULT: "runtime/default"}),
            "appArmorProfiles",
            json!({"allowed": all, "default": "RuntimeDefault"}),
        ),
        (
            json!({SECCOMP_ALLOWED: "localhost/a.json,localhost//abs.json,localhost/../b.json"}),
            "seccompProfiles",
            json!({"allowed": ["Localhost"], "localhost": ["a.json"], "required": true, "podRequired": true}),
        ),
        (
            json!({APP_ARMOR_ALLOWED: "localhost//usr/bin/a"}),
            "appArmorProfiles",
            json!({"allowed": ["Localhost"], "localhost": ["/usr/bin/a"], "required": true}),
        ),
        (
            json!({APP_ARMOR_ALLOWED: "localhost/a,localhost/*"}),
            "appArmorProfiles",
            json!({"allowed": ["Localhost"], "localhost": ["a"], "required": true}),
        ),
    ] {
        assert_eq!(controls(&json!({}), &annotations)[id], expected, "{annotations}");
    }
}

#[test]
fn what_let_no_pod_pass_lets_none_pass() {
    for (spec, annotations) in [
        (json!({"runAsUser": {"rule": "MustRunAs"}}), json!({})),
        (json!({"fsGroup": {"rule": "MayRunAs"}}), json!({})),
        (json!({"supplementalGroups": {"rule": "MustRunAs", "ranges": []}}), json!({})),
        (json!({"seLinux": {"rule": "MustRunAs"}}), json!({})),
        (json!({"seLinux": {"rule": "MustRunAs", "seLinuxOptions": {"type": "*"}}}), json!({})),
        (json!({"allowedProcMountTypes": ["Unmasked"]}), json!({})),
        (json!({}), json!({SECCOMP_ALLOWED: null, SECCOMP_DEFAULT: "runtime/default"})),
        (json!({}), json!({SECCOMP_ALLOWED: "", SECCOMP_DEFAULT: "runtime/default"})),
        (json!({}), json!({APP_ARMOR_ALLOWED: ""})),
    ] {
        let found = controls(&spec, &annotations);
        assert!(is_refusing(&found), "{spec} {annotations}: {found}");
    }
}

#[test]
fn files_at_fault_are_told_in_their_place() {
    let cases = annotated_files("tests/fixtures/psp-import/faulty");
    assert!(cases.len() >= 4);
    for (name, text, expected) in cases {
        let sources = [ImportSource { name: "a.yaml", text: &text }];
        let faults = import(&sources, &options()).expect_err(&name);
        let found: Vec<String> = faults.iter().map(ToString::to_string).collect();
        let expected: Vec<String> = expected.iter().map(|fault| format!("a.yaml:{fault}")).collect();
        assert_eq!(found, expected, "{name}");
    }
}

#[test]
fn where_they_hold_is_said_by_bindings_or_by_options() {
    let none = ImportOptions { namespaces: Vec::new(), ..options() };
    let strict = psp("strict", &json!({"privileged": false}), &json!({}));
    let without = imported(std::slice::from_ref(&strict), &none).unwrap_err();
    assert_eq!(
        without,
        [
            "no RoleBinding says in which namespaces a PodSecurityPolicy could be used: give --namespaces or --namespace-selector"
        ]
    );
    let bound: Vec<Json> = rights("strict", &["a"]).into_iter().chain([strict.clone()]).collect();
    let made = imported(&bound, &none).unwrap();
    assert_eq!(policies(&made.policies)["strict"]["match"], json!({"namespaces": ["team"]}));
    let elsewhere = ImportOptions { namespaces: vec!["other".to_owned()], ..options() };
    let refused = imported(&bound, &elsewhere).unwrap_err();
    assert!(
        refused[0].starts_with("no PodSecurityPolicy could be used in the namespace \"other\""),
        "{refused:?}"
    );
    let labelled = ImportOptions { namespace_selector: Some(("policy".to_owned(), "x".to_owned())), ..none };
    let made = imported(&[strict], &labelled).unwrap();
    let scope = json!({"namespaceSelector": {"matchLabels": {"policy": "x"}}});
    assert_eq!(policies(&made.policies)["strict"]["match"], scope);
}

/// The one that everybody may use is the policy; what is stricter adds nothing, and what others allow is not laxer.
#[test]
fn what_everybody_could_use_is_the_policy() {
    let mut objects = vec![
        psp("strict", &json!({"privileged": false, "hostPID": false}), &json!({})),
        psp("open", &json!({"privileged": false}), &json!({})),
    ];
    objects.extend(rights("strict", &["a"]));
    objects.push(json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "r"}, "rules":
        [{"apiGroups": ["*"], "resources": ["*"], "resourceNames": ["open"], "verbs": ["*"]}]}));
    objects.push(json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": "r"},
        "subjects": [{"kind": "Group", "name": "system:authenticated"}], "roleRef": {"kind": "ClusterRole", "name": "r"}}));
    let made = imported(&objects, &options()).unwrap();
    assert_eq!(policies(&made.policies).keys().collect::<Vec<_>>(), ["open"]);
    assert!(made.report.to_string().contains("allows nothing that open does not allow"), "{}", made.report);
}

/// Neither allows all that the other does: both hold.
#[test]
fn the_roles_of_two_policies_do_not_take_each_others_place() {
    let mut objects = vec![
        psp("one", &json!({"hostPID": false}), &json!({})),
        psp("two", &json!({"hostIPC": false}), &json!({})),
        psp("open", &json!({}), &json!({})),
    ];
    for name in ["one", "two", "open"] {
        objects.extend(rights(name, &["a"]));
    }
    let made = imported(&objects, &options()).unwrap();
    let roles = made.policies.lines().filter(|line| line.starts_with("# metadata: {name: podgate-psp-open"));
    let names: BTreeSet<&str> = roles.clone().collect();
    // Of each policy a Role and its RoleBinding.
    assert_eq!((roles.count(), names.len()), (4, 2), "{}", made.policies);
}

#[test]
fn of_two_that_are_not_ordered_both_hold() {
    let mut objects = vec![
        psp("one", &json!({"hostPID": false}), &json!({})),
        psp("two", &json!({"hostIPC": false}), &json!({})),
    ];
    objects.extend(rights("one", &["a"]));
    objects.extend(rights("two", &["a"]));
    let made = imported(&objects, &options()).unwrap();
    assert_eq!(policies(&made.policies).keys().collect::<Vec<_>>(), ["one", "two"]);
    let stricter = made
        .report
        .notes
        .iter()
        .filter(|note| note.outcome == Outcome::Stricter && note.field == "beside others");
    assert_eq!(stricter.count(), 4, "{}", made.report);
    assert!(!made.policies.contains("exceptions"), "{}", made.policies);
}

#[test]
fn the_example_is_the_shipped_policy() {
    let ended = run(&of_repository(""), &["import", "psp", "examples/psp/ml-workload.yaml"], "").with(0);
    let shipped = fs::read_to_string(of_repository("policies/ml-workload-psp.yaml")).unwrap();
    // Editors are told of the schema besides.
    let (schema, policy) = shipped.split_once('\n').unwrap();
    assert!(schema.contains("yaml-language-server"), "{schema}");
    assert_eq!(ended.output, policy);
    assert!(ended.errors.contains("ml-workload-psp\n  carried over    privileged: "), "{}", ended.errors);
    assert!(ended.errors.contains("\n  laxer           seccomp"), "{}", ended.errors);
}

#[test]
fn the_command_reads_files_and_standard_input() {
    let folder = tempfile::tempdir().unwrap();
    let text = psp("p", &json!({}), &json!({})).to_string();
    let of_input = run(folder.path(), &["import", "psp", "-", "--namespaces", "a,b"], &text).with(0);
    assert!(of_input.output.contains("namespaces: [a, b]"), "{}", of_input.output);
    let wrong = run(folder.path(), &["import", "psp", "-", "--namespaces", "a,b"], "kind: Pod\n").with(2);
    assert!(wrong.errors.contains("-:1:1: expected an object with apiVersion and kind"), "{}", wrong.errors);
    for flags in [&["--expires", "soon"][..], &["--namespace-selector", "x"], &["--namespaces", "A"]] {
        let arguments: Vec<&str> = ["import", "psp", "-"].iter().chain(flags).copied().collect();
        run(folder.path(), &arguments, &text).with(2);
    }
    let missing = run(folder.path(), &["import", "psp", "none.yaml"], "").with(2);
    assert!(missing.errors.contains("none.yaml"), "{}", missing.errors);
}
