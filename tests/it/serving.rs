//! `podgate serve` as a process with a certificate from files, all that it logs, and connections to it.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rcgen::{CertificateParams, KeyPair};
use rustix::process::{Pid, Signal, kill_process};
use rustls::pki_types::ServerName;
use serde_json::{Value as Json, json};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::command::podgate;
use crate::requests::creation;
use crate::server::{Client, PATIENCE, client_config, value_of};

/// A running server; killed when the test ends.
pub(crate) struct Process {
    child: Child,
    pub(crate) address: SocketAddr,
    admin: SocketAddr,
    certificate: String,
    log: Arc<Mutex<String>>,
    reader: Option<JoinHandle<()>>,
    folder: TempDir,
}

/// As long as this lives, nobody reads what the process logs.
#[expect(dead_code, reason = "it is what it holds that matters")]
pub(crate) struct ReadingPaused<'p>(MutexGuard<'p, String>);

impl Process {
    /// Starts one on ports of the system's choosing, beside files of these names and texts.
    pub(crate) fn start(files: &[(&str, &str)], arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        let certificate = params.self_signed(&key).unwrap().pem();
        let own = [("tls.crt", &*certificate), ("tls.key", &*key.serialize_pem())];
        for (name, text) in own.iter().chain(files) {
            fs::write(folder.path().join(name), text).unwrap();
        }
        let mut child = podgate()
            .current_dir(folder.path())
            .args(["serve", "--listen=127.0.0.1:0", "--admin-listen=127.0.0.1:0", "--drain-delay=0s"])
            .args(["--tls-cert=tls.crt", "--tls-key=tls.key"])
            .args(arguments)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        let mut before = String::new();
        let (address, admin) = loop {
            let line = lines.next().unwrap_or_else(|| panic!("it ended: {before}"));
            before += &(line.clone() + "\n");
            if let (Some(listen), Some(admin)) = (address_of("listen", &line), address_of("admin", &line)) {
                break (listen, admin);
            }
        };
        let log = Arc::new(Mutex::new(before));
        let kept = Arc::clone(&log);
        let reader = thread::spawn(move || {
            for line in lines {
                *kept.lock().unwrap() += &(line + "\n");
            }
        });
        Self { child, address, admin, certificate, log, reader: Some(reader), folder }
    }

    pub(crate) async fn connect(&self) -> Client<TlsStream<TcpStream>> {
        let config = client_config(&self.certificate, &[&rustls::version::TLS13], &[b"http/1.1"]);
        let stream = TcpStream::connect(self.address).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        Client::new(TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap())
    }

    /// The `response` of the answer to a review.
    pub(crate) async fn ask(&self, path: &str, review: &Json) -> Json {
        response(&self.connect().await.post(path, &review.to_string()).await.body)
    }

    /// The body of an answer of the admin port, and its status.
    pub(crate) async fn admin(&self, path: &str) -> (u16, String) {
        let mut client = Client::new(TcpStream::connect(self.admin).await.unwrap());
        client.send(&format!("GET {path} HTTP/1.1\r\nHost: podgate\r\n\r\n")).await;
        let answer = client.receive().await;
        (answer.status, answer.body)
    }

    /// The value of a series.
    pub(crate) async fn metric(&self, series: &str) -> f64 {
        let (_, text) = self.admin("/metrics").await;
        value_of(series, &text)
    }

    pub(crate) async fn until_ready(&self) {
        let deadline = Instant::now() + PATIENCE;
        while self.admin("/readyz").await.0 != 200 {
            assert!(Instant::now() < deadline, "not ready: {}", self.log());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Replaces a file, as a whole.
    pub(crate) fn change(&self, name: &str, text: &str) {
        let new = self.folder.path().join("new");
        fs::write(&new, text).unwrap();
        fs::rename(new, self.folder.path().join(name)).unwrap();
    }

    /// Stops reading what it logs.
    pub(crate) fn pause_reading(&self) -> ReadingPaused<'_> {
        ReadingPaused(self.log.lock().unwrap())
    }

    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Ends it in good order, and returns all that it logged.
    pub(crate) fn end(mut self) -> String {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
        self.child.wait().unwrap();
        self.reader.take().unwrap().join().unwrap();
        self.log()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An address in a line of the log, in either format.
fn address_of(field: &str, line: &str) -> Option<SocketAddr> {
    let [text, json] = [format!("{field}="), format!("\"{field}\":")];
    let (_, rest) = line.split_once(&text).or_else(|| line.split_once(&json))?;
    rest.trim_start_matches('"').split(['"', ' ', ',']).next()?.parse().ok()
}

pub(crate) fn response(body: &str) -> Json {
    let review: Json = serde_json::from_str(body).expect(body);
    review["response"].clone()
}

/// A review of a new pod that only a privileged namespace takes.
pub(crate) fn review_of_bad_pod(uid: &str, namespace: &str) -> Json {
    let pod = json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": { "name": "bad", "namespace": namespace },
        "spec": { "hostPID": true, "containers": [{ "name": "main", "image": "busybox" }] },
    });
    creation(uid, namespace, &pod)
}
