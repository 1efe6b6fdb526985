//! Custom resources: every place of the table is judged, nothing that is not known is allowed, and no damage does harm.

use std::fs;

use podgate::lint::report::ObjectVerdict;
use podgate::lint::{Input, Options, Report, run};
use podgate::policy::PolicySet;
use podgate::workload::{Carries, Kind, Kinds, Shape};
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Value, json};

/// A report on objects, one document each, judged by the restricted standard as they are written.
fn lint(objects: &[Value]) -> Report {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("objects.yaml");
    let documents: Vec<String> = objects.iter().map(Value::to_string).collect();
    fs::write(&file, documents.join("\n---\n")).expect("room for it");
    let policies = PolicySet::of_standard(&"restricted".parse().expect("a standard"));
    run(&[Input::Path(file)], Options { policies, ..Options::default() })
}

/// The verdict on each object; `None` where there is none.
fn verdicts(objects: &[Value]) -> Vec<Option<ObjectVerdict>> {
    let report = lint(objects);
    let of_document = |document: usize| report.objects.iter().find(|object| object.document == document + 1);
    (0..objects.len()).map(|document| of_document(document).map(|object| object.verdict)).collect()
}

/// A container that no level but privileged allows.
fn container() -> Value {
    json!({"name": "c", "image": "i", "securityContext": {"privileged": true}})
}

/// Something of this shape that is forbidden.
fn forbidden(shape: Shape) -> Option<Value> {
    Some(match shape {
        Shape::PodTemplate => json!({"metadata": {}, "spec": {"hostIPC": true, "containers": [container()]}}),
        Shape::PodSpec | Shape::ExtendedPodSpec | Shape::PartialPodSpec | Shape::Patch => {
            json!({"hostIPC": true, "containers": [container()]})
        }
        Shape::Container => container(),
        Shape::Object => {
            json!({"apiVersion": "v1", "kind": "Pod", "spec": {"hostIPC": true, "containers": [container()]}})
        }
        Shape::Reference | Shape::Opaque => return None,
    })
}

/// An object of a kind with this at a place of the table.
fn object(kind: &Kind, place: &str, value: Value) -> Value {
    let mut object = place.split('.').rev().fold(value, |inner, part| {
        let name = part.trim_end_matches("[]");
        let lists = (part.len() - name.len()) / 2;
        let inner = (0..lists).fold(inner, |inner, _| json!([inner]));
        json!({ if name == "*" { "a" } else { name }: inner })
    });
    let version = kind.versions.first().copied().unwrap_or("v9");
    object["apiVersion"] = format!("{}/{version}", kind.group).into();
    object["kind"] = kind.kind.into();
    object["metadata"] = json!({"name": "o"});
    object
}

/// An object for each place of the chosen kinds that holds something which is refused.
fn objects(is_chosen: fn(&Carries) -> bool) -> Vec<(String, Value)> {
    let kinds = Kinds::default();
    let of_kind = |kind: &Kind| {
        let of_place = |(place, shape)| {
            let name = format!("{} {} {place}", kind.group, kind.kind);
            Some((name, object(kind, place, forbidden(shape)?)))
        };
        kind.places().filter_map(of_place).collect::<Vec<_>>()
    };
    kinds.iter().filter(|kind| is_chosen(&kind.carries)).flat_map(of_kind).collect()
}

/// Those whose pods patterns lead to.
fn plain_objects() -> Vec<(String, Value)> {
    objects(|carries| matches!(carries, Carries::Templates(_)))
}

#[test]
fn what_is_forbidden_is_refused_at_every_place_of_the_table() {
    let objects = plain_objects();
    assert!(objects.len() > 90, "{}", objects.len());
    let values: Vec<Value> = objects.iter().map(|(_, object)| object.clone()).collect();
    let verdicts = verdicts(&values);
    let allowed: Vec<&str> = objects
        .iter()
        .zip(verdicts)
        .filter(|(_, verdict)| *verdict != Some(ObjectVerdict::Deny))
        .map(|((name, _), _)| name.as_str())
        .collect();
    assert_eq!(allowed, [""; 0]);
}

/// Its adapter makes something else of what stands there alone, but never nothing.
#[test]
fn what_is_forbidden_is_never_allowed_where_an_adapter_looks() {
    let objects = objects(|carries| matches!(carries, Carries::Adapter(_)));
    assert!(objects.len() > 90, "{}", objects.len());
    let values: Vec<Value> = objects.iter().map(|(_, object)| object.clone()).collect();
    let allowed: Vec<&str> = objects
        .iter()
        .zip(verdicts(&values))
        .filter(|(_, verdict)| !matches!(verdict, Some(ObjectVerdict::Deny | ObjectVerdict::Unresolved)))
        .map(|((name, _), _)| name.as_str())
        .collect();
    assert_eq!(allowed, [""; 0]);
}

#[test]
fn a_kind_that_makes_pods_is_never_passed_over() {
    let kinds = Kinds::default();
    let (mut makes, mut makes_none) = (Vec::new(), Vec::new());
    for kind in kinds.iter() {
        let version = kind.versions.first().copied().unwrap_or("v1");
        let object = json!({
            "apiVersion": format!("{}/{version}", kind.group), "kind": kind.kind, "metadata": {"name": "o"}, "spec": {},
        });
        if matches!(kind.carries, Carries::Nothing) { makes_none.push(object) } else { makes.push(object) }
    }
    let report = lint(&makes);
    let allowed: Vec<&str> = report
        .objects
        .iter()
        .filter(|object| object.verdict == ObjectVerdict::Allow)
        .map(|object| object.kind.as_str())
        .collect();
    assert_eq!(allowed, [""; 0], "an empty spec is not known to be allowed");
    assert_eq!(report.objects.len() + report.unread.len(), makes.len());
    assert_eq!(lint(&makes_none).objects.len(), 0);
}

/// Every place in a value, from outside inwards.
fn places(value: &Value, place: &str, found: &mut Vec<String>) {
    let keys = value.as_object().into_iter().flatten();
    let keys = keys.map(|(key, inner)| (key.replace('~', "~0").replace('/', "~1"), inner));
    let items = value.as_array().into_iter().flatten().enumerate();
    let items = items.map(|(index, inner)| (index.to_string(), inner));
    for (step, inner) in keys.chain(items) {
        let place = format!("{place}/{step}");
        found.push(place.clone());
        places(inner, &place, found);
    }
}

/// Where something of an object may be replaced: not in what says what it is.
fn replaceable(object: &Value) -> Vec<String> {
    let mut found = Vec::new();
    places(object, "", &mut found);
    found.retain(|place| !["/apiVersion", "/kind", "/metadata"].iter().any(|fixed| place.starts_with(fixed)));
    found
}

#[test]
fn a_placeholder_anywhere_allows_nothing() {
    let mut named = Vec::new();
    for (name, object) in plain_objects() {
        for place in replaceable(&object) {
            let mut object = object.clone();
            *object.pointer_mut(&place).expect("it is there") = "{{ x }}".into();
            named.push((format!("{name}: {place}"), object));
        }
    }
    let values: Vec<Value> = named.iter().map(|(_, object)| object.clone()).collect();
    let wrong: Vec<String> = named
        .iter()
        .zip(verdicts(&values))
        .filter(|(_, verdict)| !matches!(verdict, Some(ObjectVerdict::Deny | ObjectVerdict::Unresolved)))
        .map(|((name, _), verdict)| format!("{name}: {verdict:?}"))
        .collect();
    assert!(wrong.is_empty(), "{} of {}: {wrong:#?}", wrong.len(), values.len());
}

/// Values of every type.
fn any_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "(\\$\\{X\\}|\\{\\{x\\}\\}|a|\\{\"a\": 1\\}|hostPID: true|- a|'|spec: \\[)".prop_map(Value::from),
        Just(json!([])),
        Just(json!({})),
        Just(json!([{"name": "c"}, 5, null, "x"])),
        Just(json!({"name": "a", "containers": {"a": []}, "spec": [1]})),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn damage_does_no_harm(damages in prop::collection::vec((any::<Index>(), any::<Index>(), any_value()), 200)) {
        let objects = objects(|_| true);
        let damaged: Vec<Value> = damages
            .into_iter()
            .map(|(which, place, value)| {
                let (_, mut object) = which.get(&objects).clone();
                let places = replaceable(&object);
                *object.pointer_mut(place.get::<String>(&places)).expect("it is there") = value;
                object
            })
            .collect();
        let report = lint(&damaged);
        // Each is judged, or counted as one without pods.
        let others: usize = report.summary.other_kinds.iter().map(|kind| kind.count).sum();
        prop_assert_eq!(report.objects.len() + report.unread.len() + others, damaged.len());
    }
}
