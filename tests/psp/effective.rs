//! What of a pod PodSecurityPolicy could fill in, as a kubelet would understand it: two pods that are written in different
//! ways are equal if they run in the same way.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use crate::pod::{APP_ARMOR, SECCOMP_OF_CONTAINER, SECCOMP_OF_POD};

/// Every such value by its place; what is absent is not in it.
pub(crate) type Effective = BTreeMap<String, Json>;

/// Where containers are listed that may be filled in: ephemeral ones come by an update of their own, which the plugin passed
/// over.
const LISTS: [&str; 2] = ["initContainers", "containers"];
/// Fields of a container that the pod's stand in for.
const INHERITED: [&str; 4] = ["runAsUser", "runAsGroup", "runAsNonRoot", "seLinuxOptions"];

pub(crate) fn of(pod: &Json) -> Effective {
    let mut values = Effective::new();
    let of_pod = &pod["spec"]["securityContext"];
    let mut set = |place: String, value: Json| {
        if !is_nothing(&value) {
            values.insert(place, value);
        }
    };
    set("runtimeClassName".into(), pod["spec"]["runtimeClassName"].clone());
    set("fsGroup".into(), of_pod["fsGroup"].clone());
    set("supplementalGroups".into(), sorted(&of_pod["supplementalGroups"]));
    let mut containers = LISTS.iter().flat_map(|list| pod["spec"][list].as_array().into_iter().flatten());
    if containers.any(|container| container["securityContext"]["seLinuxOptions"].is_null()) {
        // Of what its containers share.
        set("seLinuxOptions".into(), se_linux(&of_pod["seLinuxOptions"]));
    }
    for list in LISTS {
        for container in pod["spec"][list].as_array().into_iter().flatten() {
            let name = container["name"].as_str().unwrap();
            let own = &container["securityContext"];
            let mut set = |field: &str, value: Json| set(format!("{name}.{field}"), value);
            for field in INHERITED {
                let value = if own[field].is_null() { &of_pod[field] } else { &own[field] };
                set(field, if field == "seLinuxOptions" { se_linux(value) } else { value.clone() });
            }
            set("privileged", json!(own["privileged"] == true));
            set("allowPrivilegeEscalation", json!(own["allowPrivilegeEscalation"] != false));
            set("readOnlyRootFilesystem", json!(own["readOnlyRootFilesystem"] == true));
            set("procMount", json!(own["procMount"] == "Unmasked"));
            set("capabilities.add", sorted(&own["capabilities"]["add"]));
            set("capabilities.drop", dropped(&own["capabilities"]["drop"]));
            set("seccomp", seccomp(pod, name, own).into());
            set("appArmor", app_armor(pod, name, own).into());
        }
    }
    values
}

fn is_nothing(value: &Json) -> bool {
    match value {
        Json::Null => true,
        Json::Bool(value) => !value,
        Json::String(text) => text.is_empty(),
        Json::Array(items) => items.is_empty(),
        Json::Object(members) => members.is_empty(),
        Json::Number(_) => false,
    }
}

fn sorted(list: &Json) -> Json {
    let mut items = list.as_array().cloned().unwrap_or_default();
    items.sort_by_key(Json::to_string);
    items.dedup();
    items.into()
}

/// Whoever drops all drops each.
fn dropped(list: &Json) -> Json {
    let items = sorted(list);
    if items.as_array().is_some_and(|items| items.contains(&json!("ALL"))) { json!(["ALL"]) } else { items }
}

/// Empty parts say nothing, and neither does the order of categories.
fn se_linux(options: &Json) -> Json {
    let mut options = options.clone();
    if let Some(members) = options.as_object_mut() {
        members.retain(|_, value| !is_nothing(value));
    }
    if let Some((sensitivity, categories)) = options["level"].as_str().and_then(|level| level.split_once(':'))
    {
        let mut categories: Vec<&str> = categories.split(',').collect();
        categories.sort_unstable();
        options["level"] = format!("{sensitivity}:{}", categories.join(",")).into();
    } else if let Some(members) = options.as_object_mut() {
        members.retain(|_, value| !value.is_null());
    }
    options
}

/// A container's profile, as annotations have it.
fn seccomp(pod: &Json, name: &str, own: &Json) -> String {
    let annotations = &pod["metadata"]["annotations"];
    let old = |key: &str| {
        annotations[key].as_str().map(|profile| profile.replace("docker/default", "runtime/default"))
    };
    profile(&own["seccompProfile"])
        .or_else(|| old(&format!("{SECCOMP_OF_CONTAINER}{name}")))
        .or_else(|| profile(&pod["spec"]["securityContext"]["seccompProfile"]))
        .or_else(|| old(SECCOMP_OF_POD))
        .unwrap_or_default()
}

fn app_armor(pod: &Json, name: &str, own: &Json) -> String {
    profile(&own["appArmorProfile"])
        .or_else(|| {
            let old = pod["metadata"]["annotations"][format!("{APP_ARMOR}{name}")].as_str();
            old.map(ToOwned::to_owned)
        })
        .or_else(|| profile(&pod["spec"]["securityContext"]["appArmorProfile"]))
        .unwrap_or_default()
}

fn profile(field: &Json) -> Option<String> {
    Some(match field["type"].as_str()? {
        "RuntimeDefault" => "runtime/default".to_owned(),
        "Unconfined" => "unconfined".to_owned(),
        _ => format!("localhost/{}", field["localhostProfile"].as_str().unwrap_or_default()),
    })
}
