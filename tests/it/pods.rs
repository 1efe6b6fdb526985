//! Pods for the tests of this folder: our own fixtures, Kubernetes' own where they are at hand, and generated ones.

use podgate::admission::{Answer, Reviewer, Unanswerable, Webhook};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use podgate::policy::Answers;
use podgate::yaml;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use proptest::test_runner::RngSeed;
use serde_json::{Map, Value as Json, json};

use crate::real_data::{self, FIXTURES};

/// How many fixtures Kubernetes has at least, of all its versions.
pub(crate) const LEAST_FIXTURES: usize = 4500;

/// A pod, or an object that carries one, in a file.
pub(crate) struct Fixture {
    /// The file, from the folder that was searched.
    pub(crate) name: String,
    /// The YAML.
    pub(crate) text: String,
    /// The same as JSON.
    pub(crate) json: Vec<u8>,
}

/// A file or folder of the repository.
pub(crate) fn of_repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The files under a folder with this extension, sorted.
pub(crate) fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(self::files(&path, extension));
        } else if path.extension().is_some_and(|of_file| of_file == extension) {
            files.push(path);
        }
    }
    files.sort();
    files
}

/// The pods that the controls are tested with.
pub(crate) fn own_fixtures() -> Vec<Fixture> {
    fixtures(&of_repository("tests/fixtures/controls"))
}

/// Kubernetes' own fixtures, each distinct content once; none where `PSS_FIXTURES` does not name their folder.
pub(crate) fn upstream_fixtures() -> Vec<Fixture> {
    let Some(folder) = real_data::folder(FIXTURES, "tests with Kubernetes' own fixtures") else {
        return Vec::new();
    };
    let mut seen = BTreeSet::new();
    let mut fixtures = fixtures(&folder);
    let files = fixtures.len();
    fixtures.retain(|fixture| seen.insert(fixture.text.clone()));
    assert!(
        files >= LEAST_FIXTURES && fixtures.len() >= 375,
        "only {files} fixtures, {} of them distinct, in {}",
        fixtures.len(),
        folder.display()
    );
    fixtures
}

fn fixtures(folder: &Path) -> Vec<Fixture> {
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).unwrap();
        let name = path.strip_prefix(folder).unwrap().display().to_string();
        Fixture { json: json_of(&name, &text), name, text }
    };
    files(folder, "yaml").into_iter().map(read).collect()
}

/// The JSON of the one document of a YAML text.
pub(crate) fn json_of(name: &str, text: &str) -> Vec<u8> {
    match yaml::read(text).as_slice() {
        [Ok(document)] => document.root.to_json(),
        documents => panic!("{name}: expected one document, found {documents:?}"),
    }
}

// ---- generated pods

/// The same cases on every run, unless `PROPTEST_CASES` or `PROPTEST_RNG_SEED` asks for others.
pub(crate) fn cases(cases: u32) -> ProptestConfig {
    let given = ProptestConfig::default();
    let is_given = std::env::var_os("PROPTEST_CASES").is_some();
    ProptestConfig {
        cases: if is_given { given.cases } else { cases },
        rng_seed: if given.rng_seed == RngSeed::Random { RngSeed::Fixed(7) } else { given.rng_seed },
        failure_persistence: None,
        ..given
    }
}

/// Pods with every field that some rule reads: absent, `null`, empty, good and bad; and some that none does.
///
/// They are what the API server takes apart without an error, not what it would admit.
pub(crate) fn any_pod() -> impl Strategy<Value = Json> {
    let parts = Parts {
        security: any_security_context(),
        of_pod: any_pod_security_context(),
        host_namespace: boolean(),
        host_port: one_of(vec![json!(0), json!(80), json!(-5), json!(i32::MAX)]),
        host: texts(&["", "127.0.0.1", "elsewhere.example"]),
        volume: volume(),
    };
    pod(parts)
}

/// Pods of which often nothing is wrong but what can be filled in, and at times something else.
pub(crate) fn mendable_pod() -> impl Strategy<Value = Json> {
    let volume = prop_oneof![20 => Just(json!({ "name": "v", "emptyDir": {} })), 1 => volume()];
    let parts = Parts {
        security: mendable_security_context(),
        of_pod: mendable_pod_security_context(),
        host_namespace: prop_oneof![30 => Just(json!(false)), 1 => Just(json!(true))].boxed(),
        host_port: prop_oneof![30 => Just(json!(0)), 1 => Just(json!(80))].boxed(),
        host: prop_oneof![60 => Just(json!("")), 1 => Just(json!("127.0.0.1"))].boxed(),
        volume: volume.boxed(),
    };
    pod(parts)
}

/// What the pods of a strategy differ in from those of another.
#[derive(Clone)]
struct Parts {
    security: BoxedStrategy<Json>,
    of_pod: BoxedStrategy<Json>,
    host_namespace: BoxedStrategy<Json>,
    host_port: BoxedStrategy<Json>,
    host: BoxedStrategy<Json>,
    volume: BoxedStrategy<Json>,
}

fn pod(parts: Parts) -> impl Strategy<Value = Json> {
    (metadata(), spec(parts)).prop_map(|(metadata, spec)| {
        json!({ "apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec, "status": { "phase": "Pending" } })
    })
}

/// An object of these members, each absent at times and `null` at times.
fn object(members: Vec<(&'static str, BoxedStrategy<Json>)>) -> BoxedStrategy<Json> {
    let members: Vec<_> = members
        .into_iter()
        .map(|(key, value)| {
            (Just(key), prop_oneof![4 => Just(None), 1 => Just(Some(Json::Null)), 5 => value.prop_map(Some)])
        })
        .collect();
    members
        .prop_map(|members| {
            members
                .into_iter()
                .filter_map(|(key, value)| Some((key.to_owned(), value?)))
                .collect::<Map<_, _>>()
                .into()
        })
        .boxed()
}

/// The same object with members that are always there.
fn with(
    members: Vec<(&'static str, BoxedStrategy<Json>)>,
    object: BoxedStrategy<Json>,
) -> BoxedStrategy<Json> {
    let members: Vec<_> = members.into_iter().map(|(key, value)| (Just(key), value)).collect();
    (members, object)
        .prop_map(|(members, mut object)| {
            for (key, value) in members {
                object[key] = value;
            }
            object
        })
        .boxed()
}

fn one_of(values: Vec<Json>) -> BoxedStrategy<Json> {
    select(values).boxed()
}

fn texts(values: &'static [&'static str]) -> BoxedStrategy<Json> {
    select(values).prop_map(Json::from).boxed()
}

fn boolean() -> BoxedStrategy<Json> {
    any::<bool>().prop_map(Json::from).boxed()
}

fn list(item: BoxedStrategy<Json>, most: usize) -> BoxedStrategy<Json> {
    prop::collection::vec(item, 0..=most).prop_map(Json::from).boxed()
}

/// A name as people choose it, and at times what nobody should.
fn name() -> BoxedStrategy<Json> {
    texts(&[
        "a",
        "b",
        "trainer",
        "sidecar",
        "",
        "q\"uote",
        "back\\slash",
        "sla/sh~tilde",
        "größe",
        "\u{1f600}",
    ])
}

fn metadata() -> BoxedStrategy<Json> {
    let labels =
        [("app", "trainer"), ("azure.workload.identity/use", "true"), ("a/b~c", "\u{e9}\n"), ("team", "")];
    let annotations = [
        ("container.apparmor.security.beta.kubernetes.io/a", "unconfined"),
        ("container.apparmor.security.beta.kubernetes.io/", "runtime/default"),
        ("container.seccomp.security.alpha.kubernetes.io/a", "unconfined"),
        ("seccomp.security.alpha.kubernetes.io/pod", "docker/default"),
        ("unrelated.example/a", "\"quoted\"\t\u{200b}"),
    ];
    object(vec![
        ("name", name()),
        ("generateName", texts(&["", "job-"])),
        ("namespace", texts(&["team-a"])),
        ("labels", members_of(&labels)),
        ("annotations", members_of(&annotations)),
        ("ownerReferences", list(owner(), 3)),
    ])
}

fn members_of(pairs: &[(&'static str, &'static str)]) -> BoxedStrategy<Json> {
    let most = pairs.len();
    subsequence(pairs.to_vec(), 0..=most)
        .prop_map(|pairs| {
            pairs
                .into_iter()
                .map(|(key, value)| (key.to_owned(), Json::from(value)))
                .collect::<Map<_, _>>()
                .into()
        })
        .boxed()
}

fn owner() -> BoxedStrategy<Json> {
    with(
        vec![("apiVersion", texts(&["batch/v1"])), ("uid", texts(&["7"]))],
        object(vec![("kind", texts(&["Job", "ReplicaSet"])), ("name", name()), ("controller", boolean())]),
    )
}

fn spec(parts: Parts) -> BoxedStrategy<Json> {
    let container = container(&parts);
    let Parts { of_pod, host_namespace, volume, .. } = parts;
    with(
        vec![("containers", list(container.clone(), 3))],
        object(vec![
            ("initContainers", list(container.clone(), 2)),
            ("ephemeralContainers", list(container, 1)),
            ("hostNetwork", host_namespace.clone()),
            ("hostPID", host_namespace.clone()),
            ("hostIPC", host_namespace),
            ("hostUsers", boolean()),
            ("os", object(vec![("name", texts(&["linux", "linux", "windows", "Windows", ""]))])),
            ("serviceAccountName", texts(&["", "default", "trainer-wi", "other"])),
            ("serviceAccount", texts(&["", "default", "trainer-wi", "other"])),
            ("securityContext", of_pod),
            ("volumes", list(volume, 3)),
            ("restartPolicy", texts(&["Always", "Never"])),
            ("automountServiceAccountToken", boolean()),
            ("resources", resources()),
            ("nodeSelector", members_of(&[("gpu", "a100"), ("a/b", "c")])),
            ("fieldOfTomorrow", one_of(vec![json!({ "a": [1, null, { "b": "c" }] }), json!("text")])),
        ]),
    )
}

fn container(parts: &Parts) -> BoxedStrategy<Json> {
    let handler = || handler(parts.host.clone());
    with(
        vec![("name", name())],
        object(vec![
            ("image", texts(&["", "registry.example/trainer:1", "busybox"])),
            ("ports", list(port(parts.host_port.clone()), 3)),
            ("volumeMounts", list(mount(), 2)),
            ("livenessProbe", handler()),
            ("readinessProbe", handler()),
            ("startupProbe", handler()),
            ("lifecycle", object(vec![("postStart", handler()), ("preStop", handler())])),
            ("securityContext", parts.security.clone()),
            ("command", list(texts(&["python", "train.py"]), 2)),
            ("env", list(variable(), 2)),
            (
                "envFrom",
                list(
                    object(vec![
                        ("prefix", texts(&["A_"])),
                        ("configMapRef", one_of(vec![json!({ "name": "a" })])),
                    ]),
                    2,
                ),
            ),
            ("resources", resources()),
            (
                "fieldOfTomorrow",
                one_of(vec![json!({ "securityContext": { "privileged": true } }), json!([[]])]),
            ),
        ]),
    )
}

fn variable() -> BoxedStrategy<Json> {
    one_of(vec![
        json!({ "name": "A", "value": "b" }),
        json!({ "name": "NVIDIA_VISIBLE_DEVICES", "value": "all" }),
        json!({ "name": "\u{e9}\n", "valueFrom": { "fieldRef": { "fieldPath": "metadata.name" } } }),
    ])
}

fn resources() -> BoxedStrategy<Json> {
    let amounts = || members_of(&[("cpu", "500m"), ("memory", "1.5Gi"), ("nvidia.com/gpu", "1")]);
    object(vec![("limits", amounts()), ("requests", amounts())])
}

fn mount() -> BoxedStrategy<Json> {
    with(
        vec![("name", name()), ("mountPath", texts(&["/a", "/b"]))],
        object(vec![
            ("readOnly", boolean()),
            ("subPath", texts(&["x"])),
            ("recursiveReadOnly", texts(&["Enabled", "Disabled"])),
        ]),
    )
}

fn port(host_port: BoxedStrategy<Json>) -> BoxedStrategy<Json> {
    with(
        vec![("containerPort", one_of(vec![json!(80), json!(8080)]))],
        object(vec![
            ("hostPort", host_port),
            ("hostIP", texts(&["127.0.0.1"])),
            ("protocol", texts(&["TCP", "UDP"])),
        ]),
    )
}

/// A probe or a lifecycle handler: the two have the same ways to reach something.
fn handler(host: BoxedStrategy<Json>) -> BoxedStrategy<Json> {
    let action = with(
        vec![("port", one_of(vec![json!(80), json!("http")]))],
        object(vec![("host", host), ("path", texts(&["/"]))]),
    );
    object(vec![
        ("httpGet", action.clone()),
        ("tcpSocket", action),
        ("exec", one_of(vec![json!({ "command": ["true"] })])),
    ])
}

fn profile() -> BoxedStrategy<Json> {
    object(vec![
        ("type", texts(&["RuntimeDefault", "Localhost", "Unconfined", "", "unconfined"])),
        ("localhostProfile", texts(&["mine"])),
    ])
}

fn se_linux_options() -> BoxedStrategy<Json> {
    object(vec![
        ("type", texts(&["", "container_t", "container_engine_t", "spc_t"])),
        ("user", texts(&["", "u"])),
        ("role", texts(&["", "r"])),
        ("level", texts(&["s0"])),
    ])
}

fn windows_options() -> BoxedStrategy<Json> {
    object(vec![("hostProcess", boolean()), ("runAsUserName", texts(&["ContainerUser"]))])
}

fn user() -> BoxedStrategy<Json> {
    one_of(vec![json!(0), json!(1), json!(1000), json!(i64::MAX), json!(-1)])
}

fn any_pod_security_context() -> BoxedStrategy<Json> {
    let sysctl = with(
        vec![("value", texts(&["1"]))],
        object(vec![(
            "name",
            texts(&["kernel.shm_rmid_forced", "net.ipv4.tcp_rmem", "kernel/shm_rmid_forced", ""]),
        )]),
    );
    object(vec![
        ("runAsNonRoot", boolean()),
        ("runAsUser", user()),
        ("runAsGroup", user()),
        ("fsGroup", user()),
        ("seccompProfile", profile()),
        ("appArmorProfile", profile()),
        ("seLinuxOptions", se_linux_options()),
        ("windowsOptions", windows_options()),
        ("sysctls", list(sysctl, 3)),
    ])
}

fn any_security_context() -> BoxedStrategy<Json> {
    let capability = texts(&["ALL", "all", "NET_BIND_SERVICE", "SYS_ADMIN", "CHOWN", "IPC_LOCK", ""]);
    let capabilities = object(vec![("add", list(capability.clone(), 3)), ("drop", list(capability, 3))]);
    object(vec![
        ("privileged", boolean()),
        ("allowPrivilegeEscalation", boolean()),
        ("capabilities", capabilities),
        ("procMount", texts(&["Default", "Unmasked", ""])),
        ("runAsNonRoot", boolean()),
        ("runAsUser", user()),
        ("readOnlyRootFilesystem", boolean()),
        ("seccompProfile", profile()),
        ("appArmorProfile", profile()),
        ("seLinuxOptions", se_linux_options()),
        ("windowsOptions", windows_options()),
        ("fieldOfTomorrow", one_of(vec![json!({}), json!([1])])),
    ])
}

fn mendable_pod_security_context() -> BoxedStrategy<Json> {
    object(vec![
        ("runAsNonRoot", one_of(vec![json!(true)])),
        ("runAsUser", one_of(vec![json!(1000), json!(1000), json!(0)])),
        ("seccompProfile", one_of(vec![json!({ "type": "RuntimeDefault" })])),
        ("fsGroup", one_of(vec![json!(1000)])),
    ])
}

fn mendable_security_context() -> BoxedStrategy<Json> {
    let drop = one_of(vec![json!(["ALL"]), json!(["NET_RAW", "ALL"]), json!(["NET_RAW"])]);
    let add = one_of(vec![
        json!([]),
        json!(["NET_BIND_SERVICE"]),
        json!(["NET_BIND_SERVICE"]),
        json!(["SYS_ADMIN"]),
    ]);
    object(vec![
        ("allowPrivilegeEscalation", one_of(vec![json!(false), json!(false), json!(true)])),
        ("capabilities", object(vec![("drop", drop), ("add", add)])),
        ("runAsNonRoot", one_of(vec![json!(true)])),
        ("runAsUser", one_of(vec![json!(1000), json!(1000), json!(0)])),
        ("seccompProfile", one_of(vec![json!({ "type": "Localhost", "localhostProfile": "mine" })])),
        ("readOnlyRootFilesystem", boolean()),
        ("fieldOfTomorrow", one_of(vec![json!({}), json!([1])])),
    ])
}

/// Every volume source there is, with what the API server asks of it.
const SOURCES: [(&str, &str); 32] = [
    ("awsElasticBlockStore", r#"{"volumeID":"x"}"#),
    ("azureDisk", r#"{"diskName":"x","diskURI":"x"}"#),
    ("azureFile", r#"{"secretName":"x","shareName":"x"}"#),
    ("cephfs", r#"{"monitors":["x"]}"#),
    ("cinder", r#"{"volumeID":"x"}"#),
    ("configMap", r#"{"name":"x"}"#),
    ("csi", r#"{"driver":"x"}"#),
    ("downwardAPI", r#"{"items":[]}"#),
    ("emptyDir", "{}"),
    ("emptyDir", r#"{"medium":"Memory","sizeLimit":"1Gi"}"#),
    ("ephemeral", r#"{"volumeClaimTemplate":null}"#),
    ("fc", r#"{"lun":0}"#),
    ("flexVolume", r#"{"driver":"x"}"#),
    ("flocker", r#"{"datasetName":"x"}"#),
    ("gcePersistentDisk", r#"{"pdName":"x"}"#),
    ("gitRepo", r#"{"repository":"x"}"#),
    ("glusterfs", r#"{"endpoints":"x","path":"x"}"#),
    ("hostPath", r#"{"path":"/"}"#),
    ("image", r#"{"reference":"x"}"#),
    ("iscsi", r#"{"iqn":"x","lun":0,"targetPortal":"x"}"#),
    ("nfs", r#"{"path":"/","server":"x"}"#),
    ("persistentVolumeClaim", r#"{"claimName":"x"}"#),
    ("photonPersistentDisk", r#"{"pdID":"x"}"#),
    ("portworxVolume", r#"{"volumeID":"x"}"#),
    ("projected", r#"{"sources":[]}"#),
    (
        "projected",
        r#"{"sources":[{"serviceAccountToken":{"audience":"a","path":"t"}},{"secret":{"name":"s"}}]}"#,
    ),
    ("quobyte", r#"{"registry":"x","volume":"x"}"#),
    ("rbd", r#"{"image":"x","monitors":["x"]}"#),
    ("scaleIO", r#"{"gateway":"x","secretRef":{},"system":"x"}"#),
    ("secret", r#"{"secretName":"x"}"#),
    ("storageos", "{}"),
    ("vsphereVolume", r#"{"volumePath":"x"}"#),
];

/// A volume: mostly with the one source that Kubernetes asks for, at times with none or two.
fn volume() -> BoxedStrategy<Json> {
    let source = select(SOURCES.to_vec()).prop_map(|(key, text)| (key, serde_json::from_str(text).unwrap()));
    let sources = prop_oneof![
        4 => source.clone().prop_map(|source| vec![source]),
        1 => source.clone().prop_map(|(key, _)| vec![(key, Json::Null)]),
        1 => prop::collection::vec(source, 0..=2),
    ];
    (name(), sources)
        .prop_map(|(name, sources)| {
            let mut volume = json!({ "name": name });
            for (key, value) in sources {
                volume[key] = value;
            }
            volume
        })
        .boxed()
}

/// A reviewer that nobody helps: what it does not know it cannot ask for.
pub(crate) trait Alone {
    /// The answer to a review.
    fn alone<'b>(&self, webhook: Webhook, body: &'b [u8]) -> Result<Answer<'b>, Unanswerable>;
}

impl Alone for Reviewer {
    fn alone<'b>(&self, webhook: Webhook, body: &'b [u8]) -> Result<Answer<'b>, Unanswerable> {
        let reply = self.review(webhook, body, &Answers::default())?;
        Ok(reply.answer().expect("a snapshot that is all there is"))
    }
}

/// The files of a folder of ours: the name of each, its text, and what is expected of it, which stands in it behind `#> `.
pub(crate) fn annotated_files(folder: &str) -> Vec<(String, String, Vec<String>)> {
    let case = |path: PathBuf| {
        let text = fs::read_to_string(&path).unwrap();
        let expected =
            text.lines().filter_map(|line| line.strip_prefix("#> ")).map(ToOwned::to_owned).collect();
        (path.file_stem().unwrap().to_str().unwrap().to_owned(), text, expected)
    };
    files(&of_repository(folder), "yaml").into_iter().map(case).collect()
}
