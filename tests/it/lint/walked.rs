//! What is found in folders besides manifests, and what is left out of them.

use insta::assert_snapshot;
use podgate::lint::report::{FailOn, Layout, concise};

use super::{Case, as_json, shown};

const POD: &str = "{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: ml}, spec: {containers: [{name: a, image: i}]}}";
const DENIED: &str = "{apiVersion: v1, kind: Pod, metadata: {name: bad, namespace: ml}, spec: {hostPID: true, containers: [{name: a, image: i}]}}";

fn in_ml(files: &[(&str, &str)]) -> Case {
    Case::new(files).knowing("ml", &[("podgate.dev/policy", "ml-restricted")])
}

const TEMPLATE: &str = "{{- if .Values.on }}\napiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: {{ .Release.Name }}\n{{- end }}\n";

#[test]
fn what_is_no_manifest_is_counted_in_one_line() {
    let case = in_ml(&[
        ("pod.yaml", POD),
        ("package.json", "{\"name\": \"site\"}"),
        ("tsconfig.json", "{\n  // comments\n  \"compilerOptions\": {},\n}"),
        ("ci/workflow.yml", "on: push\njobs: {}\n---\nname: second\n"),
        ("chart/Chart.yaml", "apiVersion: v2\nname: c"),
        ("chart/values.yaml", "replicas: 1"),
        ("chart/templates/a.yaml", TEMPLATE),
        // Without a marker, but where only templates are.
        ("chart/templates/b.yaml", "apiVersion: v1\nkind: Pod\nspec: {"),
        ("chart/templates/pod.yaml", POD),
        ("chart/charts/sub/Chart.yaml", "apiVersion: v2\nname: sub"),
        ("overlay/kustomization.yml", "resources: [../pod.yaml]"),
        ("overlay/patch.json", "[{\"op\": \"remove\", \"path\": \"/spec\"}]"),
        ("other/kustomization.yaml", "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization"),
        ("cloud.yaml", "Resources: {A: !Ref b}"),
        ("ansible.yaml", "- hosts: all\n  tasks: [{name: x}]"),
        ("jinja.yaml", "apiVersion: v1\nkind: Pod\nmetadata:\n  name: {{ name }}\n"),
        ("drone.yml", "kind: pipeline\nsteps: [{name: a, image: b}]"),
    ]);
    case.write("data.json", b"{\"a\": \"\xff\"}");
    let report = case.run(&[""]);
    assert_snapshot!(shown(&report), @"
    ----
    2 objects with pods in 18 files: all allowed
    16 documents are no Kubernetes manifests; judge what is rendered: helm template chart | podgate lint -, kubectl kustomize DIR | podgate lint - (DIR: other, overlay)
    without a pod that podgate knows of: 1 Kustomization (kustomize.config.k8s.io/v1beta1)
    exit 0
    ");
    let summary = &as_json(&report)["summary"];
    assert_eq!(
        [&summary["notManifests"], &summary["charts"], &summary["kustomizations"]].map(ToString::to_string),
        ["16", "[\"chart\"]", "[\"other\",\"overlay\"]"]
    );
}

#[test]
fn a_broken_manifest_does_not_vanish() {
    let table = [
        "apiVersion: v1\nkind: Pod\nspec: {",
        "# comment\nkind: Pod\napiVersion: v1\n\tspec: {}",
        "{\"apiVersion\": \"v1\", \"kind\": \"Pod\", \"spec\": {",
        "a: b\n---\napiVersion: v1\nkind: Pod\nspec: [",
        "apiVersion: v1\nkind: Pod\nspec:\n  hostPID: true\n  hostPID: false",
        "kind: Pod\nspec: {hostPID: true}",
        "kind: Deploymnet\nspec: {}",
        "apiVersion: apps/v1\nspec: {}",
        "apiVersion: apps/v1\nKind: Deployment",
        "apiVersion: v1\nspec: {containers: [{name: a}]}",
        "- {apiVersion: v1, kind: Pod, spec: {hostPID: true}}",
        "apiVersion: v1\nkind: List\nitems:\n- spec: {containers: [{name: a}]}",
        "apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nspec: {x: \"{{y}}\", z: [",
    ];
    for text in table {
        let report = Case::of(text).run(&[""]);
        assert_eq!((report.exit_code(&FailOn::DEFAULT), report.unread.len()), (3, 1), "{text}\n{report:?}");
    }
    let utf_16: Vec<u8> =
        "\u{feff}apiVersion: v1\nkind: Pod\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let case = Case::of(POD);
    case.write("powershell.yaml", utf_16);
    let report = case.run(&[""]);
    assert_eq!((report.exit_code(&FailOn::DEFAULT), report.unread.len()), (3, 1), "{report:?}");
}

#[test]
fn what_is_named_has_to_be_a_manifest() {
    for text in ["replicas: 1", "[]", "apiVersion: v2\nname: c", "a: [", TEMPLATE, "resources: [a.yaml]"] {
        let report = Case::of(text).run(&["a.yaml"]);
        assert_eq!((report.exit_code(&FailOn::DEFAULT), report.unread.len()), (3, 1), "{text}");
        // In whatever order.
        let report = Case::of(text).run(&["", "a.yaml"]);
        assert_eq!((report.exit_code(&FailOn::DEFAULT), report.summary.files), (3, 1), "{text}");
        let report = Case::of(text).run(&[""]);
        assert_eq!((report.exit_code(&FailOn::DEFAULT), report.summary.not_manifests), (0, 1), "{text}");
    }
}

#[test]
fn what_is_refused_goes_before_what_is_not_read() {
    let report =
        in_ml(&[("bad.yaml", DENIED), ("broken.yaml", "apiVersion: v1\nkind: Pod\nspec: {")]).run(&[""]);
    assert_eq!((report.summary.denied, report.summary.unread), (1, 1));
    assert_eq!(report.exit_code(&FailOn::DEFAULT), 1);
    // What is refused or cannot be read is never silenced.
    assert_eq!(report.exit_code(&[FailOn::Unresolved]), 1);
    assert_eq!(report.exit_code(&[]), 1);
}

#[test]
fn each_outcome_has_its_exit_code() {
    let warns = "{apiVersion: podgate.dev/v1alpha1, kind: SecurityPolicy, metadata: {name: w}, spec: {mode: Warn, match: {namespaces: [ml]}, standard: {enforce: baseline}}}";
    let unresolved =
        "{apiVersion: ray.io/v1, kind: RayJob, metadata: {namespace: ml}, spec: {containers: [{name: a}]}}";
    for (case, deny, warn, unresolved, unjudged) in [
        (in_ml(&[("a.yaml", POD)]), 0, 0, 0, 0),
        (in_ml(&[("a.yaml", DENIED)]), 1, 1, 1, 1),
        (in_ml(&[("a.yaml", DENIED)]).by_policy(warns), 0, 1, 0, 0),
        (in_ml(&[("a.yaml", unresolved)]), 0, 0, 3, 0),
        (Case::new(&[("a.yaml", DENIED)]).knowing("ml", &[]), 0, 0, 0, 1),
        (Case::new(&[("a.yaml", "apiVersion: v1\nkind: Pod\nspec: {")]), 3, 3, 3, 3),
    ] {
        let report = case.run(&[""]);
        let code = |outcome| report.exit_code(&[outcome]);
        let codes = [FailOn::Deny, FailOn::Warn, FailOn::Unresolved, FailOn::Unjudged].map(code);
        assert_eq!(codes, [deny, warn, unresolved, unjudged], "{report:?}");
        assert_eq!(report.exit_code(&FailOn::DEFAULT), if deny > 0 { deny } else { unresolved });
    }
}

#[test]
fn patterns_leave_out_files_and_folders() {
    let files = [
        ("a.yaml", POD),
        ("vendor/bad.yaml", DENIED),
        ("ci/values.yaml", DENIED),
        ("ci/keep.yaml", POD),
        ("deep/ci/x.yaml", POD),
    ];
    for (globs, names, expected) in [
        (&["vendor/", "values*.yaml"][..], &[""][..], &["a.yaml", "ci/keep.yaml", "deep/ci/x.yaml"][..]),
        (&["/ci/", "vendor"], &[""], &["a.yaml", "deep/ci/x.yaml"]),
        // A folder that is left out is not entered, but its file may be named.
        (&["ci", "!keep.yaml", "bad.*"], &["", "ci/keep.yaml"], &["a.yaml", "ci/keep.yaml"]),
        (&["bad.yaml"], &["vendor/bad.yaml", "a.yaml"], &["a.yaml"]),
    ] {
        let report = in_ml(&files).without(globs).run(names);
        let linted: Vec<&str> = report.objects.iter().map(|object| object.file.as_str()).collect();
        assert_eq!(linted, expected, "{globs:?}");
        assert_eq!((report.exit_code(&FailOn::DEFAULT), report.unread.len()), (0, 0), "{globs:?}");
    }
    let report = in_ml(&files).without(&["bad.yaml"]).run(&["vendor/bad.yaml"]);
    assert_snapshot!(shown(&report), @"
    ----
    0 objects with pods in 0 files: nothing was judged
    left out by --exclude: 1 path that was named
    exit 0
    ");
}

#[test]
fn policies_are_read_as_policies() {
    let policy = |version: &str, kind: &str, spec: &str| {
        format!("apiVersion: {version}\nkind: {kind}\nmetadata: {{name: a}}\nspec:\n  {spec}\n")
    };
    let good = "match: {namespaces: [ml]}\n  standard: {enforce: baseline}";
    let bad = "match: {namespaces: [kube-system]}\n  standard: {enforce: basline}";
    let case = in_ml(&[
        ("policies/good.yaml", &policy("podgate.dev/v1alpha1", "SecurityPolicy", good)),
        // Another set of policies may use the same names.
        ("staging/good.yaml", &policy("podgate.dev/v1alpha1", "SecurityPolicy", good)),
        ("policies/bad.yaml", &policy("podgate.dev/v1alpha1", "SecurityPolicy", bad)),
        ("policies/version.yaml", &policy("podgate.dev/v1", "SecurityPolicy", good)),
        ("policies/kind.yaml", &policy("podgate.dev/v1alpha1", "SecurityPolcy", good)),
        ("policies/group.yaml", &policy("podgates.dev/v1alpha1", "SecurityPolicy", good)),
        ("policies/other.yaml", &policy("gateway.envoyproxy.io/v1alpha1", "SecurityPolicy", good)),
        (
            "policies/upstream.yaml",
            "apiVersion: pod-security.admission.config.k8s.io/v1\nkind: PodSecurityConfiguration\ndefaults: {enforce: strict}",
        ),
    ]);
    assert_snapshot!(case.text(), @r#"
    policies/bad.yaml:5:24: spec.match.namespaces[0]: no policy may reach the namespace kube-system (not read, so not judged)
    policies/bad.yaml:6:23: spec.standard.enforce: no such level "basline": use privileged, baseline or restricted, did you mean "baseline"? (not read, so not judged)
    policies/group.yaml:1:13: apiVersion: expected podgate.dev/v1alpha1, found "podgates.dev/v1alpha1", did you mean "podgate.dev/v1alpha1"? (not read, so not judged)
    policies/kind.yaml:2:7: kind: expected SecurityPolicy, IdentityPolicy or AzureMachineLearning, found "SecurityPolcy", did you mean "SecurityPolicy"? (not read, so not judged)
    policies/upstream.yaml:3:21: defaults.enforce: no such level "strict": use privileged, baseline or restricted (not read, so not judged)
    policies/version.yaml:1:13: apiVersion: expected podgate.dev/v1alpha1, found "podgate.dev/v1", did you mean "podgate.dev/v1alpha1"? (not read, so not judged)
    ----
    0 objects with pods in 8 files: nothing was judged, 6 not read
    2 policies are in order
    without a pod that podgate knows of: 1 SecurityPolicy (gateway.envoyproxy.io/v1alpha1)
    exit 3
    "#);
}

#[test]
fn misspelt_kinds_are_not_read() {
    let object = |version: &str, kind: &str| {
        format!(
            "{{apiVersion: {version}, kind: {kind}, metadata: {{namespace: ml}}, spec: {{template: {{spec: {{hostPID: true, containers: [{{name: a, image: i}}]}}}}}}}}\n---\n"
        )
    };
    let text: String = [
        object("v1", "Deployment"),
        object("apps/v1", "deployment"),
        object("app/v1", "Deploymnet"),
        object("batch/v1", "Cronjob"),
        object("v1", "pods"),
        object("apps/v9", "Deployment"),
    ]
    .concat();
    assert_snapshot!(Case::of(&text).text(), @"
    a.yaml:1:2: v1 has no Deployment, did you mean apps/v1? (not read, so not judged)
    a.yaml:3:2: apps/v1 has no deployment, did you mean Deployment? (not read, so not judged)
    a.yaml:5:2: app/v1 has no Deploymnet, did you mean Deployment of apps/v1? (not read, so not judged)
    a.yaml:7:2: batch/v1 has no Cronjob, did you mean CronJob? (not read, so not judged)
    a.yaml:9:2: v1 has no pods, did you mean Pod? (not read, so not judged)
    a.yaml:11:2: Deployment of apps/v9: not a version that podgate knows; it knows apps/v1, apps/v1beta2, apps/v1beta1, extensions/v1beta1 (not read, so not judged)
    ----
    0 objects with pods in 1 file: nothing was judged, 6 not read
    exit 3
    ");
}

/// A kind of somebody else's group may be one that podgate does not know: so what is nearly one that it knows is only warned of.
#[test]
fn misspelt_custom_resources_are_warned_of() {
    let text = "\
{apiVersion: ray.io/v1, kind: RayClutser, metadata: {namespace: ml}}
---
{apiVersion: ray.io/v1, kind: rayjob, metadata: {namespace: ml}, spec: {template: {spec: {containers: [{name: a, image: i}]}}}}
---
{apiVersion: kubflow.org/v1, kind: PyTorchJob, metadata: {namespace: ml}}
---
{apiVersion: rayio/v1, kind: RayCluster, metadata: {namespace: ml}}
---
{apiVersion: ray.io/v1, kind: RayThing, metadata: {namespace: ml}}
";
    assert_snapshot!(Case::of(text).text(), @r#"
    a.yaml:3:84: rayjob ml is unresolved: the containers at spec.template.spec are not judged: rayjob of ray.io/v1 is no kind that podgate knows, did you mean RayJob?
    a.yaml:1:2: warning: ray.io/v1 has no RayClutser that podgate knows, did you mean RayCluster? (only counted)
    a.yaml:5:2: warning: kubflow.org/v1 has no PyTorchJob that podgate knows, did you mean kubeflow.org/v1? (only counted)
    a.yaml:7:2: rayio/v1 has no RayCluster, did you mean ray.io/v1? (not read, so not judged)
    ----
    1 object with pods in 1 file: 1 unresolved, 1 not read
    without a pod that podgate knows of: 1 PyTorchJob (kubflow.org/v1), 1 RayClutser (ray.io/v1), 1 RayThing (ray.io/v1)
    exit 3
    "#);
    let report = Case::of("{apiVersion: ray.io/v1, kind: RayClutser}").run(&[""]);
    assert_eq!(report.exit_code(&FailOn::DEFAULT), 0);
    let json = as_json(&report);
    assert_eq!(json["misspelt"][0]["line"], 1, "{json}");
    let written = |layout: Layout| {
        let mut written = Vec::new();
        concise::write(&report, layout, &mut written).unwrap();
        String::from_utf8(written).unwrap()
    };
    assert_snapshot!(written(Layout::default()), @r#"
    a.yaml:1:2: warning: ray.io/v1 has no RayClutser that podgate knows, did you mean RayCluster? (only counted)
    "#);
    assert_eq!(written(Layout { shows_notes: false, ..Layout::default() }), "");
}
