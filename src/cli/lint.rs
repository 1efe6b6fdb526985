//! `podgate lint`: files in, report out, with the verdicts of the server.

use std::io::{self, Write};
use std::path::PathBuf;

use anyhow::{Result, bail};

use crate::cli::report_format::ReportFormat;
use crate::cli::sources::{SourceArgs, StandardArg};
use crate::lint::report::Report;
use crate::lint::{self, Input, Options, report};

/// Judge manifests as the server judges pods.
///
/// Reads YAML and JSON: Pods, the built-in kinds with pod templates, and lists of them. Exit codes: 0 nothing
/// to report, 1 something would be refused, 2 wrong usage or policies, 3 something could not be read.
#[derive(Debug, clap::Args)]
pub(crate) struct LintArgs {
    /// Files and folders; - is standard input.
    #[arg(value_name = "PATH", required = true)]
    inputs: Vec<PathBuf>,

    /// The form of the report. The summary of text goes to standard error.
    #[arg(long, env = "PODGATE_FORMAT", value_name = "FORMAT", default_value = "text")]
    format: ReportFormat,

    #[command(flatten)]
    sources: SourceArgs,

    #[command(flatten)]
    standard: StandardArg,
}

impl LintArgs {
    pub(crate) fn run(self, output: &mut impl Write) -> Result<u8> {
        let (policies, objects) = self.sources.load(&self.standard)?;
        if policies.pod_security.is_some() {
            bail!(
                "lint judges by SecurityPolicies, not by a PodSecurityConfiguration and the labels of Namespaces: \
                 use --standard LEVEL:VERSION for the verdict of Kubernetes' own evaluator"
            );
        }
        let inputs: Vec<Input> = self.inputs.into_iter().map(Input::from).collect();
        let report = lint::run(&inputs, Options { policies, namespaces: objects.snapshot });
        match write(&report, self.format, output) {
            // The reader has seen enough, but the verdict still counts.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
            written => written?,
        }
        Ok(report.exit_code())
    }
}

fn write(report: &Report, format: ReportFormat, output: &mut impl Write) -> io::Result<()> {
    match format {
        ReportFormat::Json => report::json::write(report, output)?,
        ReportFormat::Text => report::text::write(report, output)?,
    }
    output.flush()?;
    match format {
        ReportFormat::Json => Ok(()),
        ReportFormat::Text => report::summary::write(report, &mut io::stderr().lock()),
    }
}
