//! Arguments in, exit code out: the command line, and the wiring of everything else.

mod at;
mod azure;
mod completions;
mod connection;
mod doctor;
mod exit_code;
mod explain;
mod import;
mod installation;
mod kinds;
mod lint;
mod logging;
mod offline;
mod policy;
mod report_format;
mod review;
mod serve;
mod sources;
mod survey;

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::Error;
use clap::{CommandFactory as _, Parser, Subcommand};

use exit_code::{ALL_WELL, REFUSED, UNUSABLE};
pub use explain::page;

/// The admission gate for ML namespaces on Kubernetes.
#[derive(Debug, Parser)]
#[command(name = "podgate", version, about, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Serve(Box<serve::ServeArgs>),
    Lint(Box<lint::LintArgs>),
    Review(Box<review::ReviewArgs>),
    Explain(explain::ExplainArgs),
    Policy(policy::PolicyArgs),
    Kinds(kinds::KindsArgs),
    Survey(survey::SurveyArgs),
    Doctor(Box<doctor::Doctor>),
    Import(import::ImportArgs),
    Completions(completions::CompletionsArgs),
    Man(completions::ManArgs),
}

/// The commands and flags of the program.
#[must_use]
pub fn definition() -> clap::Command {
    Cli::command()
}

/// Runs the program with the arguments of the process.
#[must_use]
pub fn run() -> ExitCode {
    let Cli { command } = Cli::parse();
    let mut output = io::BufWriter::new(io::stdout().lock());
    let code = match command {
        Command::Serve(serve) => serve.run(&mut output),
        Command::Lint(lint) => lint.run(&mut output),
        Command::Review(review) => review.run(&mut output),
        Command::Explain(explain) => explain.run(&mut output),
        Command::Policy(policy) => policy.run(&mut output),
        Command::Kinds(kinds) => kinds.run(&mut output),
        Command::Survey(survey) => survey.run(&mut output),
        Command::Doctor(doctor) => doctor.run(&mut output),
        Command::Import(import) => import.run(&mut output),
        Command::Completions(completions) => completions.run(Cli::command(), &mut output),
        Command::Man(man) => man.run(Cli::command()),
    };
    match code.and_then(|code| output.flush().map(|()| code).map_err(Error::from)) {
        Ok(code) => ExitCode::from(code),
        // The reader of our output has seen enough.
        Err(error) if is_broken_pipe(&error) => ExitCode::from(ALL_WELL),
        Err(error) => {
            let _ = writeln!(io::stderr(), "podgate: {error:#}");
            ExitCode::from(UNUSABLE)
        }
    }
}

fn is_broken_pipe(error: &Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_are_sound() {
        definition().debug_assert();
    }
}
