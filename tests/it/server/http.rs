//! HTTP: what is answered, and what is refused before a review is read.

use std::sync::Arc;
use std::time::Duration;

use podgate::certificates::{LOOPBACK, TlsVersion, self_signed};
use podgate::server::Resolver;

use super::{Looker, Wanting, args, long_review, review, start, start_answering};
use crate::wire::{PATIENCE, head, post};

#[tokio::test]
async fn reviews_are_answered_on_one_connection() {
    let server = start(args()).await;
    let mut client = server.connect().await;
    for (path, uid) in [("/validate", "a"), ("/mutate?timeout=10s", "b"), ("/validate?timeout=nonsense", "c")]
    {
        let response = client.post(path, &review(uid)).await;
        response.is_refusal(uid, 403);
        assert!(!response.says("connection: close"), "{response:?}");
    }
    assert_eq!(server.metric("podgate_connections{port=\"reviews\"}").await, 1.0);
    assert_eq!(server.metric("podgate_review_duration_seconds_count{webhook=\"validate\"}").await, 2.0);
    assert_eq!(server.metric("podgate_review_duration_seconds_count{webhook=\"mutate\"}").await, 1.0);
}

/// A look-up that never ends, or panics, must not end the connection: an EOF may let a pod in, a refusal does not.
#[tokio::test]
async fn a_look_up_that_goes_wrong_is_answered() {
    let mut impatient = args();
    impatient.limits.body_timeout = Duration::from_secs(2);
    for (looker, expected) in [
        (None, "there is no cluster to ask"),
        (Some(Looker::Never), "the API server did not answer in time"),
        (Some(Looker::Panics), "the API server did not answer in time"),
    ] {
        let resolver = looker.map(|looker| Arc::new(looker) as Arc<dyn Resolver>);
        let made = self_signed(&LOOPBACK, TlsVersion::V1_3).unwrap();
        let shown = (made.loaded.config, made.certificate);
        let server = start_answering(impatient.clone(), shown, Arc::new(Wanting), resolver).await;
        let mut client = server.connect().await;
        for path in ["/validate", "/validate?timeout=2s", "/validate"] {
            let response = client.post(path, &review("u")).await;
            response.is_refusal("u", 403);
            assert!(response.body.contains(expected), "{path}: {response:?}");
        }
    }
}

#[tokio::test]
async fn bodies_of_every_length_arrive_whole() {
    let mut args = args();
    // Long ones take a while in a debug build.
    args.limits.body_timeout = PATIENCE;
    let server = start(args).await;
    let mut client = server.connect().await;
    for bytes in [100, 7_000, 8_192, 16_384, 40_000, 1 << 20, 8 << 20] {
        client.post("/validate", &long_review("long", bytes)).await.is_refusal("long", 403);
    }
}

#[tokio::test]
async fn chunked_bodies_are_read() {
    let server = start(args()).await;
    let mut client = server.connect().await;
    let body = review("chunks");
    let (one, other) = body.split_at(20);
    let chunked = format!("{:x}\r\n{one}\r\n{:x}\r\n{other}\r\n0\r\n\r\n", one.len(), other.len());
    for _ in 0..2 {
        client
            .send(
                &(head("/validate", 0).replace("Content-Length: 0", "Transfer-Encoding: chunked") + &chunked),
            )
            .await;
        client.receive().await.is_refusal("chunks", 403);
    }
}

#[tokio::test]
async fn what_no_api_server_sends_is_refused() {
    let server = start(args()).await;
    let good = post("/validate", &review("u"));
    let with = |old: &str, new: &str| good.replacen(old, new, 1);
    let headers = |count: usize| {
        with("Accept:", &"X: y\r\n".repeat(count)).replacen(" application/json, */*\r\n", "", 1)
    };
    let long = |bytes: usize| with("/validate", &format!("/validate?{}", "x".repeat(bytes)));
    for (status, request) in [
        (404, with("/validate", "/")),
        (404, with("/validate", "/validate/")),
        (404, with("/validate", "//validate")),
        (404, with("/validate", "/%76alidate")),
        (404, with("/validate", "/x/../validate")),
        (404, with("/validate", "/metrics")),
        (405, with("POST", "GET")),
        (405, with("POST", "PUT")),
        (405, with("POST", "DELETE")),
        (405, with("POST", "BREW")),
        (414, long(1_015)),
        (415, with("Content-Type: application/json", "X: y")),
        (415, with("Content-Type: application/json", "Content-Type: application/yaml")),
        (415, with("Content-Type: application/json", "Content-Type: application/json; charset=utf-16")),
        (415, with("Accept-Encoding", "Content-Encoding")),
        (431, headers(64)),
        (431, headers(200)),
        (431, with("Accept:", &format!("X: {}\r\nAccept:", "y".repeat(16 * 1024)))),
        (505, with("HTTP/1.1", "HTTP/1.0")),
        (400, with("Host:", "X:")),
        (400, with("Host:", "Host: other\r\nHost:")),
        (400, with("Content-Length:", "Content-Length: 1\r\nContent-Length:")),
        (400, with("Content-Length: ", "Content-Length: +")),
        (400, with("Content-Length: ", "Content-Length: 99999999999999999999")),
        (400, with("Content-Length: ", "Transfer-Encoding: gzip, chunked\r\nX: ")),
        (400, with("Content-Length: ", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\nX: ")),
        (400, with("Content-Length: ", "Transfer-Encoding: identity\r\nX: ")),
        (400, with("User-Agent:", " folded:")),
        (400, with("User-Agent:", "User-Agent :")),
        (400, with("User-Agent:", "User\0Agent:")),
        (400, with("POST /validate HTTP/1.1", "nonsense")),
        (400, post("/validate", "not a review")),
        (400, post("/validate", "")),
    ] {
        let mut client = server.connect().await;
        client.send(&request).await;
        let response = client.receive().await;
        assert_eq!(response.status, status, "{request:.300}\n{response:?}");
        assert!(response.says("connection: close"), "{request:.300}\n{response:?}");
        client.is_cut().await;
    }
    let mut client = server.connect().await;
    for accepted in [
        with("application/json\r\n", "application/json; charset=UTF-8\r\n"),
        with("Accept-Encoding: gzip", "Content-Encoding: identity"),
        headers(57),
        long(1_014),
        with("/validate", "https://podgate.podgate.svc/validate"),
    ] {
        client.send(&accepted).await;
        client.receive().await.is_refusal("u", 403);
    }
    assert_eq!(server.metric("podgate_rejected_requests_total{reason=\"path\"}").await, 6.0);
    assert_eq!(server.metric("podgate_rejected_requests_total{reason=\"method\"}").await, 4.0);
    assert_eq!(server.metric("podgate_rejected_requests_total{reason=\"no_review\"}").await, 2.0);
}

/// What hyper decides before we see it: as RFC 9112 has it, not as we would.
#[tokio::test]
async fn what_hyper_lets_pass() {
    let server = start(args()).await;
    let body = review("u");
    let good = post("/validate", &body);
    let chunked = format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
    let both =
        head("/validate", 3).replacen("Accept:", "Transfer-Encoding: chunked\r\nAccept:", 1) + &chunked;
    let length = format!("Content-Length: {}\r\n", body.len());
    for (request, closes) in [
        (both, true),
        (good.replacen(&length, &length.repeat(2), 1), false),
        (good.replace("\r\n", "\n"), false),
    ] {
        let mut client = server.connect().await;
        client.send(&request).await;
        let response = client.receive().await;
        response.is_refusal("u", 403);
        assert_eq!(response.says("connection: close"), closes, "{response:?}");
    }
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order_up_to_junk() {
    let server = start(args()).await;
    let mut client = server.connect().await;
    let requests: String = ["1", "2", "3"].map(|uid| post("/validate", &review(uid))).concat();
    client.send(&(requests + "junk\r\n\r\n")).await;
    for uid in ["1", "2", "3"] {
        client.receive().await.is_refusal(uid, 403);
    }
    assert_eq!(client.receive().await.status, 400);
    client.is_cut().await;
    server.eventually("podgate_rejected_requests_total{reason=\"malformed\"}", 1.0).await;
}

#[tokio::test]
async fn an_expected_continue_is_sent() {
    let server = start(args()).await;
    let mut client = server.connect().await;
    let body = review("u");
    client
        .send(&head("/validate", body.len()).replacen("Accept:", "Expect: 100-continue\r\nAccept:", 1))
        .await;
    assert_eq!(client.receive().await.status, 100);
    client.send(&body).await;
    client.receive().await.is_refusal("u", 403);
}
