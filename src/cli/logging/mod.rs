//! The log: lines on standard error, written by a thread of its own, so that a reader that does not keep up cannot
//! delay an admission. When the process ends by itself, what was logged before is written.

mod ascii;
mod fields;
mod limit;
mod lines;

use std::io;
use std::time::Duration;

use prometheus::IntCounter;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use ascii::AsciiWriter;
use fields::QuotedFields;
use limit::LineLimiter;
use lines::LogLines;

/// How long a thread that panics waits until that is written, in case it takes the process along. A panic is an error of ours,
/// so it may delay a review by that much.
const PANIC_TIMEOUT: Duration = Duration::from_millis(50);

/// What is logged, and how.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Log")]
pub(crate) struct LogArgs {
    /// The form of log lines, on standard error.
    #[arg(long, env = "PODGATE_LOG_FORMAT", value_name = "FORMAT", default_value = "text")]
    log_format: LogFormat,

    /// The least important lines that are written: off, error, warn, info (reviews as well, see --log-reviews) or debug.
    #[arg(long, env = "PODGATE_LOG_LEVEL", value_name = "LEVEL", default_value = "info")]
    log_level: LevelFilter,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Keeps the log going. When it is dropped, what waits is written, and how many lines were left out.
pub(crate) struct LogGuard {
    limiter: LineLimiter,
    lines: LogLines,
}

impl LogArgs {
    /// Starts logging. Lines that are lost are counted.
    ///
    /// # Errors
    /// The system's, if there can be no thread for it.
    pub(crate) fn start(&self, lost: IntCounter) -> io::Result<LogGuard> {
        let lines = LogLines::to(io::stderr(), lost)?;
        let writer = lines.clone();
        let limiter = LineLimiter::default();
        let layer = tracing_subscriber::fmt::layer().with_ansi(false).with_target(false);
        // Libraries do not log: where it matters we do, once and with advice.
        let ours = Targets::new().with_target(env!("CARGO_PKG_NAME"), self.log_level);
        let registry = tracing_subscriber::registry().with(ours).with(limiter.clone());
        match self.log_format {
            LogFormat::Text => {
                registry.with(layer.with_writer(move || writer.clone()).fmt_fields(QuotedFields)).init();
            }
            LogFormat::Json => {
                let json = layer.json().flatten_event(true).with_current_span(false).with_span_list(false);
                registry.with(json.with_writer(move || AsciiWriter(writer.clone()))).init();
            }
        }
        let written = lines.clone();
        std::panic::set_hook(Box::new(move |panic| {
            log_panic(panic);
            written.flush(PANIC_TIMEOUT);
        }));
        Ok(LogGuard { limiter, lines })
    }
}

impl LogGuard {
    /// Logs every second how many lines were left out. To be spawned.
    pub(crate) fn report_every_second(&self) -> impl Future<Output = ()> + Send + use<> {
        self.limiter.clone().report_every_second()
    }
}

impl Drop for LogGuard {
    fn drop(&mut self) {
        self.limiter.report();
        self.lines.close();
    }
}

/// Logs a panic like any other line. Its message is logged only if it is a constant: a formatted one may hold a part of
/// what was being processed.
fn log_panic(panic: &std::panic::PanicHookInfo<'_>) {
    let at = panic.location().map(ToString::to_string);
    let words = panic.payload().downcast_ref::<&'static str>().copied();
    tracing::error!(at, words, "panicked");
}
