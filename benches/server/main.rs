//! The whole server under TLS, beside a null handler on the same stack and beside upstream's webhook.
//!
//! Run with `cargo bench --bench server`, and a number of rounds after `--` if the 11 are too few. With
//! `PODGATE_BLESS` set the tables are also written into `docs/performance.md`, which says what they mean.
//!
//! Five servers live through all rounds and take turns: `null` reads the body and answers with fixed bytes, no
//! log; `skipping` has `serde_json` read over the body besides, which is what any reading costs; `judging` is
//! podgate with its built-in policy. These are the bench itself, started again. `drop-in` is the program
//! `podgate serve` with a PodSecurityConfiguration, and `upstream` is upstream's webhook, which is left out
//! where `tests/upstream/build` was not run. The last two follow the same API server. All have one core, the
//! same certificate and the same clients, which have another core.
//!
//! CPU per review is read from the scheduler's own count of the server's threads. What is quoted is the median
//! over the rounds of the ratio within a round: the machine's speed drifts, the ratio hardly does.

#![expect(
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "a bench prints what it measured, and may end by a panic; counts are far below 2^52"
)]

mod calls;
mod client;
mod own;
mod peer;
mod report;
mod upstream;

use std::env;
use std::error::Error;
use std::fs;
use std::path::Path;

use peer::{Files, Peer, Side};
use report::Costs;
use upstream::Upstream;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// How often each server is started to see how long that takes.
const STARTS: usize = 7;

/// A review, and what is to be made of it.
struct Payload {
    name: &'static str,
    is_mutation: bool,
    is_allowed: bool,
    review: &'static [u8],
}

const ONE_CONTAINER: &[u8] = include_bytes!("../payloads/one-container.json");
/// The pod that passes, the one with more containers, and the one that differs from the first by its faults.
const PASSED: usize = 0;
const SIXTEEN: usize = 1;
const REFUSED: usize = 2;

const PAYLOADS: [Payload; 5] = [
    Payload { name: "validate, 1 container", is_mutation: false, is_allowed: true, review: ONE_CONTAINER },
    Payload {
        name: "validate, 16 containers",
        is_mutation: false,
        is_allowed: true,
        review: include_bytes!("../payloads/sixteen-containers.json"),
    },
    Payload {
        name: "validate, refused with many faults",
        is_mutation: false,
        is_allowed: false,
        review: include_bytes!("../payloads/denied.json"),
    },
    Payload { name: "mutate, 1 container", is_mutation: true, is_allowed: true, review: ONE_CONTAINER },
    Payload {
        name: "mutate, 1 container that is repaired",
        is_mutation: true,
        is_allowed: true,
        review: include_bytes!("../payloads/repaired.json"),
    },
];

fn main() -> Result<()> {
    if let (Ok(kind), Some(folder)) = (env::var("PODGATE_BENCH_SERVER"), env::var_os("PODGATE_BENCH_FILES")) {
        return own::serve(&kind, Path::new(&folder));
    }
    // What cargo passes (--bench) is not for us.
    let rounds = env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(11);
    peer::be_client()?;
    println!("load before: {}", load()?);
    let files = Files::new()?;
    let upstream = Upstream::start(&files.folder().join("namespace.yaml"))?;
    let mut peers = Vec::new();
    for side in Side::ALL.into_iter().filter(|side| *side != Side::Upstream || upstream.is_some()) {
        peers.push(start(side, &files, upstream.as_ref())?);
    }
    let costs = compare(&peers, rounds)?;
    let calls = calls::count(&peers)?;
    let tables = format!(
        "CPU per review, {rounds} rounds:\n\n{}\nRefused with many faults / passed, one container: {}.\n\n\
         Calls of the system for each review:\n\n{}\nTime to ready ({STARTS} starts), memory and size:\n\n{}",
        report::costs(&costs),
        report::refused_to_passed(&costs),
        calls::table(&calls)?,
        report::processes(&peers, upstream.as_ref())?
    );
    report::keep(&costs, &calls::with_goals(&calls), &peers)?;
    println!("load after:  {}\n\n{tables}", load()?);
    if env::var_os("PODGATE_BLESS").is_some() {
        report::bless(&tables)?;
    }
    Ok(())
}

/// Starts a server a few times, and keeps the last; with the milliseconds that each start took.
fn start(side: Side, files: &Files, upstream: Option<&Upstream>) -> Result<(Peer, Vec<f64>)> {
    let mut ready = Vec::new();
    loop {
        let peer = Peer::start(side, files, upstream)?;
        ready.push(peer.ready_after.as_secs_f64() * 1000.0);
        if ready.len() == STARTS {
            return Ok((peer, ready));
        }
    }
}

/// Takes turns: in each round each payload is sent to each server.
fn compare(peers: &[(Peer, Vec<f64>)], rounds: usize) -> Result<Vec<Costs>> {
    let mut all = Vec::new();
    for payload in &PAYLOADS {
        let mut of = Vec::new();
        for (peer, _) in peers {
            if peer.answers(payload)? {
                of.push((peer, Vec::new(), Vec::new()));
            }
        }
        all.push((payload, of));
    }
    // The first round warms up.
    for round in 0..=rounds {
        for (payload, of) in &mut all {
            for (peer, costs, busy) in of {
                let measured = peer.round(payload)?;
                if round > 0 {
                    costs.push(measured.cost());
                    busy.push(measured.busy());
                }
            }
        }
        println!("round {round} of {rounds}");
    }
    let mut costs = Vec::new();
    for (payload, of) in all {
        print!("{}: the server was busy", payload.name);
        for (peer, _, busy) in &of {
            print!(" {} {:.0} %", peer.side.name(), busy.iter().sum::<f64>() / busy.len() as f64);
        }
        println!();
        let of = of.into_iter().map(|(peer, costs, _)| (peer.side, costs)).collect();
        costs.push(Costs { payload: payload.name, bytes: payload.review.len(), of });
    }
    Ok(costs)
}

/// The load of the machine, and what its host has taken from it.
fn load() -> Result<String> {
    let average = fs::read_to_string("/proc/loadavg")?;
    let stat = fs::read_to_string("/proc/stat")?;
    let stolen = stat.lines().next().and_then(|line| line.split_whitespace().nth(8)).unwrap_or("?");
    Ok(format!("{}, stolen so far: {stolen} ticks", average.trim()))
}
