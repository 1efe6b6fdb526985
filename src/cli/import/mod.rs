//! `podgate import`: policies of others become podgate's own.

mod psp;

use std::io::Write;

use anyhow::Result;

/// Make policies of those of others.
#[derive(Debug, clap::Args)]
pub(crate) struct ImportArgs {
    #[command(subcommand)]
    command: ImportCommand,
}

#[derive(Debug, clap::Subcommand)]
enum ImportCommand {
    Psp(Box<psp::PspArgs>),
}

impl ImportArgs {
    pub(crate) fn run(&self, output: &mut impl Write) -> Result<u8> {
        match &self.command {
            ImportCommand::Psp(psp) => psp.run(output),
        }
    }
}
