//! How long the server waits for a peer, where that must not cost the peer its answer.

use std::sync::Arc;
use std::time::Instant;

use futures::future::BoxFuture;
use podgate::certificates::{LOOPBACK, TlsVersion, self_signed};
use podgate::policy::{Lookup, LookupAnswer, LookupError};
use podgate::server::Resolver;
use tokio::io::AsyncWriteExt as _;
use tokio::sync::Notify;

use crate::server::{PATIENCE, SHORT, Wanting, args, head, post, review, start, start_answering, within};

/// Says that it was asked, and never answers.
#[derive(Default)]
struct Asked(Notify);

impl Resolver for Asked {
    fn resolve<'l>(&'l self, _: &'l Lookup, _: Instant) -> BoxFuture<'l, Result<LookupAnswer, LookupError>> {
        self.0.notify_one();
        Box::pin(std::future::pending())
    }
}

/// A process that gets no CPU for a while finds all its time limits over at once. A review that has come whole
/// before that is answered: the peer was not slow.
#[tokio::test]
async fn a_review_that_is_there_whole_is_answered_however_late() {
    let made = self_signed(&LOOPBACK, TlsVersion::V1_3).unwrap();
    let asked = Arc::new(Asked::default());
    let resolver = Some(Arc::clone(&asked) as Arc<dyn Resolver>);
    let server =
        start_answering(args(), (made.loaded.config, made.certificate), Arc::new(Wanting), resolver).await;
    let mut client = server.connect().await;
    client.send(&post("/validate", &review("late"))).await;
    within(asked.0.notified()).await;
    tokio::time::pause();
    tokio::time::advance(PATIENCE).await;
    tokio::time::resume();
    client.receive().await.is_refusal("late", 403);
}

/// Many clients read no answer before they have written their request.
#[tokio::test]
async fn a_refusal_survives_a_body_that_keeps_coming() {
    let mut args = args();
    args.limits.body_timeout = SHORT;
    let server = start(args).await;
    let mut client = server.connect().await;
    client.send(&(head("/validate", 1 << 40) + &review("large"))).await;
    let more = "x".repeat(64 * 1024);
    let start = Instant::now();
    while start.elapsed() < SHORT + SHORT / 2 {
        client.send(&more).await;
    }
    client.receive().await.is_refusal("large", 413);
    // But it is not listened to without end.
    while within(client.stream.write_all(more.as_bytes())).await.is_ok() {
        assert!(start.elapsed() < PATIENCE, "still reading");
    }
}
