//! `podgate kinds`: which kinds carry pods, and where. Also the source of `docs/kinds.md`.

mod discover;
mod inputs;

use std::io::Write;

use anyhow::{Error, Result};

use crate::cli::exit_code::ALL_WELL;
use crate::cli::sources::KindsArg;
use crate::kinds::ListedKinds;

use discover::DiscoverArgs;

/// List the kinds that carry pods, and where in them.
///
/// Kubernetes' own, the custom resources that podgate knows, and those of --kinds. Exit codes: 0 they are listed, 2 wrong
/// usage, faulty files of kinds, or a name that no kind has.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct KindsArgs {
    #[command(subcommand)]
    command: Option<KindsCommand>,

    /// Only kinds with this text in their group or kind, in whatever case: pytorchjob, ray.io.
    #[arg(value_name = "KIND|GROUP")]
    names: Vec<String>,

    #[command(flatten)]
    kinds: KindsArg,

    /// The form of the list.
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: KindsFormat,
}

#[derive(Debug, clap::Subcommand)]
enum KindsCommand {
    Discover(DiscoverArgs),
}

/// The forms of the list of kinds.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum KindsFormat {
    /// For people: a table.
    Text,
    /// For programs: version 1.
    Json,
    /// The page docs/kinds.md.
    Markdown,
}

impl KindsArgs {
    pub(crate) fn run(&self, output: &mut impl Write) -> Result<u8> {
        match &self.command {
            Some(KindsCommand::Discover(discover)) => discover.run(output),
            None => self.list(output),
        }
    }

    fn list(&self, output: &mut impl Write) -> Result<u8> {
        let mut listed = ListedKinds::new(&self.kinds.load()?);
        listed.retain(&self.names).map_err(Error::msg)?;
        let text = match self.format {
            KindsFormat::Text => listed.text(),
            KindsFormat::Json => format!("{}\n", listed.json()?),
            KindsFormat::Markdown => listed.markdown(),
        };
        output.write_all(text.as_bytes())?;
        Ok(ALL_WELL)
    }
}
