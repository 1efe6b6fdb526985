//! `podgate policy test`: files at fault, what is reported of cases, and the tests of the policies that we ship.
//!
//! What is expected of a file at fault stands at its end behind `#> `, a fault a line.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use podgate::policy_test::FoundTests;
use serde_json::Value as Json;

use crate::command::run;
use crate::pods::{annotated_files, files, of_repository};
use crate::tidy::check_generated;

/// How the errors of tests begin.
const UNUSABLE: &str = "podgate: the tests cannot be used:\n";
/// The fewest verdicts that are expected of a policy that we ship.
const FEWEST_CASES: usize = 10;

/// A test of which the reports below are.
const REPORTED: &str = "apiVersion: podgate.dev/v1alpha1
kind: PolicyTest
spec:
  namespace: ml
  cases:
    - name: what is left out is filled in
      object: &pod {apiVersion: v1, kind: Pod, metadata: {name: p}, spec: {containers: [{name: c, image: i}]}}
      expect:
        verdict: allow
        controls: {}
        filledIn: [allowPrivilegeEscalation, capabilities_restricted, runAsNonRoot, seccompProfile_restricted]
        policies: [ours]
        fields:
          metadata.namespace: ml
          spec.containers[0].securityContext.runAsNonRoot: true
          spec.containers[0].securityContext.runAsUser: null
    - name: 'as nothing <is> & \"was\"'
      object: {apiVersion: apps/v1, kind: Deployment, metadata: {name: d}, spec: {template: {spec: {hostPID: true}}}}
      expect: {verdict: warn, controls: {hostPorts: warn}, filledIn: [], policies: [ours, yours]}
    - name: of a namespace that no policy reaches
      object: *pod
      namespace: elsewhere
      expect: {verdict: allow}
    - name: that cannot be read
      object: {apiVersion: v1, kind: Pod, spec: {containers: {}}}
      expect: {verdict: deny, controls: {}}
---
apiVersion: podgate.dev/v1alpha1
kind: SecurityPolicy
metadata: {name: ours}
spec:
  match: {namespaces: [ml]}
  standard: {enforce: restricted}
  defaults: {securityContext: Restricted}
";

const AS_TEXT: &str = "t.yaml:6: ok: what is left out is filled in
t.yaml:17: FAILED: as nothing <is> & \"was\"
  verdict   expected  warn
            found     deny
  controls  expected  hostPorts: warn
            found     hostNamespaces: deny
  policies  expected  ours, yours
            found     ours
  | no spec.selector
  | no spec.template.spec.containers
  | spec.hostPID is true; remove it
t.yaml:20: FAILED: of a namespace that no policy reaches
  policies  expected  one that holds in the namespace
            found     none
  | podgate: no policy holds in namespace \"elsewhere\": nothing checked
t.yaml:24: FAILED: that cannot be read
  could not be judged: the review cannot be read: request.object.spec.containers: expected an array, found an object (byte 241)
4 cases: 1 as expected, 3 not
";

const AS_JUNIT: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="podgate policy test" tests="4" failures="2" errors="1">
  <testsuite name="t.yaml" tests="4" failures="2" errors="1">
    <testcase name="what is left out is filled in" classname="t.yaml" file="t.yaml" line="6"/>
    <testcase name="as nothing &lt;is&gt; &amp; &quot;was&quot;" classname="t.yaml" file="t.yaml" line="17">
      <failure message="verdict: expected warn, found deny; controls: expected hostPorts: warn, found hostNamespaces: deny; policies: expected ours, yours, found ours">"#;

fn test(folder: &Path, arguments: &[&str]) -> crate::command::Ended {
    run(folder, &[&["policy", "test"], arguments].concat(), "")
}

#[test]
fn every_fault_of_a_file_is_told_in_its_place() {
    let folder = of_repository("tests/fixtures/policy_tests/faulty");
    let cases = annotated_files("tests/fixtures/policy_tests/faulty");
    assert!(cases.len() > 10);
    for (name, _, expected) in cases {
        let ended = test(&folder, &[&format!("{name}.yaml")]).with(2);
        assert_eq!(ended.output, "", "{name}");
        let faults = ended.errors.strip_prefix(UNUSABLE).unwrap_or_else(|| panic!("{ended:?}"));
        let faults: Vec<&str> = faults.lines().map(str::trim).collect();
        assert_eq!(faults, expected, "{name}");
    }
}

#[test]
fn what_differs_is_reported_in_every_form() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("t.yaml"), REPORTED).unwrap();
    assert_eq!(test(folder.path(), &["t.yaml"]).with(1).output, AS_TEXT);
    let junit = test(folder.path(), &["t.yaml", "--format", "junit"]).with(1).output;
    assert!(junit.starts_with(AS_JUNIT) && junit.ends_with("  </testsuite>\n</testsuites>\n"), "{junit}");
    let json: Json =
        serde_json::from_str(&test(folder.path(), &["t.yaml", "--format", "json"]).with(1).output).unwrap();
    let cases = json["files"][0]["cases"].as_array().unwrap();
    assert_eq!((&json["version"], cases.len()), (&1.into(), 4));
    assert_eq!(
        cases[1]["differences"][0],
        serde_json::json!({"what": "verdict", "expected": "warn", "found": "deny"})
    );
    assert!(cases[3]["error"].as_str().unwrap().contains("expected an array"), "{json:#}");
}

#[test]
fn what_is_as_expected_ends_well() {
    let folder = tempfile::tempdir().unwrap();
    let (all, _) = REPORTED.split_once("    - name: 'as nothing").unwrap();
    let (_, policy) = REPORTED.split_once("---\n").unwrap();
    fs::create_dir(folder.path().join("tests")).unwrap();
    fs::write(folder.path().join("policy.yaml"), policy).unwrap();
    let text = all.replace("spec:\n  namespace", "spec:\n  policies: [../policy.yaml]\n  namespace");
    fs::write(folder.path().join("tests/t.yaml"), text).unwrap();
    let expected = "tests/t.yaml:7: ok: what is left out is filled in\n1 case: 1 as expected, 0 not\n";
    assert_eq!(test(folder.path(), &["tests"]).with(0).output, expected);
    assert_eq!(test(folder.path(), &["tests/t.yaml"]).with(0).output, expected);
    test(folder.path(), &[]).with(2);
    test(folder.path(), &["nowhere.yaml"]).with(2);
}

/// A case is judged as its operation, its user, its namespace and the objects of the cluster have it.
#[test]
fn cases_of_every_kind_are_judged() {
    let ended = test(&of_repository("tests/fixtures/policy_tests/good"), &["cases.yaml"]);
    assert_eq!((ended.code, ended.errors.as_str()), (0, ""), "{}", ended.output);
    assert!(ended.output.ends_with("13 cases: 13 as expected, 0 not\n"), "{}", ended.output);
}

#[test]
fn a_test_is_no_policy_and_no_manifest() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("t.yaml"), REPORTED.split_once("---\n").unwrap().0).unwrap();
    let lint = run(folder.path(), &["lint", "t.yaml", "--format", "json"], "").with(0);
    assert!(
        lint.output.contains("{\"apiVersion\":\"podgate.dev/v1alpha1\",\"kind\":\"PolicyTest\",\"count\":1}")
    );
    let check = run(folder.path(), &["policy", "check", "t.yaml"], "").with(1).output;
    assert!(check.contains("a test of policies, and none itself: podgate policy test runs it"), "{check}");
}

/// The names of the policies of a kind that we ship.
fn shipped() -> BTreeSet<String> {
    let entries = fs::read_dir(of_repository("policies")).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let of_security = paths
        .filter(|path| path.is_file())
        .filter(|path| fs::read_to_string(path).is_ok_and(|text| text.contains("\nkind: SecurityPolicy\n")));
    of_security.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect()
}

#[test]
fn every_policy_that_we_ship_does_what_its_test_expects() {
    let ended = test(&of_repository(""), &["policies/tests"]);
    assert_eq!((ended.code, ended.errors.as_str()), (0, ""), "{}", ended.output);
    let tested: BTreeSet<String> = files(&of_repository("policies/tests"), "yaml")
        .iter()
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    assert_eq!(shipped(), tested);
    for name in tested {
        let mut found = FoundTests::default();
        let file = format!("policies/tests/{name}.yaml");
        found.read(&file, &fs::read_to_string(of_repository(&file)).unwrap());
        let [test] = found.tests.as_slice() else { panic!("{name}: {found:?}") };
        assert!(test.cases.len() >= FEWEST_CASES, "{name}: {} cases", test.cases.len());
        assert_eq!(test.policy_files[0].path, format!("../{name}.yaml"));
        let text = fs::read_to_string(of_repository(&format!("policies/{name}.yaml"))).unwrap();
        // What is imported holds where its RoleBindings were.
        let is_imported = text.contains("by podgate import psp");
        let selects = text.contains(&format!("podgate.dev/policy: {name}\n"));
        assert!(selects || is_imported, "{name} selects by its own label");
    }
}

/// Before, near and after the end of an exception, and without its conditions.
#[test]
fn the_example_of_an_exception_does_what_its_test_expects() {
    let ended = test(&of_repository(""), &["examples/exceptions/tests"]);
    assert_eq!((ended.code, ended.errors.as_str()), (0, ""), "{}", ended.output);
    let days = ["2027-03-17", "2027-03-31", "2027-04-01"];
    let text = fs::read_to_string(of_repository("examples/exceptions/tests/rdma-memlock.yaml")).unwrap();
    assert!(days.iter().all(|day| text.contains(&format!("at: {day}"))), "{text}");
}

#[test]
fn the_schemas_of_policy_tests_are_current() {
    let schema = format!("{:#}\n", podgate::policy_test::json_schema());
    check_generated(&format!("docs/schemas/{}.json", podgate::policy::POLICY_TEST), &schema);
}

/// The page shows what its example comes to.
#[test]
fn the_page_shows_what_its_example_prints() {
    let page = fs::read_to_string(of_repository("docs/policies.md")).unwrap();
    let (_, section) = page.split_once("## Tests of policies").unwrap();
    let block = |kind: &str| {
        let (_, rest) = section.split_once(&format!("```{kind}\n")).unwrap();
        rest.split("```").next().unwrap()
    };
    let folder = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    let policy = fs::read_to_string(of_repository("policies/ml-restricted.yaml")).unwrap();
    let pod =
        "{apiVersion: v1, kind: Pod, metadata: {name: p}, spec: {containers: [{name: c, image: \"i:1\"}]}}\n";
    write("policies/ml-restricted.yaml", &policy);
    write("manifests/all.yaml", pod);
    write("policies/tests/ml-restricted.yaml", block("yaml"));
    let command = block("sh").lines().next().unwrap();
    let words: Vec<&str> = command.split_whitespace().skip(1).collect();
    let ended = run(folder.path(), &words, "").with(1);
    assert_eq!((ended.output.as_str(), ended.errors.as_str()), (block("text"), ""), "{command}");
}
