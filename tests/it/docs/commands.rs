//! Every command of podgate's that a page shows is understood by the program, and is run where what it reads is in the
//! repository. Those of kubectl and helm are put to these programs where they are there.

use std::path::Path;

use clap::error::ErrorKind;

use super::markdown::Page;
use super::pages;
use crate::command;
use crate::manifests::Programs;
use crate::pods::of_repository;

/// What podgate says in a report, where it is quoted.
const SAID: [&str; 2] = ["fills", "in"];

/// A command as a shell would take it apart, and where it stands.
struct Line {
    at: String,
    words: Vec<String>,
}

/// The lines of a block for a shell, those that go on put together. Of `console` only what follows a prompt.
fn lines(text: &str, is_console: bool) -> Vec<(usize, String)> {
    let mut lines: Vec<(usize, String)> = Vec::new();
    let mut goes_on = false;
    for (index, line) in text.lines().enumerate() {
        let start = if is_console { line.strip_prefix("$ ") } else { Some(line) };
        match (goes_on, start) {
            (true, _) => lines.last_mut().unwrap().1.push_str(line),
            (false, Some(line)) => lines.push((index, line.to_owned())),
            (false, None) => {}
        }
        goes_on = lines.last().is_some_and(|(_, line)| line.ends_with('\\')) && (goes_on || start.is_some());
        if goes_on {
            lines.last_mut().unwrap().1.pop();
        }
    }
    lines
}

/// The commands of a line, each as its words: quotes are taken off, comments and what is assigned before are left out.
fn commands(line: &str) -> Vec<Vec<String>> {
    let mut commands = vec![Vec::new()];
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut previous = ' ';
    for character in line.chars() {
        let is_plain = quote.is_none();
        if quote == Some(character) {
            quote = None;
        } else if is_plain && ['\'', '"'].contains(&character) {
            quote = Some(character);
            word.get_or_insert_default();
        } else if is_plain && character == '#' && word.is_none() {
            break;
        } else if is_plain && (character.is_whitespace() || ['|', ';', '&'].contains(&character)) {
            commands.last_mut().unwrap().extend(word.take());
            if !character.is_whitespace() {
                commands.push(Vec::new());
            }
        } else if !(is_plain && character == '\\' && previous != '\\') {
            word.get_or_insert_default().push(character);
        }
        previous = character;
    }
    assert!(quote.is_none(), "a quote has no end: {line}");
    commands.last_mut().unwrap().extend(word);
    let is_assignment = |word: &String| {
        word.split_once('=').is_some_and(|(name, _)| name.chars().all(|c| c.is_ascii_uppercase() || c == '_'))
    };
    for words in &mut commands {
        let assigned = words.iter().take_while(|word| is_assignment(word)).count();
        words.drain(..assigned);
    }
    commands.retain(|words| !words.is_empty());
    commands
}

/// Every command of the blocks of these pages.
fn of_blocks(pages: &[Page]) -> Vec<Line> {
    let mut found = Vec::new();
    for page in pages {
        for block in page.blocks.iter().filter(|block| ["sh", "console"].contains(&&*block.language)) {
            for (index, line) in lines(&block.text, block.language == "console") {
                let at = page.at(block.line + index);
                found.extend(commands(&line).into_iter().map(|words| Line { at: at.clone(), words }));
            }
        }
    }
    found
}

/// The arguments that a command gives podgate, if it runs podgate: by itself, by cargo, or in a container.
fn arguments(words: &[String]) -> Option<Vec<&str>> {
    let is_podgate = |word: &str| word == "podgate" || word.ends_with("/podgate");
    let start = match words.first()?.as_str() {
        word if is_podgate(word) => 1,
        "cargo" if words.get(1).is_some_and(|word| word == "run") => {
            1 + words.iter().position(|word| word == "--")?
        }
        _ => {
            let separator = words.iter().position(|word| word == "--")?;
            is_podgate(words.get(separator + 1)?).then_some(separator + 2)?
        }
    };
    // What the reader has to fill in.
    Some(words[start..].iter().map(String::as_str).filter(|word| *word != "...").collect())
}

fn parse(arguments: &[&str]) -> Result<(), clap::Error> {
    podgate::cli::definition().try_get_matches_from([&["podgate"], arguments].concat()).map(|_| ())
}

#[test]
fn podgate_understands_every_command_of_a_block() {
    let lines = of_blocks(&pages());
    let of_podgate: Vec<(&str, Vec<&str>)> =
        lines.iter().filter_map(|line| Some((&*line.at, arguments(&line.words)?))).collect();
    assert!(of_podgate.len() > 25, "{} commands", of_podgate.len());
    for (at, arguments) in of_podgate {
        let parsed = parse(&arguments);
        assert!(parsed.is_ok(), "{at}: podgate {}: {}", arguments.join(" "), parsed.unwrap_err());
    }
}

/// The commands of these programs within the sentences of these pages.
fn of_sentences(pages: &[Page], programs: &[&str]) -> Vec<Line> {
    let mut found = Vec::new();
    for page in pages {
        for piece in page.code() {
            let line = piece.text.replace('\n', " ");
            if line.split_once(' ').is_some_and(|(program, _)| programs.contains(&program)) {
                let at = page.at(piece.line);
                found.extend(commands(&line).into_iter().map(|words| Line { at: at.clone(), words }));
            }
        }
    }
    found
}

/// Within a sentence a command may be without what it needs, and its values are often no values. But there is such a
/// command, and it has these flags.
#[test]
fn podgate_knows_every_command_of_a_sentence() {
    let lines = of_sentences(&pages(), &["podgate", "cargo", "kubectl", "target/release/podgate"]);
    let mut count = 0;
    for Line { at, words } in &lines {
        let Some(arguments) = arguments(words).filter(|arguments| *arguments != SAID) else { continue };
        count += 1;
        let unknown = |error: &clap::Error| {
            [ErrorKind::UnknownArgument, ErrorKind::InvalidSubcommand].contains(&error.kind())
        };
        let error = parse(&arguments).err().filter(unknown);
        assert!(error.is_none(), "{at}: {}: {}", words.join(" "), error.unwrap());
    }
    assert!(count > 30, "{count} commands");
}

/// Whether all files that the arguments name are in the repository, and there is nothing else that they wait for.
fn can_be_run(arguments: &[&str]) -> bool {
    let folder = of_repository("");
    let is_value_of = |index: usize, flags: &[&str]| index > 0 && flags.contains(&arguments[index - 1]);
    let are_there = || {
        arguments.iter().enumerate().skip(1).filter(|(_, word)| !word.starts_with("--")).all(
            |(index, word)| {
                is_value_of(
                    index,
                    &["--format", "--standard", "--color", "--fail-on", "-n", "--namespace", "--at"],
                ) || folder.join(word).exists()
            },
        )
    };
    match arguments.first() {
        Some(&"lint" | &"review") => arguments.len() > 1 && !arguments.contains(&"-") && are_there(),
        Some(&"explain") => true,
        _ => false,
    }
}

#[test]
fn every_command_that_can_be_run_is_run() {
    let mut count = 0;
    for Line { at, words } in of_blocks(&pages()) {
        let Some(arguments) = arguments(&words).filter(|arguments| can_be_run(arguments)) else { continue };
        count += 1;
        let ended = command::run(Path::new(&of_repository("")), &arguments, "");
        let expected: &[i32] = if arguments[0] == "explain" { &[0] } else { &[0, 1, 3] };
        assert!(expected.contains(&ended.code), "{at}: podgate {}: {ended:#?}", arguments.join(" "));
        assert!(!ended.errors.contains("panicked"), "{at}: {ended:#?}");
    }
    assert!(count >= 10, "{count} commands");
}

/// kubectl and helm know the commands of the pages and their flags. Nothing is done: each is asked for its help.
#[test]
fn kubectl_and_helm_know_their_commands() {
    let Some(programs) = Programs::find("the pages' commands of kubectl and helm") else { return };
    let pages = pages();
    let mut lines = of_blocks(&pages);
    lines.extend(of_sentences(&pages, &["kubectl", "helm"]));
    let mut count = 0;
    for Line { at, words } in &lines {
        let Some((program, arguments)) = words.split_first() else { continue };
        if !["kubectl", "helm"].contains(&program.as_str()) || arguments.is_empty() {
            continue;
        }
        count += 1;
        // What follows is for a container.
        let own = arguments.iter().map(String::as_str).take_while(|word| *word != "--");
        let asked: Vec<&str> = own.filter(|word| *word != "...").chain(["--help"]).collect();
        let known = programs.run(program, &asked);
        assert!(known.is_ok(), "{at}: {}: {known:?}", words.join(" "));
        if program == "helm" && ["install", "upgrade"].contains(&&*arguments[0]) {
            check_values(&programs, at, arguments);
        }
    }
    assert!(count > 40, "{count} commands");
}

/// The chart takes the values that a command sets.
fn check_values(programs: &Programs, at: &str, arguments: &[String]) {
    let is_set = |pair: &&[String]| pair[0] == "--set";
    let values: Vec<&str> =
        arguments.windows(2).filter(is_set).flat_map(|pair| pair.iter().map(String::as_str)).collect();
    let rendered = programs.template(&values);
    assert!(rendered.is_ok(), "{at}: {}: {rendered:?}", arguments.join(" "));
}

#[test]
fn lines_are_taken_apart_as_a_shell_does() {
    let text =
        "A_B=1 podgate lint \\\n    'a b' | grep \"x y\"   # no\n# nothing\nkubectl -p '{\"a\": 1}' && b &\n";
    let found: Vec<Vec<Vec<String>>> = lines(text, false).iter().map(|(_, line)| commands(line)).collect();
    let expected = [
        vec![vec!["podgate", "lint", "a b"], vec!["grep", "x y"]],
        vec![],
        vec![vec!["kubectl", "-p", "{\"a\": 1}"], vec!["b"]],
    ];
    assert_eq!(found, expected);
    let console = lines("$ podgate lint a \\\n  b\nsaid c\n$ d\n", true);
    assert_eq!(console, [(0, "podgate lint a   b".to_owned()), (3, "d".to_owned())]);
    for (line, expected) in [
        ("podgate lint FILE ...", Some(vec!["lint", "FILE"])),
        ("target/release/podgate serve", Some(vec!["serve"])),
        ("cargo run --release -- serve --dev", Some(vec!["serve", "--dev"])),
        ("kubectl exec deployment/podgate -- podgate doctor", Some(vec!["doctor"])),
        ("kubectl run bad -- sleep 60", None),
        ("helm install podgate manifests", None),
        ("cargo test podgate", None),
    ] {
        assert_eq!(arguments(&commands(line)[0]), expected, "{line}");
    }
    for (arguments, is_known) in
        [(&["lint", "a"][..], true), (&["lint", "--nothing", "a"], false), (&["serve", "--listen"], false)]
    {
        assert_eq!(parse(arguments).is_ok(), is_known, "{arguments:?}");
    }
}
