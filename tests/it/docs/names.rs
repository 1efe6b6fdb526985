//! What pages name of podgate's own: flags, variables, metrics, alerts, checks, values of the chart, and files.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use podgate::doctor::HealthCheck;
use podgate::mutate::IdentityOutcome;
use podgate::policy::ExemptBy;
use serde_json::Value as Json;

use super::markdown::Page;
use super::{names, pages};
use crate::manifests::alerts;
use crate::pods::{files, of_repository};
use crate::policies::policies;
use crate::server;

/// Flags of other programs that sentences name without the program.
const FOREIGN_FLAGS: [(&str, &str); 12] = [
    ("--admission-control-config-file", "kube-apiserver"),
    ("--api-audiences", "kube-apiserver"),
    ("--audience", "azure-workload-identity"),
    ("--config", "pod-security-webhook"),
    ("--custom-token-endpoint-annotation-suffix", "azure-workload-identity"),
    ("--custom-token-endpoint-audience", "azure-workload-identity"),
    ("--disable-admission-plugins", "kube-apiserver"),
    ("--dry-run", "kubectl"),
    ("--help", "every program"),
    ("--image", ".ci/release"),
    ("--set-file", "helm"),
    ("--whole", ".ci/test-release"),
];

/// What podgate will have one day, as pages say.
const NOT_YET: [&str; 1] = ["--fix"];

/// The page of what was: it names things that are no more.
const HISTORY: &str = "CHANGELOG.md";

/// A counter that has no series before it counts, which no test of pages has it do.
const UNTIL_COUNTED: (&str, [&str; 4]) =
    ("pod_security_errors_total", ["fatal", "request_operation", "resource", "subresource"]);

/// Pages but the one of what was.
fn current_pages() -> impl Iterator<Item = Page> {
    pages().into_iter().filter(|page| page.name != HISTORY)
}

fn is_of_flag(character: char) -> bool {
    character.is_ascii_alphanumeric() || character == '-'
}

fn is_of_name(character: char) -> bool {
    character.is_ascii_alphanumeric() || character == '_'
}

/// The flags of every command, and the variables that set them.
fn flags_and_variables() -> (BTreeSet<String>, BTreeSet<String>) {
    let definition = podgate::cli::definition();
    let (mut flags, mut variables) = (BTreeSet::new(), BTreeSet::new());
    let nested = definition.get_subcommands().flat_map(clap::Command::get_subcommands);
    for argument in nested.flat_map(clap::Command::get_arguments) {
        flags.extend(argument.get_long().map(|long| format!("--{long}")));
    }
    for argument in definition.get_subcommands().flat_map(clap::Command::get_arguments) {
        flags.extend(argument.get_long().map(|long| format!("--{long}")));
        variables.extend(argument.get_env().map(|name| name.to_str().unwrap().to_owned()));
    }
    (flags, variables)
}

#[test]
fn every_flag_is_podgates_or_is_known_to_be_anothers() {
    let (flags, _) = flags_and_variables();
    let mut foreign = BTreeSet::new();
    let mut faults = Vec::new();
    let is_flag = |text: &str| text.starts_with("--") && !text.starts_with("---");
    for page in current_pages() {
        for piece in page.code().iter().filter(|piece| is_flag(&piece.text)) {
            let flag = names(&piece.text, is_of_flag).next().unwrap();
            if FOREIGN_FLAGS.iter().any(|(known, _)| *known == flag) {
                foreign.insert(flag.to_owned());
            } else if !flags.contains(flag) && !NOT_YET.contains(&flag) {
                faults.push(format!("{}: no command of podgate has {flag}", page.at(piece.line)));
            }
        }
    }
    assert_eq!(faults, [""; 0]);
    let unused: Vec<&str> =
        FOREIGN_FLAGS.iter().map(|(flag, _)| *flag).filter(|flag| !foreign.contains(*flag)).collect();
    assert_eq!(unused, [""; 0], "take them out of FOREIGN_FLAGS");
}

#[test]
fn every_flag_is_on_a_page() {
    let pages = pages();
    let all: BTreeSet<&str> = pages.iter().flat_map(|page| names(&page.text, is_of_flag)).collect();
    let (flags, variables) = flags_and_variables();
    let missing: Vec<&String> = flags.iter().filter(|flag| !all.contains(flag.as_str())).collect();
    assert_eq!(missing, [""; 0], "no page names these flags");
    let words: BTreeSet<&str> = pages.iter().flat_map(|page| names(&page.text, is_of_name)).collect();
    let missing: Vec<&String> = variables.iter().filter(|name| !words.contains(name.as_str())).collect();
    assert_eq!(missing, [""; 0], "no page names these variables");
}

/// The variables of tests and scripts.
fn variables_of_tests() -> BTreeSet<String> {
    let mut paths: Vec<_> = files(&of_repository("tests"), "rs");
    paths.extend(files(&of_repository("benches"), "rs"));
    let scripts = [".ci/run", ".ci/release", "tests/upgrade/run", "tests/reliability/long", "fuzz/run"];
    paths.extend(scripts.map(of_repository));
    let texts = paths.iter().map(|path| fs::read_to_string(path).unwrap());
    texts.flat_map(|text| names(&text, is_of_name).map(str::to_owned).collect::<Vec<_>>()).collect()
}

#[test]
fn every_variable_is_read_by_somebody() {
    let (_, of_flags) = flags_and_variables();
    let of_tests = variables_of_tests();
    let mut faults = Vec::new();
    for page in pages() {
        for name in names(&page.text, is_of_name).filter(|name| name.starts_with("PODGATE_")) {
            if !of_flags.contains(name) && !of_tests.contains(name) {
                faults.push(format!("{}: nobody reads {name}", page.name));
            }
        }
    }
    assert_eq!(faults, [""; 0]);
}

/// A policy with an exception.
const EXCEPTED: &str = "apiVersion: podgate.dev/v1alpha1\nkind: SecurityPolicy\nmetadata: {name: x}\nspec:\n  match: {namespaces: [x]}\n  \
                        standard: {enforce: restricted}\n  exceptions: [{name: x, controls: [privileged], reason: x, owner: x, \
                        expires: 2027-03-31}]\n";

/// The metrics of a server that has everything, each with the labels of its series.
async fn metrics() -> BTreeMap<String, BTreeSet<String>> {
    let running = server::start(server::args()).await;
    let metrics = &running.metrics;
    metrics.finding("x", "x");
    metrics.identity("x", IdentityOutcome::Injected);
    metrics.exemption("x", ExemptBy::User);
    metrics.exception("x", "x");
    let set = policies(EXCEPTED);
    metrics.exceptions(set.security.iter().flat_map(|policy| &policy.exceptions).map(AsRef::as_ref));
    metrics.switched(["x"].into_iter(), None);
    metrics.show_pod_security();
    let cluster = metrics.cluster().unwrap();
    cluster.watch("x", true);
    cluster.heard("x");
    cluster.error("x", "x");
    cluster.looked_up("x", "x");
    let rotation = metrics.rotation().unwrap();
    rotation.phase(["x"], "x");
    rotation.problem(Some("x"));
    rotation.event("x");
    let text = metrics.render().unwrap();
    let (silent, labels) = UNTIL_COUNTED;
    let labels = labels.map(str::to_owned);
    running.shutdown.abort();
    let mut known = BTreeMap::from([(silent.to_owned(), BTreeSet::from(labels))]);
    for line in text.lines() {
        if let Some(metric) = line.strip_prefix("# TYPE ") {
            known.entry(metric.split(' ').next().unwrap().to_owned()).or_default();
        } else if let Some((series, labels)) = line.split_once('{') {
            let histogram =
                series.trim_end_matches("_bucket").trim_end_matches("_sum").trim_end_matches("_count");
            let metric = if known.contains_key(series) { series } else { histogram };
            known.entry(metric.to_owned()).or_default().extend(labels_of(labels));
        }
    }
    known
}

/// The names of the labels of a selector, from behind its brace.
fn labels_of(selector: &str) -> Vec<String> {
    let inner = selector.split('}').next().unwrap();
    let pairs = inner.split(',').map(|pair| pair.split(['=', '!']).next().unwrap().trim());
    pairs.filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

/// The metrics of podgate's that a text names, each with the labels that it asks for.
fn metrics_in(text: &str) -> Vec<(&str, Vec<String>)> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(start) =
        ["podgate_", "pod_security_", "process_"].iter().filter_map(|prefix| rest.find(prefix)).min()
    {
        let before = rest[..start].chars().next_back();
        rest = &rest[start..];
        let end = rest.find(|character| !is_of_name(character)).unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        // A name with nothing before it that would make it another one.
        if !before.is_some_and(|character| is_of_name(character) || ['-', '/', '.'].contains(&character)) {
            let labels = after.strip_prefix('{').map(labels_of).unwrap_or_default();
            found.push((name, labels));
        }
        rest = after;
    }
    found
}

#[tokio::test]
async fn every_metric_is_one_that_the_server_has() {
    let known = metrics().await;
    assert!(known.len() > 25, "{known:?}");
    let mut faults = Vec::new();
    let mut texts: Vec<(String, String)> = Vec::new();
    for page in current_pages() {
        // Tests have names like metrics.
        let code = page.code().into_iter().filter(|piece| !piece.text.starts_with("cargo "));
        texts.extend(code.map(|piece| (page.at(piece.line), piece.text)));
        texts.extend(page.blocks.iter().map(|block| (page.at(block.line), block.text.clone())));
    }
    let rules = "manifests/components/service-monitor/alerts.yaml";
    texts.push((rules.to_owned(), fs::read_to_string(of_repository(rules)).unwrap()));
    let mut named = BTreeSet::new();
    for (page, text) in &texts {
        for (metric, labels) in metrics_in(text) {
            named.insert(metric);
            match known.get(metric) {
                None => faults.push(format!("{page}: there is no metric {metric}")),
                Some(has) => faults.extend(
                    labels
                        .iter()
                        .filter(|label| !has.contains(*label))
                        .map(|label| format!("{page}: {metric} has no label {label}")),
                ),
            }
        }
    }
    assert_eq!(faults, [""; 0]);
    let missing: Vec<&String> = known.keys().filter(|metric| !named.contains(metric.as_str())).collect();
    assert_eq!(missing, [""; 0], "no page names these metrics");
}

#[test]
fn every_alert_is_one_of_the_rules() {
    let alerts = alerts::names();
    for page in pages() {
        let is_alert = |name: &&str| {
            let rest = name.strip_prefix("Podgate").unwrap_or_default();
            rest.starts_with(|character: char| character.is_ascii_uppercase())
        };
        for name in names(&page.text, is_of_name).filter(is_alert) {
            assert!(alerts.contains(name), "{}: no rule has the alert {name}", page.name);
        }
    }
}

/// A runbook sends its reader to checks of the doctor by their names.
#[test]
fn every_check_of_the_doctor_is_one() {
    let checks: BTreeSet<&str> = HealthCheck::ALL.iter().map(|check| check.id()).collect();
    let of_runbooks = pages().into_iter().filter(|page| page.name.starts_with("docs/runbooks/"));
    let mut count = 0;
    for page in of_runbooks {
        for (index, _) in page.text.match_indices("`podgate doctor`") {
            let sentence = page.text[index..].split(". ").next().unwrap();
            for name in sentence
                .split('`')
                .skip(3)
                .step_by(2)
                .filter(|name| name.contains('-') && !name.contains(' '))
            {
                count += 1;
                assert!(checks.contains(name), "{}: the doctor has no check {name}", page.name);
            }
        }
    }
    assert!(count >= 2, "{count} checks");
}

/// Dotted names whose first part is a value of the chart, as `networkPolicy.metricsFrom`.
#[test]
fn every_value_of_the_chart_is_there() {
    let text = fs::read_to_string(of_repository("manifests/helm/podgate/values.yaml")).unwrap();
    let values = podgate::yaml::read(&text).remove(0).unwrap().root.to_json();
    let values: Json = serde_json::from_slice(&values).unwrap();
    let mut count = 0;
    for page in current_pages() {
        for piece in page.code() {
            let name = piece.text.split([':', '=']).next().unwrap();
            let parts: Vec<&str> = name.split('.').collect();
            // Keys of Secrets, as `tls.crt`, are no values.
            let is_key = name.ends_with(".crt") || name.ends_with(".key");
            let is_value = !is_key
                && parts.len() > 1
                && values.get(parts[0]).is_some()
                && names(name, |c| c != ' ').count() == 1;
            if is_value {
                count += 1;
                assert!(has(&values, &parts), "{}: the chart has no value {name}", page.at(piece.line));
            }
        }
    }
    assert!(count > 15, "{count} values");
}

/// Whether there is such a value; `*` is any part.
fn has(values: &Json, parts: &[&str]) -> bool {
    match parts {
        [] => true,
        ["*", rest @ ..] => {
            values.as_object().is_some_and(|values| values.values().any(|value| has(value, rest)))
        }
        [part, rest @ ..] => values.get(part).is_some_and(|value| has(value, rest)),
    }
}

/// Folders at the top whose files pages name by their paths.
const FOLDERS: [&str; 11] = [
    ".ci",
    "benches",
    "certs",
    "docs",
    "examples",
    "fuzz",
    "manifests",
    "policies",
    "presets",
    "src",
    "tests",
];

/// The files of the repository that a text names, without what a reader would fill in.
fn paths_in(text: &str) -> impl Iterator<Item = &str> {
    let is_inner =
        |c: char| c.is_ascii_alphanumeric() || ['.', '-', '_', '/', '<', '>', '*', '{'].contains(&c);
    let paths = names(text, is_inner).map(|path| path.trim_end_matches(['/', '.']));
    paths.filter(|path| {
        let is_ours = path.split_once('/').is_some_and(|(folder, _)| FOLDERS.contains(&folder));
        is_ours
            && !path.contains(['<', '*', '{'])
            && !path.chars().any(|c| c.is_ascii_uppercase() && path.ends_with(c))
    })
}

fn check_paths(page: &Page, line: usize, text: &str, faults: &mut Vec<String>) -> usize {
    let mut count = 0;
    for path in paths_in(text) {
        count += 1;
        let beside = page.path.parent().unwrap().join(path);
        let of_chart = Path::new("manifests/helm/podgate").join(path);
        let candidates = [of_repository(path), beside, of_repository(of_chart.to_str().unwrap())];
        if !candidates.iter().any(|candidate| candidate.exists()) {
            faults.push(format!("{}: there is no {path}", page.at(line)));
        }
    }
    count
}

#[test]
fn every_file_of_the_repository_is_there() {
    let (mut faults, mut count) = (Vec::new(), 0);
    for page in &current_pages().collect::<Vec<_>>() {
        for piece in page.code() {
            count += check_paths(page, piece.line, &piece.text, &mut faults);
        }
        for block in page.blocks.iter().filter(|block| block.language == "sh") {
            count += check_paths(page, block.line, &block.text, &mut faults);
        }
    }
    assert!(count > 100, "{count} files");
    assert_eq!(faults, [""; 0]);
}
