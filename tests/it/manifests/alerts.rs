//! The alerts: each fires where it should and stays silent elsewhere, by promtool where it is there, and each has a
//! page that says what to do.

use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;
use std::process::Command;

use serde_json::{Value as Json, json};

use super::{items, objects_of, the};
use crate::left_out::leave_out;
use crate::pods::{files, of_repository};

const COMPONENT: &str = "manifests/components/service-monitor/alerts.yaml";
const TESTS: &str = "tests/fixtures/alerts/rules.test.yaml";
/// What a page of an alert has.
const SECTIONS: [&str; 3] = ["## What it means", "## What to look at", "## What to do"];

/// The groups of rules, as Prometheus itself reads them.
fn groups() -> Json {
    let objects = objects_of(COMPONENT, &fs::read_to_string(of_repository(COMPONENT)).unwrap());
    the(&objects, "PrometheusRule", "podgate")["spec"]["groups"].clone()
}

fn rules(groups: &Json) -> Vec<&Json> {
    items(groups).iter().flat_map(|group| items(&group["rules"])).collect()
}

/// The names of all alerts.
pub(crate) fn names() -> BTreeSet<String> {
    rules(&groups()).iter().map(|rule| rule["alert"].as_str().unwrap().to_owned()).collect()
}

/// Asks promtool about rules that are one file beside the tests of them.
fn promtool(groups: &Json) -> Option<Result<(), String>> {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("rules.yaml"), json!({ "groups": groups }).to_string()).unwrap();
    fs::copy(of_repository(TESTS), folder.path().join("rules.test.yaml")).unwrap();
    // What cannot be read fails the second, too; the first says so in better words.
    for arguments in [["check", "rules", "rules.yaml"], ["test", "rules", "rules.test.yaml"]] {
        let ended = match Command::new("promtool").args(arguments).current_dir(folder.path()).output() {
            Ok(ended) => ended,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                leave_out("the rules of the alerts", "there is no promtool in PATH (Debian: prometheus)");
                return None;
            }
            Err(error) => panic!("promtool: {error}"),
        };
        if !ended.status.success() {
            let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
            return Some(Err(text(&ended.stdout) + &text(&ended.stderr)));
        }
    }
    Some(Ok(()))
}

#[test]
fn alerts_fire_where_they_should() {
    let Some(tested) = promtool(&groups()) else { return };
    assert!(tested.is_ok(), "{}", tested.unwrap_err());
}

/// Each alert in turn without its condition, or never: the tests of the rules notice both.
#[test]
fn an_alert_that_fires_always_or_never_would_be_seen() {
    let groups = groups();
    for (index, rule) in rules(&groups).into_iter().enumerate() {
        for expression in ["vector(1)", "vector(1) > 2"] {
            let mut broken = groups.clone();
            broken[0]["rules"][index]["expr"] = json!(expression);
            let Some(tested) = promtool(&broken) else { return };
            assert!(tested.is_err(), "{}: nobody notices {expression}", rule["alert"]);
        }
    }
}

/// So that none is forgotten: each alert is expected to fire at least once, and at least once to be silent.
#[test]
fn every_alert_is_tested() {
    let tests = objects_of_tests();
    let (mut fired, mut silent) = (BTreeSet::new(), BTreeSet::new());
    for test in items(&tests["tests"]).iter().flat_map(|test| items(&test["alert_rule_test"])) {
        let name = test["alertname"].as_str().unwrap().to_owned();
        if items(&test["exp_alerts"]).is_empty() {
            silent.insert(name)
        } else {
            fired.insert(name)
        };
    }
    assert_eq!(fired, names());
    assert_eq!(silent, names());
}

fn objects_of_tests() -> Json {
    let text = fs::read_to_string(of_repository(TESTS)).unwrap();
    let document = podgate::yaml::read(&text).remove(0).unwrap();
    serde_json::from_slice(&document.root.to_json()).unwrap()
}

#[test]
fn every_alert_has_a_page_that_says_what_to_do() {
    let groups = groups();
    let folder = of_repository("docs/runbooks");
    let list = fs::read_to_string(folder.join("README.md")).unwrap();
    for rule in rules(&groups) {
        let name = rule["alert"].as_str().unwrap();
        let page = concat!(env!("CARGO_PKG_REPOSITORY"), "/blob/main/docs/runbooks/");
        assert_eq!(rule["annotations"]["runbook_url"], format!("{page}{name}.md"));
        let text = fs::read_to_string(folder.join(format!("{name}.md"))).unwrap_or_default();
        assert!(text.starts_with(&format!("# {name}\n")), "docs/runbooks/{name}.md: no page of this name");
        let sections: Vec<&str> = text.lines().filter(|line| line.starts_with("## ")).collect();
        assert_eq!(sections, SECTIONS, "docs/runbooks/{name}.md");
        let severity = rule["labels"]["severity"].as_str().unwrap();
        let row = format!("| [{name}]({name}.md) | {severity} |");
        assert!(list.contains(&row), "docs/runbooks/README.md has no row {row}");
    }
    let pages: BTreeSet<String> = files(&folder, "md")
        .iter()
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .filter(|name| name != "README")
        .collect();
    assert_eq!(pages, names());
}
