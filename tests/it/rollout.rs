//! Replicas that come and go under load: what the API servers see of it.
//!
//! The replicas are processes. Before them stands what a Service is, with the lag that it has, and the clients
//! treat their connections as Go does; where upstream's programs are built, one of them is kube-apiserver's own
//! client. `PODGATE_ROLLOUT_RESTARTS` sets how many restarts there are.

#[allow(dead_code, reason = "some of it is for the long runs")]
mod api_server;
mod balancer;
#[allow(dead_code, reason = "some of it is for the long runs")]
mod go_client;
#[allow(dead_code, reason = "some of it is for the long runs")]
pub(crate) mod replica;
mod upgrade;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{MissedTickBehavior, interval};

use api_server::{ApiServer, Failure};
use balancer::Balancer;
use go_client::GoClient;
use replica::{Files, Replica};

const REPLICAS: usize = 3;
/// Three API servers, each with connections of its own.
const API_SERVERS: usize = 3;

/// Until a change of readiness reaches the clients.
const LAG: Duration = Duration::from_millis(400);
/// Longer than the lag by what a busy machine may be late.
const DRAIN_DELAY: Duration = Duration::from_millis(1600);

/// An API server sends so many reviews at once, in turn, so often.
const BURSTS: [usize; 7] = [1, 4, 2, 8, 3, 1, 20];
const PAUSE: Duration = Duration::from_millis(50);

const REVIEW: &str = include_str!("../../benches/payloads/one-container.json");
const UID: &str = "8df8f495-4395-4268-a5a4-6285667fe33b";

/// The replicas and what stands before them.
struct Site {
    files: Files,
    balancer: Arc<Balancer>,
    replicas: VecDeque<Replica>,
}

impl Site {
    fn start() -> Self {
        let mut site =
            Self { files: Files::new(), balancer: Arc::new(Balancer::start(LAG)), replicas: VecDeque::new() };
        for _ in 0..REPLICAS {
            site.add();
        }
        site.balancer.await_active(REPLICAS);
        site
    }

    fn add(&mut self) {
        let replica = Replica::start(&self.files, DRAIN_DELAY);
        self.balancer.add(&replica);
        self.replicas.push_back(replica);
    }

    fn oldest(&mut self) -> Replica {
        self.replicas.pop_front().unwrap()
    }

    /// Every connection is idle; all end at once.
    fn end(self) {
        for replica in &self.replicas {
            replica.terminate();
        }
        for replica in self.replicas {
            replica.ends_well();
        }
    }
}

/// What the API servers saw.
#[derive(Debug, Default)]
struct Seen {
    answered: usize,
    /// Answers that said that the connection is to be closed.
    last: usize,
    failures: Vec<Failure>,
}

/// API servers that send reviews until they are stopped.
struct Load {
    runtime: Runtime,
    is_over: Arc<AtomicBool>,
    api_servers: Vec<Arc<ApiServer>>,
    seen: Vec<JoinHandle<Seen>>,
}

impl Load {
    fn start(certificate: &str, balancer: &Arc<Balancer>) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let is_over = Arc::new(AtomicBool::new(false));
        let api_server = |_| {
            let balancer = Arc::clone(balancer);
            ApiServer::new(certificate, move || balancer.endpoint())
        };
        let api_servers: Vec<_> = (0..API_SERVERS).map(api_server).collect();
        let seen = api_servers.iter().enumerate().map(|(index, api_server)| {
            runtime.spawn(send(Arc::clone(api_server), index, Arc::clone(&is_over)))
        });
        Self { seen: seen.collect(), runtime, is_over, api_servers }
    }

    /// Stops sending; the connections stay open until the load is dropped.
    fn stop(&mut self) -> Seen {
        self.is_over.store(true, Ordering::Relaxed);
        let mut all = Seen::default();
        for seen in self.seen.drain(..) {
            let seen = self.runtime.block_on(seen).unwrap();
            all.answered += seen.answered;
            all.last += seen.last;
            all.failures.extend(seen.failures);
        }
        all
    }
}

async fn send(api_server: Arc<ApiServer>, index: usize, is_over: Arc<AtomicBool>) -> Seen {
    let mut ticks = interval(PAUSE);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut seen = Seen::default();
    for (turn, burst) in BURSTS.iter().cycle().enumerate() {
        if is_over.load(Ordering::Relaxed) {
            break;
        }
        ticks.tick().await;
        let mut calls = JoinSet::new();
        for call in 0..*burst {
            let (api_server, uid) = (Arc::clone(&api_server), format!("{index}-{turn}-{call}"));
            calls.spawn(async move { api_server.call(&uid, &REVIEW.replace(UID, &uid)).await });
        }
        while let Some(call) = calls.join_next().await {
            match call.unwrap() {
                Ok(answer) => {
                    seen.answered += 1;
                    seen.last += usize::from(answer.is_last());
                }
                Err(failure) => seen.failures.push(failure),
            }
        }
    }
    seen
}

fn restarts(by_default: usize) -> usize {
    std::env::var("PODGATE_ROLLOUT_RESTARTS").map_or(by_default, |given| given.parse().unwrap())
}

#[test]
fn rolling_restarts_lose_no_review() {
    let mut site = Site::start();
    let mut load = Load::start(&site.files.certificate, &site.balancer);
    let go = GoClient::start(&site.files.folder().join("ca.crt"), &site.balancer);
    let restarts = restarts(9);
    for _ in 0..restarts {
        let old = site.oldest();
        let address = old.address;
        old.terminate();
        old.ends_well();
        site.balancer.remove(address);
        site.add();
        site.balancer.await_active(REPLICAS);
    }
    if let Some(go) = go.map(GoClient::stop) {
        eprintln!(
            "kube-apiserver's own client: {} reviews answered, {} failed",
            go.answered,
            go.failures.len()
        );
        assert!(go.failures.is_empty(), "{:#?}", go.failures);
        assert!(go.answered > 10 * restarts, "{go:?}");
    }
    let seen = load.stop();
    eprintln!(
        "{restarts} restarts: {} reviews answered, {} of them by replicas on their way out, {} failed",
        seen.answered,
        seen.last,
        seen.failures.len()
    );
    let errors: Vec<_> = seen.failures.iter().map(|failure| (failure, &failure.error)).collect();
    assert!(errors.is_empty(), "{errors:#?}");
    // The lag was felt: there were reviews to lose.
    assert!(seen.last >= restarts, "{seen:?}");
    site.end();
    drop(load.api_servers);
}

#[test]
fn a_replica_that_is_killed_takes_no_review_of_the_others_along() {
    let mut site = Site::start();
    let mut load = Load::start(&site.files.certificate, &site.balancer);
    let mut killed = Vec::new();
    let kills = restarts(3);
    for _ in 0..kills {
        let victim = site.oldest();
        let address = victim.address;
        victim.kill();
        let _ = victim.ended();
        killed.push((address, Instant::now()));
        site.balancer.await_active(REPLICAS - 1);
        site.balancer.remove(address);
        site.add();
        site.balancer.await_active(REPLICAS);
    }
    let seen = load.stop();
    let (in_flight, refused): (Vec<_>, Vec<_>) =
        seen.failures.iter().partition(|failure| failure.refused_by.is_none());
    eprintln!(
        "{kills} kills: {} reviews answered, {} lost in flight, {} refused by a killed replica's address",
        seen.answered,
        in_flight.len(),
        refused.len()
    );
    let death = |address: SocketAddr| killed.iter().find(|(dead, _)| *dead == address).map(|(_, when)| *when);
    for failure in in_flight {
        let (replica, taken) = failure.sent.unwrap_or_else(|| panic!("{failure:?}"));
        assert!(death(replica).is_some_and(|when| taken <= when), "{failure:?}");
    }
    // Nobody has told the clients yet: that is the Service's lag.
    for failure in refused {
        assert!(failure.refused_by.and_then(death).is_some(), "{failure:?}");
    }
    assert!(seen.answered > 20 * kills, "{seen:?}");
    site.end();
}
