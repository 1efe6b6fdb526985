//! What a replica serves: which leaf of the Secret it takes, when, and whether API servers accept it.
//!
//! A leaf is taken only when the bundle of every webhook entry vouches for it. That API servers have *seen*
//! those bundles is for the leader to wait for; a replica that already serves something good waits as well, so
//! that what a leader did wrong, or somebody who exchanged the Secret, costs nothing.

use std::time::{Duration, Instant, SystemTime};

use rustls::pki_types::CertificateDer;

use super::super::authority::CaCertificate;
use super::super::bundle::Bundle;
use super::super::stored::IssuedLeaf;
use super::super::terms::{Lifetimes, Service, later};
use super::Moment;
use super::report::Unready;
use super::store::Published;

/// One replica's view.
#[derive(Default)]
pub(super) struct Follower {
    served: Option<Served>,
    entries: Vec<Entry>,
    /// Since when each CA has been in every entry.
    seen: Vec<(CaCertificate, Instant)>,
}

/// One webhook entry, as it was seen last.
struct Entry {
    name: String,
    bundle: Bundle,
}

/// What is served now.
#[derive(PartialEq, Eq)]
struct Served {
    leaf: CertificateDer<'static>,
    issuer: CaCertificate,
    not_before: SystemTime,
    not_after: SystemTime,
}

/// What to do with the leaf of the Secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Choice {
    /// Serve it from now on.
    Take,
    /// It is served already, or is not good enough.
    Keep,
    /// It is good, but its CA is new: ask again after this long.
    KeepFor(Duration),
}

impl Follower {
    /// Takes note of the bundles that are published.
    pub(super) fn saw(&mut self, published: &[Published], at: Instant) {
        let entry = |entry: &Published| Entry { name: entry.name(), bundle: Bundle::read(&entry.bundle) };
        self.entries = published.iter().map(entry).collect();
        let (entries, seen) = (&self.entries, &mut self.seen);
        let is_everywhere = |ca: &CaCertificate| entries.iter().all(|entry| entry.bundle.holds(ca));
        seen.retain(|(ca, _)| !entries.is_empty() && is_everywhere(ca));
        for ca in entries.iter().flat_map(|entry| entry.bundle.authorities()) {
            if is_everywhere(ca) && !seen.iter().any(|(known, _)| known == ca) {
                seen.push((ca.clone(), at));
            }
        }
    }

    /// For how long a CA has been in every entry.
    pub(super) fn seen_for(&self, ca: &CaCertificate, at: Instant) -> Duration {
        let since = self.seen.iter().find(|(known, _)| known == ca).map(|(_, since)| *since);
        since.map(|since| at.saturating_duration_since(since)).unwrap_or_default()
    }

    /// Decides about the leaf of the Secret. `is_fresh` when the bundles have just been read.
    pub(super) fn choose(
        &self,
        candidate: &IssuedLeaf,
        is_fresh: bool,
        moment: Moment,
        service: &Service,
        lifetimes: &Lifetimes,
    ) -> Choice {
        let candidate = Served::of(candidate);
        if self.served.as_ref() == Some(&candidate)
            || self.judge(&candidate, moment.wall, service, lifetimes).is_err()
        {
            return Choice::Keep;
        }
        let Some(served) = &self.served else {
            return if is_fresh { Choice::Take } else { Choice::Keep };
        };
        let is_lost = is_fresh && self.judge(served, moment.wall, service, lifetimes).is_err();
        if is_lost || served.issuer == candidate.issuer {
            return Choice::Take;
        }
        let missing = lifetimes.propagation.saturating_sub(self.seen_for(&candidate.issuer, moment.steady));
        match (missing.is_zero(), is_fresh) {
            (true, true) => Choice::Take,
            (true, false) => Choice::Keep,
            (false, _) => Choice::KeepFor(missing),
        }
    }

    /// Takes note that this is what is served from now on.
    pub(super) fn serves(&mut self, leaf: &IssuedLeaf) {
        self.served = Some(Served::of(leaf));
    }

    /// The CA of what is served.
    pub(super) fn served_authority(&self) -> Option<&CaCertificate> {
        self.served.as_ref().map(|served| &served.issuer)
    }

    /// When what is served expires.
    pub(super) fn expires(&self) -> Option<SystemTime> {
        self.served.as_ref().map(|served| served.not_after)
    }

    /// The bundles, in the order of the entries.
    pub(super) fn bundles(&self) -> Vec<Bundle> {
        self.entries.iter().map(|entry| entry.bundle.clone()).collect()
    }

    /// The entries whose bundle is not this.
    pub(super) fn out_of_sync(&self, wanted: &[&CaCertificate]) -> Vec<String> {
        let differs = |entry: &&Entry| wanted.is_empty() || !entry.bundle.is(wanted);
        self.entries.iter().filter(differs).map(|entry| entry.name.clone()).collect()
    }

    /// Whether API servers accept what is served, as far as is known.
    pub(super) fn servable(
        &self,
        now: SystemTime,
        service: &Service,
        lifetimes: &Lifetimes,
    ) -> Result<(), Unready> {
        let served = self.served.as_ref().ok_or(Unready::NothingServed)?;
        self.judge(served, now, service, lifetimes)
    }

    fn judge(
        &self,
        leaf: &Served,
        now: SystemTime,
        service: &Service,
        lifetimes: &Lifetimes,
    ) -> Result<(), Unready> {
        if leaf.not_after < now {
            return Err(Unready::Expired);
        }
        if self.entries.is_empty() {
            return Err(Unready::NoWebhooks);
        }
        // What has just been issued by a clock ahead of ours is good: it is the API server's clock that counts.
        let begins = leaf.not_before.max(leaf.issuer.not_before());
        let at = now.max(begins.min(later(now, lifetimes.skew)));
        // As a rule all entries hold the same, and signatures are dear.
        let mut good: Option<&Bundle> = None;
        for entry in &self.entries {
            if good == Some(&entry.bundle) {
                continue;
            }
            if !entry.bundle.vouches_for(&leaf.leaf, service, at) {
                return Err(Unready::NotTrusted(entry.name.clone()));
            }
            good = Some(&entry.bundle);
        }
        Ok(())
    }
}

impl Served {
    fn of(issued: &IssuedLeaf) -> Self {
        Self {
            leaf: issued.leaf.der().clone(),
            issuer: issued.issuer.clone(),
            not_before: issued.leaf.not_before(),
            not_after: issued.leaf.not_after(),
        }
    }
}
