//! The log as whoever has to trust it reads it: what a peer writes is a value and never a field or a line, and a peer
//! that repeats itself does not fill it.

use std::time::Instant;

use serde_json::{Map, Value as Json, json};
use tokio::io::AsyncReadExt as _;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::cluster_api::until;
use crate::requests::creation;
use crate::server::post;
use crate::serving::{Process, response, review_of_bad_pod};

/// Lines of one kind in a second.
const A_SECOND: u64 = 10;

/// What an attacker would have the log say.
const HOSTILE: [&str; 10] = [
    "x decision=allowed",
    "owner=\"x\" decision=allowed code=200",
    "\" decision=\"allowed",
    "\\\" decision=\\\"allowed\\",
    "two\nlines decision=allowed",
    "2026-01-01T00:00:00.000000Z  INFO reviewed decision=\"allowed\"\r\n",
    "\u{1b}[2J\u{1b}]0;title\u{7}\u{9b}31m",
    "\u{b}\u{c}\u{1c}\u{85}\u{2028}\u{2029}decision=allowed",
    "\u{202e}dewolla=noisiced\u{200b}\u{feff}",
    "{\"decision\":\"allowed\"}\0\u{7f}",
];

/// The fields that a line about a review may have.
const OF_REVIEWS: [&str; 21] = [
    "uid",
    "webhook",
    "operation",
    "kind",
    "subresource",
    "namespace",
    "name",
    "generate_name",
    "owner",
    "policy",
    "decision",
    "code",
    "refusal",
    "controls",
    "exceptions",
    "patch_operations",
    "dry_run",
    "error",
    "micros",
    "timestamp",
    "level",
];

// ---- reading it back

/// A line of the text format: what it says, and its fields. `Err` for what is none.
fn fields(line: &str) -> Result<(String, Map<String, Json>), String> {
    let wrong = |what: &str| Err(format!("{what}: {line:?}"));
    if !line.chars().all(|character| (' '..='~').contains(&character)) {
        return wrong("not printable ASCII");
    }
    let (_, rest) = line.trim_start().split_once(' ').ok_or("one word")?;
    let (_, mut rest) = rest.trim_start().split_once(' ').ok_or("two words")?;
    let mut message = String::new();
    let mut fields = Map::new();
    while !rest.is_empty() {
        let end = rest.find([' ', '=', '"']).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        let Some(after) = after.strip_prefix('=') else {
            if !fields.is_empty() || after.starts_with('"') {
                return wrong("a word among the fields");
            }
            message += word;
            message += " ";
            rest = after.trim_start();
            continue;
        };
        let (value, after) = value(after)?;
        if fields.insert(word.to_owned(), value).is_some() {
            return wrong("a field twice");
        }
        rest = after.strip_prefix(' ').unwrap_or(after);
        if !after.is_empty() && !after.starts_with(' ') {
            return wrong("something behind a value");
        }
    }
    Ok((message.trim().to_owned(), fields))
}

/// A value: a number or a word of ours, or text in quotes.
fn value(text: &str) -> Result<(Json, &str), String> {
    let Some(quoted) = text.strip_prefix('"') else {
        let (bare, rest) = text.split_at(text.find(' ').unwrap_or(text.len()));
        let is_plain = bare == "true" || bare == "false" || bare.bytes().all(|byte| byte.is_ascii_digit());
        return if is_plain { Ok((json!(bare), rest)) } else { Err(format!("{bare:?} is not quoted")) };
    };
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Ok((json!(value), &quoted[at + 1..])),
            '\\' => match characters.next().ok_or("a lone backslash")?.1 {
                'n' => value.push('\n'),
                'r' => value.push('\r'),
                't' => value.push('\t'),
                '0' => value.push('\0'),
                'u' => {
                    let hex: String =
                        characters.by_ref().map(|(_, c)| c).skip(1).take_while(|c| *c != '}').collect();
                    value.push(u32::from_str_radix(&hex, 16).ok().and_then(char::from_u32).ok_or(hex)?);
                }
                other => value.push(other),
            },
            other => value.push(other),
        }
    }
    Err(format!("no end of {text:?}"))
}

/// Every line of a log in either format.
fn read(format: &str, log: &str) -> Vec<(String, Map<String, Json>)> {
    let of = |line: &str| match format {
        "text" => fields(line).unwrap_or_else(|error| panic!("{error}")),
        _ => {
            assert!(line.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{line:?}");
            let Json::Object(fields) = serde_json::from_str(line).expect(line) else { panic!("{line}") };
            (fields["message"].as_str().unwrap().to_owned(), fields)
        }
    };
    log.split_terminator('\n').map(of).collect()
}

// ---- nothing is forged

fn owned(hostile: &str, mut review: Json) -> Json {
    let metadata = &mut review["request"]["object"]["metadata"];
    metadata["ownerReferences"] =
        json!([{"kind": hostile, "name": hostile, "uid": hostile, "controller": true}]);
    metadata["generateName"] = json!(hostile);
    review
}

/// Reviews with a hostile text in every field that gets into a line, by the field of the request.
fn hostile_reviews(hostile: &str) -> Vec<Json> {
    let judged = owned(hostile, review_of_bad_pod("u", "ml-team-a"));
    let mut reviews = vec![judged.clone()];
    for pointer in [
        "/apiVersion",
        "/kind",
        "/request/uid",
        "/request/kind/kind",
        "/request/resource/resource",
        "/request/resource/group",
        "/request/name",
        "/request/namespace",
        "/request/operation",
        "/request/object/kind",
        "/request/object/metadata/name",
        "/request/object/metadata/namespace",
        "/request/object/spec/hostPID",
        "/request/object/spec/containers/0/name",
    ] {
        let mut review = judged.clone();
        *review.pointer_mut(pointer).unwrap() = json!(hostile);
        reviews.push(review);
    }
    let mut subresource = judged.clone();
    subresource["request"]["subResource"] = json!(hostile);
    let mut key = judged;
    key["request"]["object"]["spec"][hostile] = json!({hostile: [{hostile: 7}]});
    reviews.extend([subresource, key]);
    reviews
}

#[tokio::test]
async fn no_value_becomes_a_field_or_a_line() {
    for format in ["text", "json"] {
        let arguments = ["--objects=namespaces.yaml", "--log-format", format, "--log-level=debug"];
        let arguments = [&arguments[..], &["--log-reviews=all"]].concat();
        let process = Process::start(&[("namespaces.yaml", NAMESPACES)], &arguments);
        let mut answered = 0;
        for (turn, hostile) in HOSTILE.into_iter().enumerate() {
            // Of those that cannot be judged some are left out: not always the same.
            let mut reviews = hostile_reviews(hostile);
            let turn = turn * 5 % reviews.len();
            reviews.rotate_left(turn);
            for review in reviews {
                for path in ["/validate", "/mutate"] {
                    let answer = process.connect().await.post(path, &review.to_string()).await;
                    answered += usize::from(answer.status == 200);
                    if answer.status == 200
                        && path == "/validate"
                        && review["request"]["operation"] == "CREATE"
                    {
                        assert_eq!(response(&answer.body)["allowed"], false, "{review}");
                    }
                }
            }
            let path = format!("/{}", hostile.replace(|c: char| !c.is_ascii_graphic(), "."));
            process.connect().await.post(&path, "{}").await;
        }
        let lines = read(format, &process.end());
        let reviewed: Vec<_> = lines.iter().filter(|(message, _)| message == "reviewed").collect();
        let left_out: u64 = suppressed(&lines, "reviewed");
        assert_eq!(reviewed.len() as u64 + left_out, answered as u64);
        let mut owners = Vec::new();
        for (_, fields) in &reviewed {
            let unknown = fields.keys().find(|key| !OF_REVIEWS.contains(&key.as_str()) && *key != "message");
            assert_eq!(unknown, None, "{fields:?}");
            if fields["decision"] == "allowed" {
                assert!(fields["webhook"] == "mutate" || fields["operation"] != "create", "{fields:?}");
            }
            owners.extend(fields.get("owner").map(|owner| owner.as_str().unwrap().to_owned()));
        }
        for hostile in HOSTILE.iter().filter(|text| text.chars().all(|c| (' '..='~').contains(&c))) {
            let owner = format!("{hostile}/{hostile}");
            assert!(owners.contains(&owner), "{format}: {owner:?} among {owners:?}");
        }
    }
}

const NAMESPACES: &str = "apiVersion: v1
kind: Namespace
metadata: {name: ml-team-a, labels: {podgate.dev/policy: ml-restricted}}
";

// ---- nothing is repeated without end

/// How many lines of a kind the log says it left out.
fn suppressed(lines: &[(String, Map<String, Json>)], of: &str) -> u64 {
    let number = |value: &Json| value.as_u64().or_else(|| value.as_str()?.parse().ok()).unwrap();
    lines
        .iter()
        .filter(|(_, fields)| fields.get("of").is_some_and(|kind| kind == of))
        .map(|(_, fields)| number(&fields["suppressed"]))
        .sum()
}

/// Asserts that so many lines of a kind were written or counted, and no more than the limit lets through.
#[track_caller]
fn is_bounded(log: &str, message: &str, sent: u64, start: Instant, kinds: u64) {
    let lines = read("text", log);
    let written = lines.iter().filter(|(found, _)| found == message).count() as u64;
    let most = A_SECOND * kinds * (start.elapsed().as_secs() + 2);
    assert!(written <= most, "{written} lines of {message:?} in {:?}", start.elapsed());
    assert!(written >= A_SECOND.min(sent), "{written} lines of {message:?}: {log:.2000}");
    assert_eq!(written + suppressed(&lines, message), sent, "{message:?} is written or counted");
    let counts = lines.iter().filter(|(_, fields)| fields.contains_key("suppressed")).count() as u64;
    assert!(counts <= kinds * (start.elapsed().as_secs() + 2) * 2, "{counts} lines that count");
}

/// Ten thousand reviews that cannot be judged.
#[tokio::test]
async fn reviews_that_cannot_be_judged_do_not_fill_the_log() {
    let process = Process::start(&[], &["--log-format=text"]);
    let start = Instant::now();
    let mut client = process.connect().await;
    let bad = post("/validate", r#"{"request":{"uid":"u","operation":"NONE"}}"#);
    for _ in 0..100 {
        client.send(&bad.repeat(100)).await;
        for _ in 0..100 {
            assert_eq!(client.receive().await.status, 200);
        }
    }
    drop(client);
    is_bounded(&process.end(), "reviewed", 10_000, start, 1);
}

const PASSING: &str = r#"{"hostPID":false,"securityContext":{"runAsNonRoot":true,"seccompProfile":{"type":"RuntimeDefault"}},"containers":[{"name":"c","securityContext":{"allowPrivilegeEscalation":false,"capabilities":{"drop":["ALL"]}}}]}"#;

/// The policies of [`which_reviews_are_logged`]: one that refuses, one that warns, one that notes in the audit log.
const MODES: &str = "apiVersion: podgate.dev/v1alpha1
kind: SecurityPolicy
metadata: {name: enforced}
spec: {match: {namespaces: [enforced]}, standard: {enforce: restricted}, defaults: {securityContext: Restricted}}
---
apiVersion: podgate.dev/v1alpha1
kind: SecurityPolicy
metadata: {name: warned}
spec: {match: {namespaces: [warned]}, standard: {warn: baseline}}
---
apiVersion: podgate.dev/v1alpha1
kind: SecurityPolicy
metadata: {name: audited}
spec: {match: {namespaces: [audited]}, standard: {audit: baseline}}
---
apiVersion: podgate.dev/v1alpha1
kind: SecurityPolicy
metadata: {name: labelled}
spec: {match: {namespaceSelector: {matchLabels: {level: known}}}, standard: {enforce: baseline}}
";

/// Namespaces for them, and one whose label no policy knows.
const LEVELS: &str = "apiVersion: v1
kind: List
items:
- {apiVersion: v1, kind: Namespace, metadata: {name: enforced}}
- {apiVersion: v1, kind: Namespace, metadata: {name: warned}}
- {apiVersion: v1, kind: Namespace, metadata: {name: audited}}
- {apiVersion: v1, kind: Namespace, metadata: {name: unjudged, labels: {level: knwon}}}
";

/// Of reviews that simply pass there is no line, unless all are asked for; they are counted nevertheless.
#[tokio::test]
async fn which_reviews_are_logged() {
    let bad = r#"{"hostPID":true,"containers":[{"name":"c"}]}"#;
    let reviews = [
        ("passes", "/validate", "enforced", PASSING),
        ("mutated-nothing", "/mutate", "enforced", PASSING),
        ("refused", "/validate", "enforced", bad),
        ("patched", "/mutate", "enforced", r#"{"containers":[{"name":"c"}]}"#),
        ("warned", "/validate", "warned", bad),
        ("audited", "/validate", "audited", bad),
        ("unjudged", "/validate", "unjudged", bad),
        ("failed", "/validate", "enforced", r#"{"hostPID":7}"#),
    ];
    for (flags, expected) in [
        (&[][..], &["refused", "patched", "warned", "audited", "unjudged", "failed"][..]),
        (&["--log-reviews=all"], &reviews.map(|(uid, ..)| uid)),
        (&["--log-reviews=none"], &[]),
    ] {
        let files = [("modes.yaml", MODES), ("namespaces.yaml", LEVELS)];
        let arguments = [&["--policy=modes.yaml", "--objects=namespaces.yaml"], flags].concat();
        let process = Process::start(&files, &arguments);
        for (uid, path, namespace, spec) in reviews {
            let spec: Json = serde_json::from_str(spec).unwrap();
            let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": spec});
            let answer = process.ask(path, &creation(uid, namespace, &pod)).await;
            let is_refused = ["refused", "failed"].contains(&uid);
            assert_eq!(answer["allowed"], !is_refused, "{uid}: {answer}");
        }
        let allowed = r#"podgate_reviews_total{decision="allowed",operation="create",webhook="validate"}"#;
        assert_eq!(process.metric(allowed).await, 4.0);
        let lines = read("text", &process.end());
        let reviewed = lines.iter().filter(|(message, _)| message == "reviewed");
        let uids: Vec<&str> = reviewed.map(|(_, fields)| fields["uid"].as_str().unwrap()).collect();
        assert_eq!(uids, expected, "{flags:?}");
        let (_, start) = lines.iter().find(|(message, _)| message == "starting").unwrap();
        let setting = flags.first().map_or("notable", |flag| &flag["--log-reviews=".len()..]);
        assert_eq!(start["log_reviews"], setting);
    }
}

/// A verdict is what the log is for: none is left out.
#[tokio::test]
async fn every_verdict_is_logged() {
    let process = Process::start(&[("namespaces.yaml", NAMESPACES)], &["--objects=namespaces.yaml"]);
    let mut client = process.connect().await;
    let review = post("/validate", &review_of_bad_pod("u", "ml-team-a").to_string());
    for _ in 0..30 {
        client.send(&review.repeat(20)).await;
        for _ in 0..20 {
            assert_eq!(response(&client.receive().await.body)["allowed"], false);
        }
    }
    let lines = read("text", &process.end());
    let denied = lines.iter().filter(|(_, fields)| fields.get("decision").is_some_and(|of| of == "denied"));
    assert_eq!(denied.count(), 600);
}

/// Requests that are refused for their form: each costs its peer a connection.
#[tokio::test]
async fn refused_requests_do_not_fill_the_log() {
    let process = Process::start(&[], &[]);
    let start = Instant::now();
    for _ in 0..500 {
        assert_eq!(process.connect().await.post("/nowhere", "{}").await.status, 404);
    }
    is_bounded(&process.end(), "request refused", 500, start, 1);
}

/// Handshakes that fail are logged as warnings: they say that API servers do not reach podgate. A peer can cause any number.
#[tokio::test]
async fn broken_connections_do_not_fill_the_log() {
    let process = Process::start(&[], &[]);
    let start = Instant::now();
    for _ in 0..3000 {
        let mut stream = TcpStream::connect(process.address).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest).await;
    }
    is_bounded(&process.end(), "handshake failed", 3000, start, 1);
}

/// What was left out is told while the server runs, and not only at its end.
#[tokio::test]
async fn what_is_left_out_is_counted_within_seconds() {
    let process = Process::start(&[], &[]);
    let mut client = process.connect().await;
    let bad = post("/validate", r#"{"request":{"uid":"u","operation":"NONE"}}"#);
    client.send(&bad.repeat(100)).await;
    until("the count", || {
        let lines = read("text", &process.log());
        lines.iter().filter(|(message, _)| message == "reviewed").count() as u64
            + suppressed(&lines, "reviewed")
            == 100
    })
    .await;
}

/// A reader that does not read delays no review. What it misses is counted, and told once it reads again.
#[tokio::test]
async fn a_log_that_nobody_reads_delays_nothing_and_the_losses_are_counted() {
    const AT_ONCE: u64 = 50;
    let process = Process::start(&[("namespaces.yaml", NAMESPACES)], &["--objects=namespaces.yaml"]);
    let mut client = process.connect().await;
    let lost = "podgate_log_lines_lost_total";
    assert_eq!(process.metric(lost).await, 0.0);
    let mut sent = 0;
    let paused = process.pause_reading();
    while process.metric(lost).await == 0.0 {
        for _ in 0..AT_ONCE {
            let mut review = review_of_bad_pod(&sent.to_string(), "ml-team-a");
            let metadata = &mut review["request"]["object"]["metadata"];
            metadata["generateName"] = json!("g".repeat(250));
            client.send(&post("/validate", &review.to_string())).await;
            sent += 1;
        }
        for _ in 0..AT_ONCE {
            assert_eq!(response(&client.receive().await.body)["allowed"], false);
        }
    }
    drop(paused);
    until("the count", || process.log().contains("log lines were lost")).await;
    let lost = process.metric(lost).await as u64;
    let lines = read("text", &process.end());
    let number = |value: &Json| value.as_str().unwrap().parse::<u64>().unwrap();
    let told: u64 = lines.iter().filter_map(|(_, fields)| fields.get("lost").map(number)).sum();
    assert_eq!(told, lost);
    let reviewed = lines.iter().filter(|(message, _)| message == "reviewed");
    let uids: Vec<u64> = reviewed.map(|(_, fields)| number(&fields["uid"])).collect();
    assert!(uids.is_sorted(), "{uids:?}");
    assert_eq!(uids.len() as u64 + lost, sent, "each is written or counted");
}

/// The reader above would notice what is forged.
#[test]
fn lines_are_read_as_they_are_written() {
    let (message, fields) = fields("T  INFO a b=1 c=\"x \\\"y\\\" d=\\u{7}\"").unwrap();
    assert_eq!((message.as_str(), fields.len()), ("a", 2));
    assert_eq!(fields["c"], "x \"y\" d=\u{7}");
    for forged in [
        "T  INFO a b=x y=1",
        "T  INFO a b=\"x\"y",
        "T  INFO a b=1 b=2",
        "T  INFO a b=\u{1b}",
        "T INFO a b=\"x",
    ] {
        assert!(self::fields(forged).is_err(), "{forged}");
    }
}
