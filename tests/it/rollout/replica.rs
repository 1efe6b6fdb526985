//! A replica: `podgate serve` as a process of its own, with files for its certificate.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

const POLICY: &str = include_str!("../../../policies/ml-restricted.yaml");

/// What every replica is given. What it follows lies behind a link that is exchanged as a kubelet does it.
pub(crate) struct Files {
    folder: TempDir,
    issuer: Issuer<'static, KeyPair>,
    versions: AtomicUsize,
    /// The CA that has signed the certificates, in PEM.
    pub(crate) certificate: String,
}

impl Files {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        let certificate = params.self_signed(&key).unwrap().pem();
        let namespaces = "apiVersion: v1\nkind: Namespace\n\
             metadata: {name: ml-team-a, labels: {podgate.dev/policy: ml-restricted}}\n";
        for (name, text) in [("ca.crt", &*certificate), ("namespaces.yaml", namespaces)] {
            fs::write(folder.path().join(name), text).unwrap();
        }
        let files =
            Self { folder, issuer: Issuer::new(params, key), versions: AtomicUsize::new(0), certificate };
        files.exchange();
        files
    }

    /// Puts a new certificate, and the built-in policy with another contact, in place of what is there.
    pub(crate) fn exchange(&self) {
        let version = self.versions.fetch_add(1, Ordering::Relaxed);
        let names = ["localhost", "podgate.podgate-system.svc"].map(str::to_owned);
        let key = KeyPair::generate().unwrap();
        let leaf = CertificateParams::new(names).unwrap().signed_by(&key, &self.issuer).unwrap();
        let contact = format!("spec:\n  contact: version-{version}@example.com\n");
        let folder = format!("version-{version}");
        fs::create_dir(self.folder().join(&folder)).unwrap();
        for (name, text) in [
            ("tls.crt", leaf.pem()),
            ("tls.key", key.serialize_pem()),
            ("policy.yaml", POLICY.replace("spec:\n", &contact)),
        ] {
            fs::write(self.folder().join(&folder).join(name), text).unwrap();
        }
        let (new, link) = (self.folder().join("new"), self.folder().join("data"));
        symlink(&folder, &new).unwrap();
        fs::rename(&new, &link).unwrap();
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }
}

/// The program: the one that was built with the tests, unless `PODGATE_BINARY` names another.
pub(crate) fn podgate() -> Command {
    let ours = || env!("CARGO_BIN_EXE_podgate").into();
    Command::new(std::env::var_os("PODGATE_BINARY").unwrap_or_else(ours))
}

/// A running replica; killed when the test ends.
pub(crate) struct Replica {
    child: Child,
    pub(crate) address: SocketAddr,
    pub(crate) admin: SocketAddr,
    log: Arc<Mutex<String>>,
    reader: Option<JoinHandle<()>>,
}

impl Replica {
    /// Starts one on ports of the system's choosing. Returns as soon as both are bound.
    pub(crate) fn start(files: &Files, drain_delay: Duration) -> Self {
        let delay = format!("{}ms", drain_delay.as_millis());
        Self::start_as(podgate(), files, &["--drain-delay", &delay])
    }

    /// Starts one as this command, with more arguments.
    pub(crate) fn start_as(command: Command, files: &Files, more: &[&str]) -> Self {
        let arguments = [
            "--tls-cert=data/tls.crt",
            "--tls-key=data/tls.key",
            "--policy=data/policy.yaml",
            "--objects=namespaces.yaml",
        ];
        Self::of(command, files.folder(), &[&arguments[..], more].concat())
    }

    /// Starts one as this command in a folder, with the arguments that are not the same for all.
    pub(super) fn of(mut command: Command, folder: &Path, arguments: &[&str]) -> Self {
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("PODGATE_") || name == "KUBECONFIG" {
                command.env_remove(name);
            }
        }
        command
            .current_dir(folder)
            .args(["serve", "--listen=127.0.0.1:0", "--admin-listen=127.0.0.1:0", "--log-format=json"])
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        let mut before = String::new();
        let serving = loop {
            let line = lines.next().unwrap_or_else(|| panic!("it ended: {before}"));
            before += &line;
            let line: serde_json::Value = serde_json::from_str(&line).unwrap_or_default();
            if line["message"] == "serving" {
                break line;
            }
        };
        let address = |field: &str| serving[field].as_str().unwrap().parse().unwrap();
        let log = Arc::new(Mutex::new(before));
        let kept = Arc::clone(&log);
        // Reviews are told of in their thousands; only the rest says something about the process.
        let reader = thread::spawn(move || {
            for line in lines.filter(|line| !line.contains("\"reviewed\"")) {
                *kept.lock().unwrap() += &(line + "\n");
            }
        });
        let (address, admin) = (address("listen"), address("admin"));
        Self { child, address, admin, log, reader: Some(reader) }
    }

    /// The id of its process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn terminate(&self) {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
    }

    pub(crate) fn kill(&self) {
        kill_process(Pid::from_child(&self.child), Signal::KILL).unwrap();
    }

    /// Waits for its end, and returns that and what it said about itself.
    pub(crate) fn ended(mut self) -> (ExitStatus, String) {
        let status = self.child.wait().unwrap();
        self.reader.take().unwrap().join().unwrap();
        let log = self.log.lock().unwrap().clone();
        (status, log)
    }

    /// Waits for its end in good order.
    #[track_caller]
    pub(crate) fn ends_well(self) {
        let (status, log) = self.ended();
        assert_eq!(status.code(), Some(0), "{log}");
        assert!(!log.contains("panicked"), "{log}");
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
