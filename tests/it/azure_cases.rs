//! Cases of injecting identities of Azure: a pod in, the whole pod out, or the refusal, and the warnings.

use std::sync::Arc;

use podgate::admission::Reviewer;
use podgate::identity::{
    Azure, AzureSettings, Cloud, Providers, ServiceAccount, TokenEndpoint, TokenLayout, TrustedCa,
};
use podgate::policy::{Policies, Snapshot};
use serde_json::{Value as Json, json};

use crate::azure::{Reviewed, answer, reviewer};
use crate::policies::policies;
use crate::requests::creation;

const NAMESPACE: &str = "ml-team-a";
const TENANT: &str = "99999999-aaaa-4bbb-8ccc-dddddddddddd";
const OTHER_TENANT: &str = "88888888-aaaa-4bbb-8ccc-dddddddddddd";
const CLIENT: &str = "0a0a0a0a-1111-4222-8333-444444444444";
const OTHER_CLIENT: &str = "0b0b0b0b-1111-4222-8333-444444444444";
const CLIENT_ID: &str = "azure.workload.identity/client-id";
const TENANT_ID: &str = "azure.workload.identity/tenant-id";
const EXPIRATION: &str = "azure.workload.identity/service-account-token-expiration";
const SKIP: &str = "azure.workload.identity/skip-containers";
const PROXY: &str = "azure.workload.identity/inject-proxy-sidecar";
const PORT: &str = "azure.workload.identity/proxy-sidecar-port";
const LABEL: &str = "azure.workload.identity/use";

/// Environment variables of the pods here hold this wherever they hold anything of their own, and no answer may.
const CANARY: &str = "canary-of-an-environment-value";

fn settings() -> AzureSettings {
    AzureSettings {
        layout: TokenLayout::V15,
        kubernetes_version: "1.33".parse().unwrap(),
        ..AzureSettings::of_tenant(TENANT)
    }
}

fn v16() -> AzureSettings {
    AzureSettings { layout: TokenLayout::V16, ..settings() }
}

fn bound() -> AzureSettings {
    let endpoint = TokenEndpoint {
        annotation_suffix: "identity-binding".to_owned(),
        audience: "api://AKSIdentityBinding".to_owned(),
        token_proxy: "https://tp.example".to_owned(),
        sni_name: "x.example".to_owned(),
        ca: TrustedCa::ConfigMap("wi-ca".to_owned()),
    };
    AzureSettings { token_endpoint: Some(endpoint), ..v16() }
}

/// A pod that asks for an identity, as the API server sends it.
fn pod() -> Json {
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "generateName": "trainer-7d4b9c6f5-",
            "labels": { "app": "trainer", LABEL: "true" },
            "annotations": {},
            "ownerReferences": [{
                "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "trainer-7d4b9c6f5",
                "uid": "00000000-0000-4000-8000-000000000001", "controller": true, "blockOwnerDeletion": true,
            }],
        },
        "spec": {
            "serviceAccountName": "trainer-wi",
            "serviceAccount": "trainer-wi",
            "restartPolicy": "Always",
            "aFieldOfTheFuture": { "kept": [1, 2.50] },
            "containers": [container("main")],
            "volumes": [{ "name": "kube-api-access-x7k2p", "projected": { "defaultMode": 420, "sources": [
                { "serviceAccountToken": { "path": "token", "expirationSeconds": 3607 } },
            ] } }],
        },
    })
}

fn container(name: &str) -> Json {
    json!({
        "name": name,
        "image": "registry.example/train:1",
        "volumeMounts": [{
            "name": "kube-api-access-x7k2p", "readOnly": true,
            "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount",
        }],
    })
}

/// The pod with changes.
fn with(change: impl FnOnce(&mut Json)) -> Json {
    let mut pod = pod();
    change(&mut pod);
    pod
}

fn annotated(pairs: &[(&str, &str)]) -> Json {
    with(|pod| pairs.iter().for_each(|(key, value)| pod["metadata"]["annotations"][*key] = json!(value)))
}

fn account(annotations: &[(&str, &str)]) -> ServiceAccount {
    ServiceAccount::new(annotations.iter().copied(), [])
}

fn usual_account() -> ServiceAccount {
    account(&[(CLIENT_ID, CLIENT)])
}

fn review_by(reviewer: &Reviewer, pod: &Json) -> Reviewed {
    let reviewed = answer(reviewer, &creation("u", NAMESPACE, pod)).unwrap();
    assert!(!reviewed.answer.contains(CANARY), "{}", reviewed.answer);
    assert!(!reviewed.patch.as_ref().is_some_and(|patch| patch.to_string().contains(CANARY)));
    reviewed
}

fn review(settings: AzureSettings, account: ServiceAccount, pod: &Json) -> Reviewed {
    review_by(&reviewer(settings, &[(NAMESPACE, "trainer-wi", account)]), pod)
}

/// What is added to a pod.
struct Expected {
    client: Option<&'static str>,
    tenant: Option<&'static str>,
    host: &'static str,
    layout: TokenLayout,
    volume: String,
    audience: &'static str,
    expiration: u32,
}

impl Default for Expected {
    fn default() -> Self {
        Self {
            client: Some(CLIENT),
            tenant: Some(TENANT),
            host: "https://login.microsoftonline.com/",
            layout: TokenLayout::V15,
            volume: "azure-identity-token".to_owned(),
            audience: "api://AzureADTokenExchange",
            expiration: 3600,
        }
    }
}

impl Expected {
    fn v16(digest: &str) -> Self {
        let volume = format!("azure-workload-identity-reserved-{digest}");
        Self { layout: TokenLayout::V16, volume, ..Self::default() }
    }

    fn of_generate_name() -> Self {
        Self::v16("f5cd95c3451921f2c7dd1c4e32d6d9")
    }

    fn places(&self) -> (&'static str, &'static str) {
        match self.layout {
            TokenLayout::V15 => ("/var/run/secrets/azure/tokens", "azure-identity-token"),
            TokenLayout::V16 => ("/var/run/secrets/azure/wi", "token/azure-identity-token"),
        }
    }

    fn variables(&self) -> Vec<Json> {
        let (mount, path) = self.places();
        [
            ("AZURE_CLIENT_ID", self.client.map(ToOwned::to_owned)),
            ("AZURE_TENANT_ID", self.tenant.map(ToOwned::to_owned)),
            ("AZURE_FEDERATED_TOKEN_FILE", Some(format!("{mount}/{path}"))),
            ("AZURE_AUTHORITY_HOST", Some(self.host.to_owned())),
        ]
        .into_iter()
        .filter_map(|(name, value)| value.map(|value| json!({ "name": name, "value": value })))
        .collect()
    }

    fn mount(&self) -> Json {
        json!({ "name": self.volume, "mountPath": self.places().0, "readOnly": true })
    }

    /// Adds to a container what it lacks of the variables, and the mount.
    fn block(&self, container: &mut Json) {
        let mut env = container["env"].as_array().cloned().unwrap_or_default();
        for variable in self.variables() {
            if !env.iter().any(|own| own["name"] == variable["name"]) {
                env.push(variable);
            }
        }
        container["env"] = Json::Array(env);
        let mut mounts = container["volumeMounts"].as_array().cloned().unwrap_or_default();
        mounts.push(self.mount());
        container["volumeMounts"] = Json::Array(mounts);
    }

    fn volume(&self) -> Json {
        json!({ "name": self.volume, "projected": { "sources": [{ "serviceAccountToken": {
            "audience": self.audience, "expirationSeconds": self.expiration, "path": self.places().1,
        } }] } })
    }

    /// The pod with all of it in these containers.
    fn of(&self, mut pod: Json, containers: &[&str]) -> Json {
        for list in ["initContainers", "containers"] {
            for container in pod["spec"].get_mut(list).and_then(Json::as_array_mut).into_iter().flatten() {
                if containers.contains(&container["name"].as_str().unwrap()) {
                    self.block(container);
                }
            }
        }
        match pod["spec"].get_mut("volumes").and_then(Json::as_array_mut) {
            Some(volumes) => volumes.push(self.volume()),
            None => pod["spec"]["volumes"] = json!([self.volume()]),
        }
        pod
    }
}

/// As the API server stores it, and sends it again.
fn stored(mut pod: Json) -> Json {
    for volume in pod["spec"]["volumes"].as_array_mut().unwrap() {
        if volume["projected"].is_object() {
            volume["projected"]["defaultMode"] = json!(420);
        }
    }
    pod
}

/// Reviews a pod, compares what comes out, warnings by their fragments, and sees that a second run changes nothing.
fn expect(
    case: &str,
    (settings, account): (AzureSettings, ServiceAccount),
    pod: &Json,
    expected: &Json,
    warnings: &[&[&str]],
) {
    let reviewer = reviewer(settings, &[(NAMESPACE, "trainer-wi", account)]);
    let reviewed = review_by(&reviewer, pod);
    assert!(reviewed.is_allowed, "{case}: {}", reviewed.message);
    let patched = reviewed.patched(pod);
    assert_eq!(&patched, expected, "{case}:\n{patched}\n{expected}");
    assert_eq!(reviewed.warnings.len(), warnings.len(), "{case}: {:?}", reviewed.warnings);
    for (warning, fragments) in reviewed.warnings.iter().zip(warnings) {
        for fragment in *fragments {
            assert!(warning.contains(fragment), "{case}: {warning}");
        }
    }
    let again = review_by(&reviewer, &stored(patched));
    assert!(
        again.is_allowed && again.patch.is_none(),
        "{case}, second run: {:?} {}",
        again.patch,
        again.message
    );
}

fn refuse(
    case: &str,
    (settings, account): (AzureSettings, ServiceAccount),
    pod: &Json,
    code: u64,
    fragments: &[&str],
) {
    let reviewed = review(settings, account, pod);
    assert_eq!((reviewed.is_allowed, reviewed.code), (false, code), "{case}: {}", reviewed.message);
    assert!(reviewed.patch.is_none(), "{case}");
    for fragment in fragments {
        assert!(reviewed.message.contains(fragment), "{case}: {}", reviewed.message);
    }
}

#[test]
fn a_pod_gets_what_its_account_says() {
    let usual = || Expected::default();
    let client: (&str, &str) = (CLIENT_ID, CLIENT);
    let missing: &[&str] = &[CLIENT_ID, "ml-team-a/trainer-wi"];
    for (case, settings, account, pod, expected, warnings) in [
        ("A01", settings(), usual_account(), pod(), usual(), &[][..]),
        ("A05", settings(), account(&[]), pod(), Expected { client: None, ..usual() }, &[missing]),
        (
            "A06",
            settings(),
            account(&[client, (TENANT_ID, OTHER_TENANT)]),
            pod(),
            Expected { tenant: Some(OTHER_TENANT), ..usual() },
            &[],
        ),
        (
            "A06e",
            settings(),
            account(&[client, (TENANT_ID, "")]),
            pod(),
            Expected { tenant: None, ..usual() },
            &[&["tenant-id", "ml-team-a/trainer-wi"]],
        ),
        (
            "A07",
            settings(),
            account(&[client, (EXPIRATION, "7200")]),
            annotated(&[(EXPIRATION, "4800")]),
            Expected { expiration: 4800, ..usual() },
            &[],
        ),
        ("A08 least", settings(), usual_account(), annotated(&[(EXPIRATION, "3600")]), usual(), &[]),
        (
            "A08 most",
            settings(),
            usual_account(),
            annotated(&[(EXPIRATION, "86400")]),
            Expected { expiration: 86_400, ..usual() },
            &[],
        ),
        (
            "A11",
            settings(),
            account(&[client, (EXPIRATION, "7200")]),
            annotated(&[(EXPIRATION, "")]),
            Expected { expiration: 7200, ..usual() },
            &[],
        ),
    ] {
        expect(case, (settings, account), &pod, &expected.of(pod.clone(), &["main"]), warnings);
    }
    let strict = AzureSettings { requires_client_id: true, ..settings() };
    refuse("A05s", (strict, account(&[])), &pod(), 403, &[CLIENT_ID, "trainer-wi"]);
}

#[test]
fn a_pod_gets_what_the_settings_say() {
    let usual = || Expected::default();
    let named = with(|pod| {
        pod["metadata"].as_object_mut().unwrap().remove("generateName");
        pod["metadata"]["name"] = json!("train-0");
    });
    let windows = with(|pod| pod["spec"]["os"] = json!({ "name": "windows" }));
    let clouds = |name: &str| AzureSettings { cloud: name.parse().unwrap(), ..settings() };
    for (case, settings, pod, expected) in [
        ("A17", v16(), named, Expected::v16("f14835adb20abfc86b9cea3eede2df")),
        ("A18", v16(), pod(), Expected::of_generate_name()),
        ("A25, no proxy", settings(), annotated(&[(PORT, "80a")]), usual()),
        (
            "A29",
            clouds("AzureUSGovernmentCloud"),
            pod(),
            Expected { host: "https://login.microsoftonline.us/", ..usual() },
        ),
        (
            "A29",
            clouds("AzureChinaCloud"),
            pod(),
            Expected { host: "https://login.chinacloudapi.cn/", ..usual() },
        ),
        ("A32, not bound", bound(), pod(), Expected::of_generate_name()),
        ("A34", settings(), windows, usual()),
        (
            "audience",
            AzureSettings { audience: "api://other".to_owned(), ..settings() },
            pod(),
            Expected { audience: "api://other", ..usual() },
        ),
    ] {
        expect(case, (settings, usual_account()), &pod, &expected.of(pod.clone(), &["main"]), &[]);
    }
    assert!("AzureMars".parse::<Cloud>().is_err());
}

#[test]
fn every_container_but_those_that_are_skipped_gets_it() {
    let many = |skipped: &str| {
        with(|pod| {
            let mut bare = container("init-b");
            bare.as_object_mut().unwrap().remove("volumeMounts");
            pod["spec"]["initContainers"] = json!([container("init-a"), bare]);
            pod["spec"]["containers"] = json!([container("main"), container("c2")]);
            pod["metadata"]["annotations"][SKIP] = json!(skipped);
        })
    };
    let usual = || (settings(), usual_account());
    let skipping = many("c2; init-a");
    expect("A02", usual(), &skipping, &Expected::default().of(skipping.clone(), &["main", "init-b"]), &[]);
    let typo = annotated(&[(SKIP, "mian")]);
    expect(
        "A03",
        usual(),
        &typo,
        &Expected::default().of(typo.clone(), &["main"]),
        &[&["skip-containers", "mian"]],
    );
    // A pod that was injected before, and to which somebody added a container since.
    let mut grown = stored(Expected::default().of(pod(), &["main"]));
    grown["spec"]["containers"].as_array_mut().unwrap().push(json!({ "name": "istio-proxy", "image": "i" }));
    let mut expected = grown.clone();
    Expected::default().block(&mut expected["spec"]["containers"][1]);
    expect("A16", usual(), &grown, &expected, &[]);
    let injected = review(settings(), usual_account(), &stored(Expected::default().of(pod(), &["main"])));
    assert!(injected.is_allowed && injected.patch.is_none() && injected.warnings.is_empty(), "A15");
    let forty = with(|pod| {
        let containers = (0..40).map(|index| {
            let mut container = container(&format!("c{index}"));
            if index % 2 == 0 {
                container["env"] = json!([{ "name": "X", "value": CANARY }]);
            }
            container
        });
        pod["spec"]["containers"] = containers.collect();
        pod["metadata"]["annotations"][SKIP] = json!("c0;c1");
    });
    let names: Vec<String> = (2..40).map(|index| format!("c{index}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    expect("A37", usual(), &forty, &Expected::default().of(forty.clone(), &names), &[]);
}

#[test]
fn what_a_container_has_of_its_own_is_kept() {
    let own = |env: Json| with(|pod| pod["spec"]["containers"][0]["env"] = env);
    let secret = json!([{ "name": "AZURE_TENANT_ID", "valueFrom": { "secretKeyRef": { "name": "s", "key": CANARY } } }]);
    for (case, env, warnings) in [
        (
            "A12",
            json!([{ "name": "AZURE_CLIENT_ID", "value": OTHER_CLIENT }, { "name": "X", "value": CANARY }]),
            &[&["AZURE_CLIENT_ID", "main"][..]][..],
        ),
        ("A13", secret, &[]),
        (
            "A14",
            json!([{ "name": "AZURE_FEDERATED_TOKEN_FILE", "value": format!("/{CANARY}") }]),
            &[&["AZURE_FEDERATED_TOKEN_FILE", "main"]],
        ),
        ("empty", json!([{ "name": "AZURE_CLIENT_ID" }]), &[&["AZURE_CLIENT_ID", "main"]]),
        ("the same", json!([{ "name": "AZURE_CLIENT_ID", "value": CLIENT }]), &[]),
        ("other names", json!([{ "name": "azure_client_id", "value": CANARY }]), &[]),
    ] {
        let pod = own(env);
        let expected = Expected::default().of(pod.clone(), &["main"]);
        expect(case, (settings(), usual_account()), &pod, &expected, warnings);
    }
    // A value of the wrong type is refused, and not shown.
    let wrong = own(json!([{ "name": "AZURE_X", "value": [CANARY] }]));
    refuse("wrong type", (settings(), usual_account()), &wrong, 400, &["main"]);
}

#[test]
fn numbers_that_are_none_are_refused() {
    for (case, value) in [
        ("A09", "3599"),
        ("A09", "86401"),
        ("A09", "-1"),
        ("A10", "3600s"),
        ("A10", "1e4"),
        ("A10", " 3600"),
        ("too large", "9223372036854775808"),
    ] {
        let pod = annotated(&[(EXPIRATION, value)]);
        refuse(
            case,
            (settings(), usual_account()),
            &pod,
            400,
            &[EXPIRATION, value, "3600", "86400", "of the pod"],
        );
        let account = account(&[(CLIENT_ID, CLIENT), (EXPIRATION, value)]);
        let holder = "of the service account";
        refuse(case, (settings(), account), &annotated(&[]), 400, &[EXPIRATION, value, holder]);
    }
    for value in ["80a", "0", "70000", "-1", ""] {
        let pod = annotated(&[(PROXY, "true"), (PORT, value)]);
        refuse("A25", (settings(), usual_account()), &pod, 400, &[PORT, &format!("\"{value}\"")]);
    }
}

/// No API server sends such pods, and a patch that adds to a list would not apply.
#[test]
fn what_should_be_a_list_and_is_none_is_refused() {
    for (field, value) in [
        ("env", json!("x")),
        ("env", json!({})),
        ("env", json!(1)),
        ("env", json!(true)),
        ("volumeMounts", json!("x")),
        ("volumeMounts", json!({"name": "x"})),
    ] {
        let pod = with(|pod| pod["spec"]["containers"][0][field] = value.clone());
        refuse(
            "no list",
            (settings(), usual_account()),
            &pod,
            400,
            &[field, "of container main cannot be read: expected an array"],
        );
    }
}

#[test]
fn a_place_that_is_taken_is_refused() {
    for path in [
        "/var/run/secrets/azure/tokens",
        "/var/run/secrets/azure/tokens/",
        "/var/run/./secrets//azure/tokens",
    ] {
        let pod = with(|pod| {
            let mounts = pod["spec"]["containers"][0]["volumeMounts"].as_array_mut().unwrap();
            mounts.push(json!({ "name": "mine", "mountPath": path }));
        });
        refuse(
            "A21",
            (settings(), usual_account()),
            &pod,
            400,
            &["main", "/var/run/secrets/azure/tokens", "mine"],
        );
        let mut skipped = pod;
        skipped["metadata"]["annotations"][SKIP] = json!("main");
        let expected = Expected::default().of(skipped.clone(), &[]);
        expect("A21, skipped", (settings(), usual_account()), &skipped, &expected, &[]);
    }
    for (settings, name) in
        [(settings(), "azure-identity-token".to_owned()), (v16(), Expected::of_generate_name().volume)]
    {
        let pod = with(|pod| {
            let volumes = pod["spec"]["volumes"].as_array_mut().unwrap();
            volumes.push(json!({ "name": name, "emptyDir": {} }));
        });
        refuse("reserved", (settings, usual_account()), &pod, 400, &[&name, "reserved"]);
    }
}

#[test]
fn a_stored_pod_that_is_made_again_keeps_its_volume() {
    let mut stored = stored(Expected::of_generate_name().of(pod(), &["main"]));
    stored["metadata"]["name"] = json!("trainer-7d4b9c6f5-abcde");
    let again = review(v16(), usual_account(), &stored);
    assert!(again.is_allowed && again.patch.is_none(), "{again:?}");
    // With another lifetime it is still the one volume.
    stored["metadata"]["annotations"][EXPIRATION] = json!("7200");
    let again = review(v16(), usual_account(), &stored).patched(&stored);
    let volume = Expected { expiration: 7200, ..Expected::of_generate_name() }.volume();
    let mut expected = stored.clone();
    expected["spec"]["volumes"][1] = volume;
    assert_eq!(again, expected);
}

#[test]
fn a_mount_of_the_volume_that_is_wrong_is_put_right() {
    let mut pod = stored(Expected::of_generate_name().of(pod(), &["main"]));
    let expected = pod.clone();
    for wrong in [
        json!({ "mountPath": "/elsewhere" }),
        json!({ "readOnly": false }),
        json!({ "subPath": "x" }),
        json!({ "subPathExpr": "$(X)" }),
    ] {
        let mount = &mut pod["spec"]["containers"][0]["volumeMounts"][1];
        *mount = Expected::of_generate_name().mount();
        mount.as_object_mut().unwrap().extend(wrong.as_object().unwrap().clone());
        expect("mount", (v16(), usual_account()), &pod, &expected, &[]);
    }
}

/// The containers of the proxy with a block, in the order of the pod: those before the pod's own, and the init container.
fn proxies(expected: &Expected, is_sidecar: bool) -> (Json, Json) {
    let mut sidecar = json!({
        "name": "azwi-proxy",
        "image": "mcr.microsoft.com/oss/azure/workload-identity/proxy:v1.6.0",
        "imagePullPolicy": "IfNotPresent",
        "args": ["--proxy-port=8000", "--log-level=info"],
        "ports": [{ "containerPort": 8000 }],
        "lifecycle": { "postStart": { "exec": {
            "command": ["/proxy", "--proxy-port=8000", "--probe", "--log-level=info"],
        } } },
        "securityContext": {
            "allowPrivilegeEscalation": false, "privileged": false, "capabilities": { "drop": ["ALL"] },
            "readOnlyRootFilesystem": true, "runAsNonRoot": true,
        },
        "env": [],
        "volumeMounts": [],
    });
    if is_sidecar {
        sidecar["restartPolicy"] = json!("Always");
    }
    let mut init = json!({
        "name": "azwi-proxy-init",
        "image": "mcr.microsoft.com/oss/azure/workload-identity/proxy-init:v1.6.0",
        "imagePullPolicy": "IfNotPresent",
        "securityContext": {
            "privileged": true, "capabilities": { "add": ["NET_ADMIN"], "drop": ["ALL"] },
            "runAsUser": 0, "runAsNonRoot": false,
        },
        "env": [{ "name": "PROXY_PORT", "value": "8000" }],
        "volumeMounts": [],
    });
    expected.block(&mut sidecar);
    expected.block(&mut init);
    (sidecar, init)
}

#[test]
fn the_proxy_comes_where_it_is_asked_for() {
    let pod = with(|pod| {
        pod["metadata"]["annotations"][PROXY] = json!("true");
        pod["spec"]["initContainers"] = json!([container("prep")]);
    });
    let expected = Expected::default();
    for (case, version, is_sidecar) in [("A22", "1.33", true), ("A23", "1.31", false)] {
        let settings = AzureSettings { kubernetes_version: version.parse().unwrap(), ..settings() };
        let reviewer = reviewer(settings, &[(NAMESPACE, "trainer-wi", usual_account())]);
        let reviewed = review_by(&reviewer, &pod);
        let patched = reviewed.patched(&pod);
        let mut compared = patched.clone();
        for list in ["initContainers", "containers"] {
            for container in compared["spec"][list].as_array_mut().unwrap() {
                if container["name"].as_str().unwrap().starts_with("azwi-") {
                    let resources = container.as_object_mut().unwrap().remove("resources").unwrap();
                    for kind in ["requests", "limits"] {
                        assert!(
                            resources[kind]["cpu"].is_string() && resources[kind]["memory"].is_string(),
                            "{case}"
                        );
                    }
                }
            }
        }
        let (sidecar, init) = proxies(&expected, is_sidecar);
        let mut wanted = expected.of(pod.clone(), &["main", "prep"]);
        wanted["spec"]["initContainers"].as_array_mut().unwrap().push(init);
        let list = if is_sidecar { "initContainers" } else { "containers" };
        wanted["spec"][list].as_array_mut().unwrap().insert(0, sidecar);
        assert_eq!(compared, wanted, "{case}");
        let again = review_by(&reviewer, &stored(patched));
        assert!(again.is_allowed && again.patch.is_none(), "{case}: {:?}", again.patch);
    }
    // Kubernetes' own admission refuses it later.
    for (level, is_told) in [("restricted", true), ("baseline", true), ("privileged", false)] {
        let reviewer = reviewer(settings(), &[(NAMESPACE, "trainer-wi", usual_account())]);
        let mut snapshot = Snapshot::clone(reviewer.snapshot());
        snapshot
            .insert(NAMESPACE, [("pod-security.kubernetes.io/enforce".to_owned(), level.to_owned())].into());
        let reviewed = review_by(&reviewer.with_snapshot(Arc::new(snapshot)), &pod);
        assert!(reviewed.is_allowed && reviewed.patch.is_some(), "A27");
        let is_of_it = |warning: &String| {
            ["azwi-proxy-init", "privileged", level].iter().all(|fragment| warning.contains(fragment))
        };
        assert_eq!(reviewed.warnings.iter().any(is_of_it), is_told, "A27: {:?}", reviewed.warnings);
    }
    let mut of_host = pod.clone();
    of_host["spec"]["hostNetwork"] = json!(true);
    refuse("A24", (settings(), usual_account()), &of_host, 400, &["hostNetwork", "proxy"]);
    let mut windows = pod;
    windows["spec"]["os"] = json!({ "name": "windows" });
    refuse("Windows", (settings(), usual_account()), &windows, 400, &["Windows", "proxy"]);
}

#[test]
fn a_pod_is_bound_to_the_token_endpoint_by_its_annotation() {
    let pod = annotated(&[("azure.workload.identity/use-identity-binding", "TRUE")]);
    let mut expected = Expected { audience: "api://AKSIdentityBinding", ..Expected::of_generate_name() }
        .of(pod.clone(), &["main"]);
    expected["spec"]["volumes"][1]["projected"]["sources"].as_array_mut().unwrap().push(
        json!({ "configMap": {
        "name": "wi-ca", "items": [{ "key": "ca.crt", "path": "ca-cert/ca.crt" }], "optional": false,
    } }),
    );
    for (name, value) in [
        ("AZURE_KUBERNETES_TOKEN_PROXY", "https://tp.example"),
        ("AZURE_KUBERNETES_SNI_NAME", "x.example"),
        ("AZURE_KUBERNETES_CA_FILE", "/var/run/secrets/azure/wi/ca-cert/ca.crt"),
    ] {
        let env = expected["spec"]["containers"][0]["env"].as_array_mut().unwrap();
        env.push(json!({ "name": name, "value": value }));
    }
    expect("A32", (bound(), usual_account()), &pod, &expected, &[]);
    for value in [" true", "false", ""] {
        let pod = annotated(&[("azure.workload.identity/use-identity-binding", value)]);
        let expected = Expected::of_generate_name().of(pod.clone(), &["main"]);
        expect("A32, off", (bound(), usual_account()), &pod, &expected, &[]);
    }
}

#[test]
fn who_does_not_ask_gets_nothing() {
    let labelled = |value: Option<&str>| {
        with(|pod| {
            let labels = pod["metadata"]["labels"].as_object_mut().unwrap();
            match value {
                Some(value) => labels.insert(LABEL.to_owned(), json!(value)),
                None => labels.remove(LABEL),
            };
        })
    };
    for (value, fragments) in [
        (Some("True"), &[LABEL, "\"true\""][..]),
        (Some(" TRUE"), &[LABEL, "\"true\""]),
        (Some("false"), &[]),
        (None, &[]),
    ] {
        let reviewed = review(settings(), usual_account(), &labelled(value));
        assert!(reviewed.is_allowed && reviewed.patch.is_none(), "A28: {reviewed:?}");
        assert_eq!(reviewed.warnings.is_empty(), fragments.is_empty(), "{:?}", reviewed.warnings);
        assert!(fragments.iter().all(|fragment| reviewed.warnings[0].contains(fragment)));
    }
    let mut annotated = labelled(None);
    annotated["metadata"]["annotations"][LABEL] = json!("true");
    let reviewed = review(settings(), usual_account(), &annotated);
    assert!(reviewed.patch.is_none() && reviewed.warnings[0].contains("annotation"), "{reviewed:?}");
    let mirror = annotated_mirror();
    let reviewed = review(settings(), usual_account(), &mirror);
    assert!(reviewed.is_allowed && reviewed.patch.is_none(), "A30");
    let reviewer = reviewer(settings(), &[(NAMESPACE, "trainer-wi", usual_account())]);
    for (operation, subresource) in
        [("UPDATE", None), ("DELETE", None), ("UPDATE", Some("ephemeralcontainers"))]
    {
        let mut review = creation("u", NAMESPACE, &pod());
        review["request"]["operation"] = json!(operation);
        review["request"]["oldObject"] = pod();
        if operation == "DELETE" {
            review["request"]["object"] = Json::Null;
        }
        if let Some(subresource) = subresource {
            review["request"]["subResource"] = json!(subresource);
        }
        let reviewed = answer(&reviewer, &review).unwrap();
        assert!(reviewed.is_allowed && reviewed.patch.is_none(), "A35: {operation} {reviewed:?}");
    }
}

/// Policies for other pods change nothing of that, and nothing is told twice.
#[test]
fn a_near_miss_is_told_once() {
    let policy = "
apiVersion: podgate.dev/v1alpha1
kind: IdentityPolicy
metadata: {name: others}
spec:
  match: {namespaces: [ml-team-a], podSelector: {matchLabels: {app: other}}}
  identity: {provider: azure, serviceAccountName: other}
";
    let mut providers = Providers::default();
    providers.add(Azure::new(settings()).unwrap());
    let reviewer = Reviewer::new(policies(policy), Snapshot::default()).with_providers(Arc::new(providers));
    let pod = with(|pod| pod["metadata"]["labels"][LABEL] = json!("True"));
    let reviewed = review_by(&reviewer, &pod);
    assert!(reviewed.patch.is_none() && reviewed.warnings.len() == 1, "{reviewed:?}");
}

fn annotated_mirror() -> Json {
    annotated(&[("kubernetes.io/config.mirror", "x")])
}

#[test]
fn the_account_is_that_of_the_pod_or_the_default_one() {
    let unnamed = with(|pod| {
        let spec = pod["spec"].as_object_mut().unwrap();
        spec.remove("serviceAccountName");
        spec.remove("serviceAccount");
    });
    let by_default = reviewer(settings(), &[(NAMESPACE, "default", usual_account())]);
    let reviewed = review_by(&by_default, &unnamed);
    assert_eq!(reviewed.patched(&unnamed), Expected::default().of(unnamed.clone(), &["main"]), "A33");
    let reviewed = review_by(&by_default, &pod());
    assert_eq!((reviewed.is_allowed, reviewed.code), (false, 400), "A36");
    assert!(reviewed.message.contains("ml-team-a/trainer-wi") && reviewed.message.contains("not found"));
    // A cluster of which no account is known tells nothing, and the pod is not let through without its identity.
    let mut providers = Providers::default();
    providers.add(Azure::new(settings()).unwrap());
    let none = Policies::new(Vec::new()).finish().unwrap();
    let unknown = Reviewer::new(none, Snapshot::default()).with_providers(Arc::new(providers));
    let reviewed = review_by(&unknown, &pod());
    assert_eq!((reviewed.is_allowed, reviewed.code), (false, 400), "{reviewed:?}");
    assert!(reviewed.message.contains("--objects"), "{}", reviewed.message);
}
