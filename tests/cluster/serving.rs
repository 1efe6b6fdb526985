//! `podgate serve` as a program of its own, as a cluster would run it.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

use rustix::process::{Pid, Signal, kill_process};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use serde_json::Value as Json;

use crate::authority::Authority;
use crate::control_plane::ControlPlane;
use crate::wait::eventually;

const PODGATE: &str = env!("CARGO_BIN_EXE_podgate");

/// A server under test; killed when the test ends. If the test fails, its log is shown.
pub(crate) struct Podgate {
    child: Child,
    log: Arc<Mutex<Vec<String>>>,
    /// Where reviews are answered.
    pub(crate) address: SocketAddr,
    /// Where health and metrics are answered.
    pub(crate) admin: SocketAddr,
}

impl Podgate {
    /// Starts it with these flags, at ports that the system chooses, and waits until it serves.
    pub(crate) fn start(flags: &[impl AsRef<OsStr>]) -> Self {
        Self::start_as(Command::new(PODGATE), "127.0.0.1:0", flags)
    }

    /// Starts it in the network of a cluster, at an address there. Its admin port is out of reach for a test, unless
    /// that network is the test's own.
    pub(crate) fn start_in(cluster: &ControlPlane, listen: &str, flags: &[impl AsRef<OsStr>]) -> Self {
        Self::start_as(cluster.command(PODGATE), listen, flags)
    }

    fn start_as(mut command: Command, listen: &str, flags: &[impl AsRef<OsStr>]) -> Self {
        command
            .args(["serve", "--listen", listen, "--admin-listen=127.0.0.1:0", "--log-format=json"])
            .args(["--drain-delay=0s", "--reload-interval=100ms"])
            .args(flags)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        // Nothing of whoever runs the tests.
        for (name, _) in std::env::vars_os() {
            if name == "KUBECONFIG" || name.as_encoded_bytes().starts_with(b"PODGATE_") {
                command.env_remove(name);
            }
        }
        let mut child = command.spawn().unwrap();
        let log = Arc::new(Mutex::new(Vec::new()));
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let kept = Arc::clone(&log);
        thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                kept.lock().unwrap().push(line);
            }
        });
        let nowhere = SocketAddr::from(([0, 0, 0, 0], 0));
        let mut podgate = Self { child, log, address: nowhere, admin: nowhere };
        let serving = podgate.await_log("serving");
        podgate.address = serving["listen"].as_str().unwrap().parse().unwrap();
        podgate.admin = serving["admin"].as_str().unwrap().parse().unwrap();
        podgate
    }

    /// The lines of its log so far.
    pub(crate) fn log(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }

    /// Waits for a line of the log with this message, and returns the last such line.
    pub(crate) fn await_log(&mut self, message: &str) -> Json {
        eventually(&format!("a log line {message:?}"), || {
            // The log is whole once the program has ended, so the question comes first.
            let ended = self.child.try_wait().unwrap();
            let parsed =
                self.log().into_iter().rev().filter_map(|line| serde_json::from_str::<Json>(&line).ok());
            let found = parsed.into_iter().find(|line| line["message"] == message);
            assert!(found.is_some() || ended.is_none(), "podgate has ended: {ended:?}");
            found.ok_or("no such line")
        })
    }

    /// A path of its webhooks.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("https://{}{path}", self.address)
    }

    /// The status and the body that the admin port answers with.
    pub(crate) fn admin(&self, path: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(self.admin).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.admin).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        parse(&answer)
    }

    /// Waits until it says that it is ready.
    pub(crate) fn await_ready(&self) {
        eventually("readiness", || match self.admin("/readyz") {
            (200, _) => Ok(()),
            (_, missing) => Err(missing),
        });
    }

    /// The status and the body of the admin port of a server in the network of a cluster, which is out of our reach.
    pub(crate) fn admin_in(&self, cluster: &ControlPlane, path: &str) -> (u16, String) {
        let script = "exec 3<>\"/dev/tcp/$0/$1\"; printf 'GET %s HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\n\\r\\n' \"$2\" >&3; cat <&3";
        let (address, port) = (self.admin.ip().to_string(), self.admin.port().to_string());
        let asked = cluster.command("bash").args(["-c", script, &address, &port, path]).output().unwrap();
        parse(&String::from_utf8_lossy(&asked.stdout))
    }

    /// The value of a series of its metrics, as `podgate_x{a="b"}`.
    pub(crate) fn metric(&self, series: &str) -> Option<f64> {
        let (_, metrics) = self.admin("/metrics");
        metrics.lines().find_map(|line| line.strip_prefix(series)?.trim().parse().ok())
    }

    /// Sends SIGTERM and waits for the end.
    pub(crate) fn terminate(mut self) -> ExitStatus {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
        self.child.wait().unwrap()
    }
}

impl Drop for Podgate {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            eprintln!("the log of podgate:\n{}", self.log().join("\n"));
        }
    }
}

/// A port of loopback that nothing listens at, for programs that cannot say which one the system chose.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// The status and the body of an HTTP answer that came whole.
fn parse(answer: &str) -> (u16, String) {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

/// Sends a review as an API server does, and returns the answer.
pub(crate) fn post(url: &str, authority: &Authority, review: &Json) -> Json {
    let (address, path) = url.strip_prefix("https://").unwrap().split_once('/').unwrap();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.certificate().as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("127.0.0.1").unwrap();
    let connection = rustls::ClientConnection::new(Arc::new(config), name).unwrap();
    let mut stream = rustls::StreamOwned::new(connection, TcpStream::connect(address).unwrap());
    let body = review.to_string();
    write!(
        stream,
        "POST /{path}?timeout=5s HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nConnection: close\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    serde_json::from_str(&parse(&answer).1).unwrap()
}
