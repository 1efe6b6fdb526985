//! PEM, as it comes from files, from the Secret of a self-managed podgate, and from the `caBundle` of a webhook.
//!
//! No key stands in a corpus: `<CA>`, `<CA KEY>`, `<LEAF>` and `<LEAF KEY>` in an input stand for what is made when
//! the process starts. A line `====` ends one part of an input and begins the next. As there is no other key, nothing
//! but that leaf can ever be served, and nothing but that CA can vouch for it.

use std::io::Write as _;
use std::sync::LazyLock;
use std::time::SystemTime;

use podgate::certificates::{
    CaBundle, CaCertificate, CaSecret, CertificateAuthority, ClientAuth, LeafCertificate, Lifetimes,
    SecretData, TlsVersion, WebhookService, from_files, render_bundle,
};
use tempfile::NamedTempFile;

use super::within_memory;

/// What may be held of a text of certificates, for each of its bytes.
const MEMORY_TIMES: usize = 32;

/// The keys of the Secret that the parts of an input stand under, in order.
const SECRET: [&str; 9] = [
    "ca.crt",
    "ca.key",
    "tls.crt",
    "tls.key",
    "old-ca.crt",
    "next-ca.crt",
    "next-ca.key",
    "old-ca-until",
    "rotate",
];

/// What is made when the process starts.
struct Made {
    authority: CertificateAuthority,
    leaf: LeafCertificate,
    service: WebhookService,
    now: SystemTime,
}

static MADE: LazyLock<Made> = LazyLock::new(|| {
    let (now, lifetimes) = (SystemTime::now(), Lifetimes::default());
    let service = WebhookService::new("podgate", "podgate-system");
    let authority = CertificateAuthority::create(now, &lifetimes).expect("a CA");
    let leaf = authority.issue(&service, now, &lifetimes).expect("a leaf");
    Made { authority, leaf, service, now }
});

pub fn check(input: &[u8]) {
    let input = filled_in(input);
    let parts: Vec<&[u8]> = parts(&input).collect();
    let part = |index: usize| parts.get(index).copied().unwrap_or_default();
    check_bundle(part(0));
    check_clients(part(0));
    check_stored(&parts);
    check_files(part(2), part(3));
}

/// The input with what the words in it stand for.
fn filled_in(input: &[u8]) -> Vec<u8> {
    let Ok(text) = std::str::from_utf8(input) else { return input.to_vec() };
    let ca = render_bundle(&[MADE.authority.certificate()]);
    text.replace("<CA>", &String::from_utf8_lossy(&ca))
        .replace("<CA KEY>", &MADE.authority.key_pem())
        .replace("<LEAF>", &MADE.leaf.certificate_pem())
        .replace("<LEAF KEY>", &MADE.leaf.key_pem())
        .into_bytes()
}

fn parts(input: &[u8]) -> impl Iterator<Item = &[u8]> {
    const LINE: &[u8] = b"====\n";
    let mut rest = Some(input);
    std::iter::from_fn(move || {
        let text = rest?;
        let end = text.windows(LINE.len()).position(|window| window == LINE);
        rest = end.and_then(|end| text.get(end + LINE.len()..));
        text.get(..end.unwrap_or(text.len()))
    })
}

/// A bundle written anew is the same bundle, and vouches for the leaf if and only if its CA is in it.
fn check_bundle(pem: &[u8]) {
    let bundle = within_memory(MEMORY_TIMES, pem, || CaBundle::read(pem));
    let authorities: Vec<&CaCertificate> = bundle.authorities().iter().collect();
    let again = CaBundle::read(&render_bundle(&authorities));
    assert_eq!(again.authorities(), bundle.authorities());
    assert!(again.is(&authorities));
    let vouches = bundle.verifies(MADE.leaf.der(), &MADE.service, MADE.now);
    assert_eq!(vouches, bundle.holds(MADE.authority.certificate()), "it vouches for another's leaf");
}

/// Clients are only ever checked by CAs, and by all that are named.
fn check_clients(pem: &[u8]) {
    let file = file(pem);
    let names = ["kube-apiserver".to_owned()];
    match ClientAuth::from_file(file.path(), &names) {
        Ok(_) => assert!(!CaBundle::read(pem).authorities().is_empty(), "clients of no CA at all"),
        Err(error) => tells_no_key(&error),
    }
}

/// What the Secret holds is proven, and what is written of it is read as the same.
fn check_stored(parts: &[&[u8]]) {
    let data: SecretData =
        SECRET.iter().zip(parts).map(|(key, value)| ((*key).to_owned(), value.to_vec())).collect();
    let (stored, faults) = CaSecret::read(&data, &MADE.service);
    for fault in &faults {
        super::is_one_line(&fault.to_string(), 256);
    }
    if let Some(issued) = &stored.leaf {
        assert_eq!(issued.leaf.der(), MADE.leaf.der(), "a leaf without its key");
        assert_eq!(&issued.issuer, MADE.authority.certificate(), "a leaf of another CA");
    }
    for authority in stored.current.iter().chain(&stored.next) {
        assert_eq!(authority.certificate(), MADE.authority.certificate(), "a CA without its key");
    }
    let (again, _) = CaSecret::read(&stored.render(), &MADE.service);
    assert!(again.authorities().eq(stored.authorities()), "written and read it is another Secret");
    assert_eq!(again.leaf.is_some(), stored.leaf.is_some());
    assert_eq!((again.old_until, again.rotate), (stored.old_until, stored.rotate));
}

/// Two files are served only if they are the one pair that there is.
fn check_files(certificate: &[u8], key: &[u8]) {
    let (certificate, key) = (file(certificate), file(key));
    match from_files(certificate.path(), key.path(), TlsVersion::V1_3) {
        Ok(loaded) => {
            assert_eq!(loaded.chain().first(), Some(MADE.leaf.der()), "a certificate without its key");
            assert_eq!(loaded.names, MADE.service.names());
        }
        Err(error) => tells_no_key(&error),
    }
}

fn file(content: &[u8]) -> NamedTempFile {
    let mut file = NamedTempFile::new().expect("a file");
    file.write_all(content).expect("room for it");
    file
}

/// Asserts that neither an error nor what caused it shows any line of a key.
fn tells_no_key(error: &(dyn std::error::Error + 'static)) {
    let mut text = format!("{error} {error:?}");
    if let Some(source) = error.source() {
        text.push_str(&format!("{source} {source:?}"));
    }
    for key in [MADE.authority.key_pem(), MADE.leaf.key_pem()] {
        let mut lines = key.lines().filter(|line| !line.starts_with("-----"));
        assert!(!lines.any(|line| text.contains(line)), "an error shows a key");
    }
}
