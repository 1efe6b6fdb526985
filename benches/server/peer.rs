//! The servers under test: how each is started, when it is ready, what it has used.

use std::cell::Cell;
use std::env;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rcgen::{CertificateParams, KeyPair};
use rustix::process::{Pid, Signal, kill_process};
use rustix::thread::{CpuSet, sched_setaffinity};
use tempfile::TempDir;

use crate::client::{Round, Target, trusting};
use crate::upstream::Upstream;
use crate::{Payload, Result};

const SERVER_CORE: usize = 0;
const CLIENT_CORE: usize = 1;

/// Far longer than any of them takes.
const PATIENCE: Duration = Duration::from_secs(30);
/// Short beside the time that any of them takes.
const STEP: Duration = Duration::from_micros(200);

/// Which server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Null,
    Skipping,
    Judging,
    DropIn,
    Upstream,
}

impl Side {
    pub(crate) const ALL: [Self; 5] =
        [Self::Null, Self::Skipping, Self::Judging, Self::DropIn, Self::Upstream];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Skipping => "skipping",
            Self::Judging => "judging",
            Self::DropIn => "drop-in",
            Self::Upstream => "upstream",
        }
    }

    /// Where it answers this kind of review; `None` where it has no answer of its own to it.
    fn path(self, payload: &Payload) -> Option<&'static str> {
        match (self, payload.is_mutation) {
            (Self::DropIn | Self::Upstream, true) => None,
            (Self::Upstream, false) => Some("/"),
            (_, true) => Some("/mutate"),
            (_, false) => Some("/validate"),
        }
    }

    /// Whether its answer is what it makes of the review.
    fn judges(self) -> bool {
        !matches!(self, Self::Null | Self::Skipping)
    }
}

/// What all servers are given: a certificate, the configuration of drop-in mode, the Namespace.
pub(crate) struct Files {
    folder: TempDir,
    certificate: String,
}

impl Files {
    pub(crate) fn new() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let key = KeyPair::generate()?;
        let certificate = CertificateParams::new(vec!["localhost".to_owned()])?.self_signed(&key)?.pem();
        let configuration = "apiVersion: pod-security.admission.config.k8s.io/v1\n\
            kind: PodSecurityConfiguration\n";
        let namespace = "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: ml-team-a\n  labels: \
            {pod-security.kubernetes.io/enforce: restricted}\n";
        for (name, text) in [
            ("tls.crt", &*certificate),
            ("tls.key", &key.serialize_pem()),
            ("configuration.yaml", configuration),
            ("namespace.yaml", namespace),
        ] {
            fs::write(folder.path().join(name), text)?;
        }
        Ok(Self { folder, certificate })
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }
}

/// A server under test.
pub(crate) struct Peer {
    pub(crate) side: Side,
    child: Child,
    target: Target,
    /// From its start to the first answer of `/readyz` that says so.
    pub(crate) ready_after: Duration,
    /// Resident before its first review, in KiB.
    pub(crate) idle: u64,
}

impl Peer {
    /// Starts a server on the core of servers, and waits until it is ready.
    pub(crate) fn start(side: Side, files: &Files, upstream: Option<&Upstream>) -> Result<Self> {
        let (address, admin) = (free_address()?, free_address()?);
        let mut command = match (side, upstream) {
            (Side::Upstream, Some(upstream)) => upstream.webhook(address.port()),
            (Side::DropIn, cluster) => drop_in(cluster, (address, admin)),
            _ => own(side, files, (address, admin))?,
        };
        command.current_dir(files.folder()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        // A child begins where its parent is.
        pin(SERVER_CORE)?;
        let started = Instant::now();
        let child = command.spawn();
        be_client()?;
        let target = Target { address, tls: trusting(&files.certificate)? };
        let mut peer = Self { side, child: child?, target, ready_after: Duration::ZERO, idle: 0 };
        while !peer.is_ready(admin) {
            if peer.child.try_wait()?.is_some() || started.elapsed() > PATIENCE {
                return Err(format!("{} does not become ready", side.name()).into());
            }
            thread::sleep(STEP);
        }
        peer.ready_after = started.elapsed();
        peer.idle = peer.memory("VmRSS:")?;
        Ok(peer)
    }

    fn is_ready(&self, admin: SocketAddr) -> bool {
        const QUESTION: &[u8] = b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        if self.side == Side::Upstream {
            return self.target.ask(QUESTION).is_ok();
        }
        let answer = || {
            let mut stream = TcpStream::connect(admin)?;
            stream.write_all(QUESTION)?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer).map(|_| answer)
        };
        answer().is_ok_and(|answer: String| answer.starts_with("HTTP/1.1 200"))
    }

    /// Whether it answers a payload; an error where it judges that otherwise than it should.
    pub(crate) fn answers(&self, payload: &Payload) -> Result<bool> {
        let Some(path) = self.side.path(payload) else { return Ok(false) };
        let answer = self.target.ask(&self.target.post(path, payload.review))?;
        let answer: serde_json::Value = serde_json::from_slice(&answer)?;
        if self.side.judges() && answer["response"]["allowed"] != payload.is_allowed {
            return Err(format!("{} on {}: {}", self.side.name(), payload.name, answer["response"]).into());
        }
        Ok(true)
    }

    /// Asks for a round.
    pub(crate) fn round(&self, payload: &Payload) -> Result<Round> {
        let path = self.side.path(payload).ok_or("not to be asked this")?;
        self.target.round(&self.target.post(path, payload.review), || self.cpu())
    }

    /// Asks for a round, with `strace` counting the system's calls of all threads, which it writes to a file; how many
    /// reviews were answered.
    pub(crate) fn traced_round(&self, payload: &Payload, counts: &Path) -> Result<u64> {
        let path = self.side.path(payload).ok_or("not to be asked this")?;
        let tracer = Cell::new(None);
        // Called when the handshakes are over, and when the round is.
        let boundary = || {
            match tracer.take() {
                None => tracer.set(Some(trace(self.child.id(), counts)?)),
                Some(tracer) => end(tracer)?,
            }
            Ok(Duration::ZERO)
        };
        Ok(self.target.round(&self.target.post(path, payload.review), boundary)?.answered)
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

    /// A line of the process's status (`VmRSS:`, `VmHWM:`), in KiB.
    pub(crate) fn memory(&self, name: &str) -> Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix(name)).ok_or("no such line")?;
        Ok(line.trim().trim_end_matches(" kB").parse()?)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Has `strace` count the calls of all threads of a process, and returns when it does.
fn trace(process: u32, counts: &Path) -> Result<Child> {
    let mut tracer = Command::new("strace")
        .args(["-f", "-c", "-S", "calls", "-o"])
        .arg(counts)
        .args(["-p", &process.to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let is_traced = |task: &Path| {
        let status = fs::read_to_string(task.join("status"));
        status.is_ok_and(|status| !status.contains("TracerPid:\t0\n"))
    };
    let started = Instant::now();
    loop {
        let mut are_all = true;
        for task in fs::read_dir(format!("/proc/{process}/task"))? {
            are_all &= is_traced(&task?.path());
        }
        if are_all {
            return Ok(tracer);
        }
        if tracer.try_wait()?.is_some() || started.elapsed() > PATIENCE {
            return Err("strace may not trace".into());
        }
        thread::sleep(STEP);
    }
}

/// Has a tracer write what it counted, and end.
fn end(mut tracer: Child) -> Result<()> {
    kill_process(Pid::from_child(&tracer), Signal::INT)?;
    tracer.wait()?;
    Ok(())
}

/// One of the servers that the bench itself is.
fn own(side: Side, files: &Files, (address, admin): (SocketAddr, SocketAddr)) -> Result<Command> {
    let mut command = Command::new(env::current_exe()?);
    command
        .env("PODGATE_BENCH_SERVER", side.name())
        .env("PODGATE_BENCH_FILES", files.folder())
        .env("PODGATE_LISTEN", address.to_string())
        .env("PODGATE_ADMIN_LISTEN", admin.to_string());
    Ok(command)
}

/// The program itself in drop-in mode, following the cluster that upstream follows, if there is one.
fn drop_in(cluster: Option<&Upstream>, (address, admin): (SocketAddr, SocketAddr)) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_podgate"));
    for (name, _) in env::vars_os() {
        if name == "KUBECONFIG" || name.as_encoded_bytes().starts_with(b"PODGATE_") {
            command.env_remove(name);
        }
    }
    command
        .args(["serve", "--policy=configuration.yaml", "--tls-cert=tls.crt", "--tls-key=tls.key"])
        .args([format!("--listen={address}"), format!("--admin-listen={admin}")]);
    match cluster {
        Some(upstream) => command.arg("--kubeconfig").arg(upstream.kubeconfig()),
        None => command.arg("--objects=namespace.yaml"),
    };
    command
}

/// From here on this thread, and what it starts, is on the core of clients.
pub(crate) fn be_client() -> Result<()> {
    pin(CLIENT_CORE)
}

fn pin(core: usize) -> Result<()> {
    let mut cores = CpuSet::new();
    cores.set(core);
    Ok(sched_setaffinity(None, &cores)?)
}

/// Upstream's program cannot say which port the system chose, so all are told.
fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}
