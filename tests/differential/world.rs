//! Clusters for drop-in mode: a configuration, Namespaces with labels right and wrong, pods that are there already.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};

use crate::pod::Maker;
use crate::random::Random;
use crate::text::word;

/// How many Namespaces there are.
pub(crate) const NAMESPACES: usize = 12;
const PREFIX: &str = "pod-security.kubernetes.io";
const MODES: [&str; 3] = ["enforce", "audit", "warn"];
const LEVELS: [&str; 3] = ["privileged", "baseline", "restricted"];
const WRONG_LEVELS: [&str; 6] = ["", "Restricted", "nope", "restricted ", "privileged\n", "q\"uote\\"];
const WRONG_VERSIONS: [&str; 14] = [
    "",
    "v2.0",
    "1.2",
    "v1",
    "v1.",
    "v1.08",
    "Latest",
    "latest\n",
    "v1.99999999999999999999",
    "v1.9223372036854775808",
    "v1.-1",
    "v1.2.3",
    "v1.\u{664}",
    "größe",
];
const RARE_VERSIONS: [&str; 5] = ["v1.38", "v1.99", "v1.5000", "v1.2147483648", "v1.9223372036854775807"];
pub(crate) const RUNTIME_CLASSES: [&str; 4] = ["gvisor", "kata.example.com", "runc", ""];
const IMAGES: [&str; 3] = ["pytorch:1", "pytorch:2", "busybox"];
/// Configurations that nobody starts with.
const FAULTS: [(&str, &str); 22] = [
    ("/defaults/enforce", r#""Baseline""#),
    ("/defaults/audit", "7"),
    ("/defaults/warn", r#""baseline ""#),
    ("/defaults/warn-version", r#""1.2""#),
    ("/defaults/enforce-version", "1.2"),
    ("/defaults/audit-version", r#""v2.0""#),
    ("/defaults/Enforce", r#""baseline""#),
    ("/defaults", "[]"),
    ("/exemptions/usernames", r#"[""]"#),
    ("/exemptions/usernames", r#"["a","a"]"#),
    ("/exemptions/usernames", "[null]"),
    ("/exemptions/usernames", r#""a""#),
    ("/exemptions/namespaces", r#"["A"]"#),
    ("/exemptions/namespaces", r#"["a.b"]"#),
    ("/exemptions/namespaces", r#"["a","b","a"]"#),
    ("/exemptions/runtimeClasses", r#"["a_b"]"#),
    ("/exemptions/runtimeClasses", r#"[".a"]"#),
    ("/exemptions/runtimeclasses", r#"["a"]"#),
    ("/apiVersion", r#""pod-security.admission.config.k8s.io/v2""#),
    ("/kind", r#""PodSecurityconfiguration""#),
    ("/metadata", "{}"),
    ("/more", "null"),
];

/// A cluster, as both sides are told of it.
pub(crate) struct World {
    pub(crate) random: Random,
    /// A PodSecurityConfiguration.
    pub(crate) configuration: Json,
    /// The labels of each Namespace.
    pub(crate) namespaces: BTreeMap<String, BTreeMap<String, String>>,
    /// The pods of each Namespace, in the order in which they are listed.
    pub(crate) pods: BTreeMap<String, Vec<Json>>,
}

impl World {
    pub(crate) fn new(random: Random) -> Self {
        let (namespaces, pods) = (BTreeMap::new(), BTreeMap::new());
        let mut world = Self { random, configuration: Json::Null, namespaces, pods };
        world.configuration = world.configure();
        if world.random.percent(3) {
            world.break_configuration();
        }
        for index in 0..NAMESPACES {
            let labels = world.labels();
            world.namespaces.insert(name(index), texts(&labels));
            let count = *world.random.pick(&[0, 1, 3, 8]);
            let mut pods: Vec<Json> = Vec::new();
            for number in 0..count {
                // Replicas break the same rules.
                let mut pod = if number > 0 && world.random.percent(40) {
                    world.random.pick(&pods).clone()
                } else {
                    world.existing_pod()
                };
                world.rename(&mut pod);
                pods.push(pod);
            }
            world.pods.insert(name(index), pods);
        }
        world
    }

    /// Fills a Namespace with more pods than are looked at, of few kinds, so that they are quickly made.
    pub(crate) fn crowd(&mut self, index: usize) {
        let kinds: Vec<Json> = (0..12).map(|_| self.replica(Maker::sound_pod)).collect();
        // Those of an exempt runtime class do not count.
        let count = if self.random.percent(25) { 2_998 } else { 3_400 } + self.random.below(6);
        let pods = (0..count).map(|_| {
            let mut pod = self.random.pick(&kinds).clone();
            self.rename(&mut pod);
            pod
        });
        let pods = pods.collect();
        self.pods.insert(name(index), pods);
    }

    // ---- the configuration

    fn configure(&mut self) -> Json {
        let version = *self.random.pick(&["v1", "v1", "v1beta1", "v1alpha1"]);
        let mut configuration = json!({
            "apiVersion": format!("pod-security.admission.config.k8s.io/{version}"),
            "kind": "PodSecurityConfiguration",
        });
        if self.random.percent(70) {
            configuration["defaults"] = self.defaults();
        }
        if self.random.percent(70) {
            configuration["exemptions"] = self.exemptions();
        }
        configuration
    }

    fn defaults(&mut self) -> Json {
        if self.random.percent(5) {
            return Json::Null;
        }
        let mut defaults = Map::new();
        for mode in MODES {
            if self.random.percent(40) {
                defaults.insert(mode.into(), (*self.random.pick(&LEVELS)).into());
            } else if self.random.percent(10) {
                defaults.insert(mode.into(), self.random.pick(&[json!(""), Json::Null]).clone());
            }
            if self.random.percent(30) {
                defaults.insert(format!("{mode}-version"), self.version().into());
            } else if self.random.percent(10) {
                defaults
                    .insert(format!("{mode}-version"), self.random.pick(&[json!(""), Json::Null]).clone());
            }
        }
        defaults.into()
    }

    fn exemptions(&mut self) -> Json {
        let mut exemptions = json!({});
        for (list, names) in [
            ("usernames", json!(["root-of-all", "system:serviceaccount:ci:deployer"])),
            ("namespaces", json!([name(0), name(1)])),
            ("runtimeClasses", json!(["gvisor", "kata.example.com"])),
        ] {
            if self.random.percent(75) {
                exemptions[list] = names;
            } else if self.random.percent(20) {
                exemptions[list] = self.random.pick(&[json!([]), Json::Null]).clone();
            }
        }
        exemptions
    }

    fn break_configuration(&mut self) {
        let (place, value) = *self.random.pick(&FAULTS);
        let value = serde_json::from_str(value).unwrap();
        let mut keys = place.split('/').skip(1);
        let first = keys.next().unwrap();
        match keys.next() {
            None => self.configuration[first] = value,
            Some(second) => {
                if !self.configuration[first].is_object() {
                    self.configuration[first] = json!({});
                }
                self.configuration[first][second] = value;
            }
        }
    }

    fn version(&mut self) -> String {
        match self.random.below(44) {
            43 => (*self.random.pick(&RARE_VERSIONS)).to_owned(),
            42 | 41 => "latest".to_owned(),
            minor => format!("v1.{minor}"),
        }
    }

    // ---- Namespaces

    /// Labels of a Namespace: each mode's at times, and at times wrong.
    pub(crate) fn labels(&mut self) -> Json {
        let mut labels = Map::from_iter([("team".to_owned(), "a".into())]);
        let wrong = *self.random.pick(&[0, 0, 0, 4, 20]);
        for mode in MODES {
            if self.random.percent(55) {
                let level = if self.random.percent(wrong) {
                    word(&mut self.random, &WRONG_LEVELS)
                } else {
                    (*self.random.pick(&LEVELS)).to_owned()
                };
                labels.insert(format!("{PREFIX}/{mode}"), level.into());
            }
            if self.random.percent(35) {
                let version = if self.random.percent(wrong) {
                    word(&mut self.random, &WRONG_VERSIONS)
                } else {
                    self.version()
                };
                labels.insert(format!("{PREFIX}/{mode}-version"), version.into());
            }
        }
        if self.random.percent(5) {
            labels.insert(format!("{PREFIX}/{}", self.random.pick(&["", "exempt", "Enforce"])), "x".into());
        }
        if self.random.percent(3) { Json::Null } else { labels.into() }
    }

    // ---- pods

    fn existing_pod(&mut self) -> Json {
        if self.random.percent(25) { self.replica(Maker::pod) } else { self.replica(Maker::sound_pod) }
    }

    /// A pod that is there already, mostly of some owner.
    fn replica(&mut self, make: impl FnOnce(Maker) -> Json) -> Json {
        let mut pod = self.pod(make);
        // Items of a list have no type of their own.
        if let Some(pod) = pod.as_object_mut() {
            pod.remove("apiVersion");
            pod.remove("kind");
        }
        if pod["metadata"].is_object() && self.random.percent(60) {
            let owner = format!("r-{}", self.random.below(3));
            let is_controller =
                self.random.pick(&[json!(true), json!(true), json!(true), json!(false), Json::Null]).clone();
            pod["metadata"]["ownerReferences"] = json!([
                { "apiVersion": "v1", "kind": "Node", "name": "n", "uid": "n" },
                { "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "r", "uid": owner,
                  "controller": is_controller },
            ]);
        }
        pod
    }

    fn rename(&mut self, pod: &mut Json) {
        if pod["metadata"].is_object() {
            let number = self.random.below(100_000);
            pod["metadata"]["name"] = format!("{}-{number}", self.random.pick(&["web", "train", "a"])).into();
        }
    }

    /// A pod with what only whole reviews hang on: the type, images and the runtime class.
    pub(crate) fn pod(&mut self, make: impl FnOnce(Maker) -> Json) -> Json {
        let mut pod = make(Maker::new(Random::of(self.random.next(), 0)));
        if !pod.is_object() {
            return pod;
        }
        pod["apiVersion"] = "v1".into();
        pod["kind"] = "Pod".into();
        self.set_images(&mut pod);
        if self.random.percent(20) && pod["spec"].is_object() {
            let class = *self.random.pick(&RUNTIME_CLASSES);
            pod["spec"]["runtimeClassName"] = class.into();
        }
        pod
    }

    pub(crate) fn set_images(&mut self, pod: &mut Json) {
        for list in ["initContainers", "containers", "ephemeralContainers"] {
            let containers =
                pod.get_mut("spec").and_then(|spec| spec.get_mut(list)).and_then(Json::as_array_mut);
            for container in containers.into_iter().flatten().filter_map(Json::as_object_mut) {
                if self.random.percent(3) {
                    container.insert("image".into(), Json::Null);
                } else {
                    container.insert("image".into(), (*self.random.pick(&IMAGES)).into());
                }
            }
        }
    }
}

/// The name of a Namespace.
pub(crate) fn name(index: usize) -> String {
    format!("team-{index}")
}

/// A Namespace.
pub(crate) fn namespace(name: &str, labels: &Json) -> Json {
    json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": name, "labels": labels } })
}

/// Labels as they are stored.
fn texts(labels: &Json) -> BTreeMap<String, String> {
    let labels = labels.as_object().into_iter().flatten();
    labels.map(|(key, value)| (key.clone(), value.as_str().unwrap_or_default().to_owned())).collect()
}
