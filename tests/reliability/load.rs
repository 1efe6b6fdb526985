//! Load, and what comes of it: calls at set times or as fast as they are answered, each answer looked at.

use std::future::Future;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;
use tokio_util::task::TaskTracker;

use crate::api_server::{Answer, ApiServer, Failure};
use crate::reviews::{Review, Reviews};
use crate::wire::post;

/// What became of a call.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// The verdict that belongs to the review.
    Right,
    /// 429, in a way that its receiver knows to try again.
    Shed,
    /// A refusal with the review's uid and the code 504.
    Late,
    /// The API server had its fill of calls in flight, and did not send it.
    Held,
    /// Any other answer.
    Wrong(String),
    /// No answer.
    Lost(Failure),
}

/// What became of many.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// How long the calls took that came to the right verdict, from when they were to be sent.
    latencies: Vec<Duration>,
    /// How late calls were begun: where this is long, it is the clients that could do no more.
    starts: Vec<Duration>,
    pub(crate) shed: usize,
    pub(crate) late: usize,
    pub(crate) held: usize,
    pub(crate) wrong: Vec<String>,
    pub(crate) lost: Vec<String>,
}

impl Tally {
    pub(crate) fn note(&mut self, outcome: Outcome, latency: Duration) {
        match outcome {
            Outcome::Right => self.latencies.push(latency),
            Outcome::Shed => self.shed += 1,
            Outcome::Late => self.late += 1,
            Outcome::Held => self.held += 1,
            Outcome::Wrong(answer) => self.wrong.push(answer),
            Outcome::Lost(failure) => self.lost.push(failure.error),
        }
    }

    /// How many came to the right verdict.
    pub(crate) fn right(&self) -> usize {
        self.latencies.len()
    }

    /// How many were sent.
    pub(crate) fn sent(&self) -> usize {
        self.right() + self.shed + self.late + self.errors()
    }

    /// How many were answered wrongly or not at all.
    pub(crate) fn errors(&self) -> usize {
        self.wrong.len() + self.lost.len()
    }

    /// The latency that so many of a thousand right verdicts kept to, in milliseconds.
    pub(crate) fn millis(&mut self, of_thousand: usize) -> f64 {
        quantile(&mut self.latencies, of_thousand)
    }

    /// How late so many of a thousand calls were begun at most, in milliseconds.
    pub(crate) fn millis_late(&mut self, of_thousand: usize) -> f64 {
        quantile(&mut self.starts, of_thousand)
    }

    /// Says what went wrong, a few of each.
    pub(crate) fn explain(&self) {
        for text in self.wrong.iter().take(3).chain(self.lost.iter().take(3)) {
            println!("  error: {}", text.chars().take(300).collect::<String>());
        }
    }
}

fn quantile(durations: &mut [Duration], of_thousand: usize) -> f64 {
    durations.sort_unstable();
    let place = (durations.len() * of_thousand).div_ceil(1000).saturating_sub(1);
    durations.get(place).map_or(f64::INFINITY, |duration| duration.as_secs_f64() * 1e3)
}

/// API servers with connections of their own, and a runtime for their calls.
pub(crate) struct Clients {
    pub(crate) runtime: Runtime,
    pub(crate) api_servers: Vec<Arc<ApiServer>>,
    pub(crate) reviews: Arc<Reviews>,
}

impl Clients {
    pub(crate) fn new(api_servers: Vec<Arc<ApiServer>>) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        Self { runtime, api_servers, reviews: Arc::new(Reviews::new()) }
    }

    pub(crate) fn of_turn(&self, turn: usize) -> Arc<ApiServer> {
        Arc::clone(&self.api_servers[turn % self.api_servers.len()])
    }

    /// So many calls a second, each at its time, whatever has become of those before it.
    pub(crate) fn open_loop(&self, rate: u32, time: Duration) -> Tally {
        open_loop(&self.runtime, rate, time, |turn| {
            let (api_server, reviews) = (self.of_turn(turn), Arc::clone(&self.reviews));
            async move { ask(&api_server, &reviews.of_turn(turn)).await }
        })
    }

    /// So many callers, each of which calls again once it is answered.
    pub(crate) fn closed_loop(&self, callers: usize, time: Duration) -> Tally {
        let (tally, tasks) = (Arc::new(Mutex::new(Tally::default())), TaskTracker::new());
        let end = Instant::now() + time;
        for caller in 0..callers {
            let (api_server, reviews) = (self.of_turn(caller), Arc::clone(&self.reviews));
            let tally = Arc::clone(&tally);
            let calls = async move {
                for turn in (caller..).step_by(callers) {
                    let started = Instant::now();
                    if started >= end {
                        break;
                    }
                    let outcome = ask(&api_server, &reviews.of_turn(turn)).await;
                    tally.lock().unwrap().note(outcome, started.elapsed());
                }
            };
            tasks.spawn_on(calls, self.runtime.handle());
        }
        finish(&self.runtime, &tasks, &tally)
    }
}

/// Makes so many calls a second. What a call takes counts from the moment in which it was to be made: a server
/// that stalls is not spared the calls that would have come meanwhile.
pub(crate) fn open_loop<C>(runtime: &Runtime, rate: u32, time: Duration, call: impl Fn(usize) -> C) -> Tally
where
    C: Future<Output = Outcome> + Send + 'static,
{
    let (tally, tasks) = (Arc::new(Mutex::new(Tally::default())), TaskTracker::new());
    let start = Instant::now();
    for turn in 0.. {
        let after = Duration::from_secs(1).mul_f64(f64::from(turn) / f64::from(rate));
        if after >= time {
            break;
        }
        let due = start + after;
        thread::sleep(due.saturating_duration_since(Instant::now()));
        let (call, tally) = (call(turn as usize), Arc::clone(&tally));
        let noted = async move {
            let late = due.elapsed();
            let outcome = call.await;
            let mut tally = tally.lock().unwrap();
            tally.starts.push(late);
            tally.note(outcome, due.elapsed());
        };
        tasks.spawn_on(noted, runtime.handle());
    }
    finish(runtime, &tasks, &tally)
}

fn finish(runtime: &Runtime, tasks: &TaskTracker, tally: &Mutex<Tally>) -> Tally {
    tasks.close();
    runtime.block_on(tasks.wait());
    std::mem::take(&mut tally.lock().unwrap())
}

/// Sends a review, and looks at the answer.
pub(crate) async fn ask(api_server: &Arc<ApiServer>, review: &Review) -> Outcome {
    let request = post("/validate?timeout=10s", &review.text);
    match api_server.ask(request.as_bytes()).await {
        Ok(answer) => look_at(&answer, review),
        Err(failure) => Outcome::Lost(failure),
    }
}

/// What an answer is to a review.
pub(crate) fn look_at(answer: &Answer, review: &Review) -> Outcome {
    if answer.status == 429 && answer.header("retry-after").is_some() {
        return Outcome::Shed;
    }
    let read: serde_json::Value = serde_json::from_str(&answer.body).unwrap_or_default();
    let response = &read["response"];
    if answer.status != 200 || response["uid"] != *review.uid {
        return Outcome::Wrong(format!("{} {}", answer.head, answer.body));
    }
    match (response["allowed"].as_bool(), response["status"]["code"].as_u64()) {
        (Some(true), _) if review.is_allowed => Outcome::Right,
        (Some(false), Some(403)) if !review.is_allowed => Outcome::Right,
        (Some(false), Some(429)) => Outcome::Shed,
        (Some(false), Some(504)) => Outcome::Late,
        _ => Outcome::Wrong(answer.body.clone()),
    }
}
