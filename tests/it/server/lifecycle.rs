//! Panics, a port that is taken, readiness, and draining.

use std::sync::Arc;
use std::time::Instant;

use arc_swap::ArcSwap;
use podgate::certificates::{LOOPBACK, TlsVersion, self_signed};
use podgate::server::{Health, Metrics, Server, ShutdownOutcome, Wiring};
use tokio::net::TcpStream;

use super::{Obedient, SHORT, args, review, start};
use crate::wire::{PATIENCE, head};

#[tokio::test]
async fn a_panic_costs_one_review() {
    let server = start(args()).await;
    let response = server.connect().await.post("/validate", &review("panic")).await;
    response.is_refusal("panic", 500);
    let response = server.connect().await.post("/validate", "panic").await;
    assert_eq!(response.status, 500);
    server.connect().await.post("/validate", &review("u")).await.is_refusal("u", 403);
    assert_eq!(server.metric("podgate_panics_total").await, 2.0);
}

#[tokio::test]
async fn a_taken_port_is_named() {
    let server = start(args()).await;
    let made = self_signed(&LOOPBACK, TlsVersion::V1_3).unwrap();
    let wiring = Wiring {
        tls: Arc::new(ArcSwap::new(made.loaded.config)),
        review: Arc::new(Obedient),
        resolver: None,
        health: Health::default(),
        metrics: Arc::new(Metrics::new().unwrap()),
    };
    let mut args = args();
    args.admin_listen = server.address;
    let error = Server::bind(&args, wiring).await.err().unwrap();
    let expected = format!("cannot listen on {}: choose another address with --admin-listen", server.address);
    assert_eq!(error.to_string(), expected);
}

// ---- the admin port

#[tokio::test]
async fn ready_when_everything_is_there() {
    let server = start(args()).await;
    let policies = server.health.wait_for("policies");
    let unready = server.admin("/readyz").await;
    assert_eq!((unready.status, unready.body.as_str()), (503, "waiting for policies"));
    assert_eq!(server.admin("/livez").await.status, 200);
    policies.set(true);
    let ready = server.admin("/readyz").await;
    assert_eq!((ready.status, ready.body.as_str()), (200, "ok"));
    assert_eq!(server.admin("/validate").await.status, 404);
    let metrics = server.admin("/metrics").await;
    assert!(metrics.says("content-type: text/plain; version=0.0.4; charset=utf-8"), "{metrics:?}");
    for name in ["podgate_build_info{", "podgate_reviews_total{", "process_resident_memory_bytes "] {
        assert!(metrics.body.lines().any(|line| line.starts_with(name)), "{name}");
    }
}

// ---- draining

#[tokio::test]
async fn draining_loses_no_request() {
    let mut args = args();
    args.drain_delay = SHORT * 2;
    args.drain_timeout = PATIENCE;
    let server = start(args).await;
    let mut idle = server.connect().await;
    idle.post("/validate", &review("early")).await.is_refusal("early", 403);
    let mut slow = server.connect().await;
    let body = review("slow");
    slow.send(&(head("/validate", body.len()) + &body[..10])).await;
    slow.is_kept_for(SHORT / 8).await;

    server.shutdown.drain();
    let deadline = Instant::now() + PATIENCE;
    while server.admin("/readyz").await.body != "draining" {
        assert!(Instant::now() < deadline, "still ready");
    }
    let mut late = server.connect().await;
    let response = late.post("/validate", &review("late")).await;
    response.is_refusal("late", 403);
    assert!(response.says("connection: close"), "{response:?}");
    late.is_cut().await;

    // The idle connection is closed after the delay; the one with a request is not.
    assert_eq!(idle.more().await.unwrap(), 0);
    assert!(TcpStream::connect(server.address).await.is_err(), "still accepting");
    slow.send(&body[10..]).await;
    let response = slow.receive().await;
    response.is_refusal("slow", 403);
    assert!(response.says("connection: close"), "{response:?}");
    slow.is_cut().await;
    assert_eq!(server.outcome().await, ShutdownOutcome::Drained);
}

#[tokio::test]
async fn draining_ends_in_time() {
    let mut args = args();
    args.drain_timeout = SHORT;
    let server = start(args).await;
    let mut slow = server.connect().await;
    slow.send(&head("/validate", 10)).await;
    slow.is_kept_for(SHORT / 8).await;
    server.shutdown.drain();
    assert_eq!(server.outcome().await, ShutdownOutcome::Cut { connections: 1 });
    slow.is_cut().await;
}

#[tokio::test]
async fn a_second_order_ends_at_once() {
    let mut args = args();
    args.drain_delay = PATIENCE * 10;
    let server = start(args).await;
    let mut client = server.connect().await;
    server.shutdown.drain();
    server.shutdown.abort();
    assert_eq!(server.outcome().await, ShutdownOutcome::Aborted);
    client.is_cut().await;
}
