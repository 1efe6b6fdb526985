//! What is read of a Secret, whole and in every way broken.

use std::time::{Duration, UNIX_EPOCH};

use rcgen::{CertificateParams, KeyPair};

use super::*;
use crate::certificates::self_managed::ca_secret::MOST_OLD;
use crate::certificates::{Lifetimes, SecretChange};

fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_800_000_000)
}

fn service() -> WebhookService {
    WebhookService::new("podgate", "podgate-system")
}

fn after(changes: &[SecretChange]) -> SecretData {
    let mut stored = CaSecret::default();
    for change in changes {
        stored = stored.apply(change, &service(), now(), &Lifetimes::default()).unwrap();
    }
    stored.render()
}

/// With a current, a next and an old CA, and a leaf.
fn full() -> SecretData {
    use SecretChange::{CreateNext, Promote};
    after(&[CreateNext, Promote, CreateNext, Promote, CreateNext])
}

#[test]
fn read_as_written() {
    for data in [SecretData::new(), after(&[SecretChange::CreateNext]), full()] {
        let (stored, errors) = CaSecret::read(&data, &service());
        assert_eq!(errors, []);
        let again = stored.render();
        let keys = |data: &SecretData| data.keys().cloned().collect::<Vec<_>>();
        if !data.is_empty() {
            assert_eq!(keys(&again), keys(&data));
            assert!(again == data, "what is read is written as it was");
        }
    }
    let data = full();
    assert_eq!(
        data.keys().collect::<Vec<_>>(),
        [
            "ca.crt",
            "ca.key",
            "next-ca.crt",
            "next-ca.key",
            "old-ca-until",
            "old-ca.crt",
            "tls.crt",
            "tls.key"
        ]
    );
    assert_eq!(data["old-ca-until"], b"2027-02-14T09:00:00Z");
}

/// What is left of a full Secret, and what is found wrong, after one part of it is changed.
fn left(change: impl FnOnce(&mut SecretData)) -> (Vec<&'static str>, String) {
    let mut data = full();
    change(&mut data);
    let (stored, errors) = CaSecret::read(&data, &service());
    let mut parts = Vec::new();
    for (part, is_there) in [
        ("current", stored.current.is_some()),
        ("next", stored.next.is_some()),
        ("leaf", stored.leaf.is_some()),
        ("until", stored.old_until.is_some()),
    ] {
        if is_there {
            parts.push(part);
        }
    }
    parts.extend(stored.old.iter().map(|_| "old"));
    (parts, errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
}

fn set(key: &'static str, value: &[u8]) -> impl FnOnce(&mut SecretData) {
    let value = value.to_vec();
    move |data| drop(data.insert(key.to_owned(), value))
}

const WHOLE: [&str; 5] = ["current", "next", "leaf", "until", "old"];

#[test]
fn a_ca_that_is_broken_is_named_and_left_out() {
    let other = full();
    for (broken, parts, fault) in [
        (left(|_| {}), &WHOLE[..], ""),
        // A CA whose key is lost signs no more, but what it has signed may be served.
        (
            left(|data| drop(data.remove("ca.key"))),
            &["next", "leaf", "until", "old", "old"],
            "ca.key is missing beside ca.crt",
        ),
        (
            left(set("ca.key", &other["ca.key"])),
            &["next", "leaf", "until", "old", "old"],
            "ca.key is not the key of ca.crt",
        ),
        (
            left(set("ca.key", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")),
            &["next", "leaf", "until", "old", "old"],
            "ca.key is not one private key in PEM",
        ),
        (
            left(set("ca.key", &[0xff, 0xfe])),
            &["next", "leaf", "until", "old", "old"],
            "ca.key is not one private key in PEM",
        ),
        // Without its CA, nobody accepts the leaf.
        (
            left(|data| drop(data.remove("ca.crt"))),
            &["next", "until", "old"],
            "ca.crt is missing beside ca.key; \
             tls.crt is not a server certificate for podgate.podgate-system.svc from a CA of this Secret",
        ),
        (
            left(set("ca.crt", b"rubbish")),
            &["next", "until", "old"],
            "ca.crt is not one certificate in PEM; \
             tls.crt is not a server certificate for podgate.podgate-system.svc from a CA of this Secret",
        ),
        (
            left(set("next-ca.crt", &[other["next-ca.crt"].clone(), other["ca.crt"].clone()].concat())),
            &["current", "leaf", "until", "old"],
            "next-ca.crt is not one certificate in PEM",
        ),
        (
            left(set("next-ca.crt", &other["tls.crt"])),
            &["current", "leaf", "until", "old"],
            "next-ca.crt is not the certificate of a CA",
        ),
    ] {
        assert_eq!(broken, (parts.to_vec(), fault.to_owned()));
    }
}

#[test]
fn a_leaf_or_an_old_ca_that_is_broken_is_named_and_left_out() {
    let other = full();
    for (broken, parts, fault) in [
        (
            left(set("tls.key", &other["tls.key"])),
            &["current", "next", "until", "old"][..],
            "tls.key is not the key of tls.crt",
        ),
        (
            left(|data| {
                set("tls.crt", &other["tls.crt"])(data);
                set("tls.key", &other["tls.key"])(data);
            }),
            &["current", "next", "until", "old"],
            "tls.crt is not a server certificate for podgate.podgate-system.svc from a CA of this Secret",
        ),
        (
            left(set("old-ca.crt", &[other["ca.crt"].as_slice(), &other["tls.crt"]].concat())),
            &WHOLE[..],
            "old-ca.crt holds something that is not the certificate of a CA",
        ),
        (
            left(set("old-ca-until", b"soon")),
            &["current", "next", "leaf", "old"],
            "old-ca-until is not a time such as 2026-01-31T12:00:00Z",
        ),
        (
            left(|data| drop(data.remove("old-ca-until"))),
            &["current", "next", "leaf", "old"],
            "old-ca-until is not a time such as 2026-01-31T12:00:00Z",
        ),
        // A date without CAs is of no use and does no harm.
        (left(|data| drop(data.remove("old-ca.crt"))), &["current", "next", "leaf"], ""),
        (
            left(set("tls.crt", b"")),
            &["current", "next", "until", "old"],
            "tls.crt is missing beside tls.key",
        ),
    ] {
        assert_eq!(broken, (parts.to_vec(), fault.to_owned()));
    }
}

#[test]
fn a_leaf_for_another_service() {
    let (stored, errors) = CaSecret::read(&full(), &WebhookService::new("podgate", "elsewhere"));
    assert!(stored.leaf.is_none());
    assert_eq!(errors.len(), 1);
    assert!(errors[0].to_string().contains("for podgate.elsewhere.svc"), "{}", errors[0]);
}

#[test]
fn a_pair_of_somebody_else() {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec![service().name().to_owned()]).unwrap();
    let certificate = certificate.self_signed(&key).unwrap();
    let data = [("tls.crt", certificate.pem()), ("tls.key", key.serialize_pem())];
    let data = data.into_iter().map(|(key, value)| (key.to_owned(), value.into_bytes())).collect();
    let (stored, errors) = CaSecret::read(&data, &service());
    assert!(stored.leaf.is_none() && stored.current.is_none());
    assert_eq!(
        errors[0].to_string(),
        "tls.crt is not a server certificate for podgate.podgate-system.svc from a CA of this Secret"
    );
}

#[test]
fn what_others_keep_there_stays() {
    let mut data = full();
    data.insert("keystore.p12".to_owned(), vec![0, 1]);
    let (stored, errors) = CaSecret::read(&data, &service());
    assert_eq!(errors, []);
    assert!(stored.render() == data);
}

#[test]
fn the_last_to_sign_are_kept() {
    let mut stored = CaSecret::default();
    let made: Vec<_> = (0..12)
        .map(|_| CertificateAuthority::create(now(), &Lifetimes::default()).unwrap().into_certificate())
        .collect();
    for authority in &made {
        stored.retire(authority.clone());
        stored.retire(authority.clone());
    }
    let newest: Vec<_> = made.into_iter().rev().take(MOST_OLD).collect();
    assert_eq!(stored.old, newest);
}
