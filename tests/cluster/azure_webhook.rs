//! azure-workload-identity's own webhook and podgate before the same namespace.
//!
//! Which one is called first is decided by the names of their configurations. How often each is called for a pod, and
//! whether it changed the pod, is read from the audit log: `round_1` there is a reinvocation.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use aws_lc_rs::digest::{SHA256, digest};
use serde_json::{Value as Json, json};

use crate::authority::{Authority, Leaf};
use crate::control_plane::{ControlPlane, Ended};
use crate::gate::{Gate, LABEL, Parts, good_pod};
use crate::programs;
use crate::wait::eventually;
use crate::webhooks::{Installed, MUTATING, only_in, webhook};

/// The tenant that the webhook is configured with.
pub(crate) const TENANT: &str = "99999999-aaaa-4bbb-8ccc-dddddddddddd";

/// The service account that the policy gives to pods.
pub(crate) const ACCOUNT: &str = "trainer-wi";

/// The client id that [`ACCOUNT`] is annotated with.
pub(crate) const CLIENT: &str = "0a0a0a0a-1111-4222-8333-444444444444";

const USE: &str = "azure.workload.identity/use";
const CLIENT_ID: &str = "azure.workload.identity/client-id";
const AUDIENCE: &str = "api://AzureADTokenExchange";
const MOUNT_PATH: &str = "/var/run/secrets/azure/wi";

/// The name of a pod.
pub(crate) const POD: &str = "train-0";

/// The name that the token's volume has in a pod that is called [`POD`].
pub(crate) const POD_VOLUME: &str = "azure-workload-identity-reserved-f14835adb20abfc86b9cea3eede2df";

/// Whose webhook is called before the other's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CalledFirst {
    Podgate,
    Azure,
}

/// A call of a webhook: in which round, whose it is, and whether it changed the object.
///
/// azure-workload-identity changes every object, even one that it has changed before: it takes `defaultMode` off its
/// volume, which the API server fills in again, but only after it has compared.
pub(crate) type Call = (u32, &'static str, bool);

/// An IdentityPolicy that gives [`ACCOUNT`] to the pods that are labelled as trainers.
pub(crate) fn identity(injection: &str) -> String {
    let policy = json!({
        "apiVersion": "podgate.dev/v1alpha1",
        "kind": "IdentityPolicy",
        "metadata": { "name": "trainers" },
        "spec": {
            "match": {
                "namespaceSelector": { "matchLabels": { LABEL.0: LABEL.1 } },
                "podSelector": { "matchLabels": { "app": "trainer" } },
            },
            "identity": { "provider": "azure", "serviceAccountName": ACCOUNT, "injection": injection },
        },
    });
    policy.to_string()
}

/// Both webhooks before one namespace, in which there is [`ACCOUNT`].
pub(crate) struct SideBySide {
    pub(crate) gate: Gate,
    _installed: Installed<'static>,
    _azure: AzureWebhook,
}

impl SideBySide {
    /// Before a new namespace, and both are heeded when this returns; `None` where programs are missing. The parts are
    /// podgate's, but for the name.
    pub(crate) fn start(first: CalledFirst, parts: Parts<'_>) -> Option<Self> {
        let found = programs::find("tests beside azure-workload-identity", &["azure-workload-identity"])?;
        let program = found.into_iter().next().unwrap();
        let cluster = ControlPlane::shared()?;
        let namespace = cluster.namespace(&[LABEL]);
        let prefix = match first {
            CalledFirst::Podgate => "00-",
            CalledFirst::Azure => "zz-",
        };
        let gate = Gate::of(Parts { prefix, ..parts }, cluster, &namespace, |_| {});
        let azure = AzureWebhook::start(program, cluster, &namespace);
        let hook = only_in(&[&namespace], azure.registration());
        let name = format!("azure-wi-webhook-mutating-webhook-configuration-{namespace}");
        let installed = cluster.install(MUTATING, &name, &[hook]);
        let both = Self { gate, _installed: installed, _azure: azure };
        both.account(ACCOUNT, &json!({ CLIENT_ID: CLIENT }));
        both.await_azure();
        Some(both)
    }

    /// Waits until the API server heeds the configuration of azure-workload-identity.
    fn await_azure(&self) {
        let mut probe = good_pod("probe-of-azure");
        probe["metadata"]["labels"] = json!({ USE: "true" });
        eventually("a call of azure-workload-identity", || {
            let tried = self.gate.create_with(&probe, &["--dry-run=server"]);
            let calls = self.calls("probe-of-azure");
            if calls.iter().any(|call| call.1 == "azure") { Ok(()) } else { Err(format!("{tried:?}")) }
        });
    }

    /// Creates a service account with these annotations.
    pub(crate) fn account(&self, name: &str, annotations: &Json) {
        let account = json!({
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": { "name": name, "annotations": annotations },
        });
        self.gate.create(&account).succeeded();
    }

    /// Annotates the default service account with a client id, and waits until the webhook goes by it.
    pub(crate) fn annotate_default(&self, client: &str) {
        let annotation = format!("{CLIENT_ID}={client}");
        self.gate.kubectl(&["annotate", "serviceaccount", "default", &annotation]).succeeded();
        let mut probe = good_pod("probe-of-default");
        probe["metadata"]["labels"] = json!({ USE: "true" });
        eventually("the client id of the default account", || {
            let tried = self.gate.create_with(&probe, &["--dry-run=server", "--output=json"]).succeeded();
            if tried.contains(client) { Ok(()) } else { Err(tried) }
        });
    }

    /// Creates an object, and returns it as it is stored.
    #[track_caller]
    pub(crate) fn stored(&self, object: &Json) -> Json {
        let created: Ended = self.gate.create_with(object, &["--output=json"]);
        serde_json::from_str(&created.succeeded()).unwrap()
    }

    /// Takes a stored pod away and submits it once more, as a restored backup does.
    #[track_caller]
    pub(crate) fn stored_again(&self, pod: &Json) -> Json {
        let name = pod["metadata"]["name"].as_str().unwrap();
        self.gate.kubectl(&["delete", "pod", name, "--force", "--grace-period=0"]).succeeded();
        let mut again = pod.clone();
        let metadata = again["metadata"].as_object_mut().unwrap();
        for of_the_first in ["uid", "resourceVersion", "creationTimestamp", "managedFields"] {
            metadata.remove(of_the_first);
        }
        self.stored(&again)
    }

    /// The pods that a ReplicaSet makes of [`trainer`].
    pub(crate) fn pods_of_a_deployment(&self) -> [Json; 2] {
        let labels = json!({ "app": "trainer" });
        let template = json!({ "metadata": { "labels": labels }, "spec": trainer()["spec"] });
        let deployment = json!({
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": { "name": "train" },
            "spec": { "replicas": 2, "selector": { "matchLabels": labels }, "template": template },
        });
        self.gate.create(&deployment).succeeded();
        eventually("two pods", || {
            let pods = self.gate.kubectl(&["get", "pods", "--output=json"]).succeeded();
            let pods: Json = serde_json::from_str(&pods).unwrap();
            let pods = pods["items"].as_array().unwrap().clone();
            <[Json; 2]>::try_from(pods).map_err(|pods| format!("{} pods", pods.len()))
        })
    }

    /// The calls of mutating webhooks when a pod of this name was created last, in their order.
    pub(crate) fn calls(&self, pod: &str) -> Vec<Call> {
        let event = self.gate.cluster.audited("create", &self.gate.namespace, pod);
        let annotations = event["annotations"].as_object().unwrap();
        let mut calls: Vec<((u32, u32), &str, bool)> = annotations
            .iter()
            .filter_map(|(key, value)| {
                let place = key.strip_prefix("mutation.webhook.admission.k8s.io/round_")?;
                let (round, index) = place.split_once("_index_").unwrap();
                let call: Json = serde_json::from_str(value.as_str().unwrap()).unwrap();
                let whose = if call["webhook"] == AzureWebhook::NAME {
                    "azure"
                } else {
                    assert_eq!(call["webhook"], "pods.podgate.dev");
                    "podgate"
                };
                let place = (round.parse().unwrap(), index.parse().unwrap());
                Some((place, whose, call["mutated"].as_bool().unwrap()))
            })
            .collect();
        calls.sort_unstable();
        calls.into_iter().map(|((round, _), whose, changed)| (round, whose, changed)).collect()
    }
}

/// A pod that the policy gives its account to, with a container of each sort.
pub(crate) fn trainer() -> Json {
    let mut pod = good_pod(POD);
    pod["metadata"]["labels"] = json!({ "app": "trainer" });
    let container = |name: &str| {
        let mut container = pod["spec"]["containers"][0].clone();
        container["name"] = name.into();
        container
    };
    let mut sidecar = container("sidecar");
    sidecar["restartPolicy"] = "Always".into();
    let first = container("first");
    pod["spec"]["initContainers"] = json!([first, sidecar]);
    pod
}

/// The same, and whoever wrote it has labelled it for azure-workload-identity, too.
pub(crate) fn labelled_trainer() -> Json {
    let mut pod = trainer();
    pod["metadata"]["labels"][USE] = "true".into();
    pod
}

/// All containers that an identity is injected into.
pub(crate) fn containers(pod: &Json) -> impl Iterator<Item = &Json> {
    ["initContainers", "containers"].into_iter().filter_map(|list| pod["spec"][list].as_array()).flatten()
}

/// The variables of a container that are Azure's, sorted; one that is there twice is listed twice.
pub(crate) fn variables(container: &Json) -> Vec<(&str, &str)> {
    let variables = container["env"].as_array().into_iter().flatten();
    let mut ours: Vec<_> = variables
        .map(|variable| (variable["name"].as_str().unwrap(), variable["value"].as_str().unwrap_or_default()))
        .filter(|(name, _)| name.starts_with("AZURE_"))
        .collect();
    ours.sort_unstable();
    ours
}

/// The volumes with a token for Azure.
pub(crate) fn tokens(pod: &Json) -> Vec<&Json> {
    let is_token = |volume: &&Json| {
        let sources = volume["projected"]["sources"].as_array();
        sources.into_iter().flatten().any(|source| source["serviceAccountToken"]["audience"] == AUDIENCE)
    };
    pod["spec"]["volumes"].as_array().into_iter().flatten().filter(is_token).collect()
}

/// The name of the token's volume in a pod that a ReplicaSet made: of the beginning of the name, as the whole name is
/// made after the webhooks have been called.
pub(crate) fn volume_of_a_replica(pod: &Json) -> String {
    let beginning = format!("{} (prefix)", pod["metadata"]["generateName"].as_str().unwrap());
    let hash = digest(&SHA256, beginning.as_bytes());
    let digits: String = hash.as_ref().iter().take(15).map(|byte| format!("{byte:02x}")).collect();
    format!("azure-workload-identity-reserved-{digits}")
}

/// That a pod has the account and the label of the policy.
#[track_caller]
pub(crate) fn assert_assigned(pod: &Json) {
    assert_eq!(pod["spec"]["serviceAccountName"], ACCOUNT, "{pod:#}");
    assert_eq!(pod["spec"]["serviceAccount"], ACCOUNT, "{pod:#}");
    assert_eq!(pod["metadata"]["labels"][USE], "true", "{pod:#}");
}

/// That a pod has the whole identity of the policy, and every part of it once: the account, the label, a token, and in
/// every container the four variables and the mount.
#[track_caller]
pub(crate) fn assert_injected_once(pod: &Json, volume: &str) {
    assert_assigned(pod);
    let token = json!({
        "audience": AUDIENCE,
        "expirationSeconds": 3600,
        "path": "token/azure-identity-token",
    });
    let projected = json!({ "defaultMode": 420, "sources": [{ "serviceAccountToken": token }] });
    assert_eq!(tokens(pod), [&json!({ "name": volume, "projected": projected })], "{pod:#}");
    for container in containers(pod) {
        let wanted = [
            ("AZURE_AUTHORITY_HOST", "https://login.microsoftonline.com/"),
            ("AZURE_CLIENT_ID", CLIENT),
            ("AZURE_FEDERATED_TOKEN_FILE", "/var/run/secrets/azure/wi/token/azure-identity-token"),
            ("AZURE_TENANT_ID", TENANT),
        ];
        assert_eq!(variables(container), wanted, "{container:#}");
        let mounts = container["volumeMounts"].as_array().unwrap();
        let is_ours = |mount: &&Json| mount["name"] == volume || mount["mountPath"] == MOUNT_PATH;
        let mounts: Vec<_> = mounts.iter().filter(is_ours).collect();
        let wanted = json!({ "name": volume, "mountPath": MOUNT_PATH, "readOnly": true });
        assert_eq!(mounts, [&wanted], "{container:#}");
    }
}

/// The program; it ends when this is dropped, or when the tests end, however they do.
struct AzureWebhook {
    child: Child,
    url: String,
    log: PathBuf,
    authority: Authority,
    _leaf: Leaf,
}

impl AzureWebhook {
    /// The name of the webhook in its chart.
    const NAME: &'static str = "mutation.azure-workload-identity.io";

    fn start(program: PathBuf, cluster: &ControlPlane, namespace: &str) -> Self {
        let authority = Authority::new();
        let leaf = authority.loopback();
        let log = cluster.folder().join(format!("azure-workload-identity-{namespace}.log"));
        let mut child = Command::new(program)
            .args(["--kubeconfig".as_ref(), cluster.kubeconfig().as_os_str()])
            .args(["--tls-cert".as_ref(), leaf.certificate().as_os_str()])
            .args(["--tls-key".as_ref(), leaf.key().as_os_str()])
            // Nothing of whoever runs the tests.
            .env_clear()
            .env("AZURE_TENANT_ID", TENANT)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(File::create(&log).unwrap())
            .spawn()
            .unwrap();
        let mut address = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut address).unwrap();
        let url = format!("https://{}/mutate-v1-pod", address.trim_end());
        let started = Self { child, url, log, authority, _leaf: leaf };
        assert!(!address.is_empty(), "azure-workload-identity does not start");
        started
    }

    /// What its chart registers, led to the program.
    fn registration(&self) -> Json {
        let rules = json!([{
            "apiGroups": [""],
            "apiVersions": ["v1"],
            "resources": ["pods"],
            "operations": ["CREATE"],
        }]);
        let mut hook = webhook(Self::NAME, &self.url, &self.authority.certificate(), "Fail", &rules);
        hook["reinvocationPolicy"] = "IfNeeded".into();
        hook["objectSelector"] = json!({ "matchLabels": { USE: "true" } });
        hook
    }
}

impl Drop for AzureWebhook {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let log = fs::read_to_string(&self.log).unwrap_or_default();
            eprintln!("the log of azure-workload-identity:\n{log}");
        }
    }
}
