//! kube-apiserver's own client for webhooks, as a program of its own: `tests/upstream/webhook-client`.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::balancer::Balancer;
use crate::pods::of_repository;
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
}

impl GoClient {
    /// `None` where the program is not built, which is then said.
    pub(super) fn start(ca: &Path, balancer: &Balancer) -> Option<Self> {
        let found = programs::find("kube-apiserver's own client in the rollout", &["webhook-client"])?;
        let child = Command::new(&found[0])
            .arg("-ca")
            .arg(ca)
            .arg("-review")
            .arg(of_repository("benches/payloads/one-container.json"))
            .args(["-endpoints", &balancer.asked_at.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        Some(Self { child: Some(child) })
    }

    /// Stops it by closing its standard input.
    pub(super) fn stop(mut self) -> Seen {
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
