//! References to clusters, templates, workloads and texts: each is found in another file, judged as what it gives, and named
//! where it is at fault.

use podgate::lint::report::{ObjectReport, ObjectVerdict};
use podgate::lint::{Objects, Report, read_objects};

use super::super::{Case, GOOD};
use super::denied;

/// A pod that no control minds, and one that the third line of which is forbidden.
fn template(indent: usize, is_bad: bool) -> String {
    let host = if is_bad { "true" } else { "false" };
    let lines = [
        "metadata: {labels: {a: b}}".to_owned(),
        "spec:".to_owned(),
        format!("  hostPID: {host}"),
        format!("  containers: [{GOOD}]"),
    ];
    lines.map(|line| format!("{}{line}\n", " ".repeat(indent))).concat()
}

/// What refers, what it refers to, the kind and name of that, and the field and line of its fault.
struct Pair {
    referring: &'static str,
    referent: fn(bool) -> String,
    from: &'static str,
    field: &'static str,
    line: usize,
}

const PAIRS: [Pair; 9] = [
    Pair {
        referring: "{apiVersion: ray.io/v1, kind: RayJob, metadata: {name: x, namespace: ml}, spec: {clusterSelector: \
                    {ray.io/cluster: shared}}}",
        referent: |is_bad| {
            format!(
                "apiVersion: ray.io/v1\nkind: RayCluster\nmetadata: {{name: shared, namespace: ml}}\nspec:\n  headGroupSpec:\n    \
                 template:\n{}",
                template(6, is_bad)
            )
        },
        from: "RayCluster shared",
        field: "spec.headGroupSpec.template.spec.hostPID",
        line: 9,
    },
    Pair {
        referring: "{apiVersion: ray.io/v1, kind: RayCronJob, metadata: {name: x, namespace: ml}, spec: {jobTemplate: \
                    {clusterSelector: {ray.io/cluster: shared}}}}",
        referent: cluster_of_workers,
        from: "RayCluster shared",
        field: "spec.workerGroupSpecs[0].template.spec.hostPID",
        line: 10,
    },
    Pair {
        referring: "{apiVersion: extensions.agents.x-k8s.io/v1alpha1, kind: SandboxClaim, metadata: {name: x, namespace: ml}, spec: \
                    {sandboxTemplateRef: {name: python}, additionalPodMetadata: {labels: {c: d}}}}",
        referent: sandbox_template,
        from: "SandboxTemplate python",
        field: "spec.podTemplate.spec.hostPID",
        line: 8,
    },
    Pair {
        referring: "{apiVersion: extensions.agents.x-k8s.io/v1beta1, kind: SandboxClaim, metadata: {name: x, namespace: ml}, spec: \
                    {warmPoolRef: {name: pool}}}",
        referent: |is_bad| {
            format!(
                "{}---\napiVersion: extensions.agents.x-k8s.io/v1beta1\nkind: SandboxWarmPool\nmetadata: {{name: pool, namespace: \
                 ml}}\nspec: {{replicas: 1, sandboxTemplateRef: {{name: python}}}}\n",
                sandbox_template(is_bad)
            )
        },
        from: "SandboxTemplate python",
        field: "spec.podTemplate.spec.hostPID",
        line: 8,
    },
    Pair {
        referring: "{apiVersion: argoproj.io/v1alpha1, kind: Rollout, metadata: {name: x, namespace: ml}, spec: {workloadRef: \
                    {apiVersion: apps/v1, kind: Deployment, name: web}}}",
        referent: |is_bad| {
            format!(
                "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: web, namespace: ml}}\nspec:\n  selector: {{}}\n  \
                 template:\n{}",
                template(4, is_bad)
            )
        },
        from: "Deployment web",
        field: "spec.template.spec.hostPID",
        line: 9,
    },
    Pair {
        referring: "{apiVersion: argoproj.io/v1alpha1, kind: Rollout, metadata: {name: x, namespace: ml}, spec: {workloadRef: \
                    {apiVersion: v1, kind: PodTemplate, name: web}}}",
        referent: |is_bad| {
            format!(
                "apiVersion: v1\nkind: PodTemplate\nmetadata: {{name: web, namespace: ml}}\ntemplate:\n{}",
                template(2, is_bad)
            )
        },
        from: "PodTemplate web",
        field: "template.spec.hostPID",
        line: 7,
    },
    Pair {
        referring: "{apiVersion: flow.volcano.sh/v1alpha1, kind: JobFlow, metadata: {name: x, namespace: ml}, spec: {flows: [{name: \
                    a}, {name: a}]}}",
        referent: |is_bad| {
            format!(
                "apiVersion: flow.volcano.sh/v1alpha1\nkind: JobTemplate\nmetadata: {{name: a, namespace: ml}}\nspec:\n  tasks:\n  \
                 - template:\n{}",
                template(6, is_bad)
            )
        },
        from: "JobTemplate a",
        field: "spec.tasks[0].template.spec.hostPID",
        line: 9,
    },
    Pair {
        referring: EXPERIMENT,
        referent: trial,
        from: "ConfigMap trials",
        field: "data[job.yaml].spec.template.spec.hostPID",
        // Of what a text holds, the place is that of the text.
        line: 7,
    },
    Pair {
        referring: "{apiVersion: extensions.agents.x-k8s.io/v1alpha1, kind: SandboxWarmPool, metadata: {name: x, namespace: ml}, \
                    spec: {sandboxTemplateRef: {name: python}}}",
        referent: sandbox_template,
        from: "SandboxTemplate python",
        field: "spec.podTemplate.spec.hostPID",
        line: 8,
    },
];

const EXPERIMENT: &str = "{apiVersion: kubeflow.org/v1beta1, kind: Experiment, metadata: {name: x, namespace: ml}, spec: {trialTemplate: \
                          {configMap: {configMapName: trials, configMapNamespace: kubeflow, templatePath: job.yaml}}}}";

fn cluster_of_workers(is_bad: bool) -> String {
    format!(
        "apiVersion: ray.io/v1alpha1\nkind: RayCluster\nmetadata: {{name: shared, namespace: ml}}\nspec:\n  workerGroupSpecs:\n  - \
         replicas: 1\n    template:\n{}",
        template(6, is_bad)
    )
}

fn sandbox_template(is_bad: bool) -> String {
    format!(
        "apiVersion: extensions.agents.x-k8s.io/v1alpha1\nkind: SandboxTemplate\nmetadata: {{name: python, namespace: ml}}\nspec:\n  \
         podTemplate:\n{}",
        template(4, is_bad)
    )
}

fn trial(is_bad: bool) -> String {
    format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: trials, namespace: kubeflow}}\ndata:\n  other: x\n  job.yaml: |\n    \
         apiVersion: batch/v1\n    kind: Job\n    spec:\n      template:\n{}",
        template(8, is_bad).replace("a: b", "a: '${trialParameters.rate}'")
    )
}

fn referring(report: &Report) -> &ObjectReport {
    report.objects.iter().find(|object| object.name == "x").expect("the object that refers")
}

#[test]
fn what_is_referred_to_is_judged_and_its_fault_is_where_it_is_written() {
    for Pair { referring: text, referent, from, field, line } in &PAIRS {
        let [good, bad] = [false, true].map(referent);
        for standard in [None, Some("restricted")] {
            let run = |referent: &str| {
                let case = Case::new(&[("b.yaml", *text), ("a.yaml", referent)]);
                match standard {
                    None => case.run(&[""]),
                    Some(level) => case.by_standard(level).run(&[""]),
                }
            };
            let report = run(&good);
            assert_eq!(
                referring(&report).verdict,
                ObjectVerdict::Allow,
                "{text}\n{good}\n{:?}",
                referring(&report)
            );
            let report = run(&bad);
            let kind = referring(&report).kind.clone();
            assert_eq!(
                denied(&report, &kind),
                [((*field).to_owned(), *line, Some(format!("{from} a.yaml")))],
                "{text}\n{bad}"
            );
        }
    }
}

#[test]
fn what_is_not_there_or_contradicts_itself_is_unresolved() {
    for Pair { referring: text, referent, from, .. } in &PAIRS {
        let name = from.rsplit(' ').next().expect("a name");
        let [good, bad] = [false, true].map(referent);
        let elsewhere =
            good.replace("namespace: ml", "namespace: other").replace("namespace: kubeflow", "namespace: ml");
        let other_name = good.replace(&format!("metadata: {{name: {name}"), "metadata: {name: other");
        for others in [&[][..], &[good.as_str(), bad.as_str()], &[elsewhere.as_str()], &[other_name.as_str()]]
        {
            let mut files = vec![("z.yaml", *text)];
            files.extend(["a.yaml", "b.yaml"].into_iter().zip(others.iter().copied()));
            let report = Case::new(&files).run(&[""]);
            let object = referring(&report);
            assert_eq!(object.verdict, ObjectVerdict::Unresolved, "{text}\n{others:?}");
            assert!(!object.pods[0].unresolved.is_empty(), "{text}");
        }
    }
}

#[test]
fn what_is_given_beside_the_run_is_found_too() {
    for Pair { referring: text, referent, .. } in &PAIRS {
        let mut objects = Objects::default();
        assert!(read_objects("objects.yaml", &referent(true), &mut objects).is_empty());
        let report = Case::of(text).referring_to(objects.references).run(&[""]);
        assert_eq!(referring(&report).verdict, ObjectVerdict::Deny, "{text}");
    }
}

#[test]
fn what_is_malformed_there_is_unresolved_and_says_where() {
    for (text, referent, expected) in [
        (
            PAIRS[0].referring,
            "{apiVersion: ray.io/v1, kind: RayCluster, metadata: {name: shared, namespace: ml}, spec: {headGroupSpec: {template: '{{t}}'}}}",
            "spec.headGroupSpec.template is a placeholder (from RayCluster shared, a.yaml:1)",
        ),
        (
            PAIRS[2].referring,
            "{apiVersion: extensions.agents.x-k8s.io/v1alpha1, kind: SandboxTemplate, metadata: {name: python, namespace: ml}, spec: {podTemplate: 5}}",
            "spec.podTemplate: expected an object, found a number (from SandboxTemplate python, a.yaml:1)",
        ),
        (
            PAIRS[4].referring,
            "{apiVersion: apps/v1, kind: Deployment, metadata: {name: web, namespace: ml}, spec: {selector: {}}}",
            "no spec.template (from Deployment web, a.yaml:1)",
        ),
        (
            EXPERIMENT,
            "{apiVersion: v1, kind: ConfigMap, metadata: {name: trials, namespace: kubeflow}, data: {job.yaml: '{a'}}",
            "data[job.yaml] cannot be read as an object",
        ),
        (
            EXPERIMENT,
            "{apiVersion: v1, kind: ConfigMap, metadata: {name: trials, namespace: kubeflow}, data: {other: '{a'}}",
            "ConfigMap trials has no text at data[job.yaml]",
        ),
        (
            EXPERIMENT,
            "{apiVersion: v1, kind: ConfigMap, metadata: {name: trials, namespace: kubeflow}, data: {job.yaml: 5}}",
            "ConfigMap trials has no text at data[job.yaml]",
        ),
        (
            EXPERIMENT,
            "{apiVersion: v1, kind: ConfigMap, metadata: {name: trials, namespace: kubeflow}, data: {job.yaml: ' '}}",
            "no pod in data[job.yaml] of ConfigMap trials",
        ),
    ] {
        let shown = Case::new(&[("b.yaml", text), ("a.yaml", referent)]).text();
        assert!(shown.contains(expected), "{expected}\n{shown}");
    }
}

#[test]
fn a_text_that_names_itself_ends() {
    let config = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: trials, namespace: kubeflow}\ndata:\n  job.yaml: \"".to_owned()
        + EXPERIMENT
        + "\"\n";
    let report = Case::new(&[("b.yaml", EXPERIMENT), ("a.yaml", &config)]).run(&[""]);
    assert_eq!(referring(&report).verdict, ObjectVerdict::Unresolved);
}

#[test]
fn the_submitter_of_a_job_is_judged_beside_the_cluster() {
    let job = "{apiVersion: ray.io/v1, kind: RayJob, metadata: {name: x, namespace: ml}, spec: {clusterSelector: {ray.io/cluster: \
               shared}, submitterPodTemplate: {spec: {hostIPC: true, containers: [{name: c, image: i}]}}}}";
    let report = Case::new(&[("b.yaml", job), ("a.yaml", &(PAIRS[0].referent)(false))]).run(&[""]);
    let own = "spec.submitterPodTemplate.spec.hostIPC".to_owned();
    assert_eq!(denied(&report, "RayJob"), [(own, 1, None)]);
    assert_eq!(
        report.objects.iter().find(|object| object.kind == "RayCluster").unwrap().verdict,
        ObjectVerdict::Allow
    );
}

#[test]
fn a_reference_in_a_text_is_followed_and_named_with_its_own_file() {
    let workflow = "{apiVersion: argoproj.io/v1alpha1, kind: Workflow, metadata: {name: x, namespace: ml}, spec: {templates: [{name: t, \
                    resource: {action: create, manifest: '{apiVersion: ray.io/v1, kind: RayJob, spec: {clusterSelector: \
                    {ray.io/cluster: shared}}}'}}]}}";
    let report = Case::new(&[("b.yaml", workflow), ("a.yaml", &(PAIRS[0].referent)(true))]).run(&[""]);
    let field = "spec.headGroupSpec.template.spec.hostPID".to_owned();
    assert_eq!(denied(&report, "Workflow"), [(field, 9, Some("RayCluster shared a.yaml".to_owned()))]);
}
