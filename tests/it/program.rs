//! The program as its users see it: arguments and files in, output and an exit code out.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, ChildStderr, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};
use serde_json::{Value as Json, json};
use tempfile::TempDir;

use crate::any_certificate::any_certificate;
use crate::command::{Ended, podgate, run};
use crate::pods::json_of;
use crate::requests::creation;
use crate::server::value_of;

/// Nothing here takes as long on a machine that is only busy.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long to wait before something is looked at again.
const STEP: Duration = Duration::from_millis(20);

// ---- the files that it is given

const GOOD: &str = "apiVersion: v1
kind: Pod
metadata: {name: good, namespace: ml-team-a}
spec:
  securityContext: {runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}}
  containers:
  - name: main
    image: busybox
    securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
";

const BAD: &str = "apiVersion: v1
kind: Pod
metadata: {name: bad, namespace: ml-team-a}
spec:
  hostPID: true
  securityContext: {runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}}
  containers:
  - name: main
    image: busybox
    securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
";

const NAMESPACES: &str = "apiVersion: v1
kind: Namespace
metadata: {name: ml-team-a, labels: {podgate.dev/policy: ml-restricted}}
---
apiVersion: v1
kind: Namespace
metadata: {name: other}
";

/// A folder with the files above, and a policy that is wrong in two places.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in [
        ("good.yaml", GOOD),
        ("bad.yaml", BAD),
        ("namespaces.yaml", NAMESPACES),
        ("broken.yaml", "kind: Pod\napiVersion: v1\nspec: [\n"),
        (
            "faulty.yaml",
            "apiVersion: podgate.dev/v1alpha1\nkind: SecurityPolicy\nmetadata: {name: p}\nspec:\n  macth: {}\n",
        ),
    ] {
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

// ---- lint

#[test]
fn lint_tells_by_its_exit_code() {
    let folder = folder();
    let lint = |arguments: &[&str], input: &str| {
        run(folder.path(), &[&["lint", "--objects", "namespaces.yaml"], arguments].concat(), input)
    };
    let good = lint(&["good.yaml"], "").with(0);
    assert_eq!(good.output, "", "{good:?}");
    let bad = lint(&["good.yaml", "bad.yaml"], "").with(1);
    assert!(bad.output.starts_with("bad.yaml:1:1: Pod ml-team-a/bad: denied"), "{bad:?}");
    assert!(bad.output.contains("\n  5:12  spec.hostPID is true -> remove it"), "{bad:?}");
    assert!(bad.errors.contains("1 denied"), "{bad:?}");
    let missing = lint(&["nowhere.yaml", "good.yaml"], "").with(3);
    assert!(missing.output.contains("nowhere.yaml"), "{missing:?}");
    let broken = lint(&["broken.yaml", "bad.yaml"], "").with(1);
    assert!(broken.output.contains("broken.yaml:3:7: "), "{broken:?}");
    assert!(broken.output.contains("bad.yaml:1:1: Pod ml-team-a/bad: denied"), "{broken:?}");
    let input = lint(&["-"], BAD).with(1);
    assert!(input.output.starts_with("-:1:1: Pod ml-team-a/bad: denied"), "{input:?}");
    lint(&["-"], GOOD).with(0);
    let none = lint(&[], "").with(2);
    assert!(none.errors.contains("<PATH>"), "{none:?}");
    lint(&["--no-such-flag", "good.yaml"], "").with(2);
}

#[test]
fn lint_fails_on_what_it_is_told_to() {
    let folder = folder();
    let lint = |arguments: &[&str]| run(folder.path(), &[&["lint"], arguments].concat(), "");
    let namespaces = ["--objects", "namespaces.yaml"];
    lint(&[&namespaces[..], &["--fail-on", "unresolved", "bad.yaml"]].concat()).with(1);
    // What is refused or cannot be read is never silenced.
    lint(&["--fail-on=deny", "broken.yaml"]).with(3);
    lint(&["--fail-on=unread", "bad.yaml"]).with(2);
    lint(&["--exclude", "bad.*", "bad.yaml"]).with(0);
    let faulty = lint(&["--exclude", "[z-a]", "bad.yaml"]).with(2);
    assert!(faulty.errors.contains("--exclude"), "{faulty:?}");
    // What it fails for is said, however quiet it is.
    fs::write(
        folder.path().join("unlabelled.yaml"),
        "{apiVersion: v1, kind: Namespace, metadata: {name: ml-team-a}}",
    )
    .unwrap();
    let unjudged = ["-q", "--objects", "unlabelled.yaml", "--fail-on", "unjudged", "bad.yaml"];
    let quiet = lint(&unjudged).with(1);
    assert!(
        quiet.output.is_empty() && quiet.errors.starts_with("not judged: 1 object in namespace ml-team-a"),
        "{quiet:?}"
    );
    // The namespace of what names none.
    fs::write(folder.path().join("nowhere.yaml"), BAD.replace(", namespace: ml-team-a", "")).unwrap();
    let elsewhere = lint(&[&namespaces[..], &["-n", "ml-team-a", "nowhere.yaml"]].concat()).with(1);
    assert!(elsewhere.output.starts_with("nowhere.yaml:1:1: Pod ml-team-a/bad: denied"), "{elsewhere:?}");
    lint(&["-n", "Not a name", "nowhere.yaml"]).with(2);
}

// ---- policy

#[test]
fn policy_check_reports_every_fault() {
    let folder = TempDir::new().unwrap();
    let write = |name: &str, text: &str| {
        fs::create_dir_all(folder.path().join(name).parent().unwrap()).unwrap();
        fs::write(folder.path().join(name), text).unwrap();
    };
    let policy = |name: &str, level: &str| {
        format!(
            "apiVersion: podgate.dev/v1alpha1\nkind: SecurityPolicy\nmetadata: {{name: {name}}}\nspec:\n  match: {{namespaces: [ml]}}\n  standard: {{enforce: {level}}}\n"
        )
    };
    write("good/a.yaml", &policy("a", "baseline"));
    write("good/b.yaml", &policy("b", "restricted"));
    write("faulty.yaml", &format!("{}---\n{}", policy("c", "basline"), policy("d", "strict")));
    write("empty.yaml", "# nothing\n");
    write("same.yaml", &policy("a", "baseline"));
    write("other.yaml", "{apiVersion: v1, kind: Pod}");
    fs::write(folder.path().join("bytes.yaml"), b"\xff").unwrap();
    let check = |paths: &[&str]| run(folder.path(), &[&["policy", "check"], paths].concat(), "");
    assert_eq!(check(&["good"]).with(0).output, "in order: 2 SecurityPolicies\n");
    let faulty = check(&["faulty.yaml", "good"]).with(1).output;
    assert!(
        faulty.starts_with("faulty.yaml:6:23: spec.standard.enforce: no such level \"basline\""),
        "{faulty}"
    );
    assert!(faulty.contains("faulty.yaml:13:23: ") && faulty.ends_with("2 faults\n"), "{faulty}");
    assert_eq!(check(&["empty.yaml"]).with(1).output, "empty.yaml:1:1: holds no policy\n1 fault\n");
    let same = check(&["good", "same.yaml"]).with(1).output;
    assert!(same.contains("another policy is named \"a\""), "{same}");
    check(&["other.yaml"]).with(1);
    for unread in ["gone.yaml", "bytes.yaml"] {
        let ended = check(&[unread, "good"]).with(3);
        assert!(
            ended.output.starts_with("cannot read the policy file") && ended.output.contains(unread),
            "{ended:?}"
        );
        check(&[unread, "faulty.yaml"]).with(1);
    }
    check(&[]).with(2);
    run(folder.path(), &["policy"], "").with(2);
}

#[test]
fn lint_writes_json_for_programs() {
    let folder = folder();
    for (file, code, verdict) in [("good.yaml", 0, "allow"), ("bad.yaml", 1, "deny")] {
        let ended =
            run(folder.path(), &["lint", "--format", "json", "--objects", "namespaces.yaml", file], "")
                .with(code);
        let report: Json = serde_json::from_str(&ended.output).unwrap();
        assert_eq!(report["version"], 1);
        assert_eq!(report["objects"][0]["file"], file);
        assert_eq!(report["objects"][0]["verdict"], verdict, "{report}");
        assert_eq!(ended.errors, "", "{ended:?}");
    }
    let ended = run(folder.path(), &["lint", "--format=json", "nowhere.yaml", "broken.yaml"], "").with(3);
    let report: Json = serde_json::from_str(&ended.output).unwrap();
    assert_eq!(report["objects"].as_array().map(Vec::len), Some(0), "{report}");
}

#[test]
fn lint_judges_by_one_standard() {
    let folder = folder();
    for (standard, code) in
        [("privileged", 0), ("baseline", 1), ("restricted:v1.20", 1), ("baseline:latest", 1)]
    {
        run(folder.path(), &["lint", "--standard", standard, "bad.yaml"], "").with(code);
        run(folder.path(), &["lint", "--standard", standard, "good.yaml"], "").with(0);
    }
    for wrong in ["strict", "baseline:1.20", "baseline:v2.0", ""] {
        let ended = run(folder.path(), &["lint", "--standard", wrong, "good.yaml"], "").with(2);
        assert!(ended.errors.contains("--standard"), "{ended:?}");
    }
    let both = ["lint", "--standard", "baseline", "--policy", "faulty.yaml", "good.yaml"];
    run(folder.path(), &both, "").with(2);
}

#[test]
fn a_faulty_policy_is_told_with_its_places() {
    let folder = folder();
    let certificate = ["--listen=127.0.0.1:0", "--admin-listen=127.0.0.1:0"];
    for arguments in
        [vec!["lint", "good.yaml"], vec!["review"], [&["serve", "--dev"][..], &certificate].concat()]
    {
        let ended = run(folder.path(), &[&arguments[..], &["--policy", "faulty.yaml"]].concat(), "").with(2);
        assert_eq!(ended.output, "", "{ended:?}");
        assert!(ended.errors.contains("faulty.yaml:4:1: spec: the key \"match\" is missing"), "{ended:?}");
        assert!(ended.errors.contains("faulty.yaml:5:3: spec.macth: unknown key"), "{ended:?}");
        assert!(ended.errors.contains("did you mean \"match\"?"), "{ended:?}");
        let ended = run(folder.path(), &[&arguments[..], &["--policy", "nowhere.yaml"]].concat(), "").with(2);
        assert!(ended.errors.contains("nowhere.yaml"), "{ended:?}");
        let ended = run(folder.path(), &[&arguments[..], &["--objects", "broken.yaml"]].concat(), "").with(2);
        assert!(ended.errors.contains("broken.yaml:3:7"), "{ended:?}");
    }
}

// ---- review

fn review(uid: &str, pod: &str) -> Json {
    let object: Json = serde_json::from_slice(&json_of(uid, pod)).unwrap();
    creation(uid, "ml-team-a", &object)
}

/// The uids of answers and what they say.
fn verdicts(ended: &Ended) -> Vec<(String, bool)> {
    let verdict = |line: Json| {
        let response = &line["response"];
        (response["uid"].as_str().unwrap().to_owned(), response["allowed"].as_bool().unwrap())
    };
    ended.lines().into_iter().map(verdict).collect()
}

#[test]
fn review_answers_a_line_for_each() {
    let folder = folder();
    let (good, bad) = (review("1", GOOD), review("2", BAD));
    let review = |arguments: &[&str], input: &str| {
        run(folder.path(), &[&["review", "--objects", "namespaces.yaml"], arguments].concat(), input)
    };
    let expected = [("1".to_owned(), true), ("2".to_owned(), false)];
    let lines = format!("{good}\n\n{bad}\n");
    assert_eq!(verdicts(&review(&[], &lines).with(1)), expected);
    let pretty = format!("{good:#}\n{bad:#}");
    assert_eq!(verdicts(&review(&["-"], &pretty).with(1)), expected);
    fs::write(folder.path().join("reviews.jsonl"), &lines).unwrap();
    assert_eq!(verdicts(&review(&["reviews.jsonl"], "").with(1)), expected);
    assert_eq!(verdicts(&review(&[], &good.to_string()).with(0)), expected[..1]);
    let nothing = review(&[], "").with(3);
    assert!(nothing.output.is_empty() && nothing.errors.contains("no review"), "{nothing:?}");
    let garbage = review(&[], &format!("{good}\nnonsense\n{bad}\n{{}}\n")).with(3);
    let answers = garbage.lines();
    assert_eq!(answers.len(), 4, "{garbage:?}");
    assert_eq!(answers[0]["response"]["allowed"], true);
    assert_eq!(answers[2]["response"]["allowed"], false);
    for index in [1, 3] {
        assert!(
            answers[index]["error"].as_str().unwrap().starts_with("not an AdmissionReview: "),
            "{garbage:?}"
        );
        assert_eq!(answers[index].as_object().map(serde_json::Map::len), Some(1));
    }
    let missing = review(&["nowhere.jsonl"], "").with(3);
    assert!(missing.errors.contains("cannot read nowhere.jsonl"), "{missing:?}");
}

#[test]
fn review_goes_by_the_namespaces_it_is_told_of() {
    let folder = folder();
    let elsewhere = review("3", &BAD.replace("ml-team-a", "other")).to_string().replace("ml-team-a", "other");
    // Of a namespace that nobody knows the strictest is assumed.
    assert_eq!(verdicts(&run(folder.path(), &["review"], &elsewhere).with(1)), [("3".to_owned(), false)]);
    let told = run(folder.path(), &["review", "--objects", "namespaces.yaml"], &elsewhere).with(0);
    assert_eq!(verdicts(&told), [("3".to_owned(), true)]);
    let standard = run(folder.path(), &["review", "--standard", "baseline"], &elsewhere).with(1);
    assert_eq!(verdicts(&standard), [("3".to_owned(), false)]);
}

#[test]
fn review_mutates_when_asked() {
    let folder = folder();
    let lazy =
        "apiVersion: v1\nkind: Pod\nmetadata: {name: lazy}\nspec: {containers: [{name: c, image: i}]}\n";
    let input = format!("{}\n{}\n{}", review("1", lazy), review("2", GOOD), review("3", BAD));
    let ended = run(folder.path(), &["review", "--mutate", "--objects", "namespaces.yaml"], &input).with(0);
    let answers = ended.lines();
    assert_eq!(answers[0]["response"]["patchType"], "JSONPatch");
    assert_eq!(answers[1]["response"].get("patch"), None);
    assert_eq!(answers[2]["response"].get("patch"), None);
    assert!(answers.iter().all(|answer| answer["response"]["allowed"] == true), "{ended:?}");
}

/// A manifest is the likeliest wrong input: whoever gives one learns which command judges it.
#[test]
fn review_knows_a_manifest_and_what_judges_it() {
    let folder = folder();
    let pod = json_of("m", BAD);
    fs::write(folder.path().join("bad.json"), &pod).unwrap();
    for (file, expected) in [
        ("bad.yaml", "a manifest (Pod), and no AdmissionReview: judge it with podgate lint bad.yaml"),
        ("bad.json", "a manifest (Pod), and no AdmissionReview: judge it with podgate lint bad.json"),
        (
            "faulty.yaml",
            "a SecurityPolicy is no AdmissionReview: podgate review --policy faulty.yaml answers",
        ),
        ("namespaces.yaml", "a Namespace is no AdmissionReview: podgate review --objects namespaces.yaml"),
    ] {
        let ended = run(folder.path(), &["review", file], "").with(3);
        let lines = ended.lines();
        assert_eq!(lines.len(), 1, "{ended:?}");
        assert!(lines[0]["error"].as_str().unwrap().starts_with(expected), "{ended:?}");
        let ended = run(folder.path(), &["review", "--format=text", file], "").with(3);
        assert!(ended.output.starts_with(&format!("{file}: {expected}")), "{ended:?}");
    }
    let piped = run(folder.path(), &["review"], BAD).with(3);
    assert!(piped.output.contains("podgate lint -"), "{piped:?}");
}

#[test]
fn review_writes_text_for_people() {
    let folder = folder();
    let reviews = format!("{}\n{}\nnonsense", review("1", GOOD), review("2", BAD));
    let arguments = ["review", "--format", "text", "--objects", "namespaces.yaml"];
    let ended = run(folder.path(), &arguments, &reviews).with(3);
    let expected = "Pod ml-team-a/good: allowed\nPod ml-team-a/bad: refused (403)\n  Pod \"bad\" was refused: 1 change needed";
    assert!(ended.output.starts_with(expected), "{ended:?}");
    assert!(ended.output.contains("\n    - spec.hostPID is true -> remove it\n"), "{ended:?}");
    assert!(
        ended.output.ends_with("\n-: not an AdmissionReview: a word that JSON does not have (byte 0)\n"),
        "{ended:?}"
    );
    let refused = run(folder.path(), &arguments, &review("2", BAD).to_string()).with(1);
    let message =
        &run(folder.path(), &["review", "--objects", "namespaces.yaml"], &review("2", BAD).to_string())
            .with(1)
            .lines()[0]["response"]["status"]["message"];
    let shown: Vec<&str> =
        refused.output.lines().skip(1).filter_map(|line| line.strip_prefix("  ")).collect();
    assert_eq!(message.as_str().unwrap().lines().collect::<Vec<_>>(), shown);

    let lazy = "metadata: {generateName: lazy-}\nspec: {containers: [{name: c, image: i, env: [{name: T, value: CANARY-1}]}]}\n";
    let arguments = [&arguments[..], &["--mutate"]].concat();
    let patched = run(folder.path(), &arguments, &review("3", lazy).to_string()).with(0).output;
    assert!(patched.starts_with("Pod ml-team-a/lazy-*: allowed, and changed\n"), "{patched}");
    assert!(patched.contains("\n    add /spec/containers/0/securityContext {"), "{patched}");
    assert!(!patched.contains("CANARY"), "{patched}");

    let hostile = review("4", &BAD.replace("bad", "\"b\\n\\e[2J\\u202e\"")).to_string();
    let hostile = run(folder.path(), &arguments[..5], &hostile).with(1).output;
    assert!(hostile.chars().all(|character| matches!(character, ' '..='~' | '\n')), "{hostile:?}");
    assert!(hostile.starts_with("Pod ml-team-a/b\\u{a}\\u{1b}[2J\\u{202e}: refused"), "{hostile}");
}

// ---- explain

#[test]
fn explain_tells_of_controls_and_codes() {
    let folder = folder();
    let explain = |arguments: &[&str]| run(folder.path(), &[&["explain"], arguments].concat(), "");
    let list = explain(&[]).with(0);
    let ids: Vec<&str> = podgate::controls::CONTROLS.iter().map(|control| control.id).collect();
    let listed: Vec<&str> = list.output.lines().map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!(listed, ids);
    for id in &ids {
        let one = explain(&[id]).with(0);
        assert!(one.output.starts_with(&format!("{id}: ")), "{one:?}");
        assert!(one.output.contains("\nTo fix it:\n"), "{one:?}");
        assert_eq!(explain(&[&id.to_uppercase()]).with(0).output, one.output);
    }
    // Code of a real refusal.
    let refusal = run(folder.path(), &["lint", "bad.yaml"], "").with(1).output;
    let (_, code) = refusal.lines().next().unwrap().rsplit_once('[').unwrap();
    let of_code = explain(&[code.trim_end_matches(']')]).with(0);
    assert!(of_code.output.starts_with("hostNamespaces: "), "{of_code:?}");
    let unknown = explain(&["runAsNonRot"]).with(2);
    assert_eq!(unknown.output, "");
    assert!(unknown.errors.contains("did you mean runAsNonRoot?"), "{unknown:?}");
    explain(&["PG-0000"]).with(2);
    explain(&["privileged", "nothing-like-it"]).with(2);
    assert_eq!(explain(&["--markdown"]).with(0).output, podgate::cli::page());
    let section = explain(&["--markdown", "privileged"]).with(0).output;
    assert!(section.starts_with("## privileged\n") && podgate::cli::page().contains(&section), "{section}");
}

#[test]
fn explain_lists_what_is_meant_before_it_explains_each() {
    let folder = folder();
    let explain = |arguments: &[&str]| run(folder.path(), &[&["explain"], arguments].concat(), "");
    let several = explain(&["seccompProfile"]).with(0).output;
    let lines: Vec<&str> = several.lines().collect();
    assert!(
        lines[0].starts_with("seccompProfile_baseline   ")
            && lines[1].starts_with("seccompProfile_restricted ")
            && lines[2].starts_with("seccompProfiles "),
        "{several}"
    );
    assert!(lines[3].is_empty() && lines[4].starts_with("seccompProfile_baseline: "), "{several}");
    assert!(several.contains("\n\nseccompProfile_restricted: "), "{several}");
    // As a shell splits what a refusal prints.
    let refusal = run(folder.path(), &["lint", "bad.yaml"], "").with(1).output;
    let (_, code) = refusal.lines().next().unwrap().rsplit_once('[').unwrap();
    let code = code.trim_end_matches(']').trim_start_matches("code ");
    for words in [
        vec!["[code".to_owned(), format!("{code}]")],
        vec![format!("[code {code}]")],
        vec![format!("{code}]")],
    ] {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        assert!(explain(&words).with(0).output.starts_with("hostNamespaces: "), "{words:?}");
    }
    let twice = explain(&["windowsOptions.hostProcess", "windowsHostProcess"]).with(0).output;
    assert_eq!(twice, explain(&["windowsHostProcess"]).with(0).output);
    let malformed = explain(&["PG-00U1"]).with(2).errors;
    assert!(
        malformed.contains("no such code: \"PG-00U1\"") && malformed.contains("\"U\" is none of them"),
        "{malformed}"
    );
    let hostile = explain(&["PG-\u{1b}[2J\u{202e}"]).with(2).errors;
    assert!(hostile.is_ascii() && !hostile.contains('\u{1b}'), "{hostile:?}");
}

// ---- doctor

fn kubeconfig(contexts: &[&str]) -> String {
    let named: Vec<Json> = contexts
        .iter()
        .map(|name| json!({"name": name, "context": {"cluster": name, "user": "me"}}))
        .collect();
    // Nobody listens there.
    let clusters: Vec<Json> = contexts
        .iter()
        .map(|name| json!({"name": name, "cluster": {"server": "https://127.0.0.1:1"}}))
        .collect();
    let users = json!([{"name": "me", "user": {"token": "CANARY-1"}}]);
    json!({"current-context": contexts[0], "contexts": named, "clusters": clusters, "users": users})
        .to_string()
}

#[test]
fn doctor_says_which_cluster_it_looks_at_and_what_to_try() {
    let folder = folder();
    fs::write(folder.path().join("config"), kubeconfig(&["dev", "prod"])).unwrap();
    let doctor =
        |arguments: &[&str]| run(folder.path(), &[&["doctor"], arguments].concat(), "").with(2).errors;
    let by_file = doctor(&["--kubeconfig", "config"]);
    assert!(
        by_file.contains("looks at https://127.0.0.1:1, by the context \"dev\" of the kubeconfig config\n"),
        "{by_file}"
    );
    assert!(
        by_file.contains("is not reached by the context \"dev\" of the kubeconfig config: "),
        "{by_file}"
    );
    assert!(by_file.contains("see that the cluster runs") && by_file.contains("--context"), "{by_file}");
    assert!(!by_file.contains("CANARY"), "{by_file}");
    let other = doctor(&["--kubeconfig", "config", "--context", "prod", "-n", "elsewhere"]);
    assert!(other.contains("by the context \"prod\""), "{other}");
    let wrong = doctor(&["--kubeconfig", "config", "--context", "gone"]);
    assert!(
        wrong.contains("no context \"gone\"") && wrong.contains("kubectl config get-contexts"),
        "{wrong}"
    );
    assert!(doctor(&["-n", "Not a name"]).contains("--namespace"));
    let environment =
        podgate().arg("doctor").current_dir(folder.path()).env("KUBECONFIG", "config").output().unwrap();
    assert!(
        String::from_utf8(environment.stderr)
            .unwrap()
            .contains("by the context \"dev\" of the kubeconfig config")
    );
    let none = podgate().arg("doctor").env("HOME", folder.path()).output().unwrap();
    assert!(String::from_utf8(none.stderr).unwrap().contains("no cluster: give --kubeconfig FILE"));
    fs::create_dir(folder.path().join(".kube")).unwrap();
    fs::write(folder.path().join(".kube/config"), kubeconfig(&["home"])).unwrap();
    let home = podgate().arg("doctor").env("HOME", folder.path()).output().unwrap();
    assert!(String::from_utf8(home.stderr).unwrap().contains("by the context \"home\""));
}

/// `podgate explain | head -1`
#[test]
fn a_reader_who_has_seen_enough_is_no_error() {
    let folder = folder();
    let reviews = review("1", BAD).to_string() + "\n";
    let reviews = reviews.repeat(500);
    fs::write(folder.path().join("reviews.jsonl"), &reviews).unwrap();
    fs::write(folder.path().join("many.yaml"), vec![BAD; 500].join("---\n")).unwrap();
    for arguments in [
        vec!["explain", "--markdown"],
        vec!["review", "reviews.jsonl"],
        vec!["lint", "many.yaml"],
        vec!["lint", "--format=json", "many.yaml"],
        vec!["--help"],
    ] {
        let mut child = podgate()
            .args(&arguments)
            .current_dir(folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let mut errors = String::new();
        child.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
        let status = child.wait().unwrap();
        assert!(!errors.contains("panicked") && !errors.contains("roken pipe"), "{arguments:?}: {errors}");
        assert!(status.code().is_some_and(|code| code <= 1), "{arguments:?}: {status} {errors}");
    }
}

#[test]
fn help_and_version() {
    let folder = folder();
    for command in ["serve", "lint", "review", "explain"] {
        let help = run(folder.path(), &[command, "--help"], "").with(0).output;
        assert!(help.contains(&format!("podgate {command}")), "{help}");
        assert!(help.lines().all(|line| line.len() <= 100), "{help}");
    }
    let version = run(folder.path(), &["--version"], "").with(0).output;
    assert_eq!(version, format!("podgate {}\n", env!("CARGO_PKG_VERSION")));
    run(folder.path(), &["nothing-of-ours"], "").with(2);
    run(folder.path(), &[], "").with(2);
}

// ---- serve

/// A server that was started as a program; killed when the test ends.
struct Serving {
    child: Child,
    output: BufReader<ChildStdout>,
    errors: Option<ChildStderr>,
    /// The line that it told to try first.
    curl: String,
    /// What it told behind that.
    rest: String,
    address: SocketAddr,
    admin: SocketAddr,
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn between<'t>(text: &'t str, start: &str, end: char) -> &'t str {
    let (_, rest) = text.split_once(start).unwrap_or_else(|| panic!("no {start:?} in {text:?}"));
    rest.split(end).next().unwrap()
}

impl Serving {
    fn start(folder: &Path, arguments: &[&str]) -> Self {
        let always =
            ["serve", "--dev", "--listen=127.0.0.1:0", "--admin-listen=127.0.0.1:0", "--drain-delay=0s"];
        let is_given =
            |flag: &str| arguments.iter().any(|given| given.split('=').next() == flag.split('=').next());
        let always = always.into_iter().filter(|flag| !is_given(flag));
        let mut child = podgate()
            .args(always)
            .args(arguments)
            .current_dir(folder)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let errors = child.stderr.take();
        let mut greeting = String::new();
        while !greeting.contains("curl ") {
            assert!(output.read_line(&mut greeting).unwrap() > 0, "only {greeting:?}");
        }
        let address = between(&greeting, "https://", ' ').parse().unwrap();
        let admin = between(&greeting, "http://", '\n').trim_end_matches('.').parse().unwrap();
        let curl = greeting.lines().last().unwrap().trim().to_owned();
        let mut rest = String::new();
        while !rest.contains("curl ") {
            assert!(output.read_line(&mut rest).unwrap() > 0, "only {rest:?}");
        }
        Self { child, output, errors, curl, rest, address, admin }
    }

    /// Every line that it told to try.
    fn banner(&self) -> String {
        format!("{}\n{}", self.curl, self.rest)
    }

    /// The line for one of the webhooks.
    fn line(&self, path: &str) -> String {
        let banner = self.banner();
        let of_path = |line: &&str| line.contains(&format!("{path} -H"));
        banner.lines().find(of_path).expect(&banner).trim().to_owned()
    }

    /// What `curl` would send, and what it would print.
    fn curl(&self) -> Json {
        let path = between(&self.curl, &format!("https://{}", self.address), ' ');
        assert!(
            self.curl.starts_with("curl -sk https://")
                && self.curl.contains("-H 'Content-Type: application/json'")
        );
        self.post(path, between(&self.curl, "-d '", '\''))
    }

    fn post(&self, path: &str, body: &str) -> Json {
        serde_json::from_str(&self.post_text(path, body)).unwrap()
    }

    /// The answer as it is sent: a line of the banner takes it apart.
    fn post_text(&self, path: &str, body: &str) -> String {
        let name = ServerName::try_from("localhost").unwrap();
        let connection = ClientConnection::new(Arc::new(any_certificate()), name).unwrap();
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            self.address,
            body.len()
        );
        let (head, body) = exchange(StreamOwned::new(connection, connect(self.address)), &request);
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}{body}");
        body
    }

    fn admin(&self, path: &str) -> (String, String) {
        let request = format!("GET {path} HTTP/1.1\r\nHost: podgate\r\nConnection: close\r\n\r\n");
        exchange(connect(self.admin), &request)
    }

    fn metric(&self, series: &str) -> f64 {
        let (_, text) = self.admin("/metrics");
        value_of(series, &text)
    }

    #[track_caller]
    fn ends_with(&mut self, code: i32) -> String {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, Signal::TERM).unwrap();
        let mut ended = None;
        eventually("the end", || {
            ended = self.child.try_wait().unwrap();
            ended.is_some()
        });
        let mut text = String::new();
        self.output.read_to_string(&mut text).unwrap();
        self.errors.take().unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(ended.unwrap().code(), Some(code), "{text}");
        assert!(!text.contains("panicked"), "{text}");
        text
    }
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Sends a request, and returns head and body of the answer.
fn exchange(mut stream: impl Read + Write, request: &str) -> (String, String) {
    stream.write_all(request.as_bytes()).unwrap();
    stream.flush().unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").expect(&answer);
    (head.to_owned() + "\r\n", body.to_owned())
}

#[track_caller]
fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "{what}: not in time");
        std::thread::sleep(STEP);
    }
}

/// What a line of the banner makes of an answer: the part of it behind curl.
fn shell(line: &str, answer: &str) -> String {
    let (_, filter) = line.rsplit_once("' | awk").unwrap();
    let mut child = Command::new("sh")
        .args(["-c", &format!("awk{filter}")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(answer.as_bytes()).unwrap();
    String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap()
}

#[test]
fn serve_dev_is_for_this_machine_alone() {
    let folder = folder();
    for flag in ["--listen", "--admin-listen"] {
        let ended = run(folder.path(), &["serve", "--dev", flag, "192.0.2.1:9443"], "").with(2);
        assert!(
            ended.errors.contains(&format!("--dev serves this machine alone, and {flag} 192.0.2.1:9443")),
            "{ended:?}"
        );
    }
    let serving = Serving::start(folder.path(), &["--listen=:0"]);
    assert!(serving.address.ip().is_loopback());
}

/// Who reads the log sees by what was judged, without a look at the files of that day.
#[test]
fn the_log_says_what_is_judged_by_and_what_changed() {
    let folder = folder();
    let policy = |name: &str, mode: &str| {
        format!(
            "apiVersion: podgate.dev/v1alpha1\nkind: SecurityPolicy\nmetadata: {{name: {name}}}\nspec:\n  match: {{namespaces: [ml]}}\n  mode: {mode}\n  standard: {{enforce: baseline, warn: restricted:v1.30}}\n"
        )
    };
    let write = |text: &str| fs::write(folder.path().join("policy.yaml"), text).unwrap();
    write(&format!("{}---\n{}---\n{}", policy("a", "Enforce"), policy("b", "Warn"), policy("c", "Audit")));
    let mut serving = Serving::start(folder.path(), &["--policy=policy.yaml", "--reload-interval=50ms"]);
    write(&format!(
        "# a comment changes nothing\n{}---\n{}---\n{}",
        policy("a", "Enforce"),
        policy("b", "Enforce"),
        policy("d", "Warn")
    ));
    eventually("the reload", || serving.metric("podgate_policy_reload_total{result=\"changed\"}") == 1.0);
    write("spec: [\n");
    eventually("the failure", || serving.metric("podgate_policy_reload_total{result=\"failed\"}") > 0.0);
    let log = serving.ends_with(0);
    let lines = |words: &str| {
        log.lines().filter(|line| line.contains(words)).map(ToOwned::to_owned).collect::<Vec<_>>()
    };
    let starting = lines(" starting ").concat();
    for part in [
        concat!("version=\"", env!("CARGO_PKG_VERSION"), "\""),
        "newest_kubernetes=\"v1.37\"",
        "policies=3",
        "namespaces=1",
    ] {
        assert!(starting.contains(part), "{part}: {log}");
    }
    let judging = lines("judging by a policy ");
    assert_eq!(judging.len(), 3, "{log}");
    for part in [
        "policy=\"a\"",
        "kind=\"SecurityPolicy\"",
        "mode=\"Enforce\"",
        "standard=\"enforce=baseline warn=restricted:v1.30\"",
        "digest=\"sha256:",
    ] {
        assert!(judging[0].contains(part), "{part}: {log}");
    }
    let changed = lines("a policy has changed ").concat();
    assert!(
        changed.contains("policy=\"b\"")
            && changed.contains("mode=\"Enforce\"")
            && changed.contains("before=\"sha256:"),
        "{log}"
    );
    assert_eq!((lines("a policy was added ").len(), lines("a policy was removed ").len()), (1, 1), "{log}");
    assert!(
        lines("a policy was added ")[0].contains("policy=\"d\"")
            && lines("a policy was removed ")[0].contains("policy=\"c\""),
        "{log}"
    );
    // Every line begins with its time, also that of faults over several lines.
    let logged = log.lines().filter(|line| line.contains("INFO") || line.contains("ERROR"));
    assert!(logged.clone().all(|line| line.starts_with("20")), "{log}");
    assert!(lines("not reloaded").concat().contains("unclosed bracket"), "{log}");
    assert!(log.lines().all(|line| line.starts_with("20") || !line.contains("policy.yaml:")), "{log}");
}

#[test]
fn a_handshake_that_fails_is_told_with_its_reason_and_nothing_of_the_peer() {
    let folder = folder();
    let mut serving = Serving::start(folder.path(), &[]);
    drop(connect(serving.address));
    let mut plain = connect(serving.address);
    plain.write_all(b"GET /CANARY HTTP/1.1\r\n\r\n").unwrap();
    let _ = plain.read_to_end(&mut Vec::new());
    let name = ServerName::try_from("localhost").unwrap();
    let distrusting = rustls::ClientConfig::builder()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    let connection = ClientConnection::new(Arc::new(distrusting), name).unwrap();
    let mut stream = StreamOwned::new(connection, connect(serving.address));
    assert!(stream.write_all(b"x").and_then(|()| stream.flush()).is_err());
    drop(stream);
    eventually("both", || serving.metric("podgate_handshakes_failed_total") >= 3.0);
    let log = serving.ends_with(0);
    let failed: Vec<&str> = log.lines().filter(|line| line.contains("handshake failed")).collect();
    assert_eq!(failed.len(), 2, "{log}");
    assert!(failed.iter().all(|line| line.contains(" WARN ")) && !log.contains("CANARY"), "{log}");
    assert!(failed.iter().any(|line| line.contains("reason=\"what the peer sent is not TLS\"")), "{log}");
    assert!(
        failed.iter().any(|line| line.contains("refuses podgate's certificate") && line.contains("caBundle")),
        "{log}"
    );
}

#[test]
fn serve_dev_tells_a_line_that_works_and_ends_on_sigterm() {
    let folder = folder();
    let mut serving = Serving::start(folder.path(), &[]);
    let answer = serving.curl();
    assert_eq!(answer["response"]["uid"], "try-it", "{answer}");
    assert_eq!(answer["response"]["allowed"], false, "{answer}");
    let message = answer["response"]["status"]["message"].as_str().unwrap();
    assert!(message.starts_with("Pod \"train-bert\" was refused: "), "{message}");
    let lines = serving.banner();
    for program in ["awk", "base64"] {
        assert!(lines.contains(program), "{lines}");
    }
    let shown = shell(&serving.curl, &serving.post_text("/validate", between(&serving.curl, "-d '", '\'')));
    assert_eq!(shown.trim_end_matches('\n'), message);
    let repaired = serving.line("/mutate");
    let answer = serving.post("/mutate", between(&repaired, "-d '", '\''));
    assert_eq!(answer["response"]["uid"], "try-it", "{answer}");
    let patch: Json = serde_json::from_str(&shell(&repaired, &answer.to_string())).unwrap();
    assert_eq!(patch[0]["op"], "add", "{patch}");
    let patched = serving
        .post("/mutate", &review("m", "metadata: {name: lazy}\nspec: {containers: [{name: c}]}").to_string());
    assert_eq!(patched["response"]["patchType"], "JSONPatch", "{patched}");
    for path in ["/livez", "/readyz"] {
        let (head, body) = serving.admin(path);
        assert!(head.starts_with("HTTP/1.1 200 "), "{path}: {head}{body}");
    }
    let log = serving.ends_with(0);
    let lines: Vec<&str> = log.lines().filter(|line| line.contains("reviewed")).collect();
    assert_eq!(lines.len(), 4, "{log}");
    assert!(lines[0].contains("try-it") && lines[0].contains("denied"), "{log}");
}

/// What the log tells of reviews: a line for each, nothing of the environment, nothing that moves a cursor.
#[test]
fn the_log_stays_one_line_a_review_and_keeps_secrets() {
    let folder = folder();
    for format in ["text", "json"] {
        let mut serving = Serving::start(folder.path(), &["--log-format", format]);
        let mut hostile = review("h", BAD);
        let name = "two\nlines\u{1b}[2J\u{202e}\u{2028}";
        hostile["request"]["name"] = json!(name);
        hostile["request"]["object"]["metadata"]["ownerReferences"] =
            json!([{ "kind": name, "name": name, "controller": true }]);
        hostile["request"]["object"]["spec"]["containers"][0]["env"] =
            json!([{ "name": "T", "value": "CANARY-1" }]);
        let answer = serving.post("/validate", &hostile.to_string());
        assert_eq!(answer["response"]["allowed"], false, "{answer}");
        let log = serving.ends_with(0);
        assert!(!log.contains("CANARY"), "{log}");
        assert!(!log.contains('\u{1b}'), "{format}: {log:?}");
        let lines: Vec<&str> = log.lines().filter(|line| line.contains("lines")).collect();
        assert_eq!(lines.len(), 1, "{format}: {log}");
        assert!(lines[0].contains("reviewed") && lines[0].contains("hostNamespaces"), "{format}: {log}");
    }
}

#[test]
fn an_exported_kubeconfig_makes_no_replica() {
    let folder = folder();
    fs::write(folder.path().join("config"), kubeconfig(&["prod"])).unwrap();
    let serve = |arguments: &[&str]| {
        let ports = ["serve", "--listen=127.0.0.1:0", "--admin-listen=127.0.0.1:0"];
        let ended = podgate()
            .args(ports)
            .args(arguments)
            .env("KUBECONFIG", "config")
            .current_dir(folder.path())
            .output()
            .unwrap();
        (ended.status.code(), String::from_utf8(ended.stderr).unwrap())
    };
    let (code, errors) = serve(&[]);
    assert_eq!(code, Some(2), "{errors}");
    assert!(
        errors.contains("no certificate: ") && errors.contains("KUBECONFIG is not taken for it"),
        "{errors}"
    );
    // One that is named is read, and so its faults are told.
    let (code, errors) = serve(&["--kubeconfig", "good.yaml"]);
    assert_eq!(code, Some(2), "{errors}");
    assert!(errors.contains("the kubeconfig good.yaml cannot be used"), "{errors}");
}

#[test]
fn serve_asks_for_what_it_lacks_before_it_takes_a_port() {
    let folder = folder();
    let ports = ["--listen=127.0.0.1:0", "--admin-listen=127.0.0.1:0"];
    let serve = |arguments: &[&str]| run(folder.path(), &[&["serve"], &ports[..], arguments].concat(), "");
    let without = serve(&[]).with(2);
    assert!(without.errors.contains("--tls-cert") && without.errors.contains("--dev"), "{without:?}");
    let half = serve(&["--tls-cert", "good.yaml"]).with(2);
    assert!(half.errors.contains("--tls-key"), "{half:?}");
    let missing = serve(&["--tls-cert", "nowhere.crt", "--tls-key", "nowhere.key"]).with(2);
    assert!(missing.errors.contains("nowhere.crt"), "{missing:?}");
    let garbage = serve(&["--tls-cert", "good.yaml", "--tls-key", "bad.yaml"]).with(2);
    assert!(garbage.errors.contains("good.yaml") || garbage.errors.contains("bad.yaml"), "{garbage:?}");
    // The port is taken: had it been tried, that would be the fault that is told.
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = format!("--listen={}", taken.local_addr().unwrap());
    let faulty = ["serve", "--dev", &listen, "--admin-listen=127.0.0.1:0", "--policy", "faulty.yaml"];
    let ended = run(folder.path(), &faulty, "").with(2);
    assert!(ended.errors.contains("faulty.yaml:5:3") && !ended.errors.contains("127.0.0.1"), "{ended:?}");
    let ended = run(folder.path(), &["serve", "--dev", &listen, "--admin-listen=127.0.0.1:0"], "").with(2);
    assert!(ended.errors.contains(&taken.local_addr().unwrap().to_string()), "{ended:?}");
    assert!(ended.errors.contains("starting"), "what was logged before is written: {ended:?}");
    serve(&["--dev", "--reload-interval", "0s"]).with(2);
}

#[test]
fn policies_are_read_again_and_the_last_good_ones_stay() {
    let folder = folder();
    let policy = |enforce: &str| {
        format!(
            "apiVersion: podgate.dev/v1alpha1\nkind: SecurityPolicy\nmetadata: {{name: p}}\nspec:\n  match: {{namespaces: [ml-team-a]}}\n  standard: {{enforce: {enforce}}}\n"
        )
    };
    let write = |text: &str| {
        // As an editor that replaces a file does, so that none is read half.
        fs::write(folder.path().join("new"), text).unwrap();
        fs::rename(folder.path().join("new"), folder.path().join("policy.yaml")).unwrap();
    };
    write(&policy("baseline"));
    let mut serving =
        Serving::start(folder.path(), &["--policy", "policy.yaml", "--reload-interval", "100ms"]);
    let bad = review("r", BAD).to_string();
    let is_allowed = |serving: &Serving| serving.post("/validate", &bad)["response"]["allowed"] == true;
    assert!(!is_allowed(&serving));

    let failed = r#"podgate_policy_reload_total{result="failed"}"#;
    let changed = r#"podgate_policy_reload_total{result="changed"}"#;
    for broken in ["spec: [", &policy("strict"), "{}", ""] {
        let before = serving.metric(failed);
        write(broken);
        eventually(broken, || serving.metric(failed) > before);
        assert!(!is_allowed(&serving), "{broken}");
        assert_eq!(serving.metric("podgate_policies_loaded"), 1.0, "{broken}");
    }
    assert_eq!(serving.metric(changed), 0.0);

    write(&policy("privileged"));
    eventually("the new policy", || is_allowed(&serving));
    // It is counted when it is in force.
    eventually("it is counted", || serving.metric(changed) == 1.0);
    let before = serving.metric(failed);
    fs::remove_file(folder.path().join("policy.yaml")).unwrap();
    eventually("the file is gone", || serving.metric(failed) > before);
    assert!(is_allowed(&serving));
    write(&policy("baseline"));
    eventually("the first policy again", || !is_allowed(&serving));
    let log = serving.ends_with(0);
    assert!(log.contains("policy.yaml:3:") || log.contains("policy.yaml:6:"), "{log}");
}
