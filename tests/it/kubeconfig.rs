//! Kubeconfig files: who calls the API server, by which certificate it is known, and what is refused.

use std::convert::Infallible;
use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use podgate::certificates::{
    CertificateAuthority, LeafCertificate, Lifetimes, WebhookService, render_bundle,
};
use podgate::cluster::{Cluster, ConnectError, Reason};
use rcgen::{CertificateParams, KeyPair};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{PrivateKeyDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, ServerConfig, SignatureScheme};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// Answers each request with the headers that say who calls, as the version of the API server.
async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, certificates: usize) {
    let echo = service_fn(move |request: Request<Incoming>| async move {
        let tells = |name: &str| name == "authorization" || name.starts_with("impersonate-");
        let headers = request.headers().iter().filter(|(name, _)| tells(name.as_str()));
        let mut seen: Vec<String> =
            headers.map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
        if certificates > 0 {
            seen.push(format!("certificates: {certificates}"));
        }
        Ok::<_, Infallible>(Response::new(json!({"gitVersion": seen.join("; ")}).to_string()))
    });
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), echo).await;
}

async fn plain_server() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, 0));
        }
    });
    address
}

/// A kubeconfig with one context, and a folder for what it names.
struct Files {
    folder: TempDir,
    config: Value,
}

impl Files {
    fn new(server: &str, user: &Value) -> Self {
        let config = json!({
            "current-context": "c",
            "contexts": [{"name": "c", "context": {"cluster": "d", "user": "me"}}],
            "clusters": [{"name": "d", "cluster": {"server": server}}],
            "users": [{"name": "me", "user": user}],
        });
        Self { folder: tempfile::tempdir().unwrap(), config }
    }

    /// Changes what is known of the cluster.
    fn cluster(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.config["clusters"][0]["cluster"][name] = value.into();
        self
    }

    fn put(&self, name: &str, text: &str) -> PathBuf {
        let file = self.folder.path().join(name);
        fs::write(&file, text).unwrap();
        file
    }

    fn program(&self, name: &str, script: &str) {
        let file = self.put(name, &format!("#!/bin/sh\n{script}\n"));
        fs::set_permissions(file, fs::Permissions::from_mode(0o755)).unwrap();
    }

    async fn connect(&self) -> Result<Cluster, ConnectError> {
        let file = self.put("config", &self.config.to_string());
        Cluster::connect(Some(&file)).await
    }

    /// Who calls, as the server sees it.
    async fn caller(&self) -> String {
        self.connect().await.unwrap().version().await.unwrap().0
    }
}

#[tokio::test]
async fn each_kind_of_user_is_who_calls() {
    let server = format!("http://{}", plain_server().await);
    let exec = |command: &str, arguments: &[&str]| {
        json!({"exec": {
            "apiVersion": "client.authentication.k8s.io/v1", "interactiveMode": "Never",
            "command": command, "args": arguments, "env": [{"name": "REALM", "value": "here"}],
        }})
    };
    let in_path = exec("sh", &["-c", "printf 'status:\\n  token: of-yaml\\n'"]);
    let mut with_cluster = exec("./of-cluster", &[]);
    with_cluster["exec"]["provideClusterInfo"] = json!(true);
    let impersonating = json!({
        "token": "t", "as": "jane", "as-uid": "7", "as-groups": ["a", "b"], "as-user-extra": {"x.io/Y": ["1"]},
    });
    for (user, expected) in [
        (json!({}), ""),
        (json!({"token": "t", "tokenFile": "none"}), "authorization: Bearer t"),
        (json!({"token": "", "tokenFile": "token"}), "authorization: Bearer of-file"),
        (json!({"username": "me", "password": "p"}), "authorization: Basic bWU6cA=="),
        (exec("./program", &["x"]), "authorization: Bearer x-here"),
        (in_path, "authorization: Bearer of-yaml"),
        (with_cluster, "authorization: Bearer knows-it"),
        (
            json!({"auth-provider": {"name": "oidc", "config": {"id-token": "id"}}}),
            "authorization: Bearer id",
        ),
        (
            impersonating,
            "impersonate-user: jane; impersonate-uid: 7; impersonate-group: a; impersonate-group: b; \
             impersonate-extra-x.io%2fy: 1; authorization: Bearer t",
        ),
    ] {
        let files = Files::new(&server, &user);
        files.put("token", "of-file\n");
        files.program("program", "printf '{\"status\": {\"token\": \"%s-%s\"}}' \"$1\" \"$REALM\"");
        files.program(
            "of-cluster",
            "case \"$KUBERNETES_EXEC_INFO\" in *'\"server\":\"http://127'*) echo 'status: {token: knows-it}';; esac",
        );
        let mut seen: Vec<String> = files.caller().await.split("; ").map(str::to_owned).collect();
        let mut expected: Vec<&str> = expected.split("; ").collect();
        seen.sort();
        expected.sort_unstable();
        assert_eq!(seen, expected, "{user}");
    }
}

#[tokio::test]
async fn the_token_of_a_program_is_renewed_once_it_has_expired() {
    let server = format!("http://{}", plain_server().await);
    for (expires, expected) in [("2020-01-01T00:00:00Z", ["2", "3"]), ("2999-01-01T00:00:00Z", ["1", "1"])] {
        let files = Files::new(&server, &json!({"exec": {"command": "./program"}}));
        let runs = files.folder.path().join("runs");
        let script = format!(
            "echo >> {runs}; printf '{{\"status\": {{\"token\": \"%d\", \"expirationTimestamp\": \"{expires}\"}}}}' \
             $(wc -l < {runs})",
            runs = runs.display()
        );
        files.program("program", &script);
        let cluster = files.connect().await.unwrap();
        for token in expected {
            assert_eq!(cluster.version().await.unwrap().0, format!("authorization: Bearer {token}"));
        }
        // What fails later is told as what it is, without what the program wrote.
        files.program("program", "echo a-secret; exit 7");
        let later = cluster.version().await;
        if expected[0] == "2" {
            let error = later.unwrap_err();
            assert_eq!(error.reason, Reason::Unauthorized);
            let text = error.to_string();
            assert!(text.contains("exec: ") && text.contains("failed with exit status: 7"), "{text}");
            assert!(!text.contains("a-secret"), "{text}");
        } else {
            assert_eq!(later.unwrap().0, "authorization: Bearer 1");
        }
    }
}

#[tokio::test]
async fn what_cannot_be_used_is_named_and_no_secret_is_shown() {
    let exec = |script: &str| json!({"exec": {"command": "sh", "args": ["-c", script]}});
    let plain = || Files::new("https://127.0.0.1:1", &json!({"token": "a-secret"}));
    for (files, expected) in [
        (Files::new("https://h", &exec("echo a-secret; exit 3")), "exec: sh failed with exit status: 3"),
        (Files::new("https://h", &exec("echo a-secret: [")), "exec: the program gave no ExecCredential"),
        (
            Files::new("https://h", &json!({"exec": {"command": "./gone"}})),
            "exec: the program cannot be run: No such file",
        ),
        (Files::new("https://h", &json!({"tokenFile": "gone"})), "tokenFile: "),
        (
            Files::new(
                "https://h",
                &json!({"auth-provider": {"name": "gcp", "config": {"access-token": "a-secret"}}}),
            ),
            "auth-provider: \"gcp\" is not supported",
        ),
        (Files::new("https://h", &json!({"token": 7})), "line 1: users[0].user.token is not text"),
        (Files::new("https://h", &json!({"token": "a-secret\n"})), "token: it cannot be part of a header"),
        (
            Files::new("https://h", &json!({"client-certificate-data": "YQ=="})),
            "client-key, of the user of the context: there is none",
        ),
        (
            Files::new(
                "https://h",
                &json!({"client-certificate-data": "YQ==", "client-key-data": "YS1zZWNyZXQ="}),
            ),
            "client-certificate or client-key: there is no certificate in PEM",
        ),
        (
            Files::new("https://h", &json!({"client-key-data": "a-secret!"})),
            "client-key, of the user of the context: the data is not base64",
        ),
        (Files::new("not a URL", &json!({})), "server, of the cluster of the context, is no URL"),
        (
            plain().cluster("proxy-url", "http://p"),
            "proxy-url, of the cluster of the context: podgate reaches",
        ),
        (
            plain().cluster("certificate-authority-data", "YS1zZWNyZXQ="),
            "certificate-authority: it is not PEM with CA certificates",
        ),
        (plain().cluster("tls-server-name", "no name"), "tls-server-name, of the cluster of the context"),
    ] {
        let error = format!("{:#}", anyhow::Error::from(files.connect().await.unwrap_err()));
        assert!(error.contains(expected) && error.contains("config"), "{error}\n{expected}");
        assert!(!error.contains("a-secret"), "{error}");
    }
}

/// Takes any client certificate: what matters is which one is presented.
#[derive(Debug)]
struct AnyClient;

impl ClientCertVerifier for AnyClient {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _: &rustls::pki_types::CertificateDer<'_>,
        _: &[rustls::pki_types::CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &rustls::pki_types::CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        let algorithms = aws_lc_rs::default_provider().signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signed, &algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &rustls::pki_types::CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        let algorithms = aws_lc_rs::default_provider().signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signed, &algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        aws_lc_rs::default_provider().signature_verification_algorithms.supported_schemes()
    }
}

async fn tls_server(certificate: &LeafCertificate) -> SocketAddr {
    let key = PrivateKeyDer::from_pem_slice(certificate.key_pem().as_bytes()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(Arc::new(AnyClient))
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(stream) = acceptor.accept(stream).await else { return };
                let certificates = stream.get_ref().1.peer_certificates().map_or(0, <[_]>::len);
                serve(stream, certificates).await;
            });
        }
    });
    address
}

#[tokio::test]
async fn only_the_ca_that_is_named_is_trusted_and_a_client_certificate_is_presented() {
    let now = SystemTime::now();
    let [own, other] = [(); 2].map(|()| CertificateAuthority::create(now, &Lifetimes::default()).unwrap());
    let issued = own.issue(&WebhookService::new("api", "here"), now, &Lifetimes::default()).unwrap();
    let server = format!("https://{}", tls_server(&issued).await);
    let pem = |ca: &CertificateAuthority| String::from_utf8(render_bundle(&[ca.certificate()])).unwrap();
    let named = |user: &Value| {
        let files = Files::new(&server, user).cluster("tls-server-name", "api.here.svc");
        files.put("ca.crt", &pem(&own));
        files.put("other.crt", &pem(&other));
        files
    };
    let trusting = named(&json!({})).cluster("certificate-authority", "ca.crt");
    assert_eq!(trusting.caller().await, "");
    let distrusting = named(&json!({})).cluster("certificate-authority", "other.crt");
    let error = distrusting.connect().await.unwrap().version().await.unwrap_err();
    assert_eq!(error.reason, Reason::Tls, "{error}");
    let elsewhere = Files::new(&server, &json!({}));
    elsewhere.put("ca.crt", &pem(&own));
    let elsewhere = elsewhere.cluster("certificate-authority", "ca.crt");
    let error = elsewhere.connect().await.unwrap().version().await.unwrap_err();
    assert_eq!(error.reason, Reason::Tls, "it is for another name: {error}");
    let trustful = Files::new(&server, &json!({})).cluster("insecure-skip-tls-verify", true);
    assert_eq!(trustful.caller().await, "");

    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["me".into()]).unwrap().self_signed(&key).unwrap();
    let certified = named(&json!({"client-certificate": "me.crt", "client-key": "me.key"}))
        .cluster("certificate-authority", "ca.crt");
    certified.put("me.crt", &certificate.pem());
    certified.put("me.key", &key.serialize_pem());
    assert_eq!(certified.caller().await, "certificates: 1");
    let status = json!({"status": {
        "clientCertificateData": certificate.pem(), "clientKeyData": key.serialize_pem(),
    }});
    let by_plugin = named(&json!({"exec": {"command": "cat", "args": ["-"], "interactiveMode": "Never"}}));
    let credential = by_plugin.put("credential", &status.to_string());
    let user = json!({"exec": {"command": "cat", "args": [credential.to_str().unwrap()]}});
    let by_plugin = Files { config: named(&user).config, ..by_plugin };
    let by_plugin = by_plugin.cluster("certificate-authority", "ca.crt");
    assert_eq!(by_plugin.caller().await, "certificates: 1");
}
