//! `podgate kinds`, `podgate kinds discover` and `podgate lint --kinds`: exit codes, and what goes to which stream.

use std::fs;

use serde_json::{Value as Json, json};
use tempfile::TempDir;

use crate::command::{Ended, podgate, run};

const TABLE: &str = "apiVersion: podgate.dev/v1alpha1
kind: KindTable
spec:
  kinds:
  - group: example.com
    kind: TrainingRun
    templates:
    - path: spec.workers[].template
      shape: podTemplate
  - {group: example.com, kind: Cache, carries: opaque}
  - {group: example.com, kind: Queue, carries: nothing}
";

const RUN: &str = "apiVersion: example.com/v1
kind: TrainingRun
metadata: {name: run, namespace: ml-team-a}
spec:
  workers:
  - template:
      spec:
        hostPID: true
        containers: [{name: main, image: busybox}]
";

const DEFINITION: &str = "apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: trainingruns.example.com}
spec:
  group: example.com
  names: {kind: TrainingRun, plural: trainingruns}
  scope: Namespaced
  versions:
  - name: v1
    served: true
    storage: true
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            properties:
              workers:
                type: array
                items:
                  type: object
                  properties:
                    template:
                      type: object
                      properties:
                        metadata: {type: object}
                        spec:
                          type: object
                          required: [containers]
                          properties:
                            containers: {type: array, items: {type: object}}
                            securityContext: {type: object}
                            volumes: {type: array, items: {type: object}}
";

fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in [
        ("kinds.yaml", TABLE),
        ("run.yaml", RUN),
        ("faulty.yaml", "apiVersion: podgate.dev/v1alpha1\nkind: KindTable\nspec:\n  knds: []\n"),
    ] {
        fs::write(folder.path().join(name), text).unwrap();
    }
    fs::create_dir_all(folder.path().join("crds/more")).unwrap();
    fs::write(folder.path().join("crds/more/runs.yaml"), DEFINITION).unwrap();
    fs::write(folder.path().join("crds/notes.txt"), "CustomResourceDefinition: [").unwrap();
    fs::write(folder.path().join("crds/values.yaml"), "a: {{ .Values.a }}").unwrap();
    folder
}

fn kinds(folder: &TempDir, arguments: &[&str], input: &str) -> Ended {
    run(folder.path(), &[&["kinds"], arguments].concat(), input)
}

#[test]
fn kinds_are_listed() {
    let folder = folder();
    let listed = kinds(&folder, &[], "").with(0);
    assert_eq!(listed.errors, "", "{listed:?}");
    let row = |text: &str| {
        listed.output.lines().position(|line| line.split_whitespace().eq(text.split(' '))).expect(text)
    };
    assert_eq!(row("GROUP/VERSION KIND SHAPE WHERE"), 0);
    assert!(
        row("v1 Pod podTemplate the object")
            < row("apps/v1,v1beta2,v1beta1 Deployment podTemplate spec.template")
    );
    let last = row("kubeflow.org PyTorchJob podTemplate spec.pytorchReplicaSpecs.*.template");
    assert!(last < row("Known to make no pods:"));
    assert!(row("Known to make no pods:") < row("kueue.x-k8s.io LocalQueue"));
    row("nvidia.com ClusterPolicy opaque -");
}

#[test]
fn kinds_are_listed_for_programs() {
    let folder = folder();
    let listed = kinds(&folder, &["--format", "json", "--kinds", "kinds.yaml"], "").with(0);
    let listed: Json = serde_json::from_str(&listed.output).unwrap();
    assert_eq!(listed["version"], 1);
    let rows = listed["kinds"].as_array().unwrap();
    let row = |group: &str, kind: &str| {
        rows.iter().find(|row| row["group"] == group && row["kind"] == kind).expect(kind).clone()
    };
    let place = json!([{"path": "", "shape": "podTemplate", "part": "whole"}]);
    let pod = json!({"group": "", "versions": ["v1"], "kind": "Pod", "carries": "templates", "places": place, "source": "kubernetes"});
    assert_eq!(row("", "Pod"), pod);
    let place = json!([{"path": "spec.workers[].template", "shape": "podTemplate", "part": "whole"}]);
    let run = json!({"group": "example.com", "versions": [], "kind": "TrainingRun", "carries": "templates", "places": place, "source": "file"});
    assert_eq!(row("example.com", "TrainingRun"), run);
    assert_eq!(row("ray.io", "RayCluster")["carries"], "adapter");
    assert_eq!(row("example.com", "Cache")["carries"], "opaque");
    assert_eq!(row("example.com", "Queue")["carries"], "nothing");
    assert_eq!(row("kubeflow.org", "PyTorchJob")["source"], "table");
}

#[test]
fn kinds_are_narrowed() {
    let folder = folder();
    let one = kinds(&folder, &["pytorchJOB", "--format", "json"], "").with(0);
    assert!(one.output.contains("\"PyTorchJob\"") && !one.output.contains("\"TFJob\""), "{one:?}");
    let none = kinds(&folder, &["PyTorchJbo"], "").with(2);
    assert_eq!(none.output, "");
    assert!(none.errors.contains("did you mean PyTorchJob?"), "{none:?}");
    let nothing = kinds(&folder, &["Queue", "--kinds", "kinds.yaml"], "").with(0);
    assert!(nothing.output.starts_with("Known to make no pods:\n  example.com  Queue\n"), "{nothing:?}");
    assert_eq!(kinds(&folder, &["--format", "markdown"], "").with(0).output, podgate::kinds::page());
    kinds(&folder, &["--format", "yaml"], "").with(2);
}

#[test]
fn faulty_files_of_kinds_are_refused_before_anything_is_done() {
    let folder = folder();
    let fault = "faulty.yaml:4:3: spec.knds: unknown key \"knds\", did you mean \"kinds\"?";
    for arguments in [
        &["kinds", "--kinds", "faulty.yaml"][..],
        &["kinds", "discover", "--kinds", "faulty.yaml", "crds"],
        &["lint", "--kinds", "faulty.yaml", "run.yaml"],
        &["lint", "--kinds", ".", "run.yaml"],
    ] {
        let ended = run(folder.path(), arguments, "").with(2);
        assert_eq!(ended.output, "", "{arguments:?}");
        assert!(ended.errors.starts_with("podgate: the kinds cannot be used:\n"), "{arguments:?}: {ended:?}");
        assert!(ended.errors.contains(fault), "{arguments:?}: {ended:?}");
    }
    let missing = kinds(&folder, &["--kinds", "nowhere.yaml"], "").with(2);
    assert!(missing.errors.contains("nowhere.yaml"), "{missing:?}");
    let twice = kinds(&folder, &["--kinds", "kinds.yaml", "--kinds", "kinds.yaml"], "").with(2);
    assert!(twice.errors.contains("is already in kinds.yaml:6"), "{twice:?}");
}

#[test]
fn lint_judges_the_kinds_of_a_file() {
    let folder = folder();
    let lint = |arguments: &[&str], input: &str| run(folder.path(), &[&["lint"], arguments].concat(), input);
    let unknown = lint(&["run.yaml"], "").with(3);
    assert!(
        unknown.output.contains("TrainingRun of example.com/v1 is no kind that podgate knows"),
        "{unknown:?}"
    );
    let denied = lint(&["--kinds", "kinds.yaml", "run.yaml"], "").with(1);
    assert!(denied.output.contains("  8:18  spec.hostPID is true"), "{denied:?}");
    let of_variable = podgate()
        .args(["lint", "run.yaml"])
        .env("PODGATE_KINDS", "kinds.yaml")
        .current_dir(folder.path())
        .output()
        .unwrap();
    assert_eq!(of_variable.status.code(), Some(1));
    let json = lint(&["--kinds", "kinds.yaml", "--format", "json", "run.yaml"], "").with(1);
    let report: Json = serde_json::from_str(&json.output).unwrap();
    let pod = &report["objects"][0]["pods"][0];
    assert_eq!((&pod["path"], &pod["shape"]), (&json!("spec.workers[0].template"), &json!("podTemplate")));
}

/// A path that leads to nothing, and a kind of which nothing is written, are never "allowed" and never passed over.
#[test]
fn what_a_file_does_not_find_is_unresolved() {
    let folder = folder();
    let lint = |input: &str| run(folder.path(), &["lint", "--kinds", "kinds.yaml", "-"], input);
    let object = |kind: &str, spec: &str| {
        format!(
            "apiVersion: example.com/v1\nkind: {kind}\nmetadata: {{name: a, namespace: b}}\nspec: {spec}\n"
        )
    };
    for (kind, spec, reason) in [
        ("TrainingRun", "{jobs: [{template: {}}]}", "no pod template in this TrainingRun"),
        ("TrainingRun", "{workers: []}", "no pod template in this TrainingRun"),
        ("TrainingRun", "{workers: '${WORKERS}'}", "spec.workers is a placeholder"),
        ("TrainingRun", "{workers: {a: {}}}", "spec.workers: expected an object or a list, found an object"),
        ("Cache", "{size: 5}", "nothing of it is written here that could be judged"),
    ] {
        let ended = lint(&object(kind, spec)).with(3);
        assert!(ended.output.contains(reason), "{kind} {spec}: {ended:?}");
    }
    let queue = lint(&object("Queue", "{}")).with(0);
    assert_eq!(queue.output, "", "{queue:?}");
}

/// A table of kinds in a folder that is linted is no policy of podgate's.
#[test]
fn a_table_of_kinds_that_is_linted_is_only_counted() {
    let folder = folder();
    let linted = run(folder.path(), &["lint", "kinds.yaml"], "").with(0);
    assert!(linted.errors.contains("KindTable"), "{linted:?}");
}

/// A faulty one is a fault, as a faulty policy file is: each with its place, as --kinds has them.
#[test]
fn a_faulty_table_of_kinds_that_is_linted_is_a_fault() {
    let folder = folder();
    let table = "apiVersion: podgate.dev/v1alpha1\nkind: KindTable\nspec:\n  kinds:\n";
    let entry = "  - group: example.com\n    kind: Run\n    carries: opaque\n";
    let faulty = format!(
        "apiVersion: v1\nkind: ConfigMap\n---\n{table}{entry}---\n{table}{entry}  - group: example\n    kind: A\n    carries: some\n"
    );
    fs::write(folder.path().join("faulty.yaml"), &faulty).unwrap();
    let linted = run(folder.path(), &["lint", "faulty.yaml"], "").with(3);
    for fault in [
        "faulty.yaml:17:11: spec.kinds[0].kind: example.com/Run without versions is already in faulty.yaml:9",
        "faulty.yaml:19:12: spec.kinds[1].group: has no dot",
        "faulty.yaml:21:14: spec.kinds[1].carries: ",
    ] {
        assert!(linted.output.contains(fault), "{fault}: {linted:?}");
    }
    assert!(linted.errors.contains("1 KindTable (podgate.dev/v1alpha1)"), "{linted:?}");
    let json = run(folder.path(), &["lint", "--format", "json", "faulty.yaml"], "").with(3);
    assert!(json.output.contains(r#""document":3"#), "{json:?}");
}

#[test]
fn entries_are_discovered_and_used() {
    let folder = folder();
    let discovered = kinds(&folder, &["discover", "crds"], "").with(0);
    assert!(
        discovered.output.contains("    - path: spec.workers[].template\n      shape: podTemplate\n"),
        "{discovered:?}"
    );
    assert_eq!(discovered.errors, "1 CustomResourceDefinition read\n");
    fs::write(folder.path().join("proposed.yaml"), &discovered.output).unwrap();
    run(folder.path(), &["lint", "--kinds", "proposed.yaml", "run.yaml"], "").with(1);
    let input = kinds(&folder, &["discover", "-"], DEFINITION).with(0);
    assert!(input.output.contains("  # -:2\n"), "{input:?}");
    // What a file adds is known.
    let known = kinds(&folder, &["discover", "--kinds", "proposed.yaml", "crds"], "").with(0);
    assert!(known.output.contains("# There is nothing to add.\n"), "{known:?}");
    // That can be used like any other.
    fs::write(folder.path().join("nothing.yaml"), &known.output).unwrap();
    run(folder.path(), &["lint", "--kinds", "nothing.yaml", "--kinds", "proposed.yaml", "run.yaml"], "")
        .with(1);
}

#[test]
fn what_cannot_be_discovered_makes_the_exit_code() {
    let folder = folder();
    fs::write(folder.path().join("crds/broken.yaml"), "kind: CustomResourceDefinition\nspec: [\n").unwrap();
    fs::write(folder.path().join("crds/bytes.yaml"), b"kind: CustomResourceDefinition\nspec: \xff\n")
        .unwrap();
    let broken = kinds(&folder, &["discover", "crds", "nowhere.yaml"], "").with(3);
    // The rest is proposed all the same.
    assert!(broken.output.contains("kind: TrainingRun"), "{broken:?}");
    for part in [
        "crds/broken.yaml:2:7: ",
        "crds/bytes.yaml: it is not UTF-8",
        "cannot read nowhere.yaml",
        "; 3 faults",
    ] {
        assert!(broken.errors.contains(part), "{part}: {broken:?}");
    }
    let none = kinds(&folder, &["discover", "run.yaml"], "").with(3);
    let why = "0 CustomResourceDefinitions read: there is none to propose anything from (kubectl get \
               customresourcedefinitions -o yaml prints those of a cluster)\n";
    assert_eq!((none.output.as_str(), none.errors.as_str()), ("", why));
    kinds(&folder, &["discover"], "").with(2);
    kinds(&folder, &["discover", "--format", "json", "crds"], "").with(2);
}
