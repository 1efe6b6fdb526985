//! `podgate survey identity` over files: every pod, in order, with what is missing.

use std::fs;

use serde_json::{Value as Json, json};

use crate::command::run;
use crate::pods::of_repository;

const FIXTURE: &str = "tests/fixtures/survey/objects.yaml";

fn survey(arguments: &[&str]) -> crate::command::Ended {
    let file = of_repository(FIXTURE);
    let file = file.to_str().unwrap();
    run(&of_repository("."), &[&["survey", "identity", "--objects", file], arguments].concat(), "")
}

#[test]
fn every_pod_is_told_for_people() {
    let ended = survey(&[]).with(1);
    let text = &ended.output;
    let expected = "\
ml-team-a/batch-0: AAD Pod Identity, cannot be migrated yet
  aadpodidbinding: ml-identity -> AzureIdentityBinding ml-team-a/ml-bind -> AzureIdentity ml-team-a/ml-id (type 0, client id 0A0A0A0A-1111-4222-8333-444444444444)
  service account: batch-runner
  missing: otherAccount: it runs as batch-runner, which has not the client id of AzureIdentity ml-team-a/ml-id: kubectl annotate serviceaccount batch-runner -n ml-team-a azure.workload.identity/client-id=0A0A0A0A-1111-4222-8333-444444444444; its subject is system:serviceaccount:ml-team-a:batch-runner
";
    assert!(text.starts_with(expected), "{text}");
    for fragment in [
        "ml-team-a/done-0: workload identity\n  service account: trainer-wi\n  check: federatedCredential: ",
        "ml-team-a/old-0: AAD Pod Identity, cannot be migrated yet\n",
        "missing: hasSecret: AzureIdentity shared/old-id is of type 1",
        "ml-team-a/train-1 (Job train): AAD Pod Identity, ready to migrate\n",
        "  service account: default -> trainer-wi\n",
        "subject system:serviceaccount:ml-team-a:trainer-wi, audience api://AzureADTokenExchange",
        "other/lost-0: ",
        "missing: noBinding: no AzureIdentityBinding has the selector ML-Identity",
        "\n6 pods: 1 ready to migrate, 3 cannot be migrated yet, 0 migrated, 1 with workload identity alone, 1 without an \
         identity; 3 lack something\n",
    ] {
        assert!(text.contains(fragment), "{fragment}\n{text}");
    }
    for unwanted in ["plain-0", "old-secret", "CANARY"] {
        assert!(!text.contains(unwanted), "{text}");
    }
}

#[test]
fn every_pod_is_told_for_programs() {
    let ended = survey(&["--format", "json"]).with(1);
    let report: Json = serde_json::from_str(&ended.output).unwrap();
    let pods = report["pods"].as_array().unwrap();
    let told: Vec<String> = pods
        .iter()
        .map(|pod| {
            let text = |key: &str| pod[key].as_str().unwrap().to_owned();
            format!("{}/{} {}", text("namespace"), text("name"), text("state"))
        })
        .collect();
    let expected = [
        "ml-team-a/batch-0 blocked",
        "ml-team-a/done-0 workloadIdentity",
        "ml-team-a/old-0 blocked",
        "ml-team-a/train-1 ready",
        "other/lost-0 blocked",
        "other/plain-0 none",
    ];
    assert_eq!(told, expected);
    let ready = &pods[3];
    let legacy = json!({
        "selector": "ml-identity",
        "binding": "ml-team-a/ml-bind",
        "identity": "ml-team-a/ml-id",
        "type": 0,
        "clientId": "0A0A0A0A-1111-4222-8333-444444444444",
    });
    assert_eq!(ready["aadPodIdentity"], legacy);
    let target =
        json!({"serviceAccount": "trainer-wi", "subject": "system:serviceaccount:ml-team-a:trainer-wi"});
    assert_eq!(ready["target"], target);
    assert_eq!((&ready["owner"], &ready["missing"]), (&json!("Job train"), &json!([])));
    assert_eq!(pods[1]["workloadIdentity"]["hasToken"], true);
    assert_eq!(report["summary"]["missing"], 3);
    assert_eq!(report["version"], 1);
}

#[test]
fn nothing_missing_is_well_and_what_cannot_be_read_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    let pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {containers: [{name: c, image: i}]}\n";
    write("good.yaml", pod);
    write(
        "faulty.yaml",
        &format!(
            "{pod}---\napiVersion: aadpodidentity.k8s.io/v1\nkind: AzureIdentityBinding\nmetadata: {{}}\n"
        ),
    );
    write("pod.yaml", &pod.replace("image: i", "image: 7"));
    let survey = |arguments: &[&str]| run(folder.path(), &[&["survey", "identity"], arguments].concat(), "");
    assert!(survey(&["--objects", "good.yaml"]).with(0).output.starts_with("1 pod: "));
    let faulty = survey(&["--objects", "faulty.yaml"]).with(3).output;
    assert!(faulty.contains("unread: faulty.yaml:") && faulty.contains("metadata.name: not set"), "{faulty}");
    let pod = survey(&["--objects", "pod.yaml", "--format", "json"]).with(3).lines();
    assert!(pod[0]["unread"][0].as_str().unwrap().contains("image"), "{pod:?}");
    assert_eq!(survey(&["--objects", "good.yaml", "-n", "other"]).with(0).output.lines().count(), 1);
    let elsewhere = survey(&["--objects", "good.yaml", "-n", "other"]).with(0).output;
    assert_eq!(elsewhere, "no pods were found: there is nothing to tell of\n");
    write("empty.yaml", "# kubectl was here\n---\n");
    let nothing =
        "unread: empty.yaml: there is nothing in it: did the program fail that should have written it?\n";
    let empty = survey(&["--objects", "empty.yaml"]).with(3).output;
    assert!(empty.starts_with(&format!("{nothing}no pods were found")), "{empty}");
    let beside = survey(&["--objects", "empty.yaml", "--objects", "good.yaml"]).with(3).output;
    assert!(beside.starts_with(nothing) && beside.contains("\n1 pod: "), "{beside}");
    survey(&["--objects", "missing.yaml"]).with(2);
    survey(&["--objects", "good.yaml", "--kubeconfig", "x"]).with(2);
    let nobody = survey(&["--kubeconfig", "missing"]).with(2);
    assert!(nobody.errors.contains("missing"), "{nobody:?}");
    run(folder.path(), &["survey"], "").with(2);
}
