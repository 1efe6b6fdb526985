//! A value that is not known: wherever a placeholder, or a value of the wrong type, is put into an object that is refused, it is
//! not allowed then, and has not lost its pods.

use podgate::path::Path;
use podgate::yaml::{self, Node, Value};

use super::Case;

/// Objects that are refused for one thing alone, each of which stands at another place.
const REFUSED: &[&str] = &[
    include_str!("refused/argo.yaml"),
    include_str!("refused/tekton.yaml"),
    include_str!("refused/kubeflow.yaml"),
    include_str!("refused/spark.yaml"),
    include_str!("refused/flink.yaml"),
    include_str!("refused/role_based_group.yaml"),
    include_str!("refused/serving.yaml"),
    include_str!("refused/kruise.yaml"),
];
/// What may stand where something else should.
const UNKNOWN: [&str; 4] = ["${X}", "{{x}}", "$(params.x)", "<name>"];

/// Every object with each of its values replaced in turn, by one unknown value after the other; its own apiVersion and kind
/// apart.
fn variants(object: &Node, unknown: &[Value]) -> Vec<(String, String)> {
    let mut paths: Vec<Path<'_>> = Vec::new();
    object.for_each(&mut Path::root(), &mut |path, _| paths.push(path.clone()));
    let is_inside = |path: &&Path<'_>| {
        let first = path.first().and_then(|step| step.as_key());
        first.is_some_and(|key| !["apiVersion", "kind", "metadata"].contains(&key))
    };
    let replaced = |(path, value): (&Path<'_>, &Value)| {
        let mut variant = object.clone();
        variant.locate_mut(path).unwrap().value = value.clone();
        (path.to_string(), String::from_utf8(variant.to_json()).unwrap())
    };
    paths.iter().filter(is_inside).zip(unknown.iter().cycle()).map(replaced).collect()
}

/// The verdict of each document.
fn verdicts(documents: &[String]) -> Vec<String> {
    let report = Case::of(&documents.join("\n---\n")).by_standard("restricted").run(&[""]);
    let mut verdicts = vec!["no pods".to_owned(); documents.len()];
    for object in &report.objects {
        verdicts[object.document - 1] = format!("{:?}", object.verdict);
    }
    verdicts
}

#[test]
fn what_is_not_known_is_never_allowed_in_what_was_refused() {
    let objects: Vec<Node> =
        REFUSED.iter().flat_map(|text| yaml::read(text)).map(|document| document.unwrap().root).collect();
    let texts: Vec<String> =
        objects.iter().map(|object| String::from_utf8(object.to_json()).unwrap()).collect();
    for (text, verdict) in texts.iter().zip(verdicts(&texts)) {
        assert_eq!(verdict, "Deny", "{text}");
    }
    let unknown = UNKNOWN.map(|text| Value::String(text.to_owned())).into_iter().chain([Value::Int(5)]);
    let unknown: Vec<Value> = unknown.collect();
    let variants = objects.iter().flat_map(|object| variants(object, &unknown));
    let (paths, texts): (Vec<String>, Vec<String>) = variants.unzip();
    for ((verdict, path), text) in verdicts(&texts).iter().zip(&paths).zip(&texts) {
        assert!(["Deny", "Unresolved"].contains(&verdict.as_str()), "{verdict} with {path}: {text}");
    }
}
