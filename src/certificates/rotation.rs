//! What to do next, so that at no moment a leaf is served that somebody does not trust yet, or no more.
//!
//! The order is the point: a CA is made (a), published beside the one in force (b), left there until every API
//! server has seen it (c), and only then signs (d); the one before it stays published until nothing that it
//! has signed can still be valid (e). Each step is one write that succeeds or does not, and [`plan`] finds
//! where things stand from the Secret and the bundles alone. So a crash at any line costs nothing but time,
//! and so does a second leader: the Secret is written by compare-and-swap, and a bundle is nothing but what
//! the Secret says.
//!
//! How long a bundle has been seen is measured by whoever waits, on a clock that only runs forward, and not
//! written down: a time in the Secret would be compared with the clock of another machine, which may be an
//! hour off. A new leader waits the two minutes anew.
//!
//! CAs in a bundle that are not in the Secret are taken out: whoever could put one there once could otherwise
//! answer in our place for ever. Those that bear our name are kept for a while first, see [`lost`]: a Secret
//! may have been deleted, or restored from a backup, and replicas still serve what it held before.

use std::time::{Duration, SystemTime};

use super::authority::{Authority, CaCertificate, IssueError, Lifetimes, Service, later, left};
use super::bundle::Bundle;
use super::stored::{Fault, IssuedLeaf, MOST_OLD, Stored};

/// Everything that a decision hangs on.
pub struct Situation<'a> {
    /// What the Secret holds.
    pub stored: &'a Stored,
    /// What was wrong with the rest of it.
    pub faults: &'a [Fault],
    /// The bundle of every webhook entry.
    pub published: &'a [Bundle],
    /// The CA of what this replica serves.
    pub served: Option<&'a CaCertificate>,
    /// For how long the next CA has been seen in every entry.
    pub next_seen: Duration,
    /// The time of day.
    pub now: SystemTime,
}

/// The next thing to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Change the Secret.
    Change(Change),
    /// Write this bundle to every webhook entry.
    Publish(Vec<CaCertificate>),
    /// The next CA is published and must be seen for this much longer.
    Wait(Duration),
    /// All is well for this long.
    Rest(Duration),
    /// Something is dated later than now: a clock is wrong, and nothing good can be issued until it is right.
    ClockBehind(SystemTime),
}

/// A change of the Secret: one write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Keep these CAs as old ones: the Secret knows nothing of them, and something served may be of theirs.
    Adopt {
        /// The CAs; those that matter most come first.
        authorities: Vec<CaCertificate>,
        /// Whether the current CA is not published at all and must begin again as the next one.
        demote: bool,
        /// Whether replicas need no longer than a moment to leave them.
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
    Mend,
}

/// Decides what a leader does next.
#[must_use]
pub fn plan(situation: &Situation<'_>, lifetimes: &Lifetimes) -> Step {
    let Situation { stored, published, now, .. } = *situation;
    if let Some(dated) = dated_later(stored, later(now, lifetimes.skew)) {
        return Step::ClockBehind(dated);
    }
    let authorities = lost(situation);
    if !authorities.is_empty() {
        return Step::Change(adopt(situation, authorities));
    }
    let wanted = wanted(stored, now, lifetimes);
    if !wanted.is_empty() && !published.iter().all(|bundle| bundle.is(&wanted)) {
        return Step::Publish(wanted.into_iter().cloned().collect());
    }
    if !stored.old.is_empty() && !old_counts(stored, now) {
        return Step::Change(Change::DropOld);
    }
    if is_leaf_due(stored, now, lifetimes) {
        return Step::Change(Change::SignLeaf);
    }
    if let Some(next) = &stored.next {
        let is_all_there_is = wanted == [next.certificate()];
        let missing = lifetimes.propagation.saturating_sub(situation.next_seen);
        // Where nobody trusts anything else, nothing is lost by being early.
        if is_all_there_is || missing.is_zero() {
            return Step::Change(Change::Promote);
        }
        return Step::Wait(missing);
    }
    if stored.rotate || due_in(stored, now, lifetimes).is_zero() {
        return Step::Change(Change::CreateNext);
    }
    if !situation.faults.is_empty() {
        return Step::Change(Change::Mend);
    }
    Step::Rest(rest(stored, now, lifetimes))
}

/// The CAs that a bundle must hold, for this content of the Secret; those that matter most come first.
#[must_use]
pub(super) fn wanted<'a>(
    stored: &'a Stored,
    now: SystemTime,
    lifetimes: &Lifetimes,
) -> Vec<&'a CaCertificate> {
    let old: &[CaCertificate] = if old_counts(stored, now) { &stored.old } else { &[] };
    let others = [&stored.current, &stored.next].into_iter().flatten().map(Authority::certificate);
    others.chain(old).filter(|ca| later(ca.not_after(), lifetimes.skew) > now).collect()
}

impl Stored {
    /// Makes a change, without writing it anywhere.
    ///
    /// # Errors
    /// When a certificate cannot be issued.
    pub fn apply(
        mut self,
        change: &Change,
        service: &Service,
        now: SystemTime,
        lifetimes: &Lifetimes,
    ) -> Result<Self, IssueError> {
        let until = later(later(now, lifetimes.leaf), lifetimes.skew);
        match change {
            Change::Adopt { authorities, demote, briefly } => {
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
            Change::CreateNext => {
                self.next = Some(Authority::create(now, lifetimes)?);
                self.rotate = false;
            }
            Change::Promote => {
                let before = self.current.take();
                self.current = self.next.take();
                if let Some(before) = before {
                    self.retire(before.into_certificate());
                    self.old_until = Some(until);
                }
                self.rotate = false;
                self.sign(service, now, lifetimes)?;
            }
            Change::SignLeaf => self.sign(service, now, lifetimes)?,
            Change::DropOld => {
                self.old.clear();
                self.old_until = None;
            }
            Change::Mend => {}
        }
        if !self.old.is_empty() && self.old_until.is_none() {
            self.old_until = Some(until);
        }
        Ok(self)
    }

    fn sign(&mut self, service: &Service, now: SystemTime, lifetimes: &Lifetimes) -> Result<(), IssueError> {
        if let Some(current) = &self.current {
            let leaf = current.issue(service, now, lifetimes)?;
            self.leaf = Some(IssuedLeaf { leaf, issuer: current.certificate().clone() });
        }
        Ok(())
    }
}

/// CAs that something served may be of, and that the Secret has lost: that of what we serve, and those that
/// are published under our name.
fn lost(situation: &Situation<'_>) -> Vec<CaCertificate> {
    let Situation { stored, published, served, now, .. } = *situation;
    let mut lost: Vec<CaCertificate> = Vec::new();
    let ours = published.iter().flat_map(Bundle::authorities).filter(|ca| ca.is_named_as_ours());
    for authority in served.into_iter().chain(ours) {
        let is_known = stored.authorities().any(|known| known == authority) || lost.contains(authority);
        // What we serve pushes an older one out; what that one leaves behind in the bundles does not come back.
        let has_room = stored.old.len() + lost.len() < MOST_OLD || Some(authority) == served;
        if !is_known && has_room && authority.not_after() > now {
            lost.push(authority.clone());
        }
    }
    lost
}

fn adopt(situation: &Situation<'_>, authorities: Vec<CaCertificate>) -> Change {
    let Situation { stored, published, served, .. } = *situation;
    // Where we serve with the current CA it has been published, and it is the bundles that were exchanged.
    let is_in_use = stored.current.as_ref().is_some_and(|current| Some(current.certificate()) == served);
    let is_known = is_in_use || is_published(stored, published);
    // Replicas find the leaf of a CA that is known at their next look. What somebody has slipped into a bundle
    // under our name must not live longer for it than that takes.
    let briefly = is_known && !authorities.iter().any(|authority| Some(authority) == served);
    Change::Adopt { authorities, demote: !is_known, briefly }
}

/// Whether any entry holds the CA that signs.
fn is_published(stored: &Stored, published: &[Bundle]) -> bool {
    let Some(current) = &stored.current else {
        return false;
    };
    published.iter().any(|bundle| bundle.holds(current.certificate()))
}

fn dated_later(stored: &Stored, than: SystemTime) -> Option<SystemTime> {
    let authorities = [&stored.current, &stored.next].into_iter().flatten();
    let dates = authorities.map(|authority| authority.certificate().not_before());
    dates.chain(stored.leaf.iter().map(|leaf| leaf.leaf.not_before())).find(|date| *date > than)
}

fn old_counts(stored: &Stored, now: SystemTime) -> bool {
    stored.old_until.is_none_or(|until| until > now)
}

/// The CA that can sign now.
fn usable(stored: &Stored, now: SystemTime) -> Option<&Authority> {
    stored.current.as_ref().filter(|current| current.certificate().not_after() > now)
}

fn is_leaf_due(stored: &Stored, now: SystemTime, lifetimes: &Lifetimes) -> bool {
    let Some(current) = usable(stored, now) else {
        return false;
    };
    let Some(IssuedLeaf { leaf, issuer }) = &stored.leaf else {
        return true;
    };
    if issuer != current.certificate() {
        return true;
    }
    // A leaf that ends with its CA cannot be made to last longer, however often it is issued anew.
    let gained = left(current.leaf_until(now, lifetimes), leaf.not_after());
    left(leaf.not_after(), now) <= lifetimes.renew_leaf_before && gained > lifetimes.leaf / 10
}

/// How long until the CA is due to be followed by the next.
fn due_in(stored: &Stored, now: SystemTime, lifetimes: &Lifetimes) -> Duration {
    let Some(current) = usable(stored, now) else {
        return Duration::ZERO;
    };
    let certificate = current.certificate();
    let by_age = left(later(certificate.not_before(), lifetimes.renew_authority_after), now);
    // One of somebody else may be shorter than ours.
    let by_end = left(certificate.not_after(), later(now, 2 * lifetimes.leaf));
    by_age.min(by_end)
}

fn rest(stored: &Stored, now: SystemTime, lifetimes: &Lifetimes) -> Duration {
    let leaf = stored
        .leaf
        .as_ref()
        .map(|leaf| left(leaf.leaf.not_after(), now).saturating_sub(lifetimes.renew_leaf_before));
    let old = stored.old_until.map(|until| left(until, now));
    [leaf, old].into_iter().flatten().fold(due_in(stored, now, lifetimes), Duration::min)
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::super::bundle::render;
    use super::*;

    const DAY: Duration = Duration::from_secs(24 * 60 * 60);
    const HOUR: Duration = Duration::from_secs(60 * 60);
    const MINUTE: Duration = Duration::from_secs(60);

    fn start() -> SystemTime {
        UNIX_EPOCH + 20_000 * DAY
    }

    fn after(changes: &[Change]) -> Stored {
        changes.iter().fold(Stored::default(), |stored, change| apply(stored, change, start()))
    }

    fn apply(stored: Stored, change: &Change, now: SystemTime) -> Stored {
        let service = Service::new("podgate", "podgate-system");
        stored.apply(change, &service, now, &Lifetimes::default()).unwrap()
    }

    /// In force, and nothing else to it.
    fn steady() -> Stored {
        after(&[Change::CreateNext, Change::Promote])
    }

    fn bundle(authorities: &[&CaCertificate]) -> Bundle {
        Bundle::read(&render(authorities))
    }

    /// The next step where two entries hold all that they should.
    fn in_sync(stored: &Stored, next_seen: Duration, now: SystemTime) -> Step {
        let wanted = wanted(stored, now, &Lifetimes::default());
        step(stored, &[bundle(&wanted), bundle(&wanted)], None, next_seen, now)
    }

    fn step(
        stored: &Stored,
        published: &[Bundle],
        served: Option<&CaCertificate>,
        next_seen: Duration,
        now: SystemTime,
    ) -> Step {
        let situation = Situation { stored, faults: &[], published, served, next_seen, now };
        plan(&situation, &Lifetimes::default())
    }

    fn current(stored: &Stored) -> &CaCertificate {
        stored.current.as_ref().unwrap().certificate()
    }

    #[test]
    fn the_first_installation() {
        let (empty, none) = (Stored::default(), [Bundle::default(), Bundle::default()]);
        assert_eq!(step(&empty, &none, None, Duration::ZERO, start()), Step::Change(Change::CreateNext));
        let created = after(&[Change::CreateNext]);
        let next = created.next.as_ref().unwrap().certificate();
        let publish = Step::Publish(vec![next.clone()]);
        assert_eq!(step(&created, &none, None, Duration::ZERO, start()), publish);
        assert_eq!(
            step(&created, &[bundle(&[next]), Bundle::default()], None, Duration::ZERO, start()),
            publish
        );
        // Nobody trusts anything else, and so there is nothing to wait for.
        assert_eq!(in_sync(&created, Duration::ZERO, start()), Step::Change(Change::Promote));
        assert_eq!(in_sync(&steady(), Duration::ZERO, start()), Step::Rest(20 * DAY));
    }

    #[test]
    fn a_rotation_in_its_order() {
        let mut stored = steady();
        let first = current(&stored).clone();
        let due = start() + 243 * DAY - HOUR;
        stored = apply(stored, &Change::SignLeaf, due - MINUTE);
        assert_eq!(in_sync(&stored, Duration::ZERO, due - MINUTE), Step::Rest(MINUTE));
        assert_eq!(in_sync(&stored, Duration::ZERO, due), Step::Change(Change::CreateNext));
        stored = apply(stored, &Change::CreateNext, due);
        let second = stored.next.as_ref().unwrap().certificate().clone();
        let publish = Step::Publish(vec![first.clone(), second.clone()]);
        assert_eq!(step(&stored, &[bundle(&[&first])], None, Duration::ZERO, due), publish);
        assert_eq!(in_sync(&stored, Duration::ZERO, due), Step::Wait(2 * MINUTE));
        assert_eq!(in_sync(&stored, MINUTE, due), Step::Wait(MINUTE));
        assert_eq!(in_sync(&stored, 2 * MINUTE, due), Step::Change(Change::Promote));
        // However long it was seen before: what is not published now is published first.
        assert_eq!(step(&stored, &[bundle(&[&first])], None, 2 * MINUTE, due), publish);

        stored = apply(stored, &Change::Promote, due);
        assert_eq!(*current(&stored), second);
        assert_eq!(stored.leaf.as_ref().unwrap().issuer, second);
        assert_eq!(stored.old, [first.clone()]);
        let over = due + 30 * DAY + HOUR;
        assert_eq!(stored.old_until, Some(over));
        assert_eq!(in_sync(&stored, Duration::ZERO, due), Step::Rest(20 * DAY));
        stored = apply(stored, &Change::SignLeaf, due + 20 * DAY);
        assert_eq!(in_sync(&stored, Duration::ZERO, over - MINUTE), Step::Rest(MINUTE));
        // First from the bundles, then from the Secret: the other way round it would be taken for lost.
        let both = bundle(&[&first, &second]);
        assert_eq!(step(&stored, &[both], None, Duration::ZERO, over), Step::Publish(vec![second]));
        assert_eq!(in_sync(&stored, Duration::ZERO, over), Step::Change(Change::DropOld));
        stored = apply(stored, &Change::DropOld, over);
        assert!(stored.old.is_empty() && stored.old_until.is_none());
        assert!(matches!(in_sync(&stored, Duration::ZERO, over), Step::Rest(_)));
    }

    #[test]
    fn leaves_are_renewed() {
        let mut stored = steady();
        let due = start() + 20 * DAY;
        assert_eq!(in_sync(&stored, Duration::ZERO, due - MINUTE), Step::Rest(MINUTE));
        assert_eq!(in_sync(&stored, Duration::ZERO, due), Step::Change(Change::SignLeaf));
        // Even while another CA is on its way.
        stored = apply(stored, &Change::CreateNext, due);
        assert_eq!(in_sync(&stored, Duration::ZERO, due), Step::Change(Change::SignLeaf));
        stored = apply(stored, &Change::SignLeaf, due);
        assert_eq!(in_sync(&stored, Duration::ZERO, due), Step::Wait(2 * MINUTE));
        // After a long stop everything but the CA is over.
        let mut stopped = steady();
        assert_eq!(in_sync(&stopped, Duration::ZERO, start() + 100 * DAY), Step::Change(Change::SignLeaf));
        stopped.leaf = None;
        assert_eq!(in_sync(&stopped, Duration::ZERO, start()), Step::Change(Change::SignLeaf));
    }

    #[test]
    fn a_leaf_that_ends_with_its_ca_is_not_issued_again_and_again() {
        let late = start() + 360 * DAY;
        let mut stored = steady();
        stored = apply(stored, &Change::SignLeaf, late);
        stored = apply(stored, &Change::CreateNext, late);
        assert_eq!(in_sync(&stored, Duration::ZERO, late), Step::Wait(2 * MINUTE));
    }

    #[test]
    fn after_a_very_long_stop() {
        let stored = steady();
        let later = start() + 800 * DAY;
        assert_eq!(
            step(&stored, &[bundle(&[current(&stored)])], None, Duration::ZERO, later),
            Step::Change(Change::CreateNext)
        );
        let stored = apply(stored, &Change::CreateNext, later);
        // What is over is published no more, and nobody waits for its sake.
        assert_eq!(in_sync(&stored, Duration::ZERO, later), Step::Change(Change::Promote));
    }

    #[test]
    fn on_request() {
        let mut stored = steady();
        stored.rotate = true;
        assert_eq!(in_sync(&stored, Duration::ZERO, start()), Step::Change(Change::CreateNext));
        let stored = apply(stored, &Change::CreateNext, start());
        assert!(!stored.rotate);
    }

    #[test]
    fn bundles_that_others_wrote() {
        let (stored, other) = (steady(), steady());
        let own = current(&stored);
        let publish = Step::Publish(vec![own.clone()]);
        let mut foreign = rcgen::CertificateParams::default();
        foreign.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let foreign = foreign.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap();
        let foreign = CaCertificate::read(foreign.into()).unwrap();
        for published in [
            [bundle(&[own]), Bundle::default()],
            [bundle(&[own]), bundle(&[&foreign])],
            [bundle(&[&foreign, own]), bundle(&[own])],
            [bundle(&[&foreign]), bundle(&[&foreign])],
            [Bundle::read(b"rubbish"), bundle(&[own])],
        ] {
            assert_eq!(step(&stored, &published, Some(own), Duration::ZERO, start()), publish);
            assert_eq!(step(&stored, &published, None, Duration::ZERO, start()), publish);
        }
        // One that bears our name may still be served by somebody, but not for long.
        let ours = current(&other).clone();
        let published = [bundle(&[own, &ours]), bundle(&[own])];
        let adopt = Change::Adopt { authorities: vec![ours.clone()], demote: false, briefly: true };
        assert_eq!(
            step(&stored, &published, Some(own), Duration::ZERO, start()),
            Step::Change(adopt.clone())
        );
        let stored = apply(stored, &adopt, start());
        assert_eq!(stored.old_until, Some(start() + HOUR));
        assert_eq!(
            step(&stored, &published, None, Duration::ZERO, start()),
            Step::Publish(vec![current(&stored).clone(), ours])
        );
    }

    #[test]
    fn a_secret_that_was_lost() {
        let before = steady();
        let (ours, published) = (current(&before), [bundle(&[current(&before)])]);
        let adopt = Change::Adopt { authorities: vec![ours.clone()], demote: true, briefly: false };
        for served in [None, Some(ours)] {
            let step = step(&Stored::default(), &published, served, Duration::ZERO, start());
            assert_eq!(step, Step::Change(adopt.clone()));
        }
        let stored = apply(Stored::default(), &adopt, start());
        assert_eq!(stored.old_until, Some(start() + 30 * DAY + HOUR));
        assert_eq!(in_sync(&stored, Duration::ZERO, start()), Step::Change(Change::CreateNext));
        let stored = apply(stored, &Change::CreateNext, start());
        assert_eq!(
            in_sync(&stored, Duration::ZERO, start()),
            Step::Wait(2 * MINUTE),
            "somebody trusts the old one"
        );
        // The bundles may be gone as well; then what we serve is all we know.
        let step = step(&Stored::default(), &[Bundle::default()], Some(ours), Duration::ZERO, start());
        assert_eq!(step, Step::Change(adopt));
    }

    #[test]
    fn a_secret_that_was_exchanged() {
        let (before, foreign) = (steady(), steady());
        let (ours, published) = (current(&before).clone(), [bundle(&[current(&before)])]);
        let adopt = Change::Adopt { authorities: vec![ours.clone()], demote: true, briefly: false };
        assert_eq!(step(&foreign, &published, None, Duration::ZERO, start()), Step::Change(adopt.clone()));
        let theirs = current(&foreign).clone();
        let stored = apply(foreign, &adopt, start());
        assert!(stored.current.is_none() && stored.leaf.is_none(), "nobody must serve what nobody trusts");
        assert_eq!(stored.next.as_ref().unwrap().certificate(), &theirs);
        assert_eq!(in_sync(&stored, Duration::ZERO, start()), Step::Wait(2 * MINUTE));
    }

    #[test]
    fn faults_are_written_over() {
        let stored = steady();
        let faults = [Fault::NotATime];
        let published = [bundle(&[current(&stored)])];
        let situation = Situation {
            stored: &stored,
            faults: &faults,
            published: &published,
            served: None,
            next_seen: Duration::ZERO,
            now: start(),
        };
        assert_eq!(plan(&situation, &Lifetimes::default()), Step::Change(Change::Mend));
    }

    #[test]
    fn a_clock_that_is_behind_changes_nothing() {
        let stored = steady();
        for (now, expected) in [
            (start() - HOUR, Step::Rest(20 * DAY + HOUR)),
            (start() - 2 * HOUR, Step::Rest(20 * DAY + 2 * HOUR)),
            (start() - 2 * HOUR - MINUTE, Step::ClockBehind(start() - HOUR)),
            (UNIX_EPOCH, Step::ClockBehind(start() - HOUR)),
        ] {
            assert_eq!(in_sync(&stored, Duration::ZERO, now), expected);
        }
    }

    #[test]
    fn where_old_cas_are_too_many_some_are_left_out_for_good() {
        let made = || Authority::create(start(), &Lifetimes::default()).unwrap().into_certificate();
        let mut stored = steady();
        (0..MOST_OLD).for_each(|_| stored.retire(made()));
        stored.old_until = Some(start() + 60 * DAY);
        let (published, served) = (made(), made());
        let all: Vec<_> = stored.authorities().chain([&published, &served]).collect();
        let bundles = [bundle(&all)];
        let step_with = |stored: &Stored, served| step(stored, &bundles, served, Duration::ZERO, start());
        assert!(matches!(step_with(&stored, None), Step::Publish(_)));
        let Step::Change(adopt) = step_with(&stored, Some(&served)) else { panic!("what is served is kept") };
        assert_eq!(adopt, Change::Adopt { authorities: vec![served.clone()], demote: false, briefly: false });
        let stored = apply(stored, &adopt, start());
        assert!(stored.old.contains(&served) && stored.old.len() == MOST_OLD);
        assert!(matches!(step_with(&stored, Some(&served)), Step::Publish(_)), "what fell out stays out");
    }
}
