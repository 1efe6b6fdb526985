//! Verdicts: which policies apply, what counts, and how the reports show it.

use insta::assert_snapshot;

use podgate::lint::report::FailOn;
use serde_json::Value;

use super::{Case, GOOD, LENIENT, as_json, shown};

#[test]
fn namespaces_among_the_manifests_decide() {
    let text = "\
apiVersion: v1
kind: Pod
metadata: {name: judged, namespace: ml}
spec: {hostNetwork: true, containers: [{name: c, image: i}]}
---
apiVersion: v1
kind: Pod
metadata: {name: elsewhere, namespace: web}
spec: {hostNetwork: true, containers: [{name: c, image: i}]}
---
apiVersion: v1
kind: Pod
metadata: {name: somewhere}
spec: {hostNetwork: true, containers: [{name: c, image: i}]}
";
    let namespaces = r#"{"apiVersion": "v1", "kind": "List", "items": [
  {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "ml", "labels": {"podgate.dev/policy": "ml-restricted"}}},
  {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "web"}}
]}"#;
    // Namespaces among the manifests override those known from elsewhere.
    let case = Case::new(&[("a.yaml", text), ("z.json", namespaces)])
        .knowing("web", &[("podgate.dev/policy", "ml-restricted")]);
    assert_snapshot!(case.text(), @r#"
    2 objects: denied (1 change needed to meet "ml-restricted" in each) [PG-0002]
      a.yaml:1:1: Pod ml/judged (line 4)
      a.yaml:11:1: Pod somewhere (line 14)
      - spec.hostNetwork is true -> remove it
      podgate fills in: allowPrivilegeEscalation, capabilities.drop, runAsNonRoot, seccompProfile.type

    control         objects  findings
    hostNamespaces        2         2
    ----
    3 objects with pods in 2 files: 2 denied, 1 not judged
    not judged: 1 object in namespace web: no policy holds there (--fail-on unresolved,unjudged makes it fail for that, too)
    1 object names no namespace, so every policy was taken to hold there; give it with -n NAMESPACE
    without a pod that podgate knows of: 2 Namespace (v1)
    exit 1
    "#);
}

#[test]
fn a_namespace_that_is_not_known_is_judged_by_every_policy() {
    let text =
        "{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: unheard-of}, spec: {hostPID: true}}";
    let report = Case::new(&[("a.yaml", text)]).run(&[""]);
    assert!(!report.objects[0].is_namespace_known);
    assert_snapshot!(shown(&report), @r#"
    a.yaml:1:1: Pod unheard-of/p: denied (1 change needed to meet "ml-restricted") [PG-0002]
      1:89  spec.hostPID is true -> remove it
    a.yaml:1:73: Pod unheard-of/p is unresolved besides: no spec.containers
    ----
    1 object with pods in 1 file: 1 denied
    the labels of namespace unheard-of are not known, so every policy was taken to hold for 1 object there; give the Namespaces with --objects
    exit 1
    "#);
    let text =
        "{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: kube-system}, spec: {hostPID: true}}";
    assert_snapshot!(Case::new(&[("a.yaml", text)]).text(), @"
    ----
    1 object with pods in 1 file: nothing was judged
    not judged: 1 object in namespace kube-system: no policy holds there (--fail-on unresolved,unjudged makes it fail for that, too)
    exit 0
    ");
}

#[test]
fn what_is_filled_in_does_not_count() {
    let text = "{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: ml}, spec: {containers: [{name: c, image: i}]}}";
    assert_snapshot!(Case::of(text).text(), @r"
----
1 object with pods in 1 file: all allowed
exit 0
");
    let report = Case::of(text).run(&[""]);
    let findings: Vec<(&str, bool)> = report.objects[0].pods[0]
        .findings
        .iter()
        .map(|finding| (finding.control, finding.is_filled_in))
        .collect();
    assert_eq!(
        findings,
        [
            ("allowPrivilegeEscalation", true),
            ("capabilities_restricted", true),
            ("runAsNonRoot", true),
            ("seccompProfile_restricted", true)
        ]
    );
    assert_snapshot!(Case::of(text).by_standard("restricted").text(), @r#"
    a.yaml:1:1: Pod ml/p: denied (4 changes needed to meet "restricted:latest") [PG-2J80]
      1:86  container "c": securityContext.allowPrivilegeEscalation not set -> set it to false
      1:86  container "c": securityContext.capabilities.drop not set -> set it to [ALL]
      1:86  container "c": securityContext.runAsNonRoot not set -> set it to true (with a runAsUser above 0, unless the image's user is a number above 0)
      1:86  container "c": securityContext.seccompProfile.type not set -> set it to RuntimeDefault
      Kubernetes says: violates PodSecurity "restricted:latest": allowPrivilegeEscalation != false (container "c" must set securityContext.allowPrivilegeEscalation=false), unrestricted capabilities (container "c" must set securityContext.capabilities.drop=["ALL"]), runAsNonRoot != true (pod or container "c" must set securityContext.runAsNonRoot=true), seccompProfile (pod or container "c" must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost")
    ----
    1 object with pods in 1 file: 1 denied
    exit 1
    "#);
}

#[test]
fn warnings_and_notes_refuse_nothing() {
    let text = "{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: ml}, spec: {hostNetwork: true, containers: [{name: c, image: i}]}}";
    let lenient = LENIENT.to_owned();
    assert_snapshot!(Case::of(text).by_policy(&lenient).text(), @r#"
    a.yaml:1:1: Pod ml/p: denied (1 change needed to meet "lenient") [PG-0002]
      1:85   spec.hostNetwork is true -> remove it
      1:105  container "c": securityContext.allowPrivilegeEscalation not set -> set it to false [only a warning]
      1:105  container "c": securityContext.capabilities.drop not set -> set it to [ALL] [only a warning]
      1:105  container "c": securityContext.runAsNonRoot not set -> set it to true (with a runAsUser above 0, unless the image's user is a number above 0) [only a warning]
      1:105  container "c": securityContext.seccompProfile.type not set -> set it to RuntimeDefault [only a warning]
    ----
    1 object with pods in 1 file: 1 denied
    exit 1
    "#);
    assert_snapshot!(Case::of(text).by_policy(&lenient.replace("spec:", "spec:\n  mode: Warn")).text(), @r#"
    a.yaml:1:1: Pod ml/p: admitted with a warning (5 changes needed to meet "lenient") [PG-2J82]
      1:85   spec.hostNetwork is true -> remove it
      1:105  container "c": securityContext.allowPrivilegeEscalation not set -> set it to false
      1:105  container "c": securityContext.capabilities.drop not set -> set it to [ALL]
      1:105  container "c": securityContext.runAsNonRoot not set -> set it to true (with a runAsUser above 0, unless the image's user is a number above 0)
      1:105  container "c": securityContext.seccompProfile.type not set -> set it to RuntimeDefault
    ----
    1 object with pods in 1 file: 1 warned of
    exit 0
    "#);
    let report = Case::of(text).by_policy(&lenient.replace("spec:", "spec:\n  mode: Audit")).run(&[""]);
    assert_eq!(
        (report.summary.allowed, report.summary.findings, report.exit_code(&FailOn::DEFAULT)),
        (1, 5, 0)
    );
    assert_snapshot!(shown(&report), @r#"
    a.yaml:1:1: Pod ml/p: admitted with a note in the audit log (5 changes needed to meet "lenient") [PG-2J82]
      1:85   spec.hostNetwork is true -> remove it
      1:105  container "c": securityContext.allowPrivilegeEscalation not set -> set it to false
      1:105  container "c": securityContext.capabilities.drop not set -> set it to [ALL]
      1:105  container "c": securityContext.runAsNonRoot not set -> set it to true (with a runAsUser above 0, unless the image's user is a number above 0)
      1:105  container "c": securityContext.seccompProfile.type not set -> set it to RuntimeDefault
    ----
    1 object with pods in 1 file: all allowed
    exit 0
    "#);
}

#[test]
fn a_volume_is_judged_once_and_by_the_narrower_rule() {
    let volumes = "[{name: bare}, {name: data, nfs: {}}, {name: driver, csi: {}}]";
    let text = format!(
        "{{apiVersion: v1, kind: Pod, metadata: {{name: p, namespace: ml}}, spec: {{volumes: {volumes}, containers: [{GOOD}]}}}}"
    );
    assert_snapshot!(Case::of(&text).text(), @r#"
    a.yaml:1:1: Pod ml/p: denied (2 changes needed to meet "ml-restricted") [PG-G000]
      1:109  volume "data" is nfs -> use a persistentVolumeClaim; also allowed: configMap, downwardAPI, emptyDir, projected, secret
      1:134  volume "driver" is csi -> use a persistentVolumeClaim; also allowed: configMap, downwardAPI, emptyDir, projected, secret
    ----
    1 object with pods in 1 file: 1 denied
    exit 1
    "#);
    // The API server makes an emptyDir of a volume without a source; the standard calls it unknown.
    assert_snapshot!(Case::of(&text).by_standard("restricted").text(), @r#"
    a.yaml:1:1: Pod ml/p: denied (1 change needed to meet "restricted:latest") [PG-1000]
      1:109  volume "data" is nfs -> use a persistentVolumeClaim; also allowed: configMap, csi, downwardAPI, emptyDir, ephemeral, image, projected, secret
      Kubernetes says: violates PodSecurity "restricted:latest": restricted volume types (volume "data" uses restricted volume type "nfs")
    ----
    1 object with pods in 1 file: 1 denied
    exit 1
    "#);
    // The standard's rule and the policy's own find the same volume: in JSON, too, only one of them is left.
    let report = as_json(&Case::of(&text).run(&[""]));
    let findings = report["objects"][0]["pods"][0]["findings"].as_array().unwrap();
    let of_nfs: Vec<&Value> =
        findings.iter().filter(|finding| finding["field"] == "spec.volumes[1].nfs").collect();
    let controls: Vec<&Value> = of_nfs.iter().map(|finding| &finding["control"]).collect();
    assert_eq!(controls, ["volumeTypes"], "{report}");
    let csi = text.replace("{name: data, nfs: {}}, ", "");
    let report = as_json(&Case::of(&csi).run(&[""]));
    let pod = &report["objects"][0]["pods"][0];
    assert_eq!(pod["allowed"], false, "{pod}");
    assert_eq!(
        pod["detail"],
        "volume types (volume \"driver\" uses volume type that the policy does not list \"csi\")"
    );
}

/// A Deployment whose init container adds a capability.
const ADDS: &str = "\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: serve
  namespace: ml
spec:
  selector: {matchLabels: {app: serve}}
  template:
    spec:
      containers: [{name: serve, image: i, securityContext: {allowPrivilegeEscalation: false, runAsNonRoot: true, capabilities: {drop: [ALL]}, seccompProfile: {type: RuntimeDefault}}}]
      initContainers:
      - name: fetch
        image: i
        securityContext:
          allowPrivilegeEscalation: false
          seccompProfile: {type: RuntimeDefault}
          capabilities:
            add: [SYS_ADMIN]
            drop: [ALL]
---
not: an object
---
{apiVersion: v1, kind: Service}
";

#[test]
fn json_holds_every_object() {
    let mut report = as_json(&Case::of(ADDS).run(&[""]));
    report["objects"][0]["pods"][0]["findings"].take();
    assert_snapshot!(serde_json::to_string_pretty(&report["objects"]).unwrap(), @r#"
    [
      {
        "apiVersion": "apps/v1",
        "column": 1,
        "document": 1,
        "file": "a.yaml",
        "injected": [],
        "kind": "Deployment",
        "line": 1,
        "misplaced": [],
        "name": "serve",
        "namespace": "ml",
        "namespaceKnown": true,
        "pods": [
          {
            "allowed": false,
            "detail": "unrestricted capabilities (container \"fetch\" must not include \"SYS_ADMIN\" in securityContext.capabilities.add)",
            "findings": null,
            "path": "spec.template",
            "reason": "unrestricted capabilities",
            "shape": "podTemplate",
            "unresolved": [],
            "verdict": "deny"
          }
        ],
        "policies": [
          "ml-restricted"
        ],
        "verdict": "deny"
      }
    ]
    "#);
}

#[test]
fn json_holds_every_finding() {
    let report = as_json(&Case::of(ADDS).run(&[""]));
    let findings = &report["objects"][0]["pods"][0]["findings"];
    assert_snapshot!(serde_json::to_string_pretty(findings).unwrap(), @r#"
    [
      {
        "aliasLine": null,
        "column": 19,
        "container": "fetch",
        "control": "capabilities_restricted",
        "disposition": "denied",
        "field": "spec.template.spec.initContainers[0].securityContext.capabilities.add[0]",
        "filledIn": false,
        "line": 18,
        "message": "init container \"fetch\": securityContext.capabilities.add SYS_ADMIN; remove it",
        "policy": "ml-restricted",
        "remedy": {
          "remove": true
        },
        "severity": "deny",
        "value": "SYS_ADMIN"
      },
      {
        "aliasLine": null,
        "column": 9,
        "container": "fetch",
        "control": "runAsNonRoot",
        "disposition": "filledIn",
        "field": "spec.template.spec.initContainers[0].securityContext.runAsNonRoot",
        "filledIn": true,
        "line": 14,
        "message": "init container \"fetch\": securityContext.runAsNonRoot not set; set it to true",
        "policy": "ml-restricted",
        "remedy": {
          "set": true
        },
        "severity": "deny",
        "value": null
      }
    ]
    "#);
}

#[test]
fn json_holds_what_was_not_judged() {
    let mut report = as_json(&Case::of(ADDS).run(&["a.yaml"]));
    report["objects"].take();
    assert_snapshot!(serde_json::to_string_pretty(&report).unwrap(), @r#"
    {
      "misspelt": [],
      "objects": null,
      "summary": {
        "allowed": 0,
        "charts": [],
        "denied": 1,
        "excluded": 0,
        "files": 1,
        "findings": 2,
        "kustomizations": [],
        "linkedFolders": [],
        "notManifests": 0,
        "objects": 1,
        "otherKinds": [
          {
            "apiVersion": "v1",
            "count": 1,
            "kind": "Service"
          }
        ],
        "pods": 1,
        "policies": 0,
        "unjudged": 0,
        "unknownNamespaces": 0,
        "unread": 1,
        "unresolved": 0,
        "warned": 0
      },
      "unread": [
        {
          "column": 1,
          "document": 2,
          "file": "a.yaml",
          "line": 21,
          "message": "not a Kubernetes object: it has neither apiVersion nor kind"
        }
      ],
      "version": 1
    }
    "#);
}
