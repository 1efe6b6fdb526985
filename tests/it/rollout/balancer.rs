//! What a Service is to its clients: whoever makes a connection gets an endpoint, and keeps it.
//!
//! As with kube-proxy nothing stands in the way of the bytes: the endpoint is chosen when a connection is
//! made. Which endpoints there are is learnt by asking for readiness, and a change takes effect only after a
//! lag, during which connections go to replicas that are on their way out.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::replica::Replica;
use crate::wire::PATIENCE;

/// How often readiness is asked for.
const PERIOD: Duration = Duration::from_millis(20);

/// The addresses of a replica.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Endpoint {
    address: SocketAddr,
    admin: SocketAddr,
}

#[derive(Debug, Default)]
struct Shared {
    /// The replicas that are there, ready or not.
    replicas: Mutex<Vec<Endpoint>>,
    /// Where connections go.
    active: Mutex<Vec<SocketAddr>>,
    turn: AtomicUsize,
    is_over: AtomicBool,
}

/// The endpoints of the replicas, as the clients see them.
pub(super) struct Balancer {
    shared: Arc<Shared>,
    /// Who connects here is told an endpoint, for clients that are programs of their own.
    pub(super) asked_at: SocketAddr,
    threads: Vec<JoinHandle<()>>,
}

impl Balancer {
    pub(super) fn start(lag: Duration) -> Self {
        let shared = Arc::new(Shared::default());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let asked_at = listener.local_addr().unwrap();
        let (follower, teller) = (Arc::clone(&shared), Arc::clone(&shared));
        let threads =
            vec![thread::spawn(move || follower.follow(lag)), thread::spawn(move || teller.tell(&listener))];
        Self { shared, asked_at, threads }
    }

    /// Looks at one more replica from now on.
    pub(super) fn add(&self, replica: &Replica) {
        let endpoint = Endpoint { address: replica.address, admin: replica.admin };
        self.shared.replicas.lock().unwrap().push(endpoint);
    }

    /// The replica is gone.
    pub(super) fn remove(&self, address: SocketAddr) {
        self.shared.replicas.lock().unwrap().retain(|endpoint| endpoint.address != address);
    }

    /// Waits until connections go to just so many replicas.
    pub(super) fn await_active(&self, count: usize) {
        let deadline = Instant::now() + PATIENCE;
        while self.shared.active.lock().unwrap().len() != count {
            assert!(Instant::now() < deadline, "not {count} endpoints in time: {:?}", self.shared);
            thread::sleep(PERIOD);
        }
    }

    /// Where the next connection goes.
    pub(super) fn endpoint(&self) -> SocketAddr {
        self.shared.endpoint()
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::Relaxed);
        // For the one that waits to be asked.
        let _ = TcpStream::connect(self.asked_at);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn endpoint(&self) -> SocketAddr {
        let active = self.active.lock().unwrap();
        active[self.turn.fetch_add(1, Ordering::Relaxed) % active.len()]
    }

    fn follow(&self, lag: Duration) {
        let mut seen = Vec::new();
        let mut changes = VecDeque::new();
        while !self.is_over.load(Ordering::Relaxed) {
            let replicas = self.replicas.lock().unwrap().clone();
            let ready: Vec<_> =
                replicas.into_iter().filter(is_ready).map(|endpoint| endpoint.address).collect();
            if ready != seen {
                seen.clone_from(&ready);
                changes.push_back((Instant::now() + lag, ready));
            }
            while changes.front().is_some_and(|(due, _)| *due <= Instant::now()) {
                *self.active.lock().unwrap() = changes.pop_front().map(|(_, ready)| ready).unwrap();
            }
            thread::sleep(PERIOD);
        }
    }

    fn tell(&self, listener: &TcpListener) {
        for asked in listener.incoming() {
            if self.is_over.load(Ordering::Relaxed) {
                return;
            }
            let _ = asked.and_then(|mut stream| writeln!(stream, "{}", self.endpoint()));
        }
    }
}

fn is_ready(endpoint: &Endpoint) -> bool {
    let answer = || {
        let mut stream = TcpStream::connect(endpoint.admin)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(b"GET /readyz HTTP/1.1\r\nHost: podgate\r\nConnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        std::io::Result::Ok(answer)
    };
    answer().is_ok_and(|answer| answer.starts_with("HTTP/1.1 200 "))
}
