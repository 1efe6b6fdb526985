//! The program as a command.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value as Json;

/// Variables that are not podgate's own, and change what it does.
const UNWANTED: [&str; 7] = ["KUBECONFIG", "COLUMNS", "NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "TERM", "CI"];

/// The program, without whatever the environment would have it do.
pub(crate) fn podgate() -> Command {
    isolated(Path::new(env!("CARGO_BIN_EXE_podgate")))
}

/// Another build of it, likewise.
pub(crate) fn isolated(program: &Path) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("PODGATE_") || UNWANTED.contains(&&*text) {
            command.env_remove(name);
        }
    }
    command.stdin(Stdio::null());
    command
}

/// What a run of the program came to.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) output: String,
    pub(crate) errors: String,
}

impl Ended {
    #[track_caller]
    pub(crate) fn with(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self:#?}");
        assert!(!self.errors.contains("panicked"), "{self:#?}");
        self
    }

    pub(crate) fn lines(&self) -> Vec<Json> {
        self.output.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
    }
}

/// Runs the program in a folder, with this on its standard input.
pub(crate) fn run(folder: &Path, arguments: &[&str], input: &str) -> Ended {
    let mut child = podgate()
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A program that has no use for its input may close it.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let ended = child.wait_with_output().unwrap();
    Ended {
        code: ended.status.code().expect("it ended by itself"),
        output: String::from_utf8(ended.stdout).unwrap(),
        errors: String::from_utf8(ended.stderr).unwrap(),
    }
}
