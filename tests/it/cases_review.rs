//! The refusals and warnings on inputs that people have had trouble with, in the folder of `PODGATE_CASES`: the right
//! answer of each, from `review` and from the linter.

use std::fs;
use std::path::Path;

use podgate::admission::{Reviewer, Webhook};
use podgate::lint::{Input, Options, Report, run};
use podgate::policy::{BUILT_IN, PolicySet, Snapshot};
use podgate::yaml;
use serde_json::{Value as Json, json};

use crate::pods::Alone as _;
use crate::policies::policies;
use crate::real_data;
use crate::requests::creation;
use crate::reviews::{MADE_IN, apply, built_in, labelled, well_formed};

const CASES: &str = "PODGATE_CASES";

struct Case {
    name: &'static str,
    text: String,
    policies: String,
}

impl Case {
    /// A file of the folder, by the built-in policy.
    fn open(name: &'static str) -> Option<Self> {
        let folder = real_data::folder(CASES, "refusals on cases")?;
        Some(Self { name, text: read(&folder, name), policies: BUILT_IN.to_owned() })
    }

    /// By a policy of the folder.
    fn by(self, policy: &str) -> Option<Self> {
        let folder = real_data::folder(CASES, "refusals on cases")?;
        Some(Self { policies: read(&folder, policy), ..self })
    }

    fn set(&self) -> PolicySet {
        if self.policies == BUILT_IN { built_in(&[]) } else { policies(&self.policies) }
    }

    fn objects(&self) -> Vec<Json> {
        let documents = yaml::read(&self.text);
        documents
            .into_iter()
            .map(|document| serde_json::from_slice(&document.unwrap().root.to_json()).unwrap())
            .collect()
    }

    /// The reviews: the file's own, or the creation of each of its pods.
    fn reviews(&self) -> Vec<Json> {
        if self.name.ends_with(".review.json") {
            return vec![serde_json::from_str(&self.text).unwrap()];
        }
        self.objects().iter().map(|pod| creation("u-1", MADE_IN, pod)).collect()
    }

    fn answers(&self, webhook: Webhook) -> Vec<Json> {
        let reviewer = Reviewer::new(self.set(), labelled(&[MADE_IN]));
        let answer = |review: Json| {
            let uid = review["request"]["uid"].as_str().unwrap();
            let body = review.to_string();
            let answer = reviewer.alone(webhook, body.as_bytes()).unwrap();
            well_formed(self.name, webhook, uid, &answer.body)
        };
        self.reviews().into_iter().map(answer).collect()
    }

    fn lint(&self) -> Report {
        let folder = std::env::temp_dir().join(format!("podgate-case-{}-{}", self.name, std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let file = folder.join("case.yaml");
        fs::write(&file, &self.text).unwrap();
        let options = Options { policies: self.set(), namespaces: namespaces(), ..Options::default() };
        let report = run(&[Input::Path(file)], options);
        fs::remove_dir_all(folder).unwrap();
        report
    }
}

fn namespaces() -> Snapshot {
    labelled(&[MADE_IN])
}

fn read(folder: &Path, name: &str) -> String {
    fs::read_to_string(folder.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

#[track_caller]
fn message(answer: &Json) -> String {
    assert_eq!(answer["status"]["code"], 403, "{answer}");
    folded(answer["status"]["message"].as_str().unwrap())
}

/// A text as pages and events show it.
fn folded(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn warnings(answer: &Json) -> Vec<&str> {
    answer["warnings"].as_array().into_iter().flatten().filter_map(Json::as_str).collect()
}

/// The fixes that people read, of each pod of a report.
fn fixes(report: &Report) -> Vec<Vec<&str>> {
    let pods = report.objects.iter().flat_map(|object| &object.pods);
    pods.map(|pod| {
        let changes = pod.summary.iter().flat_map(|summary| &summary.changes);
        changes.map(|change| change.text.fix.as_str()).collect()
    })
    .collect()
}

#[test]
fn what_is_filled_in_once_the_rest_is_fixed_is_no_change() {
    let Some(case) = Case::open("privileged-ape.yaml") else { return };
    let text = message(&case.answers(Webhook::Validate)[0]);
    assert!(text.contains(" was refused: 1 change needed") && text.contains("[code PG-0001]"), "{text}");
    assert!(text.contains("allowPrivilegeEscalation, capabilities.drop, runAsNonRoot"), "{text}");
    let report = case.lint();
    assert_eq!(fixes(&report)[0].len(), 1);
    assert_eq!(report.objects[0].pods[0].summary.as_ref().unwrap().code, "PG-0001");
}

#[test]
fn injected_containers_are_repaired_or_their_injector_is_named() {
    let Some(case) = Case::open("inject.yaml") else { return };
    let changes: Vec<usize> = fixes(&case.lint()).iter().map(Vec::len).collect();
    assert_eq!(changes, [0, 0, 2, 0, 1, 2, 0]);
    for (index, (pod, answer)) in case.objects().iter_mut().zip(case.answers(Webhook::Mutate)).enumerate() {
        apply(case.name, &answer, pod);
        let after = Case { text: pod.to_string(), name: "one of inject.yaml", policies: BUILT_IN.to_owned() };
        let answer = &after.answers(Webhook::Validate)[0];
        assert_eq!(answer["allowed"], changes[index] == 0, "{answer}");
        if index == 2 {
            let text = message(answer);
            assert!(text.contains("injected by Linkerd") && !text.contains("podgate lint"), "{text}");
        }
    }
    let Some(case) = Case::open("gcsfuse.yaml") else { return };
    let report = case.lint();
    assert!(fixes(&report)[0].iter().any(|fix| fix.contains("injected by GKE")), "{:?}", fixes(&report));
    assert!(message(&case.answers(Webhook::Validate)[0]).contains("injected by GKE"));
}

#[test]
fn windows_has_user_names_and_no_user_ids() {
    let Some(case) = Case::open("windows-silent.review.json") else { return };
    let answer = &case.answers(Webhook::Mutate)[0];
    assert!(answer.get("patch").is_some());
    let [warning] = warnings(answer)[..] else { panic!("{answer}") };
    assert!(warning.contains("runAsUserName") && !warning.contains("runAsUser "), "{warning}");
    let Some(case) = Case::open("windows-root.yaml") else { return };
    let report = case.lint();
    let [fix] = fixes(&report)[0][..] else { panic!("{:?}", fixes(&report)) };
    assert!(fix.contains("windowsOptions.runAsUserName, as ContainerUser"), "{fix}");
    assert!(message(&case.answers(Webhook::Validate)[0]).contains("ContainerUser"));
}

#[test]
fn an_image_whose_user_is_a_name_needs_a_user_too() {
    let Some(case) = Case::open("newfields.yaml") else { return };
    let answer = &case.answers(Webhook::Mutate)[0];
    let [warning] = warnings(answer)[..] else { panic!("{answer}") };
    assert!(warning.ends_with("unless the image's user is a number above 0"), "{warning}");
}

#[test]
fn what_was_there_before_cannot_be_changed() {
    let Some(case) = Case::open("debug-leftover.review.json") else { return };
    let text = message(&case.answers(Webhook::Validate)[0]);
    assert!(text.contains("\"debugger-b\" was there before this request and cannot be changed"), "{text}");
    assert!(text.contains("1 change needed") && text.contains("-> recreate the pod"), "{text}");
    assert!(!text.contains("set it to") && !text.contains("podgate lint"), "{text}");
    let Some(case) = Case::open("debug-legacy.review.json") else { return };
    let text = message(&case.answers(Webhook::Validate)[0]);
    assert!(text.contains("kubectl debug --profile=restricted"), "{text}");
    assert!(!text.contains("podgate lint") && !text.contains("recreate"), "{text}");
}

#[test]
fn the_volume_of_the_api_servers_token_blames_nobody() {
    let Some(case) = Case::open("token-volume.review.json") else { return };
    let Some(mut case) = case.by("token-volume.policy.yaml") else { return };
    assert_eq!(case.answers(Webhook::Validate)[0]["allowed"], true);
    case.text = case.text.replace("\"path\":\"token\"", "\"audience\":\"vault\",\"path\":\"token\"");
    assert!(message(&case.answers(Webhook::Validate)[0]).contains("is projected"));
    let Some(case) = Case::open("lazy.yaml").and_then(|case| case.by("token-volume.policy.yaml")) else {
        return;
    };
    assert_eq!(case.lint().exit_code(&podgate::lint::report::FailOn::DEFAULT), 0);
}

#[test]
fn a_trial_says_what_enforce_would() {
    let Some(case) = Case::open("lazy.yaml").and_then(|case| case.by("trial.policy.yaml")) else { return };
    let answer = &case.answers(Webhook::Validate)[0];
    let [warning] = warnings(answer)[..] else { panic!("{answer}") };
    assert!(warning.contains("\"ml-trial\" would fill in runAsNonRoot"), "{warning}");
    assert_eq!(answer.get("auditAnnotations"), None);
    assert_eq!(case.answers(Webhook::Mutate)[0].get("patch"), None);
    let report = case.lint();
    let pod = &report.objects[0].pods[0];
    assert!(pod.summary.is_none());
    let filled_in: Vec<&str> = pod.findings.iter().map(|finding| finding.disposition).collect();
    assert_eq!(filled_in, ["filledIn"; 4]);
}

/// Where nothing is known of the pod's way through the mutating webhook.
#[test]
fn a_pod_that_lacks_defaults_alone_was_not_seen() {
    let Some(case) = Case::open("lazy.yaml") else { return };
    let answer = &case.answers(Webhook::Validate)[0];
    let text = message(answer);
    assert!(
        text.contains("its mutating webhook has not seen this pod, or a later webhook took them off"),
        "{text}"
    );
    assert!(!text.contains("podgate lint"), "{text}");
    let causes = answer["status"]["details"]["causes"].as_array().unwrap();
    assert!(causes.iter().all(|cause| cause["message"].as_str().unwrap().contains("filled in for you")));
}

/// Every patch applies and only adds; what is admitted afterwards is what was foretold.
#[test]
fn what_was_right_stays_right() {
    for (name, allowed) in [
        ("nulls.yaml", &[false][..]),
        ("hostusers.yaml", &[true, true, false]),
        ("podlevel-false.yaml", &[false, true]),
        ("dropcase.yaml", &[false]),
        ("newfields.yaml", &[true]),
    ] {
        let Some(case) = Case::open(name) else { return };
        let mut pods = case.objects();
        for ((pod, answer), allowed) in pods.iter_mut().zip(case.answers(Webhook::Mutate)).zip(allowed) {
            apply(name, &answer, pod);
            let after = Case { text: pod.to_string(), name, policies: BUILT_IN.to_owned() };
            let answer = &after.answers(Webhook::Validate)[0];
            assert_eq!(answer["allowed"], *allowed, "{name}: {answer}");
        }
    }
}

/// The two pods of the file are written with a uid that YAML reads as a boolean.
#[test]
fn a_mirror_pod_is_never_patched() {
    let Some(mut case) = Case::open("mirror.yaml") else { return };
    case.text = case.text.replace("uid: n,", "uid: node,");
    let answers = case.answers(Webhook::Mutate);
    assert_eq!(answers[0].get("patch"), None);
    let text = message(&case.answers(Webhook::Validate)[0]);
    assert!(!text.contains("filled in for you") && !text.contains("podgate lint"), "{text}");
    assert_eq!(json!(case.lint().objects[0].pods[0].allowed), json!(false));
}
