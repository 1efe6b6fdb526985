//! Sizes: bodies that are too long, that claim to be, and that compete for room.

use std::sync::Arc;
use std::time::Duration;

use podgate::admission::{Reply, Unanswerable, Webhook, refuse};
use podgate::certificates::{LOOPBACK, TlsVersion, self_signed};
use podgate::policy::Answers;
use podgate::server::ReviewHandler;

use super::{SHORT, args, long_review, review, start, start_answering};
use crate::wire::{head, post};

#[tokio::test]
async fn a_review_that_is_too_large_is_refused_by_its_uid() {
    let mut args = args();
    args.limits.max_body_bytes = 10_000;
    let server = start(args).await;
    server.connect().await.post("/validate", &long_review("fits", 10_000)).await.is_refusal("fits", 403);

    // Far more than the buffers of both sockets hold: the answer must survive what is still being sent.
    for bytes in [10_001, 30 << 20] {
        let mut client = server.connect().await;
        let response = client.post("/validate", &long_review("large", bytes)).await;
        response.is_refusal("large", 413);
        assert!(response.says("connection: close"), "{response:?}");
        client.is_cut().await;
    }
    let mut client = server.connect().await;
    assert_eq!(client.post("/validate", &"x".repeat(20_000)).await.status, 413);
    assert_eq!(server.metric("podgate_rejected_requests_total{reason=\"too_large\"}").await, 3.0);
}

#[tokio::test]
async fn a_length_that_is_only_claimed_is_refused_without_waiting_for_it() {
    let server = start(args()).await;
    let mut client = server.connect().await;
    let beginning = long_review("claimed", 5_000);
    client.send(&(head("/validate", 1 << 62) + &beginning)).await;
    client.receive().await.is_refusal("claimed", 413);
}

#[tokio::test]
async fn chunks_are_counted() {
    let mut args = args();
    args.limits.max_body_bytes = 10_000;
    let server = start(args).await;
    let mut client = server.connect().await;
    client.send(&head("/mutate", 0).replace("Content-Length: 0", "Transfer-Encoding: chunked")).await;
    let body = long_review("chunks", 20_000);
    client.send(&format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len())).await;
    client.receive().await.is_refusal("chunks", 413);
}

/// A stalled body keeps its place until another body needs it, and is then answered.
#[tokio::test]
async fn an_unfinished_review_gives_way_to_one_that_is_sent() {
    let mut args = args();
    args.limits.max_body_bytes = 300_000;
    args.limits.max_buffered_bytes = 600_000;
    let server = start(args).await;
    for (held, room) in
        [(long_review("holder", 290_000), "large"), (long_review("holder", 160_000), "ordinary")]
    {
        let mut holder = server.connect().await;
        holder.send(&(head("/validate", held.len()) + &held[..held.len() - 1])).await;
        let taken = format!("podgate_buffered_bytes{{room=\"{room}\"}}");
        server.eventually(&taken, held.len() as f64).await;
        holder.is_kept_for(SHORT).await;
        server.connect().await.post("/validate", &review("small")).await.is_refusal("small", 403);

        let other = held.replace("holder", "other!");
        server.connect().await.post("/validate", &other).await.is_refusal("other!", 403);
        holder.receive().await.is_refusal("holder", 429);
        holder.is_cut().await;
        server.eventually(&taken, 0.0).await;
        server.eventually(&format!("podgate_waiting_reviews{{for=\"{room}\"}}"), 0.0).await;
    }
    let mut nameless = server.connect().await;
    nameless.send(&(head("/validate", 290_000) + &"x".repeat(200_000))).await;
    server.connect().await.post("/validate", &long_review("named", 290_000)).await.is_refusal("named", 403);
    let answer = nameless.receive().await;
    assert_eq!(answer.status, 429);
    assert!(answer.says("retry-after: 1"), "{answer:?}");
}

/// Blocks each review until the test releases it.
struct Waits(std::sync::Mutex<std::sync::mpsc::Receiver<()>>);

impl ReviewHandler for Waits {
    fn review<'b>(&self, webhook: Webhook, body: &'b [u8], _: &Answers) -> Result<Reply<'b>, Unanswerable> {
        if body.len() > 100_000 {
            let _ = self.0.lock().unwrap().recv();
        }
        Ok(Reply::Answer(refuse(webhook, body, 403, "as tested")?))
    }
}

/// Long reviews that never finish hold up neither short ones nor those of medium length. One that waits for its turn is
/// answered in time, and a client that leaves while it waits leaves nothing behind.
#[tokio::test]
async fn a_long_review_that_is_judged_keeps_no_other_waiting() {
    let mut args = args();
    args.limits.body_timeout = Duration::from_secs(6);
    let made = self_signed(&LOOPBACK, TlsVersion::V1_3).unwrap();
    let (tell, told) = std::sync::mpsc::channel();
    let waits = Arc::new(Waits(told.into()));
    let longest = args.limits.max_body_bytes;
    let server = start_answering(args, (made.loaded.config, made.certificate), waits, None).await;
    let waiting = "podgate_waiting_reviews{for=\"turn\"}";
    let mut first = server.connect().await;
    first.send(&post("/validate", &long_review("first", longest))).await;
    server.eventually("podgate_buffered_bytes{room=\"large\"}", longest as f64).await;

    let mut gone = server.connect().await;
    gone.send(&post("/validate", &long_review("gone", longest))).await;
    server.eventually(waiting, 1.0).await;
    drop(gone);
    server.eventually(waiting, 0.0).await;
    for bytes in [200, 10_000, 90_000] {
        server.connect().await.post("/validate", &long_review("other", bytes)).await.is_refusal("other", 403);
    }

    let late = server.connect().await.post("/validate", &long_review("late", longest)).await;
    late.is_refusal("late", 504);
    first.receive().await.is_refusal("first", 504);
    drop(tell);
    server.eventually("podgate_buffered_bytes{room=\"large\"}", 0.0).await;
    // Nobody received the verdict of the first: only its refusal is counted.
    assert_eq!(server.metric("podgate_review_duration_seconds_count{webhook=\"validate\"}").await, 5.0);
}
