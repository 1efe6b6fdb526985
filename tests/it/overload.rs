//! The program under more than it can bear: long reviews in parallel, peers that hold unfinished ones.
//!
//! Each test has a process of its own, in a memory cgroup as small as the container of the manifests where one can be
//! made; where not, what it had resident at most is looked at all the same. What must hold: it lives, every review is
//! answered with its uid, and an ordinary one is judged. Times are asserted at ten times what is aimed at, since other
//! tests run beside; `PODGATE_OVERLOAD_FULL=1` has the full number of peers, and the figures printed.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::ServerName;
use serde_json::Value as Json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::any_certificate::any_certificate;
use crate::server::head;

/// The limit of the container in the manifests.
const CONTAINER_BYTES: u64 = 256 << 20;
/// What may be resident of it.
const MOST_RESIDENT: u64 = 200 << 20;
/// How much of a burst may stay.
const MOST_LEFT: u64 = 16 << 20;

/// What the allocator may keep of each connection that was open at once with others, over that: of its buffers for TLS and
/// HTTP, not of bodies.
const LEFT_OF_CONNECTION: u64 = 64 << 10;
/// A review that is not longer than this is always judged.
const ORDINARY: usize = 256 << 10;
/// Nothing takes as long on a machine that is only busy.
const PATIENCE: Duration = Duration::from_secs(60);

// ---- the program under test

struct Gate {
    program: Program,
    address: SocketAddr,
    connector: TlsConnector,
}

/// A process, and the cgroup that it is in, until they are dropped.
struct Program {
    child: Child,
    group: Option<Group>,
}

/// A memory cgroup, until it is dropped.
struct Group(PathBuf);

impl Group {
    /// None where this system does not let us make one.
    fn new() -> Option<Self> {
        static NUMBER: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let name = format!("podgate-test-{}-{number}", std::process::id());
        for (root, limit) in
            [("/sys/fs/cgroup/memory", "memory.limit_in_bytes"), ("/sys/fs/cgroup", "memory.max")]
        {
            // Elsewhere under this path a folder would be only a folder.
            let folder = Path::new(root).join(&name);
            if !Path::new(root).join("cgroup.procs").exists() || fs::create_dir(&folder).is_err() {
                continue;
            }
            let group = Self(folder);
            if fs::write(group.0.join(limit), CONTAINER_BYTES.to_string()).is_ok() {
                return Some(group);
            }
        }
        None
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // What is in it has been waited for.
        let _ = fs::remove_dir(&self.0);
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        drop(self.group.take());
    }
}

impl Gate {
    fn start(arguments: &[&str]) -> Self {
        let group = Group::new();
        if group.is_none() {
            eprintln!("no memory cgroup can be made here: only what is resident is looked at");
        }
        let program = std::env::var("PODGATE_BINARY").unwrap_or(env!("CARGO_BIN_EXE_podgate").to_owned());
        // It is in the group before it is itself.
        let mut command = Command::new("sh");
        command.args([
            "-c",
            "[ -z \"$GROUP\" ] || echo $$ > \"$GROUP/cgroup.procs\" || exit 9; exec \"$0\" \"$@\"",
        ]);
        command.arg(program).args(["serve", "--dev", "--listen=127.0.0.1:0", "--admin-listen=127.0.0.1:0"]);
        command.args(["--log-level=error"]).args(arguments).stdin(Stdio::null()).stdout(Stdio::piped());
        command.env("GROUP", group.as_ref().map_or(Path::new(""), |group| &group.0));
        let mut program = Program { child: command.spawn().unwrap(), group };
        let mut greeting = String::new();
        let mut output = BufReader::new(program.child.stdout.take().unwrap());
        while !greeting.contains("curl ") {
            assert!(output.read_line(&mut greeting).unwrap() > 0, "only {greeting:?}");
        }
        let address = greeting.split_once("https://").unwrap().1.split_once(' ').unwrap().0.parse().unwrap();
        Self { program, address, connector: TlsConnector::from(Arc::new(any_certificate())) }
    }

    /// So many bytes, as `/proc` has them under this name.
    fn memory(&self, name: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.program.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(name)).expect(name);
        line.trim_matches([':', '\t', ' ', 'k', 'B']).parse::<u64>().unwrap() * 1024
    }

    #[track_caller]
    fn lives(&mut self) {
        assert_eq!(self.program.child.try_wait().unwrap(), None, "it was killed");
    }

    /// It lives, had never more resident than it may, and soon has hardly more than `before`.
    async fn has_stayed_small(&mut self, before: u64, most_left: u64, what: &str) {
        self.lives();
        let most = self.memory("VmHWM");
        let start = Instant::now();
        let mut left = u64::MAX;
        while left > before + most_left && start.elapsed() < PATIENCE / 2 {
            tokio::time::sleep(Duration::from_millis(50)).await;
            left = self.memory("VmRSS");
        }
        let mib = |bytes: u64| bytes >> 20;
        eprintln!(
            "{what}: resident {} MiB before, at most {} MiB, {} MiB after {:.1?}",
            mib(before),
            mib(most),
            mib(left),
            start.elapsed()
        );
        assert!(most <= MOST_RESIDENT, "{what}: {} MiB were resident", mib(most));
        assert!(left <= before + most_left, "{what}: {} MiB stay, of {} before", mib(left), mib(before));
    }

    async fn connect(&self) -> std::io::Result<TlsStream<TcpStream>> {
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        self.connector.connect(ServerName::try_from("localhost").unwrap(), stream).await
    }

    /// What is resident once all that it needs for reviews is loaded.
    async fn warm(&self) -> u64 {
        for uid in 0..20 {
            for spec in [environment(5_000), capabilities(9_000)] {
                assert!(self.ask(&Review::pod(uid, &spec)).await.is_judged());
            }
        }
        self.memory("VmRSS")
    }

    /// Writes a whole review and then reads the answer, as simple clients do.
    async fn ask(&self, review: &Review) -> Answer {
        let start = Instant::now();
        let asked = async {
            let mut stream = self.connect().await.map_err(|error| format!("connecting: {error}"))?;
            ask_on(&mut stream, review).await
        };
        let answer = timeout(PATIENCE, asked).await.unwrap_or(Err("no answer in time".to_owned()));
        Answer::of(review, answer, start.elapsed())
    }
}

async fn ask_on(stream: &mut TlsStream<TcpStream>, review: &Review) -> Result<Json, String> {
    let head = head("/validate?timeout=10s", review.body.len());
    let written = async {
        stream.write_all(head.as_bytes()).await?;
        let (first, second) = review.body.split_at(review.body.len() / 2);
        stream.write_all(first).await?;
        stream.flush().await?;
        stream.write_all(second).await?;
        stream.flush().await
    };
    written.await.map_err(|error| format!("writing: {error}"))?;
    receive(stream).await
}

async fn receive(stream: &mut TlsStream<TcpStream>) -> Result<Json, String> {
    let mut read = Vec::new();
    loop {
        if let Some(end) = read.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&read[..end]).to_ascii_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
            if read.len() >= end + 4 + length.unwrap_or(0) {
                let body = &read[end + 4..];
                return serde_json::from_slice(body)
                    .map_err(|_| format!("{head}: {}", String::from_utf8_lossy(body)));
            }
        }
        match stream.read_buf(&mut read).await {
            Ok(0) => return Err("closed without an answer".to_owned()),
            Ok(_) => {}
            Err(error) => return Err(format!("reading: {error}")),
        }
    }
}

#[derive(Debug)]
struct Answer {
    bytes: usize,
    /// The code: 200 if it was allowed.
    code: Result<u64, String>,
    took: Duration,
}

impl Answer {
    fn of(review: &Review, answer: Result<Json, String>, took: Duration) -> Self {
        let code = answer.and_then(|answer| {
            let response = &answer["response"];
            if response["uid"] != review.uid {
                return Err(format!("another uid: {answer}"));
            }
            Ok(if response["allowed"] == true { 200 } else { response["status"]["code"].as_u64().unwrap() })
        });
        Self { bytes: review.body.len(), code, took }
    }

    fn is_judged(&self) -> bool {
        matches!(self.code, Ok(200 | 403 | 413))
    }

    /// Judged, or, if it is long, refused for want of room or time.
    fn is_good(&self) -> bool {
        self.is_judged() || (self.bytes > ORDINARY && matches!(self.code, Ok(429 | 504)))
    }
}

// ---- reviews

struct Review {
    uid: String,
    body: Vec<u8>,
}

impl Review {
    fn new(uid: usize, kind: &str, resource: (&str, &str), operation: &str, objects: (&str, &str)) -> Self {
        let (uid, (group, resource), (object, old)) = (uid.to_string(), resource, objects);
        let version = if group.is_empty() { "v1".to_owned() } else { format!("{group}/v1") };
        let body = format!(
            r#"{{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{{"uid":"{uid}",
            "kind":{{"group":"{group}","version":"v1","kind":"{kind}"}},
            "resource":{{"group":"{group}","version":"v1","resource":"{resource}"}},
            "name":"big","namespace":"ml-team-a","operation":"{operation}","dryRun":true,
            "object":{{"apiVersion":"{version}","kind":"{kind}","metadata":{{"name":"big"}},"spec":{object}}},
            "oldObject":{old}}}}}"#
        );
        Self { uid, body: body.into_bytes() }
    }

    fn pod(uid: usize, spec: &str) -> Self {
        Self::new(uid, "Pod", ("", "pods"), "CREATE", (spec, "null"))
    }

    /// Like [`Review::pod`], for a Deployment.
    fn deployment(uid: usize, spec: &str) -> Self {
        let spec = format!(r#"{{"template":{{"metadata":{{}},"spec":{spec}}}}}"#);
        Self::new(uid, "Deployment", ("apps", "deployments"), "CREATE", (&spec, "null"))
    }

    fn update(uid: usize, spec: &str) -> Self {
        let old = format!(r#"{{"apiVersion":"v1","kind":"Pod","metadata":{{"name":"big"}},"spec":{spec}}}"#);
        let spec = spec.replace("busybox", "busybox:2");
        Self::new(uid, "Pod", ("", "pods"), "UPDATE", (&spec, &old))
    }
}

/// A pod with so many forbidden capabilities, of 11 bytes each.
fn capabilities(count: usize) -> String {
    let add: Vec<String> = (0..count).map(|number| format!("\"C{number:07}\"")).collect();
    format!(
        r#"{{"containers":[{{"name":"c","image":"busybox","securityContext":{{"capabilities":{{"add":[{}]}}}}}}]}}"#,
        add.join(",")
    )
}

/// A pod that passes, with so many bytes of environment.
fn environment(bytes: usize) -> String {
    let value = "v".repeat(bytes.div_ceil(1000).clamp(100, 1 << 16));
    let entry = format!(r#"{{"name":"A","value":"{value}"}}"#);
    let entries = vec![entry.as_str(); bytes / (entry.len() + 1)].join(",");
    format!(
        r#"{{"securityContext":{{"runAsNonRoot":true,"seccompProfile":{{"type":"RuntimeDefault"}}}},"containers":
        [{{"name":"c","image":"busybox","env":[{entries}],"securityContext":{{"allowPrivilegeEscalation":false,
        "capabilities":{{"drop":["ALL"]}}}}}}]}}"#
    )
}

/// A pod of so many bytes whose containers leave everything out.
fn containers(bytes: usize) -> String {
    let entry = r#"{"name":"c","image":"busybox","ports":[{"hostPort":1}]}"#;
    format!(r#"{{"containers":[{}]}}"#, vec![entry; bytes / (entry.len() + 1)].join(","))
}

// ---- in parallel

async fn in_parallel(what: &str, reviews: Vec<Review>) {
    let gate = Arc::new(Gate::start(&[]));
    let before = gate.warm().await;
    let mut asking = JoinSet::new();
    for review in reviews {
        let gate = Arc::clone(&gate);
        asking.spawn(async move { gate.ask(&review).await });
    }
    let answers = asking.join_all().await;
    let mut gate = Arc::into_inner(gate).unwrap();
    let (judged, longest) = (
        answers.iter().filter(|answer| answer.is_judged()).count(),
        answers.iter().map(|answer| answer.took).max().unwrap(),
    );
    eprintln!("{what}: {} answers, {judged} judged, the last after {longest:.1?}", answers.len());
    let bad: Vec<&Answer> = answers.iter().filter(|answer| !answer.is_good()).collect();
    assert!(bad.is_empty(), "{what}: {} of {}, the first: {:?}", bad.len(), answers.len(), bad[0]);
    gate.has_stayed_small(before, MOST_LEFT, what).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixty_four_long_lists() {
    let spec = capabilities(190_000);
    in_parallel("64 x 2.2 MB of capabilities", (0..64).map(|uid| Review::pod(uid, &spec)).collect()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixty_four_of_the_longest() {
    for (what, spec) in
        [("8 MiB that pass", environment(8_200_000)), ("8 MiB of containers", containers(8_200_000))]
    {
        in_parallel(what, (0..64).map(|uid| Review::pod(uid, &spec)).collect()).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixty_four_of_every_length() {
    let specs = [environment(10_000), capabilities(18_000), capabilities(190_000), environment(8_200_000)];
    let reviews = (0..64).map(|uid| Review::pod(uid, &specs[uid % specs.len()])).collect();
    in_parallel("64 of 10 KB, 200 KB, 2.2 MB, 8 MiB", reviews).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixty_four_ordinary_ones() {
    let (lists, containers) = (capabilities(22_000), containers(240_000));
    let reviews =
        (0..64).map(|uid| Review::pod(uid, if uid % 2 == 0 { &lists } else { &containers })).collect();
    in_parallel("64 of 240 KB", reviews).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixty_four_templates_and_updates() {
    let spec = capabilities(95_000);
    let reviews = (0..64)
        .map(|uid| if uid % 2 == 0 { Review::deployment(uid, &spec) } else { Review::update(uid, &spec) })
        .collect();
    in_parallel("64 Deployments and updates", reviews).await;
}

// ---- held

/// Peers that hold all but the end of a review of so many bytes, and come again when they are cut; beside them
/// ordinary reviews.
async fn held(what: &str, (peers, bytes): (usize, usize), is_chunked: bool) {
    let mut gate = Arc::new(Gate::start(&[]));
    let before = gate.warm().await;
    let spec = environment(bytes - 1000);
    let review = Arc::new(Review::pod(0, &spec));
    let mut holders = JoinSet::new();
    for _ in 0..peers {
        let (gate, review) = (Arc::clone(&gate), Arc::clone(&review));
        holders.spawn(async move {
            // Whoever is cut comes again, but does not only keep the machine busy with handshakes.
            for _ in 0..20 {
                let _ = hold(&gate, &review.body[..review.body.len() - 1], is_chunked).await;
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        });
    }
    let mut answers = Vec::new();
    let start = Instant::now();
    let specs = [environment(10_000), environment(60_000), environment(200_000)];
    while answers.len() < 60 || start.elapsed() < Duration::from_secs(4) {
        answers.push(gate.ask(&Review::pod(answers.len(), &specs[answers.len() % specs.len()])).await);
    }
    holders.shutdown().await;
    let judged = answers.iter().filter(|answer| answer.is_judged()).count();
    let longest = answers.iter().map(|answer| answer.took).max().unwrap();
    eprintln!(
        "{what}: {judged} of {} ordinary reviews are judged, the slowest in {longest:.1?}",
        answers.len()
    );
    let bad = answers.iter().find(|answer| !answer.is_judged());
    assert!(judged * 100 >= answers.len() * 99, "{what}: {judged} of {}: {bad:?}", answers.len());
    let most_left = MOST_LEFT + peers as u64 * LEFT_OF_CONNECTION;
    Arc::get_mut(&mut gate).unwrap().has_stayed_small(before, most_left, what).await;
}

/// Holds a review until it is cut.
async fn hold(gate: &Gate, beginning: &[u8], is_chunked: bool) -> std::io::Result<()> {
    let mut stream = gate.connect().await?;
    let head = head("/validate", beginning.len() + 1);
    if is_chunked {
        let length = format!("Content-Length: {}", beginning.len() + 1);
        stream.write_all(head.replace(&length, "Transfer-Encoding: chunked").as_bytes()).await?;
        for piece in beginning.chunks(5_000) {
            stream.write_all(format!("{:x}\r\n", piece.len()).as_bytes()).await?;
            stream.write_all(piece).await?;
            stream.write_all(b"\r\n").await?;
        }
    } else {
        stream.write_all(head.as_bytes()).await?;
        stream.write_all(beginning).await?;
    }
    stream.flush().await?;
    stream.read_to_end(&mut Vec::new()).await?;
    Ok(())
}

fn is_full() -> bool {
    std::env::var_os("PODGATE_OVERLOAD_FULL").is_some()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn held_long_reviews_keep_no_ordinary_one_out() {
    held("8 x 8 MiB held", (8, 8 << 20), false).await;
    held("64 x 1 MiB held", (64, 1 << 20), false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn held_ordinary_reviews_keep_no_other_out() {
    let many = if is_full() { 1800 } else { 300 };
    held("many x 250 KB held", (many, 250_000), false).await;
    held("many x 60 KB held", (many, 60_000), false).await;
    held("200 x 250 KB held", (200, 250_000), false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn held_reviews_of_unknown_length_keep_no_other_out() {
    held("64 x 1 MiB held in chunks", (64, 1 << 20), true).await;
    held("200 x 100 KB held in chunks", (200, 100_000), true).await;
}

// ---- beside slow ones

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_review_delays_no_other() {
    let mut gate = Arc::new(Gate::start(&[]));
    let slow: Arc<Vec<Review>> =
        Arc::new([190_000, 22_000].iter().map(|count| Review::pod(1, &capabilities(*count))).collect());
    let mut asking = JoinSet::new();
    for number in 0..8 {
        let (gate, slow) = (Arc::clone(&gate), Arc::clone(&slow));
        asking.spawn(async move {
            loop {
                gate.ask(&slow[number % 2]).await;
            }
        });
    }
    let small = Review::pod(2, &environment(5_000));
    let mut stream = gate.connect().await.unwrap();
    let mut took = Vec::new();
    let start = Instant::now();
    while took.len() < 100 || start.elapsed() < Duration::from_secs(4) {
        let start = Instant::now();
        let answer = Answer::of(&small, ask_on(&mut stream, &small).await, start.elapsed());
        assert!(answer.is_judged(), "{answer:?}");
        took.push(answer.took);
    }
    asking.shutdown().await;
    took.sort_unstable();
    let (median, ninth, longest) = (took[took.len() / 2], took[took.len() * 9 / 10], took[took.len() - 1]);
    eprintln!("beside slow reviews {} small ones took {median:.1?}, {ninth:.1?}, {longest:.1?}", took.len());
    assert!(ninth < Duration::from_millis(500), "{ninth:?}");
    Arc::get_mut(&mut gate).unwrap().lives();
}
