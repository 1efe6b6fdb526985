//! A cluster in memory: one Secret, two webhook configurations, a Lease, and API servers that see it all late.

use std::future::{Future, pending, poll_fn};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::Poll;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures::future::BoxFuture;
use podgate::certificates::{CertificateStore, SecretData, StoreError, VersionedSecret, WebhookBundle};

/// The latest that an API server sees a change.
pub(crate) const LAG: Duration = Duration::from_secs(100);

/// For how long a holder has the Lease.
const LEASE: Duration = Duration::from_secs(15);

/// Numbers that are the same at every run.
pub(crate) struct Numbers(u64);

impl Numbers {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// SplitMix64.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(limit).unwrap()).unwrap()
    }

    pub(crate) fn up_to(&mut self, limit: Duration) -> Duration {
        Duration::from_micros(self.next() % (u64::try_from(limit.as_micros()).unwrap() + 1))
    }

    pub(crate) fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }
}

/// A webhook configuration: its entries, and when API servers see each of its versions.
struct Configuration {
    name: &'static str,
    version: u64,
    webhooks: &'static [&'static str],
    bundles: Vec<Vec<u8>>,
    history: Vec<Seen>,
}

/// A version of a configuration, and when API servers see it.
struct Seen {
    at: Duration,
    version: u64,
    bundles: Vec<Vec<u8>>,
}

pub(crate) struct World {
    /// The true time, which is that of the API servers too.
    pub(crate) now: Duration,
    pub(crate) numbers: Numbers,
    secret: Option<(u64, SecretData)>,
    configurations: [Configuration; 2],
    versions: u64,
    lease: Option<(usize, Duration)>,
    /// Whether the Lease is given to everybody who asks.
    pub(crate) everybody_leads: bool,
    /// Until when calls fail, and how.
    pub(crate) failing: Option<(Duration, StoreError)>,
    /// Whether calls are not answered at all.
    pub(crate) is_silent: bool,
    /// Of how many calls one fails.
    pub(crate) one_fails_in: Option<usize>,
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        let configuration = |name, webhooks: &'static [&'static str]| Configuration {
            name,
            version: 1,
            webhooks,
            bundles: vec![Vec::new(); webhooks.len()],
            history: vec![Seen { at: Duration::ZERO, version: 1, bundles: vec![Vec::new(); webhooks.len()] }],
        };
        Self {
            now: Duration::ZERO,
            numbers: Numbers::new(seed),
            secret: None,
            configurations: [
                configuration(
                    "ValidatingWebhookConfiguration podgate",
                    &["pods.podgate.dev", "templates.podgate.dev"],
                ),
                configuration("MutatingWebhookConfiguration 00-podgate", &["pods.podgate.dev"]),
            ],
            versions: 1,
            lease: None,
            everybody_leads: false,
            failing: None,
            is_silent: false,
            one_fails_in: None,
        }
    }

    pub(crate) fn wall(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(1_800_000_000) + self.now
    }

    /// What the API servers trust now, entry by entry.
    pub(crate) fn trusted(&self) -> Vec<Vec<u8>> {
        self.seen().into_iter().flat_map(|seen| seen.bundles.clone()).collect()
    }

    /// The versions of the configurations that the API servers see now, and those that there are.
    pub(crate) fn versions(&self) -> [u64; 4] {
        let [one, other] = self.seen();
        let [first, second] = &self.configurations;
        [one.version, other.version, first.version, second.version]
    }

    fn seen(&self) -> [&Seen; 2] {
        let [one, other] = &self.configurations;
        [one, other].map(|it| it.history.iter().rev().find(|seen| seen.at <= self.now).unwrap())
    }

    /// What is published now, entry by entry.
    pub(crate) fn published(&self) -> Vec<Vec<u8>> {
        self.configurations.iter().flat_map(|it| it.bundles.clone()).collect()
    }

    /// When an API server next sees something that it has not seen.
    pub(crate) fn next_sight(&self) -> Option<Duration> {
        let times = self.configurations.iter().flat_map(|it| it.history.iter().map(|seen| seen.at));
        times.filter(|at| *at > self.now).min()
    }

    /// When everything that is published now has been seen.
    pub(crate) fn all_seen(&self) -> Duration {
        self.configurations.iter().flat_map(|it| it.history.last()).map(|seen| seen.at).max().unwrap()
    }

    pub(crate) fn secret(&self) -> Option<&SecretData> {
        self.secret.as_ref().map(|(_, data)| data)
    }

    /// Somebody else writes the Secret.
    pub(crate) fn set_secret(&mut self, data: Option<SecretData>) {
        self.versions += 1;
        self.secret = data.map(|data| (self.versions, data));
    }

    /// Somebody else writes entries of a configuration.
    pub(crate) fn set_bundles(&mut self, configuration: usize, set: impl Fn(usize) -> Option<Vec<u8>>) {
        let new = self.configurations[configuration].bundles.iter().enumerate();
        let new = new.map(|(entry, bundle)| set(entry).unwrap_or_else(|| bundle.clone())).collect();
        self.store_bundles(configuration, new);
    }

    fn store_bundles(&mut self, configuration: usize, bundles: Vec<Vec<u8>>) {
        self.versions += 1;
        let at = self.now + self.numbers.up_to(LAG);
        let configuration = &mut self.configurations[configuration];
        configuration.version = self.versions;
        configuration.bundles.clone_from(&bundles);
        // A watch shows versions in their order.
        let last = configuration.history.last().unwrap().at;
        configuration.history.push(Seen { at: at.max(last), version: self.versions, bundles });
        let keep = configuration.history.len().saturating_sub(100);
        configuration.history.drain(..keep);
    }

    fn failure(&mut self) -> Result<(), StoreError> {
        if let Some((until, error)) = &self.failing
            && self.now < *until
        {
            return Err(error.clone());
        }
        if let Some(count) = self.one_fails_in
            && self.numbers.one_in(count)
        {
            let which = self.numbers.below(FAILURES);
            return Err(failure(which));
        }
        Ok(())
    }

    fn read(&mut self) -> Result<VersionedSecret, StoreError> {
        self.failure()?;
        match &self.secret {
            Some((version, data)) => {
                Ok(VersionedSecret { version: Some(version.to_string()), data: data.clone() })
            }
            None => Err(StoreError::NotFound("Secret podgate-tls".into())),
        }
    }

    fn write(&mut self, new: &VersionedSecret) -> Result<VersionedSecret, StoreError> {
        self.failure()?;
        let current = self.secret.as_ref().map(|(version, _)| version.to_string());
        if current != new.version {
            return Err(StoreError::Conflict("Secret podgate-tls".into()));
        }
        self.set_secret(Some(new.data.clone()));
        self.read()
    }

    fn bundles(&mut self) -> Result<Vec<WebhookBundle>, StoreError> {
        self.failure()?;
        let mut published = Vec::new();
        for configuration in &self.configurations {
            for (webhook, bundle) in configuration.webhooks.iter().zip(&configuration.bundles) {
                published.push(WebhookBundle {
                    configuration: configuration.name.to_owned(),
                    version: configuration.version.to_string(),
                    webhook: (*webhook).to_owned(),
                    bundle: bundle.clone(),
                });
            }
        }
        Ok(published)
    }

    fn publish(
        &mut self,
        configuration: usize,
        bundle: &[u8],
        seen: &[WebhookBundle],
    ) -> Result<(), StoreError> {
        self.failure()?;
        let Configuration { name, version, webhooks, .. } = &self.configurations[configuration];
        let seen = seen.iter().find(|seen| seen.configuration == *name).expect("every configuration is seen");
        if seen.version != version.to_string() {
            return Err(StoreError::Conflict((*name).to_owned()));
        }
        self.store_bundles(configuration, vec![bundle.to_vec(); webhooks.len()]);
        Ok(())
    }

    fn lead(&mut self, replica: usize) -> Result<bool, StoreError> {
        self.failure()?;
        if let Some((holder, until)) = self.lease
            && holder != replica
            && self.now < until
        {
            return Ok(self.everybody_leads);
        }
        self.lease = Some((replica, self.now + LEASE));
        Ok(true)
    }
}

pub(crate) const FAILURES: usize = 7;

pub(crate) fn failure(which: usize) -> StoreError {
    let what = || "the object".to_owned();
    [
        StoreError::Forbidden(what()),
        StoreError::TooManyRequests { message: what(), retry_after: Some(Duration::from_secs(3)) },
        StoreError::Server(what()),
        StoreError::Unreachable(what()),
        StoreError::Conflict(what()),
        StoreError::Invalid(what()),
        StoreError::NotFound(what()),
    ][which]
        .clone()
}

/// The cluster as one replica reaches it. Every call can be broken off before and after it takes effect.
#[derive(Clone)]
pub(crate) struct Reach {
    pub(crate) world: Arc<Mutex<World>>,
    pub(crate) replica: usize,
}

impl Reach {
    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }

    async fn before(&self) {
        others_first().await;
        let is_silent = self.world().is_silent;
        if is_silent {
            pending::<()>().await;
        }
    }
}

/// Lets others go first, once.
fn others_first() -> impl Future<Output = ()> {
    let mut is_done = false;
    poll_fn(move |context| {
        if std::mem::replace(&mut is_done, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
}

impl CertificateStore for Reach {
    fn read(&self) -> BoxFuture<'_, Result<VersionedSecret, StoreError>> {
        Box::pin(async {
            self.before().await;
            let read = self.world().read();
            others_first().await;
            read
        })
    }

    fn write<'a>(&'a self, new: &'a VersionedSecret) -> BoxFuture<'a, Result<VersionedSecret, StoreError>> {
        Box::pin(async {
            self.before().await;
            let written = self.world().write(new);
            others_first().await;
            written
        })
    }

    fn bundles(&self) -> BoxFuture<'_, Result<Vec<WebhookBundle>, StoreError>> {
        Box::pin(async {
            self.before().await;
            let bundles = self.world().bundles();
            others_first().await;
            bundles
        })
    }

    fn publish<'a>(
        &'a self,
        bundle: &'a [u8],
        seen: &'a [WebhookBundle],
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async {
            for configuration in 0..2 {
                self.before().await;
                let published = self.world().publish(configuration, bundle, seen);
                others_first().await;
                published?;
            }
            Ok(())
        })
    }

    fn lead(&self) -> BoxFuture<'_, Result<bool, StoreError>> {
        Box::pin(async {
            self.before().await;
            let leads = self.world().lead(self.replica);
            others_first().await;
            leads
        })
    }
}
