//! Where log lines go: to standard error, from a thread of its own, so that a reader who does not keep up
//! cannot hold an admission back.

mod ascii;
mod fields;
mod limit;

use std::io;

use tracing::level_filters::LevelFilter;
use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use ascii::Ascii;
use fields::QuotedFields;
use limit::Limiter;

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

/// A log that was started. When it is dropped, what waits is written, and how many lines were left out.
pub(crate) struct Log {
    limiter: Limiter,
    _written_at_the_end: WorkerGuard,
}

impl LogArgs {
    /// Starts logging.
    pub(crate) fn start(&self) -> Log {
        let (writer, guard) = NonBlockingBuilder::default()
            .buffered_lines_limit(WAITING_LINES)
            .lossy(true)
            .thread_name("log")
            .finish(io::stderr());
        let limiter = Limiter::default();
        let layer = tracing_subscriber::fmt::layer().with_ansi(false).with_target(false);
        // What libraries say of their own work is said by us where it matters, once and with what to do.
        let ours = Targets::new().with_target(env!("CARGO_PKG_NAME"), self.log_level);
        let lines = tracing_subscriber::registry().with(ours).with(limiter.clone());
        match self.log_format {
            Format::Text => lines.with(layer.with_writer(writer).fmt_fields(QuotedFields)).init(),
            Format::Json => {
                let json = layer.json().flatten_event(true).with_current_span(false).with_span_list(false);
                lines.with(json.with_writer(move || Ascii(writer.clone()))).init();
            }
        }
        std::panic::set_hook(Box::new(tell_panic));
        Log { limiter, _written_at_the_end: guard }
    }
}

impl Log {
    /// Says every second how many lines were left out. To be spawned.
    pub(crate) fn count_for_ever(&self) -> impl Future<Output = ()> + Send + use<> {
        self.limiter.clone().report_for_ever()
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.limiter.report();
    }
}

/// Logs a panic as a line among others. Its words are told only if they stand in the code as they are: others may hold
/// a part of what was worked on.
fn tell_panic(panic: &std::panic::PanicHookInfo<'_>) {
    let at = panic.location().map(ToString::to_string);
    let words = panic.payload().downcast_ref::<&'static str>().copied();
    tracing::error!(at, words, "panicked");
}
