//! Every control against pods of our own, which the folder of its id holds: some that it lets pass, some that it finds
//! at fault.
//!
//! A fixture opens with comments that say what it is judged by and what is found:
//!
//! - `# standard: baseline:v1.0 restricted:latest`: the standards, with the same result for each;
//! - `# controls: {volumeTypes: {allowed: [secret]}}`: in their place, the `controls` of a policy file;
//! - `# detail: ...`: the text in Kubernetes' own words, of this control alone;
//! - `# finds: spec.hostPID = true -> remove it`: one line a finding, with `(safe)` where filling in fixes it.

use std::collections::{BTreeMap, BTreeSet};

use podgate::controls::{CONTROLS, Control, Standard};
use podgate::evaluate::{Context, ControlFindings, StandardText, by_standard, evaluate};
use podgate::finding::Finding;
use podgate::json::Reader;
use podgate::pod::{ContainerKind, Pod};
use podgate::policy::{Policies, PolicySet, read_file};
use podgate::workload::{WORKLOADS, WorkloadObject};

use serde_json::Value as Json;

use crate::pods::{Fixture, of_repository, own_fixtures};
use crate::policies::policies;

/// Fields that make a control pass over a pod: nothing is ever found there.
const CONDITIONS: [&str; 2] = ["spec.os.name", "spec.hostUsers"];

impl Fixture {
    /// The control's id, `pass` or `fail`, and the rest.
    fn parts(&self) -> (&str, &str) {
        let mut parts = self.name.split('/');
        (parts.next().unwrap(), parts.next().unwrap())
    }

    /// The values of the comments of this name.
    fn comments<'f>(&'f self, name: &'f str) -> impl Iterator<Item = &'f str> {
        self.text
            .lines()
            .filter_map(move |line| line.strip_prefix("# ")?.strip_prefix(name)?.strip_prefix(": "))
    }

    /// Calls back with what this control finds, once for each thing that the fixture is to be judged by.
    fn judge(&self, mut check: impl FnMut(&str, Option<&ControlFindings<'_>>)) {
        let object = object(self);
        let pod = object.pod.as_ref().unwrap();
        let is_meant = |of_control: &ControlFindings<'_>| of_control.control.id == self.parts().0;
        let mut count = 0;
        for name in self.comments("standard").flat_map(str::split_whitespace) {
            let findings = by_standard(&name.parse::<Standard>().unwrap(), pod);
            check(name, findings.iter().find(|of_control| is_meant(of_control)));
            count += 1;
        }
        for controls in self.comments("controls") {
            let policies = by_controls(controls);
            let verdict = evaluate(policies.security.iter(), pod, Context::CREATE);
            let mut findings = verdict.controls().map(|(_, control)| &control.findings);
            check(controls, findings.find(|of_control| is_meant(of_control)));
            count += 1;
        }
        assert!(count > 0, "{}: says neither `# standard: ...` nor `# controls: ...`", self.name);
    }
}

fn object(fixture: &Fixture) -> WorkloadObject<'_> {
    let workload = WORKLOADS
        .iter()
        .find(|workload| fixture.text.lines().any(|line| line.strip_prefix("kind: ") == Some(workload.kind)))
        .unwrap_or_else(|| panic!("{}: of no kind that carries pods", fixture.name));
    let mut reader = Reader::new(&fixture.json).unwrap();
    workload.read(&mut reader).unwrap_or_else(|error| panic!("{}: {error}", fixture.name)).unwrap()
}

/// A policy with these `controls` and nothing else.
fn policy_of(controls: &str) -> String {
    format!(
        "apiVersion: podgate.dev/v1alpha1\nkind: SecurityPolicy\nmetadata: {{name: fixture}}\n\
         spec: {{match: {{namespaces: [any]}}, controls: {controls}}}\n"
    )
}

fn by_controls(controls: &str) -> PolicySet {
    policies(&policy_of(controls))
}

/// The same; `None` if they make no policy.
fn read_controls(controls: &str) -> Option<PolicySet> {
    let mut policies = Policies::new(vec!["podgate-system".into()]);
    read_file("policies.yaml", &policy_of(controls), &mut policies);
    policies.finish().ok()
}

/// A finding as `# finds: ` has it.
fn line(finding: &Finding<'_>) -> String {
    let path = finding.whole_path();
    let safe = if finding.is_auto_fixable() { " (safe)" } else { "" };
    format!("{path} = {} -> {}{safe}", finding.found, finding.fix)
}

fn kept<'f, 'p>(findings: Option<&'f ControlFindings<'p>>) -> &'f [Finding<'p>] {
    findings.map_or(&[], ControlFindings::kept)
}

fn fixtures_of(verdict: &str) -> Vec<Fixture> {
    let mut fixtures = own_fixtures();
    fixtures.retain(|fixture| fixture.parts().1 == verdict);
    fixtures
}

#[test]
fn every_control_has_pods_that_pass_and_pods_that_fail() {
    let fixtures = own_fixtures();
    for Control { id, .. } in CONTROLS.iter().copied() {
        for verdict in ["pass", "fail"] {
            assert!(
                fixtures.iter().any(|fixture| fixture.parts() == (id, verdict)),
                "{id} has no fixture: add a pod to tests/fixtures/controls/{id}/{verdict}"
            );
        }
    }
}

#[test]
fn every_folder_is_of_a_control() {
    for entry in std::fs::read_dir(of_repository("tests/fixtures/controls")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(Control::named(&name).is_some(), "tests/fixtures/controls/{name}: no control has this id");
    }
    for fixture in own_fixtures() {
        assert!(
            ["pass", "fail"].contains(&fixture.parts().1),
            "{}: neither in pass nor in fail",
            fixture.name
        );
    }
}

#[test]
fn what_passes_has_no_finding() {
    for fixture in fixtures_of("pass") {
        fixture.judge(|by, findings| {
            let lines: Vec<String> = kept(findings).iter().map(line).collect();
            assert_eq!(lines, [""; 0], "{} by {by}", fixture.name);
        });
    }
}

#[test]
fn what_fails_says_what_and_where() {
    for fixture in fixtures_of("fail") {
        let detail: Vec<&str> = fixture.comments("detail").collect();
        let finds: Vec<&str> = fixture.comments("finds").collect();
        fixture.judge(|by, findings| {
            let lines: Vec<String> = kept(findings).iter().map(line).collect();
            assert_eq!(lines, finds, "{} by {by}", fixture.name);
            assert_eq!([StandardText::of(findings).detail.as_str()], *detail, "{} by {by}", fixture.name);
        });
    }
}

/// A fix does what it says: once its edits are made, the control finds nothing there any more.
#[test]
fn the_edits_of_a_fix_fix_what_was_found() {
    let mut count = 0;
    for fixture in fixtures_of("fail") {
        let pod: Json = serde_json::from_slice(&fixture.json).unwrap();
        if pod["kind"] != "Pod" {
            continue;
        }
        fixture.judge(|by, findings| {
            for finding in kept(findings) {
                let mut fixed = pod.clone();
                if finding.edits().map(|edit| edit.make_in(&mut fixed)).count() == 0 {
                    continue;
                }
                count += 1;
                let name = fixture.name.clone();
                let fixed =
                    Fixture { json: serde_json::to_vec(&fixed).unwrap(), text: fixture.text.clone(), name };
                let before = kept(findings).len();
                fixed.judge(|again_by, left| {
                    let is_fixed = kept(left).len() < before;
                    assert!(again_by != by || is_fixed, "{} by {by}: {}", fixture.name, line(finding));
                });
            }
        });
    }
    assert!(count > 100, "{count}");
}

#[test]
fn controls_of_containers_fail_in_every_kind_of_container() {
    for control in CONTROLS.iter().copied().filter(|control| of_containers(control)) {
        let mut kinds = Vec::new();
        for fixture in fixtures_of("fail").iter().filter(|fixture| fixture.parts().0 == control.id) {
            fixture.judge(|_, findings| {
                kinds.extend(
                    kept(findings).iter().filter_map(|finding| finding.subject.container()).map(|at| at.kind),
                );
            });
        }
        let looks_at = |kind: &ContainerKind| has_field(control, kind.list());
        for kind in [ContainerKind::Init, ContainerKind::Regular, ContainerKind::Ephemeral]
            .iter()
            .filter(|kind| looks_at(kind))
        {
            assert!(kinds.contains(kind), "{}: no fixture fails in {}", control.id, kind.list());
        }
    }
}

fn of_containers(control: &Control) -> bool {
    has_field(control, "ephemeralContainers")
}

/// Whether it looks at fields below one of this name.
fn has_field(control: &Control, name: &str) -> bool {
    control.doc.fields.iter().any(|field| field.contains(name))
}

#[test]
fn standards_controls_are_tried_at_their_first_version_and_before_it() {
    for control in CONTROLS.iter().copied() {
        let podgate::controls::Origin::Standard { revisions, .. } = control.origin else { continue };
        let fixtures: Vec<Fixture> =
            own_fixtures().into_iter().filter(|fixture| fixture.parts().0 == control.id).collect();
        let standards: BTreeSet<&str> = fixtures
            .iter()
            .flat_map(|fixture| fixture.comments("standard"))
            .flat_map(str::split_whitespace)
            .collect();
        let is_tried =
            |minor: u64| standards.iter().any(|standard| standard.ends_with(&format!(":v1.{minor}")));
        for since in revisions.iter().map(|revision| revision.since) {
            assert!(is_tried(since), "{}: no fixture is judged at v1.{since}", control.id);
            assert!(
                since == 0 || is_tried(since - 1),
                "{}: no fixture is judged before v1.{since}",
                control.id
            );
        }
    }
}

/// Editors and the reader of policy files know each extended control, with what all of them have in common.
#[test]
fn the_schema_of_policies_has_every_extended_control_and_no_other() {
    let schema = podgate::policy::PolicyKind::SecurityPolicy.json_schema();
    let properties = |at: &str| schema.pointer(at).and_then(Json::as_object).unwrap().clone();
    let controls = properties("/$defs/SecuritySpec/properties/controls/properties");
    let except = properties("/$defs/Standards/properties/except/properties");
    for control in CONTROLS {
        let (is_extended, id) = (control.level().is_none(), control.id);
        assert_eq!((controls.contains_key(id), except.contains_key(id)), (is_extended, !is_extended), "{id}");
    }
    for (id, schema) in controls {
        assert_eq!(
            (&schema["type"], &schema["additionalProperties"]),
            (&"object".into(), &false.into()),
            "{id}"
        );
        assert!(
            schema["properties"]["mode"].is_object() && schema["properties"]["message"].is_object(),
            "{id}"
        );
    }
}

/// What a policy says of an extended control is understood as it was meant: said again, it means the same.
#[test]
fn parameters_come_round() {
    let parameters_of = |controls: &str, id: &str| {
        let policies = by_controls(controls);
        let mut active = policies.security.iter().flat_map(|policy| policy.controls());
        active.find(|active| active.control.id == id).and_then(|active| active.parameters())
    };
    for control in CONTROLS.iter().filter(|control| control.level().is_none()) {
        let fixtures: Vec<Fixture> =
            own_fixtures().into_iter().filter(|fixture| fixture.parts().0 == control.id).collect();
        let given = fixtures.iter().flat_map(|fixture| fixture.comments("controls"));
        let mut count = 0;
        for controls in given {
            let Some(parameters) = parameters_of(controls, control.id) else { continue };
            let again = serde_json::json!({ (control.id): parameters.clone() }).to_string();
            assert_eq!(parameters_of(&again, control.id), Some(parameters), "{controls}");
            count += 1;
        }
        assert!(count > 0, "{}: no fixture turns it on", control.id);
    }
}

/// The fields that a control's page names are those in which it finds something, and no others.
#[test]
fn the_documented_fields_are_the_ones_that_are_judged() {
    for control in CONTROLS.iter().copied() {
        let documented: Vec<String> =
            control.doc.fields.iter().flat_map(|field| alternatives(field)).collect();
        let mut found = BTreeSet::new();
        for fixture in fixtures_of("fail").iter().filter(|fixture| fixture.parts().0 == control.id) {
            fixture.judge(|_, findings| {
                found.extend(kept(findings).iter().map(|finding| finding.whole_path().to_string()));
            });
        }
        for path in &found {
            let is_documented = documented.iter().any(|pattern| matches(pattern, path));
            assert!(is_documented, "{}: finds {path}, which doc.fields does not name", control.id);
        }
        for pattern in documented.iter().filter(|pattern| !CONDITIONS.contains(&pattern.as_str())) {
            let is_found = found.iter().any(|path| matches(pattern, path));
            assert!(is_found, "{}: no fixture fails in {pattern}, which doc.fields names", control.id);
        }
    }
}

/// `a.{b,c}.d` as `a.b.d` and `a.c.d`.
pub(crate) fn alternatives(pattern: &str) -> Vec<String> {
    let Some((before, rest)) = pattern.split_once('{') else { return vec![pattern.to_owned()] };
    let (words, after) = rest.split_once('}').unwrap();
    words.split(',').flat_map(|word| alternatives(&format!("{before}{word}{after}"))).collect()
}

/// Whether a path is the field of a pattern or lies within it; `[*]` is any item, a final `*` any text.
pub(crate) fn matches(pattern: &str, path: &str) -> bool {
    match pattern.split_once('*') {
        None => {
            path.strip_prefix(pattern).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        }
        Some((before, after)) => path
            .strip_prefix(before)
            .and_then(|rest| rest.split_once(']'))
            .is_some_and(|(_, rest)| after.strip_prefix(']').is_some_and(|after| matches(after, rest))),
    }
}

#[test]
fn a_pod_without_any_field_keeps_every_baseline_rule() {
    let pod = Pod::default();
    let standard: Standard = "baseline".parse().unwrap();
    assert!(by_standard(&standard, &pod).is_empty());
}

/// One `controls` of each extended control, as the first fixture of its own has it, but for one of them.
fn all_others(but: &str) -> Vec<String> {
    let fixtures = own_fixtures();
    let extended = CONTROLS.iter().filter(|control| control.level().is_none() && control.id != but);
    let first = |control: &&Control| {
        let of_control = fixtures.iter().filter(|fixture| fixture.parts().0 == control.id);
        let controls = of_control.flat_map(|fixture| fixture.comments("controls"));
        let mut alone = controls.filter(|controls| controls.starts_with(&format!("{{{}:", control.id)));
        alone.next().map(|controls| controls[1..controls.len() - 1].to_owned())
    };
    extended.copied().filter_map(|control| first(&control)).collect()
}

/// Whatever a control refuses stays refused beside all the others.
#[test]
fn another_control_never_allows_more() {
    let fixtures = fixtures_of("fail");
    // Of several pods that are judged by the same text it is read once.
    let mut by_own: BTreeMap<(&str, &str), Vec<&Fixture>> = BTreeMap::new();
    for fixture in &fixtures {
        let id = fixture.parts().0;
        for own in fixture.comments("controls").filter(|own| own.starts_with(&format!("{{{id}:"))) {
            by_own.entry((id, own)).or_default().push(fixture);
        }
    }
    let (mut count, mut beside) = (0, Vec::new());
    let mut of_control = "";
    for ((id, own), fixtures) in by_own {
        if of_control != id {
            (of_control, beside) = (id, all_others(id));
        }
        let denied_by = |policies: &PolicySet, fixture: &&&Fixture| {
            let object = object(fixture);
            evaluate(policies.security.iter(), object.pod.as_ref().unwrap(), Context::CREATE).is_denied()
        };
        // Some are only tried out.
        let alone = by_controls(own);
        let denied: Vec<&&Fixture> = fixtures.iter().filter(|fixture| denied_by(&alone, fixture)).collect();
        for other in &beside {
            let both = format!("{{{}, {other}}}", &own[1..own.len() - 1]);
            // Two that contradict each other are no policy.
            let Some(policies) = read_controls(&both) else { continue };
            for fixture in &denied {
                assert!(denied_by(&policies, fixture), "{}: {both}", fixture.name);
                count += 1;
            }
        }
    }
    assert!(beside.len() > 30 && count > 1000, "{} {count}", beside.len());
}
