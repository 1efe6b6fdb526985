//! Peers that hold all connections that there are: whoever comes is served all the same.
//!
//! The server is the program, as a process of its own: `PODGATE_CROWD_PROGRAM` names another one than was built.
//! With `PODGATE_CROWD_SECONDS` every kind of peer holds the ports at full size for so long, and what clients saw
//! of it is printed; without it that is done for a moment, and only by peers that cost both sides little.

mod peers;

use std::io::Write as _;
use std::net::TcpStream as Socket;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use podgate::certificates::{LOOPBACK, TlsVersion, self_signed};
use podgate::server::ShutdownOutcome;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustls::pki_types::ServerName;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsConnector;

use crate::rollout::replica::{Files, Replica};
use crate::server::{
    Client, Looker, PATIENCE, SHORT, Wanting, args, client_config, post, review, start, start_answering,
    within,
};
use peers::{Keeper, Kind, Seen, Target, address, ask, hold, new_clients};

/// The address of clients that behave.
const GOOD: usize = 60_000;

/// The program, and its ports as peers see them.
struct Site {
    replica: Replica,
    reviews: Target,
    admin: Target,
    _files: Files,
}

impl Site {
    fn start(more: &[&str]) -> Self {
        let program = std::env::var_os("PODGATE_CROWD_PROGRAM");
        Self::start_as(Command::new(program.unwrap_or(env!("CARGO_BIN_EXE_podgate").into())), more)
    }

    fn start_as(command: Command, more: &[&str]) -> Self {
        have_descriptors();
        let files = Files::new();
        let replica = Replica::start_as(command, &files, more);
        Self {
            reviews: Target::reviews(replica.address, &files.certificate),
            admin: Target::admin(replica.admin),
            replica,
            _files: files,
        }
    }

    /// The value of a series, added up over its labels that begin so.
    async fn metric(&self, series: &str) -> f64 {
        let mut client = Client::new(TcpStream::connect(self.replica.admin).await.unwrap());
        client.send("GET /metrics HTTP/1.1\r\nHost: podgate\r\n\r\n").await;
        let text = client.receive().await.body;
        let values = text.lines().filter(|line| line.starts_with(series));
        values.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()).sum()
    }

    async fn is_held_by(&self, connections: f64) {
        let deadline = Instant::now() + PATIENCE * 3;
        while self.metric("podgate_connections{port=\"reviews\"}").await < connections {
            assert!(Instant::now() < deadline, "they hold fewer");
            sleep(Duration::from_millis(20)).await;
        }
    }

    async fn new_clients(&self, count: usize, pause: Duration) -> Seen {
        new_clients(&self.reviews, "/validate", address(GOOD), count, pause).await
    }

    fn resident_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.replica.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }
}

/// Thousands of peers are here, too.
fn have_descriptors() {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).unwrap();
}

#[track_caller]
fn all_are_served(seen: &Seen, what: &str) {
    assert_eq!(seen.share_served(), 1.0, "{what}: {}", seen.line());
}

// ---- who goes

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_longest_idle_connection_of_the_address_with_most_goes() {
    let site = Site::start(&["--max-connections=64"]);
    let mut open = Vec::new();
    // The few are idle for longer.
    for (number, connections) in [(0, 4), (1, 29), (2, 31)] {
        for _ in 0..connections {
            let mut stream = site.reviews.tls(address(number)).await.unwrap();
            ask(&mut stream, &post("/validate", &review("first"))).await.unwrap();
            open.push(stream);
        }
    }
    all_are_served(&site.new_clients(1, SHORT).await, "the one more");
    let mut chosen = open.remove(4 + 29);
    // In good order: the end of the stream, not an error.
    assert_eq!(within(chosen.read(&mut [0])).await.unwrap(), 0);
    for stream in &mut open {
        within(ask(stream, &post("/validate", &review("still")))).await.unwrap();
    }
    assert_eq!(
        site.metric("podgate_connections_evicted_total{port=\"reviews\",waited_for=\"idle\"}").await,
        1.0
    );
}

/// Those that hold the rest have more connections an address, or never had an answer from however many addresses.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_keeps_25_connections_loses_none() {
    for (kind, addresses) in [
        (Kind::Idle, 1),
        (Kind::Idle, 3),
        (Kind::Silent, 300),
        (Kind::DripsHandshake, 300),
        (Kind::HalfHead, 300),
    ] {
        let site = Site::start(&["--max-connections=200"]);
        let mut keeper = Keeper::new(&site.reviews, address(GOOD + 1)).await;
        let _crowd = hold(&site.reviews, kind, 300, addresses);
        site.is_held_by(200.0).await;
        for _ in 0..2 {
            all_are_served(&site.new_clients(5, SHORT / 8).await, "new clients");
            keeper.ask().await;
        }
        assert_eq!((keeper.lost, keeper.asked), (0, 3 * Keeper::CONNECTIONS), "{kind:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_kind_of_peer_shuts_the_port() {
    for (kind, waited_for) in [
        (Kind::Silent, "silent"),
        (Kind::DripsHandshake, "hello"),
        (Kind::Idle, "idle"),
        (Kind::HalfHead, "head"),
        (Kind::DripsHead, "head"),
        (Kind::HalfBody, "body"),
        (Kind::Unread, "answer"),
    ] {
        for addresses in [1, 96] {
            let site = Site::start(&["--max-connections=64", "--body-timeout=60s", "--header-timeout=60s"]);
            let _crowd = hold(&site.reviews, kind, 96, addresses);
            site.is_held_by(64.0).await;
            let seen = site.new_clients(10, SHORT / 4).await;
            all_are_served(&seen, &format!("beside {kind:?} from {addresses} addresses"));
            let series =
                format!("podgate_connections_evicted_total{{port=\"reviews\",waited_for=\"{waited_for}\"}}");
            let deadline = Instant::now() + PATIENCE;
            // Whoever does not read its answers is answered until nothing more goes into the system's buffers.
            while kind != Kind::Unread && site.metric(&series).await == 0.0 {
                assert!(Instant::now() < deadline, "{kind:?}: {series}");
            }
        }
    }
}

/// Who has more to ask than we can answer is never idle, and so hears that an answer is the last.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn peers_that_are_never_idle_do_not_shut_the_port() {
    let site = Site::start(&["--max-connections=16"]);
    let _crowd = hold(&site.reviews, Kind::Pipelines, 24, 1);
    site.is_held_by(16.0).await;
    all_are_served(&site.new_clients(5, SHORT).await, "new clients");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn probes_are_answered_whoever_holds_the_admin_port() {
    let site = Site::start(&["--body-timeout=60s", "--header-timeout=60s"]);
    for kind in [Kind::Silent, Kind::Idle, Kind::HalfHead, Kind::DripsHead, Kind::Unread, Kind::Pipelines] {
        for addresses in [1, 270] {
            let _crowd = hold(&site.admin, kind, 270, addresses);
            for path in ["/livez", "/readyz", "/metrics"] {
                let seen = new_clients(&site.admin, path, address(GOOD), 5, SHORT / 8).await;
                all_are_served(&seen, &format!("{path} beside {kind:?} from {addresses} addresses"));
            }
        }
    }
}

// ---- who does not

/// Server and peers share one thread here, so that the review is there before the server looks.
#[tokio::test]
async fn a_review_that_has_begun_on_the_connection_that_should_go_is_answered() {
    let mut args = args();
    args.limits.max_connections = 1;
    let server = start(args).await;
    let mut old = server.connect().await;
    old.post("/validate", &review("first")).await.is_refusal("first", 403);
    // It could go by now.
    old.is_kept_for(SHORT).await;
    let socket = Socket::connect(server.address).unwrap();
    socket.set_nonblocking(true).unwrap();
    let records = {
        let (_, tls) = old.stream.get_mut();
        tls.writer().write_all(post("/validate", &review("begun")).as_bytes()).unwrap();
        let mut records = Vec::new();
        while tls.wants_write() {
            tls.write_tls(&mut records).unwrap();
        }
        records
    };
    assert_eq!(old.stream.get_ref().0.try_write(&records[..20]).unwrap(), 20);
    old.is_kept_for(SHORT / 4).await;
    assert_eq!(old.stream.get_ref().0.try_write(&records[20..]).unwrap(), records.len() - 20);
    let response = old.receive().await;
    response.is_refusal("begun", 403);
    assert!(response.says("connection: close"), "{response:?}");
    old.is_cut().await;
    let config = client_config(&server.certificate, &[&rustls::version::TLS13], &[b"http/1.1"]);
    let new = TlsConnector::from(Arc::new(config))
        .connect(ServerName::try_from("localhost").unwrap(), TcpStream::from_std(socket).unwrap());
    let mut new = Client::new(within(new).await.unwrap());
    new.post("/validate", &review("new")).await.is_refusal("new", 403);
}

#[tokio::test]
async fn readiness_ends_while_nobody_can_be_sent_away() {
    let mut args = args();
    args.limits.max_connections = 2;
    args.limits.body_timeout = Duration::from_secs(9);
    let made = self_signed(&LOOPBACK, TlsVersion::V1_3).unwrap();
    let shown = (made.loaded.config, made.certificate);
    let server = start_answering(args, shown, Arc::new(Wanting), Some(Arc::new(Looker::Never))).await;
    assert_eq!(server.admin("/readyz").await.status, 200);
    let mut busy = [server.connect().await, server.connect().await];
    for client in &mut busy {
        client.send(&post("/validate", &review("slow"))).await;
    }
    let mut more = Box::pin(server.connect());
    assert!(timeout(SHORT, &mut more).await.is_err(), "whoever is being answered was sent away");
    let deadline = Instant::now() + PATIENCE;
    while server.admin("/readyz").await.body != "waiting for room for connections" {
        assert!(Instant::now() < deadline, "still ready");
        sleep(SHORT / 20).await;
    }
    for client in &mut busy {
        // And the place is given to the one that waits.
        let response = client.receive().await;
        response.is_refusal("slow", 403);
    }
    let more = within(more).await;
    let ready = server.admin("/readyz").await;
    assert_eq!((ready.status, ready.body.as_str()), (200, "ok"));
    drop((busy, more));
    server.shutdown.drain();
    assert_eq!(server.outcome().await, ShutdownOutcome::Drained);
}

// ---- descriptors

/// Out of descriptors nothing could be accepted any more, whatever the limit of connections says.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_connections_than_descriptors_are_not_promised() {
    let program = std::env::var_os("PODGATE_CROWD_PROGRAM");
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -n 800; exec \"$0\" \"$@\""]);
    command.arg(program.unwrap_or(env!("CARGO_BIN_EXE_podgate").into()));
    let site = Site::start_as(command, &[]);
    let crowd = hold(&site.reviews, Kind::Silent, 600, 1);
    all_are_served(&site.new_clients(10, SHORT / 4).await, "new clients");
    drop(crowd);
    site.replica.terminate();
    let (_, log) = site.replica.ended();
    assert!(log.contains("fewer connections than --max-connections"), "{log}");
    assert!(!log.contains("cannot accept a connection"), "{log}");
}

// ---- full size

/// The numbers of connections that shut a port once.
const ALL_PLACES: usize = 2048;
const SILENT_PEERS: usize = 3000;
const ADMIN_PEERS: usize = 300;

struct Held {
    kind: Kind,
    peers: usize,
    addresses: usize,
}

const SHORT_RUN: [Held; 1] = [Held { kind: Kind::Silent, peers: SILENT_PEERS, addresses: 1 }];

const LONG_RUN: [Held; 16] = [
    Held { kind: Kind::IdleAfterMuch, peers: ALL_PLACES, addresses: 1 },
    Held { kind: Kind::Idle, peers: ALL_PLACES, addresses: 1 },
    Held { kind: Kind::Idle, peers: SILENT_PEERS, addresses: 200 },
    Held { kind: Kind::Silent, peers: SILENT_PEERS, addresses: 1 },
    Held { kind: Kind::Silent, peers: SILENT_PEERS, addresses: 200 },
    Held { kind: Kind::DripsHandshake, peers: SILENT_PEERS, addresses: 1 },
    Held { kind: Kind::DripsHandshake, peers: SILENT_PEERS, addresses: 200 },
    Held { kind: Kind::HalfHead, peers: ALL_PLACES, addresses: 1 },
    Held { kind: Kind::HalfHead, peers: ALL_PLACES, addresses: 200 },
    Held { kind: Kind::DripsHead, peers: ALL_PLACES, addresses: 1 },
    Held { kind: Kind::DripsHead, peers: ALL_PLACES, addresses: 200 },
    Held { kind: Kind::HalfBody, peers: ALL_PLACES, addresses: 1 },
    Held { kind: Kind::HalfBody, peers: ALL_PLACES, addresses: 200 },
    Held { kind: Kind::Unread, peers: 100, addresses: 1 },
    Held { kind: Kind::Unread, peers: 100, addresses: 200 },
    Held { kind: Kind::Pipelines, peers: 100, addresses: 1 },
];

fn seconds() -> Option<u64> {
    std::env::var("PODGATE_CROWD_SECONDS").ok().map(|given| given.parse().unwrap())
}

/// Each kind of peer at full size, one after the other, with 20 new clients a second beside.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_full_size_new_clients_are_served() {
    let length = Duration::from_secs(seconds().unwrap_or(2));
    let rows: &[Held] = if seconds().is_some() { &LONG_RUN } else { &SHORT_RUN };
    for Held { kind, peers, addresses } in rows {
        let site = Site::start(&[]);
        let mut keeper = Keeper::new(&site.reviews, address(GOOD + 1)).await;
        let crowd = hold(&site.reviews, *kind, *peers, *addresses);
        let places = ALL_PLACES.min(peers + Keeper::CONNECTIONS);
        site.is_held_by(places as f64 * 0.95).await;
        let end = Instant::now() + length;
        let pause = Duration::from_millis(50);
        let count = usize::try_from(length.as_millis() / pause.as_millis()).unwrap();
        let (seen, ()) =
            tokio::join!(site.new_clients(count, pause), keeper.ask_until(end, Duration::from_secs(30)));
        keeper.ask().await;
        let evicted = site.metric("podgate_connections_evicted_total{port=\"reviews\"").await;
        let resident = site.resident_kib() / 1024;
        eprintln!(
            "{peers} × {kind:?} from {addresses} addresses: {}; 25 kept connections: {} of {} answered; \
             {evicted} evicted; {resident} MiB resident",
            seen.line(),
            keeper.asked - keeper.lost,
            keeper.asked
        );
        drop(crowd);
        assert!(resident <= 200, "{resident} MiB beside {kind:?}");
        assert!(seen.share_served() >= 0.98, "{kind:?}: {}", seen.line());
        // Ten times the goal.
        assert!(seen.percentile(99) <= Duration::from_millis(2500), "{kind:?}: {}", seen.line());
        // Of those that were answered as often, and have no more connections an address, none is better than another.
        let are_equal = *addresses > 1 && matches!(kind, Kind::Idle | Kind::Unread);
        assert!(keeper.lost == 0 || are_equal, "{kind:?}: {} lost", keeper.lost);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_full_size_probes_are_answered() {
    let length = Duration::from_secs(seconds().unwrap_or(1));
    let site = Site::start(&[]);
    for (kind, peers) in
        [(Kind::Idle, ADMIN_PEERS), (Kind::Silent, SILENT_PEERS), (Kind::HalfHead, 300), (Kind::Unread, 300)]
    {
        let crowd = hold(&site.admin, kind, peers, 1);
        sleep(SHORT).await;
        let pause = Duration::from_millis(100);
        let count = usize::try_from(length.as_millis() / pause.as_millis()).unwrap();
        let seen = new_clients(&site.admin, "/livez", address(GOOD), count, pause).await;
        eprintln!("{peers} × {kind:?} on the admin port: {}", seen.line());
        drop(crowd);
        all_are_served(&seen, &format!("{kind:?}"));
    }
}
