//! Decides the next action of a rotation, so that no leaf is ever served that some API server does not trust yet, or
//! no longer trusts.
//!
//! The order is the point: a CA is created (a), published beside the current one (b), left there until every API server
//! has seen it (c), and only then signs (d); the previous one stays published until nothing that it has signed can still
//! be valid (e). Each action is one write that succeeds or fails, and [`next_action`] derives the state from the Secret
//! and the bundles alone. So a crash at any point costs only time, and so does a second leader: the Secret is written by
//! compare-and-swap, and a bundle holds what the Secret says and nothing else.
//!
//! How long a bundle has been seen is measured by the replica that waits, on a monotonic clock, and not stored: a time
//! in the Secret would be compared with the clock of another machine, which may be an hour off. A new leader waits the
//! two minutes again.
//!
//! CAs in a bundle that are not in the Secret are removed: otherwise whoever could once put one there could impersonate
//! podgate for ever. Those with our name are kept for a while first, see [`lost`]: a Secret may have been deleted, or
//! restored from a backup, while replicas still serve what it held before.

use std::time::{Duration, SystemTime};

use crate::certificates::bundle::CaBundle;
use crate::certificates::ca_certificate::CaCertificate;
use crate::certificates::self_managed::authority::{CertificateAuthority, IssueError};
use crate::certificates::self_managed::ca_secret::{CaSecret, IssuedLeaf, MOST_OLD};
use crate::certificates::self_managed::lifetimes::{Lifetimes, later, left};
use crate::certificates::self_managed::read_secret::SecretError;
use crate::certificates::service::WebhookService;

/// Everything that a decision depends on.
pub struct RotationState<'a> {
    /// What the Secret holds.
    pub stored: &'a CaSecret,
    /// What was wrong with the rest of it.
    pub errors: &'a [SecretError],
    /// The bundle of every webhook entry.
    pub published: &'a [CaBundle],
    /// The CA of what this replica serves.
    pub served: Option<&'a CaCertificate>,
    /// For how long the next CA has been seen in every entry.
    pub next_seen: Duration,
    /// The time of day.
    pub now: SystemTime,
}

/// The next action of the leader.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RotationAction {
    /// Change the Secret.
    Change(SecretChange),
    /// Write this bundle to every webhook entry.
    Publish(Vec<CaCertificate>),
    /// The next CA is published and must be seen for this much longer.
    Wait(Duration),
    /// Nothing is to be done for this long.
    Rest(Duration),
    /// Something is dated in the future: a clock is wrong, and nothing valid can be issued until it is corrected.
    ClockBehind(SystemTime),
}

/// A change of the Secret: one write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretChange {
    /// Keep these CAs as old ones: the Secret has lost them, and a certificate in use may be signed by one.
    Adopt {
        /// The CAs; those that matter most come first.
        authorities: Vec<CaCertificate>,
        /// Whether the current CA is not published at all and must begin again as the next one.
        demote: bool,
        /// Whether replicas need only a moment to switch away from them.
        briefly: bool,
    },
    /// Make the next CA.
    CreateNext,
    /// Let the next CA sign, and keep the current one as old.
    Promote,
    /// Issue a leaf.
    SignLeaf,
    /// Forget the old CAs.
    DropOld,
    /// Write the good parts without the faulty ones.
    Repair,
}

/// Decides what a leader does next.
#[must_use]
pub fn next_action(state: &RotationState<'_>, lifetimes: &Lifetimes) -> RotationAction {
    let RotationState { stored, published, now, .. } = *state;
    if let Some(dated) = dated_later(stored, later(now, lifetimes.skew)) {
        return RotationAction::ClockBehind(dated);
    }
    let authorities = lost(state);
    if !authorities.is_empty() {
        return RotationAction::Change(adopt(state, authorities));
    }
    let wanted = wanted(stored, now, lifetimes);
    if !wanted.is_empty() && !published.iter().all(|bundle| bundle.is(&wanted)) {
        return RotationAction::Publish(wanted.into_iter().cloned().collect());
    }
    if !stored.old.is_empty() && !old_counts(stored, now) {
        return RotationAction::Change(SecretChange::DropOld);
    }
    if is_leaf_due(stored, now, lifetimes) {
        return RotationAction::Change(SecretChange::SignLeaf);
    }
    if let Some(next) = &stored.next {
        let is_all_there_is = wanted == [next.certificate()];
        let missing = lifetimes.propagation.saturating_sub(state.next_seen);
        // Where nothing else is trusted yet, there is no reason to wait.
        if is_all_there_is || missing.is_zero() {
            return RotationAction::Change(SecretChange::Promote);
        }
        return RotationAction::Wait(missing);
    }
    if stored.rotate || due_in(stored, now, lifetimes).is_zero() {
        return RotationAction::Change(SecretChange::CreateNext);
    }
    if !state.errors.is_empty() {
        return RotationAction::Change(SecretChange::Repair);
    }
    RotationAction::Rest(rest(stored, now, lifetimes))
}

/// The CAs that a bundle must hold, for this content of the Secret; those that matter most come first.
#[must_use]
pub(super) fn wanted<'a>(
    stored: &'a CaSecret,
    now: SystemTime,
    lifetimes: &Lifetimes,
) -> Vec<&'a CaCertificate> {
    let old: &[CaCertificate] = if old_counts(stored, now) { &stored.old } else { &[] };
    let others = [&stored.current, &stored.next].into_iter().flatten().map(CertificateAuthority::certificate);
    others.chain(old).filter(|ca| later(ca.not_after(), lifetimes.skew) > now).collect()
}

impl CaSecret {
    /// Makes a change, without writing it anywhere.
    ///
    /// # Errors
    /// When a certificate cannot be issued.
    pub fn apply(
        mut self,
        change: &SecretChange,
        service: &WebhookService,
        now: SystemTime,
        lifetimes: &Lifetimes,
    ) -> Result<Self, IssueError> {
        let until = later(later(now, lifetimes.leaf), lifetimes.skew);
        match change {
            SecretChange::Adopt { authorities, demote, briefly } => {
                for authority in authorities.iter().rev() {
                    self.retire(authority.clone());
                }
                let until = if *briefly { later(now, lifetimes.skew) } else { until };
                self.old_until = Some(self.old_until.map_or(until, |before| before.max(until)));
                if *demote && let Some(current) = self.current.take() {
                    self.next = Some(current);
                    self.leaf = None;
                }
            }
            SecretChange::CreateNext => {
                self.next = Some(CertificateAuthority::create(now, lifetimes)?);
                self.rotate = false;
            }
            SecretChange::Promote => {
                let before = self.current.take();
                self.current = self.next.take();
                if let Some(before) = before {
                    self.retire(before.into_certificate());
                    self.old_until = Some(until);
                }
                self.rotate = false;
                self.sign(service, now, lifetimes)?;
            }
            SecretChange::SignLeaf => self.sign(service, now, lifetimes)?,
            SecretChange::DropOld => {
                self.old.clear();
                self.old_until = None;
            }
            SecretChange::Repair => {}
        }
        if !self.old.is_empty() && self.old_until.is_none() {
            self.old_until = Some(until);
        }
        Ok(self)
    }

    fn sign(
        &mut self,
        service: &WebhookService,
        now: SystemTime,
        lifetimes: &Lifetimes,
    ) -> Result<(), IssueError> {
        if let Some(current) = &self.current {
            let leaf = current.issue(service, now, lifetimes)?;
            self.leaf = Some(IssuedLeaf { leaf, issuer: current.certificate().clone() });
        }
        Ok(())
    }
}

/// CAs that a certificate in use may be signed by, and that the Secret has lost: that of our certificate, and those
/// that are published under our name.
fn lost(state: &RotationState<'_>) -> Vec<CaCertificate> {
    let RotationState { stored, published, served, now, .. } = *state;
    let mut lost: Vec<CaCertificate> = Vec::new();
    let ours = published.iter().flat_map(CaBundle::authorities).filter(|ca| ca.is_named_as_ours());
    for authority in served.into_iter().chain(ours) {
        let is_known = stored.authorities().any(|known| known == authority) || lost.contains(authority);
        // Our own CA pushes an older one out; one that is still in the bundles after that is not adopted again.
        let has_room = stored.old.len() + lost.len() < MOST_OLD || Some(authority) == served;
        if !is_known && has_room && authority.not_after() > now {
            lost.push(authority.clone());
        }
    }
    lost
}

fn adopt(state: &RotationState<'_>, authorities: Vec<CaCertificate>) -> SecretChange {
    let RotationState { stored, published, served, .. } = *state;
    // If our certificate is of the current CA, that was published, and the bundles were replaced.
    let is_in_use = stored.current.as_ref().is_some_and(|current| Some(current.certificate()) == served);
    let is_known = is_in_use || is_published(stored, published);
    // Replicas find the leaf of a known CA at their next look. What somebody has put into a bundle under our name
    // must not live longer than that takes.
    let briefly = is_known && !authorities.iter().any(|authority| Some(authority) == served);
    SecretChange::Adopt { authorities, demote: !is_known, briefly }
}

/// Whether any entry holds the CA that signs.
fn is_published(stored: &CaSecret, published: &[CaBundle]) -> bool {
    let Some(current) = &stored.current else {
        return false;
    };
    published.iter().any(|bundle| bundle.holds(current.certificate()))
}

fn dated_later(stored: &CaSecret, than: SystemTime) -> Option<SystemTime> {
    let authorities = [&stored.current, &stored.next].into_iter().flatten();
    let dates = authorities.map(|authority| authority.certificate().not_before());
    dates.chain(stored.leaf.iter().map(|leaf| leaf.leaf.not_before())).find(|date| *date > than)
}

fn old_counts(stored: &CaSecret, now: SystemTime) -> bool {
    stored.old_until.is_none_or(|until| until > now)
}

/// The CA that can sign now.
fn usable(stored: &CaSecret, now: SystemTime) -> Option<&CertificateAuthority> {
    stored.current.as_ref().filter(|current| current.certificate().not_after() > now)
}

fn is_leaf_due(stored: &CaSecret, now: SystemTime, lifetimes: &Lifetimes) -> bool {
    let Some(current) = usable(stored, now) else {
        return false;
    };
    let Some(IssuedLeaf { leaf, issuer }) = &stored.leaf else {
        return true;
    };
    if issuer != current.certificate() {
        return true;
    }
    // A leaf that ends with its CA cannot last longer, however often it is reissued.
    let gained = left(current.leaf_until(now, lifetimes), leaf.not_after());
    left(leaf.not_after(), now) <= lifetimes.renew_leaf_before && gained > lifetimes.leaf / 10
}

/// How long until the next CA is due.
fn due_in(stored: &CaSecret, now: SystemTime, lifetimes: &Lifetimes) -> Duration {
    let Some(current) = usable(stored, now) else {
        return Duration::ZERO;
    };
    let certificate = current.certificate();
    let by_age = left(later(certificate.not_before(), lifetimes.renew_authority_after), now);
    // Another's CA may be shorter than ours.
    let by_end = left(certificate.not_after(), later(now, 2 * lifetimes.leaf));
    by_age.min(by_end)
}

fn rest(stored: &CaSecret, now: SystemTime, lifetimes: &Lifetimes) -> Duration {
    let leaf = stored
        .leaf
        .as_ref()
        .map(|leaf| left(leaf.leaf.not_after(), now).saturating_sub(lifetimes.renew_leaf_before));
    let old = stored.old_until.map(|until| left(until, now));
    [leaf, old].into_iter().flatten().fold(due_in(stored, now, lifetimes), Duration::min)
}

#[cfg(test)]
mod tests;
