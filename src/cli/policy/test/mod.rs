//! `podgate policy test`: what policies do with pods, beside what is expected of them.

mod judge;
mod load;

use std::io::Write;
use std::path::PathBuf;

use anyhow::Result;

use crate::cli::at::AtArg;
use crate::cli::azure::AzureArgs;
use crate::cli::exit_code::{ALL_WELL, NOT_AS_EXPECTED};
use crate::cli::sources::{OWN_NAMESPACE, all_of, namespace, read_paths};
use crate::policy_test::{FoundTests, TestReport, json, junit, text};

use load::LoadedTest;

/// Judge pods by policies, and compare the verdicts with those that a file expects.
///
/// A file holds a PolicyTest: docs/policies.md describes it. Exit codes: 0 everything is as expected, 1 something is not,
/// 2 wrong usage, or a file at fault.
#[derive(Debug, clap::Args)]
pub(super) struct TestArgs {
    /// Files with tests, and folders of such files.
    #[arg(value_name = "PATH", required = true)]
    paths: Vec<PathBuf>,

    /// The form of the report.
    #[arg(long, env = "PODGATE_FORMAT", value_name = "FORMAT", default_value = "text")]
    format: TestFormat,

    /// The namespace that podgate runs in, which no policy may reach.
    #[arg(long, value_name = "NAME", env = "PODGATE_OWN_NAMESPACE", default_value = OWN_NAMESPACE, value_parser = namespace)]
    own_namespace: String,

    #[command(flatten)]
    at: AtArg,

    #[command(flatten)]
    azure: AzureArgs,
}

/// The forms of a report of tests.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum TestFormat {
    /// For people: one line a case, and below it what differs.
    Text,
    /// For programs: version 1.
    Json,
    /// For CI systems: JUnit's XML.
    Junit,
}

impl TestArgs {
    pub(super) fn run(&self, output: &mut impl Write) -> Result<u8> {
        let mut found = FoundTests::default();
        for file in read_paths(&self.paths, "test")? {
            found.read(&file.name, &file.text);
        }
        let FoundTests { tests, mut faults } = found;
        let loaded: Vec<LoadedTest> = if faults.is_empty() {
            let load = |test| LoadedTest::load(test, &self.own_namespace, &mut faults);
            tests.into_iter().filter_map(load).collect()
        } else {
            Vec::new()
        };
        if !faults.is_empty() {
            return Err(all_of(&faults, "tests"));
        }
        let providers = self.azure.providers_of_files()?;
        let files = loaded.iter().map(|test| test.run(&providers, self.at.day())).collect::<Result<_>>()?;
        let report = TestReport { files };
        match self.format {
            TestFormat::Text => text::write(&report, output)?,
            TestFormat::Json => json::write(&report, output)?,
            TestFormat::Junit => junit::write(&report, output)?,
        }
        Ok(if report.is_as_expected() { ALL_WELL } else { NOT_AS_EXPECTED })
    }
}
