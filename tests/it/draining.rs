//! The moment in which the server stops accepting: what is already on its way up is answered.
//!
//! Server and peer share one thread here, so that what a peer has done before the server looks again is no
//! matter of luck: the order to stop is given, the peer acts without letting the server run, and only then is
//! the server's turn.

use std::io::Write as _;
use std::net::TcpStream as Socket;
use std::sync::Arc;
use std::time::{Duration, Instant};

use podgate::server::ShutdownOutcome;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::server::{Client, PATIENCE, Running, SHORT, args, client_config, post, review, start, within};

/// Gives the peer's bytes to the system, which holds them for the server.
fn write_at_once(client: &Client<TlsStream<TcpStream>>, records: &[u8]) {
    assert_eq!(client.stream.get_ref().0.try_write(records).unwrap(), records.len());
}

/// A request as TLS records.
fn encrypted(client: &mut Client<TlsStream<TcpStream>>, request: &str) -> Vec<u8> {
    let (_, tls) = client.stream.get_mut();
    tls.writer().write_all(request.as_bytes()).unwrap();
    let mut records = Vec::new();
    while tls.wants_write() {
        tls.write_tls(&mut records).unwrap();
    }
    records
}

/// A connection whose first review was answered.
async fn used(server: &Running) -> Client<TlsStream<TcpStream>> {
    let mut client = server.connect().await;
    client.post("/validate", &review("first")).await.is_refusal("first", 403);
    client
}

async fn is_answered_as_the_last(client: &mut Client<TlsStream<TcpStream>>, uid: &str) {
    let response = client.receive().await;
    response.is_refusal(uid, 403);
    assert!(response.says("connection: close"), "{response:?}");
    client.is_cut().await;
}

/// Hyper's graceful shutdown closed the connection: it looked idle.
#[tokio::test]
async fn a_review_that_the_system_holds_is_answered() {
    let server = start(args()).await;
    let mut clients = [used(&server).await, server.connect().await];
    server.shutdown.drain();
    for client in &mut clients {
        let records = encrypted(client, &post("/validate", &review("held")));
        write_at_once(client, &records);
    }
    for client in &mut clients {
        is_answered_as_the_last(client, "held").await;
    }
    assert_eq!(server.outcome().await, ShutdownOutcome::Drained);
}

/// Likewise: to hyper a connection is idle until the head of a request is whole.
#[tokio::test]
async fn a_review_whose_head_has_begun_is_answered() {
    let server = start(args()).await;
    let mut client = used(&server).await;
    let request = post("/validate", &review("begun"));
    client.send(&request[..30]).await;
    client.is_kept_for(SHORT / 4).await;
    server.shutdown.drain();
    client.is_kept_for(SHORT / 4).await;
    client.send(&request[30..]).await;
    is_answered_as_the_last(&mut client, "begun").await;
    assert_eq!(server.outcome().await, ShutdownOutcome::Drained);
}

/// Nor may the first part of a TLS record, which no reader of the plain text has seen, be taken for silence.
#[tokio::test]
async fn a_review_whose_first_record_has_begun_is_answered() {
    let server = start(args()).await;
    let mut client = used(&server).await;
    let records = encrypted(&mut client, &post("/validate", &review("part")));
    write_at_once(&client, &records[..20]);
    client.is_kept_for(SHORT / 4).await;
    server.shutdown.drain();
    client.is_kept_for(SHORT / 4).await;
    write_at_once(&client, &records[20..]);
    is_answered_as_the_last(&mut client, "part").await;
    assert_eq!(server.outcome().await, ShutdownOutcome::Drained);
}

/// A listener that is closed resets the connections that wait to be accepted.
#[tokio::test]
async fn connections_that_wait_to_be_accepted_are_served() {
    let mut args = args();
    // More wait than may be served at once.
    args.limits.max_connections = 2;
    let server = start(args).await;
    let idle = used(&server).await;
    server.shutdown.drain();
    let sockets: Vec<Socket> = (0..6).map(|_| Socket::connect(server.address).unwrap()).collect();
    let config = Arc::new(client_config(&server.certificate, &[&rustls::version::TLS13], &[b"http/1.1"]));
    let asks = sockets.into_iter().map(|socket| {
        let config = Arc::clone(&config);
        tokio::spawn(async move {
            socket.set_nonblocking(true).unwrap();
            let socket = TcpStream::from_std(socket).unwrap();
            let name = ServerName::try_from("localhost").unwrap();
            let mut client = Client::new(TlsConnector::from(config).connect(name, socket).await.unwrap());
            client.send(&post("/validate", &review("waited"))).await;
            is_answered_as_the_last(&mut client, "waited").await;
        })
    });
    for asked in asks.collect::<Vec<_>>() {
        within(asked).await.unwrap();
    }
    assert_eq!(server.outcome().await, ShutdownOutcome::Drained);
    drop(idle);
}

/// Go makes connections ahead of need. One whose handshake ended late was waited for until the time was up,
/// and the process then said that it had cut somebody.
#[tokio::test]
async fn a_connection_that_never_asks_is_not_waited_for() {
    let mut args = args();
    args.limits.header_timeout = SHORT * 3;
    args.drain_timeout = PATIENCE * 2;
    let server = start(args).await;
    let (mut before, mut used) = (server.connect().await, used(&server).await);
    server.shutdown.drain();
    let socket = Socket::connect(server.address).unwrap();
    socket.set_nonblocking(true).unwrap();
    let config = client_config(&server.certificate, &[&rustls::version::TLS13], &[b"http/1.1"]);
    let late = TlsConnector::from(Arc::new(config))
        .connect(ServerName::try_from("localhost").unwrap(), TcpStream::from_std(socket).unwrap());
    let mut late = Client::new(within(late).await.unwrap());
    let start = Instant::now();
    // Of one that was used, nothing more is expected; of a new one, what it was made for.
    used.is_cut().await;
    assert!(start.elapsed() < SHORT * 2, "{:?}", start.elapsed());
    for silent in [&mut before, &mut late] {
        assert_eq!(silent.more().await.unwrap(), 0);
    }
    assert!(start.elapsed() >= SHORT * 2, "{:?}", start.elapsed());
    assert_eq!(server.outcome().await, ShutdownOutcome::Drained);
    assert!(start.elapsed() < PATIENCE, "{:?}", start.elapsed());
}

/// The delay is for API servers that do not know yet: they are told by each answer.
#[tokio::test]
async fn through_the_delay_each_answer_ends_its_connection() {
    let mut args = args();
    args.drain_delay = SHORT * 5;
    let server = start(args).await;
    let mut idle = used(&server).await;
    server.shutdown.drain();
    let start = Instant::now();
    while start.elapsed() < SHORT * 2 {
        let mut client = server.connect().await;
        client.send(&post("/validate", &review("late"))).await;
        is_answered_as_the_last(&mut client, "late").await;
        idle.is_kept_for(Duration::from_millis(20)).await;
    }
    assert_eq!(idle.more().await.unwrap(), 0);
    assert!(start.elapsed() >= SHORT * 4, "{:?}", start.elapsed());
    assert_eq!(server.outcome().await, ShutdownOutcome::Drained);
}
