//! Promise 9: all that API servers may have in flight, at once, on connections that are not made yet.
//!
//! The clients are kube-apiserver's own, three processes of `tests/upstream/webhook-client`; where that is not
//! built, ours.

use std::time::{Duration, Instant};

use crate::go_client::GoClient;
use crate::load::{Tally, ask};
use crate::process::{descriptors, memory};
use crate::report::{Figure, Report};
use crate::{API_SERVERS, Run, Site};

/// In flight at one API server, and at three, by default.
const BURSTS: [usize; 2] = [600, 1800];
/// What a build without optimisation bears on a machine that does other things.
const SHORT: [usize; 2] = [150, 600];

pub(crate) fn bursts(run: Run) -> Report {
    let bursts = run.pick(SHORT, BURSTS);
    let site = Site::start();
    let mut seen = Vec::new();
    for _ in 0..run.pick(1, 5) {
        for burst in bursts {
            seen.push(by_go(&site, burst).unwrap_or_else(|| by_ours(&site, burst)));
        }
    }
    let (memory, descriptors) = (memory(site.replica.id(), "VmHWM:"), descriptors(site.replica.id()));
    site.end();
    let slowest = |burst| {
        let of_burst = seen.iter().filter(|seen| seen.burst == burst).map(|seen| seen.slowest);
        of_burst.max().unwrap_or_default().as_secs_f64()
    };
    let client = if seen[0].is_go { "kube-apiserver's own client" } else { "our client with Go's rules" };
    Report {
        number: 9,
        name: "bursts",
        how: format!(
            "{client}, {API_SERVERS} pools, {} bursts of {} and {} calls",
            seen.len(),
            bursts[0],
            bursts[1]
        ),
        figures: vec![
            Figure::count("answered", seen.iter().map(|seen| seen.answered).sum()),
            Figure::none("errors", seen.iter().map(|seen| seen.errors).sum()),
            Figure::of("slowest of the smaller", slowest(bursts[0]), "s").at_most(3.0).if_long(),
            Figure::of("slowest of the greater", slowest(bursts[1]), "s").at_most(3.0).if_long(),
            Figure::of("peak memory", memory, "MiB").at_most(256.0),
            Figure::count("descriptors after", descriptors),
        ],
    }
}

/// What came of a burst.
struct Seen {
    is_go: bool,
    burst: usize,
    answered: usize,
    errors: usize,
    slowest: Duration,
}

fn by_go(site: &Site, burst: usize) -> Option<Seen> {
    let start =
        |_| GoClient::burst(&site.files.folder().join("ca.crt"), site.replica.address, burst / API_SERVERS);
    let clients: Vec<_> = (0..API_SERVERS).map(start).collect::<Option<_>>()?;
    let all = GoClient::stop_all(clients);
    for failure in all.iter().flat_map(|seen| &seen.failures).take(3) {
        println!("  error: {failure}");
    }
    Some(Seen {
        is_go: true,
        burst,
        answered: all.iter().map(|seen| seen.answered).sum(),
        errors: all.iter().map(|seen| seen.failures.len()).sum(),
        slowest: Duration::from_millis(all.iter().map(|seen| seen.slowest_millis).max().unwrap_or(0)),
    })
}

fn by_ours(site: &Site, burst: usize) -> Seen {
    let clients = &site.clients;
    let start = Instant::now();
    let calls: Vec<_> = (0..burst)
        .map(|turn| {
            let (api_server, review) = (clients.of_turn(turn), clients.reviews.of_turn(turn));
            clients.runtime.spawn(async move { (ask(&api_server, &review).await, start.elapsed()) })
        })
        .collect();
    let mut tally = Tally::default();
    for call in calls {
        let (outcome, after) = clients.runtime.block_on(call).unwrap();
        tally.note(outcome, after);
    }
    tally.explain();
    Seen {
        is_go: false,
        burst,
        answered: tally.right(),
        errors: tally.errors() + tally.shed + tally.late,
        slowest: Duration::from_secs_f64(tally.millis(1000) / 1e3),
    }
}
