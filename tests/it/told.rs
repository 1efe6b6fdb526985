//! What is told of each violation, by the webhook and by the linter, in one form: so that the two can be compared one by one.

use std::collections::BTreeSet;

use podgate::controls::Control;
use podgate::evaluate::{code, controls_of};
use podgate::lint::report::PodReport;
use serde_json::Value as Json;

/// The kinds of subject that have a name.
const NAMED: [&str; 4] = ["container \"", "init container \"", "ephemeral container \"", "volume \""];

/// A violation.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Told {
    /// The field, from the pod on.
    pub(crate) field: String,
    /// Whose it is, if it is a container's or a volume's.
    pub(crate) subject: String,
    /// The value that was found, in words.
    pub(crate) found: String,
    /// What to do.
    pub(crate) fix: String,
}

/// All that is told of a pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AllTold {
    pub(crate) controls: BTreeSet<&'static str>,
    pub(crate) violations: Vec<Told>,
}

/// What the webhook tells of a pod that stands at `base` of an object, in its refusal; nothing if it allows it.
pub(crate) fn by_webhook(response: &Json, base: &str) -> AllTold {
    let message = response["status"]["message"].as_str().unwrap_or_default();
    let codes = message.split("[code ").skip(1).filter_map(|rest| rest.split(']').next());
    let controls = codes.flat_map(|code| controls_of(code).unwrap_or_else(|| panic!("{message}")));
    let causes = response["status"]["details"]["causes"].as_array().into_iter().flatten();
    let mut violations: Vec<Told> = causes
        .map(|cause| {
            let text = cause["message"].as_str().unwrap();
            let (subject, rest) = split_subject(text);
            let rest = rest.strip_prefix(": ").unwrap_or(rest);
            let (found, fix) = rest.split_once("; ").unwrap_or_else(|| panic!("{text}"));
            let field = under(cause["field"].as_str().unwrap(), base);
            Told { field, subject: subject.to_owned(), found: found.to_owned(), fix: fix.to_owned() }
        })
        .filter(|told| !told.fix.starts_with("filled in for you"))
        .collect();
    violations.sort();
    AllTold { controls: controls.map(|control| control.id).collect(), violations }
}

/// What the linter tells of a pod that is refused, as JSON has it; the values and fixes there are those of its sentences.
pub(crate) fn by_linter(pod: &PodReport, base: &str) -> AllTold {
    let report: Json = serde_json::to_value(pod).unwrap();
    let findings = report["findings"].as_array().unwrap().iter();
    let denied: Vec<&Json> = findings.filter(|finding| finding["disposition"] == "denied").collect();
    let named = |finding: &&Json| Control::named(finding["control"].as_str().unwrap()).unwrap();
    // As its code has them, so that the two are known to agree.
    let of_findings = code(denied.iter().map(named));
    if let Some(summary) = pod.summary.as_ref().filter(|_| !denied.is_empty()) {
        assert_eq!(summary.code, of_findings, "{report:#}");
    }
    let mut violations: Vec<Told> = denied.iter().map(|finding| of_finding(finding, base)).collect();
    violations.sort();
    AllTold { controls: denied.iter().map(named).map(|control| control.id).collect(), violations }
}

fn of_finding(finding: &Json, base: &str) -> Told {
    let text = finding["message"].as_str().unwrap();
    let field = finding["field"].as_str().unwrap();
    let (subject, rest) = split_subject(text);
    let rest = rest.strip_prefix(": ").unwrap_or(rest).trim_start();
    let is_volume = subject.starts_with("volume ");
    let (fault, fix) = rest.split_once("; ").unwrap_or_else(|| panic!("{text}"));
    // A volume's own fault has no field: its value names the source.
    let has_field = !is_volume || !["is ", "has "].iter().any(|start| fault.starts_with(start));
    let (named, found) =
        if has_field { fault.split_once(' ').unwrap_or_else(|| panic!("{text}")) } else { ("", fault) };
    let named = named.strip_prefix("spec.").filter(|_| subject.is_empty()).unwrap_or(named);
    assert!(field.contains(named), "{named} in {finding:#}");
    assert!(is_value(&finding["value"], found), "{finding:#}");
    assert!(is_remedy(&finding["remedy"], fix), "{finding:#}");
    Told {
        field: under(field, base),
        subject: subject.to_owned(),
        found: found.to_owned(),
        fix: fix.to_owned(),
    }
}

/// The subject that a sentence begins with, and what is behind it. Names may hold quotes.
fn split_subject(text: &str) -> (&str, &str) {
    let Some(start) = NAMED.into_iter().find(|start| text.starts_with(start)) else { return ("", text) };
    let ends = ["\": ", "\" is ", "\" has "].into_iter().filter_map(|end| text[start.len()..].find(end));
    text.split_at(start.len() + ends.min().unwrap_or_else(|| panic!("{text}")) + 1)
}

/// Whether words say a value of a report.
fn is_value(value: &Json, found: &str) -> bool {
    let found = found.strip_prefix("is ").unwrap_or(found);
    match value {
        Json::Null => ["not set", "set (value not shown)"].contains(&found),
        Json::String(text) if text.is_empty() => found == "\"\"",
        Json::String(text) if text == "unknown" && found.starts_with("has no type") => true,
        // What is not ASCII is escaped in words.
        Json::String(text) => found == text || found.contains("\\u{") || found.ends_with("..."),
        Json::Array(items) => {
            let words: Vec<&str> = items.iter().filter_map(Json::as_str).collect();
            found == format!("[{}]", words.join(", ")) || found.contains("\\u{") || found.contains("...")
        }
        Json::Bool(value) => found == if *value { "true" } else { "false" },
        Json::Number(number) => found.parse().is_ok_and(|found: i64| Some(found) == number.as_i64()),
        Json::Object(_) => false,
    }
}

/// Whether words say a remedy of a report.
fn is_remedy(remedy: &Json, fix: &str) -> bool {
    let (kind, value) = remedy.as_object().and_then(|remedy| remedy.iter().next()).expect("a remedy");
    match (kind.as_str(), value) {
        ("set", Json::Array(items)) => {
            let words: Vec<&str> = items.iter().filter_map(Json::as_str).collect();
            let words = words.join(", ");
            fix.starts_with(&format!("set it to [{words}]")) || fix.starts_with(&format!("add {words}"))
        }
        ("add", Json::Array(items)) => {
            let words: Vec<&str> = items.iter().filter_map(Json::as_str).collect();
            fix.starts_with(&format!("add {}", words.join(", ")))
        }
        ("set", Json::String(text)) => fix.starts_with(&format!("set it to {text}")),
        ("set", value) => fix.starts_with(&format!("set it to {value}")),
        ("remove", _) => fix.starts_with("remove it") || fix.starts_with("make "),
        ("choose", Json::Array(items)) => {
            items.iter().filter_map(Json::as_str).all(|item| fix.contains(item)) && fix.starts_with("use ")
        }
        ("range", Json::Array(ends)) => {
            let least = ends[0].as_i64().unwrap();
            fix.starts_with(&format!("set it to a number above {}", least - 1))
                || fix.starts_with(&format!("use a number from {least} to {}", ends[1]))
        }
        _ => false,
    }
}

/// A field from the pod on that stands at `base` of an object.
fn under(field: &str, base: &str) -> String {
    let below = field.strip_prefix(base).unwrap_or_else(|| panic!("{field} is not in {base:?}"));
    below.trim_start_matches('.').to_owned()
}

/// Two that differ in anything are told apart, whatever it is.
#[test]
fn damage_is_seen() {
    let response = serde_json::json!({"status": {
        "message": "Pod \"p\" was refused [code PG-0001]",
        "details": {"causes": [{"field": "spec.hostPID", "message": "is true; remove it"},
            {"field": "spec.containers[0].securityContext.runAsUser", "message": "container \"a\": is 0; set it to a number above 0"}]},
    }});
    let told = by_webhook(&response, "");
    assert_eq!(told.violations.len(), 2);
    let text = response.to_string();
    for (part, other) in [
        ("PG-0001", "PG-0002"),
        ("hostPID", "hostIPC"),
        ("is true", "is false"),
        ("remove it", "set it to false"),
        ("is 0;", "is 00;"),
        ("above 0", "above 1"),
        ("container \\\"a", "container \\\"b"),
        ("containers[0]", "containers[1]"),
    ] {
        let damaged = text.replacen(part, other, 1);
        assert_ne!(damaged, text, "{part}");
        assert_ne!(by_webhook(&serde_json::from_str(&damaged).unwrap(), ""), told, "{part}");
    }
}
