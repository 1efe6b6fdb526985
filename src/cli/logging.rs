//! Where log lines go: to standard error, from a thread of its own, so that a reader who does not keep up
//! cannot hold an admission back.

use std::io;

use tracing::level_filters::LevelFilter;
use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// Lines that wait to be written; past it lines are lost rather than reviews delayed.
const WAITING_LINES: usize = 16_384;

/// What is logged, and how.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Log")]
pub(crate) struct LogArgs {
    /// The form of log lines, on standard error.
    #[arg(long, env = "PODGATE_LOG_FORMAT", value_name = "FORMAT", default_value = "text")]
    log_format: Format,

    /// The least important lines that are written: off, error, warn, info (a line for each review) or debug.
    #[arg(long, env = "PODGATE_LOG_LEVEL", value_name = "LEVEL", default_value = "info")]
    log_level: LevelFilter,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Format {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

impl LogArgs {
    /// Starts logging. Lines that wait are written when the guard is dropped.
    pub(crate) fn start(&self) -> WorkerGuard {
        let (writer, guard) = NonBlockingBuilder::default()
            .buffered_lines_limit(WAITING_LINES)
            .lossy(true)
            .thread_name("log")
            .finish(io::stderr());
        let layer = tracing_subscriber::fmt::layer().with_writer(writer).with_ansi(false).with_target(false);
        // What libraries say of their own work is said by us where it matters, once and with what to do.
        let ours = Targets::new().with_target(env!("CARGO_PKG_NAME"), self.log_level);
        let lines = tracing_subscriber::registry().with(ours);
        match self.log_format {
            Format::Text => lines.with(layer).init(),
            Format::Json => lines
                .with(layer.json().flatten_event(true).with_current_span(false).with_span_list(false))
                .init(),
        }
        guard
    }
}
