//! What CustomResourceDefinitions suggest: the whole proposed file for small ones, and what is wrong with bad ones.

use podgate::kinds::{Discovery, KindFiles};
use podgate::workload::Kinds;

/// What is proposed for files named `a.yaml` and on, without its head, and what was wrong with them.
fn discover(texts: &[&str]) -> (String, Vec<String>) {
    let mut discovery = Discovery::new(Kinds::default());
    for (name, text) in ('a'..).zip(texts) {
        discovery.read(&format!("{name}.yaml"), text);
    }
    let proposal = discovery.proposal();
    if proposal.contains("kind: KindTable") {
        let mut files = KindFiles::default();
        files.read("proposal.yaml", &proposal);
        assert!(files.finish().is_ok(), "{proposal}");
    }
    let rest: Vec<&str> = proposal.lines().skip(3).collect();
    (rest.join("\n"), discovery.faults().iter().map(ToString::to_string).collect())
}

const POD: &str =
    "{required: [containers], properties: {containers: {type: array}, securityContext: {}, volumes: {}}}";

/// A definition with these versions, each with the schema of its spec.
fn definition(group: &str, kind: &str, versions: &[(&str, String)]) -> String {
    let mut text = format!(
        "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {{name: x.{group}}}\n\
         spec:\n  group: {group}\n  names: {{kind: {kind}, plural: x}}\n  versions:\n"
    );
    for (name, spec) in versions {
        text += &format!(
            "  - name: {name}\n    served: true\n    schema: {{openAPIV3Schema: {{type: object, properties: {{spec: {spec}}}}}}}\n"
        );
    }
    text
}

fn template() -> String {
    format!("{{properties: {{template: {{properties: {{metadata: {{}}, spec: {POD}}}}}}}}}")
}

#[test]
fn entries_are_proposed_for_kinds_that_are_not_known() {
    let workers = format!(
        "{{properties: {{workers: {{items: {template}}}, pools: {{additionalProperties: {POD}}}}}}}",
        template = template()
    );
    let text = definition(
        "example.com",
        "Run",
        &[("v1", workers), ("v1beta1", template()), ("v1beta2", template())],
    );
    let expected = "\
apiVersion: podgate.dev/v1alpha1
kind: KindTable
spec:
  kinds:
  # a.yaml:2
  - group: example.com
    versions: [v1]
    kind: Run
    templates:
    - path: spec.workers[].template
      shape: podTemplate
    - path: spec.pools.*
      shape: podSpec
  - group: example.com
    versions: [v1beta1, v1beta2]
    kind: Run
    templates:
    - path: spec.template
      shape: podTemplate";
    assert_eq!(discover(&[&text]), (expected.to_owned(), vec![]));
}

#[test]
fn what_a_schema_leaves_open_is_said() {
    let part = "{properties: {containers: {type: array}, securityContext: {}, initContainers: {}}}";
    let open = format!(
        "{{properties: {{template: {{x-kubernetes-preserve-unknown-fields: true}}, pod: {part}, sidecars: {{type: array}}, \
         agent: {{properties: {{image: {{type: string}}, name: {{}}, resources: {{}}}}}}, \
         exporter: {{properties: {{image: {{}}, args: {{}}, env: {{}}, volumeMounts: {{}}}}}}}}}}"
    );
    let hidden = "{type: object, x-kubernetes-preserve-unknown-fields: true}".to_owned();
    let plain = "{properties: {replicas: {type: integer}}}".to_owned();
    let texts = [
        definition("example.com", "Open", &[("v1", open)]),
        definition("example.com", "Hidden", &[("v1", plain.clone()), ("v2", hidden)]),
        definition("example.com", "Plain", &[("v1", plain)]),
    ];
    let expected = "\
apiVersion: podgate.dev/v1alpha1
kind: KindTable
spec:
  kinds:
  # a.yaml:2
  # spec.pod may be written without containers: then the operator adds some, and the shape is patch
  # the schema does not say what is in spec.template
  # the schema does not say what is in spec.sidecars[]
  # spec.exporter looks like a container, not proposed because the operator may make something else of it
  # spec.agent has an image and name, resources: perhaps a container, not proposed because the rest of one is missing
  - group: example.com
    versions: [v1]
    kind: Open
    templates:
    - path: spec.pod
      shape: podSpec

# Nothing can be proposed for these, and they may have pods:
#   example.com/Hidden (b.yaml:2)
#     v2: the schema does not say what is in spec

# These have no pods that a schema would show:
#   example.com/Plain";
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    assert_eq!(discover(&texts), (expected.to_owned(), vec![]));
}

#[test]
fn kinds_that_are_known_are_compared() {
    let replicas =
        format!("{{properties: {{pytorchReplicaSpecs: {{additionalProperties: {}}}}}}}", template());
    let other = format!("{{properties: {{launcher: {POD}}}}}");
    let texts = [
        definition("kubeflow.org", "PyTorchJob", &[("v1", replicas)]),
        definition("kubeflow.org", "TFJob", &[("v1", other)]),
        definition("kubeflow.org", "XGBoostJob", &[("v1", "{type: object}".to_owned())]),
        // A template by its name, where the table has the spec in it.
        definition("kubeflow.org", "Notebook", &[("v1", template())]),
        definition("kueue.x-k8s.io", "LocalQueue", &[("v1", template())]),
    ];
    let expected = "\
# There is nothing to add.
apiVersion: podgate.dev/v1alpha1
kind: KindTable
spec:
  kinds: []

# podgate knows these, and their schemas differ:
#   kubeflow.org/v1 TFJob (b.yaml:2): the schema has a pod at spec.launcher, where podgate does not look
#   kubeflow.org/v1 TFJob (b.yaml:2): podgate looks for a pod at spec.tfReplicaSpecs.*.template.spec, where the schema has none
#   kueue.x-k8s.io/v1 LocalQueue (e.yaml:2): the schema has a pod at spec.template.spec, where podgate does not look

# podgate knows these, and finds in their schemas what it looks for:
#   kubeflow.org/Notebook
#   kubeflow.org/PyTorchJob
#   kubeflow.org/XGBoostJob";
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    assert_eq!(discover(&texts), (expected.to_owned(), vec![]));
}

#[test]
fn definitions_are_found_in_lists_and_old_versions() {
    let schema = format!("{{properties: {{spec: {}}}}}", template());
    let old = format!(
        "{{apiVersion: apiextensions.k8s.io/v1beta1, kind: CustomResourceDefinition, spec: {{group: a.b, version: v1, \
         names: {{kind: Old}}, validation: {{openAPIV3Schema: {schema}}}}}}}"
    );
    let common = format!(
        "{{apiVersion: apiextensions.k8s.io/v1beta1, kind: CustomResourceDefinition, spec: {{group: a.b, versions: \
         [{{name: 'y'}}, {{name: v2, served: false}}, {{name: v3, schema: {{openAPIV3Schema: {{properties: {{spec: {POD}}}}}}}}}], \
         names: {{kind: Common}}, validation: {{openAPIV3Schema: {schema}}}}}}}"
    );
    let list = format!(
        "{{apiVersion: v1, kind: List, items: [{{kind: Pod}}, {old}, {{kind: XList, items: [{common}]}}]}}"
    );
    let (proposal, faults) = discover(&[&list]);
    assert_eq!(faults, [""; 0]);
    let entries: Vec<&str> = proposal.lines().skip(4).map(str::trim).collect();
    let expected = "# a.yaml:1 - group: a.b versions: [\"y\"] kind: Common templates: - path: spec.template shape: podTemplate \
                    - group: a.b versions: [v3] kind: Common templates: - path: spec shape: podSpec \
                    # a.yaml:1 - group: a.b versions: [v1] kind: Old templates: - path: spec.template shape: podTemplate";
    assert_eq!(entries.join(" "), expected);
}

/// Some projects ship a kind twice: whole, and without its schema; or as of two releases.
#[test]
fn of_two_definitions_of_a_kind_the_one_that_says_more_holds() {
    let whole = definition("example.com", "Run", &[("v1", template())]);
    let minimal = definition("example.com", "Run", &[("v1", "{type: object}".to_owned())]);
    let other = definition("example.com", "Run", &[("v1", POD.to_owned()), ("v2", POD.to_owned())]);
    for texts in [[&*whole, &*minimal], [&*minimal, &*whole], [&*whole, &*whole]] {
        let (proposal, _) = discover(&texts);
        assert!(proposal.contains("path: spec.template") && !proposal.contains("otherwise"), "{proposal}");
    }
    let (proposal, _) = discover(&[&whole, &other]);
    assert!(proposal.contains("# b.yaml:2 says otherwise, and is left out\n"), "{proposal}");
    assert!(proposal.contains("versions: [v2]"), "{proposal}");
}

#[test]
fn what_is_wrong_with_a_definition_is_told_in_its_place() {
    let good = definition("example.com", "Run", &[("v1", template())]);
    let bad = "\
apiVersion: apiextensions.k8s.io/v2
kind: CustomResourceDefinition
spec:
  group: example
  names: {kind: a b}
  versions:
  - name: V1
  - {}
  - name: v2
  - name: v2
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
spec:
  group: [a.b]
  versions: {}
---
kind: CustomResourceDefinition
apiVersion: apiextensions.k8s.io/v1
spec: {group: a.b, names: {kind: A}, versions: [
---
# A patch of kustomize.
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
spec: {conversion: {strategy: Webhook}}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
spec: none
";
    let (proposal, faults) = discover(&[&good, bad]);
    assert!(proposal.contains("kind: Run"), "{proposal}");
    let expected = [
        "b.yaml:1:13: apiVersion: expected apiextensions.k8s.io/v1 or apiextensions.k8s.io/v1beta1",
        "b.yaml:4:10: spec.group: has no dot, so it is one of Kubernetes' own groups: that of a custom resource is a DNS name such as example.com",
        "b.yaml:5:17: spec.names.kind: must be a kind as in a manifest, such as TrainingRun",
        "b.yaml:7:11: spec.versions[0].name: must be a version such as v1 or v1beta1",
        "b.yaml:8:5: spec.versions[1].name: must be a version such as v1 or v1beta1",
        "b.yaml:10:11: spec.versions[3].name: is named twice",
        "b.yaml:14:1: spec.names.kind: is missing",
        "b.yaml:15:3: spec.group: is missing",
        "b.yaml:16:3: spec.versions: expected a list of versions",
        "b.yaml:20:48: unclosed bracket '['",
        "b.yaml:29:1: spec.group: is missing",
        "b.yaml:29:1: spec.names.kind: is missing",
        "b.yaml:29:1: spec.versions: expected a list of versions",
    ];
    assert_eq!(faults, expected);
}

/// Names go into comments and values of a file that is read back.
#[test]
fn nothing_of_a_schema_gets_out_of_its_place() {
    let keys = "{properties: {\"a\\nkind: X\": {type: object}, 'b: c': {type: object}, \"#\": {properties: {template: {type: object}}}, 'ü': {}}}";
    let (proposal, faults) = discover(&[&definition("example.com", "Run", &[("v1", keys.to_owned())])]);
    assert_eq!(faults, [""; 0]);
    let table = ["apiVersion: podgate.dev/v1alpha1", "kind: KindTable", "spec:", "  kinds: []", ""];
    assert!(proposal.lines().all(|line| line.starts_with('#') || table.contains(&line)), "{proposal}");
    assert!(proposal.contains("has keys that no path can name"), "{proposal}");
}
