//! PodSecurityPolicies: those of `tests/fixtures/pod_security_policies.yaml`, which have every field, strategy and
//! annotation, and generated ones, which combine them.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Map, Value as Json, json};

use crate::random::Random;

/// Fields of `spec`, and the annotations that PodSecurityPolicy knew.
pub(crate) const FIELDS: [&str; 28] = [
    "allowPrivilegeEscalation",
    "allowedCSIDrivers",
    "allowedCapabilities",
    "allowedFlexVolumes",
    "allowedHostPaths",
    "allowedProcMountTypes",
    "allowedUnsafeSysctls",
    "apparmor.security.beta.kubernetes.io/allowedProfileNames",
    "apparmor.security.beta.kubernetes.io/defaultProfileName",
    "defaultAddCapabilities",
    "defaultAllowPrivilegeEscalation",
    "forbiddenSysctls",
    "fsGroup",
    "hostIPC",
    "hostNetwork",
    "hostPID",
    "hostPorts",
    "privileged",
    "readOnlyRootFilesystem",
    "requiredDropCapabilities",
    "runAsGroup",
    "runAsUser",
    "runtimeClass",
    "seLinux",
    "seccomp.security.alpha.kubernetes.io/allowedProfileNames",
    "seccomp.security.alpha.kubernetes.io/defaultProfileName",
    "supplementalGroups",
    "volumes",
];

/// What the names of generated policies begin with.
pub(crate) const GENERATED: &str = "generated-";

/// What a generated policy may say of each: as JSON, several times where it is to come more often.
const CHOICES: [(&str, &[&str]); 24] = [
    ("privileged", &["true", "false"]),
    ("allowPrivilegeEscalation", &["true", "false"]),
    ("defaultAllowPrivilegeEscalation", &["false"]),
    ("hostPID", &["true", "false"]),
    ("hostIPC", &["true", "false"]),
    ("hostNetwork", &["true", "false"]),
    (
        "hostPorts",
        &[
            "[]",
            r#"[{"min":0,"max":65535}]"#,
            r#"[{"min":8000,"max":8010}]"#,
            r#"[{"min":80,"max":80},{"min":443,"max":443}]"#,
        ],
    ),
    (
        "volumes",
        &[
            r#"["*"]"#,
            r#"["configMap","emptyDir","projected","secret","downwardAPI","persistentVolumeClaim"]"#,
            r#"["secret","hostPath","emptyDir"]"#,
            r#"["csi","flexVolume","secret","ephemeral"]"#,
            r#"["hostPath","csi","flexVolume"]"#,
        ],
    ),
    (
        "allowedHostPaths",
        &[
            r#"[{"pathPrefix":"/data"}]"#,
            r#"[{"pathPrefix":"/models","readOnly":true},{"pathPrefix":"/models/cache"}]"#,
        ],
    ),
    ("allowedCSIDrivers", &[r#"[{"name":"csi.example.com"}]"#]),
    ("allowedFlexVolumes", &[r#"[{"driver":"example.com/lvm"}]"#]),
    ("allowedCapabilities", &[r#"["*"]"#, r#"["NET_BIND_SERVICE"]"#, r#"["IPC_LOCK","SYS_PTRACE"]"#]),
    ("requiredDropCapabilities", &[r#"["ALL"]"#, r#"["NET_RAW","MKNOD"]"#]),
    ("defaultAddCapabilities", &[r#"["SYS_NICE"]"#]),
    ("readOnlyRootFilesystem", &["true", "false"]),
    ("allowedProcMountTypes", &[r#"["Default"]"#, r#"["Default","Unmasked"]"#]),
    ("allowedUnsafeSysctls", &[r#"["*"]"#, r#"["kernel.msg*","net.core.somaxconn"]"#]),
    ("forbiddenSysctls", &[r#"["net.ipv4.*"]"#, r#"["kernel.shm_rmid_forced"]"#]),
    (
        "runtimeClass",
        &[
            r#"{"allowedRuntimeClassNames":["gvisor","kata"],"defaultRuntimeClassName":"kata"}"#,
            r#"{"allowedRuntimeClassNames":["*"]}"#,
        ],
    ),
    (
        "seLinux",
        &[
            r#"{"rule":"RunAsAny"}"#,
            r#"{"rule":"MustRunAs","seLinuxOptions":{"level":"s0:c1,c2"}}"#,
            r#"{"rule":"MustRunAs","seLinuxOptions":{"type":"container_t","user":"system_u"}}"#,
        ],
    ),
    (
        "runAsUser",
        &[
            r#"{"rule":"RunAsAny"}"#,
            r#"{"rule":"MustRunAsNonRoot"}"#,
            r#"{"rule":"MustRunAs","ranges":[{"min":1000,"max":65535}]}"#,
            r#"{"rule":"MustRunAs","ranges":[{"min":5000,"max":5000},{"min":1,"max":10}]}"#,
        ],
    ),
    (
        "runAsGroup",
        &[
            r#"{"rule":"RunAsAny"}"#,
            r#"{"rule":"MayRunAs","ranges":[{"min":1,"max":100}]}"#,
            r#"{"rule":"MustRunAs","ranges":[{"min":1,"max":65535}]}"#,
        ],
    ),
    (
        "supplementalGroups",
        &[
            r#"{"rule":"RunAsAny"}"#,
            r#"{"rule":"MayRunAs","ranges":[{"min":1,"max":100}]}"#,
            r#"{"rule":"MustRunAs","ranges":[{"min":5,"max":10},{"min":1,"max":3}]}"#,
        ],
    ),
    (
        "fsGroup",
        &[
            r#"{"rule":"RunAsAny"}"#,
            r#"{"rule":"MayRunAs","ranges":[{"min":1,"max":100}]}"#,
            r#"{"rule":"MustRunAs","ranges":[{"min":1,"max":65535}]}"#,
        ],
    ),
];
/// Those that the API demands.
const DEMANDED: [&str; 4] = ["seLinux", "runAsUser", "supplementalGroups", "fsGroup"];
/// Annotations that go together: of seccomp and of AppArmor, allowed profiles and the default one.
const SECCOMP: [(&str, &str); 5] = [
    ("*", ""),
    ("runtime/default", "runtime/default"),
    ("runtime/default,localhost/a.json", "runtime/default"),
    ("docker/default", ""),
    ("unconfined,runtime/default", "unconfined"),
];
const APP_ARMOR: [(&str, &str); 3] = [
    ("runtime/default", "runtime/default"),
    ("runtime/default,localhost/p", "localhost/p"),
    ("localhost/p", ""),
];

/// The policies of the fixture, in its order.
pub(crate) fn written() -> Vec<Json> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/pod_security_policies.yaml");
    let text = std::fs::read_to_string(path).unwrap();
    let documents = podgate::yaml::read(&text);
    let read = documents.iter().map(|document| {
        let document = document.as_ref().unwrap_or_else(|error| panic!("{error:?}"));
        serde_json::from_slice(&document.root.to_json()).unwrap()
    });
    let psps: Vec<Json> = read.collect();
    let mut fields = BTreeSet::new();
    for psp in &psps {
        for part in [&psp["spec"], &psp["metadata"]["annotations"]] {
            fields.extend(part.as_object().into_iter().flatten().map(|(field, _)| field.as_str()));
        }
    }
    assert_eq!(fields, BTreeSet::from(FIELDS), "a field without a policy, or the other way round");
    psps
}

/// A policy that says something of many fields.
pub(crate) fn generated(random: &mut Random, name: &str) -> Json {
    let density = *random.pick(&[20, 50, 80]);
    let mut spec = Map::new();
    for (field, choices) in CHOICES {
        if DEMANDED.contains(&field) || random.percent(density) {
            spec.insert(field.to_owned(), serde_json::from_str(random.pick::<&str>(choices)).unwrap());
        }
    }
    // What the API does not take.
    if spec.get("allowedCapabilities") == Some(&json!(["*"])) {
        spec.remove("requiredDropCapabilities");
    }
    if spec.get("allowedUnsafeSysctls") == Some(&json!(["*"])) {
        spec.remove("forbiddenSysctls");
    }
    let mut annotations = Map::new();
    for (domain, pairs) in
        [("seccomp.security.alpha", &SECCOMP[..]), ("apparmor.security.beta", &APP_ARMOR[..])]
    {
        if random.percent(60) {
            let (allowed, default) = *random.pick(pairs);
            annotations.insert(format!("{domain}.kubernetes.io/allowedProfileNames"), allowed.into());
            if !default.is_empty() {
                annotations.insert(format!("{domain}.kubernetes.io/defaultProfileName"), default.into());
            }
        }
    }
    json!({ "apiVersion": "policy/v1beta1", "kind": "PodSecurityPolicy",
        "metadata": { "name": name, "annotations": annotations }, "spec": spec })
}
