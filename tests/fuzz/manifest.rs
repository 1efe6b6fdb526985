//! A manifest, the way that the linter reads it: its YAML becomes JSON that every reader agrees on, JSON is YAML
//! that says the same, each document comes to something, and what is linted has the verdict of the webhook.

use std::io::Write as _;
use std::sync::LazyLock;

use podgate::controls::Standard;
use podgate::evaluate::by_standard;
use podgate::json::Reader;
use podgate::lint::report::{FailOn, ObjectVerdict};
use podgate::lint::{Input, Options, Report};
use podgate::pod::Pod;
use podgate::policy::PolicySet;
use podgate::yaml;
use serde_json::{Number, Value as Json};

use super::{changes_when_rewritten, is_plainly_forbidden, within_memory};

/// What a file may hold while it is read, for each of its bytes: a value of YAML has its places, and an alias
/// stands for more than it is long.
const MEMORY_TIMES: usize = 1024;

static BASELINE: LazyLock<Standard> = LazyLock::new(|| "baseline".parse().expect("a standard"));

pub fn check(text: &[u8]) {
    let report = lint(text);
    let Ok(text) = std::str::from_utf8(text) else {
        assert_eq!(
            (report.exit_code(&FailOn::DEFAULT), report.unread.len()),
            (3, 1),
            "what is not UTF-8 is read"
        );
        return;
    };
    let documents = within_memory(MEMORY_TIMES, text.as_bytes(), || yaml::read(text));
    let faults = documents.iter().filter(|document| document.is_err()).count();
    assert!(report.unread.len() >= faults, "{faults} documents cannot be read: {:?}", report.unread);
    let worst = report.objects.iter().map(|object| object.verdict).max();
    let expected = match worst {
        Some(ObjectVerdict::Deny) => 1,
        Some(ObjectVerdict::Unresolved) => 3,
        _ if report.unread.is_empty() => 0,
        _ => 3,
    };
    assert_eq!(report.exit_code(&FailOn::DEFAULT), expected, "{report:?}");
    check_messages(&report);
    check_json_text(text, &documents);
    for (index, document) in documents.iter().enumerate() {
        if let Ok(document) = document {
            check_document(index + 1, document, &report);
        }
    }
}

/// What the linter says of a file, by one standard.
fn lint(text: &[u8]) -> Report {
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    file.write_all(text).expect("room for it");
    let options = Options { policies: PolicySet::of_standard(&BASELINE), ..Options::default() };
    podgate::lint::run(&[Input::Path(file.path().to_owned())], options)
}

/// Most lines of one kind that an object comes to.
const MOST_LINES: usize = 32;
/// Longest message: some words, a path, and a cut of what is written.
const LONGEST_MESSAGE: usize = 1024;

/// What is said of a file has a bound, and its places are in the file.
fn check_messages(report: &Report) {
    for object in &report.objects {
        assert!(object.misplaced.len() <= MOST_LINES, "{:?}", object.misplaced);
        for field in &object.misplaced {
            assert!(field.line > 0 && field.column > 0 && field.message.is_ascii(), "{field:?}");
        }
    }
    let too_long = report.unread.iter().find(|unread| unread.message.len() > LONGEST_MESSAGE);
    assert!(too_long.is_none(), "{too_long:?}");
}

/// JSON is YAML: a text that is JSON either is refused or means the same.
fn check_json_text(text: &str, documents: &[Result<yaml::Document, yaml::YamlError>]) {
    let is_json =
        Reader::new(text.as_bytes()).and_then(|mut reader| reader.skip().map(drop).and(reader.end()));
    let Ok(theirs) = serde_json::from_str::<Json>(text) else { return };
    if is_json.is_err() || changes_when_rewritten(text.as_bytes()) {
        return;
    }
    if let [Ok(document)] = documents {
        let ours: Json = serde_json::from_slice(&document.root.to_json()).expect("it writes JSON");
        assert!(is_same(&ours, &theirs), "as YAML it is {ours}, as JSON {theirs}");
    }
}

/// Whether two values are the same to whoever reads numbers as Go does: `1.0` is `1`.
fn is_same(one: &Json, other: &Json) -> bool {
    match (one, other) {
        (Json::Number(one), Json::Number(other)) => one == other || is_same_number(one, other),
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

/// Whether two numbers are the same but for the last bit, which `serde_json` may get wrong where there are many digits.
fn is_same_number(one: &Number, other: &Number) -> bool {
    let [Some(one), Some(other)] = [one.as_f64(), other.as_f64()] else { return false };
    one == other || (one - other).abs() <= f64::EPSILON * one.abs()
}

fn check_document(place: usize, document: &yaml::Document, report: &Report) {
    let json = document.root.to_json();
    let value: Json = serde_json::from_slice(&json).expect("it writes JSON");
    let mut reader = Reader::new(&json).expect("JSON is UTF-8");
    reader.skip().and_then(|_| reader.end()).expect("it writes JSON that we read");
    if value["apiVersion"] != "v1" || value["kind"] != "Pod" || value.get("items").is_some() {
        return;
    }
    let unread = || report.unread.iter().any(|unread| unread.document == Some(place));
    let mut of_document = report.objects.iter().filter(|object| object.document == place);
    let Some(object) = of_document.next() else {
        return assert!(unread(), "a pod is neither judged nor reported");
    };
    assert!(of_document.next().is_none() && object.kind == "Pod", "{object:?}");
    let is_denied = object.verdict == ObjectVerdict::Deny;
    assert!(is_denied || !is_plainly_forbidden(&value), "a forbidden pod passes");
    let pod = Pod::read(&mut Reader::new(&json).expect("JSON is UTF-8")).expect("it was judged");
    assert_eq!(is_denied, !by_standard(&BASELINE, &pod).is_empty(), "the webhook judges otherwise");
}
