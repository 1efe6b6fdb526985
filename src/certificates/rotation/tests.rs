//! Each step of a rotation, from what it follows.

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
    assert_eq!(step(&created, &[bundle(&[next]), Bundle::default()], None, Duration::ZERO, start()), publish);
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
    assert_eq!(stored.old, std::slice::from_ref(&first));
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
    assert_eq!(step(&stored, &published, Some(own), Duration::ZERO, start()), Step::Change(adopt.clone()));
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
    let adopt = Change::Adopt { authorities: vec![ours], demote: true, briefly: false };
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
