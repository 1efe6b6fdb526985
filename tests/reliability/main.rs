//! Promises about load and time, shown on the program itself, over TLS, by clients that treat their connections as
//! kube-apiserver does.
//!
//! `cargo test --test reliability` shows each for some seconds, one after another; names after `--` choose.
//! Counts are held to their goals then: errors, wrong verdicts, memory. `PODGATE_LONG` makes the runs as long as the
//! promises say, and holds times to their goals as well; `tests/reliability/long` does so with a release build.
//! `docs/reliability.md` has the promises, and the figures of a long run.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test that cannot go on has failed, and figures are printed"
)]

#[path = "../it/rollout/api_server.rs"]
#[allow(dead_code, reason = "some of it is for the rollout")]
mod api_server;
#[path = "../it/rollout/balancer.rs"]
mod balancer;
mod bursts;
#[path = "../it/rollout/go_client.rs"]
#[allow(dead_code, reason = "some of it is for the rollout")]
mod go_client;
mod idle;
#[path = "../it/left_out.rs"]
mod left_out;
mod load;
mod overload;
mod process;
#[path = "../cluster/programs.rs"]
#[allow(dead_code, reason = "some of it is for the control plane")]
mod programs;
#[path = "../it/rollout/replica.rs"]
#[allow(dead_code, reason = "some of it is for the rollout")]
mod replica;
mod report;
mod reviews;
mod soak;
mod starvation;
mod steady;
#[path = "../it/wire.rs"]
mod wire;

use std::env;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use api_server::ApiServer;
use load::Clients;
use replica::{Files, Replica, podgate};
use report::Report;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Each has connections of its own.
const API_SERVERS: usize = 3;

/// A name, and what shows the promise.
type Promise = (&'static str, fn(Run) -> Report);

/// In the order in which they are shown.
const PROMISES: [Promise; 7] = [
    ("steady", steady::steady),
    ("saturation", steady::saturation),
    ("bursts", bursts::bursts),
    ("overload", overload::overload),
    ("idle", idle::idle),
    ("starvation", starvation::starvation),
    ("soak", soak::soak),
];

/// A replica ends at once: nobody has to learn that it goes.
const AT_ONCE: &str = "--drain-delay=0s";

/// How it is run.
#[derive(Clone, Copy)]
struct Run {
    is_long: bool,
}

impl Run {
    /// The first in a short run, the second in a long one.
    fn pick<T>(self, short: T, long: T) -> T {
        if self.is_long { long } else { short }
    }

    /// Likewise, in seconds.
    fn seconds(self, short: u64, long: u64) -> Duration {
        Duration::from_secs(self.pick(short, long))
    }
}

/// One replica, and clients that know no other.
struct Site {
    clients: Clients,
    replica: Replica,
    files: Files,
}

impl Site {
    fn start() -> Self {
        let files = Files::new();
        let replica = Replica::start_as(podgate(), &files, &[AT_ONCE]);
        let address = replica.address;
        let api_servers = (0..API_SERVERS).map(|_| ApiServer::new(&files.certificate, move || address));
        let clients = Clients::new(api_servers.collect());
        Self { clients, replica, files }
    }

    /// Has connections made that later calls can use.
    fn warm_up(&self) {
        let tally = self.clients.closed_loop(24, Duration::from_secs(1));
        tally.explain();
        assert_eq!(tally.errors(), 0, "not even the first calls are answered");
    }

    /// The clients go, and the replica ends in good order.
    fn end(self) {
        drop(self.clients);
        self.replica.terminate();
        self.replica.ends_well();
    }
}

/// Under overload the clients hold more connections than a process may have files open at first.
fn raise_file_limit() {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).unwrap();
}

fn main() -> ExitCode {
    if env::args().any(|argument| argument == "--list") {
        return ExitCode::SUCCESS;
    }
    raise_file_limit();
    let run = Run { is_long: env::var_os("PODGATE_LONG").is_some() };
    // What cargo passes on of its own is not for us.
    let wanted: Vec<String> = env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let chosen = |name: &str| wanted.is_empty() || wanted.iter().any(|wanted| name.contains(&**wanted));
    let mut reports = Vec::new();
    for (name, show) in PROMISES.into_iter().filter(|(name, _)| chosen(name)) {
        let started = Instant::now();
        println!("{name}:");
        let report = show(run);
        report.print();
        println!("  {name} took {:.0} s", started.elapsed().as_secs_f64());
        reports.push(report);
    }
    if !run.is_long {
        println!("a short run: times are not held to their goals");
    }
    if !reports.is_empty() {
        println!("\n| # | run | how | figures |\n|---|---|---|---|");
    }
    for report in &reports {
        println!("{}", report.row());
    }
    match reports.iter().all(|report| report.holds(run.is_long)) {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}
