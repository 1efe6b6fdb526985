//! Each step of a rotation, from what it follows.

use std::time::UNIX_EPOCH;

use super::*;
use crate::certificates::bundle::render;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const HOUR: Duration = Duration::from_secs(60 * 60);
const MINUTE: Duration = Duration::from_secs(60);

fn start() -> SystemTime {
    UNIX_EPOCH + 20_000 * DAY
}

fn after(changes: &[SecretChange]) -> CaSecret {
    changes.iter().fold(CaSecret::default(), |stored, change| apply(stored, change, start()))
}

fn apply(stored: CaSecret, change: &SecretChange, now: SystemTime) -> CaSecret {
    let service = WebhookService::new("podgate", "podgate-system");
    stored.apply(change, &service, now, &Lifetimes::default()).unwrap()
}

/// In force, and nothing else to it.
fn steady() -> CaSecret {
    after(&[SecretChange::CreateNext, SecretChange::Promote])
}

fn bundle(authorities: &[&CaCertificate]) -> CaBundle {
    CaBundle::read(&render(authorities))
}

/// The next step where two entries hold all that they should.
fn in_sync(stored: &CaSecret, next_seen: Duration, now: SystemTime) -> RotationAction {
    let wanted = wanted(stored, now, &Lifetimes::default());
    step(stored, &[bundle(&wanted), bundle(&wanted)], None, next_seen, now)
}

fn step(
    stored: &CaSecret,
    published: &[CaBundle],
    served: Option<&CaCertificate>,
    next_seen: Duration,
    now: SystemTime,
) -> RotationAction {
    let state = RotationState { stored, errors: &[], published, served, next_seen, now };
    next_action(&state, &Lifetimes::default())
}

fn current(stored: &CaSecret) -> &CaCertificate {
    stored.current.as_ref().unwrap().certificate()
}

#[test]
fn the_first_installation() {
    let (empty, none) = (CaSecret::default(), [CaBundle::default(), CaBundle::default()]);
    assert_eq!(
        step(&empty, &none, None, Duration::ZERO, start()),
        RotationAction::Change(SecretChange::CreateNext)
    );
    let created = after(&[SecretChange::CreateNext]);
    let next = created.next.as_ref().unwrap().certificate();
    let publish = RotationAction::Publish(vec![next.clone()]);
    assert_eq!(step(&created, &none, None, Duration::ZERO, start()), publish);
    assert_eq!(
        step(&created, &[bundle(&[next]), CaBundle::default()], None, Duration::ZERO, start()),
        publish
    );
    // Nobody trusts anything else, and so there is nothing to wait for.
    assert_eq!(in_sync(&created, Duration::ZERO, start()), RotationAction::Change(SecretChange::Promote));
    assert_eq!(in_sync(&steady(), Duration::ZERO, start()), RotationAction::Rest(20 * DAY));
}

#[test]
fn a_rotation_in_its_order() {
    let mut stored = steady();
    let first = current(&stored).clone();
    let due = start() + 243 * DAY - HOUR;
    stored = apply(stored, &SecretChange::SignLeaf, due - MINUTE);
    assert_eq!(in_sync(&stored, Duration::ZERO, due - MINUTE), RotationAction::Rest(MINUTE));
    assert_eq!(in_sync(&stored, Duration::ZERO, due), RotationAction::Change(SecretChange::CreateNext));
    stored = apply(stored, &SecretChange::CreateNext, due);
    let second = stored.next.as_ref().unwrap().certificate().clone();
    let publish = RotationAction::Publish(vec![first.clone(), second.clone()]);
    assert_eq!(step(&stored, &[bundle(&[&first])], None, Duration::ZERO, due), publish);
    assert_eq!(in_sync(&stored, Duration::ZERO, due), RotationAction::Wait(2 * MINUTE));
    assert_eq!(in_sync(&stored, MINUTE, due), RotationAction::Wait(MINUTE));
    assert_eq!(in_sync(&stored, 2 * MINUTE, due), RotationAction::Change(SecretChange::Promote));
    // However long it was seen before: what is not published now is published first.
    assert_eq!(step(&stored, &[bundle(&[&first])], None, 2 * MINUTE, due), publish);

    stored = apply(stored, &SecretChange::Promote, due);
    assert_eq!(*current(&stored), second);
    assert_eq!(stored.leaf.as_ref().unwrap().issuer, second);
    assert_eq!(stored.old, std::slice::from_ref(&first));
    let over = due + 30 * DAY + HOUR;
    assert_eq!(stored.old_until, Some(over));
    assert_eq!(in_sync(&stored, Duration::ZERO, due), RotationAction::Rest(20 * DAY));
    stored = apply(stored, &SecretChange::SignLeaf, due + 20 * DAY);
    assert_eq!(in_sync(&stored, Duration::ZERO, over - MINUTE), RotationAction::Rest(MINUTE));
    // First from the bundles, then from the Secret: the other way round it would be taken for lost.
    let both = bundle(&[&first, &second]);
    assert_eq!(step(&stored, &[both], None, Duration::ZERO, over), RotationAction::Publish(vec![second]));
    assert_eq!(in_sync(&stored, Duration::ZERO, over), RotationAction::Change(SecretChange::DropOld));
    stored = apply(stored, &SecretChange::DropOld, over);
    assert!(stored.old.is_empty() && stored.old_until.is_none());
    assert!(matches!(in_sync(&stored, Duration::ZERO, over), RotationAction::Rest(_)));
}

#[test]
fn leaves_are_renewed() {
    let mut stored = steady();
    let due = start() + 20 * DAY;
    assert_eq!(in_sync(&stored, Duration::ZERO, due - MINUTE), RotationAction::Rest(MINUTE));
    assert_eq!(in_sync(&stored, Duration::ZERO, due), RotationAction::Change(SecretChange::SignLeaf));
    // Even while another CA is on its way.
    stored = apply(stored, &SecretChange::CreateNext, due);
    assert_eq!(in_sync(&stored, Duration::ZERO, due), RotationAction::Change(SecretChange::SignLeaf));
    stored = apply(stored, &SecretChange::SignLeaf, due);
    assert_eq!(in_sync(&stored, Duration::ZERO, due), RotationAction::Wait(2 * MINUTE));
    // After a long stop everything but the CA is over.
    let mut stopped = steady();
    assert_eq!(
        in_sync(&stopped, Duration::ZERO, start() + 100 * DAY),
        RotationAction::Change(SecretChange::SignLeaf)
    );
    stopped.leaf = None;
    assert_eq!(in_sync(&stopped, Duration::ZERO, start()), RotationAction::Change(SecretChange::SignLeaf));
}

#[test]
fn a_leaf_that_ends_with_its_ca_is_not_issued_again_and_again() {
    let late = start() + 360 * DAY;
    let mut stored = steady();
    stored = apply(stored, &SecretChange::SignLeaf, late);
    stored = apply(stored, &SecretChange::CreateNext, late);
    assert_eq!(in_sync(&stored, Duration::ZERO, late), RotationAction::Wait(2 * MINUTE));
}

#[test]
fn after_a_very_long_stop() {
    let stored = steady();
    let later = start() + 800 * DAY;
    assert_eq!(
        step(&stored, &[bundle(&[current(&stored)])], None, Duration::ZERO, later),
        RotationAction::Change(SecretChange::CreateNext)
    );
    let stored = apply(stored, &SecretChange::CreateNext, later);
    // What is over is published no more, and nobody waits for its sake.
    assert_eq!(in_sync(&stored, Duration::ZERO, later), RotationAction::Change(SecretChange::Promote));
}

#[test]
fn on_request() {
    let mut stored = steady();
    stored.rotate = true;
    assert_eq!(in_sync(&stored, Duration::ZERO, start()), RotationAction::Change(SecretChange::CreateNext));
    let stored = apply(stored, &SecretChange::CreateNext, start());
    assert!(!stored.rotate);
}

#[test]
fn bundles_that_others_wrote() {
    let (stored, other) = (steady(), steady());
    let own = current(&stored);
    let publish = RotationAction::Publish(vec![own.clone()]);
    let mut foreign = rcgen::CertificateParams::default();
    foreign.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let foreign = foreign.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap();
    let foreign = CaCertificate::read(foreign.into()).unwrap();
    for published in [
        [bundle(&[own]), CaBundle::default()],
        [bundle(&[own]), bundle(&[&foreign])],
        [bundle(&[&foreign, own]), bundle(&[own])],
        [bundle(&[&foreign]), bundle(&[&foreign])],
        [CaBundle::read(b"rubbish"), bundle(&[own])],
    ] {
        assert_eq!(step(&stored, &published, Some(own), Duration::ZERO, start()), publish);
        assert_eq!(step(&stored, &published, None, Duration::ZERO, start()), publish);
    }
    // One that bears our name may still be served by somebody, but not for long.
    let ours = current(&other).clone();
    let published = [bundle(&[own, &ours]), bundle(&[own])];
    let adopt = SecretChange::Adopt { authorities: vec![ours.clone()], demote: false, briefly: true };
    assert_eq!(
        step(&stored, &published, Some(own), Duration::ZERO, start()),
        RotationAction::Change(adopt.clone())
    );
    let stored = apply(stored, &adopt, start());
    assert_eq!(stored.old_until, Some(start() + HOUR));
    assert_eq!(
        step(&stored, &published, None, Duration::ZERO, start()),
        RotationAction::Publish(vec![current(&stored).clone(), ours])
    );
}

#[test]
fn a_secret_that_was_lost() {
    let before = steady();
    let (ours, published) = (current(&before), [bundle(&[current(&before)])]);
    let adopt = SecretChange::Adopt { authorities: vec![ours.clone()], demote: true, briefly: false };
    for served in [None, Some(ours)] {
        let step = step(&CaSecret::default(), &published, served, Duration::ZERO, start());
        assert_eq!(step, RotationAction::Change(adopt.clone()));
    }
    let stored = apply(CaSecret::default(), &adopt, start());
    assert_eq!(stored.old_until, Some(start() + 30 * DAY + HOUR));
    assert_eq!(in_sync(&stored, Duration::ZERO, start()), RotationAction::Change(SecretChange::CreateNext));
    let stored = apply(stored, &SecretChange::CreateNext, start());
    assert_eq!(
        in_sync(&stored, Duration::ZERO, start()),
        RotationAction::Wait(2 * MINUTE),
        "somebody trusts the old one"
    );
    // The bundles may be gone as well; then what we serve is all we know.
    let step = step(&CaSecret::default(), &[CaBundle::default()], Some(ours), Duration::ZERO, start());
    assert_eq!(step, RotationAction::Change(adopt));
}

#[test]
fn a_secret_that_was_exchanged() {
    let (before, foreign) = (steady(), steady());
    let (ours, published) = (current(&before).clone(), [bundle(&[current(&before)])]);
    let adopt = SecretChange::Adopt { authorities: vec![ours], demote: true, briefly: false };
    assert_eq!(
        step(&foreign, &published, None, Duration::ZERO, start()),
        RotationAction::Change(adopt.clone())
    );
    let theirs = current(&foreign).clone();
    let stored = apply(foreign, &adopt, start());
    assert!(stored.current.is_none() && stored.leaf.is_none(), "nobody must serve what nobody trusts");
    assert_eq!(stored.next.as_ref().unwrap().certificate(), &theirs);
    assert_eq!(in_sync(&stored, Duration::ZERO, start()), RotationAction::Wait(2 * MINUTE));
}

#[test]
fn faults_are_written_over() {
    let stored = steady();
    let errors = [SecretError::NotATime];
    let published = [bundle(&[current(&stored)])];
    let state = RotationState {
        stored: &stored,
        errors: &errors,
        published: &published,
        served: None,
        next_seen: Duration::ZERO,
        now: start(),
    };
    assert_eq!(next_action(&state, &Lifetimes::default()), RotationAction::Change(SecretChange::Repair));
}

#[test]
fn a_clock_that_is_behind_changes_nothing() {
    let stored = steady();
    for (now, expected) in [
        (start() - HOUR, RotationAction::Rest(20 * DAY + HOUR)),
        (start() - 2 * HOUR, RotationAction::Rest(20 * DAY + 2 * HOUR)),
        (start() - 2 * HOUR - MINUTE, RotationAction::ClockBehind(start() - HOUR)),
        (UNIX_EPOCH, RotationAction::ClockBehind(start() - HOUR)),
    ] {
        assert_eq!(in_sync(&stored, Duration::ZERO, now), expected);
    }
}

#[test]
fn where_old_cas_are_too_many_some_are_left_out_for_good() {
    let made = || CertificateAuthority::create(start(), &Lifetimes::default()).unwrap().into_certificate();
    let mut stored = steady();
    (0..MOST_OLD).for_each(|_| stored.retire(made()));
    stored.old_until = Some(start() + 60 * DAY);
    let (published, served) = (made(), made());
    let all: Vec<_> = stored.authorities().chain([&published, &served]).collect();
    let bundles = [bundle(&all)];
    let step_with = |stored: &CaSecret, served| step(stored, &bundles, served, Duration::ZERO, start());
    assert!(matches!(step_with(&stored, None), RotationAction::Publish(_)));
    let RotationAction::Change(adopt) = step_with(&stored, Some(&served)) else {
        panic!("what is served is kept")
    };
    assert_eq!(
        adopt,
        SecretChange::Adopt { authorities: vec![served.clone()], demote: false, briefly: false }
    );
    let stored = apply(stored, &adopt, start());
    assert!(stored.old.contains(&served) && stored.old.len() == MOST_OLD);
    assert!(
        matches!(step_with(&stored, Some(&served)), RotationAction::Publish(_)),
        "what fell out stays out"
    );
}
