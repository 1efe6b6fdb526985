//! JSON at its limits: strings, depth, counts, types, numbers and `null`.

use serde_json::Value as Json;

use super::Expected::{Allowed, Failed, Refused, Unanswered};
use super::{assert_outcome, before_uid, request, review, text, with_request, with_spec};

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
        assert_outcome(&what, spliced(with_request(r#""x":"@","#), bytes), Failed(400));
        assert_outcome(&what, spliced(with_request(r#""x@":1,"#), bytes), Failed(400));
        assert_outcome(&what, spliced(with_request(r#""name":"@","#), bytes), Failed(400));
        assert_outcome(&what, spliced(with_spec(r#""nodeName":"@","#), bytes), Failed(400));
        assert_outcome(&what, spliced(with_spec(r#""serviceAccountName":"@","#), bytes), Failed(400));
        assert_outcome(&what, spliced(before_uid(r#""x":"@","#), bytes), Unanswered);
        assert_outcome(&what, [with_request("").as_bytes(), bytes].concat(), Failed(400));
    }
    for escape in
        [r"\ud800", r"\udc00", r"\ud83d\u0041", r"\ud83dA", r"\q", r"\u12", r"\u00zz", "\u{1}", "\n"]
    {
        assert_outcome(escape, with_request(&format!(r#""x":"{escape}","#)), Failed(400));
        assert_outcome(escape, with_request(&format!(r#""x{escape}":1,"#)), Failed(400));
        assert_outcome(escape, with_request(&format!(r#""name":"{escape}","#)), Failed(400));
        assert_outcome(escape, with_spec(&format!(r#""serviceAccountName":"{escape}","#)), Failed(400));
        assert_outcome(escape, with_spec(&format!(r#""{escape}":1,"#)), Failed(400));
        assert_outcome(escape, before_uid(&format!(r#""x":"{escape}","#)), Unanswered);
        // Nobody reads this one, and its escapes are not undone.
        let annotated = format!(r#""metadata":{{"annotations":{{"a":"\"{escape}"}}}}"#);
        assert_outcome(
            escape,
            with_request("").replace(r#""metadata":{"name":"p"}"#, &annotated),
            Failed(400),
        );
    }
    assert_outcome("a pair", with_request(r#""x":"\ud83d\ude00","#), Allowed);
}

#[test]
fn too_deep() {
    let nested =
        |open: &str, close: &str, depth: usize| format!("{}0{}", open.repeat(depth), close.repeat(depth));
    // The review, the request, the object and the spec are four.
    for (open, close) in [("[", "]"), (r#"{"a":"#, "}")] {
        for depth in [60, 61, 100, 9_996] {
            assert_outcome(
                "in the spec",
                with_spec(&format!(r#""x":{},"#, nested(open, close, depth))),
                Allowed,
            );
        }
        assert_outcome(
            "one more",
            with_spec(&format!(r#""x":{},"#, nested(open, close, 9_997))),
            Failed(400),
        );
        assert_outcome(
            "in the request",
            with_request(&format!(r#""x":{},"#, nested(open, close, 9_998))),
            Allowed,
        );
        assert_outcome(
            "one more",
            with_request(&format!(r#""x":{},"#, nested(open, close, 9_999))),
            Failed(400),
        );
        let million = nested(open, close, 1_000_000);
        assert_outcome("a million", with_spec(&format!(r#""x":{million},"#)), Failed(400));
        assert_outcome("a million", with_request(&format!(r#""x":{million},"#)), Failed(400));
        assert_outcome("a million", with_request(&format!(r#""oldObject":{million},"#)), Failed(400));
        assert_outcome("a million first", before_uid(&format!(r#""x":{million},"#)), Unanswered);
    }
    assert_outcome("never closed", with_request(&format!(r#""x":{}"#, "[".repeat(1_000_000))), Failed(400));
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
            assert_outcome(&format!("{what} {place}"), body, Failed(413));
        }
        assert_outcome(what, before_uid(&format!(r#""x":{value},"#)), Unanswered);
    }
    for key in ["volumes", "tolerations", "imagePullSecrets", "initContainers"] {
        assert_outcome(key, with_spec(&format!(r#""{key}":{},"#, list("{}", OVER))), Failed(413));
    }
    let containers = |count| text("", &format!(r#""containers":{}"#, list("{}", count)));
    assert_outcome("a million containers", containers(1_000_000), Failed(413));
    assert_outcome("501 containers", containers(501), Failed(413));
    assert_outcome("500 containers", containers(500), Refused);
    assert_outcome(
        "501 init containers",
        with_spec(&format!(r#""initContainers":{},"#, list("{}", 501))),
        Failed(413),
    );
    assert_outcome(
        "501 ephemeral ones",
        with_spec(&format!(r#""ephemeralContainers":{},"#, list("{}", 501))),
        Failed(413),
    );
    let env = format!(r#""containers":[{{"name":"c","env":{}}}]"#, list("{}", OVER));
    assert_outcome("env", text("", &env), Failed(413));
    assert_outcome("many, but not too many", with_spec(&format!(r#""x":{},"#, list("0", 150_000))), Allowed);
}

/// Members of a spec, each with a value of the wrong type.
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
        assert_outcome(member, with_spec(&format!("{member},")), Failed(400));
    }
    for member in [r#""securityContext":[]"#, r#""securityContext":{"sysctls":{}}"#, r#""containers":"x""#] {
        assert_outcome(member, text("", member), Failed(400));
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
        assert_outcome(members, with_request(members), Failed(400));
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
        assert_outcome(new, good.replacen(old, new, 1), Failed(400));
    }
    for value in ["\"x\"", "[]", "7", "true"] {
        let mut of_request = request("CREATE", "", &Json::Null, &Json::Null);
        of_request["object"] = serde_json::from_str(value).unwrap();
        assert_outcome(value, review(&of_request), Failed(400));
        // The object comes before the kind that says how to read it.
        assert_outcome(
            value,
            before_uid("").replacen(r#""object":{"#, &format!(r#""object":{value},"x":{{"#), 1),
            Failed(400),
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
        assert_outcome(number, with(number), Failed(400));
        let in_port = format!(r#""initContainers":[{{"ports":[{{"hostPort":{number}}}]}}],"#);
        assert_outcome(number, with_spec(&in_port), Failed(400));
    }
    assert_outcome(
        "no number of 32 bits",
        with_spec(r#""initContainers":[{"ports":[{"hostPort":2147483648}]}],"#),
        Failed(400),
    );
    assert_outcome("root", with("-0"), Refused);
    for number in ["1e400", "-0.0", "1E+5", digits.as_str()] {
        assert_outcome("where nobody reads it", with_request(&format!(r#""x":{number},"#)), Allowed);
    }
    for number in ["0x10", "01", "NaN", "1.", "--1"] {
        assert_outcome(
            "no JSON, where nobody reads it",
            with_request(&format!(r#""x":{number},"#)),
            Failed(400),
        );
    }
}

#[test]
fn null_is_absent() {
    let nothing = r#""volumes":null,"initContainers":null,"ephemeralContainers":null,"os":null,"hostNetwork":null,"hostUsers":null,"serviceAccountName":null,"#;
    assert_outcome("in the spec", with_spec(nothing), Allowed);
    assert_outcome(
        "in the request",
        with_request(r#""name":null,"kind":null,"subResource":null,"dryRun":null,"oldObject":null,"#),
        Allowed,
    );
    let container = r#""securityContext":{"runAsNonRoot":true,"seccompProfile":{"type":"RuntimeDefault"},"sysctls":null,"windowsOptions":null,"seLinuxOptions":null},"containers":[{"name":"c","image":null,"ports":null,"env":null,"livenessProbe":null,"lifecycle":null,"securityContext":{"privileged":null,"procMount":null,"runAsUser":null,"allowPrivilegeEscalation":false,"capabilities":{"add":null,"drop":["ALL"]}}}]"#;
    assert_outcome("in the container", text("", container), Allowed);
    let without = r#""securityContext":null,"containers":[{"name":"c","securityContext":null}]"#;
    assert_outcome("what is asked for", text("", without), Refused);
    let items = r#""containers":[null],"volumes":[null]"#;
    assert_outcome("as items", text("", items), Refused);
}
