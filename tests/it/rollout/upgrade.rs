//! Upgrade and downgrade: replicas of an older podgate and of this one side by side, exchanged for each other under load.
//!
//! They share what replicas share in a cluster: the Secret with the certificate that podgate keeps itself, the Lease, and
//! the webhook configurations, whose `caBundle` is what the API servers trust. The arguments are the same for both, as
//! in a Deployment of which only the image changes. `tests/upgrade/run` builds the older program and runs this long;
//! `PODGATE_UPGRADE_SWAPS` sets how many exchanges there are.

use std::collections::VecDeque;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value as Json, json};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use super::balancer::Balancer;
use super::go_client::GoClient;
use super::replica::Replica;
use super::{LAG, Load, REPLICAS};
use crate::cluster_api::Api;
use crate::left_out::say;
use crate::manifests;
use crate::replay;

/// Longer than the lag by seconds, as this may run for long beside other things: a busy machine is no lost review.
const DRAIN_DELAY: Duration = Duration::from_secs(5);

const SECRET: &str = "/api/v1/namespaces/podgate-system/secrets/podgate-tls";
const LEASE: &str = "/apis/coordination.k8s.io/v1/namespaces/podgate-system/leases/podgate";
const VALIDATING: &str = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/podgate";
const MUTATING: &str = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/00-podgate";

/// Replicas of two programs in one cluster.
struct Mixed {
    api: Api,
    /// The kubeconfig, and the CA that the API servers were told of.
    folder: TempDir,
    kubeconfig: PathBuf,
    balancer: Arc<Balancer>,
    programs: [PathBuf; 2],
    /// With which of the two programs each runs, the oldest first.
    replicas: VecDeque<(usize, Replica)>,
    started: usize,
}

impl Mixed {
    /// All of them of the first program.
    fn start(api: Api, programs: [PathBuf; 2]) -> Self {
        install(&api);
        let (folder, kubeconfig) = api.kubeconfig();
        let balancer = Arc::new(Balancer::start(LAG));
        let mut mixed =
            Self { api, folder, kubeconfig, balancer, programs, replicas: VecDeque::new(), started: 0 };
        for _ in 0..REPLICAS {
            mixed.add(0);
        }
        mixed.balancer.await_active(REPLICAS);
        mixed
    }

    fn add(&mut self, program: usize) {
        self.started += 1;
        let arguments = [
            format!("--kubeconfig={}", self.kubeconfig.display()),
            format!("--replica=podgate-{}", self.started),
            format!("--drain-delay={}ms", DRAIN_DELAY.as_millis()),
        ];
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        let replica = Replica::of(Command::new(&self.programs[program]), self.folder.path(), &arguments);
        self.balancer.add(&replica);
        self.replicas.push_back((program, replica));
    }

    /// Drains the oldest replica, and starts one of the other program in its place.
    fn swap(&mut self) {
        let (program, old) = self.replicas.pop_front().unwrap();
        let address = old.address;
        old.terminate();
        old.ends_well();
        self.balancer.remove(address);
        self.add(1 - program);
        self.balancer.await_active(REPLICAS);
    }

    /// The CA that the API servers trust.
    fn ca_bundle(&self) -> String {
        let bundles: Vec<String> = [VALIDATING, MUTATING]
            .iter()
            .flat_map(|path| self.api.object(path)["webhooks"].as_array().unwrap().clone())
            .map(|webhook| {
                let encoded = webhook["clientConfig"]["caBundle"].as_str().unwrap().to_owned();
                String::from_utf8(STANDARD.decode(encoded).unwrap()).unwrap()
            })
            .collect();
        assert!(bundles.iter().all(|bundle| *bundle == bundles[0]), "{bundles:#?}");
        bundles[0].clone()
    }

    /// What replicas of both programs must leave as it is.
    fn certificate(&self) -> Json {
        self.api.object(SECRET)["data"].clone()
    }

    fn ca_file(&self) -> PathBuf {
        let path = self.folder.path().join("ca.crt");
        fs::write(&path, self.ca_bundle()).unwrap();
        path
    }

    fn end(self) {
        for (_, replica) in &self.replicas {
            replica.terminate();
        }
        for (_, replica) in self.replicas {
            replica.ends_well();
        }
    }
}

/// The objects of the manifests that podgate reads or keeps, and a namespace under its policy.
fn install(api: &Api) {
    let of = |kind: &str| manifests::base().into_iter().find(|object| object["kind"] == kind).unwrap();
    api.put(SECRET, of("Secret"));
    api.put(LEASE, of("Lease"));
    api.put(VALIDATING, of("ValidatingWebhookConfiguration"));
    api.put(MUTATING, of("MutatingWebhookConfiguration"));
    api.put_namespace("podgate-system", &json!({}));
    api.put_namespace("ml-team-a", &json!({"podgate.dev/policy": "ml-restricted"}));
    api.put_account("ml-team-a", "default");
}

fn swaps() -> usize {
    std::env::var("PODGATE_UPGRADE_SWAPS").map_or(6, |given| given.parse().unwrap())
}

#[test]
fn replicas_of_two_versions_lose_no_review() {
    let Some(old) = replay::old_program("replicas of two versions") else { return };
    let runtime = Runtime::new().unwrap();
    let api = runtime.block_on(Api::start());
    let mut mixed = Mixed::start(api, [old, Path::new(env!("CARGO_BIN_EXE_podgate")).to_owned()]);
    let (trusted, certificate) = (mixed.ca_bundle(), mixed.certificate());
    let began = Instant::now();
    let mut load = Load::start(&trusted, &mixed.balancer);
    let go = GoClient::start(&mixed.ca_file(), &mixed.balancer);
    let swaps = swaps();
    for _ in 0..swaps {
        mixed.swap();
    }
    let go = go.map(GoClient::stop);
    let seen = load.stop();
    let seconds = began.elapsed().as_secs_f64();
    let of_go = go.as_ref().map_or(0, |go| go.answered);
    say(&format!(
        "{swaps} swaps between two versions in {seconds:.0} s: {} reviews answered ({:.0} a second; {of_go} of them asked by \
         kube-apiserver's own client), {} by replicas on their way out, {} failed",
        seen.answered + of_go,
        (seen.answered + of_go) as f64 / seconds,
        seen.last,
        seen.failures.len() + go.as_ref().map_or(0, |go| go.failures.len()),
    ));
    let of_go: Vec<_> = go.iter().flat_map(|go| &go.failures).collect();
    assert!(of_go.is_empty(), "{of_go:#?}");
    let errors: Vec<_> = seen.failures.iter().map(|failure| (failure, &failure.error)).collect();
    assert!(errors.is_empty(), "{errors:#?}");
    assert!(seen.answered > 10 * swaps && seen.last >= swaps, "{seen:?}");
    // Neither took the other's certificate for broken.
    assert_eq!(mixed.ca_bundle(), trusted);
    assert_eq!(mixed.certificate(), certificate);
    mixed.end();
}
