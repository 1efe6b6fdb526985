//! The program as its users see it: arguments and files in, output and an exit code out.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, ChildStderr, ChildStdout, Stdio};
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
    assert!(unknown.errors.contains("nearest control is runAsNonRoot"), "{unknown:?}");
    explain(&["PG-0000"]).with(2);
    explain(&["privileged", "nothing-like-it"]).with(2);
    assert_eq!(explain(&["--markdown"]).with(0).output, podgate::cli::page());
    let section = explain(&["--markdown", "privileged"]).with(0).output;
    assert!(section.starts_with("## privileged\n") && podgate::cli::page().contains(&section), "{section}");
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
    /// The line that it told to try.
    curl: String,
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
        Self { child, output, errors, curl, address, admin }
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
        let name = ServerName::try_from("localhost").unwrap();
        let connection = ClientConnection::new(Arc::new(any_certificate()), name).unwrap();
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            self.address,
            body.len()
        );
        let (head, body) = exchange(StreamOwned::new(connection, connect(self.address)), &request);
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}{body}");
        serde_json::from_str(&body).unwrap()
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

#[test]
fn serve_dev_tells_a_line_that_works_and_ends_on_sigterm() {
    let folder = folder();
    let mut serving = Serving::start(folder.path(), &[]);
    let answer = serving.curl();
    assert_eq!(answer["response"]["uid"], "try-it", "{answer}");
    assert_eq!(answer["response"]["allowed"], false, "{answer}");
    let message = answer["response"]["status"]["message"].as_str().unwrap();
    assert!(message.starts_with("Pod \"train-bert\" was refused: "), "{message}");
    let patched = serving
        .post("/mutate", &review("m", "metadata: {name: lazy}\nspec: {containers: [{name: c}]}").to_string());
    assert_eq!(patched["response"]["patchType"], "JSONPatch", "{patched}");
    for path in ["/livez", "/readyz"] {
        let (head, body) = serving.admin(path);
        assert!(head.starts_with("HTTP/1.1 200 "), "{path}: {head}{body}");
    }
    let log = serving.ends_with(0);
    let lines: Vec<&str> = log.lines().filter(|line| line.contains("reviewed")).collect();
    assert_eq!(lines.len(), 2, "{log}");
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
    assert_eq!(serving.metric(changed), 1.0);
    let before = serving.metric(failed);
    fs::remove_file(folder.path().join("policy.yaml")).unwrap();
    eventually("the file is gone", || serving.metric(failed) > before);
    assert!(is_allowed(&serving));
    write(&policy("baseline"));
    eventually("the first policy again", || !is_allowed(&serving));
    let log = serving.ends_with(0);
    assert!(log.contains("policy.yaml:3:") || log.contains("policy.yaml:6:"), "{log}");
}
