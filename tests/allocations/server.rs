//! The way of a review through the whole server, over TLS: beside a service of hyper that does nothing but answer.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use arc_swap::ArcSwap;
use clap::Parser as _;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use podgate::admission::{Reply, Reviewer, Unanswerable, Webhook};
use podgate::certificates::{LOOPBACK, TlsVersion, self_signed};
use podgate::policy::Answers;
use podgate::server::{Health, Metrics, ReviewHandler, Server, ServerArgs, Shutdown, Wiring};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::{CALLS, ONE, reviewer};

/// Requests before the count begins, until all buffers have their size, and those that are counted.
const WARM: usize = 20;
const COUNTED: usize = 50;

/// The allocations of the server's thread, seen at the first and at the last counted request.
#[derive(Default)]
struct Marks {
    requests: AtomicUsize,
    first: AtomicUsize,
    last: AtomicUsize,
}

impl Marks {
    /// A request is being answered.
    fn mark(&self) {
        let request = self.requests.fetch_add(1, Ordering::SeqCst);
        if request == WARM {
            self.first.store(CALLS.get(), Ordering::SeqCst);
        }
        self.last.store(CALLS.get(), Ordering::SeqCst);
    }

    /// The allocations for each request, in hundredths.
    fn for_each(&self) -> usize {
        assert_eq!(self.requests.load(Ordering::SeqCst), WARM + COUNTED + 1);
        let all = self.last.load(Ordering::SeqCst) - self.first.load(Ordering::SeqCst);
        all * 100 / COUNTED
    }
}

/// A reviewer whose calls are marked.
struct Marked {
    reviewer: Reviewer,
    marks: Arc<Marks>,
}

impl ReviewHandler for Marked {
    fn review<'b>(
        &self,
        webhook: Webhook,
        body: &'b [u8],
        answers: &Answers,
    ) -> Result<Reply<'b>, Unanswerable> {
        self.marks.mark();
        self.reviewer.review(webhook, body, answers)
    }
}

#[derive(clap::Parser)]
struct Arguments {
    #[command(flatten)]
    server: ServerArgs,
}

/// A thread for a server that tells its address; all that it does is done there.
fn on_thread<F>(serve: impl FnOnce(mpsc::Sender<SocketAddr>) -> F + Send + 'static) -> SocketAddr
where
    F: Future<Output = ()>,
{
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(serve(sender));
    });
    receiver.recv().unwrap()
}

async fn podgate(config: Arc<ServerConfig>, marks: Arc<Marks>, address: mpsc::Sender<SocketAddr>) {
    let arguments = ["podgate", "--listen=127.0.0.1:0", "--admin-listen=127.0.0.1:0"];
    let Arguments { server } = Arguments::parse_from(arguments);
    let wiring = Wiring {
        tls: Arc::new(ArcSwap::new(config)),
        review: Arc::new(Marked { reviewer: reviewer(), marks }),
        resolver: None,
        health: Health::default(),
        metrics: Arc::new(Metrics::new().unwrap()),
    };
    let server = Server::bind(&server, wiring).await.unwrap();
    address.send(server.address()).unwrap();
    server.run(Shutdown::default()).await;
}

/// What no server can do without: TLS, and a body that is read and answered.
async fn bare(config: Arc<ServerConfig>, marks: Arc<Marks>, address: mpsc::Sender<SocketAddr>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    address.send(listener.local_addr().unwrap()).unwrap();
    let (stream, _) = listener.accept().await.unwrap();
    let stream = TlsAcceptor::from(config).accept(stream).await.unwrap();
    let service = service_fn(|request: Request<Incoming>| {
        let marks = Arc::clone(&marks);
        async move {
            let (parts, mut body) = request.into_parts();
            let piece = body.frame().await.unwrap().unwrap();
            marks.mark();
            drop(piece);
            let mut headers = parts.headers;
            headers.clear();
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            let mut response = Response::new(Full::new(Bytes::from_static(b"{}")));
            *response.headers_mut() = headers;
            Ok::<_, Infallible>(response)
        }
    });
    let mut http = http1::Builder::new();
    http.header_read_timeout(None).max_buf_size(16 * 1024);
    let _ = http.serve_connection(TokioIo::new(stream), service).await;
}

/// Sends the same review again and again on one connection.
fn ask(address: SocketAddr, certificate: &str) {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let head = format!(
        "POST /validate?timeout=10s HTTP/1.1\r\nHost: podgate\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        ONE.len()
    );
    let request = [head.as_bytes(), ONE].concat();
    let exchange = async {
        let socket = TcpStream::connect(address).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let mut stream = TlsConnector::from(Arc::new(config)).connect(name, socket).await.unwrap();
        for _ in 0..=WARM + COUNTED {
            stream.write_all(&request).await.unwrap();
            let mut answer = Vec::new();
            while !answer.ends_with(b"}") {
                assert!(stream.read_buf(&mut answer).await.unwrap() > 0, "closed");
            }
            assert!(answer.starts_with(b"HTTP/1.1 200 OK"), "{}", String::from_utf8_lossy(&answer));
        }
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(Duration::from_secs(60), exchange).await.unwrap() });
}

/// The allocations of a request to each server, in hundredths.
fn counts() -> [usize; 2] {
    let made = self_signed(&LOOPBACK, TlsVersion::V1_3).unwrap();
    let [of_podgate, of_bare] = [Arc::<Marks>::default(), Arc::default()];
    let (config, marks) = (Arc::clone(&made.loaded.config), Arc::clone(&of_podgate));
    ask(on_thread(move |address| podgate(config, marks, address)), &made.certificate);
    let (config, marks) = (made.loaded.config, Arc::clone(&of_bare));
    ask(on_thread(move |address| bare(config, marks, address)), &made.certificate);
    [of_podgate.for_each(), of_bare.for_each()]
}

/// All that is allocated beyond what hyper and TLS need is allocated by the reviewer.
#[test]
fn the_server_itself_allocates_nothing_for_a_review() {
    let [podgate, bare] = counts();
    let of_review = crate::of_review(Webhook::Validate, ONE) * 100;
    assert!(podgate <= bare + of_review, "{podgate} against {bare} and {of_review}, in hundredths");
}
