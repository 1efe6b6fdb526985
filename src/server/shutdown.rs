//! When to stop: the first signal drains, the second ends at once.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// The order to stop. Clones share it, so a test can give it as well as a signal can.
#[derive(Debug, Clone, Default)]
pub struct Shutdown {
    drain: CancellationToken,
    abort: CancellationToken,
}

/// How serving ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Everybody was served.
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
    /// An order that SIGTERM or SIGINT gives. Needs a running tokio runtime.
    ///
    /// # Errors
    /// The system's, when a handler cannot be installed.
    pub fn on_signals() -> io::Result<Self> {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let shutdown = Self::default();
        let order = shutdown.clone();
        tokio::spawn(async move {
            either(&mut terminate, &mut interrupt).await;
            order.drain();
            either(&mut terminate, &mut interrupt).await;
            order.abort();
        });
        Ok(shutdown)
    }

    /// Orders to stop accepting, serve what is there, and end.
    pub fn drain(&self) {
        self.drain.cancel();
    }

    /// Orders to end at once.
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

impl Outcome {
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
