//! Promise 43: hours of everything: load, certificates and policies exchanged, replicas that end and are killed.
//!
//! Three replicas behind what a Service is, with its lag. The first lives through it all, and is watched; the other
//! two are killed and ended in turn. A call that was in flight on a replica that was killed is lost, which nobody can
//! help; it is made again, as whoever made the pod does. No other may fail.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use tokio::time::sleep;

use crate::api_server::{ApiServer, Failure};
use crate::balancer::Balancer;
use crate::load::{Clients, Outcome, Tally, ask, open_loop};
use crate::process::{descriptors, memory};
use crate::replica::{Files, Replica, podgate};
use crate::report::{Figure, Report, number};
use crate::{API_SERVERS, Run};

const REPLICAS: usize = 3;
/// Until a change of readiness reaches the clients.
const LAG: Duration = Duration::from_millis(400);
const ARGUMENTS: [&str; 2] = ["--drain-delay=1600ms", "--reload-interval=2s"];
/// What a call waits before it is made again.
const PAUSE: Duration = Duration::from_millis(100);

/// How long, how often, and from when on the first replica is looked at.
struct Plan {
    rate: u32,
    time: Duration,
    warm_up: Duration,
    exchange_every: Duration,
    restart_every: Duration,
    sample_every: Duration,
}

pub(crate) fn soak(run: Run) -> Report {
    let plan = Plan {
        rate: run.pick(50, 300),
        time: run.seconds(20, 1800),
        warm_up: run.seconds(5, 300),
        exchange_every: run.seconds(5, 60),
        restart_every: run.seconds(7, 60),
        sample_every: run.seconds(1, 5),
    };
    let mut site = Site::start();
    let (tally, samples) = thread::scope(|scope| {
        let (clients, deaths) = (site.clients(), Arc::clone(&site.deaths));
        let load = scope.spawn({
            let (rate, time) = (plan.rate, plan.time);
            move || load(&clients, &deaths, rate, time)
        });
        let samples = site.live_through(&plan);
        (load.join().unwrap(), samples)
    });
    tally.explain();
    site.report(&plan, tally, &samples)
}

/// The replicas, what stands before them, and who was killed.
struct Site {
    files: Files,
    balancer: Arc<Balancer>,
    first: Replica,
    others: VecDeque<Replica>,
    deaths: Arc<Deaths>,
    restarts: usize,
    exchanges: usize,
}

#[derive(Default)]
struct Deaths {
    killed: Mutex<Vec<SocketAddr>>,
    lost_calls: AtomicUsize,
}

impl Deaths {
    /// Whether it is a killed replica's death that a call failed by.
    fn explain(&self, failure: &Failure) -> bool {
        let replica = failure.refused_by.or(failure.sent.map(|(replica, _)| replica));
        replica.is_some_and(|replica| self.killed.lock().unwrap().contains(&replica))
    }
}

/// What the first replica was like at a moment.
struct Sample {
    after: Duration,
    memory: f64,
    descriptors: usize,
}

impl Site {
    fn start() -> Self {
        let (files, balancer) = (Files::new(), Arc::new(Balancer::start(LAG)));
        let first = Replica::start_as(podgate(), &files, &ARGUMENTS);
        balancer.add(&first);
        let deaths = Arc::default();
        let mut site =
            Self { files, balancer, first, others: VecDeque::new(), deaths, restarts: 0, exchanges: 0 };
        for _ in 1..REPLICAS {
            site.add();
        }
        site.balancer.await_active(REPLICAS);
        site
    }

    fn add(&mut self) {
        let replica = Replica::start_as(podgate(), &self.files, &ARGUMENTS);
        self.balancer.add(&replica);
        self.others.push_back(replica);
    }

    fn clients(&self) -> Clients {
        let api_server = |_| {
            let balancer = Arc::clone(&self.balancer);
            ApiServer::new(&self.files.certificate, move || balancer.endpoint())
        };
        Clients::new((0..API_SERVERS).map(api_server).collect())
    }

    /// Exchanges files and replicas while the load lasts, and looks at the first replica.
    fn live_through(&mut self, plan: &Plan) -> Vec<Sample> {
        let start = Instant::now();
        let (mut exchange, mut restart, mut sample) =
            (plan.exchange_every / 2, plan.restart_every, plan.warm_up);
        let mut samples = Vec::new();
        loop {
            let next = exchange.min(restart).min(sample);
            if next >= plan.time {
                return samples;
            }
            thread::sleep(next.saturating_sub(start.elapsed()));
            if next == exchange {
                self.files.exchange();
                self.exchanges += 1;
                exchange += plan.exchange_every;
            } else if next == restart {
                self.restart();
                restart += plan.restart_every;
            } else {
                let id = self.first.id();
                let (memory, descriptors) = (memory(id, "VmRSS:"), descriptors(id));
                samples.push(Sample { after: start.elapsed(), memory, descriptors });
                sample += plan.sample_every;
            }
        }
    }

    /// The older of the two others is killed, or ends in good order, in turn; a new one comes.
    fn restart(&mut self) {
        let old = self.others.pop_front().unwrap();
        let address = old.address;
        if self.restarts.is_multiple_of(2) {
            self.deaths.killed.lock().unwrap().push(address);
            old.kill();
            let _ = old.ended();
        } else {
            old.terminate();
            old.ends_well();
        }
        self.balancer.remove(address);
        self.add();
        self.restarts += 1;
    }

    fn report(self, plan: &Plan, mut tally: Tally, samples: &[Sample]) -> Report {
        let descriptors = |part: &[Sample]| part.iter().map(|sample| sample.descriptors).max().unwrap_or(0);
        let (early, late) = samples.split_at(samples.len() / 2);
        let growth = number(descriptors(late)) - number(descriptors(early));
        let peak = memory(self.first.id(), "VmHWM:");
        for replica in self.others.into_iter().chain([self.first]) {
            replica.terminate();
            replica.ends_well();
        }
        Report {
            number: 43,
            name: "soak",
            how: format!(
                "{} reviews a second for {} s; {} exchanges of certificate and policy; {} replicas killed, {} ended",
                plan.rate,
                plan.time.as_secs(),
                self.exchanges,
                self.restarts.div_ceil(2),
                self.restarts / 2
            ),
            figures: vec![
                Figure::count("answered", tally.right()),
                Figure::none("errors", tally.errors() + tally.shed + tally.late),
                Figure::count(
                    "in flight on a killed replica, made again",
                    self.deaths.lost_calls.load(Ordering::Relaxed),
                ),
                Figure::of("p99", tally.millis(990), "ms"),
                Figure::of("slope of memory", slope_per_hour(samples), "MiB/h").at_most(1.0).if_long(),
                Figure::of("peak memory", peak, "MiB"),
                Figure::count("most descriptors, first half", descriptors(early)),
                Figure::of("more in the second half", growth, "").at_most(10.0).if_long(),
            ],
        }
    }
}

fn load(clients: &Clients, deaths: &Arc<Deaths>, rate: u32, time: Duration) -> Tally {
    open_loop(&clients.runtime, rate, time, |turn| {
        let (api_server, reviews) = (clients.of_turn(turn), Arc::clone(&clients.reviews));
        let deaths = Arc::clone(deaths);
        async move {
            let review = reviews.of_turn(turn);
            loop {
                let outcome = ask(&api_server, &review).await;
                if !matches!(&outcome, Outcome::Lost(failure) if deaths.explain(failure)) {
                    return outcome;
                }
                deaths.lost_calls.fetch_add(1, Ordering::Relaxed);
                sleep(PAUSE).await;
            }
        }
    })
}

/// The slope of the straight line that is nearest to all samples of memory.
fn slope_per_hour(samples: &[Sample]) -> f64 {
    let count = number(samples.len().max(1));
    let hours = |sample: &Sample| sample.after.as_secs_f64() / 3600.0;
    let middle = samples.iter().map(hours).sum::<f64>() / count;
    let mean = samples.iter().map(|sample| sample.memory).sum::<f64>() / count;
    let together: f64 = samples.iter().map(|sample| (hours(sample) - middle) * (sample.memory - mean)).sum();
    let spread: f64 = samples.iter().map(|sample| (hours(sample) - middle).powi(2)).sum();
    if spread > 0.0 { together / spread } else { 0.0 }
}
