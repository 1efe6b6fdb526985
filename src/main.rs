//! The `podgate` program: see [`podgate::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    podgate::cli::run()
}
