//! Promise 13: a connection that was idle for however long takes the next review.
//!
//! Go does not send a POST again once a byte of it was written, so a server that closes an idle connection in the
//! moment in which a review is sent loses it. Each lane is a client of its own, which asks again after a gap: swept
//! over all lengths, and closely around every time limit that there is. Short runs lower the limits and the gaps.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::api_server::ApiServer;
use crate::load::{Clients, Tally, ask};
use crate::process::descriptors;
use crate::replica::{Files, Replica};
use crate::report::{Figure, Report};
use crate::{Run, Site};

/// How long a lane waits before it asks again.
#[derive(Clone, Copy)]
enum Gap {
    /// Within 15 ms of this.
    Around(Duration),
    /// Of any length between these.
    Between(Duration, Duration),
}

impl Gap {
    fn of_turn(self, lane: usize, turn: usize) -> Duration {
        const AROUND: u64 = 15_000;
        // Steps that are prime to the lengths that they go round, so that each place is come to.
        let spread = |span: u64| Duration::from_micros((lane * 7_919 + turn * 104_729) as u64 % span);
        match self {
            Self::Around(limit) => limit + spread(2 * AROUND + 1) - Duration::from_micros(AROUND),
            // Each octave as often as any other.
            Self::Between(least, most) => {
                let place = spread(1_000_000).as_secs_f64();
                least.mul_f64((most.as_secs_f64() / least.as_secs_f64()).powf(place))
            }
        }
    }
}

const SECOND: Duration = Duration::from_secs(1);
const TENTH: Duration = Duration::from_millis(100);

/// Lanes with gaps like these.
type Lanes = [(usize, Gap); 5];

/// The limits as they are: 5 s for a handshake, a head and a body, 10 s between looks at files, and Go's own 90 s;
/// who keeps connections longer than Go meets 150 s.
const LONG: Lanes = [
    (60, Gap::Around(Duration::from_secs(5))),
    (40, Gap::Around(Duration::from_secs(10))),
    (250, Gap::Around(Duration::from_secs(90))),
    (50, Gap::Around(Duration::from_secs(150))),
    (250, Gap::Between(SECOND, Duration::from_secs(100))),
];

const SHORT_LIMITS: [&str; 4] =
    ["--header-timeout=300ms", "--handshake-timeout=400ms", "--body-timeout=700ms", "--reload-interval=1s"];
const SHORT: Lanes = [
    (10, Gap::Around(Duration::from_millis(300))),
    (10, Gap::Around(Duration::from_millis(400))),
    (20, Gap::Around(Duration::from_millis(700))),
    (20, Gap::Around(SECOND)),
    (20, Gap::Between(TENTH, Duration::from_secs(5))),
];

pub(crate) fn idle(run: Run) -> Report {
    let (lanes, time) = (run.pick(SHORT, LONG), run.seconds(12, 1080));
    let files = Files::new();
    let replica = Replica::start_with(&files, run.pick(&SHORT_LIMITS, &[]));
    let connected = Arc::new(AtomicUsize::new(0));
    let api_servers = lanes.iter().flat_map(|(count, _)| 0..*count).map(|_| {
        let (address, connected) = (replica.address, Arc::clone(&connected));
        ApiServer::new(&files.certificate, move || {
            connected.fetch_add(1, Ordering::Relaxed);
            address
        })
    });
    let site = Site { clients: Clients::new(api_servers.collect()), replica, files };
    let mut tally = sweep(&site.clients, &lanes, time);
    tally.explain();
    let descriptors = descriptors(site.replica.id());
    site.end();
    Report {
        number: 13,
        name: "idle",
        how: format!(
            "{} clients for {} s, gaps of {} s and ±15 ms of every limit",
            lanes.iter().map(|(count, _)| count).sum::<usize>(),
            time.as_secs(),
            run.pick("0.1 to 5", "1 to 100")
        ),
        figures: vec![
            Figure::count("answered", tally.right()).at_least(run.pick(600.0, 20_000.0)),
            Figure::none("lost", tally.errors() + tally.shed + tally.late),
            Figure::count("connections made", connected.load(Ordering::Relaxed)),
            Figure::of("longest", tally.millis(1000), "ms"),
            Figure::count("descriptors at the end", descriptors),
        ],
    }
}

fn sweep(clients: &Clients, lanes: &Lanes, time: Duration) -> Tally {
    let end = Instant::now() + time;
    let gaps = lanes.iter().flat_map(|(count, gap)| std::iter::repeat_n(*gap, *count));
    let swept: Vec<_> = gaps
        .enumerate()
        .map(|(lane, gap)| {
            let (api_server, reviews) = (clients.of_turn(lane), Arc::clone(&clients.reviews));
            clients.runtime.spawn(async move {
                let mut seen = Vec::new();
                for turn in 0.. {
                    let started = Instant::now();
                    let outcome = ask(&api_server, &reviews.of_turn(turn)).await;
                    seen.push((outcome, started.elapsed()));
                    let gap = gap.of_turn(lane, turn);
                    if Instant::now() + gap >= end {
                        break;
                    }
                    tokio::time::sleep(gap).await;
                }
                seen
            })
        })
        .collect();
    let mut tally = Tally::default();
    for lane in swept {
        for (outcome, latency) in clients.runtime.block_on(lane).unwrap() {
            tally.note(outcome, latency);
        }
    }
    tally
}
