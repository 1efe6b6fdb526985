//! When to stop: the first signal drains, the second ends at once.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// A request to shut down. Clones share it, so a test can make it as well as a signal.
#[derive(Debug, Clone, Default)]
pub struct Shutdown {
    drain: CancellationToken,
    abort: CancellationToken,
}

/// How serving ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShutdownOutcome {
    /// Every request was answered.
    Drained,
    /// Some connections were still open when the time was up.
    Cut {
        /// How many.
        connections: usize,
    },
    /// A second signal ended it at once.
    Aborted,
}

impl Shutdown {
    /// A shutdown that SIGTERM or SIGINT starts. Needs a running tokio runtime.
    ///
    /// # Errors
    /// The system's, when a handler cannot be installed.
    pub fn on_signals() -> io::Result<Self> {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let shutdown = Self::default();
        let on_signal = shutdown.clone();
        tokio::spawn(async move {
            either(&mut terminate, &mut interrupt).await;
            on_signal.drain();
            either(&mut terminate, &mut interrupt).await;
            on_signal.abort();
        });
        Ok(shutdown)
    }

    /// Stops accepting, answers the requests that are there, and ends.
    pub fn drain(&self) {
        self.drain.cancel();
    }

    /// Ends at once.
    pub fn abort(&self) {
        self.abort.cancel();
    }

    pub(super) async fn drained(&self) {
        self.drain.cancelled().await;
    }

    pub(super) async fn aborted(&self) {
        self.abort.cancelled().await;
    }
}

impl ShutdownOutcome {
    pub(super) fn of(cut: usize) -> Self {
        match cut {
            0 => Self::Drained,
            connections => Self::Cut { connections },
        }
    }
}

async fn either(one: &mut Signal, other: &mut Signal) {
    tokio::select! {
        _ = one.recv() => {}
        _ = other.recv() => {}
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    #[tokio::test]
    async fn the_first_signal_drains_and_the_second_aborts() {
        let shutdown = Shutdown::on_signals().unwrap();
        send("TERM");
        let patience = Duration::from_secs(20);
        timeout(patience, shutdown.drained()).await.unwrap();
        assert!(!shutdown.abort.is_cancelled());
        send("INT");
        timeout(patience, shutdown.aborted()).await.unwrap();
    }

    fn send(signal: &str) {
        let order = format!("kill -{signal} {}", std::process::id());
        assert!(Command::new("sh").args(["-c", &order]).status().unwrap().success());
    }
}
