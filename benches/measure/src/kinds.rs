//! What the linter spends on custom resources: 1,400 manifests of all kinds of the table, and as many plain Pods with the same
//! pod in each.

use std::fs;
use std::path::{Path, PathBuf};

use podgate::lint::{Input, Options, run};
use podgate::policy::PolicySet;
use podgate::workload::{Kind, Kinds, Shape};
use serde_json::{Value, json};

use crate::Result;

/// How many manifests.
pub(crate) const MANIFESTS: usize = 1400;

/// Writes both files into a folder: the Pods, and the custom resources.
pub(crate) fn write(folder: &Path) -> Result<[PathBuf; 2]> {
    let kinds = Kinds::default();
    let places: Vec<(&Kind, &str, Value)> = kinds
        .iter()
        .flat_map(|kind| kind.places().map(move |(place, shape)| (kind, place, shape)))
        .filter_map(|(kind, place, shape)| Some((kind, place, pod_of(shape)?)))
        .collect();
    let custom = places.iter().cycle().enumerate().take(MANIFESTS);
    let custom = custom.map(|(number, (kind, place, pod))| object(number, kind, place, pod.clone()));
    let pods = (0..MANIFESTS).map(|number| {
        let metadata = json!({"name": format!("o{number}"), "namespace": "ml"});
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec()})
    });
    let files = [folder.join("pods.yaml"), folder.join("kinds.yaml")];
    fs::write(&files[0], documents(pods))?;
    fs::write(&files[1], documents(custom))?;
    Ok(files)
}

/// Lints a file by the restricted standard.
pub(crate) fn lint(file: &Path) -> Result<usize> {
    let standard = "restricted:latest".parse().map_err(|error| format!("{error:?}"))?;
    let options = Options { policies: PolicySet::of_standard(&standard), ..Options::default() };
    Ok(run(&[Input::Path(file.to_owned())], options).objects.len())
}

fn documents(objects: impl Iterator<Item = Value>) -> String {
    objects.map(|object| format!("---\n{object}\n")).collect()
}

fn spec() -> Value {
    let security = json!({"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}});
    json!({
        "securityContext": {"runAsNonRoot": true, "runAsUser": 1000, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [{
            "name": "main", "image": "registry.example.com/ml/trainer:1.2.3", "command": ["python", "train.py"],
            "env": [{"name": "EPOCHS", "value": "10"}, {"name": "HOME", "value": "/home/user"}],
            "resources": {"limits": {"cpu": "8", "memory": "64Gi", "nvidia.com/gpu": "1"}},
            "volumeMounts": [{"name": "data", "mountPath": "/data"}, {"name": "shm", "mountPath": "/dev/shm"}],
            "securityContext": security,
        }],
        "volumes": [
            {"name": "data", "persistentVolumeClaim": {"claimName": "data"}},
            {"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": "8Gi"}},
        ],
    })
}

/// The pod in this shape, if it can be written in it.
fn pod_of(shape: Shape) -> Option<Value> {
    match shape {
        Shape::PodTemplate => Some(json!({"metadata": {"labels": {"app": "trainer"}}, "spec": spec()})),
        Shape::PodSpec | Shape::ExtendedPodSpec | Shape::PartialPodSpec | Shape::Patch => Some(spec()),
        Shape::Container => Some(spec()["containers"][0].take()),
        Shape::Object => Some(json!({"apiVersion": "v1", "kind": "Pod", "metadata": {}, "spec": spec()})),
        Shape::Reference | Shape::Opaque => None,
    }
}

/// An object with this at a place of its kind.
fn object(number: usize, kind: &Kind, place: &str, pod: Value) -> Value {
    let mut object = place.split('.').rev().fold(pod, |inner, part| {
        let name = part.trim_end_matches("[]");
        let lists = (part.len() - name.len()) / "[]".len();
        let inner = (0..lists).fold(inner, |inner, _| json!([inner]));
        json!({ if name == "*" { "a" } else { name }: inner })
    });
    let version = kind.versions.first().copied().unwrap_or("v1");
    object["apiVersion"] = format!("{}/{version}", kind.group).into();
    object["kind"] = kind.kind.into();
    object["metadata"] = json!({"name": format!("o{number}"), "namespace": "ml"});
    object
}
