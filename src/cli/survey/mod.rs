//! `podgate survey`: looks through a whole cluster, and reports pod by pod.

mod identity;

use std::io::Write;

use anyhow::Result;

use identity::SurveyIdentityArgs;

/// Look through a cluster, pod by pod, and say what is there and what is missing.
///
/// Only reads.
#[derive(Debug, clap::Args)]
pub(crate) struct SurveyArgs {
    #[command(subcommand)]
    command: SurveyCommand,
}

#[derive(Debug, clap::Subcommand)]
enum SurveyCommand {
    Identity(SurveyIdentityArgs),
}

impl SurveyArgs {
    pub(crate) fn run(&self, output: &mut impl Write) -> Result<u8> {
        match &self.command {
            SurveyCommand::Identity(identity) => identity.run(output),
        }
    }
}
