//! What a replica serves: whether and when it takes the leaf of the Secret, and whether API servers accept it.
//!
//! A leaf is taken only when the bundle of every webhook entry verifies it. The leader waits until API servers have
//! *seen* those bundles; a replica that already serves a good certificate waits as well, so that a mistake of the
//! leader, or a replaced Secret, does no harm.

use std::time::{Duration, Instant, SystemTime};

use rustls::pki_types::CertificateDer;

use crate::certificates::bundle::CaBundle;
use crate::certificates::ca_certificate::CaCertificate;
use crate::certificates::self_managed::ca_secret::IssuedLeaf;
use crate::certificates::self_managed::clocks::Clocks;
use crate::certificates::self_managed::lifetimes::{Lifetimes, later};
use crate::certificates::self_managed::status::Unready;
use crate::certificates::self_managed::store::WebhookBundle;
use crate::certificates::service::WebhookService;

/// One replica's view.
#[derive(Default)]
pub(super) struct ServingState {
    served: Option<ServedLeaf>,
    entries: Vec<PublishedEntry>,
    /// Since when each CA has been in every entry.
    seen: Vec<(CaCertificate, Instant)>,
}

/// One webhook entry, as it was seen last.
struct PublishedEntry {
    name: String,
    bundle: CaBundle,
}

/// What is served now.
#[derive(PartialEq, Eq)]
struct ServedLeaf {
    leaf: CertificateDer<'static>,
    issuer: CaCertificate,
    not_before: SystemTime,
    not_after: SystemTime,
}

/// What to do with the leaf of the Secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LeafChoice {
    /// Serve it from now on.
    Take,
    /// It is served already, or is not good enough.
    Keep,
    /// It is good, but its CA is new: decide again after this long.
    KeepFor(Duration),
}

impl ServingState {
    /// Notes the bundles that are published.
    pub(super) fn note_bundles(&mut self, published: &[WebhookBundle], at: Instant) {
        let entry = |entry: &WebhookBundle| PublishedEntry {
            name: entry.name(),
            bundle: CaBundle::read(&entry.bundle),
        };
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
        clocks: Clocks,
        service: &WebhookService,
        lifetimes: &Lifetimes,
    ) -> LeafChoice {
        let candidate = ServedLeaf::of(candidate);
        if self.served.as_ref() == Some(&candidate)
            || self.verify(&candidate, clocks.wall, service, lifetimes).is_err()
        {
            return LeafChoice::Keep;
        }
        let Some(served) = &self.served else {
            return if is_fresh { LeafChoice::Take } else { LeafChoice::Keep };
        };
        let is_lost = is_fresh && self.verify(served, clocks.wall, service, lifetimes).is_err();
        if is_lost || served.issuer == candidate.issuer {
            return LeafChoice::Take;
        }
        let missing = lifetimes.propagation.saturating_sub(self.seen_for(&candidate.issuer, clocks.steady));
        match (missing.is_zero(), is_fresh) {
            (true, true) => LeafChoice::Take,
            (true, false) => LeafChoice::Keep,
            (false, _) => LeafChoice::KeepFor(missing),
        }
    }

    /// Notes that this is served from now on.
    pub(super) fn serves(&mut self, leaf: &IssuedLeaf) {
        self.served = Some(ServedLeaf::of(leaf));
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
    pub(super) fn bundles(&self) -> Vec<CaBundle> {
        self.entries.iter().map(|entry| entry.bundle.clone()).collect()
    }

    /// The entries whose bundle is not this.
    pub(super) fn out_of_sync(&self, wanted: &[&CaCertificate]) -> Vec<String> {
        let differs = |entry: &&PublishedEntry| wanted.is_empty() || !entry.bundle.is(wanted);
        self.entries.iter().filter(differs).map(|entry| entry.name.clone()).collect()
    }

    /// Whether API servers accept what is served, as far as is known.
    pub(super) fn servable(
        &self,
        now: SystemTime,
        service: &WebhookService,
        lifetimes: &Lifetimes,
    ) -> Result<(), Unready> {
        let served = self.served.as_ref().ok_or(Unready::NothingServed)?;
        self.verify(served, now, service, lifetimes)
    }

    fn verify(
        &self,
        leaf: &ServedLeaf,
        now: SystemTime,
        service: &WebhookService,
        lifetimes: &Lifetimes,
    ) -> Result<(), Unready> {
        if leaf.not_after < now {
            return Err(Unready::Expired);
        }
        if self.entries.is_empty() {
            return Err(Unready::NoWebhooks);
        }
        // A leaf issued a moment ago by a clock ahead of ours is good: the API server's clock counts.
        let begins = leaf.not_before.max(leaf.issuer.not_before());
        let at = now.max(begins.min(later(now, lifetimes.skew)));
        // Usually all entries hold the same, and verifying signatures is expensive.
        let mut good: Option<&CaBundle> = None;
        for entry in &self.entries {
            if good == Some(&entry.bundle) {
                continue;
            }
            if !entry.bundle.verifies(&leaf.leaf, service, at) {
                return Err(Unready::NotTrusted(entry.name.clone()));
            }
            good = Some(&entry.bundle);
        }
        Ok(())
    }
}

impl ServedLeaf {
    fn of(issued: &IssuedLeaf) -> Self {
        Self {
            leaf: issued.leaf.der().clone(),
            issuer: issued.issuer.clone(),
            not_before: issued.leaf.not_before(),
            not_after: issued.leaf.not_after(),
        }
    }
}
