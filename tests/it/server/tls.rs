//! TLS: versions, protocols, and replaced certificates.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;

use podgate::certificates::{CertificateWatch, LOOPBACK, ServerCertificate, TlsVersion, self_signed};
use podgate::server::{Reload, Reloaded, SourceChange};
use rcgen::{CertificateParams, KeyPair};

use super::{Client, args, review, start, start_with};
use crate::wire::client_config;

#[tokio::test]
async fn only_http_1_1_is_negotiated() {
    let server = start(args()).await;
    let tls13 = [&rustls::version::TLS13];
    let config = |protocols: &[&[u8]]| client_config(&server.certificate, &tls13, protocols);
    let refused = server.handshake(config(&[b"h2"])).await.unwrap_err();
    assert!(refused.to_string().contains("NoApplicationProtocol"), "{refused}");
    let chosen = server.handshake(config(&[b"h2", b"http/1.1"])).await.unwrap();
    assert_eq!(chosen.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
    let mut silent = Client::new(server.handshake(config(&[])).await.unwrap());
    silent.post("/validate", &review("u")).await.is_refusal("u", 403);
    let mut http2 = Client::new(server.handshake(config(&[])).await.unwrap());
    http2.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
    http2.is_cut().await;
}

#[tokio::test]
async fn tls_1_2_by_choice() {
    let old = [&rustls::version::TLS12];
    let server = start(args()).await;
    let refused = server.handshake(client_config(&server.certificate, &old, &[])).await.unwrap_err();
    assert!(refused.to_string().contains("ProtocolVersion"), "{refused}");

    let made = self_signed(&LOOPBACK, TlsVersion::V1_2).unwrap();
    let server = start_with(args(), made.loaded.config, made.certificate).await;
    let mut client =
        Client::new(server.handshake(client_config(&server.certificate, &old, &[])).await.unwrap());
    client.post("/validate", &review("u")).await.is_refusal("u", 403);
    server.connect().await.post("/validate", &review("u")).await.is_refusal("u", 403);
}

#[tokio::test]
async fn a_certificate_is_exchanged_by_a_symlink_without_losing_a_connection() {
    let secret = tempfile::tempdir().unwrap();
    let old = publish(secret.path(), "..1", &issue());
    let (mut watch, loaded) = watch(secret.path());
    let server = start_with(args(), loaded.config, old).await;
    let mut client = server.connect().await;
    client.post("/validate", &review("before")).await.is_refusal("before", 403);

    let (tls, metrics) = (Arc::clone(&server.tls), Arc::clone(&server.metrics));
    let mut reload = Reload::new(
        Reloaded::Certificate,
        Arc::clone(&server.metrics),
        move || match watch.look() {
            Ok(Some(loaded)) => Ok(SourceChange::Changed(loaded)),
            Ok(None) => Ok(SourceChange::Unchanged),
            Err(error) => Err(error.to_string()),
        },
        move |loaded: ServerCertificate| {
            metrics.certificate_expires(loaded.not_after);
            tls.store(loaded.config);
        },
    );
    reload.look_once().await;
    let new = publish(secret.path(), "..2", &issue());
    reload.look_once().await;

    client.post("/validate", &review("after")).await.is_refusal("after", 403);
    let tls13 = [&rustls::version::TLS13];
    Client::new(server.handshake(client_config(&new, &tls13, &[])).await.unwrap())
        .post("/validate", &review("new"))
        .await
        .is_refusal("new", 403);
    assert!(server.handshake(client_config(&server.certificate, &tls13, &[])).await.is_err());

    // The key of another certificate: the last good pair stays.
    let stranger = issue();
    publish(secret.path(), "..3", &(stranger.0, issue().1));
    reload.look_once().await;
    assert!(server.handshake(client_config(&new, &tls13, &[])).await.is_ok());
    assert_eq!(server.metric("podgate_certificate_reload_total{result=\"changed\"}").await, 1.0);
    assert_eq!(server.metric("podgate_certificate_reload_total{result=\"failed\"}").await, 1.0);
    assert!(server.metric("podgate_certificate_expiry_timestamp_seconds").await > 1e9);
}

fn watch(secret: &Path) -> (CertificateWatch, ServerCertificate) {
    CertificateWatch::start(&secret.join("tls.crt"), &secret.join("tls.key"), TlsVersion::V1_3).unwrap()
}

/// A certificate and its key in PEM.
fn issue() -> (String, String) {
    let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let key = KeyPair::generate().unwrap();
    (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
}

/// Writes a version of a Secret as the kubelet does: into a new folder that `..data` then points to.
fn publish(secret: &Path, version: &str, (certificate, key): &(String, String)) -> String {
    std::fs::create_dir(secret.join(version)).unwrap();
    for (name, content) in [("tls.crt", certificate), ("tls.key", key)] {
        std::fs::write(secret.join(version).join(name), content).unwrap();
        // The link exists from the first version on.
        let _ = symlink(Path::new("..data").join(name), secret.join(name));
    }
    symlink(version, secret.join("..data_tmp")).unwrap();
    std::fs::rename(secret.join("..data_tmp"), secret.join("..data")).unwrap();
    certificate.clone()
}
