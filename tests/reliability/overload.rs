//! Promise 10: ten times what it can do. What cannot be judged in time is shed, and nothing is judged wrongly.
//!
//! The server has a fifth of a core, so that the clients can offer that much. Three API servers send no more at
//! once than theirs may have in flight; what they hold back is no error of ours. One call in ten is tried again
//! as client-go does where the answer says so.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout_at};

use crate::api_server::{ApiServer, Failure};
use crate::load::{Outcome, Tally, ask, look_at, open_loop};
use crate::process::{CpuShare, memory};
use crate::report::{Figure, Report, number};
use crate::reviews::Review;
use crate::steady::per_second;
use crate::wire::post;
use crate::{API_SERVERS, Run, Site};

const MILLICORES: u32 = 200;
/// `--max-requests-inflight` and `--max-mutating-requests-inflight` together.
const IN_FLIGHT: usize = 600;
const TIMES: f64 = 10.0;
/// More the clients cannot make on what the server leaves of two cores.
const MOST: f64 = 50_000.0;
/// The greatest number of times that client-go tries.
const TRIES: usize = 10;
const DEADLINE: Duration = Duration::from_secs(10);
/// Calls are answered as ever when they take no longer than this.
const CALM: Duration = Duration::from_millis(50);

pub(crate) fn overload(run: Run) -> Report {
    let share = CpuShare::new(MILLICORES);
    let site = Site::start();
    site.warm_up();
    if let Some(share) = &share {
        share.hold(site.replica.id());
    }
    let measured = run.seconds(3, 10);
    let capacity = per_second(site.clients.closed_loop(32, measured).right(), measured);
    let (offered, time) = ((capacity * TIMES).min(MOST), run.seconds(8, 60));
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most MOST")]
    let mut storm = Storm::rage(&site, offered.ceil() as u32, time);
    let recovered = recovery(&site);
    let memory = memory(site.replica.id(), "VmHWM:");
    storm.once.explain();
    storm.patient.explain();
    site.end();
    storm.report(capacity, offered, time, (recovered, memory))
}

/// What came of the calls that were made once, and of those that were tried again.
struct Storm {
    once: Tally,
    patient: Tally,
    /// Until the last was answered.
    took: Duration,
}

impl Storm {
    fn rage(site: &Site, rate: u32, time: Duration) -> Self {
        let clients = &site.clients;
        let rooms: Vec<_> = (0..API_SERVERS).map(|_| Arc::new(Semaphore::new(IN_FLIGHT))).collect();
        let started = Instant::now();
        thread::scope(|scope| {
            let storm = |rate: u32, is_patient: bool| {
                let rooms = &rooms;
                move || {
                    open_loop(&clients.runtime, rate, time, |turn| {
                        let (api_server, reviews) = (clients.of_turn(turn), Arc::clone(&clients.reviews));
                        let room = Arc::clone(&rooms[turn % API_SERVERS]);
                        async move {
                            let Ok(_room) = room.try_acquire() else { return Outcome::Held };
                            let review = reviews.of_turn(turn);
                            if is_patient {
                                ask_patiently(&api_server, &review).await
                            } else {
                                ask(&api_server, &review).await
                            }
                        }
                    })
                }
            };
            let patient = scope.spawn(storm((rate / 10).max(1), true));
            let once = storm(rate - rate / 10, false)();
            Self { once, patient: patient.join().unwrap(), took: started.elapsed() }
        })
    }

    fn report(
        &mut self,
        capacity: f64,
        offered: f64,
        time: Duration,
        (recovered, memory): (Duration, f64),
    ) -> Report {
        let (once, patient, took) = (&mut self.once, &mut self.patient, self.took);
        let (sent, wrong) = (once.sent() + patient.sent(), once.wrong.len() + patient.wrong.len());
        let succeeded = 100.0 * number(patient.right()) / number(patient.sent().max(1));
        Report {
            number: 10,
            name: "overload",
            how: format!(
                "{MILLICORES} millicores do {capacity:.0}/s; {offered:.0}/s for {} s, at most {IN_FLIGHT} in flight at each of {API_SERVERS} API servers",
                time.as_secs()
            ),
            figures: vec![
                Figure::count("sent", sent),
                Figure::count("held back by the API servers", once.held + patient.held),
                Figure::of("judged", per_second(once.right() + patient.right(), took), "/s"),
                Figure::count("shed (429)", once.shed + patient.shed),
                Figure::count("refused for being late (504)", once.late + patient.late),
                Figure::none("wrong answers", wrong),
                Figure::none("not answered", once.lost.len() + patient.lost.len()).if_long(),
                Figure::of("p99 of those judged", once.millis(990), "ms").at_most(250.0).if_long(),
                Figure::of("longest", once.millis(1000), "ms"),
                Figure::of("p99 of the clients' own delay", once.millis_late(990), "ms"),
                Figure::of("with retries succeed", succeeded, "%").at_least(99.0).if_long(),
                Figure::of("calm again after", recovered.as_secs_f64(), "s").at_most(2.0).if_long(),
                Figure::of("peak memory", memory, "MiB").at_most(256.0),
            ],
        }
    }
}

/// As client-go does: 429 and 5xx with Retry-After are tried again, within the deadline of the call.
async fn ask_patiently(api_server: &Arc<ApiServer>, review: &Review) -> Outcome {
    let end = tokio::time::Instant::now() + DEADLINE;
    let mut last = Outcome::Shed;
    for _ in 0..TRIES {
        let request = post("/validate?timeout=10s", &review.text);
        let answer = match timeout_at(end, api_server.ask(request.as_bytes())).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(failure)) => return Outcome::Lost(failure),
            Err(_) => return Outcome::Lost(Failure::late(DEADLINE)),
        };
        last = look_at(&answer, review);
        let pause = answer.header("retry-after").and_then(|seconds| seconds.parse().ok());
        let (Outcome::Shed, Some(pause)) = (&last, pause) else { break };
        let pause = Duration::from_secs(pause);
        if tokio::time::Instant::now() + pause >= end {
            break;
        }
        sleep(pause).await;
    }
    last
}

/// How long it takes until calls are answered as ever: from now to the last that was not.
fn recovery(site: &Site) -> Duration {
    const PROBES: usize = 150;
    const PAUSE: Duration = Duration::from_millis(20);
    let clients = &site.clients;
    let start = Instant::now();
    let mut last = Duration::ZERO;
    for turn in 0..PROBES {
        let asked = Instant::now();
        let review = clients.reviews.of_turn(turn);
        let outcome = clients.runtime.block_on(ask(&clients.of_turn(turn), &review));
        if asked.elapsed() > CALM || !matches!(outcome, Outcome::Right) {
            last = start.elapsed();
        }
        thread::sleep(PAUSE);
    }
    last
}
