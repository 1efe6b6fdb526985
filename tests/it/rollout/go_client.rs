//! kube-apiserver's own client for webhooks, as a program of its own: `tests/upstream/webhook-client`.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::balancer::Balancer;
use crate::programs;

/// The client, sending reviews until it is stopped; killed when the test ends.
pub(super) struct GoClient {
    child: Option<Child>,
}

/// What it saw.
#[derive(Debug, serde::Deserialize)]
pub(super) struct Seen {
    pub(super) answered: usize,
    pub(super) failures: Vec<String>,
    pub(super) slowest_millis: u64,
}

impl GoClient {
    /// `None` where the program is not built, which is then said.
    pub(super) fn start(ca: &Path, balancer: &Balancer) -> Option<Self> {
        Self::with(ca, &["-endpoints", &balancer.asked_at.to_string()])
    }

    /// One that sends so many reviews at once to one endpoint, and no others, when it is stopped.
    pub(super) fn burst(ca: &Path, endpoint: SocketAddr, calls: usize) -> Option<Self> {
        Self::with(ca, &["-endpoint", &endpoint.to_string(), "-burst", &calls.to_string()])
    }

    fn with(ca: &Path, arguments: &[&str]) -> Option<Self> {
        let found = programs::find("kube-apiserver's own client", &["webhook-client"])?;
        let child = Command::new(&found[0])
            .arg("-ca")
            .arg(ca)
            .args(["-review", concat!(env!("CARGO_MANIFEST_DIR"), "/benches/payloads/one-container.json")])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        Some(Self { child: Some(child) })
    }

    /// Stops it by closing its standard input.
    pub(super) fn stop(mut self) -> Seen {
        self.end()
    }

    /// Stops several at the same moment.
    pub(super) fn stop_all(mut clients: Vec<Self>) -> Vec<Seen> {
        for child in clients.iter_mut().filter_map(|client| client.child.as_mut()) {
            drop(child.stdin.take());
        }
        clients.iter_mut().map(Self::end).collect()
    }

    fn end(&mut self) -> Seen {
        let ended = self.child.take().unwrap().wait_with_output().unwrap();
        assert!(ended.status.success(), "{ended:?}");
        serde_json::from_slice(&ended.stdout).unwrap()
    }
}

impl Drop for GoClient {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
