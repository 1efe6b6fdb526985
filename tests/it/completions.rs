//! Completions that shells take, and manual pages that miss no flag.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::command::{podgate, run};
use crate::left_out::leave_out;

/// What each shell is asked to complete, and how it is told to source the file `completions` first.
const SHELLS: [(&str, &[&str], &str); 3] = [
    (
        "bash",
        &["--noprofile", "--norc", "-ec"],
        ". ./completions; COMP_WORDS=(podgate expl); COMP_CWORD=1; _podgate podgate expl podgate; echo \"${COMPREPLY[@]}\"",
    ),
    (
        "zsh",
        &["-fec"],
        "autoload -Uz compinit; compinit -D -u; . ./completions; whence -w _podgate >&2; print -r -- ${_comps[podgate]} explain",
    ),
    ("fish", &["--no-config", "-c"], "source ./completions; complete -C 'podgate expl'"),
];

#[test]
fn each_shell_sources_its_completions() {
    let folder = tempfile::tempdir().unwrap();
    for (shell, flags, script) in SHELLS {
        let completions = run(folder.path(), &["completions", shell], "").with(0).output;
        fs::write(folder.path().join("completions"), completions).unwrap();
        let ended = Command::new(shell)
            .args(flags)
            .arg(script)
            .current_dir(folder.path())
            .env("HOME", folder.path())
            .output();
        let Ok(ended) = ended else {
            leave_out(&format!("completions of {shell}"), &format!("there is no {shell}"));
            continue;
        };
        let output = String::from_utf8_lossy(&ended.stdout);
        let errors = String::from_utf8_lossy(&ended.stderr);
        assert!(ended.status.success() && output.contains("explain"), "{shell}: {output}{errors}");
        if shell == "zsh" {
            assert!(output.starts_with("_podgate "), "{output}{errors}");
        }
    }
    for shell in ["elvish", "powershell"] {
        assert!(
            run(folder.path(), &["completions", shell], "").with(0).output.contains("explain"),
            "{shell}"
        );
    }
    let unknown = run(folder.path(), &["completions", "tcsh"], "").with(2);
    assert!(unknown.errors.contains("bash"), "{unknown:?}");
}

/// Every command has a page, and every flag of its help is on it.
#[test]
fn manual_pages_are_whole() {
    let folder = tempfile::tempdir().unwrap();
    let pages = folder.path().join("man/man1");
    run(folder.path(), &["man", "man/man1"], "").with(0);
    for command in [
        "serve",
        "lint",
        "review",
        "explain",
        "policy-check",
        "kinds",
        "kinds-discover",
        "survey-identity",
        "doctor",
        "import-psp",
        "completions",
        "man",
    ] {
        let page = fs::read_to_string(pages.join(format!("podgate-{command}.1"))).expect(command);
        let page = page.replace("\\-", "-");
        let words: Vec<&str> = command.split('-').chain(["--help"]).collect();
        let help = run(folder.path(), &words, "").with(0).output;
        let flags = help.split_whitespace().filter(|word| word.starts_with("--"));
        for flag in flags.map(|flag| flag.trim_end_matches(|end: char| !end.is_ascii_alphanumeric())) {
            assert!(page.contains(flag), "{command}: {flag}");
        }
    }
    assert!(pages.join("podgate.1").is_file());
    fs::write(folder.path().join("file"), "").unwrap();
    let refused = run(folder.path(), &["man", "file/man"], "").with(2);
    assert!(refused.errors.contains("cannot make the folder file/man"), "{refused:?}");
}

/// `podgate completions bash | head -1`
#[test]
fn completions_for_a_reader_who_has_seen_enough() {
    let script = format!("'{}' completions bash | head -n 1", podgate().get_program().to_string_lossy());
    let ended = Command::new("sh").args(["-c", &script]).current_dir(Path::new("/")).output().unwrap();
    assert!(ended.stderr.is_empty(), "{ended:?}");
}
