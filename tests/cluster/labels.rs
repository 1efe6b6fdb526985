//! The label guard: every way to change a label of a Namespace, tried by somebody who may edit Namespaces, without
//! and with the right that it asks for.
//!
//! Each test has a cluster of its own, since what is installed is the whole cluster's. Nothing is really changed
//! where a dry run tells as much.

use std::fs;
use std::process::Command;

use serde_json::{Map, Value as Json, json};

use crate::control_plane::{ControlPlane, Ended};
use crate::gate::LABEL;
use crate::guards::{as_tenant, with_a_tenant};
use crate::installation::manifests;
use crate::wait::eventually;

const REFUSED: &str = "ask for the ClusterRole podgate-label-admin";
/// Lets ResourceClaims of a namespace have `adminAccess`.
const ADMIN_ACCESS: &str = "resource.kubernetes.io/admin-access";
const DRY: &str = "--dry-run=server";

/// A label as it shall be; `None` to take it off.
type Change<'c> = (&'c str, Option<&'c str>);

/// How labels of a Namespace can be changed.
const WAYS: [&str; 9] = [
    "label",
    "merge patch",
    "strategic patch",
    "JSON patch",
    "server-side apply",
    "replace",
    "patch of status",
    "replace of status",
    "replace of finalize",
];

/// The ways that can make these changes: to apply without a label takes off what was applied before, and no more.
fn ways(changes: &[Change<'_>]) -> impl Iterator<Item = &'static str> {
    let only_takes_off = changes.iter().all(|(_, value)| value.is_none());
    WAYS.into_iter().filter(move |way| !(only_takes_off && *way == "server-side apply"))
}

/// Changes labels in one of the ways, without effect.
fn try_to(cluster: &ControlPlane, way: &str, namespace: &str, changes: &[Change<'_>]) -> Ended {
    let labels: Map<String, Json> =
        changes.iter().map(|(key, value)| ((*key).to_owned(), json!(value))).collect();
    let merge = json!({ "metadata": { "labels": labels } }).to_string();
    let patch = |kind: &str, patch: &str, flags: &[&str]| {
        let arguments = ["patch", "namespace", namespace, DRY, "--type", kind, "--patch", patch];
        as_tenant(cluster, &[&arguments[..], flags].concat())
    };
    match way {
        "label" => {
            let words: Vec<String> = changes
                .iter()
                .map(|(key, value)| value.map_or(format!("{key}-"), |value| format!("{key}={value}")))
                .collect();
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            as_tenant(cluster, &[&["label", "namespace", namespace, "--overwrite", DRY], &words[..]].concat())
        }
        "merge patch" => patch("merge", &merge, &[]),
        "strategic patch" => patch("strategic", &merge, &[]),
        "patch of status" => patch("merge", &merge, &["--subresource=status"]),
        "JSON patch" => patch("json", &json_patch(cluster, namespace, changes).to_string(), &[]),
        "server-side apply" => {
            let object = whole(cluster, namespace, changes);
            let mut applied =
                json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": namespace } });
            applied["metadata"]["labels"] = object["metadata"]["labels"].clone();
            let flags = ["apply", "--server-side", "--force-conflicts", DRY, "--filename=-", "--as=tenant"];
            // What one manager has left out another may hold, so that the change is made by who holds it.
            cluster.kubectl_with(
                &[&flags[..], &["--field-manager=kubectl-create"]].concat(),
                &applied.to_string(),
            )
        }
        "replace" => {
            let object = whole(cluster, namespace, changes).to_string();
            cluster.kubectl_with(&["replace", DRY, "--filename=-", "--as=tenant"], &object)
        }
        "replace of status" | "replace of finalize" => {
            let subresource = way.rsplit(' ').next().unwrap();
            let file = cluster.folder().join("replaced.json");
            fs::write(&file, whole(cluster, namespace, changes).to_string()).unwrap();
            let path = format!("/api/v1/namespaces/{namespace}/{subresource}?dryRun=All");
            as_tenant(cluster, &["replace", "--raw", &path, "--filename", file.to_str().unwrap()])
        }
        _ => unreachable!("{way}"),
    }
}

/// The Namespace with the labels changed.
fn whole(cluster: &ControlPlane, namespace: &str, changes: &[Change<'_>]) -> Json {
    let mut object = cluster.get("", &format!("namespace/{namespace}"));
    let labels = object["metadata"]["labels"].as_object_mut().unwrap();
    for (key, value) in changes {
        match value {
            Some(value) => labels.insert((*key).to_owned(), json!(value)),
            None => labels.remove(*key),
        };
    }
    object["metadata"].as_object_mut().unwrap().remove("managedFields");
    object
}

fn json_patch(cluster: &ControlPlane, namespace: &str, changes: &[Change<'_>]) -> Json {
    let labels = &cluster.get("", &format!("namespace/{namespace}"))["metadata"]["labels"];
    let operation = |(key, value): &Change<'_>| {
        let path = format!("/metadata/labels/{}", key.replace('/', "~1"));
        match value {
            Some(value) => Some(json!({ "op": "add", "path": path, "value": value })),
            None => labels[*key].is_string().then(|| json!({ "op": "remove", "path": path })),
        }
    };
    changes.iter().filter_map(operation).collect()
}

#[track_caller]
fn assert_refused(cluster: &ControlPlane, way: &str, namespace: &str, changes: &[Change<'_>]) {
    let refused = try_to(cluster, way, namespace, changes).failed();
    assert!(refused.contains(REFUSED), "{way}: {changes:?}: {refused}");
}

/// Gives the tenant the right, and waits until it is heeded.
fn give_the_right(cluster: &ControlPlane, namespace: &str) {
    let may = ["create", "clusterrolebinding", "may", "--clusterrole=podgate-label-admin", "--user=tenant"];
    cluster.kubectl(&may).succeeded();
    eventually("the right", || {
        let ended = try_to(cluster, "label", namespace, &[(LABEL.0, None)]);
        if ended.is_success { Ok(()) } else { Err(ended.errors) }
    });
}

#[test]
fn every_way_to_change_a_guarded_label_needs_the_right() {
    let Some(cluster) = ControlPlane::start(&[]) else { return };
    let guarded = with_a_tenant(&cluster);
    let exempted = cluster.namespace(&[LABEL, ("control-plane", "true")]);
    let with_devices = cluster.namespace(&[(ADMIN_ACCESS, "true")]);
    let cases: [(&str, &[Change<'_>]); 10] = [
        (&guarded, &[(ADMIN_ACCESS, Some("true"))]),
        (&with_devices, &[(ADMIN_ACCESS, None)]),
        // A policy shall hold where claims may have adminAccess already.
        (&with_devices, &[(LABEL.0, Some("ml-restricted"))]),
        (&guarded, &[(LABEL.0, None)]),
        (&guarded, &[(LABEL.0, Some("lax"))]),
        (&guarded, &[("control-plane", Some("true"))]),
        (&guarded, &[("kubernetes.azure.com/managedby", Some("aks"))]),
        // Both at once, so that neither is there together with the other.
        (&guarded, &[(LABEL.0, None), ("control-plane", Some("true"))]),
        (&exempted, &[("control-plane", None)]),
        (&exempted, &[("control-plane", Some("false"))]),
    ];
    for (namespace, changes) in cases {
        for way in ways(changes) {
            assert_refused(&cluster, way, namespace, changes);
        }
    }
    // What no policy looks at is nobody's business.
    for way in WAYS {
        try_to(&cluster, way, &guarded, &[("team", Some("a"))]).succeeded();
        try_to(&cluster, way, &exempted, &[("team", Some("a"))]).succeeded();
    }
    give_the_right(&cluster, &guarded);
    for (namespace, changes) in cases {
        for way in ways(changes) {
            try_to(&cluster, way, namespace, changes).succeeded();
        }
    }
}

#[test]
fn a_namespace_without_guarded_labels_is_not_bothered_until_it_has_one() {
    let Some(cluster) = ControlPlane::start(&[]) else { return };
    let guarded = with_a_tenant(&cluster);
    let plain = cluster.namespace(&[("team", "a")]);
    let of_cloud = cluster.namespace(&[("control-plane", "true")]);
    for changes in [
        [("team", None)],
        [("control-plane", Some("true"))],
        [("kubernetes.azure.com/managedby", Some("aks"))],
        // To be judged from now on is for anybody to ask.
        [(LABEL.0, Some("ml-restricted"))],
    ] {
        for way in ways(&changes) {
            try_to(&cluster, way, &plain, &changes).succeeded();
        }
    }
    try_to(&cluster, "label", &of_cloud, &[("control-plane", None)]).succeeded();
    // It would seem guarded, and on AKS no webhook would reach it.
    let both = [(LABEL.0, Some("ml-restricted")), ("control-plane", Some("true"))];
    for way in WAYS {
        assert_refused(&cluster, way, &plain, &both);
        assert_refused(&cluster, way, &of_cloud, &both[..1]);
    }
    let create = |labels: Json| {
        let namespace = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": "new", "labels": labels } });
        cluster.create(&namespace, &[DRY, "--as=tenant"])
    };
    create(json!({})).succeeded();
    create(json!({ LABEL.0: "ml-restricted" })).succeeded();
    create(json!({ "control-plane": "true" })).succeeded();
    let refused = create(json!({ LABEL.0: "x", "kubernetes.azure.com/managedby": "aks" })).failed();
    assert!(refused.contains(REFUSED), "{refused}");
    give_the_right(&cluster, &guarded);
    create(json!({ LABEL.0: "x", "kubernetes.azure.com/managedby": "aks" })).succeeded();
    try_to(&cluster, "label", &plain, &both).succeeded();
    // Neither label stands in the way of an end, whoever put them on.
    let doomed = cluster.namespace(&[LABEL, ("control-plane", "true")]);
    cluster.kubectl(&["delete", "namespace", &doomed, &guarded, "--timeout=30s"]).succeeded();
}

/// Installs the manifests again with these keys guarded.
fn guard(cluster: &ControlPlane, keys: &str) {
    let folder = cluster.folder().join("guarded");
    fs::create_dir_all(folder.join("podgate")).unwrap();
    let copied =
        Command::new("cp").arg("-r").arg(manifests("")).arg(folder.join("podgate/manifests")).status();
    assert!(copied.unwrap().success());
    let mut patch =
        json!({ "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "podgate" } });
    patch["spec"]["template"]["spec"]["containers"] =
        json!([{ "name": "podgate", "env": [{ "name": "PODGATE_GUARDED_LABELS", "value": keys }] }]);
    let kustomization = json!({
        "resources": ["podgate/manifests/base"],
        "patches": [{ "target": { "kind": "Deployment", "name": "podgate" }, "patch": patch.to_string() }],
        "replacements": [{ "path": "podgate/manifests/base/guarded-labels.yaml" }],
    });
    fs::write(folder.join("kustomization.yaml"), kustomization.to_string()).unwrap();
    cluster.kubectl(&["apply", "--kustomize", folder.to_str().unwrap()]).succeeded();
}

/// A policy that selects by another label: as the manifests are shipped that label is anybody's, and guarded with
/// the one value changed.
#[test]
fn a_further_label_is_guarded_by_one_value() {
    let Some(cluster) = ControlPlane::start(&[]) else { return };
    let namespace = with_a_tenant(&cluster);
    let sandbox = [("environment", Some("sandbox"))];
    try_to(&cluster, "label", &namespace, &sandbox).succeeded();

    guard(&cluster, "podgate.dev/policy,environment");
    eventually("the guard", || {
        let ended = try_to(&cluster, "label", &namespace, &sandbox);
        if ended.errors.contains(REFUSED) { Ok(()) } else { Err(format!("{ended:?}")) }
    });
    for way in WAYS {
        assert_refused(&cluster, way, &namespace, &sandbox);
    }
    for way in ways(&[(LABEL.0, None)]) {
        assert_refused(&cluster, way, &namespace, &[(LABEL.0, None)]);
    }
    // A policy may hold for a namespace that has only this one.
    let staged = cluster.namespace(&[("environment", "staging")]);
    assert_refused(&cluster, "label", &staged, &sandbox);
    try_to(&cluster, "label", &staged, &[("team", Some("a"))]).succeeded();
    give_the_right(&cluster, &namespace);
    try_to(&cluster, "label", &namespace, &sandbox).succeeded();
}

/// Ranges of ids come from annotations: those whose keys are guarded are guarded as labels are.
#[test]
fn annotations_that_controls_go_by_are_guarded_by_the_same_value() {
    const RANGE: &str = "openshift.io/sa.scc.uid-range";
    let Some(cluster) = ControlPlane::start(&[]) else { return };
    let namespace = with_a_tenant(&cluster);
    let annotate = |namespace: &str, value: &str| {
        as_tenant(&cluster, &["annotate", "namespace", namespace, "--overwrite", DRY, value])
    };
    let (set, taken_off) = (format!("{RANGE}=0/10"), format!("{RANGE}-"));
    annotate(&namespace, &set).succeeded();
    guard(&cluster, &format!("podgate.dev/policy,{RANGE}"));
    eventually("the guard", || {
        let ended = annotate(&namespace, &set);
        if ended.errors.contains(REFUSED) { Ok(()) } else { Err(format!("{ended:?}")) }
    });
    annotate(&namespace, "note=x").succeeded();
    cluster.kubectl(&["annotate", "namespace", &namespace, &format!("{RANGE}=1000/10")]).succeeded();
    for change in [&set, &taken_off] {
        let refused = annotate(&namespace, change).failed();
        assert!(refused.contains(REFUSED) && refused.contains(RANGE), "{refused}");
    }
    let merge = json!({ "metadata": { "annotations": { (RANGE): "0/10" } } }).to_string();
    let flags =
        ["patch", "namespace", &namespace, DRY, "--type=merge", "--patch", &merge, "--subresource=status"];
    assert!(as_tenant(&cluster, &flags).failed().contains(REFUSED));
    // Where no policy holds anybody may choose a range, and then nobody but the trusted may have one hold.
    let plain = cluster.namespace(&[("team", "a")]);
    annotate(&plain, &set).succeeded();
    cluster.kubectl(&["annotate", "namespace", &plain, &set]).succeeded();
    assert_refused(&cluster, "label", &plain, &[(LABEL.0, Some("ml-restricted"))]);
    give_the_right(&cluster, &namespace);
    annotate(&namespace, &set).succeeded();
    try_to(&cluster, "label", &plain, &[(LABEL.0, Some("ml-restricted"))]).succeeded();
}

/// In place of Pod Security Admission the labels of Kubernetes' own decide, and where there are none its defaults.
#[test]
fn in_drop_in_mode_kubernetes_own_labels_are_guarded() {
    let Some(cluster) = ControlPlane::start(&[]) else { return };
    with_a_tenant(&cluster);
    cluster.kubectl(&["apply", "--kustomize", &manifests("overlays/pod-security")]).succeeded();
    // podgate does not run here, and would be asked about Namespaces.
    let webhooks =
        ["delete", "validatingwebhookconfiguration/podgate", "mutatingwebhookconfiguration/00-podgate"];
    cluster.kubectl(&webhooks).succeeded();
    let (plain, held) =
        (cluster.namespace(&[]), cluster.namespace(&[("pod-security.kubernetes.io/enforce", "restricted")]));
    eventually("the guard", || {
        let ended = try_to(&cluster, "label", &held, &[("pod-security.kubernetes.io/enforce", None)]);
        if ended.errors.contains(REFUSED) { Ok(()) } else { Err(format!("{ended:?}")) }
    });
    for way in WAYS {
        for name in ["enforce", "enforce-version", "audit", "audit-version", "warn", "warn-version"] {
            let key = format!("pod-security.kubernetes.io/{name}");
            let value = if name.ends_with("version") { "v1.0" } else { "privileged" };
            assert_refused(&cluster, way, &held, &[(&key, Some(value))]);
        }
        assert_refused(&cluster, way, &plain, &[("pod-security.kubernetes.io/enforce", Some("privileged"))]);
        assert_refused(&cluster, way, &plain, &[("control-plane", Some("true"))]);
    }
    try_to(&cluster, "label", &plain, &[("team", Some("a"))]).succeeded();
    try_to(&cluster, "label", &plain, &[(LABEL.0, Some("x"))]).succeeded();
}
