//! The linter from files to report: what goes in is written out whole, and so is what comes out.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use crate::pods::Alone as _;
use insta::assert_snapshot;
use podgate::admission::{Reviewer, Webhook};
use podgate::controls::Standard;
use podgate::lint::report::{json, text};
use podgate::lint::{Input, Options, Report, run};
use podgate::policy::{BUILT_IN, Policies, PolicySet, Snapshot, read_file};
use serde_json::{Value, json};
use tempfile::TempDir;

// ---- the one place that calls the linter

/// Files to lint, and what by.
struct Case {
    folder: TempDir,
    policies: PolicySet,
    namespaces: Snapshot,
}

impl Case {
    /// Files by the built-in policy.
    fn new(files: &[(&str, &str)]) -> Self {
        let case = Self {
            folder: TempDir::new().unwrap(),
            policies: policies(BUILT_IN),
            namespaces: Snapshot::default(),
        };
        for (name, text) in files {
            case.write(name, text);
        }
        case
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    /// One file, of a Namespace that the built-in policy holds for.
    fn of(text: &str) -> Self {
        Self::new(&[("a.yaml", text)]).knowing("ml", &[("podgate.dev/policy", "ml-restricted")])
    }

    fn by_standard(self, standard: &str) -> Self {
        Self { policies: PolicySet::of_standard(&standard.parse().unwrap()), ..self }
    }

    fn by_policy(self, text: &str) -> Self {
        Self { policies: policies(text), ..self }
    }

    fn knowing(mut self, namespace: &str, labels: &[(&str, &str)]) -> Self {
        let labels = labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        self.namespaces.insert(namespace, labels.collect());
        self
    }

    fn run(self, names: &[&str]) -> Report {
        let inputs: Vec<Input> =
            names.iter().map(|name| Input::Path(self.folder.path().join(name))).collect();
        let mut report = run(&inputs, Options { policies: self.policies, namespaces: self.namespaces });
        let folder = format!("{}/", self.folder.path().display());
        let files = report.objects.iter_mut().map(|object| &mut object.file);
        for file in files.chain(report.unread.iter_mut().map(|unread| &mut unread.file)) {
            *file = file.replace(&folder, "");
        }
        report
    }

    /// The whole folder: the report for people, the summary below a line, the exit code.
    fn text(self) -> String {
        shown(&self.run(&[""]))
    }
}

fn policies(text: &str) -> PolicySet {
    let mut policies = Policies::new(vec!["kube-system".to_owned()]);
    read_file("policy.yaml", text, &mut policies);
    policies.finish().unwrap()
}

fn shown(report: &Report) -> String {
    let mut shown = Vec::new();
    text::write(report, &mut shown).unwrap();
    writeln!(shown, "----").unwrap();
    text::write_summary(report, &mut shown).unwrap();
    write!(shown, "exit {}", report.exit_code()).unwrap();
    String::from_utf8(shown).unwrap()
}

fn as_json(report: &Report) -> Value {
    let mut bytes = Vec::new();
    json::write(report, &mut bytes).unwrap();
    assert_eq!(bytes.iter().filter(|byte| **byte == b'\n').count(), 1, "one line");
    serde_json::from_slice(&bytes).unwrap()
}

/// A policy that warns of what is not restricted, and refuses only what is not baseline.
const LENIENT: &str = "
apiVersion: podgate.dev/v1alpha1
kind: SecurityPolicy
metadata: {name: lenient}
spec:
  match: {namespaces: [ml]}
  standard: {enforce: baseline:latest, warn: restricted:latest}
";

/// A container with all that the restricted level asks for.
const GOOD: &str = "{name: c, securityContext: {allowPrivilegeEscalation: false, runAsNonRoot: true, \
                    capabilities: {drop: [ALL]}, seccompProfile: {type: RuntimeDefault}}}";

// ---- verdicts

#[test]
fn namespaces_among_the_manifests_decide() {
    let text = "\
apiVersion: v1
kind: Pod
metadata: {name: judged, namespace: ml}
spec: {hostNetwork: true, containers: [{name: c}]}
---
apiVersion: v1
kind: Pod
metadata: {name: elsewhere, namespace: web}
spec: {hostNetwork: true, containers: [{name: c}]}
---
apiVersion: v1
kind: Pod
metadata: {name: somewhere}
spec: {hostNetwork: true, containers: [{name: c}]}
";
    let namespaces = r#"{"apiVersion": "v1", "kind": "List", "items": [
  {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "ml", "labels": {"podgate.dev/policy": "ml-restricted"}}},
  {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "web"}}
]}"#;
    // The manifests have the last word on what is known from elsewhere.
    let case = Case::new(&[("a.yaml", text), ("z.json", namespaces)])
        .knowing("web", &[("podgate.dev/policy", "ml-restricted")]);
    assert_snapshot!(case.text(), @r#"
a.yaml:1:1: Pod ml/judged: denied (1 change needed to meet "ml-restricted") [PG-0002]
  a.yaml:4:21  spec.hostNetwork  is true  -> remove it
  podgate fills in: allowPrivilegeEscalation, capabilities.drop, runAsNonRoot, seccompProfile.type
a.yaml:11:1: Pod somewhere: denied (1 change needed to meet "ml-restricted") [PG-0002]
  a.yaml:14:21  spec.hostNetwork  is true  -> remove it
  podgate fills in: allowPrivilegeEscalation, capabilities.drop, runAsNonRoot, seccompProfile.type
----
3 objects with pods in 2 files: 2 denied
nothing is known of the namespace of 1 object, so every policy was taken to hold there; give the Namespaces with --objects
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
  a.yaml:1:89  spec.hostPID  is true  -> remove it
----
1 object with pods in 1 file: 1 denied
nothing is known of the namespace of 1 object, so every policy was taken to hold there; give the Namespaces with --objects
exit 1
"#);
    let text =
        "{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: kube-system}, spec: {hostPID: true}}";
    assert_snapshot!(Case::new(&[("a.yaml", text)]).text(), @r"
----
1 object with pods in 1 file: all allowed
exit 0
");
}

#[test]
fn what_is_filled_in_does_not_count() {
    let text =
        "{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: ml}, spec: {containers: [{name: c}]}}";
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
  a.yaml:1:86  container "c"  securityContext.allowPrivilegeEscalation  not set  -> set it to false
  a.yaml:1:86  container "c"  securityContext.capabilities.drop         not set  -> set it to [ALL]
  a.yaml:1:86  container "c"  securityContext.runAsNonRoot              not set  -> set it to true
  a.yaml:1:86  container "c"  securityContext.seccompProfile.type       not set  -> set it to RuntimeDefault
  Kubernetes says: violates PodSecurity "restricted:latest": allowPrivilegeEscalation != false (container "c" must set securityContext.allowPrivilegeEscalation=false), unrestricted capabilities (container "c" must set securityContext.capabilities.drop=["ALL"]), runAsNonRoot != true (pod or container "c" must set securityContext.runAsNonRoot=true), seccompProfile (pod or container "c" must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost")
----
1 object with pods in 1 file: 1 denied
exit 1
"#);
}

#[test]
fn warnings_and_notes_refuse_nothing() {
    let text = "{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: ml}, spec: {hostNetwork: true, containers: [{name: c}]}}";
    let lenient = LENIENT.to_owned();
    assert_snapshot!(Case::of(text).by_policy(&lenient).text(), @r#"
a.yaml:1:1: Pod ml/p: denied (1 change needed to meet "lenient") [PG-0002]
  a.yaml:1:85   spec.hostNetwork                                            is true  -> remove it
  a.yaml:1:105  container "c"     securityContext.allowPrivilegeEscalation  not set  -> set it to false [only a warning]
  a.yaml:1:105  container "c"     securityContext.capabilities.drop         not set  -> set it to [ALL] [only a warning]
  a.yaml:1:105  container "c"     securityContext.runAsNonRoot              not set  -> set it to true [only a warning]
  a.yaml:1:105  container "c"     securityContext.seccompProfile.type       not set  -> set it to RuntimeDefault [only a warning]
----
1 object with pods in 1 file: 1 denied
exit 1
"#);
    assert_snapshot!(Case::of(text).by_policy(&lenient.replace("spec:", "spec:\n  mode: Warn")).text(), @r#"
a.yaml:1:1: Pod ml/p: admitted with a warning (5 changes needed to meet "lenient") [PG-2J82]
  a.yaml:1:85   spec.hostNetwork                                            is true  -> remove it
  a.yaml:1:105  container "c"     securityContext.allowPrivilegeEscalation  not set  -> set it to false
  a.yaml:1:105  container "c"     securityContext.capabilities.drop         not set  -> set it to [ALL]
  a.yaml:1:105  container "c"     securityContext.runAsNonRoot              not set  -> set it to true
  a.yaml:1:105  container "c"     securityContext.seccompProfile.type       not set  -> set it to RuntimeDefault
----
1 object with pods in 1 file: 1 warned of
exit 0
"#);
    let report = Case::of(text).by_policy(&lenient.replace("spec:", "spec:\n  mode: Audit")).run(&[""]);
    assert_eq!((report.summary.allowed, report.summary.findings, report.exit_code()), (1, 5, 0));
    assert_snapshot!(shown(&report), @r#"
a.yaml:1:1: Pod ml/p: admitted with a note in the audit log (5 changes needed to meet "lenient") [PG-2J82]
  a.yaml:1:85   spec.hostNetwork                                            is true  -> remove it
  a.yaml:1:105  container "c"     securityContext.allowPrivilegeEscalation  not set  -> set it to false
  a.yaml:1:105  container "c"     securityContext.capabilities.drop         not set  -> set it to [ALL]
  a.yaml:1:105  container "c"     securityContext.runAsNonRoot              not set  -> set it to true
  a.yaml:1:105  container "c"     securityContext.seccompProfile.type       not set  -> set it to RuntimeDefault
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
  a.yaml:1:109  volume "data"    is nfs  -> use a persistentVolumeClaim; also allowed: configMap, downwardAPI, emptyDir, projected, secret
  a.yaml:1:134  volume "driver"  is csi  -> use a persistentVolumeClaim; also allowed: configMap, downwardAPI, emptyDir, projected, secret
----
1 object with pods in 1 file: 1 denied
exit 1
"#);
    // A volume without a source is an emptyDir to the API server, and unknown to the standard.
    assert_snapshot!(Case::of(&text).by_standard("restricted").text(), @r#"
a.yaml:1:1: Pod ml/p: denied (2 changes needed to meet "restricted:latest") [PG-1000]
  a.yaml:1:83   volume "bare"  has no type that podgate knows  -> use a persistentVolumeClaim; also allowed: configMap, csi, downwardAPI, emptyDir, ephemeral, image, projected, secret
  a.yaml:1:109  volume "data"  is nfs                          -> use a persistentVolumeClaim; also allowed: configMap, csi, downwardAPI, emptyDir, ephemeral, image, projected, secret
  Kubernetes says: violates PodSecurity "restricted:latest": restricted volume types (volumes "bare", "data" use restricted volume types "nfs", "unknown")
----
1 object with pods in 1 file: 1 denied
exit 1
"#);
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
  template:
    spec:
      initContainers:
      - name: fetch
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
    let report = as_json(&Case::of(ADDS).run(&[""]));
    assert_snapshot!(serde_json::to_string_pretty(&report["objects"]).unwrap(), @r#"
[
  {
    "apiVersion": "apps/v1",
    "column": 1,
    "document": 1,
    "file": "a.yaml",
    "kind": "Deployment",
    "line": 1,
    "name": "serve",
    "namespace": "ml",
    "namespaceKnown": true,
    "pods": [
      {
        "allowed": false,
        "detail": "unrestricted capabilities (container \"fetch\" must not include \"SYS_ADMIN\" in securityContext.capabilities.add)",
        "findings": [
          {
            "aliasLine": null,
            "column": 19,
            "container": "fetch",
            "control": "capabilities_restricted",
            "field": "spec.template.spec.initContainers[0].securityContext.capabilities.add[0]",
            "filledIn": false,
            "line": 15,
            "message": "init container \"fetch\": securityContext.capabilities.add SYS_ADMIN; remove it",
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
            "field": "spec.template.spec.initContainers[0].securityContext.runAsNonRoot",
            "filledIn": true,
            "line": 11,
            "message": "init container \"fetch\": securityContext.runAsNonRoot not set; set it to true",
            "remedy": {
              "set": true
            },
            "severity": "deny",
            "value": null
          }
        ],
        "path": "spec.template",
        "reason": "unrestricted capabilities"
      }
    ],
    "verdict": "deny"
  }
]
"#);
}

#[test]
fn json_holds_what_was_not_judged() {
    let mut report = as_json(&Case::of(ADDS).run(&[""]));
    report["objects"].take();
    assert_snapshot!(serde_json::to_string_pretty(&report).unwrap(), @r#"
{
  "objects": null,
  "summary": {
    "allowed": 0,
    "denied": 1,
    "files": 1,
    "findings": 2,
    "objects": 1,
    "otherKinds": [
      {
        "apiVersion": "v1",
        "count": 1,
        "kind": "Service"
      }
    ],
    "pods": 1,
    "unknownNamespaces": 0,
    "unread": 1,
    "warned": 0
  },
  "unread": [
    {
      "column": 1,
      "document": 2,
      "file": "a.yaml",
      "line": 18,
      "message": "not a Kubernetes object: it has neither apiVersion nor kind"
    }
  ],
  "version": 1
}
"#);
}

// ---- kinds

#[test]
fn every_kind_has_its_pods_in_its_own_place() {
    let template = "{spec: {hostIPC: true, containers: []}}";
    let objects = [
        ("v1", "PodTemplate", format!("template: {template}")),
        ("v1", "ReplicationController", format!("spec: {{template: {template}}}")),
        ("apps/v1", "Deployment", format!("spec: {{template: {template}}}")),
        ("extensions/v1beta1", "DaemonSet", format!("spec: {{template: {template}}}")),
        ("apps/v1", "ReplicaSet", format!("spec: {{template: {template}}}")),
        ("apps/v1", "StatefulSet", format!("spec: {{template: {template}}}")),
        ("batch/v1", "Job", format!("spec: {{template: {template}}}")),
        ("batch/v1", "CronJob", format!("spec: {{jobTemplate: {{spec: {{template: {template}}}}}}}")),
    ];
    let text: Vec<String> = objects
        .iter()
        .map(|(version, kind, spec)| {
            format!("---\napiVersion: {version}\nkind: {kind}\nmetadata: {{generateName: g-, namespace: ml}}\n{spec}\n")
        })
        .collect();
    let report = Case::of(&text.concat()).run(&[""]);
    let fields: Vec<String> = report
        .objects
        .iter()
        .map(|object| {
            let pod = &object.pods[0];
            format!("{} {} {} {:?}", object.kind, pod.path, pod.findings[0].field, pod.findings[0].line)
        })
        .collect();
    assert_snapshot!(fields.join("\n"), @r"
PodTemplate template template.spec.hostIPC 5
ReplicationController spec.template spec.template.spec.hostIPC 10
Deployment spec.template spec.template.spec.hostIPC 15
DaemonSet spec.template spec.template.spec.hostIPC 20
ReplicaSet spec.template spec.template.spec.hostIPC 25
StatefulSet spec.template spec.template.spec.hostIPC 30
Job spec.template spec.template.spec.hostIPC 35
CronJob spec.jobTemplate.spec.template spec.jobTemplate.spec.template.spec.hostIPC 40
");
    assert_snapshot!(shown(&report).lines().take(2).collect::<Vec<_>>().join("\n"), @r#"
a.yaml:2:1: PodTemplate ml/g-: admitted with a warning, but its pods are denied (1 change needed to meet "ml-restricted") [PG-0002]
  a.yaml:5:28  spec.hostIPC  is true  -> remove it (for shared memory use an emptyDir with medium: Memory)
"#);
}

#[test]
fn a_template_that_is_absent_has_no_pod() {
    let text = "{apiVersion: v1, kind: ReplicationController, metadata: {name: r, namespace: ml}, spec: {template: null}}";
    let report = Case::of(text).run(&[""]);
    assert!(report.objects[0].pods.is_empty());
    assert_snapshot!(shown(&report), @r"
----
1 object with pods in 1 file: all allowed
exit 0
");
}

#[test]
fn lists_of_all_sorts() {
    let text = "\
apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: Pod
  metadata: {name: first, namespace: ml}
  spec: {hostPID: true}
- apiVersion: v1
  kind: List
  items:
  - apiVersion: v1
    kind: Pod
    metadata: {name: nested, namespace: ml}
    spec: {hostPID: true}
- 5
- {apiVersion: v1, kind: ConfigMap}
---
apiVersion: apps/v1
kind: DeploymentList
items:
- metadata: {name: typed, namespace: ml}
  spec:
    template:
      spec:
        hostPID: true
---
{apiVersion: v1, kind: PodList, items: null}
";
    assert_snapshot!(Case::of(text).text(), @r#"
a.yaml:4:3: Pod ml/first: denied (1 change needed to meet "ml-restricted") [PG-0002]
  a.yaml:7:19  spec.hostPID  is true  -> remove it
a.yaml:11:5: Pod ml/nested: denied (1 change needed to meet "ml-restricted") [PG-0002]
  a.yaml:14:21  spec.hostPID  is true  -> remove it
a.yaml:21:3: Deployment ml/typed: admitted with a warning, but its pods are denied (1 change needed to meet "ml-restricted") [PG-0002]
  a.yaml:25:18  spec.hostPID  is true  -> remove it
a.yaml:15:3: expected a Kubernetes object, found a number (not read, so not judged)
----
3 objects with pods in 1 file: 3 denied, 1 not read
without a pod that podgate knows of: 1 ConfigMap (v1)
exit 3
"#);
}

#[test]
fn other_kinds_are_counted() {
    let text = "\
{apiVersion: v1, kind: Service}
---
{apiVersion: v1, kind: Service}
---
{apiVersion: batch.volcano.sh/v1alpha1, kind: Job, spec: {template: {spec: {hostPID: true}}}}
---
{apiVersion: v1, kind: Deployment}
";
    assert_snapshot!(Case::of(text).text(), @r"
----
0 objects with pods in 1 file
without a pod that podgate knows of: 1 Job (batch.volcano.sh/v1alpha1), 1 Deployment (v1), 2 Service (v1)
exit 0
");
}

#[test]
fn a_list_of_many_pods() {
    let pod = |index: usize| {
        let spec = if index == 1999 { "{\"hostPID\":true}" } else { "{}" };
        format!(
            "\n{{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{{\"name\":\"p{index}\",\"namespace\":\"ml\"}},\"spec\":{spec}}}"
        )
    };
    let pods: Vec<String> = (0..2000).map(pod).collect();
    let text = format!("{{\"apiVersion\":\"v1\",\"kind\":\"PodList\",\"items\":[{}]}}", pods.join(","));
    assert_snapshot!(Case::of(&text).text(), @r#"
a.yaml:2001:1: Pod ml/p1999: denied (1 change needed to meet "ml-restricted") [PG-0002]
  a.yaml:2001:96  spec.hostPID  is true  -> remove it
----
2000 objects with pods in 1 file: 1 denied
exit 1
"#);
}

// ---- notations

#[test]
fn values_are_read_as_the_cluster_reads_them() {
    let text = "\
apiVersion: v1
kind: Pod
metadata: {name: p, namespace: ml}
spec:
  hostPID: on
  containers:
  - {name: hex, securityContext: {privileged: yes, runAsUser: 0x0}}
  - {name: octal, securityContext: {privileged: y, runAsUser: 00}}
  - {name: binary, securityContext: {privileged: 'yes', runAsUser: 0b0}}
";
    // In quotes it is text and no boolean.
    assert_snapshot!(Case::of(text).text(), @r"
a.yaml:9:50: spec.containers[2].securityContext.privileged: expected true or false, found a string (not read, so not judged)
----
0 objects with pods in 1 file: 1 not read
exit 3
");
    let text = text.replace("'yes'", "TRUE");
    assert_snapshot!(Case::of(&text).text(), @r#"
a.yaml:1:1: Pod ml/p: denied (4 changes needed to meet "ml-restricted") [PG-4G03]
  a.yaml:5:12  spec.hostPID                                                is true  -> remove it
  a.yaml:7:17  all 3 containers  securityContext.allowPrivilegeEscalation  not set  -> set it to false
  a.yaml:7:47  all 3 containers  securityContext.privileged                is true  -> remove it (a GPU is requested as a resource, not by privilege)
  a.yaml:7:63  all 3 containers  securityContext.runAsUser                 is 0     -> remove it (or use a number above 0, as 1000)
  podgate fills in: capabilities.drop, runAsNonRoot, seccompProfile.type
----
1 object with pods in 1 file: 1 denied
exit 1
"#);
}

#[test]
fn anchors_and_merge_keys() {
    let text = "\
apiVersion: v1
kind: Pod
metadata: {name: p, namespace: ml}
spec:
  securityContext: &base
    runAsUser: 0
  containers:
  - name: merged
    securityContext:
      <<: *base
      privileged: true
  - name: copied
    securityContext: *base
";
    assert_snapshot!(Case::of(text).text(), @r#"
a.yaml:1:1: Pod ml/p: denied (4 changes needed to meet "ml-restricted") [PG-4G01]
  a.yaml:6:16   spec.securityContext.runAsUser                                            is 0     -> remove it (or use a number above 0, as 1000)
  a.yaml:6:16   all 2 containers                securityContext.runAsUser                 is 0     -> remove it (or use a number above 0, as 1000) [by the alias on line 10]
  a.yaml:9:5    container "merged"              securityContext.allowPrivilegeEscalation  not set  -> set it to false
  a.yaml:11:19  container "merged"              securityContext.privileged                is true  -> remove it (a GPU is requested as a resource, not by privilege)
  podgate fills in: allowPrivilegeEscalation, capabilities.drop, runAsNonRoot, seccompProfile.type
----
1 object with pods in 1 file: 1 denied
exit 1
"#);
}

#[test]
fn line_ends_and_byte_order_marks_do_not_move_places() {
    let text = "# c\napiVersion: v1\nkind: Pod\nmetadata: {name: p, namespace: ml}\nspec:\n  hostPID: true\n";
    let expected = Case::of(text).text();
    assert!(expected.contains("a.yaml:6:12"), "{expected}");
    assert_eq!(Case::of(&text.replace('\n', "\r\n")).text(), expected);
    assert_eq!(Case::of(&format!("\u{feff}{text}")).text(), expected);
}

#[test]
fn json_with_tabs_and_json_beside_yaml() {
    let json = "{\n\t\"apiVersion\": \"v1\",\n\t\"kind\": \"Pod\",\n\t\"metadata\": {\"name\": \"tabs\", \"namespace\": \"ml\"},\n\t\"spec\": {\n\t\t\"hostPID\":\ttrue\n\t}\n}\n";
    let yaml =
        "---\napiVersion: v1\nkind: Pod\nmetadata: {name: yaml, namespace: ml}\nspec: {hostPID: true}\n";
    assert_snapshot!(Case::of(&format!("{json}{json}{yaml}")).text(), @r#"
a.yaml:1:1: Pod ml/tabs: denied (1 change needed to meet "ml-restricted") [PG-0002]
  a.yaml:6:14  spec.hostPID  is true  -> remove it
a.yaml:9:1: Pod ml/tabs: denied (1 change needed to meet "ml-restricted") [PG-0002]
  a.yaml:14:14  spec.hostPID  is true  -> remove it
a.yaml:18:1: Pod ml/yaml: denied (1 change needed to meet "ml-restricted") [PG-0002]
  a.yaml:21:17  spec.hostPID  is true  -> remove it
----
3 objects with pods in 1 file: 3 denied
exit 1
"#);
}

// ---- what cannot be read

#[test]
fn a_broken_document_does_not_hide_the_others() {
    let text = "\
apiVersion: v1
kind: Pod
metadata: {name: before, namespace: ml}
spec: {hostPID: true}
---
apiVersion: v1
kind: Pod
spec: {hostPID: true
---
apiVersion: v1
kind: Pod
metadata: {name: after, namespace: ml}
spec: {hostPID: true}
";
    assert_snapshot!(Case::of(text).text(), @r#"
a.yaml:1:1: Pod ml/before: denied (1 change needed to meet "ml-restricted") [PG-0002]
  a.yaml:4:17  spec.hostPID  is true  -> remove it
a.yaml:10:1: Pod ml/after: denied (1 change needed to meet "ml-restricted") [PG-0002]
  a.yaml:13:17  spec.hostPID  is true  -> remove it
a.yaml:8:7: unclosed bracket '{' (not read, so not judged)
----
2 objects with pods in 1 file: 2 denied, 1 not read
exit 3
"#);
}

#[test]
fn nothing_is_passed_over() {
    let table = [
        "apiVersion: v1\nkind: Pod\nspec:\n  containers:\n  - name: c\n    securityContext:\n      runAsUser: '0'",
        "apiVersion: v1\nkind: Pod\nmetadata:\n  annotations:\n    a.b/c: 1",
        "apiVersion: v1\nkind: Pod\nspec:\n  hostnetwork: true",
        "apiVersion: v1\nkind: Pod\nspec: [a]",
        "apiVersion: v1\nkind: Pod\nspec: {containers: c}",
        "apiVersion: v1\nkind: Pod\nspec:\n  hostPID: false\n  hostPID: true",
        "apiVersion: v1\nkind: Pod\nmetadata:\n  name: {{ .Release.Name }}\nspec: {}",
        "{{- if .Values.on }}\napiVersion: v1\nkind: Pod\n{{- end }}",
        "apiVersion: v1\nkind: Pod\nspec:\n  containers:\n  - name: c\n    securityContext: {runAsUser: 1.5}",
        "apiVersion: v1\nkind: Namespace\nmetadata: {name: ml, labels: {a: 1}}",
        "kind: Pod\nspec: {}",
        "replicas: 3",
    ];
    let mut messages = String::new();
    for text in table {
        let report = Case::of(text).run(&[""]);
        assert_eq!((report.exit_code(), report.unread.len(), report.objects.len()), (3, 1, 0), "{text}");
        writeln!(messages, "{}", report.unread[0]).unwrap();
    }
    assert_snapshot!(messages, @r#"
a.yaml:7:18: spec.containers[0].securityContext.runAsUser: expected a whole number, found a string
a.yaml:5:12: metadata.annotations.a.b/c: expected a string, found a number
a.yaml:4:16: spec.hostnetwork: unknown field, did you mean hostNetwork?
a.yaml:3:1: spec: expected an object, found an array
a.yaml:3:20: spec.containers: expected an array, found a string
a.yaml:5:3: the key `hostPID` is set twice, on line 4 and on line 5
a.yaml:4:10: a list or mapping cannot be a key; line 4 looks like an unrendered template: render it first (`helm template`)
a.yaml:1:3: "-" is only valid inside a block; line 1 looks like an unrendered template: render it first (`helm template`)
a.yaml:6:34: spec.containers[0].securityContext.runAsUser: expected a whole number of 64 bits
a.yaml:3:34: metadata.labels.a: expected a string, found a number
a.yaml:1:1: not a Kubernetes object: it has no apiVersion
a.yaml:1:1: not a Kubernetes object: it has neither apiVersion nor kind
"#);
}

#[test]
fn by_a_standard_alone_a_manifest_is_read_to_the_letter() {
    let text = "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {hostnetwork: true, containers: []}";
    assert_snapshot!(Case::of(text).by_standard("baseline").text(), @r"
----
1 object with pods in 1 file: all allowed
exit 0
");
}

// ---- files

#[test]
fn a_folder_is_walked_in_order() {
    let pod = |name: &str| {
        format!("{{apiVersion: v1, kind: Pod, metadata: {{name: {name}}}, spec: {{hostPID: true}}}}")
    };
    let case = Case::new(&[
        ("b.yml", &pod("b")),
        (
            "a/c.json",
            "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"c\"},\"spec\":{\"hostPID\":true}}",
        ),
        ("a/b.YAML", &pod("ab")),
        ("a/notes.txt", "not: a manifest"),
        ("c.yaml/inside.yaml", &pod("inside")),
        ("empty.yaml", ""),
        ("comment.yaml", "# nothing\n---\n"),
        (".hidden/x.yaml", &pod("hidden")),
        ("ignored/x.yaml", &pod("ignored")),
        (".ignore", "ignored/\n"),
    ]);
    case.write("bytes.yaml", b"kind: Pod\nname: \xff");
    let folder = case.folder.path();
    symlink(folder.join("b.yml"), folder.join("link.yaml")).unwrap();
    symlink(folder.join("gone"), folder.join("lost.yaml")).unwrap();
    assert_snapshot!(case.by_standard("baseline").text(), @r#"
a/b.YAML:1:1: Pod ab: denied (1 change needed to meet "baseline:latest") [PG-0002]
  a/b.YAML:1:67  spec.hostPID  is true  -> remove it
  Kubernetes says: violates PodSecurity "baseline:latest": host namespaces (hostPID=true)
a/c.json:1:1: Pod c: denied (1 change needed to meet "baseline:latest") [PG-0002]
  a/c.json:1:75  spec.hostPID  is true  -> remove it
  Kubernetes says: violates PodSecurity "baseline:latest": host namespaces (hostPID=true)
b.yml:1:1: Pod b: denied (1 change needed to meet "baseline:latest") [PG-0002]
  b.yml:1:66  spec.hostPID  is true  -> remove it
  Kubernetes says: violates PodSecurity "baseline:latest": host namespaces (hostPID=true)
c.yaml/inside.yaml:1:1: Pod inside: denied (1 change needed to meet "baseline:latest") [PG-0002]
  c.yaml/inside.yaml:1:71  spec.hostPID  is true  -> remove it
  Kubernetes says: violates PodSecurity "baseline:latest": host namespaces (hostPID=true)
link.yaml:1:1: Pod b: denied (1 change needed to meet "baseline:latest") [PG-0002]
  link.yaml:1:66  spec.hostPID  is true  -> remove it
  Kubernetes says: violates PodSecurity "baseline:latest": host namespaces (hostPID=true)
lost.yaml: there is no such file or folder (not read, so not judged)
bytes.yaml:2:7: not UTF-8; save it as UTF-8 (not read, so not judged)
----
5 objects with pods in 9 files: 5 denied, 2 not read
exit 3
"#);
}

#[test]
fn what_is_named_is_read_whatever_it_is_called() {
    let text = "{apiVersion: v1, kind: Pod, metadata: {name: p}, spec: {hostPID: true}}";
    let case = Case::new(&[("pod", text), ("empty/.keep", "")]).by_standard("baseline");
    let report = case.run(&["pod", "empty", "pod", "absent.yaml"]);
    assert_snapshot!(shown(&report), @r#"
pod:1:1: Pod p: denied (1 change needed to meet "baseline:latest") [PG-0002]
  pod:1:66  spec.hostPID  is true  -> remove it
  Kubernetes says: violates PodSecurity "baseline:latest": host namespaces (hostPID=true)
empty: no manifest in it (.yaml, .yml, .json; ignored and hidden files are left out) (not read, so not judged)
absent.yaml: there is no such file or folder (not read, so not judged)
----
1 object with pods in 3 files: 1 denied, 2 not read
exit 3
"#);
}

#[test]
fn what_a_manifest_is_called_cannot_move_the_cursor() {
    let text = "{apiVersion: v1, kind: Pod, metadata: {name: \"\\e[2J\"}, spec: {hostPID: true, containers: [{name: \"a\\nb\", securityContext: {privileged: true}}]}}";
    let report = Case::new(&[("\u{1b}[31m.yaml", text)]).by_standard("baseline").run(&[""]);
    assert_snapshot!(shown(&report), @r#"
\u{1b}[31m.yaml:1:1: Pod \u{1b}[2J: denied (2 changes needed to meet "baseline:latest") [PG-0003]
  \u{1b}[31m.yaml:1:72   spec.hostPID                                     is true  -> remove it
  \u{1b}[31m.yaml:1:136  container "a\u{a}b"  securityContext.privileged  is true  -> remove it (a GPU is requested as a resource, not by privilege)
  Kubernetes says: violates PodSecurity "baseline:latest": host namespaces (hostPID=true), privileged (container "a\u{a}b" must not set securityContext.privileged=true)
----
1 object with pods in 1 file: 1 denied
exit 1
"#);
    // Other programs get the text as it is.
    let detail = &report.objects[0].pods[0].detail;
    assert!(detail.contains("container \"a\nb\""), "{detail}");
}

#[test]
fn an_output_that_closes_is_an_error_not_a_panic() {
    struct Closed;

    impl Write for Closed {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    let report = Case::of("{apiVersion: v1, kind: Pod, spec: {hostPID: true}}").run(&[""]);
    for written in [
        json::write(&report, &mut Closed),
        text::write(&report, &mut Closed),
        text::write_summary(&report, &mut Closed),
    ] {
        assert_eq!(written.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    }
}

// ---- against the webhook, and against Kubernetes

/// The webhook's verdict on a pod, after its own mutation: whether it is allowed, and the refusal.
fn reviewed(reviewer: &Reviewer, pod: &Value) -> (bool, String) {
    let review = |webhook, pod: &Value| -> Value {
        let resource = json!({"group": "", "version": "v1", "resource": "pods"});
        let request = json!({"uid": "u", "operation": "CREATE", "namespace": "ml", "resource": resource, "object": pod});
        let body =
            json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request});
        let body = serde_json::to_vec(&body).unwrap();
        serde_json::from_slice(&reviewer.alone(webhook, &body).unwrap().body).unwrap()
    };
    let mut pod = pod.clone();
    if let Some(patch) = review(Webhook::Mutate, &pod)["response"]["patch"].as_str() {
        use base64::Engine as _;
        let patch = base64::engine::general_purpose::STANDARD.decode(patch).unwrap();
        let patch: json_patch::Patch = serde_json::from_slice(&patch).unwrap();
        json_patch::patch(&mut pod, &patch).unwrap();
    }
    let response = &review(Webhook::Validate, &pod)["response"];
    let message = response["status"]["message"].as_str().unwrap_or_default().to_owned();
    (response["allowed"].as_bool().unwrap(), message)
}

#[test]
fn the_webhook_says_the_same() {
    let contexts = [
        json!(null),
        json!({}),
        json!({"privileged": true}),
        json!({"runAsUser": 0}),
        json!({"runAsNonRoot": false}),
        json!({"capabilities": {"add": ["NET_RAW", "CHOWN"], "drop": ["ALL"]}}),
        json!({"capabilities": {"drop": ["NET_RAW"]}, "procMount": "Unmasked"}),
        json!({"allowPrivilegeEscalation": true, "seccompProfile": {"type": "Unconfined"}}),
        json!({"seLinuxOptions": {"type": "x", "user": "y"}, "appArmorProfile": {"type": "Unconfined"}}),
    ];
    let volumes = [
        json!([]),
        json!([{"name": "v", "nfs": {}}]),
        json!([{"name": "v", "csi": {}}, {"name": "w", "emptyDir": {}}]),
    ];
    let reviewer = {
        let Case { policies, namespaces, .. } = Case::of("");
        Reviewer::new(policies, namespaces)
    };
    let mut compared = 0;
    for first in &contexts {
        for second in &contexts {
            for volumes in &volumes {
                let pod = json!({
                    "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "ml"},
                    "spec": {
                        "volumes": volumes, "hostPID": compared % 5 == 0, "securityContext": first,
                        "initContainers": [{"name": "i", "securityContext": first}],
                        "containers": [{"name": "a", "securityContext": second}, {"name": "b", "securityContext": second}],
                    },
                });
                let report = Case::of(&pod.to_string()).run(&[""]);
                let linted = &report.objects[0].pods[0];
                let (allowed, message) = reviewed(&reviewer, &pod);
                assert_eq!(linted.allowed, allowed, "{pod}\n{message}");
                if let (false, Some(advice)) = (allowed, &linted.advice) {
                    let plural = if advice.changes.len() == 1 { "change" } else { "changes" };
                    let count = format!("refused: {} {plural} needed", advice.changes.len());
                    assert!(message.contains(&count), "{count}\n{message}");
                    assert!(
                        message.contains(&format!("[code {}]", advice.code)),
                        "{}\n{message}",
                        advice.code
                    );
                }
                compared += 1;
            }
        }
    }
    assert_eq!(compared, 243);
}

/// Kubernetes' own fixture pods, with what its evaluator says of them: in the folder of `PSS_FIXTURES`.
#[test]
fn kubernetes_says_the_same_of_its_fixtures() {
    let Some(folder) = std::env::var_os("PSS_FIXTURES").map(PathBuf::from) else {
        eprintln!("skipped: PSS_FIXTURES names no folder with the fixtures of Pod Security Admission");
        return;
    };
    let mut of_standard: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for line in fs::read_to_string(folder.join("expected.jsonl")).unwrap().lines() {
        let expected: Value = serde_json::from_str(line).unwrap();
        let file = expected["file"].as_str().unwrap();
        let (level, rest) = file.split_once('/').unwrap();
        let (version, _) = rest.split_once('/').unwrap();
        of_standard.entry(format!("{level}:{version}")).or_default().push(expected);
    }
    let compared: usize =
        of_standard.iter().map(|(standard, expected)| compare(&folder, standard, expected)).sum();
    eprintln!("{compared} fixtures, each with the verdict and the text of Kubernetes");
    assert_eq!(compared, 4537);
}

fn compare(folder: &Path, standard: &str, expected: &[Value]) -> usize {
    let files: Vec<PathBuf> =
        expected.iter().map(|expected| folder.join(expected["file"].as_str().unwrap())).collect();
    let inputs: Vec<Input> = files.into_iter().map(Input::Path).collect();
    let policies = PolicySet::of_standard(&standard.parse::<Standard>().unwrap());
    let report = run(&inputs, Options { policies, namespaces: Snapshot::default() });
    assert_eq!((report.unread.len(), report.objects.len()), (0, expected.len()), "{standard}");
    for (object, expected) in report.objects.iter().zip(expected) {
        let pod = &object.pods[0];
        let found = json!({"file": expected["file"], "allowed": pod.allowed, "reason": pod.reason, "detail": pod.detail});
        assert_eq!(found, *expected, "{}", object.file);
        let file = object.file.as_str();
        assert!(file.ends_with(expected["file"].as_str().unwrap()), "{file}");
        assert_eq!(pod.findings.is_empty(), pod.allowed, "{file}");
    }
    expected.len()
}
