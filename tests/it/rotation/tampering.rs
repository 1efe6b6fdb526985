//! How others may tamper with the Secret and the bundles.

use std::time::UNIX_EPOCH;

use podgate::certificates::{CaSecret, Lifetimes, SecretChange, SecretData, WebhookService};
use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};

use super::simulation::Simulation;

/// Ways to damage the Secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tampering {
    Delete,
    Empty,
    Nonsense,
    NoCaKey,
    OtherCaKey,
    BrokenCa,
    BrokenLeaf,
    OtherLeafKey,
    LeafOfAnother,
    CertManager,
    AnotherPodgate,
    Snapshot,
    BrokenNext,
    NoOld,
    NoDate,
    ForeignKeys,
}

impl Tampering {
    pub(crate) const ALL: [Self; 16] = [
        Self::Delete,
        Self::Empty,
        Self::Nonsense,
        Self::NoCaKey,
        Self::OtherCaKey,
        Self::BrokenCa,
        Self::BrokenLeaf,
        Self::OtherLeafKey,
        Self::LeafOfAnother,
        Self::CertManager,
        Self::AnotherPodgate,
        Self::Snapshot,
        Self::BrokenNext,
        Self::NoOld,
        Self::NoDate,
        Self::ForeignKeys,
    ];

    pub(crate) fn edit(self, data: &mut SecretData, snapshot: &SecretData) {
        let mut set = |key: &str, value: Vec<u8>| drop(data.insert(key.to_owned(), value));
        let a_key = || KeyPair::generate().unwrap().serialize_pem().into_bytes();
        match self {
            Self::Delete => {}
            Self::Empty => data.clear(),
            Self::Nonsense => data.values_mut().for_each(|value| *value = vec![0xff; 1000]),
            Self::NoCaKey => drop(data.remove("ca.key")),
            Self::OtherCaKey => set("ca.key", a_key()),
            Self::BrokenCa => set("ca.crt", b"-----BEGIN CERTIFICATE-----\nMIIB\n".to_vec()),
            Self::BrokenLeaf => set("tls.crt", b"not PEM".to_vec()),
            Self::OtherLeafKey => set("tls.key", a_key()),
            Self::LeafOfAnother => {
                let other = another_podgate();
                set("tls.crt", other["tls.crt"].clone());
                set("tls.key", other["tls.key"].clone());
            }
            Self::CertManager => *data = cert_manager(),
            Self::AnotherPodgate => *data = another_podgate(),
            Self::Snapshot => data.clone_from(snapshot),
            Self::BrokenNext => {
                set(
                    "next-ca.crt",
                    b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n".to_vec(),
                );
                set("next-ca.key", a_key());
            }
            Self::NoOld => drop(data.remove("old-ca.crt")),
            Self::NoDate => set("old-ca-until", b"tomorrow".to_vec()),
            Self::ForeignKeys => set("keystore.p12", vec![1, 2, 3]),
        }
    }
}

/// A Secret that another installation of ours has made: whole in itself.
pub(crate) fn another_podgate() -> SecretData {
    let now = UNIX_EPOCH + std::time::Duration::from_secs(1_800_000_000);
    let (service, lifetimes) = (WebhookService::new("podgate", "podgate-system"), Lifetimes::default());
    let mut stored = CaSecret::default();
    for change in [SecretChange::CreateNext, SecretChange::Promote] {
        stored = stored.apply(&change, &service, now, &lifetimes).unwrap();
    }
    stored.render()
}

/// A pair as cert-manager's self-signed issuer makes it.
fn cert_manager() -> SecretData {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["podgate.podgate-system.svc".to_owned()]).unwrap();
    let certificate = params.self_signed(&key).unwrap().pem().into_bytes();
    [("ca.crt", certificate.clone()), ("tls.crt", certificate), ("tls.key", key.serialize_pem().into_bytes())]
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value))
        .collect()
}

fn foreign_ca() -> Vec<u8> {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.self_signed(&KeyPair::generate().unwrap()).unwrap().pem().into_bytes()
}

/// Somebody else writes some of the bundles: a CA of theirs, or of another podgate, nothing, nonsense, or one
/// CA too many.
pub(crate) fn exchange_bundles(simulation: &mut Simulation, number: u64) {
    let what = number % 5;
    let mut world = simulation.world.lock().unwrap();
    let before = world.published();
    let (foreign, other) = (foreign_ca(), another_podgate()["ca.crt"].clone());
    let new = |_| match what {
        0 => foreign.clone(),
        1 => other.clone(),
        2 => Vec::new(),
        3 => b"nonsense".to_vec(),
        _ => [before[0].as_slice(), &foreign].concat(),
    };
    for configuration in 0..2 {
        // One entry, one configuration, or all.
        match number / 5 % 3 {
            0 if configuration == 1 => {}
            1 => world.set_bundles(configuration, |entry| (entry == 0).then(|| new(entry))),
            _ => world.set_bundles(configuration, |entry| Some(new(entry))),
        }
    }
    drop(world);
    simulation.excuse();
}
