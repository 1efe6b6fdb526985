//! The whole server under TLS, beside a null handler on the same stack: what does judging cost?
//!
//! Run with `cargo bench --bench server`, and a number of rounds after `--` if the 11 are too few. The bench
//! starts itself again as the server under test: `judging` is the server as `podgate serve` wires it, logging
//! a line for each review to /dev/null; `null` is the same server with a handler that reads the body and
//! answers with fixed bytes, and with logging off; its certificate, sockets, limits and counters are the same. Both live through all rounds and take turns. The server
//! `skipping` is the null handler with `serde_json` reading over the body and throwing it away: what any
//! reading costs on this machine. The server has one core to itself and the clients (16 connections kept alive, each sending the next review when it
//! has the answer) have another.
//!
//! CPU per review is read from the scheduler's own count of the server's threads. What is quoted is the
//! median over the rounds of the ratio within a round: the machine's speed drifts, the ratio hardly does.

#![expect(
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "a bench prints what it measured, and may end by a panic; counts are far below 2^52"
)]

use std::collections::BTreeMap;
use std::env;
use std::error::Error;
use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use clap::Parser as _;
use podgate::admission::{
    Answer, Decision, LookedUp, Operation, Outcome, Reply, Reviewer, Unanswerable, Webhook,
};
use podgate::certificates::{LOOPBACK, TlsVersion, throwaway};
use podgate::policy::{BUILT_IN, Policies, Snapshot, read_file};
use podgate::server::{self, Health, Metrics, Review, Server, Shutdown, Wiring};
use rustix::thread::{CpuSet, sched_setaffinity};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use smallvec::SmallVec;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

const CONNECTIONS: usize = 16;
const ROUND: Duration = Duration::from_millis(1500);
const SERVER_CORE: usize = 0;
const CLIENT_CORE: usize = 1;

const PAYLOADS: [(&str, &str, &[u8]); 4] = [
    ("validate, 1 container", "/validate", include_bytes!("payloads/one-container.json")),
    ("validate, 16 containers", "/validate", include_bytes!("payloads/sixteen-containers.json")),
    ("validate, denied", "/validate", include_bytes!("payloads/denied.json")),
    ("mutate, 1 container", "/mutate", include_bytes!("payloads/one-container.json")),
];

fn main() -> Result<()> {
    if let Ok(kind) = env::var("PODGATE_BENCH_SERVER") {
        return serve(&kind);
    }
    // What cargo passes (--bench) is not for us.
    let rounds = env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(11);
    pin(CLIENT_CORE)?;
    println!("load before: {}", fs::read_to_string("/proc/loadavg")?.trim());
    let (null, skipping, judging) = (Peer::start("null")?, Peer::start("skipping")?, Peer::start("judging")?);
    println!("ready after: null {:?}, judging {:?}", null.ready_after, judging.ready_after);
    println!("idle RSS:    null {} KiB, judging {} KiB", null.resident()?, judging.resident()?);
    for (name, path, payload) in PAYLOADS {
        compare(name, (path, payload), [&null, &skipping, &judging], rounds)?;
    }
    println!("loaded RSS:  null {} KiB, judging {} KiB", null.resident()?, judging.resident()?);
    println!("load after:  {}", fs::read_to_string("/proc/loadavg")?.trim());
    Ok(())
}

/// Takes turns, and prints each peer's cost as a ratio to the first one's.
fn compare(name: &str, (path, payload): (&str, &[u8]), peers: [&Peer; 3], rounds: usize) -> Result<()> {
    let mut costs = [const { Vec::new() }; 3];
    let mut ratios = [const { Vec::new() }; 3];
    // The first round warms up.
    for round in 0..=rounds {
        let mut of_round = [0.0; 3];
        for (cost, peer) in of_round.iter_mut().zip(peers) {
            *cost = peer.round(path, payload)?;
        }
        for index in (0..peers.len()).filter(|_| round > 0) {
            costs[index].push(of_round[index]);
            ratios[index].push(of_round[index] / of_round[0]);
        }
    }
    let spread = |values: &mut Vec<f64>| {
        values.sort_by(f64::total_cmp);
        (values[0], values[values.len() / 2], values[values.len() - 1])
    };
    println!("{name} ({} bytes), CPU per review:", payload.len());
    for (index, kind) in ["null", "skipping", "judging"].into_iter().enumerate() {
        let (low, middle, high) = spread(&mut ratios[index]);
        let (least, median, _) = spread(&mut costs[index]);
        println!(
            "  {kind:8} {median:5.1} us (least {least:.1}); / null = {middle:.2} ({low:.2} to {high:.2})"
        );
    }
    Ok(())
}

/// A server under test.
struct Peer {
    child: Child,
    address: SocketAddr,
    ready_after: Duration,
    client: Arc<ClientConfig>,
}

impl Peer {
    fn start(kind: &str) -> Result<Self> {
        let started = Instant::now();
        let mut child = Command::new(env::current_exe()?)
            .env("PODGATE_BENCH_SERVER", kind)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let mut lines = BufReader::new(child.stdout.take().ok_or("no output")?);
        let mut address = String::new();
        lines.read_line(&mut address)?;
        let ready_after = started.elapsed();
        let mut pem = String::new();
        while !pem.contains("-----END") {
            lines.read_line(&mut pem)?;
        }
        Ok(Self { child, address: address.trim().parse()?, ready_after, client: trusting(&pem)? })
    }

    /// Microseconds of CPU for each review of a round.
    fn round(&self, path: &str, payload: &[u8]) -> Result<f64> {
        let request = format!(
            "POST {path}?timeout=10s HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            self.address,
            payload.len()
        );
        let request = [request.as_bytes(), payload].concat();
        let done = AtomicBool::new(false);
        let answered = AtomicU64::new(0);
        let before = self.cpu()?;
        thread::scope(|scope| {
            let clients: Vec<_> =
                (0..CONNECTIONS).map(|_| scope.spawn(|| self.ask(&request, &done, &answered))).collect();
            thread::sleep(ROUND);
            done.store(true, Ordering::Relaxed);
            clients.into_iter().try_for_each(|client| client.join().map_err(|_| "a client panicked")?)
        })?;
        let spent = self.cpu()? - before;
        Ok(spent.as_secs_f64() * 1e6 / answered.load(Ordering::Relaxed) as f64)
    }

    /// One connection: asks again and again.
    fn ask(&self, request: &[u8], done: &AtomicBool, answered: &AtomicU64) -> Result<()> {
        let connection = ClientConnection::new(Arc::clone(&self.client), ServerName::try_from("localhost")?)?;
        let socket = TcpStream::connect(self.address)?;
        socket.set_nodelay(true)?;
        let mut stream = StreamOwned::new(connection, socket);
        let mut answer = vec![0; 64 * 1024];
        while !done.load(Ordering::Relaxed) {
            stream.write_all(request)?;
            read_answer(&mut stream, &mut answer)?;
            answered.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }

    /// What the scheduler has given all threads of the server so far.
    fn cpu(&self) -> Result<Duration> {
        let mut nanoseconds = 0;
        for task in fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            let schedstat = fs::read_to_string(task?.path().join("schedstat"))?;
            nanoseconds += schedstat.split(' ').next().ok_or("no schedstat")?.parse::<u64>()?;
        }
        Ok(Duration::from_nanos(nanoseconds))
    }

    fn resident(&self) -> Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
        Ok(line.trim().trim_end_matches(" kB").parse()?)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads one answer, and checks that it is a whole review.
fn read_answer(stream: &mut impl Read, answer: &mut [u8]) -> Result<()> {
    let mut filled = 0;
    loop {
        let read = stream.read(&mut answer[filled..])?;
        if read == 0 {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        filled += read;
        let text = &answer[..filled];
        let Some(end) = text.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
        let head = std::str::from_utf8(&text[..end])?;
        if !head.starts_with("HTTP/1.1 200") {
            return Err(head.into());
        }
        let length: usize = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "))
            .ok_or("no content-length")?
            .parse()?;
        if filled == end + 4 + length {
            return Ok(());
        }
    }
}

/// A client that trusts this certificate alone.
fn trusting(pem: &str) -> Result<Arc<ClientConfig>> {
    use rustls::pki_types::pem::PemObject as _;
    let mut roots = rustls::RootCertStore::empty();
    roots.add(rustls::pki_types::CertificateDer::from_pem_slice(pem.as_bytes())?)?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

fn pin(core: usize) -> Result<()> {
    let mut cores = CpuSet::new();
    cores.set(core);
    Ok(sched_setaffinity(None, &cores)?)
}

/// Reads the body, and answers with fixed bytes.
struct Null {
    answer: Vec<u8>,
    skips: bool,
}

impl Review for Null {
    fn review<'b>(
        &self,
        webhook: Webhook,
        body: &'b [u8],
        _: &LookedUp,
    ) -> std::result::Result<Reply<'b>, Unanswerable> {
        if self.skips {
            std::hint::black_box(serde_json::from_slice::<serde::de::IgnoredAny>(body).is_ok());
        }
        std::hint::black_box(body);
        let decision = Decision {
            webhook,
            outcome: Outcome::Allowed,
            code: 200,
            operation: Some(Operation::Create),
            uid: "".into(),
            kind: "".into(),
            subresource: "".into(),
            namespace: "".into(),
            name: "".into(),
            generate_name: "".into(),
            owner: None,
            is_dry_run: false,
            policies: SmallVec::new(),
            findings: Vec::new(),
            refusal_code: String::new(),
            patch_operations: 0,
            pod_security: SmallVec::new(),
            error: String::new(),
        };
        Ok(Reply::Answer(Answer { body: self.answer.clone(), decision }))
    }
}

fn reviewer() -> Result<Reviewer> {
    let mut policies = Policies::new(vec!["podgate-system".into()]);
    read_file("built in", BUILT_IN, &mut policies);
    let mut namespaces = Snapshot::default();
    let labels = BTreeMap::from([("podgate.dev/policy".to_owned(), "ml-restricted".to_owned())]);
    namespaces.insert("ml-team-a", labels);
    let policies = policies.finish().map_err(|faults| format!("{faults:?}"))?;
    Ok(Reviewer::new(policies, namespaces))
}

#[derive(clap::Parser)]
struct ServerArgs {
    #[command(flatten)]
    server: server::Args,
}

/// Serves until killed: prints the address, then the certificate.
fn serve(kind: &str) -> Result<()> {
    pin(SERVER_CORE)?;
    let arguments = ["bench", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"];
    let ServerArgs { server } = ServerArgs::try_parse_from(arguments)?;
    let review: Arc<dyn Review> = match kind {
        "null" | "skipping" => Arc::new(Null {
            answer: reviewer()?
                .review(Webhook::Validate, PAYLOADS[0].2, &LookedUp::default())?
                .answer()
                .ok_or("nothing to look up")?
                .body,
            skips: kind == "skipping",
        }),
        _ => {
            tracing_subscriber::fmt().with_ansi(false).with_target(false).with_writer(io::stderr).init();
            Arc::new(ArcSwap::from_pointee(reviewer()?))
        }
    };
    let made = throwaway(&LOOPBACK, TlsVersion::V1_3)?;
    let wiring = Wiring {
        tls: Arc::new(ArcSwap::new(made.loaded.config)),
        review,
        lookup: None,
        health: Health::default(),
        metrics: Arc::new(Metrics::new()?),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let server = Server::bind(&server, wiring).await?;
        let mut output = io::stdout();
        write!(output, "{}\n{}", server.address(), made.certificate)?;
        output.flush()?;
        server.run(Shutdown::default()).await;
        Ok(())
    })
}
