//! Every block of YAML or JSON of a page loads: policies by the reader of policies, Kubernetes' objects by the linter,
//! kustomizations by Kustomize. A part of something is put where it belongs first.

use std::fs;

use podgate::kinds::KindFiles;
use podgate::lint::{Input, Options, run};
use podgate::policy::{BUILT_IN, KIND_TABLE, POLICY_TEST};
use podgate::policy_test::FoundTests;
use podgate::yaml;
use serde_json::{Map, Value as Json, json};

use super::markdown::{Block, Page};
use super::pages;
use crate::manifests::{Programs, copy};
use crate::pods::of_repository;
use crate::policies::{policies, read};

/// What a document of a page is.
#[derive(Debug, PartialEq, Eq)]
enum Snippet {
    /// A platform's own kinds.
    KindTable,
    /// A test of policies.
    PolicyTest,
    /// A policy of podgate's, or Kubernetes' own configuration in its place.
    Policy,
    /// The spec of a SecurityPolicy, or a part of it.
    OfPolicy,
    /// An object of Kubernetes' or of somebody else's.
    Object,
    /// The spec of a pod, or a part of it, or of its metadata.
    OfPod,
    /// Kustomize's own file, or a part of it.
    Kustomization,
    /// A part of an Argo CD Application.
    OfApplication,
}

/// The keys of parts, each list for one kind of snippet.
const PARTS: [(Snippet, &[&str]); 4] = [
    (
        Snippet::OfPolicy,
        &["standard", "controls", "match", "mode", "defaults", "exemptions", "exceptions", "templates"],
    ),
    (
        Snippet::OfPod,
        &[
            "automountServiceAccountToken",
            "containers",
            "hostIPC",
            "hostNetwork",
            "hostPID",
            "hostUsers",
            "metadata",
            "nodeSelector",
            "priorityClassName",
            "runtimeClassName",
            "schedulerName",
            "securityContext",
            "shareProcessNamespace",
            "tolerations",
            "volumes",
        ],
    ),
    (
        Snippet::Kustomization,
        &["components", "configMapGenerator", "images", "patches", "replacements", "resources"],
    ),
    (Snippet::OfApplication, &["ignoreDifferences"]),
];

/// How the errors of policies begin.
const UNUSABLE: &str = "podgate: the policies cannot be used:\n";

fn snippet(document: &Json) -> Option<&'static Snippet> {
    let api = document["apiVersion"].as_str();
    match api.and_then(|api| api.split('/').next()) {
        Some("podgate.dev") if document["kind"] == KIND_TABLE => Some(&Snippet::KindTable),
        Some("podgate.dev") if document["kind"] == POLICY_TEST => Some(&Snippet::PolicyTest),
        Some("podgate.dev" | "pod-security.admission.config.k8s.io") => Some(&Snippet::Policy),
        Some("kustomize.config.k8s.io") => Some(&Snippet::Kustomization),
        Some(_) if document["kind"].is_string() => Some(&Snippet::Object),
        _ => {
            let keys = document.as_object()?;
            let is_part = |part: &&(Snippet, &[&str])| keys.keys().all(|key| part.1.contains(&&**key));
            PARTS.iter().find(is_part).map(|(snippet, _)| snippet)
        }
    }
}

/// The documents of a block, or why it is no YAML.
fn documents(text: &str) -> Result<Vec<Json>, String> {
    yaml::read(text)
        .into_iter()
        .map(|document| {
            let document = document.map_err(|error| error.to_string())?;
            serde_json::from_slice(&document.root.to_json()).map_err(|error| error.to_string())
        })
        .collect()
}

fn read_policy(text: &str) -> Result<(), String> {
    read(&[("snippet.yaml", text)]).map(|_| ()).map_err(|errors| errors.join("\n"))
}

/// A policy with a part of its spec as the page has it, and the rest as simple as it can be.
fn whole_policy(part: &Json) -> String {
    let mut spec = json!({ "match": { "namespaces": ["ml-team-a"] }, "standard": { "enforce": "baseline" } });
    spec.as_object_mut().unwrap().extend(part.as_object().unwrap().clone());
    json!({
        "apiVersion": "podgate.dev/v1alpha1",
        "kind": "SecurityPolicy",
        "metadata": { "name": "of-page" },
        "spec": spec,
    })
    .to_string()
}

/// A pod with a part of its spec, or its metadata, as the page has it.
fn whole_pod(part: &Json) -> String {
    let mut spec = Map::from_iter([("containers".to_owned(), json!([{ "name": "c", "image": "i" }]))]);
    spec.extend(part.as_object().unwrap().clone());
    let mut metadata = spec.remove("metadata").unwrap_or_else(|| json!({}));
    metadata["name"] = "of-page".into();
    json!({ "apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec }).to_string()
}

/// Lints a text: each object of it is judged, or of a kind that has no pods, and none is left unread.
fn lint(text: &str, count: usize) -> Result<(), String> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("snippet.yaml");
    fs::write(&file, text).unwrap();
    let report = run(&[Input::Path(file)], Options { policies: policies(BUILT_IN), ..Options::default() });
    let others: usize = report.summary.other_kinds.iter().map(|kind| kind.count).sum();
    let is_whole = report.unread.is_empty() && report.objects.len() + others == count;
    if is_whole { Ok(()) } else { Err(format!("{report:#?}")) }
}

/// What is wrong with a block, if anything is.
fn check(block: &Block) -> Result<(), String> {
    let documents = documents(&block.text)?;
    let kinds: Vec<&Snippet> = documents
        .iter()
        .map(|document| snippet(document).ok_or(format!("no test knows what this is part of: {document:#}")))
        .collect::<Result<_, _>>()?;
    if kinds.iter().all(|kind| **kind == Snippet::KindTable) {
        let mut files = KindFiles::default();
        files.read("snippet.yaml", &block.text);
        return files.finish().map(|_| ()).map_err(|faults| format!("{faults:#?}"));
    }
    if kinds.first() == Some(&&Snippet::PolicyTest) {
        let mut found = FoundTests::default();
        found.read("snippet.yaml", &block.text);
        return if found.faults.is_empty() { Ok(()) } else { Err(format!("{:#?}", found.faults)) };
    }
    if kinds.iter().all(|kind| **kind == Snippet::Policy) {
        return read_policy(&block.text);
    }
    if kinds.iter().all(|kind| **kind == Snippet::Object) {
        return lint(&block.text, documents.len());
    }
    let [document] = &documents[..] else { return Err(format!("more than one part: {kinds:?}")) };
    match kinds[0] {
        Snippet::OfPolicy => read_policy(&whole_policy(document)),
        Snippet::OfPod => lint(&whole_pod(document), 1),
        // Kustomize reads these below, where it is there; Argo CD's are its own.
        Snippet::Kustomization | Snippet::OfApplication => Ok(()),
        Snippet::KindTable | Snippet::PolicyTest | Snippet::Policy | Snippet::Object => {
            Err("policies, kinds, tests and objects in one block".to_owned())
        }
    }
}

fn blocks<'p>(pages: &'p [Page], language: &str) -> Vec<(String, &'p Block)> {
    let of_page = |page: &'p Page| page.blocks.iter().map(|block| (page.at(block.line), block));
    let all = pages.iter().flat_map(of_page);
    all.filter(|(_, block)| block.language == language).collect()
}

/// What a page says that podgate says of the block before: nothing, unless a block of text follows with errors.
fn expected(page: &Page, index: usize) -> Result<(), String> {
    let said = page.blocks.get(index + 1).filter(|next| next.language == "text");
    let errors = said.and_then(|said| said.text.strip_prefix(UNUSABLE));
    errors.map_or(Ok(()), |errors| {
        let lines = errors.lines().map(|line| line.trim().replacen("bad.yaml", "snippet.yaml", 1));
        Err(lines.collect::<Vec<_>>().join("\n"))
    })
}

#[test]
fn every_block_of_yaml_loads() {
    let (mut faults, mut count, mut faulty) = (Vec::new(), 0, 0);
    for page in pages() {
        for (index, block) in page.blocks.iter().enumerate().filter(|(_, block)| block.language == "yaml") {
            let (found, expected) = (check(block), expected(&page, index));
            count += 1;
            faulty += usize::from(expected.is_err());
            if found != expected {
                faults.push(format!("{}: {found:#?}", page.at(block.line)));
            }
        }
    }
    assert!(count > 40, "{count} blocks");
    assert_eq!(faulty, 1, "one page shows what is wrong with a policy");
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_block_of_json_can_be_read() {
    let pages = pages();
    let blocks = blocks(&pages, "json");
    assert!(!blocks.is_empty());
    for (at, block) in blocks {
        let read: Result<Json, _> = serde_json::from_str(&block.text);
        assert!(read.is_ok(), "{at}: {read:?}");
    }
}

/// A language that nobody checks hides what is in a block.
#[test]
fn every_block_says_what_it_holds() {
    let known = ["console", "json", "sh", "text", "yaml"];
    for page in pages() {
        for block in &page.blocks {
            assert!(known.contains(&&*block.language), "{}: {:?}", page.at(block.line), block.language);
        }
    }
}

/// The kustomizations of a page, whole or in part, beside a clone of the repository as the pages say.
#[test]
fn every_kustomization_renders() {
    let Some(programs) = Programs::find("the kustomizations of the pages") else { return };
    let pages = pages();
    let mut count = 0;
    for (at, block) in blocks(&pages, "yaml") {
        let documents = documents(&block.text).unwrap();
        let [document] = &documents[..] else { continue };
        if snippet(document) != Some(&Snippet::Kustomization) {
            continue;
        }
        count += 1;
        let folder = tempfile::tempdir().unwrap();
        copy(&of_repository("manifests"), &folder.path().join("podgate/manifests"));
        let mut whole = document.clone();
        if whole["resources"].is_null() {
            whole["resources"] = json!(["podgate/manifests/base"]);
        }
        for generator in whole["configMapGenerator"].as_array().into_iter().flatten() {
            for file in generator["files"].as_array().into_iter().flatten() {
                fs::write(folder.path().join(file.as_str().unwrap()), "").unwrap();
            }
        }
        fs::write(folder.path().join("kustomization.yaml"), whole.to_string()).unwrap();
        let rendered = programs.run("kubectl", &["kustomize", folder.path().to_str().unwrap()]);
        assert!(rendered.is_ok(), "{at}: {rendered:?}");
    }
    assert!(count >= 4, "{count} kustomizations");
}

#[test]
fn what_does_not_load_is_seen() {
    let block = |text: &str| Block { line: 1, language: "yaml".to_owned(), text: text.to_owned() };
    for bad in [
        "a: [",
        "anything: else",
        "standard: {enforce: strict}",
        "controls: {volumeTypes: {allowed: [tape]}}",
        "apiVersion: podgate.dev/v1alpha1\nkind: SecurityPolicy\nmetadata: {name: a}\nspec: {modes: Enforce}",
        "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {containers: {}}",
        "containers: 7",
    ] {
        assert!(check(&block(bad)).is_err(), "{bad}");
    }
}
