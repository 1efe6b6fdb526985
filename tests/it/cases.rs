//! The linter on files that people have had trouble with, in the folder of `PODGATE_CASES`: nothing is lost, and each has its
//! right answer.

use std::path::Path;

use podgate::lint::report::{FailOn, ObjectVerdict, summary};
use podgate::lint::{Input, Options, Report, run};
use podgate::policy::{BUILT_IN, PolicySet, Snapshot};

use crate::pods::files;
use crate::policies::policies;
use crate::real_data;

const CASES: &str = "PODGATE_CASES";
/// The files that there are at least.
const LEAST_FILES: usize = 40;

fn lint(input: Input) -> Report {
    run(&[input], Options { policies: policies(BUILT_IN), ..Options::default() })
}

/// The objects that were judged, those of other kinds, the policies, and what was not read or is no manifest.
fn counts(report: &Report) -> [usize; 4] {
    let others = report.summary.other_kinds.iter().map(|kind| kind.count).sum();
    // What is named has to be a manifest, what is found in a folder has not.
    let unread = report.unread.len() + report.summary.not_manifests;
    [report.objects.len(), others, report.summary.policies, unread]
}

/// Every file is judged, counted or reported as unread, by itself as among the others.
#[test]
fn every_file_is_accounted_for() {
    let Some(folder) = real_data::folder(CASES, "the linter on cases") else { return };
    let all: Vec<_> =
        ["yaml", "yml", "json"].iter().flat_map(|extension| files(&folder, extension)).collect();
    assert!(all.len() >= LEAST_FILES, "only {} files in {}", all.len(), folder.display());
    let mut total = [0; 4];
    for path in &all {
        let report = lint(Input::Path(path.clone()));
        let counts = counts(&report);
        assert!(counts.iter().sum::<usize>() > 0, "{}: {report:?}", path.display());
        assert_eq!(report.summary.files, 1, "{}", path.display());
        assert!(report.unread.iter().all(|unread| !unread.message.is_empty()), "{report:?}");
        total.iter_mut().zip(counts).for_each(|(total, count)| *total += count);
    }
    let report = lint(Input::Path(folder));
    assert_eq!((report.summary.files, counts(&report)), (all.len(), total));
}

/// A case, judged by the built-in policy in a Namespace that carries its label.
fn case(folder: &Path, name: &str) -> Report {
    let mut namespaces = Snapshot::default();
    namespaces.insert("ml-team-a", [("podgate.dev/policy".to_owned(), "ml-restricted".to_owned())].into());
    let options = Options { policies: policies(BUILT_IN), namespaces, ..Options::default() };
    run(&[Input::Path(folder.join(name))], options)
}

fn closing_lines(report: &Report) -> String {
    let mut lines = Vec::new();
    summary::write(report, &mut lines).unwrap();
    String::from_utf8(lines).unwrap()
}

fn exit_code(report: &Report) -> u8 {
    report.exit_code(&FailOn::DEFAULT)
}

#[test]
fn what_no_policy_reaches_is_not_called_allowed() {
    let Some(folder) = real_data::folder(CASES, "ns-unlabelled.yaml") else { return };
    let report = case(&folder, "ns-unlabelled.yaml");
    let [pod] = report.objects.as_slice() else { panic!("{report:?}") };
    assert_eq!(
        (pod.verdict, pod.policies.as_slice(), pod.pods[0].allowed),
        (ObjectVerdict::Allow, &[][..], true)
    );
    let lines = closing_lines(&report);
    assert!(lines.contains("not judged: 1 object in namespace training: no policy holds there"), "{lines}");
    assert!(!lines.contains("allowed"), "{lines}");
    assert_eq!((exit_code(&report), report.exit_code(&[FailOn::Unjudged])), (0, 1));
}

#[test]
fn a_volume_without_a_source_is_an_empty_dir() {
    let Some(folder) = real_data::folder(CASES, "emptydir-null.yaml") else { return };
    let policies = PolicySet::of_standard(&"restricted".parse().unwrap());
    let report =
        run(&[Input::Path(folder.join("emptydir-null.yaml"))], Options { policies, ..Options::default() });
    assert_eq!((report.objects[0].verdict, report.summary.findings), (ObjectVerdict::Allow, 0), "{report:?}");
}

#[test]
fn a_kind_of_the_wrong_group_is_not_read() {
    let Some(folder) = real_data::folder(CASES, "wrong-group.yaml") else { return };
    let report = case(&folder, "wrong-group.yaml");
    assert_eq!((exit_code(&report), report.objects.len(), report.unread.len()), (3, 0, 1), "{report:?}");
    assert_eq!(report.unread[0].message, "v1 has no Deployment, did you mean apps/v1?");
}

#[test]
fn a_ray_job_is_judged() {
    let Some(folder) = real_data::folder(CASES, "rayjob.yaml") else { return };
    let report = case(&folder, "rayjob.yaml");
    let [job] = report.objects.as_slice() else { panic!("{report:?}") };
    let [head] = job.pods.as_slice() else { panic!("{job:?}") };
    assert_eq!((job.verdict, head.allowed, exit_code(&report)), (ObjectVerdict::Deny, false, 1));
    assert_eq!(head.path, "spec.rayClusterSpec.headGroupSpec.template");
}

#[test]
fn a_repository_holds_more_than_manifests() {
    let Some(folder) = real_data::folder(CASES, "repository/") else { return };
    let report = case(&folder, "repository");
    assert_eq!((exit_code(&report), report.objects.len(), report.unread.len()), (0, 1, 0), "{report:?}");
    assert_eq!(report.objects[0].policies, ["ml-restricted"]);
    let lines = closing_lines(&report);
    let of_others: Vec<&str> = lines.lines().filter(|line| line.contains("Kubernetes manifests")).collect();
    let [line] = of_others.as_slice() else { panic!("{lines}") };
    for wanted in [
        "7 documents are no Kubernetes manifests".to_owned(),
        format!("helm template {} | podgate lint -", folder.join("repository/chart").display()),
        format!("kubectl kustomize {} | podgate lint -", folder.join("repository/overlay").display()),
    ] {
        assert!(line.contains(&wanted), "{wanted}: {line}");
    }
}

#[test]
fn these_stay_as_they_are() {
    let Some(folder) = real_data::folder(CASES, "cases that were right") else { return };
    for (name, verdict) in [
        ("lazy.yaml", ObjectVerdict::Allow),
        ("nulls.yaml", ObjectVerdict::Deny),
        ("hostusers.yaml", ObjectVerdict::Deny),
        ("inject.yaml", ObjectVerdict::Deny),
        ("newfields.yaml", ObjectVerdict::Allow),
        ("windows-root.yaml", ObjectVerdict::Deny),
        ("privileged-ape.yaml", ObjectVerdict::Deny),
        ("podlevel-false.yaml", ObjectVerdict::Deny),
        ("dropcase.yaml", ObjectVerdict::Deny),
        ("gcsfuse.yaml", ObjectVerdict::Deny),
    ] {
        let report = case(&folder, name);
        assert!(report.unread.is_empty() && !report.objects.is_empty(), "{name}: {report:?}");
        let worst = report.objects.iter().map(|object| object.verdict).max();
        assert_eq!(worst, Some(verdict), "{name}: {report:?}");
    }
}
