//! In one run the linter says what `/validate` says after `/mutate`, of every violation: the verdict, the controls, and one by one
//! the fields, the values found and the fixes.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use podgate::admission::{Reviewer, Webhook};
use podgate::lint::report::{ObjectVerdict, PodReport};
use podgate::lint::{Input, Options, Report, run};
use podgate::policy::{BUILT_IN, PolicySet};
use podgate::workload::{Carries, Kinds, Part, Shape, Workload};
use podgate::yaml;
use proptest::prelude::*;
use serde_json::{Value as Json, json};

use crate::pods::{
    LEAST_FIXTURES, any_pod, cases, files, json_of, of_repository, own_fixtures, upstream_fixtures,
};
use crate::policies::policies;
use crate::real_data::{self, FIXTURES};
use crate::reviews::{MADE_IN, apply, labelled, response};
use crate::told::{by_linter, by_webhook};
use crate::trials::as_defaulted;

/// Most causes that the status of a refusal has.
const MOST_CAUSES: usize = 64;

/// Policies, made anew wherever they are needed.
pub(crate) type Policies<'p> = &'p dyn Fn() -> PolicySet;

/// A pod, and an object with it: where it stands there, with the part of a pod that is there.
pub(crate) struct Placed {
    name: String,
    pod: Json,
    object: Json,
    /// Where it stands in the object, and which part of the pod that is.
    base: String,
    of_pod: &'static str,
}

impl Placed {
    /// A pod by itself.
    pub(crate) fn alone(name: &str, pod: &Json) -> Self {
        let pod = as_defaulted(pod);
        let mut object = pod.clone();
        (object["apiVersion"], object["kind"]) = (json!("v1"), json!("Pod"));
        if !object["metadata"].is_object() {
            object["metadata"] = json!({});
        }
        object["metadata"]["namespace"] = json!(MADE_IN);
        Self { name: name.to_owned(), pod, object, base: String::new(), of_pod: "" }
    }
}

/// What was compared.
#[derive(Debug, Default)]
pub(crate) struct Compared {
    pods: usize,
    refused: usize,
    violations: usize,
}

fn lint(objects: &[&Json], policies: PolicySet) -> Report {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("objects.yaml");
    let documents: Vec<String> = objects.iter().map(ToString::to_string).collect();
    fs::write(&file, documents.join("\n---\n")).expect("room for it");
    let options = Options { policies, namespaces: labelled(&[MADE_IN]), ..Options::default() };
    run(&[Input::Path(file)], options)
}

/// Compares what is told of each pod.
pub(crate) fn compare(placed: &[Placed], policies: Policies<'_>, compared: &mut Compared) {
    let reviewer = Reviewer::new(policies(), labelled(&[MADE_IN]));
    let objects: Vec<&Json> = placed.iter().map(|placed| &placed.object).collect();
    let report = lint(&objects, policies());
    let by_document: BTreeMap<usize, &PodReport> =
        report.objects.iter().map(|object| (object.document, &object.pods[0])).collect();
    for (index, placed) in placed.iter().enumerate() {
        compare_pod(placed, by_document.get(&(index + 1)).copied(), &reviewer, compared);
    }
}

fn compare_pod(placed: &Placed, linted: Option<&PodReport>, reviewer: &Reviewer, compared: &mut Compared) {
    let Placed { name, pod, object, base, of_pod } = placed;
    let mut made = pod.clone();
    apply(name, &response(reviewer, Webhook::Mutate, &made), &mut made);
    let answer = response(reviewer, Webhook::Validate, &made);
    let causes = answer["status"]["details"]["causes"].as_array().map_or(0, Vec::len);
    let Some(linted) = linted else {
        // What the one cannot read, the other cannot.
        assert!(answer["allowed"] == false && causes == 0, "{name}: {object}\n{answer:#}");
        return;
    };
    assert_eq!(answer["allowed"], linted.allowed, "{name}: {object}\n{answer:#}\n{linted:#?}");
    compared.pods += 1;
    if causes == 0 || causes >= MOST_CAUSES {
        return;
    }
    let (told, of_lint) = (by_webhook(&answer, of_pod), by_linter(linted, base));
    assert_eq!(told, of_lint, "{name}: {object}");
    compared.refused += 1;
    compared.violations += told.violations.len();
}

/// Policies that enforce a standard where pods are made, and fill in nothing.
fn of_standard(standard: &str) -> PolicySet {
    policies(&format!(
        "apiVersion: podgate.dev/v1alpha1\nkind: SecurityPolicy\nmetadata: {{name: strict}}\n\
         spec: {{match: {{namespaces: [{MADE_IN}]}}, standard: {{enforce: '{standard}'}}}}\n"
    ))
}

/// Whether a pod is one that the webhook judges by other means: those of the kubelet have an owner that the linter does not see.
fn is_mirror(pod: &Json) -> bool {
    pod["metadata"]["annotations"].get("kubernetes.io/config.mirror").is_some()
}

/// Our own fixtures, and Kubernetes' own, each distinct content once.
fn fixtures() -> Vec<(String, Json)> {
    let all = own_fixtures().into_iter().chain(upstream_fixtures());
    let read = all.map(|fixture| (fixture.name, serde_json::from_slice::<Json>(&fixture.json).unwrap()));
    read.filter(|(_, pod)| pod["kind"] == "Pod" && !is_mirror(pod)).collect()
}

#[test]
fn of_fixtures() {
    let placed: Vec<Placed> = fixtures().iter().map(|(name, pod)| Placed::alone(name, pod)).collect();
    for policies in [&|| policies(BUILT_IN), &|| of_standard("restricted:latest")] as [Policies<'_>; 2] {
        let mut compared = Compared::default();
        compare(&placed, policies, &mut compared);
        assert!(compared.pods > 100 && compared.refused > 50, "{compared:?}");
        eprintln!("{compared:?}");
    }
}

/// Each of Kubernetes' own fixtures by the standard and version that it is of.
#[test]
fn of_kubernetes_fixtures_by_their_own_standards() {
    let Some(folder) = real_data::folder(FIXTURES, "the linter and the webhook on Kubernetes' own fixtures")
    else {
        return;
    };
    let mut by_standard: BTreeMap<String, Vec<Placed>> = BTreeMap::new();
    for path in files(&folder, "yaml") {
        let name = path.strip_prefix(&folder).unwrap().display().to_string();
        let pod: Json = serde_json::from_slice(&json_of(&name, &fs::read_to_string(&path).unwrap())).unwrap();
        let mut parts = name.split('/');
        let (level, version) = (parts.next().unwrap(), parts.next().unwrap());
        by_standard.entry(format!("{level}:{version}")).or_default().push(Placed::alone(&name, &pod));
    }
    let mut compared = Compared::default();
    for (standard, placed) in by_standard {
        compare(&placed, &|| of_standard(&standard), &mut compared);
    }
    eprintln!("{compared:?}");
    assert!(compared.pods >= LEAST_FIXTURES && compared.refused > 1000, "{compared:?}");
}

proptest! {
    #![proptest_config(cases(150))]

    #[test]
    fn of_generated_pods(pod in any_pod()) {
        let placed = [Placed::alone("a generated pod", &pod)];
        for policies in [&|| policies(BUILT_IN), &|| of_standard("restricted:latest")] as [Policies<'_>; 2] {
            compare(&placed, policies, &mut Compared::default());
        }
    }
}

/// A value at a path, and the path with an index in each list.
fn placed_at(pattern: &str, value: Json) -> (Json, String) {
    let object = pattern.split('.').rev().fold(value, |inner, part| match part.strip_suffix("[]") {
        Some(name) => json!({name: [inner]}),
        None if part == "*" => json!({"one": inner}),
        None => json!({part: inner}),
    });
    (object, pattern.replace("[]", "[0]").replace('*', "one"))
}

/// The pod that is written in a place of this shape, and which part of it that is; none where it may not be the whole.
fn pod_in(shape: Shape, written: &Json) -> Option<(Json, &'static str)> {
    match shape {
        Shape::PodTemplate => Some((json!({"metadata": written["metadata"], "spec": written["spec"]}), "")),
        Shape::PodSpec => Some((json!({"metadata": {"name": "p"}, "spec": written}), "spec")),
        Shape::ExtendedPodSpec
        | Shape::PartialPodSpec
        | Shape::Container
        | Shape::Patch
        | Shape::Reference
        | Shape::Object
        | Shape::Opaque => None,
    }
}

/// A pod in every place of the table that has whole ones, each with another fixture.
#[test]
fn of_templates_in_every_place_of_the_table() {
    let fixtures = fixtures();
    let mut pods = fixtures.iter().cycle();
    let (kinds, mut placed) = (Kinds::default(), Vec::new());
    for row in kinds.iter() {
        let Carries::Templates(patterns) = row.carries else { continue };
        let version = row.versions.first().unwrap_or(&"v1");
        for pattern in patterns.iter().filter(|pattern| pattern.part == Part::Whole) {
            for _ in 0..12 {
                let (name, pod) = pods.next().unwrap();
                let pod = as_defaulted(pod);
                let is_template = pattern.shape == Shape::PodTemplate;
                let value = if is_template { pod } else { pod["spec"].clone() };
                let Some((pod, of_pod)) = pod_in(pattern.shape, &value) else { continue };
                let (mut object, base) = placed_at(pattern.pattern, value);
                object["apiVersion"] = json!(format!("{}/{version}", row.group));
                object["kind"] = json!(row.kind);
                object["metadata"] = json!({"name": "o", "namespace": MADE_IN});
                let name = format!("{name} in {} {}", row.kind, pattern.pattern);
                placed.push(Placed { name, pod, object, base, of_pod });
            }
        }
    }
    let mut compared = Compared::default();
    compare(&placed, &|| of_standard("restricted:latest"), &mut compared);
    compare(&placed, &|| policies(BUILT_IN), &mut compared);
    eprintln!("{compared:?}");
    assert!(compared.pods > 1000 && compared.refused > 500, "{compared:?}");
}

/// The pods of the objects in files, where they stand as they are.
fn of_files(folder: &Path) -> Vec<Placed> {
    let mut placed = Vec::new();
    for path in ["yaml", "yml", "json"].iter().flat_map(|extension| files(folder, extension)) {
        let Ok(text) = fs::read_to_string(&path) else { continue };
        for document in yaml::read(&text).into_iter().flatten() {
            let object: Json = serde_json::from_slice(&document.root.to_json()).unwrap();
            placed.extend(of_object(&path.display().to_string(), object));
        }
    }
    placed
}

/// The only pod of an object, if it has one that stands in it as a whole.
fn of_object(name: &str, mut object: Json) -> Option<Placed> {
    let (api_version, kind) =
        (object["apiVersion"].as_str()?.to_owned(), object["kind"].as_str()?.to_owned());
    let is_in_place = Workload::of_kind(&api_version, &kind).is_some()
        || Kinds::default()
            .find(&api_version, &kind)
            .is_some_and(|row| matches!(row.carries, Carries::Templates(_)));
    if !is_in_place || !object["metadata"].is_object() {
        return None;
    }
    object["metadata"]["namespace"] = json!(MADE_IN);
    let report = lint(&[&object], of_standard("restricted:latest"));
    let [linted] = report.objects.first()?.pods.as_slice() else { return None };
    if linted.verdict == ObjectVerdict::Unresolved || !linted.unresolved.is_empty() {
        return None;
    }
    if linted.path.is_empty() {
        return Some(Placed::alone(name, &object));
    }
    let mut pointer = String::new();
    for part in linted.path.replace(']', "").split(['.', '[']) {
        pointer.push('/');
        pointer.push_str(part);
    }
    let written = object.pointer(&pointer)?.clone();
    let (pod, of_pod) = pod_in(linted.shape, &written)?;
    let mut pod = as_defaulted(&pod);
    if !pod["metadata"].is_object() {
        pod["metadata"] = json!({"name": "p"});
    }
    let base = linted.path.clone();
    Some(Placed { name: name.to_owned(), pod, object, base, of_pod })
}

#[test]
fn of_examples_and_cases() {
    let mut placed = of_files(&of_repository("examples"));
    assert!(placed.len() >= 3, "only {} examples", placed.len());
    if let Some(folder) = real_data::folder("PODGATE_CASES", "the linter and the webhook on cases") {
        placed.extend(of_files(&folder));
        assert!(placed.len() >= 25, "only {} cases", placed.len());
    }
    let mut compared = Compared::default();
    compare(&placed, &|| policies(BUILT_IN), &mut compared);
    compare(&placed, &|| of_standard("restricted:latest"), &mut compared);
    eprintln!("{compared:?}");
    assert!(compared.refused >= 3, "{compared:?}");
}
