//! Our reading of YAML against that of kubectl, over generated texts and manifests with something changed.
//!
//! Where both read a document, it is the same. What kubectl reads and we do not is refused for one of the reasons in
//! [`REFUSED`], which docs/lint.md names. What we read and kubectl does not makes no other object of it: there is none.
//! kubectl is asked through `yaml-oracle`; `PODGATE_DIFFERENTIAL_YAML` asks for a longer run.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;
use std::time::Instant;

use podgate::yaml::{FILE_EXTENSIONS, YamlError};
use serde::Deserialize;
use serde_json::{Value as Json, json};

use crate::left_out::say;
use crate::oracle::{Answers, Oracle, Questions};
use crate::pods::{files, of_repository};
use crate::random::Random;
use crate::yaml_text;
use crate::{SEED, SHOWN, given};

/// As many as fit into half a minute of a test run.
const TEXTS: u64 = 100_000;
/// The longest manifest that is changed, in bytes.
const LONGEST: usize = 4_000;

/// What we refuse on purpose though kubectl reads it: a name for the reason, and a part of its message.
const REFUSED: [(&str, &str); 10] = [
    ("a key comes twice", "is set twice, on line"),
    ("versions of YAML differ", "is read differently by kubectl and others"),
    ("the name of an anchor", "may hold letters, digits, `-` and `_` only"),
    ("a tag at a merge", "`<<` cannot have a tag"),
    ("a tag without use", "has no use in a manifest"),
    ("a character", "the character U+"),
    ("a line like ---x", "a line that starts with `---` divides documents"),
    ("depth", "nest deeper than"),
    ("copies", "aliases copy more"),
    ("text behind the document", "the document has ended before this"),
];

/// What kubectl reads.
#[derive(Debug, Deserialize)]
struct Kubectl {
    documents: Vec<Json>,
    /// Why it reads no further.
    error: Option<String>,
}

/// What came of a run.
#[derive(Default)]
struct Tally {
    texts: u64,
    /// Documents that both sides read.
    same: u64,
    /// Texts that neither reads to its end.
    refused: u64,
    /// Texts that we alone read.
    wider: u64,
    different: u64,
    /// How often we alone refuse, by the reason.
    reasons: BTreeMap<&'static str, u64>,
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { texts, same, refused, wider, different, reasons } = self;
        write!(
            f,
            "{texts} texts ({same} documents alike, {refused} texts refused by both, {wider} read by us alone, refused by \
             us alone: {reasons:?}), {different} different"
        )
    }
}

#[test]
fn yaml_is_read_as_kubectl_reads_it() {
    let Some(oracle) = Oracle::start("the comparison with kubectl's YAML", "yaml-oracle") else { return };
    let count = given("PODGATE_DIFFERENTIAL_YAML").unwrap_or(TEXTS);
    let seed = given("PODGATE_DIFFERENTIAL_SEED").unwrap_or(SEED);
    let manifests = manifests();
    let start = Instant::now();
    let tally = thread::scope(|scope| {
        let (sender, receiver) = sync_channel(1024);
        let Oracle { questions, mut answers, child: _child } = oracle;
        scope.spawn(move || ask(questions, count, seed, &manifests, &sender));
        let mut tally = Tally::default();
        for (index, text) in receiver {
            tally.compare(seed, index, &text, &mut answers);
        }
        tally
    });
    let seconds = start.elapsed().as_secs_f64();
    say(&format!("compared with kubectl's YAML: {tally}, in {seconds:.1} s (seed {seed})"));
    assert_eq!(tally.different, 0, "seed {seed}: see the differences above");
    assert_eq!(tally.texts, count);
    if count >= TEXTS {
        assert!(
            tally.same > count / 3 && tally.refused > count / 10,
            "the texts have become too narrow: {tally}"
        );
    }
}

/// The manifests that are changed: ours, and the cases where there are any.
fn manifests() -> Vec<String> {
    let mut folders = vec![of_repository("examples"), of_repository("manifests/base")];
    folders.extend(std::env::var_os("PODGATE_CASES").filter(|folder| !folder.is_empty()).map(Into::into));
    let of_folder = |folder: &Path| FILE_EXTENSIONS.map(|extension| files(folder, extension)).concat();
    let paths = folders.iter().flat_map(|folder| of_folder(folder));
    paths.filter_map(|path| fs::read_to_string(path).ok()).filter(|text| text.len() <= LONGEST).collect()
}

fn ask(
    mut questions: Questions,
    count: u64,
    seed: u64,
    manifests: &[String],
    asked: &SyncSender<(u64, String)>,
) {
    for index in 0..count {
        let text = yaml_text::any(&mut Random::of(seed, index), manifests);
        questions.ask(&json!({ "text": text }).to_string());
        // The other side has failed, and says why.
        if asked.send((index, text)).is_err() {
            return;
        }
    }
}

/// The documents that we read, and why we read no further.
fn ours(text: &str) -> (Vec<Json>, Option<YamlError>) {
    let mut documents = Vec::new();
    for document in podgate::yaml::read(text) {
        match document {
            Ok(document) => documents.push(serde_json::from_slice(&document.root.to_json()).unwrap()),
            Err(fault) => return (documents, Some(fault)),
        }
    }
    (documents, None)
}

impl Tally {
    fn compare(&mut self, seed: u64, index: u64, text: &str, answers: &mut Answers) {
        let kubectl: Kubectl = answers.next();
        let (documents, fault) = ours(text);
        self.texts += 1;
        if let Err(reason) = self.judge(text, &documents, fault.as_ref(), &kubectl) {
            self.different += 1;
            if self.different <= SHOWN {
                eprintln!(
                    "--- seed {seed}, text {index}: {reason}\n{text}\n{text:?}\nours:    {} {fault:?}\nkubectl: {} {:?}",
                    Json::from(documents),
                    Json::from(kubectl.documents),
                    kubectl.error
                );
            }
        }
    }

    /// Compares document by document; nothing in one is `null` to kubectl and no document to us.
    fn judge(
        &mut self,
        text: &str,
        ours: &[Json],
        fault: Option<&YamlError>,
        kubectl: &Kubectl,
    ) -> Result<(), &'static str> {
        let is_wider = may_hold_more(text);
        let mut ours = ours.iter().filter(|document| !document.is_null());
        for theirs in kubectl.documents.iter().filter(|document| !document.is_null()) {
            let next = if is_wider { ours.find(|document| is_same(document, theirs)) } else { ours.next() };
            match next {
                Some(document) if is_same(document, theirs) => self.same += 1,
                // Behind JSON the one goes on with JSON and the other with YAML. Neither is an object.
                Some(document) if kubectl.error.is_some() && !document.is_object() && !theirs.is_object() => {
                    self.wider += 1;
                    return Ok(());
                }
                Some(_) => return Err("another object"),
                None => return self.refusal(text, fault),
            }
        }
        match (ours.next(), &kubectl.error) {
            (None, None) if fault.is_none() => {}
            // kubectl does not look at what follows a document before the next `---`.
            (None, None) => *self.reasons.entry("text behind the document").or_default() += 1,
            (None, Some(_)) if fault.is_some() => self.refused += 1,
            (_, Some(_)) => self.wider += 1,
            (Some(_), None) if is_wider => self.wider += 1,
            (Some(_), None) => return Err("more documents"),
        }
        Ok(())
    }

    /// Counts what we alone refuse, which must be for a reason that is known.
    fn refusal(&mut self, text: &str, fault: Option<&YamlError>) -> Result<(), &'static str> {
        let fault = fault.ok_or("fewer documents")?;
        let reason = REFUSED.iter().find(|(_, message)| fault.message.contains(message));
        let name = match reason {
            Some((name, _)) => name,
            // kubectl does not look at it.
            None if text.contains("...") || is_behind_document(text, fault) => "text behind the document",
            None => return Err("refused for no reason that is known"),
        };
        *self.reasons.entry(name).or_default() += 1;
        Ok(())
    }
}

/// Whether a fault stands in text that follows a document before the next `---`.
fn is_behind_document(text: &str, fault: &YamlError) -> bool {
    let before: Vec<&str> = text.lines().take(fault.line.saturating_sub(1)).collect();
    let start = before.iter().rposition(|line| line.starts_with("---")).map_or(0, |divider| divider + 1);
    let (documents, fault) = ours(&before[start..].join("\n"));
    fault.is_none() && documents.iter().any(|document| !document.is_null())
}

/// Whether we may read more documents than kubectl: what stands behind a `...`, and series of JSON that do not begin the
/// text or are lists.
fn may_hold_more(text: &str) -> bool {
    let begins = text.trim_start_matches([' ', '\t', '\r', '\n']);
    text.contains("...")
        || begins.starts_with(['\u{feff}', '['])
        || text.contains("\n[")
        || text.contains("\n{")
        || text.split("\n---").skip(1).any(|part| part.trim_start().starts_with('{'))
}

/// Whether two values are the same; numbers as JSON's readers take them.
fn is_same(one: &Json, other: &Json) -> bool {
    match (one, other) {
        (Json::Number(one), Json::Number(other)) => one == other || one.as_f64() == other.as_f64(),
        (Json::Array(one), Json::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| is_same(one, other))
        }
        (Json::Object(one), Json::Object(other)) => {
            one.len() == other.len()
                && one.iter().all(|(key, one)| other.get(key).is_some_and(|other| is_same(one, other)))
        }
        _ => one == other,
    }
}
