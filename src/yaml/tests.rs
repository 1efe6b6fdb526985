//! What texts read as, and where the values in them stand.

use std::iter;

use proptest::prelude::*;

use super::*;
use crate::path::{Path, Step};

/// What a text reads as, a document or fault an item.
fn readings(text: &str) -> Vec<String> {
    let reading = |document: Result<Document, YamlError>| match document {
        Ok(document) => String::from_utf8(document.root.to_json()).unwrap(),
        Err(fault) => format!("{}:{}: {}", fault.line, fault.column, fault.message),
    };
    read(text).into_iter().map(reading).collect()
}

fn fault(text: &str) -> String {
    match readings(text).as_slice() {
        [fault] => fault.clone(),
        readings => panic!("{text:?} reads as {readings:?}"),
    }
}

fn document(text: &str) -> Document {
    match read(text).as_slice() {
        [Ok(document)] => document.clone(),
        documents => panic!("{text:?} reads as {documents:?}"),
    }
}

#[test]
fn structures_as_go_reads_them() {
    let table = [
        ("a: b\nc:\n- 1\n- x: w\n  z:\n", r#"{"a":"b","c":[1,{"x":"w","z":null}]}"#),
        (
            "a: |\n  one\n   two\n\nb: >-\n  one\n  two\n\n  three\n",
            r#"{"a":"one\u000a two\u000a","b":"one two\u000athree"}"#,
        ),
        ("a: |+\n  x\n\nb: |2-\n    y", r#"{"a":"x\u000a\u000a","b":"  y"}"#),
        ("a: |\n  x", r#"{"a":"x\u000a"}"#),
        ("a: \"x\r\n  y\"\r\nb: |\r\n  1\r\n  2\r\n", r#"{"a":"x y","b":"1\u000a2\u000a"}"#),
        ("a: \"\\x41\\u00e9\\U0001F600\\n\\\"\\/\"\nb: 'it''s'", r#"{"a":"Aé😀\u000a\"/","b":"it's"}"#),
        ("{a: [b, {c: d}], \"e\":f}", r#"{"a":["b",{"c":"d"}],"e":"f"}"#),
        ("? a\n: b\n? c", r#"{"a":"b","c":null}"#),
        ("a: b:c\nd: e#f\ng: h #i", r#"{"a":"b:c","d":"e#f","g":"h"}"#),
        ("a: x\n  y\n\n  z", r#"{"a":"x y\u000az"}"#),
        ("- - a\n  - b\n- [c]", r#"[["a","b"],["c"]]"#),
        ("a: &x {b: c}\nd: *x\ne: &y f\n*y : g", r#"{"a":{"b":"c"},"d":{"b":"c"},"e":"f","f":"g"}"#),
        ("a: &x 1\nb: &x 2\nc: *x", r#"{"a":1,"b":2,"c":2}"#),
    ];
    for (text, json) in table {
        assert_eq!(readings(text), [json], "{text:?}");
    }
}

/// The further lines of quoted text, and what is in brackets, stand at any column.
#[test]
fn indentation_as_go_takes_it() {
    let table = [
        ("a:\n  - 'x\n\ny'\nb: 1", r#"{"a":["x\u000ay"],"b":1}"#),
        ("a:\n  b: \"x\ny\n \t z\"\nc: 1", r#"{"a":{"b":"x y z"},"c":1}"#),
        ("a:\n  b: 'x\n# y\n- z: w\n --- v'", r#"{"a":{"b":"x # y - z: w --- v"}}"#),
        ("a:\n    b: \"x\\\n  y\\\n\n\n z\"", r#"{"a":{"b":"xy\u000a\u000az"}}"#),
        ("a: \"x \\\n y \\\n\tz\\t\\\n\"", r#"{"a":"x y z\u0009"}"#),
        ("a:\n  b: '\n'\n  c: \"\n\n\"", r#"{"a":{"b":" ","c":"\u000a"}}"#),
        ("a:\n  b: ['x\ny', {c:\n 1,\nd: [\n]\n}]\ne: f", r#"{"a":{"b":["x y",{"c":1,"d":[]}]},"e":"f"}"#),
        ("a:\n  b: [x\ny,\n\tz]\nc: {d:\n1}", r#"{"a":{"b":["x y","z"]},"c":{"d":1}}"#),
        ("a:\n- 'x\n  y'\n-\n - z", r#"{"a":["x y",["z"]]}"#),
        ("a: 'x\r\ny'\r\nb: z", r#"{"a":"x y","b":"z"}"#),
    ];
    for (text, json) in table {
        assert_eq!(readings(text), [json], "{text:?}");
    }
    // kubectl divides documents within quotes, too.
    assert_eq!(readings("a: 'x\n---\nb: y'"), ["1:4: unclosed quote '", r#"{"b":"y'"}"#]);
}

/// What follows on quoted text is where it is, however its lines stand.
#[test]
fn places_behind_quoted_text() {
    let text = "a:\n  b: 'x\ny' # é\n  c: \"é\né\"\n  d: [\"\n\", e]\n";
    let root = document(text).root;
    for (dotted, written, line, column) in
        [("a.b", "'x\ny'", 2, 6), ("a.c", "\"é\né\"", 4, 6), ("a.d.1", "e", 7, 4)]
    {
        let span = root.locate(&path(dotted)).span;
        assert_eq!(
            (&text[span.start..span.end], span.line, span.column),
            (written, line, column),
            "{dotted}"
        );
    }
}

#[test]
fn merges_as_go_does_them() {
    let anchors = "m: &m {a: 1, b: 2}\nn: &n {b: 3, c: 4}\n";
    let table = [
        ("{<<: *m, a: 9}", r#"{"b":2,"a":9}"#),
        // A merge that follows wins over what is written out.
        ("{a: 9, <<: *m}", r#"{"a":1,"b":2}"#),
        ("{<<: [*m, *n]}", r#"{"c":4,"a":1,"b":2}"#),
        ("{<<: [*n, {a: 8}]}", r#"{"a":8,"b":3,"c":4}"#),
        ("{<<: {<<: *m, a: 7}}", r#"{"b":2,"a":7}"#),
        ("{<<: *m, <<: *n}", r#"{"a":1,"b":3,"c":4}"#),
        ("{<<: []}", "{}"),
        ("{'<<': x}", r#"{"<<":"x"}"#),
        ("{x: <<}", r#"{"x":"<<"}"#),
    ];
    for (text, json) in table {
        let document = document(&format!("{anchors}t: {text}"));
        let merged = document.root.locate(&path("t")).node.to_json();
        assert_eq!(String::from_utf8(merged).unwrap(), json, "{text:?}");
    }
    for text in ["<<: x", "<<:", "l: &l [{}]\n<<: *l", "<<: [[{}]]"] {
        assert!(fault(text).ends_with("`<<` takes a mapping or a list of mappings"), "{text:?}");
    }
    assert_eq!(fault("! '<<': {a: b}"), "1:3: `<<` cannot have a tag; leave it out");
}

#[test]
fn documents_of_a_stream() {
    let table: &[(&str, &[&str])] = &[
        ("", &[]),
        ("# nothing\n\n---\n# here\n---\n---", &[]),
        ("a: 1\n---\n# c\n--- # d\nb: 2\n", &[r#"{"a":1}"#, r#"{"b":2}"#]),
        ("--- {a: 1}\n---\n- b\n...\n# c\n---\n- c", &[r#"{"a":1}"#, r#"["b"]"#, r#"["c"]"#]),
        ("--- |\n x\n", &[r#""x\u000a""#]),
        ("a: 1\n...\nb: 2", &[r#"{"a":1}"#, r#"{"b":2}"#]),
        ("%YAML 1.1\n# c\n---\na: 1\n---\nb: 2", &[r#"{"a":1}"#, r#"{"b":2}"#]),
        ("a: 1\n...\n%YAML 1.1\n---\nb: 2", &[r#"{"a":1}"#, r#"{"b":2}"#]),
        ("\u{feff}a: 1", &[r#"{"a":1}"#]),
        ("null", &["null"]),
        ("a: |\n---\nb: 2", &[r#"{"a":""}"#, r#"{"b":2}"#]),
    ];
    for (text, documents) in table {
        assert_eq!(&readings(text), documents, "{text:?}");
    }
}

#[test]
fn reading_goes_on_behind_a_fault() {
    let text = "a: 1\n---\nb: [\n---\nc: {d: 1, d: 2}\n---\ne: 5\n";
    assert_eq!(
        readings(text),
        [
            r#"{"a":1}"#,
            "3:4: unclosed bracket '['",
            "5:11: the key `d` is set twice, on line 5 and on line 5",
            r#"{"e":5}"#
        ]
    );
}

#[test]
fn json_as_its_own_decoder_reads_it() {
    let table: &[(&str, &[&str])] = &[
        ("{\n\t\"a\":\t[1,\n\t\t2]\n}", &[r#"{"a":[1,2]}"#]),
        (r#"{"a":"\uD83D\uDE00\/\u0041\t"}"#, &[r#"{"a":"😀/A\u0009"}"#]),
        ("{\"a\":1}{\"b\":2}\n\t{\"c\"\n:3}", &[r#"{"a":1}"#, r#"{"b":2}"#, r#"{"c":3}"#]),
        ("{\"a\":1}\n---\nb: yes\n", &[r#"{"a":1}"#, r#"{"b":true}"#]),
        (r#"{"a":1.0,"b":1e3,"c":-0.0,"d":1e21}"#, &[r#"{"a":1,"b":1000,"c":-0,"d":1e+21}"#]),
        ("{\"<<\":{\"a\":\"\u{2028}{{x}}\"}} # c", &["{\"<<\":{\"a\":\"\u{2028}{{x}}\"}}"]),
        (r#"{"a":1e400}"#, &["1:6: `1e400` is out of the range of numbers"]),
        (r#"{"a":1,"a":2}"#, &["1:8: the key `a` is set twice, on line 1 and on line 1"]),
        ("{\"a\":1}\n{\"b\":2}\n{\"c\"", &[r#"{"a":1}"#, r#"{"b":2}"#, "3:1: unclosed bracket '{'"]),
        ("{a: yes}", &[r#"{"a":true}"#]),
    ];
    for (text, documents) in table {
        assert_eq!(&readings(text), documents, "{text:?}");
    }
    let long = format!(r#"{{"{}":1}}"#, "k".repeat(5000));
    assert_eq!(readings(&long), [long]);
}

#[test]
fn faults_and_their_places() {
    let table = [
        ("a: 1\nb: 2\na: 3", "3:1: the key `a` is set twice, on line 1 and on line 3"),
        ("yes: 1\n'true': 2", "2:1: the key `true` is set twice, on line 1 and on line 2"),
        ("é: *x", "1:4: there is no such anchor before this alias"),
        ("a: &a [*a]", "1:8: this alias stands inside its own anchor"),
        ("a: &a {b: {<<: *a}}", "1:16: this alias stands inside its own anchor"),
        ("a: &b.c d", "1:4: the anchor name `b.c` may hold letters, digits, `-` and `_` only"),
        ("a:\n\t- b", "2:1: a tab cannot indent; use spaces"),
        (
            "a\n---x\nb",
            "2:1: a line that starts with `---` divides documents; put a space or nothing behind it",
        ),
    ];
    for (text, message) in table {
        assert_eq!(readings(text).last().unwrap(), message, "{text:?}");
    }
}

/// Each is taken by both YAML 1.1 and YAML 1.2, with different meanings.
#[test]
fn what_versions_of_yaml_disagree_on_is_refused() {
    let other_line =
        "ends a line for kubectl but not for other readers; remove it, or escape it in double quotes";
    assert_eq!(fault("a: 1 # \u{2028}privileged: true"), format!("1:8: the character U+2028 {other_line}"));
    assert_eq!(fault("é: \u{85}b: c"), format!("1:4: the character U+0085 {other_line}"));
    for text in ["{?privileged: yes}", "{a: [b:]}", "{privileged:, a: b}", "[!!str :a]"] {
        assert!(fault(text).ends_with("is read differently by kubectl and others; quote it"), "{text:?}");
    }
    for text in ["[!a,b c]", "!a%62 c", "[!a]"] {
        assert!(fault(text).ends_with("is read differently by kubectl and others; leave it out"), "{text:?}");
    }
    for text in ["a: b\0c", "a: b\n\u{feff}c: d", "a: \u{7}", "a: 1\rb: 2"] {
        assert!(fault(text).ends_with("remove it, or escape it in double quotes"), "{text:?}");
    }
}

#[test]
fn templates() {
    let hint =
        |line| format!("; line {line} looks like an unrendered template: render it first (`helm template`)");
    let texts = [
        ("{{ .Values.x }}", 1),
        ("a: 1\nb: {{ .Values.x }}", 2),
        ("a: {{ .x }}-y\nb: 1", 1),
        ("a:\n  {{- toYaml .x | nindent 2 }}\n", 2),
        ("{{- if .x }}\na: b\n{{- end }}\n", 1),
        ("a:\n- {{ .x }}\n", 2),
        ("{% for x in y %}\na: b\n{% endfor %}\n", 1),
    ];
    for (text, line) in texts {
        assert!(fault(text).ends_with(&hint(line)), "{text:?}: {}", fault(text));
    }
    assert_eq!(readings("a: '{{x}}' # b: {{y}}"), [r#"{"a":"{{x}}"}"#]);
    assert_eq!(fault("a: '{{x}}'\n# {{y}}\nb: ["), "3:4: unclosed bracket '['");
}

#[test]
fn aliases_are_bounded() {
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..30 {
        let alias = format!("*a{}", level - 1);
        bomb += &format!("a{level}: &a{level} [{}]\n", vec![alias; 10].join(", "));
    }
    let message = "aliases copy more than a manifest can hold; write fewer of them";
    assert!(fault(&bomb).ends_with(message));
    // The bound holds for all documents of a text together.
    let most = format!("a: &a [{}]\nb: [{}]\n", ["x"; 99].join(", "), ["*a"; 600].join(", "));
    assert!(readings(&format!("{most}---\n{most}")).last().is_some_and(|fault| fault.ends_with(message)));
    assert_eq!(readings(&most).len(), 1);
    let long = format!("a: &a {}\nb: [{}]", "x".repeat(1 << 20), ["*a"; 4].join(", "));
    assert!(fault(&long).ends_with(message));
}

#[test]
fn depth_is_bounded() {
    let nested = |depth: usize| format!("{}x{}", "[".repeat(depth), "]".repeat(depth));
    assert_eq!(readings(&nested(64)), [nested(64).replace('x', "\"x\"")]);
    let message = "lists and mappings nest deeper than 64 levels";
    for text in [nested(65), nested(100_000), "- ".repeat(100_000), "{\"a\":".repeat(100_000)] {
        assert!(fault(&text).ends_with(message));
    }
    let aliased = format!("a: &a {}\nb: {}*a{}", nested(40), "[".repeat(40), "]".repeat(40));
    assert!(fault(&aliased).ends_with(message));
}

const POD: &str = "\
# é
apiVersion: v1
spec: &spec
  hostNetwork: yes
  empty:
  containers:
  - image: é
    name: 'm\u{e4}in' # c
    args: [a, \"b\"]
  - &bare
    securityContext: {privileged: true}
  volumes:
  - - nested
copy: *spec
merged:
  <<: *spec
  own: |
    line
    line
";

/// Parses `spec.containers.0` into steps.
fn path(dotted: &str) -> Path<'_> {
    let parts = dotted.split('.').filter(|part| !part.is_empty());
    parts.map(|part| part.parse().map_or_else(|_| part.into(), Step::Index)).collect()
}

/// What a path leads to: text, line and column, and whether the path goes all the way.
const PLACES: &[(&str, &str, usize, usize, bool)] = &[
    ("apiVersion", "v1", 2, 13, true),
    ("spec", "spec", 3, 1, true),
    ("spec.hostNetwork", "yes", 4, 16, true),
    ("spec.empty", "empty", 5, 3, true),
    ("spec.empty.x", "empty", 5, 3, false),
    ("spec.containers.0", "name: 'mäin'", 8, 5, true),
    ("spec.containers.0.name", "'mäin'", 8, 11, true),
    ("spec.containers.0.securityContext.x", "name: 'mäin'", 8, 5, false),
    ("spec.containers.0.args.1", "\"b\"", 9, 15, true),
    ("spec.containers.0.args.2", "args", 9, 5, false),
    ("spec.containers.1", "securityContext", 11, 5, true),
    ("spec.containers.1.securityContext.privileged", "true", 11, 35, true),
    ("spec.containers.2", "containers", 6, 3, false),
    ("spec.volumes.0", "nested", 13, 7, true),
    ("merged.own", "line\n    line", 18, 5, true),
    ("absent.x", "apiVersion: v1", 2, 1, false),
    ("0", "apiVersion: v1", 2, 1, false),
    ("", "apiVersion: v1", 2, 1, true),
];

#[test]
fn places() {
    for text in [POD.to_owned(), format!("\u{feff}{POD}"), format!("# c\n---\n{POD}").replace('\n', "\r\n")] {
        let before = usize::from(text.contains("---")) * 2;
        let document = document(&text);
        assert_eq!(document.line, 2 + before);
        for (dotted, written, line, column, exact) in PLACES {
            let located = document.root.locate(&path(dotted));
            let span = located.span;
            assert_eq!(text[span.start..span.end].replace('\r', ""), *written, "{dotted}");
            assert_eq!(
                (span.line - before, span.column, located.exact),
                (*line, *column, *exact),
                "{dotted}"
            );
        }
    }
}

#[test]
fn places_through_aliases() {
    let document = document(POD);
    for (dotted, line, alias_line) in [
        ("copy.hostNetwork", 4, Some(14)),
        ("merged.hostNetwork", 4, Some(16)),
        ("copy.absent", 14, Some(14)),
        ("merged.absent", 15, None),
        ("merged.own", 18, None),
    ] {
        let located = document.root.locate(&path(dotted));
        assert_eq!(
            (located.span.line, located.alias.map(|alias| alias.line)),
            (line, alias_line),
            "{dotted}"
        );
    }
}

#[test]
fn places_in_json() {
    let text = "{\"a\":1} {\t\"é\":\t[\"x\",\n\t{\"b\":true}]}";
    let documents: Vec<Document> = read(text).into_iter().map(Result::unwrap).collect();
    let place = |dotted: &str| {
        let span = documents[1].root.locate(&path(dotted)).span;
        (&text[span.start..span.end], span.line, span.column)
    };
    assert_eq!(place("é.0"), ("\"x\"", 1, 17));
    assert_eq!(place("é.1.b"), ("true", 2, 7));
    assert_eq!(place("é.9"), ("\"é\"", 1, 11));
}

#[test]
fn spans_of_lists_and_mappings_end_with_their_content() {
    let text = "a:\n  b: c # d\n  # e\n\nf:\n- g\n-\nh: [ i ] # j\n";
    let root = document(text).root;
    let written = |dotted: &str| {
        let span = root.locate(&path(dotted)).node.span;
        &text[span.start..span.end]
    };
    assert_eq!(written("a"), "b: c");
    assert_eq!(written("h"), "[ i ]");
    assert_eq!(written(""), text.strip_suffix(" # j\n").unwrap());
}

/// Every span below a node, its own included.
fn spans(node: &Node) -> Box<dyn Iterator<Item = Span> + '_> {
    let own = iter::once(node.span).chain(node.alias);
    match &node.value {
        Value::Sequence(items) => Box::new(own.chain(items.iter().flat_map(spans))),
        Value::Mapping(entries) => Box::new(
            own.chain(entries.iter().flat_map(|entry| iter::once(entry.key_span).chain(spans(&entry.value)))),
        ),
        Value::Null | Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::String(_) => Box::new(own),
    }
}

proptest! {
    /// Whatever comes in, it is read or refused, and what was read has its places in the text.
    #[test]
    fn any_text_is_survived(text in "([a-c&*!|>%@`?:,#'\"{}\\[\\]<~\\\\é\u{2028}\u{feff}\0\t\r\n -]|: |- |---\n|<<: |\\*a|&a |!!str |\n  ){0,60}") {
        for document in read(&text) {
            match document {
                Ok(document) => {
                    prop_assert!(spans(&document.root).all(|span| text.get(span.start..span.end).is_some()));
                    let parsed = serde_json::from_slice::<serde_json::Value>(&document.root.to_json());
                    prop_assert!(parsed.is_ok());
                }
                Err(fault) => prop_assert!(fault.line > 0 && fault.column > 0),
            }
        }
    }

    #[test]
    fn any_characters_are_survived(text in any::<String>()) {
        read(&text);
    }

    /// JSON reads as what it says.
    #[test]
    fn json_is_kept(text in any::<String>(), number in any::<i64>(), flag in any::<bool>()) {
        let value = serde_json::json!({ text.clone(): [text, number, flag, null] });
        for json in [value.to_string(), serde_json::to_string_pretty(&value).unwrap().replace("\n  ", "\n\t")] {
            match read(&json).as_slice() {
                [Ok(document)] => {
                    let read: serde_json::Value = serde_json::from_slice(&document.root.to_json()).unwrap();
                    prop_assert_eq!(&read, &serde_json::from_str::<serde_json::Value>(&json).unwrap());
                }
                [Err(fault)] => prop_assert!(fault.message.starts_with("unexpected character"), "{}", fault),
                documents => prop_assert!(false, "{:?}", documents),
            }
        }
    }
}
