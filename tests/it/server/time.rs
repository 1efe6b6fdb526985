//! Time limits: of heads, bodies, answers and idle connections.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{Client, SHORT, args, review, start};
use crate::wire::{PATIENCE, head, post};

#[tokio::test]
async fn a_peer_that_says_nothing_is_cut() {
    let mut args = args();
    args.limits.handshake_timeout = SHORT;
    let server = start(args).await;
    let mut client = Client::new(TcpStream::connect(server.address).await.unwrap());
    client.is_cut().await;
    let mut http = Client::new(TcpStream::connect(server.address).await.unwrap());
    http.send("GET / HTTP/1.1\r\nHost: podgate\r\n\r\n").await;
    http.read.clear();
    while http.more().await.is_ok_and(|bytes| bytes > 0) {}
    assert!(!http.read.starts_with(b"HTTP"), "{:?}", http.read);
    server.eventually("podgate_handshakes_failed_total", 2.0).await;
}

#[tokio::test]
async fn a_slow_head_is_cut() {
    let mut args = args();
    args.limits.header_timeout = SHORT;
    let server = start(args).await;
    for is_first in [true, false] {
        let mut client = server.connect().await;
        if !is_first {
            client.post("/validate", &review("u")).await.is_refusal("u", 403);
        }
        // Each byte arrives in time; the whole head does not.
        let head = post("/validate", &review("u"));
        let mut bytes = head.as_bytes().iter();
        let start = Instant::now();
        for byte in bytes.by_ref() {
            let written = client.stream.write_all(&[*byte]).await;
            let read = timeout(SHORT / 8, client.stream.read_buf(&mut client.read)).await;
            if written.is_err() || read.is_ok() {
                break;
            }
        }
        assert!(bytes.next().is_some(), "the whole head was taken");
        assert!(start.elapsed() >= SHORT && client.read.is_empty(), "{:?}", client.read);
    }
    server.eventually("podgate_rejected_requests_total{reason=\"slow_peer\"}", 2.0).await;
}

#[tokio::test]
async fn a_head_and_a_body_have_each_their_own_time() {
    let mut args = args();
    args.limits.header_timeout = SHORT * 3;
    args.limits.body_timeout = SHORT * 3;
    let server = start(args).await;
    let mut client = server.connect().await;
    let request = post("/validate", &review("patient"));
    // Longer in total than either may take.
    for part in [&request[..10], &request[10..request.len() - 10]] {
        client.send(part).await;
        client.is_kept_for(SHORT * 2).await;
    }
    client.send(&request[request.len() - 10..]).await;
    client.receive().await.is_refusal("patient", 403);
}

#[tokio::test]
async fn an_idle_connection_is_kept_longer_than_a_slow_head() {
    let mut args = args();
    args.limits.header_timeout = SHORT / 4;
    args.limits.body_timeout = SHORT / 4;
    args.limits.idle_timeout = SHORT * 3;
    let server = start(args).await;
    let mut client = server.connect().await;
    for uid in ["1", "2"] {
        client.is_kept_for(SHORT).await;
        client.post("/validate", &review(uid)).await.is_refusal(uid, 403);
    }
    // Closed cleanly: the end of the stream, not an error.
    let start = Instant::now();
    assert_eq!(client.more().await.unwrap(), 0);
    assert!(start.elapsed() >= SHORT, "{:?}", start.elapsed());
}

#[tokio::test]
async fn silent_connections_are_kept_while_there_is_room() {
    let mut args = args();
    args.limits.header_timeout = SHORT;
    args.limits.max_connections = 3;
    let server = start(args).await;
    let mut all = [server.connect().await, server.connect().await, server.connect().await];
    // Longer than a head may take, on a full port: Go uses connections that it has made ahead at any time.
    all[2].is_kept_for(2 * SHORT).await;
    for client in &mut all {
        client.post("/validate", &review("u")).await.is_refusal("u", 403);
    }
}

#[tokio::test]
async fn a_slow_body_is_answered_by_its_uid() {
    let mut args = args();
    args.limits.body_timeout = SHORT;
    let server = start(args).await;
    let body = review("slow");

    let mut client = server.connect().await;
    client.send(&(head("/validate", body.len() + 1) + &body)).await;
    let response = client.receive().await;
    response.is_refusal("slow", 504);
    assert!(response.says("connection: close"), "{response:?}");
    client.is_cut().await;

    for part in ["", "{"] {
        let mut client = server.connect().await;
        client.send(&(head("/validate", body.len()) + part)).await;
        assert_eq!(client.receive().await.status, 408);
        client.is_cut().await;
    }
    server.eventually("podgate_rejected_requests_total{reason=\"too_slow\"}", 3.0).await;
}

#[tokio::test]
async fn a_dripping_body_is_answered_by_its_uid() {
    let mut args = args();
    args.limits.body_timeout = SHORT;
    let server = start(args).await;
    let mut client = server.connect().await;
    client.post("/validate", &review("first")).await.is_refusal("first", 403);
    client.send(&(head("/validate", 100_000) + &review("drip"))).await;
    let start = Instant::now();
    let response = loop {
        client.send("x").await;
        if timeout(SHORT / 8, client.stream.read_buf(&mut client.read)).await.is_ok() {
            break client.receive().await;
        }
    };
    response.is_refusal("drip", 504);
    assert!(start.elapsed() >= SHORT / 2 && start.elapsed() < PATIENCE);
}

#[tokio::test]
async fn the_callers_own_timeout_is_heeded() {
    let server = start(args()).await;
    let mut client = server.connect().await;
    let body = review("hurried");
    let start = Instant::now();
    client.send(&(head("/validate?timeout=1s", body.len() + 1) + &body)).await;
    client.receive().await.is_refusal("hurried", 504);
    assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
}

#[tokio::test]
async fn an_answer_that_is_not_taken_is_given_up() {
    let mut args = args();
    args.limits.body_timeout = SHORT;
    let server = start(args).await;
    let mut client = server.connect().await;
    // More than the buffers of both sockets hold.
    for _ in 0..16 {
        client.send(&post("/validate", &review("megabyte"))).await;
    }
    server.eventually("podgate_connections{port=\"reviews\"}", 0.0).await;
}
