//! No field is forgotten: every field of a pod in the newest API is one that a control judges, one that should be judged
//! and is not yet, or one that cannot matter. `registry.txt` says which, and why.

mod registry;
mod schema;

use std::fs;

use podgate::controls::{CONTROLS, Control, NEWEST_MINOR};

use self::registry::{Decision, Entry, read};
use self::schema::{Fields, Holds, fields_of_pod};
use crate::controls::{alternatives, matches};
use crate::pods::of_repository;

const NAME: &str = "tests/it/fields/registry.txt";

fn text() -> String {
    fs::read_to_string(of_repository(NAME)).unwrap()
}

#[test]
fn every_field_of_a_pod_is_listed_once() {
    let faults = of_fields(&fields_of_pod(), &read(&text()).unwrap());
    assert!(faults.is_empty(), "{NAME}:\n{}", faults.join("\n"));
}

/// The types are of the version that a feature of `k8s-openapi` chooses.
#[test]
fn the_api_is_as_new_as_the_standard() {
    let manifest = fs::read_to_string(of_repository("Cargo.toml")).unwrap();
    let feature = format!("\"v1_{NEWEST_MINOR}\"");
    assert!(manifest.contains(&feature), "Cargo.toml: give k8s-openapi the feature {feature}");
}

#[test]
fn fields_are_listed_with_the_controls_that_judge_them() {
    let faults = of_controls(&fields_of_pod(), &read(&text()).unwrap());
    assert!(faults.is_empty(), "{NAME}:\n{}", faults.join("\n"));
}

/// The faults of the list after a change of its text, and with these fields added to Kubernetes' API.
fn faults_after(from: &str, to: &str, new_fields: &[&str]) -> Vec<String> {
    let written = text();
    assert!(written.contains(from), "{NAME} has no {from:?}");
    let mut fields = fields_of_pod();
    fields.extend(new_fields.iter().map(|path| ((*path).to_owned(), Holds::Value)));
    let entries = read(&written.replacen(from, to, 1)).unwrap();
    let mut faults = of_fields(&fields, &entries);
    faults.extend(of_controls(&fields, &entries));
    faults
}

#[test]
fn what_is_forgotten_is_found() {
    for (path, expected) in [
        ("spec.hostClipboard", "spec.hostClipboard is not listed, so nobody has looked at it yet"),
        ("spec.containers[*].ports[*].nodePort", "spec.containers[*].ports[*].nodePort is not listed"),
        ("spec.volumes[*].nfs.exports", "and there are "),
    ] {
        let faults = faults_after("", "", &[path]);
        assert!(matches!(&faults[..], [fault] if fault.contains(expected)), "{path}: {faults:#?}");
    }
}

#[test]
fn a_wrong_list_is_found() {
    for (from, to, expected) in [
        ("  nodeName: ", "# nodeName: ", "spec.nodeName is not listed"),
        ("  nodeName: ", "  nodeSelector: ", "spec.nodeSelector is listed more than once"),
        ("  nodeName: ", "  nodeNames: ", "no pod has the field spec.nodeNames"),
        ("  annotations[", "  finalizers[", "no pod has the field metadata.finalizers[container.apparmor"),
        (
            "judged by hostNamespaces, hostPID",
            "judged by hostNamespace, hostPID",
            "there is no control hostNamespace",
        ),
        (
            "judged by hostNamespaces, hostPID",
            "judged by hostPorts, hostPID",
            "doc.fields of hostPorts does not name spec.hostPID",
        ),
        (
            "judged by hostNamespaces, hostPID",
            "not judged yet: x",
            "doc.fields of hostNamespaces names it, and no entry",
        ),
    ] {
        let faults = faults_after(from, to, &[]);
        assert!(faults.iter().any(|fault| fault.contains(expected)), "{from} -> {to}: {faults:#?}");
    }
}

#[test]
fn a_line_without_a_decision_or_a_reason_is_refused() {
    for (line, expected) in [
        ("nodeName", "write FIELD: DECISION"),
        ("nodeName: harmless", "decide: judged by"),
        ("nodeName: cannot matter", "give a reason"),
        ("affinity.**: cannot matter: x", "write how many fields"),
    ] {
        let fault = read(&format!("spec\n  {line}\n")).unwrap_err();
        assert!(fault.starts_with("line 2: ") && fault.contains(expected), "{fault}");
    }
}

/// Fields that no entry lists or that several do, and entries without a field.
fn of_fields(fields: &Fields, entries: &[Entry]) -> Vec<String> {
    let mut faults = Vec::new();
    for (path, holds) in fields {
        let lines: Vec<_> =
            entries.iter().filter(|entry| entry.lists(path)).map(|entry| entry.line).collect();
        if lines.is_empty() && *holds != Holds::Object {
            faults.push(format!(
                "{path} is not listed, so nobody has looked at it yet. Write a control for it (CONTRIBUTING.md, \"Adding a \
                 control\") and list it as `judged by` that; or list it as `not judged yet: ` and what it lets a pod do, or \
                 as `cannot matter: ` and why"
            ));
        } else if lines.len() > 1 {
            faults.push(format!("{path} is listed more than once, in lines {lines:?}: leave one of them"));
        }
    }
    for entry in entries {
        faults.extend(of_entry(fields, entry));
    }
    faults
}

fn of_entry(fields: &Fields, entry: &Entry) -> Vec<String> {
    let line = entry.line;
    let listed_by = |own: &str| fields.keys().filter(|path| entry.lists_by(own, path)).count();
    let mut faults = Vec::new();
    let mut count = 0;
    for own in &entry.paths {
        let listed = listed_by(own);
        if listed == 0 && !is_key_of_map(fields, own) {
            faults.push(format!("line {line}: no pod has the field {own}: remove it"));
        }
        count += listed;
    }
    if let Some(expected) = entry.count_below.filter(|expected| *expected != count) {
        let listed: Vec<_> = fields.keys().filter(|path| entry.lists(path)).map(String::as_str).collect();
        faults.push(format!(
            "line {line}: this was written for {expected} fields, and there are {count}: see whether it is true of each, \
             list those apart of which it is not, and set the number: {}",
            listed.join(" ")
        ));
    }
    faults
}

/// `metadata.annotations[a/b]`, where `metadata.annotations` is a map.
fn is_key_of_map(fields: &Fields, path: &str) -> bool {
    path.strip_suffix(']')
        .and_then(|path| path.split_once('['))
        .is_some_and(|(map, key)| key != "*" && fields.get(map) == Some(&Holds::Map))
}

/// Differences between what entries say that controls judge and what the controls say themselves.
fn of_controls(fields: &Fields, entries: &[Entry]) -> Vec<String> {
    let mut faults = Vec::new();
    let mut judged = Vec::new();
    for entry in entries {
        let Decision::JudgedBy(ids) = &entry.decision else { continue };
        for id in ids {
            let Some(control) = Control::named(id) else {
                faults.push(format!("line {}: there is no control {id}", entry.line));
                continue;
            };
            // All that is below some field, or the fields themselves.
            let below = fields.keys().filter(|path| entry.count_below.is_some() && entry.lists(path));
            for path in below.chain(entry.paths.iter().filter(|_| entry.count_below.is_none())) {
                judged.push((control, path));
                if !documented(control).iter().any(|pattern| matches(pattern, path)) {
                    faults.push(format!("line {}: doc.fields of {id} does not name {path}", entry.line));
                }
            }
        }
    }
    for control in CONTROLS.iter().copied() {
        for pattern in documented(control) {
            let is_judged =
                |field: &str| judged.iter().any(|(other, path)| *other == control && matches(field, path));
            let kinds = kinds_of_items(fields, &pattern);
            for field in [pattern.as_str()].into_iter().chain(kinds).filter(|field| !is_judged(field)) {
                faults.push(format!("{field}: doc.fields of {} names it, and no entry does so", control.id));
            }
        }
    }
    faults
}

/// For a pattern of whole items, as `spec.volumes[*]`: the fields that make an item what it is, as `spec.volumes[*].nfs`.
fn kinds_of_items<'f>(fields: &'f Fields, pattern: &str) -> Vec<&'f str> {
    let of_item = |path: &str| {
        let field = path.strip_prefix(pattern).and_then(|rest| rest.strip_prefix('.'));
        pattern.ends_with("[*]") && field.is_some_and(|field| !field.contains('.'))
    };
    let kinds = fields.iter().filter(|(path, holds)| **holds == Holds::Object && of_item(path));
    kinds.map(|(path, _)| path.as_str()).collect()
}

fn documented(control: &Control) -> Vec<String> {
    control.doc.fields.iter().flat_map(|pattern| alternatives(pattern)).collect()
}
