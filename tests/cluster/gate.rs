//! podgate in front of a cluster as it is shipped: the configurations of `manifests/base`, led to a program under
//! test, for a namespace of the test's own.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value as Json, json};
use tempfile::TempDir;

use crate::authority::{Authority, Leaf};
use crate::control_plane::ControlPlane;
use crate::serving::Podgate;
use crate::wait::eventually;
use crate::webhooks::{Installed, MUTATING, VALIDATING};

/// The label that the built-in policy, and the shipped configurations, match by.
pub(crate) const LABEL: (&str, &str) = ("podgate.dev/policy", "ml-restricted");

/// The pods of training jobs get a service account.
const IDENTITY: &str = r"
apiVersion: podgate.dev/v1alpha1
kind: IdentityPolicy
metadata: {name: trainers}
spec:
  match:
    namespaceSelector: {matchLabels: {podgate.dev/policy: ml-restricted}}
    podSelector: {matchLabels: {app: trainer}}
  identity: {provider: azure, serviceAccountName: trainer-wi}
";

/// What a gate is made of; by default what is shipped.
#[derive(Clone, Copy)]
pub(crate) struct Parts<'p> {
    /// The folder of `manifests` that the configurations are taken from.
    pub(crate) folder: &'p str,
    /// In place of the built-in policy.
    pub(crate) policy: &'p str,
    /// The IdentityPolicy.
    pub(crate) identity: &'p str,
    /// Further flags of podgate.
    pub(crate) flags: &'p [&'p str],
    /// Whose rights podgate has; without it those of whoever made the cluster.
    pub(crate) kubeconfig: Option<&'p Path>,
    /// What the name of the mutating configuration begins with: API servers call webhooks in the order of these names.
    pub(crate) prefix: &'p str,
}

impl Default for Parts<'_> {
    fn default() -> Self {
        Self {
            folder: "base",
            policy: podgate::policy::BUILT_IN,
            identity: IDENTITY,
            flags: &[],
            kubeconfig: None,
            prefix: "00-",
        }
    }
}

/// A gate before one namespace.
pub(crate) struct Gate {
    pub(crate) cluster: &'static ControlPlane,
    pub(crate) podgate: Podgate,
    pub(crate) namespace: String,
    _installed: [Installed<'static>; 2],
    _authority: Authority,
    _leaf: Leaf,
    _policies: TempDir,
}

impl Gate {
    /// A gate before a new namespace; `None` without a cluster.
    pub(crate) fn before_new_namespace() -> Option<Self> {
        let cluster = ControlPlane::shared()?;
        let namespace = cluster.namespace(&[LABEL]);
        Some(Self::before(cluster, &namespace, |_| {}))
    }

    /// A gate before this namespace, whose webhooks may be `changed`. It is closed when this returns.
    pub(crate) fn before(
        cluster: &'static ControlPlane,
        namespace: &str,
        changed: impl Fn(&mut Json),
    ) -> Self {
        Self::of(Parts::default(), cluster, namespace, changed)
    }

    /// The same of other parts.
    pub(crate) fn of(
        parts: Parts<'_>,
        cluster: &'static ControlPlane,
        namespace: &str,
        changed: impl Fn(&mut Json),
    ) -> Self {
        let authority = Authority::new();
        let leaf = authority.loopback();
        let policies = TempDir::new().unwrap();
        fs::write(policies.path().join("built-in.yaml"), parts.policy).unwrap();
        fs::write(policies.path().join("identity.yaml"), parts.identity).unwrap();
        let kubeconfig = parts.kubeconfig.map_or_else(|| cluster.kubeconfig(), Path::to_owned);
        let further: Vec<&OsStr> = parts.flags.iter().map(OsStr::new).collect();
        let podgate = Podgate::start(
            &[
                &[
                    "--kubeconfig".as_ref(),
                    kubeconfig.as_os_str(),
                    "--policy".as_ref(),
                    policies.path().as_os_str(),
                    "--tls-cert".as_ref(),
                    leaf.certificate().as_os_str(),
                    "--tls-key".as_ref(),
                    leaf.key().as_os_str(),
                ],
                &further[..],
            ]
            .concat(),
        );
        podgate.await_ready();
        let installed = [VALIDATING, MUTATING].map(|kind| {
            let webhooks: Vec<Json> = shipped(cluster, parts.folder, kind)
                .into_iter()
                .map(|mut webhook| {
                    lead(&mut webhook, &podgate, &authority, namespace);
                    changed(&mut webhook);
                    webhook
                })
                .collect();
            let prefix = if kind == MUTATING { parts.prefix } else { "" };
            cluster.install(kind, &format!("{prefix}podgate-{namespace}"), &webhooks)
        });
        let namespace = namespace.to_owned();
        let gate = Self {
            cluster,
            podgate,
            namespace,
            _installed: installed,
            _authority: authority,
            _leaf: leaf,
            _policies: policies,
        };
        gate.await_both();
        gate
    }

    /// Waits until the API server heeds both configurations.
    fn await_both(&self) {
        let probe = pod("probe", &json!({ "hostPID": true, "containers": [{ "name": "c", "image": "i" }] }));
        self.cluster.await_refusal(&self.namespace, &probe, "spec.hostPID");
        eventually("a repair", || {
            let probe = pod("probe", &json!({ "containers": [{ "name": "c", "image": "i" }] }));
            let ended = self.create_with(&probe, &["--dry-run=server"]);
            if ended.is_success { Ok(()) } else { Err(ended.errors) }
        });
    }

    /// Ends the program, and leaves the configurations for as long as what is returned is kept.
    pub(crate) fn stop(self) -> [Installed<'static>; 2] {
        let Self { podgate, _installed: installed, .. } = self;
        assert!(podgate.terminate().success());
        installed
    }

    /// Creates an object in the namespace.
    pub(crate) fn create(&self, object: &Json) -> crate::control_plane::Ended {
        self.create_with(object, &[])
    }

    pub(crate) fn create_with(&self, object: &Json, flags: &[&str]) -> crate::control_plane::Ended {
        self.cluster.create(object, &[&["--namespace", &self.namespace], flags].concat())
    }

    /// Runs kubectl in the namespace.
    pub(crate) fn kubectl(&self, arguments: &[&str]) -> crate::control_plane::Ended {
        self.cluster.kubectl(&[&["--namespace", &self.namespace], arguments].concat())
    }

    /// An object of the namespace, such as `pod/trainer`.
    #[track_caller]
    pub(crate) fn get(&self, object: &str) -> Json {
        self.cluster.get(&self.namespace, object)
    }
}

/// The webhooks of a shipped configuration.
fn shipped(cluster: &ControlPlane, folder: &str, kind: &str) -> Vec<Json> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("manifests").join(folder);
    let rendered = cluster.kubectl(&["kustomize", folder.to_str().unwrap()]).succeeded();
    let documents = podgate::yaml::read(&rendered)
        .into_iter()
        .map(|document| serde_json::from_slice::<Json>(&document.unwrap().root.to_json()).unwrap());
    let configuration = documents.into_iter().find(|object| object["kind"] == kind).unwrap();
    configuration["webhooks"].as_array().unwrap().clone()
}

/// Leads a webhook to a program instead of a Service, for one namespace.
fn lead(webhook: &mut Json, podgate: &Podgate, authority: &Authority, namespace: &str) {
    let path = webhook["clientConfig"]["service"]["path"].as_str().unwrap();
    webhook["clientConfig"] =
        json!({ "url": podgate.url(path), "caBundle": BASE64.encode(authority.certificate()) });
    let only = json!({ "key": "kubernetes.io/metadata.name", "operator": "In", "values": [namespace] });
    webhook["namespaceSelector"]["matchExpressions"].as_array_mut().unwrap().push(only);
}

pub(crate) fn pod(name: &str, spec: &Json) -> Json {
    json!({ "apiVersion": "v1", "kind": "Pod", "metadata": { "name": name }, "spec": spec })
}

/// A pod that says nothing of security, and is repaired.
pub(crate) fn lazy_pod(name: &str) -> Json {
    pod(name, &json!({ "containers": [{ "name": "trainer", "image": "pytorch" }] }))
}

/// A pod that is refused.
pub(crate) fn bad_pod(name: &str) -> Json {
    pod(name, &json!({ "hostIPC": true, "containers": [{ "name": "trainer", "image": "pytorch" }] }))
}

/// A pod that meets the restricted standard by itself.
pub(crate) fn good_pod(name: &str) -> Json {
    let security = json!({
        "allowPrivilegeEscalation": false,
        "capabilities": { "drop": ["ALL"] },
        "runAsNonRoot": true,
        "runAsUser": 1000,
        "seccompProfile": { "type": "RuntimeDefault" },
    });
    pod(
        name,
        &json!({ "containers": [{ "name": "trainer", "image": "pytorch", "securityContext": security }] }),
    )
}
