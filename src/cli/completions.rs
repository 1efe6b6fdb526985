//! `podgate completions` and `podgate man`: made from the definitions of the arguments, so that they cannot differ from them.

use std::fs;
use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Command;
use clap_complete::Shell;

use crate::cli::exit_code::ALL_WELL;

/// Print the completions of a shell.
///
/// For bash: source <(podgate completions bash). For zsh: source <(podgate completions zsh). For fish: podgate completions fish
/// | source.
#[derive(Debug, clap::Args)]
pub(crate) struct CompletionsArgs {
    /// The shell.
    shell: Shell,
}

/// Write the manual pages into a folder, one for each command.
///
/// Read one with man -l FOLDER/podgate-lint.1, or name a folder that man searches, such as ~/.local/share/man/man1.
#[derive(Debug, clap::Args)]
pub(crate) struct ManArgs {
    /// The folder; it is made if it is not there.
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
}

impl CompletionsArgs {
    pub(crate) fn run(&self, mut program: Command, output: &mut impl Write) -> Result<u8> {
        // Not to the output itself: the generator panics where a reader has gone.
        let mut text = Vec::new();
        let name = program.get_name().to_owned();
        clap_complete::generate(self.shell, &mut program, name, &mut text);
        output.write_all(&text)?;
        Ok(ALL_WELL)
    }
}

impl ManArgs {
    pub(crate) fn run(&self, program: Command) -> Result<u8> {
        let folder = self.folder.display();
        fs::create_dir_all(&self.folder).with_context(|| format!("cannot make the folder {folder}"))?;
        clap_mangen::generate_to(program, &self.folder)
            .with_context(|| format!("cannot write manual pages into {folder}"))?;
        Ok(ALL_WELL)
    }
}
