//! What no verdict can be given for: kinds that are not known, and parts of objects.

use insta::assert_snapshot;
use podgate::lint::report::{Layout, ObjectVerdict, UnresolvedReason, concise, text};
use serde_json::Value;

use super::{Case, GOOD, LENIENT, as_json, shown};

const RAY: &str = "\
apiVersion: ray.example.com/v1
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
    assert_snapshot!(shown(&report), @"
    a.yaml:7:7: RayCluster ml/tune is unresolved: the containers at spec.headGroupSpec.template.spec are not judged: RayCluster of ray.example.com/v1 is no kind that podgate knows
    a.yaml:12:7: RayCluster ml/tune is unresolved: the containers at spec.workerGroupSpecs[0].template.spec are not judged: RayCluster of ray.example.com/v1 is no kind that podgate knows
    ----
    1 object with pods in 1 file: 1 unresolved
    exit 3
    ");
    assert_snapshot!(serde_json::to_string_pretty(&as_json(&report)["objects"][0]["pods"][1]).unwrap(), @r#"
    {
      "allowed": false,
      "detail": "",
      "findings": [],
      "path": "spec.workerGroupSpecs[0].template.spec",
      "reason": "",
      "shape": "opaque",
      "unresolved": [
        {
          "kind": "RayCluster",
          "name": "tune",
          "path": "spec.workerGroupSpecs[0].template.spec",
          "reason": "unknownKind",
          "text": "the containers at spec.workerGroupSpecs[0].template.spec are not judged: RayCluster of ray.example.com/v1 is no kind that podgate knows"
        }
      ],
      "verdict": "unresolved"
    }
    "#);
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

/// Parts of objects, and whole ones.
fn fragments() -> Vec<String> {
    let deployment = |rest: &str| {
        format!(
            "{{apiVersion: apps/v1, kind: Deployment, metadata: {{name: d, namespace: ml}}, spec: {{{rest}}}}}"
        )
    };
    vec![
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
    ]
}

#[test]
fn a_fragment_is_refused_only_for_what_it_holds() {
    let fragments = fragments();
    let by = |case: fn(Case) -> Case| fragments.iter().map(|text| of_pod(text, case)).collect::<String>();
    assert_snapshot!(by(|case| case), @"
    unresolved; fragment spec.selector; fragment spec.template; 
    unresolved; fragment spec.selector; fragment spec.template.spec.containers[0]; allowPrivilegeEscalation filledIn; capabilities_restricted filledIn; runAsNonRoot filledIn; seccompProfile_restricted filledIn; 
    unresolved; fragment spec.selector; allowPrivilegeEscalation filledIn; capabilities_restricted filledIn; runAsNonRoot filledIn; seccompProfile_restricted filledIn; 
    unresolved; fragment spec.template.spec.containers[0]; allowPrivilegeEscalation filledIn; allowPrivilegeEscalation filledIn; capabilities_restricted filledIn; capabilities_restricted filledIn; runAsNonRoot filledIn; runAsNonRoot filledIn; seccompProfile_restricted filledIn; seccompProfile_restricted filledIn; 
    unresolved; noContainers spec.template.spec.containers; 
    deny; fragment spec.template.spec.containers[0]; hostNamespaces denied; allowPrivilegeEscalation filledIn; capabilities_restricted filledIn; runAsNonRoot filledIn; seccompProfile_restricted filledIn; host namespaces
    deny; fragment spec.selector; fragment spec.template.spec.containers[0]; privileged denied; allowPrivilegeEscalation filledIn; capabilities_restricted filledIn; runAsNonRoot filledIn; seccompProfile_restricted filledIn; privileged
    unresolved; fragment spec.selector; 
    allow; 
    allow; allowPrivilegeEscalation filledIn; capabilities_restricted filledIn; runAsNonRoot filledIn; seccompProfile_restricted filledIn; 
    unresolved; fragment spec.schedule; allowPrivilegeEscalation filledIn; capabilities_restricted filledIn; runAsNonRoot filledIn; seccompProfile_restricted filledIn; 
    unresolved; noContainers spec.containers; 
    unresolved; fragment spec.containers[0]; allowPrivilegeEscalation filledIn; capabilities_restricted filledIn; runAsNonRoot filledIn; seccompProfile_restricted filledIn; 
    unresolved; fragment spec.initContainers[0]; allowPrivilegeEscalation filledIn; allowPrivilegeEscalation filledIn; capabilities_restricted filledIn; capabilities_restricted filledIn; runAsNonRoot filledIn; runAsNonRoot filledIn; seccompProfile_restricted filledIn; seccompProfile_restricted filledIn;
    ");
    assert_snapshot!(by(|case| case.by_standard("restricted")), @"
    unresolved; fragment spec.selector; fragment spec.template; 
    unresolved; fragment spec.selector; fragment spec.template.spec.containers[0]; allowPrivilegeEscalation unresolved; capabilities_restricted unresolved; runAsNonRoot unresolved; seccompProfile_restricted unresolved; 
    unresolved; fragment spec.selector; allowPrivilegeEscalation unresolved; capabilities_restricted unresolved; runAsNonRoot unresolved; seccompProfile_restricted unresolved; 
    unresolved; fragment spec.template.spec.containers[0]; allowPrivilegeEscalation unresolved; allowPrivilegeEscalation unresolved; capabilities_restricted unresolved; capabilities_restricted unresolved; runAsNonRoot unresolved; runAsNonRoot unresolved; seccompProfile_restricted unresolved; seccompProfile_restricted unresolved; 
    unresolved; noContainers spec.template.spec.containers; 
    deny; fragment spec.template.spec.containers[0]; hostNamespaces denied; allowPrivilegeEscalation unresolved; capabilities_restricted unresolved; runAsNonRoot unresolved; seccompProfile_restricted unresolved; host namespaces
    deny; fragment spec.selector; fragment spec.template.spec.containers[0]; privileged denied; allowPrivilegeEscalation unresolved; capabilities_restricted unresolved; runAsNonRoot unresolved; seccompProfile_restricted unresolved; privileged
    unresolved; fragment spec.selector; 
    allow; 
    deny; allowPrivilegeEscalation denied; capabilities_restricted denied; runAsNonRoot denied; seccompProfile_restricted denied; allowPrivilegeEscalation != false, unrestricted capabilities, runAsNonRoot != true, seccompProfile
    unresolved; fragment spec.schedule; allowPrivilegeEscalation unresolved; capabilities_restricted unresolved; runAsNonRoot unresolved; seccompProfile_restricted unresolved; 
    unresolved; noContainers spec.containers; 
    unresolved; fragment spec.containers[0]; allowPrivilegeEscalation unresolved; capabilities_restricted unresolved; runAsNonRoot unresolved; seccompProfile_restricted unresolved; 
    unresolved; fragment spec.initContainers[0]; allowPrivilegeEscalation unresolved; allowPrivilegeEscalation unresolved; capabilities_restricted unresolved; capabilities_restricted unresolved; runAsNonRoot unresolved; runAsNonRoot unresolved; seccompProfile_restricted unresolved; seccompProfile_restricted unresolved;
    ");
    assert_snapshot!(by(|case| case.by_policy(LENIENT)), @"
    unresolved; fragment spec.selector; fragment spec.template; 
    unresolved; fragment spec.selector; fragment spec.template.spec.containers[0]; allowPrivilegeEscalation unresolved; capabilities_restricted unresolved; runAsNonRoot unresolved; seccompProfile_restricted unresolved; 
    unresolved; fragment spec.selector; allowPrivilegeEscalation unresolved; capabilities_restricted unresolved; runAsNonRoot unresolved; seccompProfile_restricted unresolved; 
    unresolved; fragment spec.template.spec.containers[0]; allowPrivilegeEscalation unresolved; allowPrivilegeEscalation unresolved; capabilities_restricted unresolved; capabilities_restricted unresolved; runAsNonRoot unresolved; runAsNonRoot unresolved; seccompProfile_restricted unresolved; seccompProfile_restricted unresolved; 
    unresolved; noContainers spec.template.spec.containers; 
    deny; fragment spec.template.spec.containers[0]; hostNamespaces denied; allowPrivilegeEscalation unresolved; capabilities_restricted unresolved; runAsNonRoot unresolved; seccompProfile_restricted unresolved; host namespaces
    deny; fragment spec.selector; fragment spec.template.spec.containers[0]; privileged denied; allowPrivilegeEscalation unresolved; capabilities_restricted unresolved; runAsNonRoot unresolved; seccompProfile_restricted unresolved; privileged
    unresolved; fragment spec.selector; 
    allow; 
    warn; allowPrivilegeEscalation warned; capabilities_restricted warned; runAsNonRoot warned; seccompProfile_restricted warned; 
    unresolved; fragment spec.schedule; allowPrivilegeEscalation unresolved; capabilities_restricted unresolved; runAsNonRoot unresolved; seccompProfile_restricted unresolved; 
    unresolved; noContainers spec.containers; 
    unresolved; fragment spec.containers[0]; allowPrivilegeEscalation unresolved; capabilities_restricted unresolved; runAsNonRoot unresolved; seccompProfile_restricted unresolved; 
    unresolved; fragment spec.initContainers[0]; allowPrivilegeEscalation unresolved; allowPrivilegeEscalation unresolved; capabilities_restricted unresolved; capabilities_restricted unresolved; runAsNonRoot unresolved; runAsNonRoot unresolved; seccompProfile_restricted unresolved; seccompProfile_restricted unresolved;
    ");
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
    assert_snapshot!(Case::of(text).text(), @r#"
    a.yaml:4:1: Deployment ml/serve is unresolved: no spec.selector, container "a\u{1b}[2J" has no image (a fragment, as a patch is: judge the whole object, kubectl kustomize DIR | podgate lint -)
    ----
    1 object with pods in 1 file: 1 unresolved
    exit 3
    "#);
    assert_snapshot!(Case::of(&text.replace("env", "securityContext: {privileged: true}\n        env")).by_standard("baseline").text(), @r#"
    a.yaml:1:1: Deployment ml/serve: admitted with a warning, but its pods are denied (1 change needed to meet "baseline:latest") [PG-0001]
      9:39  container "a\u{1b}[2J": securityContext.privileged is true -> remove it (a GPU is requested as a resource, not by privilege)
      Kubernetes says: violates PodSecurity "baseline:latest": privileged (container "a\u{1b}[2J" must not set securityContext.privileged=true)
    a.yaml:4:1: Deployment ml/serve is unresolved besides: no spec.selector, container "a\u{1b}[2J" has no image
    ----
    1 object with pods in 1 file: 1 denied
    exit 1
    "#);
}

/// What a verdict lacks is said beside a refusal, too, in few words: who mends the one learns of the other.
#[test]
fn of_what_is_denied_it_is_said_what_is_unresolved_besides() {
    let report = || {
        Case::of(
            "{apiVersion: apps/v1, kind: Deployment, metadata: {name: d, namespace: ml}, spec: {template: {spec: {hostPID: true, \
             containers: [{name: a}]}}}}",
        )
        .run(&[""])
    };
    assert_snapshot!(shown(&report()), @r#"
    a.yaml:1:1: Deployment ml/d: admitted with a warning, but its pods are denied (1 change needed to meet "ml-restricted") [PG-0002]
      1:111  spec.hostPID is true -> remove it
      podgate fills in: allowPrivilegeEscalation, capabilities.drop, runAsNonRoot, seccompProfile.type
    a.yaml:1:77: Deployment ml/d is unresolved besides: no spec.selector, container "a" has no image
    ----
    1 object with pods in 1 file: 1 denied
    exit 1
    "#);
    let written = |layout: Layout| {
        let (mut lines, mut text) = (Vec::new(), Vec::new());
        concise::write(&report(), layout, &mut lines).unwrap();
        text::write(&report(), layout, &mut text).unwrap();
        String::from_utf8(lines).unwrap() + &String::from_utf8(text).unwrap()
    };
    assert_snapshot!(written(Layout::default()), @r#"
    a.yaml:1:111: deny: hostNamespaces: spec.hostPID is true; remove it (Deployment ml/d)
    a.yaml:1:77: unresolved: no spec.selector (Deployment ml/d)
    a.yaml:1:131: unresolved: container "a" has no image (Deployment ml/d)
    a.yaml:1:1: Deployment ml/d: admitted with a warning, but its pods are denied (1 change needed to meet "ml-restricted") [PG-0002]
      1:111  spec.hostPID is true -> remove it
      podgate fills in: allowPrivilegeEscalation, capabilities.drop, runAsNonRoot, seccompProfile.type
    a.yaml:1:77: Deployment ml/d is unresolved besides: no spec.selector, container "a" has no image
    "#);
    // Not where only what makes a run fail is wanted: it fails already.
    let quiet = written(Layout { shows_notes: false, ..Layout::default() });
    assert!(!quiet.contains("unresolved"), "{quiet}");
}

/// Directives of a patch are no sources of volumes: they refuse nothing, and a forbidden source beside them still does.
#[test]
fn directives_of_a_patch_are_no_volume_sources() {
    for (volume, expected) in [
        ("{name: data, $patch: delete}", ObjectVerdict::Unresolved),
        ("{$patch: replace}", ObjectVerdict::Unresolved),
        ("{name: data, emptyDir: {}, $retainKeys: [name, emptyDir]}", ObjectVerdict::Unresolved),
        ("{name: data, hostPath: {path: /}, $retainKeys: [name, hostPath]}", ObjectVerdict::Deny),
        ("{name: data, brandNew: {}}", ObjectVerdict::Deny),
    ] {
        let text = format!(
            "{{apiVersion: apps/v1, kind: Deployment, metadata: {{name: d, namespace: ml}}, spec: {{template: {{spec: {{volumes: [{volume}]}}}}}}}}"
        );
        assert_eq!(Case::of(&text).run(&[""]).objects[0].verdict, expected, "{volume}");
    }
}

/// Past some number of values of the wrong type nothing of a template is judged, be they of fields that no rule looks at: that
/// allows nothing.
#[test]
fn what_has_too_many_faults_to_be_read_is_not_allowed() {
    let container = "{name: 5, image: i, securityContext: {privileged: true}}";
    for count in [1, 255, 256, 257, 499] {
        let containers = vec![container; count].join(", ");
        let text = format!(
            "{{apiVersion: kubeflow.org/v1, kind: PyTorchJob, metadata: {{name: a, namespace: ml}}, spec: {{pytorchReplicaSpecs: \
             {{Master: {{template: {{spec: {{containers: [{containers}]}}}}}}}}}}}}"
        );
        let report = Case::of(&text).run(&[""]);
        let object = &report.objects[0];
        let pod = &object.pods[0];
        if count < 256 {
            assert_eq!(object.verdict, ObjectVerdict::Deny, "{count}");
        } else {
            assert_eq!(object.verdict, ObjectVerdict::Unresolved, "{count}");
            assert_eq!(pod.unresolved[0].reason, UnresolvedReason::WrongType, "{pod:?}");
            assert_eq!(pod.unresolved[0].path, "spec.pytorchReplicaSpecs.Master.template", "{pod:?}");
        }
    }
}
