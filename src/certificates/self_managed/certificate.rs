//! The certificate that podgate issues for itself: every replica serves it, one of them rotates it.
//!
//! All state that lasts is in the Secret and in the bundles, so a look can be interrupted anywhere, and is when it
//! takes too long. Whatever goes wrong, the certificate in use stays in use, and the next look starts from what it
//! finds.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

use crate::certificates::args::TlsVersion;
use crate::certificates::bundle::render;
use crate::certificates::self_managed::authority::CertificateAuthority;
use crate::certificates::self_managed::ca_secret::CaSecret;
use crate::certificates::self_managed::clocks::Clocks;
use crate::certificates::self_managed::lifetimes::Lifetimes;
use crate::certificates::self_managed::read_secret::SecretError;
use crate::certificates::self_managed::rotation::{RotationAction, RotationState, next_action, wanted};
use crate::certificates::self_managed::serving::{LeafChoice, ServingState};
use crate::certificates::self_managed::status::{
    RotationEvent, RotationObserver, RotationPhase, RotationProblem, RotationStatus, StoreOperation,
};
use crate::certificates::self_managed::store::{
    CertificateStore, StoreError, VersionedSecret, WebhookBundle,
};
use crate::certificates::server_certificate::ServerCertificate;
use crate::certificates::service::WebhookService;

/// How a certificate is managed.
#[derive(Debug, Clone)]
pub struct RotationSettings {
    /// The Service that the certificate is for.
    pub service: WebhookService,
    /// How long everything lasts.
    pub lifetimes: Lifetimes,
    /// The oldest TLS version that is accepted.
    pub oldest: TlsVersion,
    /// How often to look when no change is reported. A Lease that is renewed at every look must last for three of
    /// these.
    pub look_every: Duration,
    /// How long one look may take.
    pub patience: Duration,
}

impl RotationSettings {
    /// The settings for a cluster.
    #[must_use]
    pub fn new(service: WebhookService, oldest: TlsVersion) -> Self {
        Self {
            service,
            lifetimes: Lifetimes::default(),
            oldest,
            look_every: Duration::from_secs(5),
            patience: Duration::from_secs(20),
        }
    }
}

/// When to look next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NextLook {
    /// At once: an action was taken, and there may be more.
    Again,
    /// After this, since something went wrong.
    Retry(Duration),
    /// When something changes, and at the latest after this, when something is due.
    Idle(Duration),
}

/// The delay after a look that took an action.
const STEP_DELAY: Duration = Duration::from_millis(100);
/// The shortest time between two looks without an action, however often changes are reported: they come in bursts.
const SHORTEST_PAUSE: Duration = Duration::from_secs(1);
/// More actions in a row than a rotation has: a conflict with somebody who undoes each of them.
const MOST_STEPS: u32 = 8;
/// The first delay after a failure, and the longest; it doubles in between.
const RETRY: Duration = Duration::from_secs(1);
const LONGEST_RETRY: Duration = Duration::from_secs(60);
/// More conflicts in a row than two replicas can have by chance.
const MOST_CONFLICTS: u32 = 5;
/// For a replica that has nothing to do.
const FOREVER: Duration = Duration::MAX;

/// Keeps a certificate for as long as it runs.
pub struct SelfManagedCertificate<S> {
    store: S,
    settings: RotationSettings,
    observer: Box<dyn RotationObserver>,
    publish: Box<dyn FnMut(ServerCertificate) + Send + Sync>,
    nudge: Arc<Notify>,
    serving: ServingState,
    status: RotationStatus,
    /// The status that was reported last.
    reported: RotationStatus,
    failures: u32,
    /// The steps since there was last nothing to do.
    steps: u32,
}

impl<S: CertificateStore> SelfManagedCertificate<S> {
    /// `publish` is given every certificate that is to be served from then on.
    pub fn new(
        store: S,
        settings: RotationSettings,
        observer: impl RotationObserver,
        publish: impl FnMut(ServerCertificate) + Send + Sync + 'static,
    ) -> Self {
        Self {
            store,
            settings,
            observer: Box::new(observer),
            publish: Box::new(publish),
            nudge: Arc::default(),
            serving: ServingState::default(),
            status: RotationStatus::default(),
            reported: RotationStatus::default(),
            failures: 0,
            steps: 0,
        }
    }

    /// To be notified when the Secret or a webhook configuration has changed.
    pub fn nudge(&self) -> Arc<Notify> {
        Arc::clone(&self.nudge)
    }

    /// How things stood at the last look.
    pub fn status(&self) -> &RotationStatus {
        &self.status
    }

    /// Looks again and again, for ever: to be spawned.
    pub async fn run(self) {
        self.run_by(Clocks::now).await;
    }

    /// As [`SelfManagedCertificate::run`], by another clock.
    pub async fn run_by(mut self, clock: impl Fn() -> Clocks) {
        loop {
            let now = clock();
            let patience = self.settings.patience;
            let looked = timeout(patience, self.look(now)).await;
            let pause = looked.unwrap_or_else(|_| self.settle(Err(RotationProblem::TimedOut), clock()));
            match pause {
                NextLook::Again => sleep(STEP_DELAY).await,
                // A reported change does not shorten the pause that a failing API server is given.
                NextLook::Retry(pause) => sleep(pause).await,
                NextLook::Idle(due) => {
                    let pause = varied(due.min(self.settings.look_every), clock().wall);
                    sleep(SHORTEST_PAUSE.min(pause)).await;
                    // It makes no difference which of the two it was.
                    let _ = timeout(pause.saturating_sub(SHORTEST_PAUSE), self.nudge.notified()).await;
                }
            }
        }
    }

    /// Looks once, and takes at most one action.
    pub async fn look(&mut self, now: Clocks) -> NextLook {
        let outcome = self.step(now).await;
        self.settle(outcome, now)
    }

    async fn step(&mut self, now: Clocks) -> Result<LookOutcome, RotationProblem> {
        // The bundles before the Secret: a bundle that is written is made from a Secret that is younger than
        // the version it replaces. Whoever has published since made its own from a Secret that we have seen.
        let published = self.store.bundles().await;
        if let Ok(published) = &published {
            self.serving.note_bundles(published, now.steady);
        }
        let secret = match self.store.read().await {
            Err(StoreError::NotFound(_)) => VersionedSecret::default(),
            other => other.map_err(failed(StoreOperation::Read))?,
        };
        let (stored, errors) = CaSecret::read(&secret.data, &self.settings.service);
        let wait = self.follow(&stored, published.is_ok(), now)?;
        self.note(&stored, now);
        let published = published.map_err(failed(StoreOperation::Bundles))?;
        self.status.leads = false;
        self.status.leads = self.store.lead().await.map_err(failed(StoreOperation::Lead))?;
        let pause = if self.status.leads {
            self.act(secret, stored, &errors, &published, now).await?
        } else {
            NextLook::Idle(FOREVER)
        };
        let pause = match pause {
            NextLook::Idle(due) => NextLook::Idle(due.min(wait)),
            NextLook::Again | NextLook::Retry(_) => pause,
        };
        Ok(LookOutcome { pause, problem: lasting(errors, &published) })
    }

    /// Serves the leaf of the Secret if it is good; returns how long until it should be checked again.
    fn follow(
        &mut self,
        stored: &CaSecret,
        is_fresh: bool,
        now: Clocks,
    ) -> Result<Duration, RotationProblem> {
        let Some(candidate) = &stored.leaf else {
            return Ok(FOREVER);
        };
        let RotationSettings { service, lifetimes, oldest, .. } = &self.settings;
        match self.serving.choose(candidate, is_fresh, now, service, lifetimes) {
            LeafChoice::Keep => Ok(FOREVER),
            LeafChoice::KeepFor(wait) => Ok(wait),
            LeafChoice::Take => {
                let loaded = candidate.leaf.load(*oldest).map_err(|error| {
                    RotationProblem::Issue(format!("the certificate cannot be served: {error}"))
                })?;
                self.serving.serves(candidate);
                (self.publish)(loaded);
                self.observer.event(&RotationEvent::Serving { expires: candidate.leaf.not_after() });
                Ok(FOREVER)
            }
        }
    }

    fn note(&mut self, stored: &CaSecret, now: Clocks) {
        let authority = stored.current.as_ref().map(CertificateAuthority::certificate);
        self.status.authority_expires = authority.map(|authority| authority.not_after());
        self.status.out_of_sync =
            self.serving.out_of_sync(&wanted(stored, now.wall, &self.settings.lifetimes));
        self.status.phase = match stored {
            CaSecret { next: Some(_), .. } => RotationPhase::Introducing,
            CaSecret { current: None, .. } => RotationPhase::Unissued,
            CaSecret { old, .. } if !old.is_empty() => RotationPhase::Retiring,
            CaSecret { .. } => RotationPhase::Steady,
        };
    }

    /// Takes the leader's next action.
    async fn act(
        &mut self,
        secret: VersionedSecret,
        stored: CaSecret,
        errors: &[SecretError],
        published: &[WebhookBundle],
        now: Clocks,
    ) -> Result<NextLook, RotationProblem> {
        let RotationSettings { service, lifetimes, .. } = &self.settings;
        let next = stored.next.as_ref().map(CertificateAuthority::certificate);
        let action = next_action(
            &RotationState {
                stored: &stored,
                errors,
                published: &self.serving.bundles(),
                served: self.serving.served_authority(),
                next_seen: next.map(|next| self.serving.seen_for(next, now.steady)).unwrap_or_default(),
                now: now.wall,
            },
            lifetimes,
        );
        match action {
            RotationAction::Change(change) => {
                let changed = stored.apply(&change, service, now.wall, lifetimes);
                let changed = changed.map_err(|error| RotationProblem::Issue(error.to_string()))?;
                let new = VersionedSecret { version: secret.version, data: changed.render() };
                self.store.write(&new).await.map_err(failed(StoreOperation::Write))?;
                self.observer.event(&RotationEvent::Changed(change));
                Ok(NextLook::Again)
            }
            RotationAction::Publish(authorities) => {
                let authorities: Vec<_> = authorities.iter().collect();
                let webhooks = self.serving.out_of_sync(&authorities);
                self.store
                    .publish(&render(&authorities), published)
                    .await
                    .map_err(failed(StoreOperation::Publish))?;
                self.observer.event(&RotationEvent::Published { authorities: authorities.len(), webhooks });
                Ok(NextLook::Again)
            }
            RotationAction::Wait(due) | RotationAction::Rest(due) => Ok(NextLook::Idle(due)),
            RotationAction::ClockBehind(date) => Err(RotationProblem::ClockBehind(date)),
        }
    }

    /// Reports what is new, and decides when to look again.
    fn settle(&mut self, outcome: Result<LookOutcome, RotationProblem>, now: Clocks) -> NextLook {
        let RotationSettings { service, lifetimes, .. } = &self.settings;
        self.status.servable = self.serving.servable(now.wall, service, lifetimes);
        self.status.leaf_expires = self.serving.expires();
        let pause = match outcome {
            Ok(LookOutcome { pause, problem }) => {
                self.failures = 0;
                self.status.problem = problem;
                self.steps = if pause == NextLook::Again { self.steps.saturating_add(1) } else { 0 };
                if self.steps > MOST_STEPS { NextLook::Retry(self.settings.look_every) } else { pause }
            }
            Err(problem) => {
                self.failures = self.failures.saturating_add(1);
                let pause = self.retry(&problem, now.wall);
                let is_conflict =
                    matches!(problem, RotationProblem::Store { error: StoreError::Conflict(_), .. });
                if !is_conflict || self.failures >= MOST_CONFLICTS {
                    self.status.problem = Some(problem);
                }
                pause
            }
        };
        match (&self.reported.problem, &self.status.problem) {
            (Some(_), None) => self.observer.event(&RotationEvent::Recovered),
            (before, Some(problem)) if before.as_ref() != Some(problem) => {
                self.observer.event(&RotationEvent::Problem(problem.clone()));
            }
            (None | Some(_), _) => {}
        }
        if self.reported != self.status {
            self.observer.status(&self.status);
            self.reported = self.status.clone();
        }
        pause
    }

    fn retry(&self, problem: &RotationProblem, now: SystemTime) -> NextLook {
        let doubled = RETRY.saturating_mul(1 << self.failures.saturating_sub(1).min(10));
        let mut pause = doubled.min(LONGEST_RETRY);
        if let RotationProblem::Store { error: StoreError::TooManyRequests { retry_after, .. }, .. } = problem
        {
            pause = pause.max(retry_after.unwrap_or_default().min(LONGEST_RETRY));
        }
        NextLook::Retry(varied(pause, now))
    }
}

/// The result of a look that succeeded.
struct LookOutcome {
    pause: NextLook,
    problem: Option<RotationProblem>,
}

fn failed(operation: StoreOperation) -> impl FnOnce(StoreError) -> RotationProblem {
    move |error| RotationProblem::Store { operation, error }
}

/// What is wrong although the look succeeded.
fn lasting(errors: Vec<SecretError>, published: &[WebhookBundle]) -> Option<RotationProblem> {
    if !errors.is_empty() {
        return Some(RotationProblem::Secret(errors));
    }
    published.is_empty().then_some(RotationProblem::NoWebhooks)
}

/// Up to a quarter shorter, so that replicas do not look in step. The fractions of their clocks are as different
/// as random numbers are.
fn varied(pause: Duration, now: SystemTime) -> Duration {
    let fraction = now.duration_since(UNIX_EPOCH).unwrap_or_default().subsec_micros();
    pause - pause / 4 * (fraction % 1000) / 1000
}
