//! What no verdict can be given for: kinds that are not known, and parts of objects.

use insta::assert_snapshot;
use podgate::lint::report::ObjectVerdict;
use serde_json::Value;

use super::{Case, GOOD, LENIENT, as_json, shown};

const RAY: &str = "\
apiVersion: ray.io/v1
kind: RayCluster
metadata: {name: tune, namespace: ml}
spec:
  headGroupSpec:
    template:
      spec:
        containers:
        - {name: head, image: i, securityContext: {privileged: true}}
  workerGroupSpecs:
  - template:
      spec:
        initContainers: [{name: wait, image: i}]
        containers: [{name: worker, image: i}]
";

#[test]
fn containers_in_an_unknown_kind_are_unresolved() {
    let report = Case::of(RAY).run(&[""]);
    assert_snapshot!(shown(&report), @"");
    assert_snapshot!(serde_json::to_string_pretty(&as_json(&report)["objects"][0]).unwrap(), @"");
    // Where no policy holds, nobody asks.
    let report = Case::new(&[("a.yaml", RAY)]).knowing("ml", &[]).run(&[""]);
    assert_eq!((report.summary.unresolved, report.summary.unjudged), (0, 1));
    assert_eq!(report.objects[0].verdict, ObjectVerdict::Allow);
}

#[test]
fn other_kinds_are_not_taken_to_hold_containers() {
    let text = "\
apiVersion: v1
kind: ConfigMap
metadata: {name: c, namespace: ml}
data: {pod.yaml: \"containers: [{name: a, image: i}]\"}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: d}
spec: {versions: [{schema: {properties: {containers: {type: array, items: {properties: {name: {}}}}}, default: {containers: [{name: a}]}}}]}
---
{apiVersion: apps/v1, kind: ControllerRevision, metadata: {name: r}, data: {spec: {template: {spec: {containers: [{name: a}]}}}}}
---
{apiVersion: admission.k8s.io/v1, kind: AdmissionReview, request: {object: {spec: {containers: [{name: a}]}}}}
---
{apiVersion: example.com/v1, kind: Shop, spec: {containers: [crate, box]}}
";
    let report = Case::of(text).run(&[""]);
    assert_eq!((report.objects.len(), report.summary.other_kinds.len()), (0, 5), "{report:?}");
}

/// The verdict, the findings as `control disposition`, and the reasons.
fn of_pod(text: &str, case: impl Fn(Case) -> Case) -> String {
    let report = as_json(&case(Case::of(text)).run(&[""]));
    let object = &report["objects"][0];
    let pod = &object["pods"][0];
    assert_eq!(object["verdict"], pod["verdict"], "{object}");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let findings = pod["findings"].as_array().unwrap().iter();
    let findings =
        findings.map(|finding| format!("{} {}", text(&finding["control"]), text(&finding["disposition"])));
    let unresolved = pod["unresolved"].as_array().unwrap().iter();
    let unresolved = unresolved.map(|entry| format!("{} {}", text(&entry["reason"]), text(&entry["path"])));
    let parts =
        [vec![text(&pod["verdict"])], unresolved.collect(), findings.collect(), vec![text(&pod["reason"])]];
    format!("{}\n", parts.concat().join("; "))
}

#[test]
fn a_fragment_is_refused_only_for_what_it_holds() {
    let deployment = |rest: &str| {
        format!(
            "{{apiVersion: apps/v1, kind: Deployment, metadata: {{name: d, namespace: ml}}, spec: {{{rest}}}}}"
        )
    };
    let table = [
        deployment("replicas: 3"),
        deployment("template: {spec: {containers: [{name: a, resources: {}}]}}"),
        deployment("template: {spec: {containers: [{name: a, image: i}]}}"),
        deployment("selector: {}, template: {spec: {containers: [{name: a}, {name: b, image: i}]}}"),
        deployment("selector: {}, template: {spec: {nodeSelector: {a: b}}}"),
        deployment("selector: {}, template: {spec: {hostIPC: true, containers: [{name: a}]}}"),
        deployment("template: {spec: {containers: [{name: a, securityContext: {privileged: true}}]}}"),
        deployment(&format!("template: {{spec: {{containers: [{GOOD}]}}}}")),
        deployment(&format!("selector: {{}}, template: {{spec: {{containers: [{GOOD}]}}}}")),
        "{apiVersion: extensions/v1beta1, kind: Deployment, metadata: {namespace: ml}, spec: {template: {spec: {containers: [{name: a, image: i}]}}}}".to_owned(),
        "{apiVersion: batch/v1, kind: CronJob, metadata: {namespace: ml}, spec: {jobTemplate: {spec: {template: {spec: {containers: [{name: a, image: i}]}}}}}}".to_owned(),
        "{apiVersion: v1, kind: Pod, metadata: {namespace: ml}}".to_owned(),
        "{apiVersion: v1, kind: Pod, metadata: {namespace: ml}, spec: {containers: [null]}}".to_owned(),
        "{apiVersion: v1, kind: Pod, metadata: {namespace: ml}, spec: {initContainers: [{name: a}], containers: [{name: b, image: i}]}}".to_owned(),
    ];
    let by = |case: fn(Case) -> Case| table.iter().map(|text| of_pod(text, case)).collect::<String>();
    assert_snapshot!(by(|case| case), @"");
    assert_snapshot!(by(|case| case.by_standard("restricted")), @"");
    assert_snapshot!(by(|case| case.by_policy(LENIENT)), @"");
}

#[test]
fn what_is_unresolved_is_said() {
    let text = "\
apiVersion: apps/v1
kind: Deployment
metadata: {name: serve, namespace: ml}
spec:
  template:
    spec:
      containers:
      - name: \"a\\e[2J\"
        env: [{name: TOKEN, value: secret}]
";
    assert_snapshot!(Case::of(text).text(), @"");
    assert_snapshot!(Case::of(&text.replace("env", "securityContext: {privileged: true}\n        env")).by_standard("baseline").text(), @"");
}
