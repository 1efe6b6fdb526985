//! The TLS configuration in use: the certificate and the client authentication, each of which changes on its own.
//!
//! Either change makes a new configuration, so that nothing a peer has proven to an older one still counts.

use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use crate::certificates::args::TlsVersion;
use crate::certificates::client_auth::ClientAuth;
use crate::certificates::server_certificate::{ServerCertificate, config};

/// The configuration that the server accepts connections with.
pub struct ServerTls {
    tls: Arc<ArcSwap<ServerConfig>>,
    parts: Mutex<TlsParts>,
}

#[derive(Default)]
struct TlsParts {
    certificate: Option<ServerCertificate>,
    clients: Option<ClientAuth>,
}

impl ServerTls {
    /// Without a certificate: until one is shown, every handshake is refused.
    ///
    /// # Errors
    /// When TLS cannot be set up at all.
    pub fn new(oldest: TlsVersion, clients: Option<ClientAuth>) -> Result<Self, rustls::Error> {
        let tls = config(Arc::new(NoCertificate), oldest, clients.as_ref())?;
        let parts = Mutex::new(TlsParts { certificate: None, clients });
        Ok(Self { tls: Arc::new(ArcSwap::new(tls)), parts })
    }

    /// The configuration for the server. It is replaced in place.
    #[must_use]
    pub fn config(&self) -> Arc<ArcSwap<ServerConfig>> {
        Arc::clone(&self.tls)
    }

    /// Serves this certificate from now on.
    ///
    /// # Errors
    /// When it cannot be served; then nothing has changed.
    pub fn set_certificate(&self, certificate: ServerCertificate) -> Result<(), rustls::Error> {
        self.change(|parts| TlsParts { certificate: Some(certificate), clients: parts.clients.clone() })
    }

    /// Accepts only these clients from now on, or from the first certificate on if there is none yet.
    ///
    /// # Errors
    /// When they cannot be checked; then nothing has changed.
    pub fn set_client_auth(&self, clients: ClientAuth) -> Result<(), rustls::Error> {
        self.change(|parts| TlsParts { certificate: parts.certificate.clone(), clients: Some(clients) })
    }

    fn change(&self, change: impl FnOnce(&TlsParts) -> TlsParts) -> Result<(), rustls::Error> {
        // Held while the configuration is made, so that two changes at once do not lose one.
        let mut parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        let new = change(&parts);
        if let Some(certificate) = &new.certificate {
            self.tls.store(certificate.config_for(new.clients.as_ref())?);
        }
        *parts = new;
        Ok(())
    }
}

/// The answer to every handshake before there is a certificate.
#[derive(Debug)]
struct NoCertificate;

impl ResolvesServerCert for NoCertificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        None
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;
    use std::time::SystemTime;

    use rcgen::{
        BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
        SanType, date_time_ymd,
    };
    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
    use rustls::{ClientConfig, RootCertStore};
    use tempfile::TempDir;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
    use tokio_rustls::{TlsAcceptor, TlsConnector};

    use super::*;
    use crate::certificates::x509::to_pem;
    use crate::certificates::{
        CertificateAuthority, ClientAuthError, ClientAuthWatch, Lifetimes, WebhookService, from_files,
        self_signed,
    };

    type Ca = CertifiedIssuer<'static, KeyPair>;

    /// Who shows which certificate.
    type Identity = Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>;

    fn ca(change: impl FnOnce(&mut CertificateParams)) -> Ca {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        params.distinguished_name.push(DnType::CommonName, format!("CA {:?}", &key.public_key_raw()[1..9]));
        CertifiedIssuer::self_signed(params, key).unwrap()
    }

    fn client(ca: &Ca, change: impl FnOnce(&mut CertificateParams)) -> Identity {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "kube-apiserver");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, ca).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        Some((vec![certificate.into()], key))
    }

    struct File {
        folder: TempDir,
    }

    impl File {
        fn new(text: &str) -> Self {
            let file = Self { folder: TempDir::new().unwrap() };
            file.write(text);
            file
        }

        fn path(&self) -> PathBuf {
            self.folder.path().join("clients.crt")
        }

        fn write(&self, text: &str) {
            fs::write(self.path(), text).unwrap();
        }

        fn clients(&self, names: &[&str]) -> Result<ClientAuth, ClientAuthError> {
            let names: Vec<_> = names.iter().map(ToString::to_string).collect();
            ClientAuth::from_file(&self.path(), &names)
        }
    }

    /// One handshake, and a byte that only an accepted client gets; or how the server refuses.
    async fn call(tls: &ServerTls, identity: Identity) -> Result<(), String> {
        let root = tls.parts.lock().unwrap().certificate.as_ref().map(|loaded| loaded.chain().to_vec());
        let mut roots = RootCertStore::empty();
        // Its own certificate stands for that of its issuer: webpki takes any for an anchor.
        roots.add_parsable_certificates(root.unwrap_or_default());
        let client =
            ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_root_certificates(roots);
        let client = match identity {
            Some((chain, key)) => client.with_client_auth_cert(chain, key).unwrap(),
            None => client.with_no_client_auth(),
        };
        let (ours, theirs) = duplex(64 * 1024);
        let acceptor = TlsAcceptor::from(tls.config().load_full());
        let serve = async {
            let mut stream = acceptor.accept(theirs).await.map_err(|error| error.to_string())?;
            stream.write_all(b"!").await.map_err(|error| error.to_string())?;
            stream.shutdown().await.map_err(|error| error.to_string())
        };
        let connector = TlsConnector::from(Arc::new(client));
        let connect = async {
            let mut stream =
                connector.connect(ServerName::try_from("localhost").unwrap(), ours).await.ok()?;
            stream.read_u8().await.ok()
        };
        let (served, got) = tokio::join!(serve, connect);
        assert_eq!(served.is_ok(), got.is_some(), "{served:?}");
        served
    }

    fn server_tls(clients: Option<ClientAuth>) -> ServerTls {
        let tls = ServerTls::new(TlsVersion::V1_2, clients).unwrap();
        tls.set_certificate(self_signed(&["localhost"], TlsVersion::V1_2).unwrap().loaded).unwrap();
        tls
    }

    #[tokio::test]
    async fn whoever_may_not_call_gets_no_further_than_the_handshake() {
        let (ours, other) = (ca(|_| {}), ca(|_| {}));
        let over = ca(|params| params.not_after = date_time_ymd(2020, 1, 1));
        let file = File::new(&(ours.pem() + &over.pem()));
        let tls = server_tls(Some(file.clients(&["kube-apiserver", "spiffe://cluster/apiserver"]).unwrap()));
        let named = |name: &'static str| {
            move |params: &mut CertificateParams| params.distinguished_name.push(DnType::CommonName, name)
        };
        for (identity, refusal) in [
            (client(&ours, |_| {}), None),
            (
                client(&ours, |params| {
                    named("somebody")(params);
                    let uri = "spiffe://cluster/apiserver".to_owned().try_into().unwrap();
                    params.subject_alt_names = vec![SanType::URI(uri)];
                }),
                None,
            ),
            (
                client(&ours, |params| {
                    named("somebody")(params);
                    params.subject_alt_names = vec![SanType::DnsName("kube-apiserver".try_into().unwrap())];
                }),
                None,
            ),
            (None, Some("peer sent no certificates")),
            (client(&other, |_| {}), Some("UnknownIssuer")),
            (client(&over, |_| {}), Some("xpired")),
            (client(&ours, |params| params.not_after = date_time_ymd(2020, 1, 1)), Some("xpired")),
            (client(&ours, |params| params.not_before = date_time_ymd(2500, 1, 1)), Some("not valid yet")),
            (client(&ours, named("system:node:kube-apiserver")), Some("ApplicationVerificationFailure")),
            (client(&ours, named("Kube-apiserver")), Some("ApplicationVerificationFailure")),
            (client(&ours, named("kube-apiserver ")), Some("ApplicationVerificationFailure")),
            (client(&ours, named("")), Some("ApplicationVerificationFailure")),
            (
                client(&ours, |params| {
                    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth]
                }),
                Some("extended key usage"),
            ),
        ] {
            match (call(&tls, identity).await, refusal) {
                (Ok(()), None) => {}
                (Err(error), Some(refusal)) => assert!(error.contains(refusal), "{error}\n{refusal}"),
                (outcome, refusal) => panic!("{outcome:?}, not {refusal:?}"),
            }
        }
    }

    #[tokio::test]
    async fn anybody_may_call_where_nobody_is_named() {
        call(&server_tls(None), None).await.unwrap();
        call(&server_tls(None), client(&ca(|_| {}), |_| {})).await.unwrap();
    }

    #[tokio::test]
    async fn clients_are_checked_whatever_the_certificate_is_from() {
        let clients = ca(|_| {});
        let file = File::new(&clients.pem());
        let tls = ServerTls::new(TlsVersion::V1_3, Some(file.clients(&["kube-apiserver"]).unwrap())).unwrap();
        assert!(call(&tls, client(&clients, |_| {})).await.is_err(), "there is no certificate yet");

        let made = self_signed(&["localhost"], TlsVersion::V1_3).unwrap();
        let authority = CertificateAuthority::create(SystemTime::now(), &Lifetimes::default()).unwrap();
        let service = WebhookService::new("podgate", "podgate-system");
        let leaf = authority.issue(&service, SystemTime::now(), &Lifetimes::default()).unwrap();
        let managed = leaf.load(TlsVersion::V1_3).unwrap();
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.not_after = date_time_ymd(2500, 1, 1);
        let (certificate, private) = (file.folder.path().join("tls.crt"), file.folder.path().join("tls.key"));
        fs::write(&certificate, params.self_signed(&key).unwrap().pem()).unwrap();
        fs::write(&private, key.serialize_pem()).unwrap();
        let of_files = from_files(&certificate, &private, TlsVersion::V1_3).unwrap();
        for loaded in [made.loaded, of_files, managed] {
            let is_local = loaded.names.iter().any(|name| name == "localhost");
            tls.set_certificate(loaded).unwrap();
            let error = call(&tls, None).await.unwrap_err();
            // A client that does not know the name never comes to be asked for its own.
            assert_eq!(error.contains("peer sent no certificates"), is_local, "{error}");
            assert_eq!(call(&tls, client(&clients, |_| {})).await.is_ok(), is_local);
        }
    }

    #[tokio::test]
    async fn a_changed_client_ca_counts_at_once() {
        let (before, after) = (ca(|_| {}), ca(|_| {}));
        let file = File::new(&before.pem());
        let (mut watch, clients) =
            ClientAuthWatch::start(&file.path(), &["kube-apiserver".to_owned()]).unwrap();
        let tls = server_tls(Some(clients));
        let old = tls.config().load_full();
        assert!(watch.look().unwrap().is_none());
        call(&tls, client(&before, |_| {})).await.unwrap();

        file.write(&after.pem());
        tls.set_client_auth(watch.look().unwrap().unwrap()).unwrap();
        assert!(!Arc::ptr_eq(&old, &tls.config().load_full()), "a configuration of its own");
        assert!(call(&tls, client(&before, |_| {})).await.unwrap_err().contains("UnknownIssuer"));
        call(&tls, client(&after, |_| {})).await.unwrap();
        assert!(watch.look().unwrap().is_none());

        // A file that is broken leaves the last good one in force, and is looked at again.
        file.write("");
        assert!(matches!(watch.look(), Err(ClientAuthError::NoAuthority { .. })));
        assert!(matches!(watch.look(), Err(ClientAuthError::NoAuthority { .. })));
        call(&tls, client(&after, |_| {})).await.unwrap();
        // A new certificate does not let others in.
        tls.set_certificate(self_signed(&["localhost"], TlsVersion::V1_3).unwrap().loaded).unwrap();
        assert!(call(&tls, client(&before, |_| {})).await.unwrap_err().contains("UnknownIssuer"));
        call(&tls, client(&after, |_| {})).await.unwrap();
    }

    #[test]
    fn what_is_no_list_of_clients() {
        let authority = ca(|_| {});
        let (leaf, _) = client(&authority, |_| {}).unwrap();
        let leaf = to_pem(&leaf[0]);
        assert!(CertificateDer::from_pem_slice(leaf.as_bytes()).is_ok());
        let (good, names) = (authority.pem(), &["kube-apiserver"][..]);
        for (text, names, expected) in [
            (good.as_str(), &[][..], "no name of a client is given: say who may call with --client-name"),
            (&good, &[""], "no name of a client is given: say who may call with --client-name"),
            ("", names, "clients.crt holds no certificate"),
            (&leaf, names, "certificate 1 in clients.crt is not that of a CA"),
            (&(good.clone() + &leaf), names, "certificate 2 in clients.crt is not that of a CA"),
            (&good[..good.len() / 2], names, "clients.crt is not PEM"),
        ] {
            let file = File::new(text);
            let folder = format!("{}/", file.folder.path().display());
            let error = file.clients(names).unwrap_err().to_string().replace(&folder, "");
            assert!(error.contains(expected), "{error}\n{expected}");
        }
        let missing =
            ClientAuth::from_file(&PathBuf::from("/nonexistent/ca.crt"), &["a".to_owned()]).unwrap_err();
        assert_eq!(missing.to_string(), "cannot read /nonexistent/ca.crt");
    }
}
