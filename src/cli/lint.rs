//! `podgate lint`: files in, report out, with the verdicts of the server.

use std::io::{self, Write};
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};

use crate::cli::report_format::ReportFormat;
use crate::cli::sources::{SourceArgs, StandardArg, namespace};
use crate::lint::report::{FailOn, Report};
use crate::lint::{self, Excludes, Input, Options, report};

/// Judge manifests as the server judges pods.
///
/// Reads YAML and JSON: Pods, the built-in kinds with pod templates, and lists of them. Exit codes: 0 what was found was
/// judged and is not refused, 1 something would be refused, 2 wrong usage or policies, 3 nothing would be refused but
/// something could not be read or is unresolved.
#[derive(Debug, clap::Args)]
pub(crate) struct LintArgs {
    /// Files and folders; - is standard input.
    #[arg(value_name = "PATH", required = true)]
    inputs: Vec<PathBuf>,

    /// The form of the report. The summary of text goes to standard error.
    #[arg(long, env = "PODGATE_FORMAT", value_name = "FORMAT", default_value = "text")]
    format: ReportFormat,

    /// Leave out files and folders by a pattern as in .gitignore; repeat it for more. In the variable, a line is a pattern.
    #[arg(long, value_name = "GLOB", env = "PODGATE_EXCLUDE", value_delimiter = '\n')]
    exclude: Vec<String>,

    /// The namespace of objects that name none.
    #[arg(short, long, value_name = "NAME", env = "PODGATE_NAMESPACE", value_parser = namespace)]
    namespace: Option<String>,

    /// What makes it fail, besides what could not be read; repeat it for more. Exit code 3 for unresolved, 1 for the others.
    #[arg(long, value_name = "OUTCOME", env = "PODGATE_FAIL_ON", value_delimiter = ',', default_values = ["deny", "unresolved"])]
    fail_on: Vec<FailOn>,

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
        let excludes = Excludes::new(self.exclude.iter().map(String::as_str)).context("--exclude")?;
        let namespace = self.namespace.unwrap_or_default();
        let options = Options { policies, namespaces: objects.snapshot, namespace, excludes };
        let report = lint::run(&inputs, options);
        match write(&report, self.format, output) {
            // The reader has seen enough, but the verdict still counts.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
            written => written?,
        }
        Ok(report.exit_code(&self.fail_on))
    }
}

fn write(report: &Report, format: ReportFormat, output: &mut impl Write) -> io::Result<()> {
    match format {
        ReportFormat::Json => report::json::write(report, output)?,
        ReportFormat::Text => {
            report::text::write(report, output)?;
            report::unresolved::write(report, output)?;
        }
    }
    output.flush()?;
    match format {
        ReportFormat::Json => Ok(()),
        ReportFormat::Text => report::summary::write(report, &mut io::stderr().lock()),
    }
}
