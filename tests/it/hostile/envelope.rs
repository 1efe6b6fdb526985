//! The envelope: what is not a review, trailing data, repeated keys, and kinds and versions that do not fit.

use podgate::admission::Webhook;
use serde_json::{Value as Json, json};

use super::Expected::{Allowed, Failed, Refused, Unanswered};
use super::{
    UID, WEBHOOKS, assert_outcome, bad_pod, before_uid, create, outcome, pod, real_review, request, review,
    with_request, with_spec,
};

#[test]
fn the_reviews_that_are_spoilt_below_are_sound() {
    assert_outcome("good", create(&pod()), Allowed);
    assert_outcome("good, by its text", with_spec(""), Allowed);
    assert_outcome("good, with an unknown member", with_request(r#""x":[{"y":null}],"#), Allowed);
    assert_outcome("good, with an unknown member first", before_uid(r#""x":1,"#), Allowed);
    assert_outcome("bad", create(&bad_pod()), Refused);
    assert_outcome("bad, by its text", with_spec(r#""hostPID":true,"#), Refused);
    let body = real_review();
    for webhook in WEBHOOKS {
        assert_eq!(outcome("real", webhook, &body).0, Allowed);
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
        assert_outcome(body, body, Unanswered);
    }
    assert_outcome("a byte order mark", [b"\xef\xbb\xbf", good.as_bytes()].concat(), Unanswered);
    assert_outcome("UTF-16", good.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>(), Unanswered);
    assert_outcome("a uid of 10 KB", good.replace(UID, &"u".repeat(10_000)), Unanswered);
    assert_outcome("a uid of 257 bytes", good.replace(UID, &"u".repeat(257)), Unanswered);
    for uid in ["u".repeat(256), "a b<&>'/\u{7e}".into(), "{}".into()] {
        for webhook in WEBHOOKS {
            let (found, response) = outcome(&uid, webhook, good.replace(UID, &uid).as_bytes());
            assert_eq!((found, response["uid"].as_str()), (Allowed, Some(uid.as_str())));
        }
    }
}

#[test]
fn a_second_document_is_refused() {
    for rest in ["{}", "null", ",", "}", "x", "\u{feff}", "\0"] {
        assert_outcome(rest, create(&pod()) + rest, Failed(400));
        assert_outcome(rest, format!("{}\n{rest}", create(&bad_pod())), Failed(400));
    }
    assert_outcome("white space", create(&pod()) + " \r\n\t ", Allowed);
}

#[test]
fn cut_off_at_every_byte() {
    for body in [real_review(), create(&bad_pod()).into_bytes()] {
        let text = std::str::from_utf8(&body).unwrap();
        let start = text.find(r#""uid":""#).unwrap() + r#""uid":""#.len();
        let known_from = start + text[start..].find('"').unwrap() + 1;
        for length in 0..body.len() {
            let expected = if length < known_from { Unanswered } else { Failed(400) };
            for webhook in WEBHOOKS {
                let (found, response) = outcome("cut off", webhook, &body[..length]);
                assert_eq!(found, expected, "{webhook:?} at {length}: {response}");
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
                // `outcome` asserts the form and size of the answer, and that it leaks nothing.
                outcome(&format!("byte {byte} at {at}"), webhook, &changed);
            }
        }
    }
}

#[test]
fn repeated_keys() {
    for (spec, expected) in [
        (r#""hostNetwork":true,"hostNetwork":false,"#, Failed(400)),
        (r#""hostNetwork":false,"hostNetwork":false,"#, Failed(400)),
        (r#""hostNetwork":true,"\u0068ostNetwork":false,"#, Failed(400)),
        (r#""\u0068ostNetwork":true,"#, Refused),
        (r#""os":{"future":1,"name":"linux","future":2},"#, Failed(400)),
        (r#""nodeSelector":{"a":"b","a":"c"},"#, Failed(400)),
        (r#""future":1,"future":1,"#, Failed(400)),
        (r#""volumes":null,"volumes":[],"#, Failed(400)),
        (r#""containers":[],"#, Failed(400)),
        (r#""volumes":[{"name":"v","emptyDir":{},"hostPath":{"path":"/"},"emptyDir":{}}],"#, Failed(400)),
    ] {
        assert_outcome(spec, with_spec(spec), expected);
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
        r#""userInfo":{"groups":[],"groups":[]},"#,
        r#""oldObject":{"metadata":{"name":"p"},"metadata":{"name":"p"}},"#,
        r#""object":{"spec":{},"spec":{}},"#,
    ] {
        assert_outcome(members, with_request(members), Failed(400));
    }
    let envelope = |rest: &str| format!("{}{rest}", with_request("").strip_suffix('}').unwrap());
    assert_outcome("kind", envelope(r#","kind":"AdmissionReview"}"#), Failed(400));
    assert_outcome("unknown", envelope(r#","a":1,"a":1}"#), Failed(400));
    // With two uids, nobody knows which one the API server waits for.
    for members in [r#""uid":"other","#, r#""\u0075id":"other","#] {
        assert_outcome(members, with_request(members), Unanswered);
    }
    assert_outcome("two requests", envelope(r#","request":{"uid":"other"}}"#), Unanswered);
    assert_outcome("two requests", envelope(r#","\u0072equest":null}"#), Unanswered);
    assert_outcome("repeated before the uid", before_uid(r#""x":1,"x":2,"#), Unanswered);
}

/// Every object of which anything is read, and in each both a key that is known and one that is not.
#[test]
fn repeated_keys_in_every_object_that_is_read() {
    const OBJECTS: [(&str, &str); 24] = [
        (r#""metadata":{@}"#, "name"),
        (r#""metadata":{"labels":{@}}"#, "a"),
        (r#""metadata":{"annotations":{@}}"#, "a"),
        (r#""metadata":{"ownerReferences":[{@}]}"#, "uid"),
        (r#""spec":{@}"#, "serviceAccountName"),
        (r#""spec":{"os":{@}}"#, "name"),
        (r#""spec":{"securityContext":{@}}"#, "runAsUserName"),
        (r#""spec":{"securityContext":{"windowsOptions":{@}}}"#, "runAsUserName"),
        (r#""spec":{"securityContext":{"sysctls":[{@}]}}"#, "name"),
        (r#""spec":{"securityContext":{"seLinuxOptions":{@}}}"#, "type"),
        (r#""spec":{"securityContext":{"seccompProfile":{@}}}"#, "type"),
        (r#""spec":{"volumes":[{@}]}"#, "name"),
        (r#""spec":{"volumes":[{"hostPath":{@}}]}"#, "path"),
        (r#""spec":{"volumes":[{"emptyDir":{@}}]}"#, "medium"),
        (r#""spec":{"initContainers":[{@}]}"#, "image"),
        (r#""spec":{"containers":[{@}]}"#, "image"),
        (r#""spec":{"ephemeralContainers":[{@}]}"#, "image"),
        (r#""spec":{"containers":[{"securityContext":{@}}]}"#, "procMount"),
        (r#""spec":{"containers":[{"securityContext":{"capabilities":{@}}}]}"#, "future"),
        (r#""spec":{"containers":[{"ports":[{@}]}]}"#, "name"),
        (r#""spec":{"containers":[{"volumeMounts":[{@}]}]}"#, "name"),
        (r#""spec":{"containers":[{"livenessProbe":{@}}]}"#, "future"),
        (r#""spec":{"containers":[{"lifecycle":{"preStop":{"httpGet":{@}}}}]}"#, "host"),
        (r#""spec":{"containers":[{"lifecycle":{"postStart":{"tcpSocket":{@}}}}]}"#, "host"),
    ];
    for (object, known) in OBJECTS {
        for key in [known, "unknown"] {
            let spelt = |first: &str, second: &str| {
                let members = format!(r#""{first}":"x","between":"y","{second}":"x""#);
                let object = format!(r#""object":{{{}}}"#, object.replace('@', &members));
                with_request("")
                    .replace(r#""object":{"metadata":{"name":"p"},"#, &format!("{object},\"x\":{{"))
            };
            let (one, rest) = key.split_at(1);
            let escaped = format!(r"\u{:04x}{rest}", one.chars().next().map_or(0, u32::from));
            let (found, response) = outcome(object, Webhook::Validate, spelt(key, "other").as_bytes());
            assert_ne!(found, Failed(400), "not for its keys: {response}");
            for (first, second) in [(key, key), (key, escaped.as_str()), (escaped.as_str(), key)] {
                assert_outcome(
                    &format!("{first} and {second} in {object}"),
                    spelt(first, second),
                    Failed(400),
                );
            }
        }
    }
}

/// No verdict depends on it.
#[test]
fn repeated_keys_in_what_nobody_reads() {
    for spec in [
        r#""tolerations":[{"key":"a","key":"b"}],"#,
        r#""future":{"a":1,"\u0061":2},"#,
        r#""affinity":{"nodeAffinity":{"a":[{"b":{},"b":{"c":1,"c":2}}]}},"#,
    ] {
        assert_outcome(spec, with_spec(spec), Allowed);
    }
    for members in [r#""x":[[{"y":{"z":1,"z":1}}]],"#, r#""options":{"a":1,"a":1},"#] {
        assert_outcome(members, with_request(members), Allowed);
    }
    // It is JSON all the same.
    for members in
        [r#""x":{"a":1,"a":},"#, r#""x":{"a":1,"a"},"#, r#""x":{"a":1,"a":"\q"},"#, r#""x":{"a":1 "a":1},"#]
    {
        assert_outcome(members, with_request(members), Failed(400));
    }
}

/// A path that only looks like the uid's.
#[test]
fn repeated_keys_with_dots_are_not_the_uid() {
    let review = with_request("");
    let body = format!(r#"{},"request.uid":1,"request.uid":2}}"#, review.strip_suffix('}').unwrap());
    assert_outcome("request.uid", body, Failed(400));
}

#[test]
fn keys_of_another_case_are_not_the_key() {
    for spec in [r#""hostnetwork":true,"#, r#""HostPID":false,"#, r#""Volumes":[],"#, r#""CONTAINERS":[],"#] {
        assert_outcome(spec, with_spec(spec), Failed(400));
    }
    for members in [r#""UID":"other","#, r#""Operation":"DELETE","#, r#""oldobject":null,"#] {
        assert_outcome(members, with_request(members), Failed(400));
    }
    assert_outcome(
        "Kind",
        with_request("").replace(r#""kind":"AdmissionReview""#, r#""Kind":"AdmissionReview""#),
        Unanswered,
    );
    assert_outcome("far from any", with_spec(r#""host_network":true,"#), Allowed);
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
        assert_outcome(&format!("{old} {new}"), good.replacen(old, new, 1), Failed(400));
    }
}

/// The kind says that it is a pod; the resource is one that has no pods.
#[test]
fn a_pod_under_the_name_of_another_resource() {
    for resource in ["namespaces", "serviceaccounts"] {
        let mut request = request("CREATE", "", &bad_pod(), &Json::Null);
        request["resource"]["resource"] = json!(resource);
        assert_outcome(resource, review(&request), Failed(400));
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
        assert_outcome("good", body(&pod()), Allowed);
        assert_outcome("bad", body(&bad_pod()), Refused);
    }
}
