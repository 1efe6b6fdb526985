//! The proxy for clients that only know the metadata service of a virtual machine: a sidecar that answers in its place, and
//! an init container that leads what is sent there to the sidecar. Off unless the pod asks.

use std::sync::Arc;

use crate::finding::{Edit, EditOp, Subject, Value};
use crate::identity::azure::annotations::SkippedContainers;
use crate::identity::azure::containers::Block;
use crate::identity::azure::error::{bad_annotation, refused};
use crate::identity::azure::settings::AzureSettings;
use crate::identity::azure::variables::json_text;
use crate::identity::azure_keys::{INJECT_PROXY, PROXY_PORT};
use crate::identity::provider::InjectionError;
use crate::pod::{Container, Pod};

/// The names of the two.
const SIDECAR: &str = "azwi-proxy";
const INIT: &str = "azwi-proxy-init";
/// The port of the proxy if the pod names none.
const USUAL_PORT: u16 = 8000;
/// azure-workload-identity sets none, so that a quota, or a minimum of the namespace, refuses the pod. The proxy is idle
/// mostly, and the init container makes a handful of rules.
const SIDECAR_RESOURCES: &str =
    r#"{"requests":{"cpu":"10m","memory":"32Mi"},"limits":{"cpu":"200m","memory":"128Mi"}}"#;
const INIT_RESOURCES: &str =
    r#"{"requests":{"cpu":"10m","memory":"16Mi"},"limits":{"cpu":"100m","memory":"64Mi"}}"#;

/// The proxy of a pod.
#[derive(Debug)]
pub(super) struct Proxy<'s> {
    settings: &'s AzureSettings,
    port: u16,
    /// Whether the pod lacks the sidecar.
    lacks_sidecar: bool,
    /// Whether it lacks the init container.
    lacks_init: bool,
}

impl<'s> Proxy<'s> {
    /// The names of what is added to a pod that asks for the proxy.
    pub(super) const NAMES: [&'static str; 2] = [SIDECAR, INIT];

    /// The proxy that a pod asks for, by an annotation of any value.
    ///
    /// # Errors
    /// When the pod cannot have one, or names no port for it.
    pub(super) fn of(pod: &Pod<'_>, settings: &'s AzureSettings) -> Result<Option<Self>, InjectionError> {
        if pod.metadata.annotation(INJECT_PROXY).is_none() {
            return Ok(None);
        }
        if pod.spec.host_network {
            return Err(cannot("hostNetwork is true, and the rules of the proxy would be those of the node"));
        }
        let port = port_of(pod)?;
        if pod.is_windows() {
            return Err(cannot("the pod is for Windows, and the proxy is for Linux"));
        }
        let (init, regular) = (pod.spec.init_containers.as_slice(), pod.spec.containers.as_slice());
        let (own, other) = if settings.kubernetes_version.has_sidecars() {
            ((init, "initContainers"), (regular, "containers"))
        } else {
            ((regular, "containers"), (init, "initContainers"))
        };
        Ok(Some(Self {
            settings,
            port,
            lacks_sidecar: lacks(SIDECAR, own, other)?,
            lacks_init: lacks(INIT, (init, "initContainers"), (regular, "containers"))?,
        }))
    }

    /// Adds what the pod lacks of it.
    pub(super) fn add_to<'p>(
        &self,
        block: &Block<'_>,
        skipped: SkippedContainers<'_>,
        edits: &mut Vec<Edit<'p>>,
    ) {
        if self.lacks_init {
            let json = self.init(block, skipped.has(INIT));
            edits.push(Edit::new(Subject::Pod, "initContainers", EditOp::append(json)));
        }
        if self.lacks_sidecar {
            let list =
                if self.settings.kubernetes_version.has_sidecars() { "initContainers" } else { "containers" };
            let json = self.sidecar(block, skipped.has(SIDECAR));
            edits.push(Edit::new(Subject::Pod, list, EditOp::Prepend(Value::Json(json))));
        }
    }

    fn sidecar(&self, block: &Block<'_>, is_skipped: bool) -> Arc<str> {
        let port = self.port;
        let level = self.settings.proxy_log_level.word();
        let restart =
            if self.settings.kubernetes_version.has_sidecars() { r#""restartPolicy":"Always","# } else { "" };
        let (env, mounts) = if is_skipped { Default::default() } else { (env(block), mounts(block)) };
        format!(
            "{{\"name\":\"{SIDECAR}\",\"image\":{image},\"imagePullPolicy\":\"IfNotPresent\",{restart}\
             \"args\":[\"--proxy-port={port}\",\"--log-level={level}\"],\"ports\":[{{\"containerPort\":{port}}}],\
             \"lifecycle\":{{\"postStart\":{{\"exec\":{{\"command\":[\"/proxy\",\"--proxy-port={port}\",\"--probe\",\
             \"--log-level={level}\"]}}}}}},\"securityContext\":{{\"allowPrivilegeEscalation\":false,\
             \"capabilities\":{{\"drop\":[\"ALL\"]}},\"privileged\":false,\"readOnlyRootFilesystem\":true,\
             \"runAsNonRoot\":true}},{env}{mounts}\"resources\":{SIDECAR_RESOURCES}}}",
            image = json_text(&self.settings.proxy_image),
            env = if env.is_empty() { String::new() } else { format!("\"env\":[{env}],") },
        )
        .into()
    }

    fn init(&self, block: &Block<'_>, is_skipped: bool) -> Arc<str> {
        let (env, mounts) = if is_skipped { Default::default() } else { (env(block), mounts(block)) };
        let port = format!("{{\"name\":\"PROXY_PORT\",\"value\":\"{}\"}}", self.port);
        format!(
            "{{\"name\":\"{INIT}\",\"image\":{image},\"imagePullPolicy\":\"IfNotPresent\",\"securityContext\":\
             {{\"capabilities\":{{\"add\":[\"NET_ADMIN\"],\"drop\":[\"ALL\"]}},\"privileged\":true,\
             \"runAsNonRoot\":false,\"runAsUser\":0}},\"env\":[{port}{env}],{mounts}\"resources\":{INIT_RESOURCES}}}",
            image = json_text(&self.settings.proxy_init_image),
            env = if env.is_empty() { String::new() } else { format!(",{env}") },
        )
        .into()
    }
}

/// Kubernetes' own admission refuses the init container in a namespace of a stricter level than the loosest: it comes after us.
pub(super) fn refused_by(enforced_level: Option<&str>) -> Option<String> {
    let level = enforced_level.filter(|level| matches!(*level, "baseline" | "restricted"))?;
    Some(format!("podgate: {INIT} is privileged, and the level {level} of the namespace refuses that"))
}

/// The entries of `env`, as JSON.
fn env(block: &Block<'_>) -> String {
    block.env.join(",")
}

/// The member with the mounts, as JSON.
fn mounts(block: &Block<'_>) -> String {
    format!("\"volumeMounts\":[{}],", block.mounts.join(","))
}

/// Whether a pod lacks a container in the list that it belongs to.
fn lacks(
    name: &str,
    (own, own_list): (&[Container<'_>], &str),
    (other, other_list): (&[Container<'_>], &str),
) -> Result<bool, InjectionError> {
    if own.iter().any(|container| container.name == name) {
        return Ok(false);
    }
    if other.iter().any(|container| container.name == name) {
        return Err(cannot(&format!(
            "spec.{other_list} has a container {name}, and one of that name belongs into spec.{own_list}: rename it"
        )));
    }
    Ok(true)
}

/// The port, read as Go reads a number; 0 and what is no port the API server would refuse.
fn port_of(pod: &Pod<'_>) -> Result<u16, InjectionError> {
    let Some(value) = pod.metadata.annotation(PROXY_PORT) else { return Ok(USUAL_PORT) };
    let port = value.parse::<u16>().ok().filter(|port| *port != 0);
    port.ok_or_else(|| bad_annotation(PROXY_PORT, "pod", value, "a port between 1 and 65535"))
}

fn cannot(reason: &str) -> InjectionError {
    refused(format!("the pod asks for the proxy of Azure workload identity ({INJECT_PROXY}), but {reason}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Reader;

    /// A version, the annotations, in short, what the spec says, and what comes of it.
    const PODS: [(&str, &str, &str, &str); 19] = [
        ("1.33", "", r#""hostNetwork":true"#, "none"),
        ("1.33", r#""PORT":"x""#, "", "none"),
        ("1.33", r#""INJECT":"false""#, "", "port 8000, sidecar true, init true"),
        ("1.33", r#""INJECT":"","PORT":"+09000""#, "", "port 9000, sidecar true, init true"),
        ("1.33", r#""INJECT":"","PORT":"65535""#, "", "port 65535, sidecar true, init true"),
        ("1.33", r#""INJECT":"","PORT":"x""#, r#""hostNetwork":true"#, "400 hostNetwork"),
        ("1.33", r#""INJECT":"","PORT":"65536""#, "", "400 is \"65536\""),
        ("1.33", r#""INJECT":"","PORT":"0""#, "", "400 is \"0\""),
        ("1.33", r#""INJECT":"","PORT":"-0""#, "", "400 is \"-0\""),
        ("1.33", r#""INJECT":"","PORT":"-1""#, "", "400 is \"-1\""),
        ("1.33", r#""INJECT":"","PORT":"""#, "", "400 is \"\""),
        ("1.33", r#""INJECT":"","PORT":"80a""#, "", "400 is \"80a\""),
        ("1.33", r#""INJECT":"""#, r#""os":{"name":"windows"}"#, "400 Windows"),
        (
            "1.33",
            r#""INJECT":"""#,
            r#""initContainers":[{"name":"azwi-proxy"}]"#,
            "port 8000, sidecar false, init true",
        ),
        ("1.33", r#""INJECT":"""#, r#""containers":[{"name":"azwi-proxy"}]"#, "400 spec.containers has"),
        (
            "1.31",
            r#""INJECT":"""#,
            r#""containers":[{"name":"azwi-proxy"}]"#,
            "port 8000, sidecar false, init true",
        ),
        (
            "1.31",
            r#""INJECT":"""#,
            r#""initContainers":[{"name":"azwi-proxy"}]"#,
            "400 spec.initContainers has",
        ),
        ("1.31", r#""INJECT":"""#, r#""containers":[{"name":"azwi-proxy-init"}]"#, "400 spec.containers has"),
        (
            "1.31",
            r#""INJECT":"""#,
            r#""initContainers":[{"name":"azwi-proxy-init"}]"#,
            "port 8000, sidecar true, init false",
        ),
    ];

    #[test]
    fn the_proxy_is_refused_where_it_cannot_be() {
        for (version, annotations, spec, expected) in PODS {
            let annotations =
                annotations.replace("INJECT", INJECT_PROXY).replace("PORT\":", &format!("{PROXY_PORT}\":"));
            let text = format!(r#"{{"metadata":{{"annotations":{{{annotations}}}}},"spec":{{{spec}}}}}"#);
            let pod = Pod::read(&mut Reader::over(&text)).expect("a pod");
            let version = version.parse().expect("a version");
            let settings = AzureSettings { kubernetes_version: version, ..AzureSettings::of_tenant("t") };
            let found = match Proxy::of(&pod, &settings) {
                Ok(None) => "none".to_owned(),
                Ok(Some(Proxy { port, lacks_sidecar, lacks_init, .. })) => {
                    format!("port {port}, sidecar {lacks_sidecar}, init {lacks_init}")
                }
                Err(error) => format!("{} {error}", error.code),
            };
            let (code, words) = expected.split_once(' ').unwrap_or((expected, ""));
            assert!(found.starts_with(code) && found.contains(words), "{text}: {found}");
        }
    }
}
