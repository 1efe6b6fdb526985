//! `podgate kinds discover`: CustomResourceDefinitions in, a file for `--kinds` out.

use std::io::{self, Write};
use std::path::PathBuf;

use anyhow::Result;

use crate::cli::exit_code::{ALL_WELL, UNREAD};
use crate::cli::kinds::inputs::texts_of;
use crate::cli::sources::KindsArg;
use crate::kinds::Discovery;
use crate::text::{counted, one_line};

/// Propose entries for --kinds from CustomResourceDefinitions.
///
/// Looks in their schemas for what only a pod has, and writes a file with the kinds that are not known; comments say what it
/// leaves open, and where the schema of a kind that is known has other places. Exit codes: 0 all was read, 2 wrong usage,
/// 3 something could not be read, or there is no CustomResourceDefinition.
#[derive(Debug, clap::Args)]
pub(crate) struct DiscoverArgs {
    /// Files and folders with CustomResourceDefinitions; - is standard input.
    #[arg(value_name = "PATH", required = true)]
    inputs: Vec<PathBuf>,

    #[command(flatten)]
    kinds: KindsArg,
}

impl DiscoverArgs {
    pub(crate) fn run(&self, output: &mut impl Write) -> Result<u8> {
        let mut discovery = Discovery::new(self.kinds.load()?);
        let mut unread: Vec<String> = Vec::new();
        for text in self.inputs.iter().flat_map(|input| texts_of(input)) {
            match text {
                Ok(file) => discovery.read(&file.name, &file.text),
                Err(error) => unread.push(format!("{error:#}")),
            }
        }
        unread.extend(discovery.faults().iter().map(ToString::to_string));
        if discovery.count() > 0 {
            output.write_all(discovery.proposal().as_bytes())?;
            // What goes to standard error comes behind the file.
            output.flush()?;
        }
        let mut errors = io::stderr().lock();
        for fault in &unread {
            writeln!(errors, "{}", one_line(fault))?;
        }
        writeln!(errors, "{}{}", discovery.summary(), faults_of(unread.len()))?;
        let is_whole = unread.is_empty() && discovery.count() > 0;
        Ok(if is_whole { ALL_WELL } else { UNREAD })
    }
}

fn faults_of(count: usize) -> String {
    if count == 0 { String::new() } else { format!("; {}", counted(count, "fault")) }
}
