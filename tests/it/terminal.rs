//! The linter on a terminal: as wide as it is, in colours unless they are not wanted.

use std::fs::{self, File};
use std::io::Read as _;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Command, Stdio};

use anstream::adapter::strip_str;
use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use tempfile::TempDir;

use crate::command::podgate;

const POD: &str = "{apiVersion: v1, kind: Pod, metadata: {name: p}, spec: {hostIPC: true, containers: \
                   [{name: c, image: i, securityContext: {privileged: true}}]}}";

fn folder() -> TempDir {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("a.yaml"), POD).unwrap();
    folder
}

fn lint(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = podgate();
    command.args(["lint", "--standard", "baseline", "a.yaml"]).args(arguments).current_dir(folder);
    command.env("TERM", "xterm");
    command
}

/// What a program writes to a terminal of this many columns.
fn on_terminal(mut command: Command, columns: u16) -> String {
    let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&terminal).unwrap();
    unlockpt(&terminal).unwrap();
    let name = ptsname(&terminal, Vec::new()).unwrap();
    let end: OwnedFd = rustix::fs::open(name, OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).unwrap();
    let size = Winsize { ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(&end, size).unwrap();
    let mut child = command.stdout(Stdio::from(end)).stderr(Stdio::null()).spawn().unwrap();
    // The command keeps an end of its own, and the terminal is read until the last one is closed.
    drop(command);
    let mut written = Vec::new();
    // A terminal whose other end is closed is an error on Linux, not the end of a file.
    let _ = File::from(terminal).read_to_end(&mut written);
    child.wait().unwrap();
    String::from_utf8(written).unwrap().replace("\r\n", "\n")
}

fn in_pipe(mut command: Command) -> String {
    String::from_utf8(command.output().unwrap().stdout).unwrap()
}

#[test]
fn a_terminal_has_colours_and_an_end_of_lines() {
    let folder = folder();
    for columns in [60, 80, 132] {
        let written = on_terminal(lint(folder.path(), &[]), columns);
        assert!(written.contains("\u{1b}[31m") || written.contains("\u{1b}[1m"), "{written:?}");
        let plain = strip_str(&written).to_string();
        let widest = plain.lines().map(str::len).max().unwrap();
        assert!(widest <= usize::from(columns) && widest > 40, "{widest}: {plain}");
    }
}

#[test]
fn colours_are_as_asked_for() {
    let folder = folder();
    let colored = |written: &str| written.contains('\u{1b}');
    let with = |name: &str, arguments: &[&str]| {
        let mut command = lint(folder.path(), arguments);
        command.env(name, "1");
        command
    };
    assert!(!colored(&on_terminal(with("NO_COLOR", &[]), 80)));
    assert!(!colored(&on_terminal(lint(folder.path(), &["--color", "never"]), 80)));
    assert!(colored(&on_terminal(with("NO_COLOR", &["--color", "always"]), 80)));
    assert!(!colored(&in_pipe(lint(folder.path(), &[]))));
    assert!(colored(&in_pipe(lint(folder.path(), &["--color", "always"]))));
    assert!(colored(&in_pipe(with("CLICOLOR_FORCE", &[]))));
    for format in ["concise", "json"] {
        assert!(!colored(&on_terminal(lint(folder.path(), &["--format", format]), 80)), "{format}");
    }
}

#[test]
fn what_is_no_terminal_is_not_wrapped() {
    let folder = folder();
    let widest = |text: &str| text.lines().map(str::len).max().unwrap();
    assert!(widest(&in_pipe(lint(folder.path(), &[]))) > 100);
    let mut narrow = lint(folder.path(), &[]);
    narrow.env("COLUMNS", "70");
    assert!(widest(&in_pipe(narrow)) <= 70);
    let concise = on_terminal(lint(folder.path(), &["--format", "concise"]), 60);
    assert_eq!(concise.lines().count(), 2, "{concise}");
}
