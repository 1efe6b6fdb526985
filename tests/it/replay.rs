//! What an older podgate and this one answer to the same reviews: equal, but for what the changelog names.
//!
//! The corpus are recorded reviews, and reviews made of fixtures, under the policies of the older version. Both programs
//! answer it by `podgate review`. `tests/upgrade/run` builds the older program and names it in `PODGATE_OLD_BINARY`, and
//! its source in `PODGATE_OLD_SOURCE`; without them nothing is compared, which is said.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value as Json;

use crate::command::isolated;
use crate::left_out::say;
use crate::pods::{of_repository, own_fixtures, upstream_fixtures};
use crate::real_data::{self, RECORDED};
use crate::requests::creation;
use crate::reviews::{MADE_IN, recorded};

/// A change that users were told of.
struct Named {
    /// The sentence of CHANGELOG.md, or its start.
    changelog: &'static str,
    /// Takes out of an answer what the change put there, or changed. What then still differs has another reason.
    forget: fn(&mut Json),
}

/// Every difference to 577fd53 that there may be. One that is met no more goes.
const NAMED: &[Named] = &[
    Named {
        changelog: "Where no policy holds in a namespace that the webhooks are called for, whoever makes a pod is warned",
        forget: forget_unjudged,
    },
    Named { changelog: "In a gate an audit annotation has at most 1 KiB", forget: forget_long_note },
    Named { changelog: "A refusal lists each change as an item", forget: forget_words },
];

/// An answer that is warned of like this has no other warnings.
fn forget_unjudged(answer: &mut Json) {
    let Some(response) = answer.get_mut("response").and_then(Json::as_object_mut) else { return };
    let is_unjudged = |warnings: &Json| {
        let first = warnings[0].as_str().unwrap_or_default();
        first.starts_with("podgate: no policy holds in namespace ")
    };
    if response.get("warnings").is_some_and(is_unjudged) {
        response.remove("warnings");
    }
}

/// The words of a gate: its refusals, its warnings, and what of its findings the audit log is told.
fn forget_words(answer: &mut Json) {
    let Some(response) = answer.get_mut("response").and_then(Json::as_object_mut) else { return };
    response.remove("warnings");
    if let Some(annotations) = response.get_mut("auditAnnotations").and_then(Json::as_object_mut) {
        annotations.remove("audit-violations");
    }
    if let Some(status) = response.get_mut("status").filter(|status| status["code"] == 403) {
        status["message"] = Json::Null;
        status["details"]["causes"] = Json::Null;
    }
}

/// What is over 1 KiB, with what stands in its place.
fn forget_long_note(answer: &mut Json) {
    let Some(note) = answer.pointer_mut("/response/auditAnnotations/audit-violations") else { return };
    let text = note.as_str().unwrap_or_default();
    if text.len() > 800 && note.to_string().len() > 1020 {
        *note = text.chars().take(800).collect::<String>().into();
    }
}

/// The older program; `None`, and a line on standard error, where nobody built it.
pub(crate) fn old_program(wanted_by: &str) -> Option<PathBuf> {
    let program = std::env::var_os("PODGATE_OLD_BINARY").map(PathBuf::from);
    if program.is_none() {
        say(&format!(
            "left out: {wanted_by}, as PODGATE_OLD_BINARY names no older podgate: tests/upgrade/run"
        ));
    }
    program
}

/// Reviews as lines, with the name of each.
struct Corpus {
    mutate: bool,
    names: Vec<String>,
    lines: String,
}

impl Corpus {
    fn new(mutate: bool) -> Self {
        Self { mutate, names: Vec::new(), lines: String::new() }
    }

    fn add(&mut self, name: String, review: &[u8]) {
        self.names.push(name);
        // One line each, whatever the file looks like.
        self.lines.push_str(&serde_json::from_slice::<Json>(review).unwrap().to_string());
        self.lines.push('\n');
    }
}

/// The creation of a pod in the namespace that the shipped policy holds for, as an API server would send it.
fn created(uid: &str, mut pod: Json) -> Json {
    pod["metadata"]["namespace"] = MADE_IN.into();
    creation(uid, MADE_IN, &pod)
}

fn corpora() -> [Corpus; 2] {
    let mut corpora = [Corpus::new(false), Corpus::new(true)];
    for fixture in own_fixtures().iter().chain(&upstream_fixtures()) {
        let pod: Json = serde_json::from_slice(&fixture.json).unwrap();
        if pod["kind"] == "Pod" {
            for corpus in &mut corpora {
                let uid = format!("uid-{}", corpus.names.len());
                corpus.add(fixture.name.clone(), created(&uid, pod.clone()).to_string().as_bytes());
            }
        }
    }
    for payload in ["denied", "one-container", "repaired", "sixteen-containers"] {
        let body = fs::read(of_repository(&format!("benches/payloads/{payload}.json"))).unwrap();
        corpora.iter_mut().for_each(|corpus| corpus.add(payload.to_owned(), &body));
    }
    for review in recorded().map(|(reviews, _)| reviews).unwrap_or_default() {
        // Either webhook may be registered for any of them.
        corpora.iter_mut().for_each(|corpus| corpus.add(review.what.clone(), &review.body));
    }
    corpora
}

/// Under what the corpus is judged: the arguments.
fn configurations(old_source: &Path, folder: &Path) -> Vec<Vec<String>> {
    let of_old = |path: &str| old_source.join(path).display().to_string();
    let namespaces = folder.join("namespaces.yaml");
    let mut text = "apiVersion: v1\nkind: Namespace\n\
        metadata: {name: ml-team-a, labels: {podgate.dev/policy: ml-restricted}}\n"
        .to_owned();
    if let Some(recorded) = real_data::folder(RECORDED, "namespaces of recorded reviews") {
        text += "---\n";
        text += &fs::read_to_string(recorded.join("namespaces.yaml")).unwrap();
    }
    fs::write(&namespaces, text).unwrap();
    let drop_in = folder.join("drop-in.yaml");
    fs::write(
        &drop_in,
        "apiVersion: pod-security.admission.config.k8s.io/v1\nkind: PodSecurityConfiguration\n\
         defaults: {enforce: restricted, warn: restricted, audit: restricted}\n",
    )
    .unwrap();
    let objects = ["--objects".to_owned(), namespaces.display().to_string()];
    let with = |arguments: &[&str]| {
        [&objects[..], &arguments.iter().map(|&text| text.to_owned()).collect::<Vec<_>>()].concat()
    };
    vec![
        Vec::new(),
        with(&[]),
        with(&["--policy", &of_old("policies")]),
        with(&["--policy", &of_old("policies"), "--policy", &of_old("examples/policies")]),
        with(&["--policy", &drop_in.display().to_string()]),
        with(&["--standard", "restricted"]),
        with(&["--standard", "baseline:v1.30"]),
    ]
}

fn answers(program: &Path, arguments: &[String], corpus: &Corpus, file: &Path) -> Vec<Json> {
    let mut command = isolated(program);
    command.arg("review").args(arguments).args(corpus.mutate.then_some("--mutate")).arg(file);
    let ended = command.output().unwrap();
    let errors = String::from_utf8_lossy(&ended.stderr);
    let lines = String::from_utf8(ended.stdout).unwrap();
    let answers: Vec<Json> =
        lines.lines().map(|line| readable(serde_json::from_str(line).unwrap())).collect();
    assert_eq!(answers.len(), corpus.names.len(), "{} {arguments:?}: {errors}", program.display());
    answers
}

/// Puts the patch of an answer into plain words, so that a difference can be read.
fn readable(mut answer: Json) -> Json {
    if let Some(patch) = answer["response"]["patch"].as_str() {
        let decoded = STANDARD.decode(patch).unwrap();
        answer["response"]["patch"] = serde_json::from_slice(&decoded).unwrap();
    }
    answer
}

/// The changes that explain a difference between them; none if something else differs, too.
fn named(before: &Json, after: &Json) -> Vec<&'static str> {
    let (mut before, mut after) = (before.clone(), after.clone());
    let mut changes = Vec::new();
    for change in NAMED {
        let was = (before.clone(), after.clone());
        (change.forget)(&mut before);
        (change.forget)(&mut after);
        if (&before, &after) != (&was.0, &was.1) {
            changes.push(change.changelog);
        }
    }
    if before == after { changes } else { Vec::new() }
}

#[test]
fn answers_differ_only_where_the_changelog_says_so() {
    let Some(old) = old_program("answers of two versions") else { return };
    let source = PathBuf::from(std::env::var_os("PODGATE_OLD_SOURCE").expect("PODGATE_OLD_SOURCE"));
    let changelog = fs::read_to_string(of_repository("CHANGELOG.md")).unwrap().replace("\n  ", " ");
    let folder = tempfile::tempdir().unwrap();
    let mut met: BTreeMap<&str, usize> = BTreeMap::new();
    let (mut compared, mut unnamed) = (0, Vec::new());
    for corpus in &corpora() {
        let file = folder.path().join("reviews.jsonl");
        fs::write(&file, &corpus.lines).unwrap();
        for arguments in configurations(&source, folder.path()) {
            let before = answers(&old, &arguments, corpus, &file);
            let after = answers(Path::new(env!("CARGO_BIN_EXE_podgate")), &arguments, corpus, &file);
            compared += before.len();
            for (name, (before, after)) in corpus.names.iter().zip(before.iter().zip(&after)) {
                if before == after {
                    continue;
                }
                let changes = named(before, after);
                if changes.is_empty() {
                    let mutate = corpus.mutate;
                    unnamed.push(format!("{name} (mutate: {mutate}) {arguments:?}\n- {before}\n+ {after}"));
                }
                for change in changes {
                    *met.entry(change).or_default() += 1;
                }
            }
        }
    }
    say(&format!(
        "{compared} answers of two versions compared: {} differ unnamed; named: {met:?}",
        unnamed.len()
    ));
    assert!(
        unnamed.is_empty(),
        "{} differences that the changelog does not name:\n{}",
        unnamed.len(),
        unnamed.join("\n")
    );
    for Named { changelog: sentence, .. } in NAMED {
        assert!(changelog.contains(sentence), "CHANGELOG.md does not say: {sentence}");
        assert!(met.contains_key(sentence), "nothing differs any more by: {sentence}");
    }
    assert!(compared > 1000, "{compared}");
}
