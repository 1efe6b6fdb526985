//! Objects that somebody gives as policies and that are none: a ConfigMap around policies, a configuration of the API server, a
//! policy of another admission controller, a manifest. Each is told by name, with what to do.

use serde_json::Value;

use crate::controls::{Level, Standard};
use crate::path::Path;
use crate::policy::configuration;
use crate::policy::file_name::is_policy_file;
use crate::policy::kind::{GROUP, KIND_TABLE, POLICY_TEST};
use crate::text::{Printable, quoted};
use crate::workload::Workload;

/// Where policies are described, and what lists the controls.
const WRITE_ONE: &str = "write a SecurityPolicy (docs/policies.md; podgate explain lists what it can check)";

/// What an object is that is no policy, and what to do with it; the path is where it shows. `None` if it may be meant as a
/// policy, or nothing is known of its kind.
pub(super) fn advice(object: &Value) -> Option<(Path<'static>, String)> {
    let text = |key: &str| object.get(key).and_then(Value::as_str).unwrap_or_default();
    let (api_version, kind) = (text("apiVersion"), text("kind"));
    let group = api_version.split_once('/').map_or("", |(group, _)| group);
    let what = match (group, kind) {
        ("", "ConfigMap") => of_config_map(object),
        ("", "Secret") => {
            "a Secret: policies hold nothing secret, so keep them in files or in a ConfigMap".to_owned()
        }
        ("" | GROUP, "List") => {
            "a List: give each of its items as a document of its own, with a line --- between".to_owned()
        }
        (GROUP, KIND_TABLE) => "a table of kinds, and no policy: name its file with --kinds".to_owned(),
        (GROUP, POLICY_TEST) => "a test of policies, and none itself: podgate policy test runs it".to_owned(),
        ("apiserver.config.k8s.io", "AdmissionConfiguration") => of_admission_configuration(object),
        ("policy" | "extensions", "PodSecurityPolicy") => of_pod_security_policy(object),
        ("admissionregistration.k8s.io", _) => {
            format!("{}: the API server itself goes by it, so apply it with kubectl", a(kind))
        }
        _ => of_other(object, group, (api_version, kind))?,
    };
    Some((Path::from_dotted("kind"), what))
}

/// `a Pod`, `an AdmissionConfiguration`.
fn a(kind: &str) -> String {
    let article = if kind.starts_with(['A', 'E', 'I', 'O', 'U']) { "an" } else { "a" };
    format!("{article} {}", Printable(kind))
}

/// Kinds of other controllers, by their groups, and manifests.
fn of_other(object: &Value, group: &str, (api_version, kind): (&str, &str)) -> Option<String> {
    let is_within = |domain: &str| group == domain || group.ends_with(&format!(".{domain}"));
    let of = [
        ("kyverno.io", "Kyverno"),
        ("gatekeeper.sh", "Gatekeeper"),
        ("kubewarden.io", "Kubewarden"),
        ("openpolicyagent.org", "Open Policy Agent"),
    ];
    if let Some((_, owner)) = of.into_iter().find(|(domain, _)| is_within(domain)) {
        return Some(format!(
            "{} of {owner}, which podgate does not read: {WRITE_ONE}{}",
            a(kind),
            level_of(object)
        ));
    }
    if Workload::of_kind(api_version, kind).is_some() {
        return Some(format!("{}, and no policy: podgate lint judges it", a(kind)));
    }
    let is_object = api_version == "v1" && ["Namespace", "ServiceAccount"].contains(&kind);
    is_object.then(|| format!("{}, and no policy: name its file with --objects", a(kind)))
}

/// What a policy of Kyverno that checks a Pod Security Standard is here.
fn level_of(object: &Value) -> String {
    let rules = object.pointer("/spec/rules").and_then(Value::as_array).into_iter().flatten();
    let mut standards = rules.filter_map(|rule| {
        let checked = rule.pointer("/validate/podSecurity")?;
        let level: Level = checked.get("level")?.as_str()?.parse().ok()?;
        let version = checked.get("version").and_then(Value::as_str).unwrap_or("latest");
        format!("{}:{version}", level.name()).parse::<Standard>().ok()
    });
    let as_ours =
        |standard: Standard| format!(". Its podSecurity is spec.standard.enforce: {}", standard.text());
    standards.next().map(as_ours).unwrap_or_default()
}

/// A ConfigMap that holds policies says how to take them out.
fn of_config_map(object: &Value) -> String {
    let data = object.get("data").and_then(Value::as_object);
    let is_policy = |text: &str| text.contains(GROUP) || text.contains(configuration::GROUP);
    let files: Vec<&str> = data
        .into_iter()
        .flatten()
        .filter(|(_, text)| text.as_str().is_some_and(is_policy))
        .map(|(name, _)| name.as_str())
        .collect();
    let Some(first) = files.first() else {
        return "a ConfigMap, and no policy: policies stand in files of their own".to_owned();
    };
    let more = match files.len() {
        1 => String::new(),
        count => format!(", and {} more", count - 1),
    };
    format!(
        "a ConfigMap that holds policies (data[{}]{more}): take them out of it, each into a file of its own{}",
        quoted(first),
        command(object, first)
    )
}

/// The command that takes a file out of a ConfigMap, if its names are such that the command can be pasted.
fn command(object: &Value, file: &str) -> String {
    let metadata = |key: &str| object.get("metadata")?.get(key)?.as_str();
    let is_plain = |name: &str| {
        !name.is_empty()
            && name.chars().all(|character| character.is_ascii_alphanumeric() || "-._".contains(character))
    };
    let extension = if is_policy_file(file) { "" } else { ".yaml" };
    let namespace = metadata("namespace").unwrap_or("podgate-system");
    match metadata("name") {
        Some(name)
            if [name, namespace, file].into_iter().all(|name| is_plain(name) && !name.starts_with('-')) =>
        {
            format!(
                ": kubectl get configmap {name} -n {namespace} -o jsonpath='{{.data.{}}}' > {file}{extension}",
                file.replace('.', "\\.")
            )
        }
        _ => String::new(),
    }
}

/// The file of the API server's flag `--admission-control-config-file`.
fn of_admission_configuration(object: &Value) -> String {
    let plugins = object.get("plugins").and_then(Value::as_array);
    let is_ours = |plugin: &&Value| plugin.get("name").is_some_and(|name| name == "PodSecurity");
    let ours = plugins.into_iter().flatten().enumerate().find(|(_, plugin)| is_ours(plugin));
    let Some((index, plugin)) = ours else {
        return "an AdmissionConfiguration without the plugin PodSecurity: there is no policy in it"
            .to_owned();
    };
    match plugin.get("path").and_then(Value::as_str).filter(|path| !path.is_empty()) {
        Some(path) => format!(
            "an AdmissionConfiguration: give the file that its plugins[{index}].path names, {}",
            quoted(path)
        ),
        None => format!(
            "an AdmissionConfiguration: take out the PodSecurityConfiguration in its plugins[{index}].configuration, into \
             a file of its own"
        ),
    }
}

/// A PodSecurityPolicy says by what it permits which level is nearest.
fn of_pod_security_policy(object: &Value) -> String {
    let spec = |key: &str| object.get("spec").and_then(|spec| spec.get(key));
    let permits = |key: &str| spec(key) == Some(&Value::Bool(true));
    let lists = |key: &str, what: &str| {
        spec(key).and_then(Value::as_array).is_some_and(|values| values.iter().any(|value| value == what))
    };
    let is_privileged = ["privileged", "hostNetwork", "hostPID", "hostIPC"].into_iter().any(permits)
        || lists("volumes", "*")
        || lists("volumes", "hostPath")
        || lists("allowedCapabilities", "*");
    let is_restricted = lists("requiredDropCapabilities", "ALL");
    let level = match (is_privileged, is_restricted) {
        (true, _) => "privileged",
        (false, true) => "restricted",
        (false, false) => "baseline",
    };
    format!(
        "a PodSecurityPolicy, which Kubernetes has not had since v1.25: podgate import psp makes a SecurityPolicy of it \
         (docs/psp.md); the nearest level for spec.standard.enforce is {level}"
    )
}
