//! Promise 13: a connection that was idle for however long takes the next review.
//!
//! Go does not send a POST again once a byte of it was written, so a server that closes an idle connection in the
//! moment in which a review is sent loses it. Each lane is a client of its own, which asks again after a gap: swept
//! over all lengths, and closely around every time limit that there is. Short runs lower the limits and the gaps.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::api_server::ApiServer;
use crate::load::{Clients, Outcome, Tally, ask};
use crate::process::descriptors;
use crate::replica::{Files, Replica, podgate};
use crate::report::{Figure, Report};
use crate::reviews::Reviews;
use crate::{AT_ONCE, Run, Site};

/// How long a lane waits before it asks again.
#[derive(Clone, Copy)]
enum Gap {
    /// Within 15 ms of this.
    Around(Duration),
    /// Of any length between these.
    Between(Duration, Duration),
    /// Within 15 ms of this, and on a connection that was made ahead and has had no review yet.
    Ahead(Duration),
}

impl Gap {
    fn of_turn(self, lane: usize, turn: usize) -> Duration {
        const AROUND: u64 = 15_000;
        // Steps that are prime to the lengths that they go round, so that each place is come to.
        let spread = |span: u64| Duration::from_micros((lane * 7_919 + turn * 104_729) as u64 % span);
        match self {
            Self::Around(limit) | Self::Ahead(limit) => {
                limit + spread(2 * AROUND + 1) - Duration::from_micros(AROUND)
            }
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

/// Lanes with gaps like these. Those that are open all the time take more than half of the places, where a server may be
/// tempted to close what is silent.
type Lanes = [(usize, Gap); 6];

/// The limits as they are: 5 s for a handshake, a head and a body, 10 s between looks at files, and Go's own 90 s;
/// who keeps connections longer than Go meets 150 s.
const LONG: Lanes = [
    (60, Gap::Around(Duration::from_secs(5))),
    (40, Gap::Around(Duration::from_secs(10))),
    (250, Gap::Around(Duration::from_secs(90))),
    (50, Gap::Around(Duration::from_secs(150))),
    (250, Gap::Between(SECOND, Duration::from_secs(100))),
    (100, Gap::Ahead(Duration::from_secs(5))),
];
const LONG_LIMITS: &[&str] = &["--max-connections=1200"];

const SHORT: Lanes = [
    (10, Gap::Around(Duration::from_millis(500))),
    (20, Gap::Around(SECOND)),
    (20, Gap::Around(Duration::from_millis(1500))),
    (10, Gap::Around(Duration::from_secs(5))),
    (20, Gap::Between(TENTH, Duration::from_secs(5))),
    (20, Gap::Ahead(SECOND)),
];
const SHORT_LIMITS: &[&str] =
    &["--max-connections=150", "--reload-interval=500ms", "--header-timeout=1s", "--body-timeout=1500ms"];

/// What came of calls on connections that were used before, and on those made ahead.
#[derive(Default)]
struct Swept {
    used: Tally,
    ahead: Tally,
}

pub(crate) fn idle(run: Run) -> Report {
    let (lanes, time) = (run.pick(SHORT, LONG), run.seconds(12, 1080));
    let files = Files::new();
    let arguments = [run.pick(SHORT_LIMITS, LONG_LIMITS), &[AT_ONCE]].concat();
    let replica = Replica::start_as(podgate(), &files, &arguments);
    let connected = Arc::new(AtomicUsize::new(0));
    let api_servers = lanes.iter().flat_map(|(count, _)| 0..*count).map(|_| {
        let (address, connected) = (replica.address, Arc::clone(&connected));
        ApiServer::new(&files.certificate, move || {
            connected.fetch_add(1, Ordering::Relaxed);
            address
        })
    });
    let site = Site { clients: Clients::new(api_servers.collect()), replica, files };
    let Swept { mut used, ahead } = sweep(&site.clients, &lanes, time);
    used.explain();
    ahead.explain();
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
            Figure::count("answered", used.right()).at_least(run.pick(400.0, 20_000.0)),
            Figure::none("lost", used.errors() + used.shed + used.late),
            Figure::count("answered on connections made ahead", ahead.right()),
            Figure::none("lost on those", ahead.errors() + ahead.shed + ahead.late).if_long(),
            Figure::count("connections made", connected.load(Ordering::Relaxed)),
            Figure::of("longest", used.millis(1000), "ms"),
            Figure::count("descriptors at the end", descriptors),
        ],
    }
}

fn sweep(clients: &Clients, lanes: &Lanes, time: Duration) -> Swept {
    let end = Instant::now() + time;
    let gaps = lanes.iter().flat_map(|(count, gap)| std::iter::repeat_n(*gap, *count));
    let tasks: Vec<_> = gaps
        .enumerate()
        .map(|(lane, gap)| {
            let (api_server, reviews) = (clients.of_turn(lane), Arc::clone(&clients.reviews));
            (gap, clients.runtime.spawn(follow(api_server, reviews, (lane, gap), end)))
        })
        .collect();
    let mut swept = Swept::default();
    for (gap, task) in tasks {
        let is_ahead = matches!(gap, Gap::Ahead(_));
        for (outcome, latency) in clients.runtime.block_on(task).unwrap() {
            if is_ahead { &mut swept.ahead } else { &mut swept.used }.note(outcome, latency);
        }
    }
    swept
}

/// Asks after each gap until the end.
async fn follow(
    api_server: Arc<ApiServer>,
    reviews: Arc<Reviews>,
    (lane, gap): (usize, Gap),
    end: Instant,
) -> Vec<(Outcome, Duration)> {
    let is_ahead = matches!(gap, Gap::Ahead(_));
    let mut seen = Vec::new();
    for turn in 0.. {
        let pause = gap.of_turn(lane, turn);
        if is_ahead {
            api_server.close_idle();
            api_server.connect_ahead().await.unwrap();
            tokio::time::sleep(pause).await;
        }
        let started = Instant::now();
        seen.push((ask(&api_server, &reviews.of_turn(turn)).await, started.elapsed()));
        if Instant::now() + pause >= end {
            break;
        }
        if !is_ahead {
            tokio::time::sleep(pause).await;
        }
    }
    seen
}
