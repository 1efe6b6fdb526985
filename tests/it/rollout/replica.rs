//! A replica: `podgate serve` as a process of its own, with files for its certificate.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rcgen::{CertificateParams, KeyPair};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// What every replica is given.
pub(crate) struct Files {
    folder: TempDir,
    /// The certificate in PEM, which is its own issuer.
    pub(crate) certificate: String,
}

impl Files {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let key = KeyPair::generate().unwrap();
        let names = ["localhost", "podgate.podgate-system.svc"].map(str::to_owned);
        let params = CertificateParams::new(names).unwrap();
        let certificate = params.self_signed(&key).unwrap().pem();
        let namespaces = "apiVersion: v1\nkind: Namespace\n\
             metadata: {name: ml-team-a, labels: {podgate.dev/policy: ml-restricted}}\n";
        for (name, text) in
            [("tls.crt", &*certificate), ("tls.key", &key.serialize_pem()), ("namespaces.yaml", namespaces)]
        {
            fs::write(folder.path().join(name), text).unwrap();
        }
        Self { folder, certificate }
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }
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
        let podgate = Command::new(env!("CARGO_BIN_EXE_podgate"));
        Self::start_as(podgate, files, &["--drain-delay", &delay])
    }

    /// Starts one as this command, with more arguments.
    pub(crate) fn start_as(command: Command, files: &Files, more: &[&str]) -> Self {
        let arguments = ["--tls-cert=tls.crt", "--tls-key=tls.key", "--objects=namespaces.yaml"];
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
