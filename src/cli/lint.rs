//! `podgate lint`: files in, report out, with the verdicts of the server.

use std::env;
use std::io::{self, Write};
use std::path::PathBuf;

use anstream::AutoStream;
use anyhow::{Context as _, Result, bail};
use clap::ColorChoice;
use terminal_size::{Width, terminal_size_of};

use crate::cli::at::AtArg;
use crate::cli::azure::AzureArgs;
use crate::cli::sources::{KindsArg, SourceArgs, StandardArg, namespace};
use crate::evaluate::Severity;
use crate::kinds::KindFiles;
use crate::lint::report::{FailOn, Layout, Report};
use crate::lint::{self, Excludes, Input, Options, report};

/// The least width that lines are wrapped at: nobody can read narrower ones.
const LEAST_WIDTH: usize = 40;

/// Judge manifests as the server judges pods.
///
/// Reads YAML and JSON: Pods, the kinds with pod templates that podgate kinds lists, and lists of them. Exit codes: 0 what was found was
/// judged and is not refused, 1 something would be refused, 2 wrong usage, faulty policies or kinds, 3 nothing would be refused but
/// something could not be read or is unresolved.
#[derive(Debug, clap::Args)]
pub(crate) struct LintArgs {
    /// Files and folders; - is standard input.
    #[arg(value_name = "PATH", required = true)]
    inputs: Vec<PathBuf>,

    #[command(flatten)]
    output: OutputArgs,

    /// Leave out files and folders by a pattern as in .gitignore; repeat it for more. In the variable, a line is a pattern.
    #[arg(long, value_name = "GLOB", env = "PODGATE_EXCLUDE", value_delimiter = '\n')]
    exclude: Vec<String>,

    /// The namespace of objects that name none.
    #[arg(short, long, value_name = "NAME", env = "PODGATE_NAMESPACE", value_parser = namespace)]
    namespace: Option<String>,

    /// What makes it fail, besides what is refused or could not be read; repeat it for more. Exit code 3 for unresolved, 1 for the others.
    #[arg(long, value_name = "OUTCOME", env = "PODGATE_FAIL_ON", value_delimiter = ',', default_values = ["deny", "unresolved"])]
    fail_on: Vec<FailOn>,

    #[command(flatten)]
    kinds: KindsArg,

    #[command(flatten)]
    sources: SourceArgs,

    #[command(flatten)]
    standard: StandardArg,

    #[command(flatten)]
    at: AtArg,

    #[command(flatten)]
    azure: AzureArgs,
}

/// What is printed of the report, and how.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Output")]
struct OutputArgs {
    /// The form of the report.
    #[arg(long, env = "PODGATE_FORMAT", value_name = "FORMAT", default_value = "text")]
    format: LintFormat,

    /// Print only what makes the run fail: no warnings, no table, no summary.
    #[arg(short, long)]
    quiet: bool,

    /// Print only how often each control is violated.
    #[arg(long)]
    statistics: bool,

    /// Colours: auto uses them on a terminal, unless NO_COLOR is set.
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    color: ColorChoice,
}

/// The forms of a lint report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum LintFormat {
    /// For people: by object, then a table of the controls; a summary on standard error.
    Text,
    /// One line per finding: FILE:LINE:COLUMN: SEVERITY: CONTROL: what to do.
    Concise,
    /// For programs: version 1.
    Json,
}

impl LintArgs {
    pub(crate) fn run(self, output: &mut impl Write) -> Result<u8> {
        if self.output.statistics && self.output.format == LintFormat::Json {
            bail!("--statistics is for people: JSON has the findings to count");
        }
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
        let kinds = self.kinds.load()?;
        let options = Options {
            policies,
            namespaces: objects.snapshot,
            references: objects.references,
            namespace,
            excludes,
            today: Some(self.at.day()),
            kinds,
            providers: self.azure.providers_of_files()?,
            check_tables: Some(KindFiles::faults_of),
        };
        let report = lint::run(&inputs, options);
        match self.output.write(&report, &self.fail_on, output) {
            // The reader has seen enough, but the verdict still counts.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
            written => written?,
        }
        Ok(report.exit_code(&self.fail_on))
    }
}

impl OutputArgs {
    fn write(&self, report: &Report, fail_on: &[FailOn], output: &mut impl Write) -> io::Result<()> {
        let layout = self.layout(fail_on);
        if self.statistics {
            report::statistics::write(report, layout, output)?;
        } else {
            match self.format {
                LintFormat::Text => report::text::write(report, layout, output)?,
                LintFormat::Concise => report::concise::write(report, layout, output)?,
                LintFormat::Json => return report::json::write(report, output),
            }
        }
        if self.quiet {
            output.flush()?;
            // A run never fails without a word.
            let fails = fail_on.contains(&FailOn::Unjudged);
            return if fails {
                report::summary::write_unjudged(report, &mut io::stderr().lock())
            } else {
                Ok(())
            };
        }
        if self.format == LintFormat::Text && !self.statistics {
            report::text::write_table(report, layout, output)?;
        }
        // What goes to standard error comes behind the report.
        output.flush()?;
        report::summary::write(report, &mut io::stderr().lock())
    }

    fn layout(&self, fail_on: &[FailOn]) -> Layout {
        let least_of_quiet = if fail_on.contains(&FailOn::Warn) { Severity::Warn } else { Severity::Deny };
        let stdout = io::stdout();
        let is_colored = match self.color {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto => AutoStream::choice(&stdout) != anstream::ColorChoice::Never,
        };
        let of_terminal = terminal_size_of(&stdout).map(|(Width(width), _)| usize::from(width));
        let width = of_terminal.or_else(|| env::var("COLUMNS").ok()?.parse().ok());
        Layout {
            width: width.map(|width| width.max(LEAST_WIDTH)),
            is_colored,
            least: if self.quiet { least_of_quiet } else { Severity::Audit },
            shows_unresolved: !self.quiet || fail_on.contains(&FailOn::Unresolved),
            shows_notes: !self.quiet,
        }
    }
}
