//! Volumes of every type that Kubernetes 1.24 knew.

use serde_json::{Value as Json, json};

use crate::legal::Legal;
use crate::random::Random;

/// What a PodSecurityPolicy calls a type, and a source of it.
const SOURCES: [(&str, &str); 29] = [
    ("awsElasticBlockStore", r#"{"awsElasticBlockStore":{"volumeID":"v"}}"#),
    ("azureDisk", r#"{"azureDisk":{"diskName":"d","diskURI":"https://blob.core.windows.net/a/b.vhd"}}"#),
    ("azureFile", r#"{"azureFile":{"secretName":"s","shareName":"s"}}"#),
    ("cephFS", r#"{"cephfs":{"monitors":["m"]}}"#),
    ("cinder", r#"{"cinder":{"volumeID":"v"}}"#),
    ("configMap", r#"{"configMap":{"name":"c"}}"#),
    ("csi", r#"{"csi":{"driver":"csi.example.com"}}"#),
    ("downwardAPI", r#"{"downwardAPI":{"items":[]}}"#),
    ("emptyDir", r#"{"emptyDir":{}}"#),
    (
        "ephemeral",
        r#"{"ephemeral":{"volumeClaimTemplate":{"spec":{"accessModes":["ReadWriteOnce"],"resources":{"requests":{"storage":"1Gi"}}}}}}"#,
    ),
    ("fc", r#"{"fc":{"targetWWNs":["w"],"lun":1}}"#),
    ("flexVolume", r#"{"flexVolume":{"driver":"example.com/lvm"}}"#),
    ("flocker", r#"{"flocker":{"datasetName":"d"}}"#),
    ("gcePersistentDisk", r#"{"gcePersistentDisk":{"pdName":"d"}}"#),
    ("gitRepo", r#"{"gitRepo":{"repository":"r"}}"#),
    ("glusterfs", r#"{"glusterfs":{"endpoints":"e","path":"p"}}"#),
    ("hostPath", r#"{"hostPath":{"path":"/data"}}"#),
    ("iscsi", r#"{"iscsi":{"targetPortal":"p","iqn":"iqn.2015-02.example.com:test","lun":0}}"#),
    ("nfs", r#"{"nfs":{"server":"s","path":"/p"}}"#),
    ("persistentVolumeClaim", r#"{"persistentVolumeClaim":{"claimName":"c"}}"#),
    ("photonPersistentDisk", r#"{"photonPersistentDisk":{"pdID":"p"}}"#),
    ("portworxVolume", r#"{"portworxVolume":{"volumeID":"v"}}"#),
    ("projected", r#"{"projected":{"sources":[{"configMap":{"name":"c"}}]}}"#),
    ("quobyte", r#"{"quobyte":{"registry":"r:1","volume":"v"}}"#),
    ("rbd", r#"{"rbd":{"monitors":["m"],"image":"i"}}"#),
    ("scaleIO", r#"{"scaleIO":{"gateway":"g","system":"s","volumeName":"v","secretRef":{"name":"s"}}}"#),
    ("secret", r#"{"secret":{"secretName":"s"}}"#),
    ("storageos", r#"{"storageos":{"volumeName":"v"}}"#),
    ("vsphereVolume", r#"{"vsphereVolume":{"volumePath":"p"}}"#),
];
const CSI_DRIVERS: [&str; 3] = ["csi.example.com", "secrets-store.csi.k8s.io", "other.example.com"];
const FLEX_DRIVERS: [&str; 3] = ["example.com/lvm", "example.com/cifs", "example.com/lvm2"];
/// Paths that are, are not, and are nearly within the prefixes that policies have here.
const PATHS: [&str; 23] = [
    "/",
    "/foo",
    "/foo/",
    "/foo//",
    "/foo/bar",
    "/foo//bar",
    "/foobar",
    "/foo/private",
    "/foo/private/key",
    "/foo/../etc",
    "//foo",
    "/data",
    "/data/",
    "/data/set",
    "/database",
    "data",
    "/models",
    "/models/a",
    "/models/cache",
    "/models/cache/a",
    "/srv/a",
    "/var/log",
    "/var/./log/a",
];

/// A volume without a name, and whether it has to be mounted for reading only; none where the policy admits none.
pub(crate) fn any(random: &mut Random, legal: &Legal, is_legal: bool) -> Option<(Json, bool)> {
    let listed = legal.volumes.as_ref().filter(|_| is_legal);
    let types: Vec<_> = SOURCES
        .iter()
        .filter(|(name, _)| listed.is_none_or(|listed| listed.iter().any(|item| item == name)))
        .collect();
    if types.is_empty() {
        return None;
    }
    // What policies say more of comes more often than the rest.
    let special: Vec<_> = types
        .iter()
        .filter(|(name, _)| ["hostPath", "csi", "flexVolume", "projected"].contains(name))
        .copied()
        .collect();
    let (name, source) = if !special.is_empty() && random.percent(50) {
        **random.pick(&special)
    } else {
        **random.pick(&types)
    };
    let mut volume: Json = serde_json::from_str(source).unwrap();
    let mut read_only = false;
    match name {
        "hostPath" => {
            let path = if is_legal && !legal.host_paths.is_empty() {
                let (prefix, is_for_reading) = random.pick(&legal.host_paths);
                read_only = *is_for_reading;
                let end = *random.pick(&["", "/", "/a", "/a/b"]);
                format!("{}{end}", prefix.trim_end_matches('/'))
            } else {
                (*random.pick(&PATHS)).to_owned()
            };
            volume["hostPath"]["path"] = if path.is_empty() { "/".into() } else { path.into() };
        }
        "csi" => volume["csi"]["driver"] = driver(random, &legal.csi_drivers, is_legal, &CSI_DRIVERS).into(),
        "flexVolume" => {
            volume["flexVolume"]["driver"] =
                driver(random, &legal.flex_drivers, is_legal, &FLEX_DRIVERS).into();
        }
        "projected" => volume = projected(random),
        "emptyDir" if random.percent(20) => volume = json!({}),
        _ => {}
    }
    // The token under another name, and what is nearly it.
    if !is_legal && random.percent(20) {
        volume = token_like(random);
    }
    Some((volume, read_only))
}

fn driver(random: &mut Random, listed: &[String], is_legal: bool, all: &[&str]) -> String {
    if is_legal && !listed.is_empty() {
        return random.pick(listed).clone();
    }
    (*random.pick(all)).to_owned()
}

fn projected(random: &mut Random) -> Json {
    let sources = match random.below(5) {
        0 => json!([]),
        1 => {
            json!([{ "serviceAccountToken": { "path": "token", "audience": "vault", "expirationSeconds": 3600 } }])
        }
        2 => return token_like(random),
        3 => json!([{ "secret": { "name": "s" } }, { "downwardAPI": { "items": [
            { "path": "name", "fieldRef": { "fieldPath": "metadata.name" } }] } }]),
        _ => json!([{ "configMap": { "name": "c" } }]),
    };
    json!({ "projected": { "sources": sources } })
}

/// The volume that the API server adds to pods.
pub(crate) fn token() -> Json {
    json!({ "name": "kube-api-access-x7k2p", "projected": { "defaultMode": 420, "sources": [
        { "serviceAccountToken": { "expirationSeconds": 3607, "path": "token" } },
        { "configMap": { "name": "kube-root-ca.crt", "items": [{ "key": "ca.crt", "path": "ca.crt" }] } },
        { "downwardAPI": { "items": [
            { "path": "namespace", "fieldRef": { "apiVersion": "v1", "fieldPath": "metadata.namespace" } }] } },
    ] } })
}

/// The same without its name, and at times with one thing changed.
fn token_like(random: &mut Random) -> Json {
    let mut volume = token();
    let sources = &mut volume["projected"]["sources"];
    match random.below(6) {
        0 => sources[0]["serviceAccountToken"]["audience"] = "vault".into(),
        1 => sources[0]["serviceAccountToken"]["path"] = "other".into(),
        2 => sources[1]["configMap"]["name"] = "other".into(),
        3 => *sources = json!([sources[0]]),
        4 => sources[2]["downwardAPI"]["items"][0]["fieldRef"]["fieldPath"] = "metadata.name".into(),
        _ => {}
    }
    volume
}
