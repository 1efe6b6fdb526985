//! The certificate that podgate makes for itself: every replica follows it, one of them rotates it.
//!
//! All that lasts is in the Secret and in the bundles, so that a look can be broken off anywhere, and is, when
//! it takes too long. Whatever goes wrong, what is served stays in force and the next look begins from what is
//! there then.

mod follow;
mod report;
mod store;

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

use super::authority::Authority;
use super::bundle::render;
use super::rotation::{Situation, Step, plan, wanted};
use super::stored::{Fault, Stored};
use super::terms::{Lifetimes, Service};
use super::{Loaded, TlsVersion};

use follow::{Choice, Follower};
pub use report::{Doing, Event, Observer, Phase, Problem, Status, Unready};
pub use store::{Published, Store, StoreError, Versioned};

/// How a certificate is managed.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The Service that the certificate is for.
    pub service: Service,
    /// How long everything lasts.
    pub lifetimes: Lifetimes,
    /// The oldest TLS version that is accepted.
    pub oldest: TlsVersion,
    /// How often to look when nobody says that something has changed. A Lease that is renewed at every look
    /// must last for three of these.
    pub look_every: Duration,
    /// How long one look may take.
    pub patience: Duration,
}

impl Settings {
    /// What is right in a cluster.
    #[must_use]
    pub fn new(service: Service, oldest: TlsVersion) -> Self {
        Self {
            service,
            lifetimes: Lifetimes::default(),
            oldest,
            look_every: Duration::from_secs(5),
            patience: Duration::from_secs(20),
        }
    }
}

/// A moment on both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// The time of day, which may jump.
    pub wall: SystemTime,
    /// A clock that only runs forward, for how long something has lasted.
    pub steady: Instant,
}

impl Moment {
    /// Now.
    #[must_use]
    pub fn now() -> Self {
        Self { wall: SystemTime::now(), steady: tokio::time::Instant::now().into_std() }
    }
}

/// When to look next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pause {
    /// At once: something was done, and there may be more.
    Again,
    /// After this, since something went wrong.
    Retry(Duration),
    /// When something changes, and at the latest after this, when something falls due.
    Idle(Duration),
}

/// The shortest time between two looks of which the first has done something.
const BREATH: Duration = Duration::from_millis(100);
/// The shortest time between two looks, however often we are told to look: changes come in swarms.
const PAUSE: Duration = Duration::from_secs(1);
/// So many steps in a row are no rotation but a quarrel with somebody who undoes each of them.
const STEPS: u32 = 8;
/// The first delay after a failure, and the longest; it doubles in between.
const RETRY: Duration = Duration::from_secs(1);
const LONGEST_RETRY: Duration = Duration::from_secs(60);
/// So many conflicts in a row are no longer two replicas that meet.
const CONFLICTS: u32 = 5;
/// For a replica that has nothing to do.
const LONG: Duration = Duration::MAX;

/// Keeps a certificate for as long as it runs.
pub struct Managed<S> {
    store: S,
    settings: Settings,
    observer: Box<dyn Observer>,
    publish: Box<dyn FnMut(Loaded) + Send + Sync>,
    nudge: Arc<Notify>,
    follower: Follower,
    status: Status,
    /// The status that was told last.
    told: Status,
    failures: u32,
    /// The steps since there was last nothing to do.
    steps: u32,
}

impl<S: Store> Managed<S> {
    /// `publish` is given every certificate that is to be served from then on.
    pub fn new(
        store: S,
        settings: Settings,
        observer: impl Observer,
        publish: impl FnMut(Loaded) + Send + Sync + 'static,
    ) -> Self {
        Self {
            store,
            settings,
            observer: Box::new(observer),
            publish: Box::new(publish),
            nudge: Arc::default(),
            follower: Follower::default(),
            status: Status::default(),
            told: Status::default(),
            failures: 0,
            steps: 0,
        }
    }

    /// What to `notify_one` when a watch has seen the Secret or a webhook configuration change.
    pub fn nudge(&self) -> Arc<Notify> {
        Arc::clone(&self.nudge)
    }

    /// How things stood at the last look.
    pub fn status(&self) -> &Status {
        &self.status
    }

    /// Looks again and again, for ever: to be spawned, and dropped at the end.
    pub async fn run(self) {
        self.run_by(Moment::now).await;
    }

    /// As [`Managed::run`], by another clock.
    pub async fn run_by(mut self, clock: impl Fn() -> Moment) {
        loop {
            let now = clock();
            let patience = self.settings.patience;
            let looked = timeout(patience, self.look(now)).await;
            let pause = looked.unwrap_or_else(|_| self.settle(Err(Problem::Late), clock()));
            match pause {
                Pause::Again => sleep(BREATH).await,
                // Being told of a change does not shorten what a failing API server is given.
                Pause::Retry(pause) => sleep(pause).await,
                Pause::Idle(due) => {
                    let pause = varied(due.min(self.settings.look_every), clock().wall);
                    sleep(PAUSE.min(pause)).await;
                    // Which of the two it was makes no difference.
                    let _ = timeout(pause.saturating_sub(PAUSE), self.nudge.notified()).await;
                }
            }
        }
    }

    /// Looks once, and takes at most one step.
    pub async fn look(&mut self, now: Moment) -> Pause {
        let outcome = self.step(now).await;
        self.settle(outcome, now)
    }

    async fn step(&mut self, now: Moment) -> Result<Outcome, Problem> {
        // The bundles before the Secret: a bundle that is written is made from a Secret that is younger than
        // the version it replaces. Whoever has published since made its own from a Secret that we have seen.
        let published = self.store.bundles().await;
        if let Ok(published) = &published {
            self.follower.saw(published, now.steady);
        }
        let secret = match self.store.read().await {
            Err(StoreError::NotFound(_)) => Versioned::absent(),
            other => other.map_err(doing(Doing::Read))?,
        };
        let (stored, faults) = Stored::read(&secret.data, &self.settings.service);
        let wait = self.follow(&stored, published.is_ok(), now)?;
        self.note(&stored, now);
        let published = published.map_err(doing(Doing::Bundles))?;
        self.status.leads = false;
        self.status.leads = self.store.lead().await.map_err(doing(Doing::Lead))?;
        let pause = if self.status.leads {
            self.act(secret, stored, &faults, &published, now).await?
        } else {
            Pause::Idle(LONG)
        };
        let pause = match pause {
            Pause::Idle(due) => Pause::Idle(due.min(wait)),
            Pause::Again | Pause::Retry(_) => pause,
        };
        Ok(Outcome { pause, problem: lasting(faults, &published) })
    }

    /// Serves the leaf of the Secret if it is good; how long until it should be looked at again.
    fn follow(&mut self, stored: &Stored, is_fresh: bool, now: Moment) -> Result<Duration, Problem> {
        let Some(candidate) = &stored.leaf else {
            return Ok(LONG);
        };
        let Settings { service, lifetimes, oldest, .. } = &self.settings;
        match self.follower.choose(candidate, is_fresh, now, service, lifetimes) {
            Choice::Keep => Ok(LONG),
            Choice::KeepFor(wait) => Ok(wait),
            Choice::Take => {
                let loaded = Loaded::from_leaf(&candidate.leaf, *oldest)
                    .map_err(|error| Problem::Issue(format!("the certificate cannot be served: {error}")))?;
                self.follower.serves(candidate);
                (self.publish)(loaded);
                self.observer.event(&Event::Serving { expires: candidate.leaf.not_after() });
                Ok(LONG)
            }
        }
    }

    fn note(&mut self, stored: &Stored, now: Moment) {
        let authority = stored.current.as_ref().map(Authority::certificate);
        self.status.authority_expires = authority.map(|authority| authority.not_after());
        self.status.out_of_sync =
            self.follower.out_of_sync(&wanted(stored, now.wall, &self.settings.lifetimes));
        self.status.phase = match stored {
            Stored { next: Some(_), .. } => Phase::Introducing,
            Stored { current: None, .. } => Phase::Unissued,
            Stored { old, .. } if !old.is_empty() => Phase::Retiring,
            Stored { .. } => Phase::Steady,
        };
    }

    /// Takes the next step of a leader.
    async fn act(
        &mut self,
        secret: Versioned,
        stored: Stored,
        faults: &[Fault],
        published: &[Published],
        now: Moment,
    ) -> Result<Pause, Problem> {
        let Settings { service, lifetimes, .. } = &self.settings;
        let next = stored.next.as_ref().map(Authority::certificate);
        let step = plan(
            &Situation {
                stored: &stored,
                faults,
                published: &self.follower.bundles(),
                served: self.follower.served_authority(),
                next_seen: next.map(|next| self.follower.seen_for(next, now.steady)).unwrap_or_default(),
                now: now.wall,
            },
            lifetimes,
        );
        match step {
            Step::Change(change) => {
                let changed = stored.apply(&change, service, now.wall, lifetimes);
                let changed = changed.map_err(|error| Problem::Issue(error.to_string()))?;
                let new = Versioned { version: secret.version, data: changed.render() };
                self.store.write(&new).await.map_err(doing(Doing::Write))?;
                self.observer.event(&Event::Changed(change));
                Ok(Pause::Again)
            }
            Step::Publish(authorities) => {
                let authorities: Vec<_> = authorities.iter().collect();
                let webhooks = self.follower.out_of_sync(&authorities);
                self.store.publish(&render(&authorities), published).await.map_err(doing(Doing::Publish))?;
                self.observer.event(&Event::Published { authorities: authorities.len(), webhooks });
                Ok(Pause::Again)
            }
            Step::Wait(due) | Step::Rest(due) => Ok(Pause::Idle(due)),
            Step::ClockBehind(date) => Err(Problem::ClockBehind(date)),
        }
    }

    /// Tells what is new, and says when to look again.
    fn settle(&mut self, outcome: Result<Outcome, Problem>, now: Moment) -> Pause {
        let Settings { service, lifetimes, .. } = &self.settings;
        self.status.servable = self.follower.servable(now.wall, service, lifetimes);
        self.status.leaf_expires = self.follower.expires();
        let pause = match outcome {
            Ok(Outcome { pause, problem }) => {
                self.failures = 0;
                self.status.problem = problem;
                self.steps = if pause == Pause::Again { self.steps.saturating_add(1) } else { 0 };
                if self.steps > STEPS { Pause::Retry(self.settings.look_every) } else { pause }
            }
            Err(problem) => {
                self.failures = self.failures.saturating_add(1);
                let pause = self.retry(&problem, now.wall);
                let is_conflict = matches!(problem, Problem::Store { error: StoreError::Conflict(_), .. });
                if !is_conflict || self.failures >= CONFLICTS {
                    self.status.problem = Some(problem);
                }
                pause
            }
        };
        match (&self.told.problem, &self.status.problem) {
            (Some(_), None) => self.observer.event(&Event::Recovered),
            (before, Some(problem)) if before.as_ref() != Some(problem) => {
                self.observer.event(&Event::Problem(problem.clone()));
            }
            (None | Some(_), _) => {}
        }
        if self.told != self.status {
            self.observer.status(&self.status);
            self.told = self.status.clone();
        }
        pause
    }

    fn retry(&self, problem: &Problem, now: SystemTime) -> Pause {
        let doubled = RETRY.saturating_mul(1 << self.failures.saturating_sub(1).min(10));
        let mut pause = doubled.min(LONGEST_RETRY);
        if let Problem::Store { error: StoreError::TooManyRequests { retry_after, .. }, .. } = problem {
            pause = pause.max(retry_after.unwrap_or_default().min(LONGEST_RETRY));
        }
        Pause::Retry(varied(pause, now))
    }
}

/// What a look that went through has come to.
struct Outcome {
    pause: Pause,
    problem: Option<Problem>,
}

fn doing(doing: Doing) -> impl FnOnce(StoreError) -> Problem {
    move |error| Problem::Store { doing, error }
}

/// What is wrong although the look went through.
fn lasting(faults: Vec<Fault>, published: &[Published]) -> Option<Problem> {
    if !faults.is_empty() {
        return Some(Problem::Secret(faults));
    }
    published.is_empty().then_some(Problem::NoWebhooks)
}

/// Up to a quarter shorter, so that replicas do not look in step. The fractions of their clocks are as different
/// as random numbers are.
fn varied(pause: Duration, now: SystemTime) -> Duration {
    let fraction = now.duration_since(UNIX_EPOCH).unwrap_or_default().subsec_micros();
    pause - pause / 4 * (fraction % 1000) / 1000
}
