//! `podgate policy`: policies by themselves, before a server or the linter is to go by them.

mod check;
mod test;

use std::io::Write;

use anyhow::Result;

/// Work with policy files.
#[derive(Debug, clap::Args)]
pub(crate) struct PolicyArgs {
    #[command(subcommand)]
    command: PolicyCommand,
}

#[derive(Debug, clap::Subcommand)]
enum PolicyCommand {
    Check(Box<check::CheckArgs>),
    Test(Box<test::TestArgs>),
}

impl PolicyArgs {
    pub(crate) fn run(&self, output: &mut impl Write) -> Result<u8> {
        match &self.command {
            PolicyCommand::Check(check) => check.run(output),
            PolicyCommand::Test(test) => test.run(output),
        }
    }
}
