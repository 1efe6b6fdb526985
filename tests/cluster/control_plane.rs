//! A real API server with etcd and controllers, for as long as the test binary lives.
//!
//! `tests/upstream/control-plane` holds it, and takes it down as soon as the pipe to it is closed: by a drop, or by the
//! end of this process, however it comes.

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value as Json, json};

use crate::left_out::leave_out;
use crate::network::Network;
use crate::programs;
use crate::wait::eventually;

const PROGRAMS: [&str; 4] = ["kubectl", "etcd", "kube-apiserver", "kube-controller-manager"];

/// The addresses of Services where these stand on loopback.
const SERVICES: &str = "10.96.0.0/16";

fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/upstream/control-plane")
}

/// What a command left behind.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) is_success: bool,
    /// Standard output.
    pub(crate) output: String,
    /// Standard error: warnings of the API server, and why a request was refused.
    pub(crate) errors: String,
}

impl Ended {
    /// Standard output of what must have succeeded.
    #[track_caller]
    pub(crate) fn succeeded(self) -> String {
        assert!(self.is_success, "{self:?}");
        self.output
    }

    /// Standard error of what must have failed.
    #[track_caller]
    pub(crate) fn failed(self) -> String {
        assert!(!self.is_success, "{self:?}");
        self.errors
    }
}

/// A control plane without nodes: pods stay Pending.
pub(crate) struct ControlPlane {
    folder: PathBuf,
    kubectl: PathBuf,
    holder: Child,
    network: Network,
}

impl ControlPlane {
    /// The one that tests share; `None` where upstream's programs are missing. Webhook configurations are the whole
    /// cluster's, so what a test installs there must select the test's own namespaces.
    pub(crate) fn shared() -> Option<&'static Self> {
        static SHARED: LazyLock<Option<ControlPlane>> = LazyLock::new(|| ControlPlane::start(&[]));
        SHARED.as_ref()
    }

    /// One for a single test, with further flags for kube-apiserver.
    pub(crate) fn start(flags: &[&str]) -> Option<Self> {
        Self::start_in(Network::Ours, flags)
    }

    /// One in a network of its own, where the cluster addresses of all Services stand on loopback: a webhook can be
    /// reached through its Service. Only what is started with [`ControlPlane::command`] is in that network.
    ///
    /// `None` also where this system lets nobody make a network.
    pub(crate) fn start_apart() -> Option<Self> {
        Self::start_apart_with(&[])
    }

    /// The same with further flags for kube-apiserver.
    pub(crate) fn start_apart_with(flags: &[&str]) -> Option<Self> {
        let Some(network) = Network::of_its_own() else {
            leave_out("tests in a network of their own", "this user can make none with unshare and ip");
            return None;
        };
        Self::start_in(network, &[&["--service-cluster-ip-range", SERVICES], flags].concat())
    }

    fn start_in(network: Network, flags: &[&str]) -> Option<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let found = programs::find("tests in a cluster", &PROGRAMS)?;
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("cluster-{}-{number}", std::process::id());
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let mut holder = network
            .within_new(script().as_os_str())
            .args([Path::new("hold"), &folder])
            .args(flags)
            .env("PODGATE_UPSTREAM", programs::built())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // An interrupt of the terminal ends the tests; it is then that this ends.
            .process_group(0)
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(holder.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n", "the control plane does not come up: see standard error");
        Some(Self { folder, kubectl: found.into_iter().next().unwrap(), holder, network })
    }

    /// A program in the network of the cluster.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        self.network.joined(self.holder.id(), program.as_ref())
    }

    /// Kills one of its programs, such as `kube-apiserver`.
    pub(crate) fn stop(&self, program: &str) {
        self.script("stop", program);
    }

    /// Starts it again, and waits until the API server answers.
    pub(crate) fn start_again(&self, program: &str) {
        self.script("start", program);
        eventually("an API server that is ready", || {
            let ended = self.kubectl(&["get", "--raw=/readyz"]);
            if ended.is_success { Ok(()) } else { Err(ended.errors) }
        });
    }

    fn script(&self, command: &str, program: &str) {
        let mut script = self.command(script());
        assert!(
            script
                .args([command.as_ref(), self.folder.as_os_str(), program.as_ref()])
                .status()
                .unwrap()
                .success()
        );
    }

    /// Where its files are; it is removed with it.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// An administrator's.
    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.folder.join("kubeconfig")
    }

    /// Runs kubectl as an administrator.
    pub(crate) fn kubectl(&self, arguments: &[&str]) -> Ended {
        self.kubectl_with(arguments, "")
    }

    /// The same with something on standard input, for `-f -`.
    pub(crate) fn kubectl_with(&self, arguments: &[&str], input: &str) -> Ended {
        let mut child = self
            .command(&self.kubectl)
            .args(arguments)
            .env("KUBECONFIG", self.kubeconfig())
            // Nothing of whoever runs the tests.
            .env("KUBECACHEDIR", self.folder.join("cache"))
            .env("KUBERC", "off")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let ended = child.wait_with_output().unwrap();
        Ended {
            is_success: ended.status.success(),
            output: String::from_utf8_lossy(&ended.stdout).into_owned(),
            errors: String::from_utf8_lossy(&ended.stderr).into_owned(),
        }
    }

    /// Creates an object; `flags` as `--dry-run=server` or `--namespace=…`.
    pub(crate) fn create(&self, object: &Json, flags: &[&str]) -> Ended {
        self.kubectl_with(&[&["create", "--filename=-"], flags].concat(), &object.to_string())
    }

    /// An object as it is in the cluster, such as `pod/trainer`.
    #[track_caller]
    pub(crate) fn get(&self, namespace: &str, object: &str) -> Json {
        let flags = ["get", "--output=json", "--namespace", namespace, object];
        serde_json::from_str(&self.kubectl(&flags).succeeded()).unwrap()
    }

    /// A new namespace with these labels and its default service account. The name is nobody else's.
    pub(crate) fn namespace(&self, labels: &[(&str, &str)]) -> String {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("ml-team-{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let labels: serde_json::Map<_, _> =
            labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).into())).collect();
        let namespace = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": name, "labels": labels } });
        self.create(&namespace, &[]).succeeded();
        eventually("the default service account", || {
            let ended = self.kubectl(&["get", "serviceaccount/default", "--namespace", &name]);
            if ended.is_success { Ok(()) } else { Err(ended.errors) }
        });
        name
    }

    /// The lines of the audit log that contain a text (a name that is nobody else's), parsed. A line may be written
    /// after the client has its answer.
    pub(crate) fn audit_events(&self, containing: &str) -> Vec<Json> {
        let log = fs::read_to_string(self.folder.join("audit.log")).unwrap();
        let whole = log.rfind('\n').map_or("", |end| &log[..end]);
        whole
            .lines()
            .filter(|line| line.contains(containing))
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// The last event of the audit log of a verb (`create`, `update`, `patch`, …) on an object of a namespace.
    pub(crate) fn audited(&self, verb: &str, namespace: &str, name: &str) -> Json {
        eventually("an event in the audit log", || {
            let is_wanted = |event: &Json| {
                event["verb"] == verb
                    && event["objectRef"]["namespace"] == namespace
                    && event["objectRef"]["name"] == name
            };
            self.audit_events(namespace).into_iter().rfind(is_wanted).ok_or("no such event")
        })
    }
}

impl Drop for ControlPlane {
    fn drop(&mut self) {
        drop(self.holder.stdin.take());
        let _ = self.holder.wait();
    }
}
