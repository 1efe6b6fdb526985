//! Promise 15: a tenth of a core, and somebody who hogs another: verdicts stay right, and who waits is answered.
//!
//! Beside ordinary calls there are peers that send half a review and no more. Each is owed a refusal with its uid
//! within the time that its URL gives, however little of the CPU there is.

use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::process::CpuShare;
use crate::report::{Figure, Report};
use crate::wire::{client_config, post};
use crate::{Run, Site};

const MILLICORES: u32 = 100;
/// What a URL says that the caller waits, in turn, in seconds.
const PATIENCE: [u64; 3] = [2, 3, 5];
/// More than the share bears: what cannot be judged at once waits.
const CALLERS: usize = 64;

/// Somebody who takes a core.
struct Hog(Child);

impl Hog {
    fn start() -> Self {
        let hog = Command::new("sh").args(["-c", "while :; do :; done"]).stdin(Stdio::null()).spawn();
        Self(hog.unwrap())
    }
}

impl Drop for Hog {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub(crate) fn starvation(run: Run) -> Report {
    let (rate, time) = (run.pick(10, 100), run.seconds(8, 60));
    let share = CpuShare::new(MILLICORES);
    let site = Site::start();
    site.warm_up();
    if let Some(share) = &share {
        share.hold(site.replica.id());
    }
    let hog = Hog::start();
    let (mut steady, slow) = thread::scope(|scope| {
        let slow = scope.spawn(|| ask_by_half(&site, time));
        (site.clients.open_loop(rate, time), slow.join().unwrap())
    });
    let mut pressed = site.clients.closed_loop(CALLERS, run.seconds(4, 20));
    drop(hog);
    steady.explain();
    pressed.explain();
    for fault in slow.faults.iter().take(3) {
        println!("  error: {fault}");
    }
    site.end();
    Report {
        number: 15,
        name: "starvation",
        how: format!(
            "{} and a core hogged; {rate}/s for {} s, then {CALLERS} callers",
            if share.is_some() { "a tenth of a core" } else { "no control group" },
            time.as_secs()
        ),
        figures: vec![
            Figure::count("answered", steady.right() + pressed.right()),
            Figure::none("wrong verdicts", steady.wrong.len() + pressed.wrong.len()),
            Figure::none("not answered in 10 s", steady.lost.len() + pressed.lost.len()),
            Figure::count("shed or late", steady.shed + steady.late + pressed.shed + pressed.late),
            Figure::of("p99", steady.millis(990), "ms"),
            Figure::of("longest under pressure", pressed.millis(1000), "ms"),
            Figure::count("halves answered with 504", slow.answered).at_least(3.0),
            Figure::none("halves not answered in their time", slow.faults.len()),
        ],
    }
}

/// What came of reviews of which half was sent.
#[derive(Default)]
struct Slow {
    answered: usize,
    faults: Vec<String>,
}

fn ask_by_half(site: &Site, time: Duration) -> Slow {
    const PAUSE: Duration = Duration::from_millis(500);
    let end = Instant::now() + time;
    let mut calls = Vec::new();
    for turn in 0.. {
        if Instant::now() >= end {
            break;
        }
        calls.push(site.clients.runtime.spawn(half(
            site.replica.address,
            site.files.certificate.clone(),
            site.clients.reviews.of_turn(turn),
            PATIENCE[turn % PATIENCE.len()],
        )));
        thread::sleep(PAUSE);
    }
    let mut slow = Slow::default();
    for call in calls {
        match site.clients.runtime.block_on(call).unwrap() {
            Ok(()) => slow.answered += 1,
            Err(fault) => slow.faults.push(fault),
        }
    }
    slow
}

/// Sends half a review, and waits for the answer as long as its URL says.
async fn half(
    address: std::net::SocketAddr,
    certificate: String,
    review: crate::reviews::Review,
    seconds: u64,
) -> Result<(), String> {
    let limit = Duration::from_secs(seconds);
    let exchange = async {
        let stream = TcpStream::connect(address).await?;
        let tls = client_config(&certificate, &[&rustls::version::TLS13], &[b"http/1.1"]);
        let mut stream =
            TlsConnector::from(Arc::new(tls)).connect("localhost".try_into().unwrap(), stream).await?;
        let request = post(&format!("/validate?timeout={seconds}s"), &review.text);
        stream.write_all(&request.as_bytes()[..request.len() / 2]).await?;
        let sent = Instant::now();
        let mut answer = String::new();
        // The connection ends with the answer.
        let read = timeout(limit, stream.read_to_string(&mut answer)).await;
        Ok::<_, std::io::Error>((read.map(|_| answer), sent.elapsed()))
    };
    let (read, took) = exchange.await.map_err(|error| format!("half a review: {error}"))?;
    let answer = read.map_err(|_| format!("half a review: no answer in {limit:?}"))?;
    let is_refusal = answer.contains(&format!("\"uid\":\"{}\"", review.uid))
        && answer.contains("\"allowed\":false")
        && answer.contains("\"code\":504");
    if is_refusal { Ok(()) } else { Err(format!("half a review: after {took:?} {answer:?}")) }
}
