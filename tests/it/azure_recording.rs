//! Reviews as a real API server sent them to azure-workload-identity v1.6.0, with its answers, in the folder that
//! `AZWI_RECORDING` names: after our patch each pod is as it was after that webhook's, or the difference is one of those that
//! `docs/identity.md` lists.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use podgate::identity::{Azure, AzureSettings, ServiceAccount, SettingsError, TokenEndpoint, TrustedCa};
use serde_json::Value as Json;

use crate::azure::{Reviewed, answer, reviewer};
use crate::real_data;

pub(crate) const RECORDING: &str = "AZWI_RECORDING";
pub(crate) const PAGE: &str = include_str!("../../docs/identity.md");
/// What the name of the volume begins with.
const RESERVED: &str = "azure-workload-identity-reserved-";

/// A deliberate difference: as `docs/identity.md` calls it, and how a line shows that it is the reason.
struct Difference {
    row: &'static str,
    explains: fn(&Line<'_>, &Reviewed) -> bool,
}

/// Those that the recording can show; the others in the table of the page are for what it does not ask.
const DIFFERENCES: [Difference; 11] = [
    Difference {
        row: "The label is checked again",
        explains: |line, ours| {
            line.kind == "open"
                && line.object()["metadata"]["labels"][LABEL] != "true"
                && ours.patch.is_none()
        },
    },
    Difference {
        row: "Only new pods are changed",
        explains: |line, ours| {
            (line.request()["subResource"].is_string() || line.request()["operation"] != "CREATE")
                && ours.is_allowed
                && ours.patch.is_none()
        },
    },
    Difference {
        row: "A review that no API server sends is refused",
        explains: |line, ours| {
            let fragments =
                ["which no API server asks for", "expected an AdmissionReview of admission.k8s.io/v1"];
            line.kind == "direct" && fragments.iter().any(|fragment| refuses(ours, fragment))
        },
    },
    Difference {
        row: "A mount path that is taken is refused",
        explains: |_, ours| refuses(ours, "mounts the volume"),
    },
    Difference {
        row: "A reserved volume name is refused for anything else",
        explains: |_, ours| refuses(ours, "its name is reserved"),
    },
    Difference {
        row: "A port that is none is refused",
        explains: |line, ours| line.came_to_nothing() && refuses(ours, "a port between 1 and 65535"),
    },
    Difference {
        row: "No proxy on Windows",
        explains: |line, ours| line.came_to_nothing() && refuses(ours, "the proxy is for Linux"),
    },
    Difference {
        row: "A name of the proxy in the wrong list is refused",
        explains: |line, ours| line.came_to_nothing() && refuses(ours, "one of that name belongs into"),
    },
    Difference {
        row: "Mirror pods are left alone",
        explains: |line, ours| {
            let annotations = &line.object()["metadata"]["annotations"];
            annotations["kubernetes.io/config.mirror"].is_string() && ours.is_allowed && ours.patch.is_none()
        },
    },
    Difference {
        row: "A stored pod gets no second volume",
        explains: |line, ours| {
            let is_reserved =
                |volume: &Json| volume["name"].as_str().is_some_and(|name| name.starts_with(RESERVED));
            let count = |pod: &Json| {
                pod["spec"]["volumes"]
                    .as_array()
                    .map_or(0, |list| list.iter().filter(|volume| is_reserved(volume)).count())
            };
            line.line["server"]["code"] == 422
                && ours.is_allowed
                && count(&ours.patched(line.object())) == 1
                && count(&line.line["patched"]) == 2
        },
    },
    Difference {
        row: "Newer fields survive",
        explains: |line, ours| {
            let mut lost = BTreeSet::new();
            let ours = normal(line, ours.patched(line.object()));
            let is_rest = only_loses(&ours, &normal(line, line.line["patched"].clone()), &mut lost);
            let input = line.object().to_string();
            is_rest && !lost.is_empty() && lost.iter().all(|key| input.contains(&format!("\"{key}\"")))
        },
    },
];

const LABEL: &str = "azure.workload.identity/use";

fn refuses(ours: &Reviewed, fragment: &str) -> bool {
    !ours.is_allowed && ours.code == 400 && ours.message.contains(fragment)
}

/// One line of the recording.
pub(crate) struct Line<'l> {
    pub(crate) line: &'l Json,
    pub(crate) kind: &'l str,
    pub(crate) case: &'l str,
}

impl<'l> Line<'l> {
    pub(crate) fn of(line: &'l Json) -> Self {
        let text = |field: &str| line[field].as_str().unwrap();
        Self { line, kind: text("kind"), case: text("case") }
    }

    fn request(&self) -> &Json {
        &self.line["review"]["request"]
    }

    fn object(&self) -> &Json {
        &self.request()["object"]
    }

    /// Whether the API server refused what the webhook allowed, or nobody asked it.
    fn came_to_nothing(&self) -> bool {
        self.line["server"]["code"].as_u64().is_none_or(|code| code >= 400)
    }

    /// A setting of the webhook; `CONFIG_` before its name goes first.
    pub(crate) fn setting(&self, name: &str) -> Option<&str> {
        let environment = &self.line["environment"];
        environment[format!("CONFIG_{name}")].as_str().or_else(|| environment[name].as_str())
    }

    /// The webhook's own settings as ours.
    pub(crate) fn settings(&self) -> Result<AzureSettings, SettingsError> {
        let text = |name: &str| self.setting(name).unwrap_or_default();
        let usual = AzureSettings::of_tenant(text("AZURE_TENANT_ID"));
        let ca = TrustedCa::of(
            text("AZURE_KUBERNETES_CA_DATA"),
            text("AZURE_KUBERNETES_CA_CONFIGMAP_NAME"),
            text("AZURE_KUBERNETES_CA_CTB_SIGNER_NAME"),
            text("AZURE_KUBERNETES_CA_CTB_LABEL_SELECTOR"),
        )?;
        let endpoint = TokenEndpoint {
            annotation_suffix: text("--custom-token-endpoint-annotation-suffix").to_owned(),
            audience: text("--custom-token-endpoint-audience").to_owned(),
            token_proxy: text("AZURE_KUBERNETES_TOKEN_PROXY").to_owned(),
            sni_name: text("AZURE_KUBERNETES_SNI_NAME").to_owned(),
            ca,
        };
        let is_off = endpoint.annotation_suffix.is_empty() && endpoint.audience.is_empty();
        let or_usual = |name: &str, usual: String| self.setting(name).map_or(usual, ToOwned::to_owned);
        let settings = AzureSettings {
            cloud: text("AZURE_ENVIRONMENT").parse()?,
            audience: or_usual("--audience", usual.audience),
            token_endpoint: (!is_off).then_some(endpoint),
            proxy_image: or_usual("PROXY_IMAGE", usual.proxy_image),
            proxy_init_image: or_usual("PROXY_INIT_IMAGE", usual.proxy_init_image),
            proxy_log_level: text("--log-level").parse()?,
            kubernetes_version: match self.line["apiserver"].as_str() {
                Some(version) => version.parse()?,
                None => usual.kubernetes_version,
            },
            ..AzureSettings::of_tenant(text("AZURE_TENANT_ID"))
        };
        Azure::new(settings.clone()).map(|_| settings)
    }

    pub(crate) fn accounts(&self) -> Vec<(&str, &str, ServiceAccount)> {
        let account = &self.line["account"];
        let Some(name) = account["name"].as_str() else { return Vec::new() };
        let map = |field: &str| -> Vec<(String, String)> {
            let map = account[field].as_object().into_iter().flatten();
            map.map(|(key, value)| (key.clone(), value.as_str().unwrap().to_owned())).collect()
        };
        let (annotations, labels) = (map("annotations"), map("labels"));
        let account_of = ServiceAccount::new(
            annotations.iter().map(|(key, value)| (key.as_str(), value.as_str())),
            labels.iter().map(|(key, value)| (key.as_str(), value.as_str())),
        );
        // As files are read: an object without a namespace is in the default one.
        let namespace = account["namespace"].as_str().filter(|namespace| !namespace.is_empty());
        vec![(namespace.unwrap_or("default"), name, account_of)]
    }
}

/// What neither webhook has a say in: what the API server fills in, and takes out, anyway.
fn normal(line: &Line<'_>, mut pod: Json) -> Json {
    let is_reserved = |name: &Json| name.as_str().is_some_and(|name| name.starts_with(RESERVED));
    if pod["status"] == Json::Object(serde_json::Map::default()) {
        pod.as_object_mut().unwrap().remove("status");
    }
    for list in ["initContainers", "containers"] {
        for container in pod["spec"][list].as_array_mut().into_iter().flatten() {
            let is_proxy = container["name"].as_str().is_some_and(|name| name.starts_with("azwi-proxy"));
            // Ours has some, and what was sent by hand is written otherwise.
            if is_proxy || line.kind == "direct" {
                container.as_object_mut().unwrap().remove("resources");
            }
        }
    }
    for volume in pod["spec"]["volumes"].as_array_mut().into_iter().flatten() {
        if is_reserved(&volume["name"])
            && let Some(projected) = volume["projected"].as_object_mut()
        {
            projected.remove("defaultMode");
        }
    }
    if line.kind == "direct" {
        pod["metadata"]["namespace"] = line.request()["namespace"].clone();
    }
    without_times(&mut pod, line.kind == "direct");
    pod
}

/// Takes out creation times that are null and, of what was sent by hand, all that holds nothing.
fn without_times(json: &mut Json, is_direct: bool) {
    let is_nothing = |json: &Json| json.is_null() || json.as_array().is_some_and(Vec::is_empty);
    match json {
        Json::Object(members) => {
            members.retain(|key, value| {
                let is_unset_time = key == "creationTimestamp" && value.is_null();
                !is_unset_time && (!is_direct || !is_nothing(value))
            });
            members.values_mut().for_each(|value| without_times(value, is_direct));
        }
        Json::Array(items) => items.iter_mut().for_each(|item| without_times(item, is_direct)),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => {}
    }
}

/// Whether `theirs` is `ours` but for members that it lost, whose names are collected.
fn only_loses(ours: &Json, theirs: &Json, lost: &mut BTreeSet<String>) -> bool {
    match (ours, theirs) {
        (Json::Object(ours), Json::Object(theirs)) => {
            lost.extend(ours.keys().filter(|key| !theirs.contains_key(*key)).cloned());
            theirs
                .iter()
                .all(|(key, theirs)| ours.get(key).is_some_and(|ours| only_loses(ours, theirs, lost)))
        }
        (Json::Array(ours), Json::Array(theirs)) => {
            ours.len() == theirs.len()
                && ours.iter().zip(theirs).all(|(ours, theirs)| only_loses(ours, theirs, lost))
        }
        (ours, theirs) => ours == theirs,
    }
}

/// How a line is answered: as by the webhook, or why not.
fn compare(line: &Line<'_>) -> Result<Option<&'static str>, String> {
    let settings = match line.settings() {
        Ok(settings) => settings,
        Err(error) if line.kind == "startup" => {
            let is_same = line.line["startup"].is_string();
            return if is_same { Ok(None) } else { Err(format!("does not start: {error}")) };
        }
        Err(error) => return Err(error.to_string()),
    };
    if line.kind == "startup" {
        return if line.line["startup"].is_null() { Ok(None) } else { Err("starts".to_owned()) };
    }
    let ours = answer(&reviewer(settings, &line.accounts()), &line.line["review"]);
    let theirs = &line.line["answer"];
    let ours = match ours {
        Ok(ours) => ours,
        // There is no uid to answer with.
        Err(_) if theirs["allowed"] == false && line.request().is_null() => return Ok(None),
        Err(error) => return Err(error),
    };
    let is_same = if theirs.is_null() {
        ours.is_allowed && ours.patch.is_none()
    } else if theirs["allowed"] == true {
        ours.is_allowed
            && normal(line, ours.patched(line.object())) == normal(line, line.line["patched"].clone())
    } else {
        !ours.is_allowed && ours.code == theirs["status"]["code"]
    };
    if is_same {
        return Ok(None);
    }
    let explained = DIFFERENCES.iter().find(|difference| (difference.explains)(line, &ours));
    match explained {
        Some(difference) => Ok(Some(difference.row)),
        None => Err(format!(
            "{ours:?}\n  is {}\n  not {}",
            normal(line, ours.patched(line.object())),
            normal(line, line.line["patched"].clone())
        )),
    }
}

#[test]
fn every_recorded_review_is_answered_as_it_was() {
    let Some(folder) = real_data::folder(RECORDING, "the recording of azure-workload-identity") else {
        return;
    };
    let text = fs::read_to_string(folder.join("recording.jsonl")).unwrap();
    let mut differences: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let (mut same, mut failures) = (0, Vec::new());
    for line in text.lines() {
        let line: Json = serde_json::from_str(line).unwrap();
        let line = Line::of(&line);
        match compare(&line) {
            Ok(None) => same += 1,
            Ok(Some(row)) => differences.entry(row).or_default().push(line.case.to_owned()),
            Err(why) => failures.push(format!("{}: {why}", line.case)),
        }
    }
    assert!(failures.is_empty(), "{} lines:\n{}", failures.len(), failures.join("\n"));
    eprintln!("{same} lines are answered as they were; those that are not, by row of docs/identity.md:");
    for (row, cases) in &differences {
        eprintln!("{} {row}: {cases:?}", cases.len());
    }
    assert!(same > 0);
}

#[test]
fn every_difference_is_a_row_of_the_page() {
    for difference in &DIFFERENCES {
        assert!(PAGE.contains(&format!("| {} |", difference.row)), "{}", difference.row);
    }
}
