//! Hostile reviews: bytes in, and the one answer that each must get.
//!
//! Whenever a uid can be read the answer is a review that refuses; else there is none to give. Nothing here is ever
//! allowed by mistake, and no answer repeats a value of an environment.

use std::sync::LazyLock;
use std::time::Instant;

use crate::pods::Alone as _;
use podgate::admission::{Reviewer, Webhook};
use serde_json::{Value as Json, json};

use crate::reviews::{built_in, gate, labelled, well_formed};

const UID: &str = "0d9f2f4e-6f0c-4a52-8f8e-2b4f7a1c9d10";
const NAMESPACE: &str = "ml-team-a";
/// The value of an environment variable that every pod here has.
const CANARY: &str = "CANARY-7f1e";
const WEBHOOKS: [Webhook; 2] = [Webhook::Validate, Webhook::Mutate];
/// No answer is longer, whatever is asked.
const LONGEST_ANSWER: usize = 256 * 1024;

static GATE: LazyLock<Reviewer> = LazyLock::new(|| gate(&[NAMESPACE]));

/// What a review must come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comes {
    /// Let through by both webhooks; the mutating one may fill in what is absent.
    Through,
    /// Refused by a policy, which is the validating webhook's to say.
    Refused,
    /// Refused by both, with this code.
    Denied(u16),
    /// Without an answer: HTTP 400.
    Nowhere,
}

use Comes::{Denied, Nowhere, Refused, Through};

/// What came of a review, and the answer.
#[track_caller]
fn outcome(what: &str, webhook: Webhook, body: &[u8]) -> (Comes, Json) {
    let answer = match GATE.alone(webhook, body) {
        Ok(answer) => answer,
        Err(error) => {
            is_one_line(what, &error.message);
            return (Nowhere, Json::Null);
        }
    };
    let length = answer.body.len();
    assert!(length <= LONGEST_ANSWER, "{what}: an answer of {length} bytes");
    let text = std::str::from_utf8(&answer.body).expect(what);
    assert!(!text.contains("CANARY"), "{what}: {text:.2000}");
    let decision = format!("{:?}", answer.decision);
    assert!(!decision.contains("CANARY"), "{what}: {decision:.2000}");
    let response = well_formed(what, webhook, &answer.decision.uid, &answer.body);
    let allowed = response["allowed"].as_bool().unwrap();
    let code = response["status"]["code"].as_u64();
    assert_eq!(u64::from(answer.decision.code), code.unwrap_or(200), "{what}");
    let comes = match code {
        None => Through,
        Some(403) => Refused,
        Some(code) => {
            is_one_line(what, response["status"]["message"].as_str().expect(what));
            Denied(u16::try_from(code).unwrap())
        }
    };
    assert_eq!(allowed, comes == Through, "{what}: {response}");
    (comes, response)
}

#[track_caller]
fn is_one_line(what: &str, message: &str) {
    let is_printable = message.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    assert!(is_printable && message.len() <= 256 && !message.is_empty(), "{what}: {message:?}");
}

#[track_caller]
fn comes(what: &str, body: impl AsRef<[u8]>, expected: Comes) {
    let shown = what.chars().take(160).collect::<String>();
    for webhook in WEBHOOKS {
        let (came, response) = outcome(&shown, webhook, body.as_ref());
        let expected = match (webhook, expected) {
            (Webhook::Mutate, Refused) => Through,
            (_, expected) => expected,
        };
        assert_eq!(came, expected, "{shown}, {webhook:?}: {response:.600}");
        if came != Nowhere {
            assert_eq!(response["uid"], UID, "{shown}");
        }
    }
}

// ---- what reviews are made of

/// A pod that lacks nothing.
fn pod() -> Json {
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": { "name": "train", "namespace": NAMESPACE },
        "spec": {
            "securityContext": { "runAsNonRoot": true, "seccompProfile": { "type": "RuntimeDefault" } },
            "containers": [container("main")],
        },
    })
}

fn container(name: &str) -> Json {
    json!({
        "name": name,
        "image": "registry.example/train:1",
        "env": [{ "name": "TOKEN", "value": CANARY }],
        "securityContext": { "allowPrivilegeEscalation": false, "capabilities": { "drop": ["ALL"] } },
    })
}

fn privileged(name: &str) -> Json {
    let mut container = container(name);
    container["securityContext"]["privileged"] = json!(true);
    container
}

/// The pod with something set in its spec.
fn pod_with(key: &str, value: Json) -> Json {
    let mut pod = pod();
    pod["spec"][key] = value;
    pod
}

/// A pod that no policy of ours lets through, and that nothing mends.
fn bad_pod() -> Json {
    pod_with("hostIPC", json!(true))
}

fn request(operation: &str, subresource: &str, object: &Json, old_object: &Json) -> Json {
    let name = object["metadata"]["name"].as_str().unwrap_or("train");
    json!({
        "uid": UID,
        "kind": { "group": "", "version": "v1", "kind": "Pod" },
        "resource": { "group": "", "version": "v1", "resource": "pods" },
        "subResource": subresource,
        "requestSubResource": subresource,
        "name": name,
        "namespace": NAMESPACE,
        "operation": operation,
        "userInfo": { "username": "someone" },
        "object": object,
        "oldObject": old_object,
        "dryRun": false,
    })
}

/// The review of a request: the uid first, as the API server writes it, and the rest in the order of its keys, so
/// that the objects come before what says how to read them.
fn review(request: &Json) -> String {
    let mut rest = request.clone();
    let uid = rest.as_object_mut().unwrap().remove("uid").unwrap();
    let rest = rest.to_string();
    let rest = rest.strip_prefix('{').unwrap();
    format!(
        r#"{{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{{"uid":{uid},{rest}}}"#
    )
}

fn create(pod: &Json) -> String {
    review(&request("CREATE", "", pod, &Json::Null))
}

fn update(subresource: &str, pod: &Json, old: &Json) -> String {
    review(&request("UPDATE", subresource, pod, old))
}

/// A review by its text: what stands before the object of the request, and the pod's spec.
///
/// The uid comes first, as the API server writes it.
fn text(before: &str, spec: &str) -> String {
    format!(
        r#"{{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{{"uid":"{UID}",{before}"resource":{{"group":"","version":"v1","resource":"pods"}},"namespace":"{NAMESPACE}","operation":"CREATE","object":{{"metadata":{{"name":"p"}},"spec":{{{spec}}}}}}}}}"#
    )
}

/// What makes a spec without a fault, after other members.
const GOOD: &str = r#""securityContext":{"runAsNonRoot":true,"seccompProfile":{"type":"RuntimeDefault"}},"containers":[{"name":"c","image":"i","securityContext":{"allowPrivilegeEscalation":false,"capabilities":{"drop":["ALL"]}}}]"#;

fn with_spec(members: &str) -> String {
    text("", &format!("{members}{GOOD}"))
}

fn with_request(members: &str) -> String {
    text(members, GOOD)
}

/// The same members before the uid.
fn before_uid(members: &str) -> String {
    with_request("").replacen(r#""uid""#, &format!(r#"{members}"uid""#), 1)
}

fn real_review() -> Vec<u8> {
    let text = include_str!("../../benches/payloads/one-container.json").trim_end();
    let with_canary =
        text.replacen(r#""env":["#, &format!(r#""env":[{{"name":"T","value":"{CANARY}"}},"#), 1);
    assert!(with_canary.contains(CANARY));
    with_canary.into_bytes()
}

// ---- rows 25 to 39 and 41: the envelope and its JSON

#[test]
fn the_reviews_that_are_spoilt_below_are_sound() {
    comes("good", create(&pod()), Through);
    comes("good, by its text", with_spec(""), Through);
    comes("good, with an unknown member", with_request(r#""x":[{"y":null}],"#), Through);
    comes("good, with an unknown member first", before_uid(r#""x":1,"#), Through);
    comes("bad", create(&bad_pod()), Refused);
    comes("bad, by its text", with_spec(r#""hostPID":true,"#), Refused);
    let body = real_review();
    for webhook in WEBHOOKS {
        assert_eq!(outcome("real", webhook, &body).0, Through);
    }
}

#[test]
fn what_is_no_review_has_no_answer() {
    let good = create(&pod());
    for body in [
        "",
        " \n\t ",
        "null",
        "[]",
        "\"x\"",
        "7",
        "{}",
        "{",
        "nonsense",
        "a: yaml",
        r#"{"request":null}"#,
        r#"{"request":[]}"#,
        r#"{"request":"x"}"#,
        r#"{"request":{}}"#,
        r#"{"request":{"uid":""}}"#,
        r#"{"request":{"uid":null}}"#,
        r#"{"request":{"uid":7}}"#,
        r#"{"request":{"uid":["a"]}}"#,
        r#"{"request":{"uid":"a\nb"}}"#,
        r#"{"request":{"uid":"a\"b"}}"#,
        r#"{"request":{"uid":"a\\b"}}"#,
        r#"{"request":{"uid":"größe"}}"#,
        r#"{"Request":{"uid":"a"}}"#,
        r#"{"REQUEST":{"uid":"a"}}"#,
        r#"{"request":{"UID":"a"}}"#,
        r#"{"request":{"Uid":"a"}}"#,
        r#"{"uid":"a"}"#,
        r#"{"response":{"uid":"a","allowed":true}}"#,
    ] {
        comes(body, body, Nowhere);
    }
    comes("a byte order mark", [b"\xef\xbb\xbf", good.as_bytes()].concat(), Nowhere);
    comes("UTF-16", good.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>(), Nowhere);
    comes("a uid of 10 KB", good.replace(UID, &"u".repeat(10_000)), Nowhere);
    comes("a uid of 257 bytes", good.replace(UID, &"u".repeat(257)), Nowhere);
    for uid in ["u".repeat(256), "a b<&>'/\u{7e}".into(), "{}".into()] {
        for webhook in WEBHOOKS {
            let (came, response) = outcome(&uid, webhook, good.replace(UID, &uid).as_bytes());
            assert_eq!((came, response["uid"].as_str()), (Through, Some(uid.as_str())));
        }
    }
}

#[test]
fn a_second_document_is_refused() {
    for rest in ["{}", "null", ",", "}", "x", "\u{feff}", "\0"] {
        comes(rest, create(&pod()) + rest, Denied(400));
        comes(rest, format!("{}\n{rest}", create(&bad_pod())), Denied(400));
    }
    comes("white space", create(&pod()) + " \r\n\t ", Through);
}

#[test]
fn cut_off_at_every_byte() {
    for body in [real_review(), create(&bad_pod()).into_bytes()] {
        let text = std::str::from_utf8(&body).unwrap();
        let start = text.find(r#""uid":""#).unwrap() + r#""uid":""#.len();
        let known_from = start + text[start..].find('"').unwrap() + 1;
        for length in 0..body.len() {
            let expected = if length < known_from { Nowhere } else { Denied(400) };
            for webhook in WEBHOOKS {
                let (came, response) = outcome("cut off", webhook, &body[..length]);
                assert_eq!(came, expected, "{webhook:?} at {length}: {response}");
            }
        }
    }
}

#[test]
fn a_byte_changed_anywhere_is_never_more_than_an_answer() {
    let body = create(&bad_pod()).into_bytes();
    for at in 0..body.len() {
        for byte in [0, b'"', b'\\', b'{', b']', b',', b'9', 0x80, 0xff, body[at] ^ 0x20] {
            let mut changed = body.clone();
            changed[at] = byte;
            for webhook in WEBHOOKS {
                // Shape, size and silence are asserted within.
                outcome(&format!("byte {byte} at {at}"), webhook, &changed);
            }
        }
    }
}

#[test]
fn repeated_keys() {
    for (spec, expected) in [
        (r#""hostNetwork":true,"hostNetwork":false,"#, Denied(400)),
        (r#""hostNetwork":false,"hostNetwork":false,"#, Denied(400)),
        (r#""hostNetwork":true,"\u0068ostNetwork":false,"#, Denied(400)),
        (r#""\u0068ostNetwork":true,"#, Refused),
        (r#""tolerations":[{"key":"a","key":"b"}],"#, Denied(400)),
        (r#""future":{"a":1,"\u0061":2},"#, Denied(400)),
        (r#""future":1,"future":1,"#, Denied(400)),
        (r#""volumes":null,"volumes":[],"#, Denied(400)),
        (r#""containers":[],"#, Denied(400)),
        (r#""volumes":[{"name":"v","emptyDir":{},"hostPath":{"path":"/"},"emptyDir":{}}],"#, Denied(400)),
    ] {
        comes(spec, with_spec(spec), expected);
    }
    for members in [
        r#""operation":"DELETE","#,
        r#""object":null,"#,
        r#""namespace":"kube-system","#,
        r#""resource":{"resource":"x"},"#,
        r#""kind":{"kind":"Pod","kind":"Pod"},"#,
        r#""subResource":"status","subResource":"","#,
        r#""x":1,"x":2,"#,
        r#""x":1,"\u0078":2,"#,
        r#""x":[[{"y":{"z":1,"z":1}}]],"#,
    ] {
        comes(members, with_request(members), Denied(400));
    }
    let envelope = |rest: &str| format!("{}{rest}", with_request("").strip_suffix('}').unwrap());
    comes("kind", envelope(r#","kind":"AdmissionReview"}"#), Denied(400));
    comes("unknown", envelope(r#","a":1,"a":1}"#), Denied(400));
    // Of two uids nobody knows which one is waited for.
    for members in [r#""uid":"other","#, r#""\u0075id":"other","#] {
        comes(members, with_request(members), Nowhere);
    }
    comes("two requests", envelope(r#","request":{"uid":"other"}}"#), Nowhere);
    comes("two requests", envelope(r#","\u0072equest":null}"#), Nowhere);
    comes("repeated before the uid", before_uid(r#""x":1,"x":2,"#), Nowhere);
}

/// A path that only looks like the uid's.
#[test]
fn repeated_keys_with_dots_are_not_the_uid() {
    let review = with_request("");
    let body = format!(r#"{},"request.uid":1,"request.uid":2}}"#, review.strip_suffix('}').unwrap());
    comes("request.uid", body, Denied(400));
}

#[test]
fn keys_of_another_case_are_not_the_key() {
    for spec in [r#""hostnetwork":true,"#, r#""HostPID":false,"#, r#""Volumes":[],"#, r#""CONTAINERS":[],"#] {
        comes(spec, with_spec(spec), Denied(400));
    }
    for members in [r#""UID":"other","#, r#""Operation":"DELETE","#, r#""oldobject":null,"#] {
        comes(members, with_request(members), Denied(400));
    }
    comes(
        "Kind",
        with_request("").replace(r#""kind":"AdmissionReview""#, r#""Kind":"AdmissionReview""#),
        Nowhere,
    );
    comes("far from any", with_spec(r#""host_network":true,"#), Through);
}

#[test]
fn texts_that_are_not_unicode() {
    let bad: [&[u8]; 7] = [
        b"\xff",
        b"\xc0\xaf",
        b"\xed\xa0\x80",
        b"\xed\xa0\xbd\xed\xb8\x80",
        b"\xf4\x90\x80\x80",
        b"\xe2\x82",
        b"\x80",
    ];
    let spliced = |review: String, bytes: &[u8]| {
        let (before, after) = review.split_once('@').unwrap();
        [before.as_bytes(), bytes, after.as_bytes()].concat()
    };
    for bytes in bad {
        let what = format!("{bytes:x?}");
        comes(&what, spliced(with_request(r#""x":"@","#), bytes), Denied(400));
        comes(&what, spliced(with_request(r#""x@":1,"#), bytes), Denied(400));
        comes(&what, spliced(with_request(r#""name":"@","#), bytes), Denied(400));
        comes(&what, spliced(with_spec(r#""nodeName":"@","#), bytes), Denied(400));
        comes(&what, spliced(with_spec(r#""serviceAccountName":"@","#), bytes), Denied(400));
        comes(&what, spliced(before_uid(r#""x":"@","#), bytes), Nowhere);
        comes(&what, [with_request("").as_bytes(), bytes].concat(), Denied(400));
    }
    for escape in
        [r"\ud800", r"\udc00", r"\ud83d\u0041", r"\ud83dA", r"\q", r"\u12", r"\u00zz", "\u{1}", "\n"]
    {
        comes(escape, with_request(&format!(r#""x":"{escape}","#)), Denied(400));
        comes(escape, with_request(&format!(r#""x{escape}":1,"#)), Denied(400));
        comes(escape, with_request(&format!(r#""name":"{escape}","#)), Denied(400));
        comes(escape, with_spec(&format!(r#""serviceAccountName":"{escape}","#)), Denied(400));
        comes(escape, with_spec(&format!(r#""{escape}":1,"#)), Denied(400));
        comes(escape, before_uid(&format!(r#""x":"{escape}","#)), Nowhere);
    }
    comes("a pair", with_request(r#""x":"\ud83d\ude00","#), Through);
}

#[test]
fn too_deep() {
    let nested =
        |open: &str, close: &str, depth: usize| format!("{}0{}", open.repeat(depth), close.repeat(depth));
    // The review, the request, the object and the spec are four.
    for (open, close) in [("[", "]"), (r#"{"a":"#, "}")] {
        for depth in [60, 61, 100, 9_996] {
            comes("in the spec", with_spec(&format!(r#""x":{},"#, nested(open, close, depth))), Through);
        }
        comes("one more", with_spec(&format!(r#""x":{},"#, nested(open, close, 9_997))), Denied(400));
        comes("in the request", with_request(&format!(r#""x":{},"#, nested(open, close, 9_998))), Through);
        comes("one more", with_request(&format!(r#""x":{},"#, nested(open, close, 9_999))), Denied(400));
        let million = nested(open, close, 1_000_000);
        comes("a million", with_spec(&format!(r#""x":{million},"#)), Denied(400));
        comes("a million", with_request(&format!(r#""x":{million},"#)), Denied(400));
        comes("a million", with_request(&format!(r#""oldObject":{million},"#)), Denied(400));
        comes("a million first", before_uid(&format!(r#""x":{million},"#)), Nowhere);
    }
    comes("never closed", with_request(&format!(r#""x":{}"#, "[".repeat(1_000_000))), Denied(400));
}

#[test]
fn too_many() {
    let list = |item: &str, count: usize| format!("[{}]", vec![item; count].join(","));
    let keys = |count: usize| {
        let keys: Vec<String> = (0..count).map(|n| format!(r#""k{n}":0"#)).collect();
        format!("{{{}}}", keys.join(","))
    };
    const OVER: usize = 200_001;
    for value in [list("0", OVER), list("{}", OVER), list("[]", OVER), list("\"\"", OVER), keys(OVER)] {
        let what = &value[..40];
        for (place, body) in [
            ("in the spec", with_spec(&format!(r#""x":{value},"#))),
            ("in the request", with_request(&format!(r#""x":{value},"#))),
            ("in an object before its resource", with_request(&format!(r#""oldObject":{{"x":{value}}},"#))),
        ] {
            comes(&format!("{what} {place}"), body, Denied(413));
        }
        comes(what, before_uid(&format!(r#""x":{value},"#)), Nowhere);
    }
    for key in ["volumes", "tolerations", "imagePullSecrets", "initContainers"] {
        comes(key, with_spec(&format!(r#""{key}":{},"#, list("{}", OVER))), Denied(413));
    }
    let containers = |count| text("", &format!(r#""containers":{}"#, list("{}", count)));
    comes("a million containers", containers(1_000_000), Denied(413));
    comes("501 containers", containers(501), Denied(413));
    comes("500 containers", containers(500), Refused);
    comes(
        "501 init containers",
        with_spec(&format!(r#""initContainers":{},"#, list("{}", 501))),
        Denied(413),
    );
    comes(
        "501 ephemeral ones",
        with_spec(&format!(r#""ephemeralContainers":{},"#, list("{}", 501))),
        Denied(413),
    );
    let env = format!(r#""containers":[{{"name":"c","env":{}}}]"#, list("{}", OVER));
    comes("env", text("", &env), Denied(413));
    comes("many, but not too many", with_spec(&format!(r#""x":{},"#, list("0", 150_000))), Through);
}

/// Members of a spec whose value is of the wrong type.
const MISTYPED: [&str; 38] = [
    r#""hostNetwork":"true""#,
    r#""hostPID":1"#,
    r#""hostIPC":{}"#,
    r#""hostUsers":"false""#,
    r#""volumes":{}"#,
    r#""volumes":"x""#,
    r#""volumes":["x"]"#,
    r#""volumes":[{"name":1}]"#,
    r#""volumes":[{"name":"v","hostPath":"/"}]"#,
    r#""volumes":[{"name":"v","emptyDir":[]}]"#,
    r#""initContainers":{}"#,
    r#""initContainers":["x"]"#,
    r#""initContainers":[{"name":{}}]"#,
    r#""initContainers":[{"image":1}]"#,
    r#""initContainers":[{"ports":{}}]"#,
    r#""initContainers":[{"ports":[{"hostPort":"80"}]}]"#,
    r#""initContainers":[{"ports":[{"hostPort":80.5}]}]"#,
    r#""initContainers":[{"ports":[{"hostPort":4294967296}]}]"#,
    r#""initContainers":[{"securityContext":[]}]"#,
    r#""initContainers":[{"securityContext":{"privileged":"true"}}]"#,
    r#""initContainers":[{"securityContext":{"privileged":1}}]"#,
    r#""initContainers":[{"securityContext":{"allowPrivilegeEscalation":"false"}}]"#,
    r#""initContainers":[{"securityContext":{"capabilities":[]}}]"#,
    r#""initContainers":[{"securityContext":{"capabilities":{"add":"SYS_ADMIN"}}}]"#,
    r#""initContainers":[{"securityContext":{"capabilities":{"drop":[1]}}}]"#,
    r#""initContainers":[{"securityContext":{"runAsUser":"0"}}]"#,
    r#""initContainers":[{"securityContext":{"runAsUser":[]}}]"#,
    r#""initContainers":[{"securityContext":{"runAsNonRoot":"true"}}]"#,
    r#""initContainers":[{"securityContext":{"procMount":true}}]"#,
    r#""initContainers":[{"securityContext":{"seccompProfile":"RuntimeDefault"}}]"#,
    r#""initContainers":[{"securityContext":{"seccompProfile":{"type":1}}}]"#,
    r#""initContainers":[{"livenessProbe":[]}]"#,
    r#""initContainers":[{"livenessProbe":{"httpGet":"x"}}]"#,
    r#""initContainers":[{"lifecycle":1}]"#,
    r#""ephemeralContainers":1"#,
    r#""os":"linux""#,
    r#""os":{"name":1}"#,
    r#""serviceAccountName":1"#,
];

#[test]
fn values_of_the_wrong_type() {
    for member in MISTYPED {
        comes(member, with_spec(&format!("{member},")), Denied(400));
    }
    for member in [r#""securityContext":[]"#, r#""securityContext":{"sysctls":{}}"#, r#""containers":"x""#] {
        comes(member, text("", member), Denied(400));
    }
    for members in [
        r#""kind":"Pod","#,
        r#""name":1,"#,
        r#""subResource":{},"#,
        r#""requestSubResource":1,"#,
        r#""dryRun":"true","#,
        r#""dryRun":0,"#,
        r#""kind":{"kind":1},"#,
    ] {
        comes(members, with_request(members), Denied(400));
    }
    let good = with_request("");
    for (old, new) in [
        (r#""operation":"CREATE""#, r#""operation":1"#),
        (r#""namespace":"ml-team-a""#, r#""namespace":{}"#),
        (r#""resource":"pods""#, r#""resource":["pods"]"#),
        (r#""group":"""#, r#""group":0"#),
        (r#""metadata":{"name":"p"}"#, r#""metadata":[]"#),
        (r#""metadata":{"name":"p"}"#, r#""metadata":{"name":7}"#),
        (r#""metadata":{"name":"p"}"#, r#""metadata":{"labels":["a"]}"#),
        (r#""metadata":{"name":"p"}"#, r#""metadata":{"labels":{"a":1}}"#),
        (r#""metadata":{"name":"p"}"#, r#""metadata":{"annotations":{"a":true}}"#),
        (r#""metadata":{"name":"p"}"#, r#""metadata":{"annotations":"a"}"#),
        (r#""metadata":{"name":"p"}"#, r#""metadata":{"ownerReferences":{}}"#),
        (r#""metadata":{"name":"p"}"#, r#""metadata":{"ownerReferences":[{"controller":"yes"}]}"#),
    ] {
        assert!(good.contains(old), "{old}");
        comes(new, good.replacen(old, new, 1), Denied(400));
    }
    for value in ["\"x\"", "[]", "7", "true"] {
        let mut of_request = request("CREATE", "", &Json::Null, &Json::Null);
        of_request["object"] = serde_json::from_str(value).unwrap();
        comes(value, review(&of_request), Denied(400));
        // Whose object comes before it is known how to read it.
        comes(
            value,
            before_uid("").replacen(r#""object":{"#, &format!(r#""object":{value},"x":{{"#), 1),
            Denied(400),
        );
    }
}

#[test]
fn numbers() {
    let with = |number: &str| {
        with_spec(&format!(r#""initContainers":[{{"securityContext":{{"runAsUser":{number}}}}}],"#))
    };
    let digits = "9".repeat(30_000);
    for number in [
        "1e400",
        "1.0",
        "1e3",
        "9223372036854775808",
        "18446744073709551617",
        "0x10",
        "01",
        "-01",
        "NaN",
        "-",
        "+1",
        ".5",
        "1.",
        "1e",
        "Infinity",
        digits.as_str(),
    ] {
        comes(number, with(number), Denied(400));
        let in_port = format!(r#""initContainers":[{{"ports":[{{"hostPort":{number}}}]}}],"#);
        comes(number, with_spec(&in_port), Denied(400));
    }
    comes(
        "no number of 32 bits",
        with_spec(r#""initContainers":[{"ports":[{"hostPort":2147483648}]}],"#),
        Denied(400),
    );
    comes("root", with("-0"), Refused);
    for number in ["1e400", "-0.0", "1E+5", digits.as_str()] {
        comes("where nobody reads it", with_request(&format!(r#""x":{number},"#)), Through);
    }
    for number in ["0x10", "01", "NaN", "1.", "--1"] {
        comes("no JSON, where nobody reads it", with_request(&format!(r#""x":{number},"#)), Denied(400));
    }
}

#[test]
fn null_is_absent() {
    let nothing = r#""volumes":null,"initContainers":null,"ephemeralContainers":null,"os":null,"hostNetwork":null,"hostUsers":null,"serviceAccountName":null,"#;
    comes("in the spec", with_spec(nothing), Through);
    comes(
        "in the request",
        with_request(r#""name":null,"kind":null,"subResource":null,"dryRun":null,"oldObject":null,"#),
        Through,
    );
    let container = r#""securityContext":{"runAsNonRoot":true,"seccompProfile":{"type":"RuntimeDefault"},"sysctls":null,"windowsOptions":null,"seLinuxOptions":null},"containers":[{"name":"c","image":null,"ports":null,"env":null,"livenessProbe":null,"lifecycle":null,"securityContext":{"privileged":null,"procMount":null,"runAsUser":null,"allowPrivilegeEscalation":false,"capabilities":{"add":null,"drop":["ALL"]}}}]"#;
    comes("in the container", text("", container), Through);
    let without = r#""securityContext":null,"containers":[{"name":"c","securityContext":null}]"#;
    comes("what is asked for", text("", without), Refused);
    let items = r#""containers":[null],"volumes":[null]"#;
    comes("as items", text("", items), Refused);
}

#[test]
fn other_versions_kinds_and_operations() {
    let good = with_request("");
    for (old, new) in [
        (r#""apiVersion":"admission.k8s.io/v1","#, r#""apiVersion":"admission.k8s.io/v1beta1","#),
        (r#""apiVersion":"admission.k8s.io/v1","#, r#""apiVersion":"admission.k8s.io/v2","#),
        (r#""apiVersion":"admission.k8s.io/v1","#, r#""apiVersion":"v1","#),
        (r#""apiVersion":"admission.k8s.io/v1","#, r#""apiVersion":null,"#),
        (r#""apiVersion":"admission.k8s.io/v1","#, ""),
        (r#""kind":"AdmissionReview","#, r#""kind":"Pod","#),
        (r#""kind":"AdmissionReview","#, r#""kind":"admissionreview","#),
        (r#""kind":"AdmissionReview","#, ""),
        ("CREATE", "create"),
        ("CREATE", "PATCH"),
        ("CREATE", ""),
        ("CREATE", "*"),
        ("CREATE", "CREATE "),
        (r#""group":"","#, r#""group":"example.com","#),
        (r#""resource":"pods""#, r#""resource":"Pods""#),
        (r#""resource":"pods""#, r#""resource":"widgets""#),
        (r#""resource":"pods""#, r#""resource":"pods/status""#),
        (r#""resource":"pods""#, r#""resource":"""#),
        (r#""resource":"pods""#, r#""resource":"secrets""#),
        (r#""resource":{"#, r#""kind":{"kind":"Deployment"},"resource":{"#),
        (r#""metadata":"#, r#""kind":"Deployment","metadata":"#),
        (r#""metadata":"#, r#""kind":"pod","metadata":"#),
    ] {
        assert!(good.contains(old), "{old}");
        comes(&format!("{old} {new}"), good.replacen(old, new, 1), Denied(400));
    }
}

/// The kind says that it is a pod, the resource that it is something without one.
#[test]
fn a_pod_under_the_name_of_another_resource() {
    for resource in ["namespaces", "serviceaccounts"] {
        let mut request = request("CREATE", "", &bad_pod(), &Json::Null);
        request["resource"]["resource"] = json!(resource);
        comes(resource, review(&request), Denied(400));
    }
}

#[test]
fn a_response_in_the_request_is_not_ours() {
    for response in
        [json!({ "uid": UID, "allowed": true }), json!({ "uid": "x", "allowed": true }), json!([])]
    {
        let body = |pod: &Json| {
            let review = create(pod);
            format!(r#"{{"response":{response},{}"#, review.strip_prefix('{').unwrap())
        };
        comes("good", body(&pod()), Through);
        comes("bad", body(&bad_pod()), Refused);
    }
}

// ---- rows 34 and 41 to 60: what is in the objects

/// Texts of the author that would move a cursor, end a line, or fill a log.
#[test]
fn names_are_echoed_only_escaped_and_cut() {
    let long = "x".repeat(1 << 20);
    for name in [
        "a\u{0}b",
        "a\nb",
        "\u{202e}evil",
        "\u{1b}[31mred",
        "größe",
        "a\tb",
        "\"><script>",
        "\\",
        long.as_str(),
    ] {
        let mut containers = bad_pod();
        containers["spec"]["containers"] = json!([privileged(name)]);
        let mut volumes = pod();
        volumes["spec"]["volumes"] = json!([{ "name": name, "hostPath": { "path": "/" } }]);
        let mut metadata = bad_pod();
        metadata["metadata"]["name"] = json!(name);
        metadata["metadata"]["ownerReferences"] = json!([{ "kind": name, "name": name, "controller": true }]);
        let mut generated = bad_pod();
        generated["metadata"] = json!({ "generateName": name });
        let mut values = pod();
        values["spec"]["containers"][0]["securityContext"]["capabilities"]["add"] = json!([name]);
        values["spec"]["containers"][0]["securityContext"]["procMount"] = json!(name);
        values["spec"]["securityContext"]["seccompProfile"]["type"] = json!(name);
        values["spec"]["securityContext"]["sysctls"] = json!([{ "name": name, "value": "1" }]);
        values["spec"]["securityContext"]["seLinuxOptions"] = json!({ "type": name, "user": name });
        let mut annotations = pod();
        let key = format!("container.apparmor.security.beta.kubernetes.io/{name}");
        let key: String = key.chars().take(1 << 19).collect();
        annotations["metadata"]["annotations"] = json!({ key: name });
        for (what, pod) in [
            ("container", containers),
            ("volume", volumes),
            ("name", metadata),
            ("generateName", generated),
            ("values", values),
            ("annotations", annotations),
        ] {
            let what = format!("{what} {name:.20}");
            comes(&what, create(&pod), Refused);
            let (_, response) = outcome(&what, Webhook::Validate, create(&pod).as_bytes());
            let message = response["status"]["message"].as_str().unwrap();
            assert!(
                message.bytes().all(|byte| byte == b'\n' || (b' '..=b'~').contains(&byte)),
                "{what}: {message:?}"
            );
            assert!(message.len() < 8 * 1024, "{what}: a message of {} bytes", message.len());
        }
    }
}

/// The names of the request itself: the API server's, but no reason to trust their length.
#[test]
fn a_long_name_of_the_request_does_not_come_back_whole() {
    for key in ["name", "namespace"] {
        let mut of_request = request("CREATE", "", &bad_pod(), &Json::Null);
        of_request["object"]["metadata"] = json!({ "generateName": "a-" });
        of_request[key] = json!("n".repeat(1 << 20));
        comes(key, review(&of_request), Refused);
    }
}

#[test]
fn objects_that_are_not_there_or_should_not_be() {
    let nothing = Json::Null;
    comes("CREATE of nothing", create(&nothing), Denied(400));
    comes("UPDATE from nothing", update("", &pod(), &nothing), Denied(400));
    comes("UPDATE of nothing", update("", &nothing, &pod()), Denied(400));
    comes("DELETE with an object", review(&request("DELETE", "", &pod(), &nothing)), Denied(400));
    comes("CONNECT with a pod", review(&request("CONNECT", "", &pod(), &nothing)), Denied(400));
    comes("CONNECT with a pod", review(&request("CONNECT", "future", &pod(), &nothing)), Denied(400));
    for subresource in ["", "ephemeralcontainers", "resize", "future"] {
        comes(subresource, update(subresource, &pod(), &nothing), Denied(400));
    }
    let mut without = request("CREATE", "", &pod(), &nothing);
    without.as_object_mut().unwrap().remove("object");
    comes("CREATE without an object", review(&without), Denied(400));
}

#[test]
fn deletion_is_allowed_and_never_patched() {
    for old in [pod(), bad_pod(), Json::Null, json!({ "spec": { "containers": [{}] } })] {
        let body = review(&request("DELETE", "", &Json::Null, &old));
        comes("DELETE", &body, Through);
        for webhook in WEBHOOKS {
            let (_, response) = outcome("DELETE", webhook, body.as_bytes());
            assert_eq!(response.get("patch"), None, "{response}");
        }
    }
}

#[test]
fn subresources() {
    let options =
        json!({ "apiVersion": "v1", "kind": "PodExecOptions", "command": ["sh"], "container": "main" });
    for (subresource, kind) in [
        ("exec", "PodExecOptions"),
        ("attach", "PodAttachOptions"),
        ("portforward", "PodPortForwardOptions"),
        ("proxy", "PodProxyOptions"),
    ] {
        let mut connect = request("CONNECT", subresource, &options, &Json::Null);
        connect["kind"]["kind"] = json!(kind);
        connect["object"]["kind"] = json!(kind);
        comes(subresource, review(&connect), Through);
    }
    for (subresource, group, kind) in [("binding", "", "Binding"), ("eviction", "policy", "Eviction")] {
        let mut created = request("CREATE", subresource, &json!({ "kind": kind }), &Json::Null);
        created["kind"] = json!({ "group": group, "version": "v1", "kind": kind });
        comes(subresource, review(&created), Through);
    }
    comes("status", update("status", &bad_pod(), &pod()), Through);
    // One that nobody knows yet carries a pod until it is known not to.
    for subresource in ["future", "Status", "status ", "exec/x"] {
        comes(subresource, review(&request("CREATE", subresource, &bad_pod(), &Json::Null)), Refused);
        comes(subresource, review(&request("CREATE", subresource, &pod(), &Json::Null)), Through);
        let mut changed = bad_pod();
        changed["spec"]["containers"][0]["image"] = json!("another");
        comes(subresource, update(subresource, &changed, &pod()), Refused);
    }
}

#[test]
fn a_fault_in_any_list_of_containers_is_named() {
    let mut sidecar = privileged("side");
    sidecar["restartPolicy"] = json!("Always");
    for (list, container, name) in [
        ("initContainers", privileged("prepare"), "init container \"prepare\""),
        ("initContainers", sidecar, "init container \"side\""),
        ("ephemeralContainers", privileged("debug"), "ephemeral container \"debug\""),
    ] {
        let body = create(&pod_with(list, json!([container])));
        comes(name, &body, Refused);
        let (_, response) = outcome(name, Webhook::Validate, body.as_bytes());
        let message = response["status"]["message"].as_str().unwrap();
        assert!(message.contains(name), "{message}");
        assert!(!message.contains("\"main\""), "{message}");
        assert_eq!(
            response["status"]["details"]["causes"][0]["field"],
            format!("spec.{list}[0].securityContext.privileged")
        );
    }
}

#[test]
fn updates() {
    let image = |mut pod: Json| {
        pod["spec"]["containers"][0]["image"] = json!("registry.example/other:2");
        pod
    };
    let labelled = |mut pod: Json| {
        pod["metadata"]["labels"] = json!({ "a": "b" });
        pod
    };
    let leaving = |mut pod: Json| {
        pod["metadata"]["deletionTimestamp"] = json!("2026-11-21T00:00:00Z");
        pod["metadata"]["finalizers"] = json!(["example.com/x"]);
        pod
    };
    comes("a bad pod as it was", update("", &bad_pod(), &bad_pod()), Through);
    comes("a bad pod labelled", update("", &labelled(bad_pod()), &bad_pod()), Through);
    comes("a bad pod that leaves", update("", &leaving(bad_pod()), &bad_pod()), Through);
    comes("a bad pod with a new image", update("", &image(bad_pod()), &bad_pod()), Refused);
    comes(
        "a bad pod that leaves, with a new image",
        update("", &leaving(image(bad_pod())), &bad_pod()),
        Refused,
    );
    comes("a good pod with a new image", update("", &image(pod()), &pod()), Through);
    comes("a bad pod resized", update("resize", &bad_pod(), &bad_pod()), Through);
    for webhook in WEBHOOKS {
        let (_, response) = outcome("update", webhook, update("", &image(pod()), &pod()).as_bytes());
        assert_eq!(response.get("patch"), None, "{response}");
    }
    let debugged = |container: Json| pod_with("ephemeralContainers", json!([container]));
    let body = |container| update("ephemeralcontainers", &debugged(container), &pod());
    comes("a debugger", body(container("debug")), Through);
    comes("a privileged debugger", body(privileged("debug")), Refused);
    comes(
        "a debugger that was there",
        update("ephemeralcontainers", &debugged(privileged("d")), &debugged(privileged("d"))),
        Through,
    );
}

#[test]
fn a_dry_run_is_judged_like_any_other() {
    for (pod, expected) in [(pod(), Through), (bad_pod(), Refused)] {
        let mut request = request("CREATE", "", &pod, &Json::Null);
        request["dryRun"] = json!(true);
        comes("dry run", review(&request), expected);
    }
}

#[test]
fn nobody_is_exempt_by_name() {
    for user in [
        json!({ "username": "system:serviceaccount:kube-system:replicaset-controller" }),
        json!({ "username": "system:serviceaccount:kube-system:replicaset-controller-evil", "groups": [] }),
        json!({ "username": "system:admin ", "groups": ["system:masters"] }),
        json!({ "username": "system:node:n1", "groups": ["system:nodes"] }),
        json!({ "username": "\u{455}ystem:admin" }),
        json!(null),
        json!({}),
    ] {
        let mut request = request("CREATE", "", &bad_pod(), &Json::Null);
        request["userInfo"] = user;
        comes(&request["userInfo"].to_string(), review(&request), Refused);
    }
}

#[test]
fn the_namespace_of_the_request_decides() {
    let body = |of_request: Json, of_object: Json| {
        let mut pod = bad_pod();
        pod["metadata"]["namespace"] = of_object;
        let mut request = request("CREATE", "", &pod, &Json::Null);
        request["namespace"] = of_request;
        review(&request)
    };
    for (of_request, of_object, expected) in [
        (json!(NAMESPACE), json!(NAMESPACE), Refused),
        (json!(NAMESPACE), Json::Null, Refused),
        (json!(NAMESPACE), json!("kube-system"), Denied(400)),
        (json!(NAMESPACE), json!("ML-TEAM-A"), Denied(400)),
        (json!("kube-system"), json!(NAMESPACE), Denied(400)),
        (json!("kube-system"), json!("kube-system"), Through),
        (json!("kube-system "), Json::Null, Refused),
        (json!(""), json!("kube-system"), Refused),
        (Json::Null, Json::Null, Refused),
        (json!("nobody-knows-it"), Json::Null, Refused),
    ] {
        comes(&format!("{of_request} {of_object}"), body(of_request, of_object), expected);
    }
}

#[test]
fn names_that_are_generated_long_or_broken() {
    for metadata in [
        json!({ "generateName": "train-" }),
        json!({ "generateName": "train-", "name": "" }),
        json!({}),
        json!({ "name": "n".repeat(253) }),
        json!({ "name": "two\nlines" }),
        Json::Null,
    ] {
        for (mut pod, expected) in [(pod(), Through), (bad_pod(), Refused)] {
            pod["metadata"] = metadata.clone();
            let mut request = request("CREATE", "", &pod, &Json::Null);
            request["name"] = json!("");
            comes(&metadata.to_string(), review(&request), expected);
            let (_, response) = outcome("name", Webhook::Validate, review(&request).as_bytes());
            if expected == Refused {
                let message = response["status"]["message"].as_str().unwrap();
                let headline = message.lines().next().unwrap();
                assert!(headline.contains("was refused: 1 change needed"), "{message}");
            }
        }
    }
}

#[test]
fn a_pod_of_tomorrow_is_judged_by_what_is_known_of_it() {
    let mut future = pod();
    future["spec"]["tomorrow"] = json!({ "containers": [{ "securityContext": { "privileged": true } }] });
    future["spec"]["containers"][0]["tomorrow"] = json!([1, null]);
    future["spec"]["containers"][0]["securityContext"]["tomorrow"] = json!("x");
    future["metadata"]["tomorrow"] = json!({});
    future["tomorrow"] = json!(1);
    comes("good", create(&future), Through);
    future["spec"]["hostIPC"] = json!(true);
    comes("bad", create(&future), Refused);
    for source in [
        json!({ "name": "v", "tomorrowSource": {} }),
        json!({ "name": "v", "tomorrowSource": { "a": 1 }, "emptyDir": {} }),
    ] {
        comes(&source.to_string(), create(&pod_with("volumes", json!([source]))), Refused);
    }
}

#[test]
fn what_podgate_made_is_no_proof() {
    let mut forged = bad_pod();
    for key in ["podgate.dev/checked", "podgate.dev/validated", "podgate.dev/policy", "podgate.dev/exempt"] {
        forged["metadata"]["annotations"][key] = json!("true");
        forged["metadata"]["labels"][key] = json!("ml-restricted");
    }
    comes("forged", create(&forged), Refused);
    let mut mirror = bad_pod();
    mirror["metadata"]["annotations"] = json!({ "kubernetes.io/config.mirror": "x" });
    comes("a mirror pod", create(&mirror), Refused);
    let lazy = json!({ "metadata": { "name": "lazy" }, "spec": { "containers": [
        { "name": "a" },
        { "name": "b", "securityContext": { "capabilities": { "drop": ["ALL"] } } },
        { "name": "c", "securityContext": { "allowPrivilegeEscalation": false, "capabilities": {} } },
    ] } });
    let mut mended = lazy.clone();
    let (_, response) = outcome("lazy", Webhook::Mutate, create(&lazy).as_bytes());
    apply(&response, &mut mended);
    assert_ne!(mended, lazy);
    comes("mended", create(&mended), Through);
    let (_, response) = outcome("mended", Webhook::Mutate, create(&mended).as_bytes());
    assert_eq!(response.get("patch"), None, "{response}");
}

fn apply(response: &Json, pod: &mut Json) {
    crate::reviews::apply("a patch", response, pod);
}

/// Keys that a JSON pointer must escape, beside the label that an identity adds.
#[test]
fn patches_point_past_keys_of_every_kind() {
    let policy = "apiVersion: podgate.dev/v1alpha1\nkind: IdentityPolicy\nmetadata: {name: trainers}\nspec:\n  match:\n    namespaceSelector:\n      matchLabels: {podgate.dev/policy: ml-restricted}\n  identity: {provider: azure, serviceAccountName: trainer-wi}\n";
    let gate = Reviewer::new(built_in(&[policy]), labelled(&[NAMESPACE]));
    let long = "v".repeat(256 * 1024);
    for labels in [
        Json::Null,
        json!({}),
        json!({ "a/b~1c": "x", "~": "", "/": "", "": "", "__proto__": "y", "~0~1": "z", "constructor": "" }),
        json!({ "azure.workload.identity/use": "true" }),
        json!({ "azure.workload.identity~1use": "false" }),
        json!({ "azure.workload.identity/use": "false" }),
    ] {
        let mut before = pod();
        before["metadata"]["labels"] = labels.clone();
        before["metadata"]["annotations"] = json!({ "a/b~c": long, "": "" });
        before["spec"]["containers"][0]["securityContext"] = Json::Null;
        let body = create(&before);
        let answer = gate.alone(Webhook::Mutate, body.as_bytes()).unwrap();
        let response = well_formed("labels", Webhook::Mutate, UID, &answer.body);
        assert!(answer.body.len() < 8 * 1024, "an answer of {} bytes", answer.body.len());
        let mut after = before.clone();
        apply(&response, &mut after);
        assert_eq!(after["spec"]["serviceAccountName"], "trainer-wi", "{labels}");
        assert_eq!(after["metadata"]["annotations"], before["metadata"]["annotations"], "{labels}");
        for (key, value) in labels.as_object().into_iter().flatten() {
            assert_eq!(after["metadata"]["labels"][key], *value, "{labels}");
        }
        let body = create(&after);
        let answer = gate.alone(Webhook::Mutate, body.as_bytes()).unwrap();
        let response = well_formed("again", Webhook::Mutate, UID, &answer.body);
        assert_eq!(response.get("patch"), None, "{labels}: {response}");
    }
}

// ---- bounds

/// Asserts the bounds of the answers to a large pod, and prints how long they took.
#[track_caller]
fn is_bounded(what: &str, pod: &Json) {
    let mut of_workload = request("CREATE", "", &json!({ "spec": { "template": pod } }), &Json::Null);
    of_workload["kind"] = json!({ "group": "apps", "version": "v1", "kind": "Deployment" });
    of_workload["resource"] = json!({ "group": "apps", "version": "v1", "resource": "deployments" });
    for (kind, body) in [("Pod", create(pod)), ("Deployment", review(&of_workload))] {
        for webhook in WEBHOOKS {
            let start = Instant::now();
            let answer = GATE.alone(webhook, body.as_bytes()).expect(what);
            let took = start.elapsed();
            let length = answer.body.len();
            eprintln!("{what}: {kind} of {} bytes, {webhook:?}: {length} bytes in {took:?}", body.len());
            assert!(length <= LONGEST_ANSWER, "{what}, {kind}, {webhook:?}: an answer of {length} bytes");
            let response = well_formed(what, webhook, UID, &answer.body);
            if kind == "Pod" && webhook == Webhook::Validate {
                assert_eq!(response["allowed"], false, "{what}");
                let code = response["status"]["code"].as_u64().unwrap();
                assert!([403, 413].contains(&code), "{what}: {code}");
            }
        }
    }
}

#[test]
fn many_host_ports() {
    // With its containerPort and in its list a port is three elements.
    let ports: Vec<Json> =
        (0..60_000).map(|n| json!({ "containerPort": 1, "hostPort": n % 65_535 + 1 })).collect();
    let mut pod = pod();
    pod["spec"]["containers"][0]["ports"] = json!(ports);
    is_bounded("60,000 host ports", &pod);
}

#[test]
fn many_containers_that_lack_everything() {
    let containers =
        |count: usize| json!((0..count).map(|n| json!({ "name": format!("c{n}") })).collect::<Vec<_>>());
    is_bounded("1,000 containers", &json!({ "spec": { "containers": containers(1_000) } }));
    is_bounded(
        "500 containers of two kinds",
        &json!({ "spec": { "containers": containers(500), "initContainers": containers(500) } }),
    );
    let with = |security: Json| -> Json {
        (0..500)
            .map(
                |n| json!({ "name": "n".repeat(1_000), "image": n.to_string(), "securityContext": security }),
            )
            .collect()
    };
    let worst = with(json!({ "privileged": true, "runAsUser": 0, "procMount": "x".repeat(500),
        "capabilities": { "add": (0..100).map(|n| format!("CAP_{n}")).collect::<Vec<_>>() } }));
    is_bounded("500 containers with long names and values", &json!({ "spec": { "containers": worst } }));
}

#[test]
fn many_annotations() {
    let annotations: serde_json::Map<String, Json> = (0..100_000)
        .map(|n| (format!("container.apparmor.security.beta.kubernetes.io/c{n}"), json!("unconfined")))
        .collect();
    let mut many = pod();
    many["metadata"]["annotations"] = annotations.into();
    is_bounded("100,000 AppArmor annotations", &many);
}

#[test]
fn long_annotations() {
    let annotations: serde_json::Map<String, Json> = (0..60)
        .map(|n| {
            (
                format!("container.apparmor.security.beta.kubernetes.io/{n}{}", "k".repeat(50_000)),
                json!("unconfined"),
            )
        })
        .collect();
    let mut many = pod();
    many["metadata"]["annotations"] = annotations.into();
    is_bounded("60 AppArmor annotations with keys of 50,000 bytes", &many);
}

#[test]
fn many_capabilities() {
    let names: Vec<String> = (0..90_000).map(|n| format!("CAPABILITY_NUMBER_{n}")).collect();
    for list in ["add", "drop"] {
        let mut many = pod();
        many["spec"]["containers"][0]["securityContext"]["capabilities"] = json!({ list: names });
        is_bounded(&format!("90,000 capabilities to {list}"), &many);
    }
}

#[test]
fn many_volumes_and_sysctls() {
    let volumes: Vec<Json> =
        (0..60_000).map(|n| json!({ "name": n.to_string(), "hostPath": { "path": "/" } })).collect();
    is_bounded("60,000 hostPath volumes", &pod_with("volumes", json!(volumes)));
    let sysctls: Vec<Json> = (0..60_000).map(|n| json!({ "name": format!("x.{n}"), "value": "1" })).collect();
    let mut many = pod();
    many["spec"]["securityContext"]["sysctls"] = json!(sysctls);
    is_bounded("60,000 sysctls", &many);
}
