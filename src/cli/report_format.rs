//! The forms that a report can be written in.

/// The form of a report.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub(crate) enum ReportFormat {
    /// For people.
    Text,
    /// For programs: version 1.
    Json,
}
