//! Fields that stand in the wrong place, or are misspelt, beside those that podgate reads.
//!
//! An API server drops them, or refuses the object if it is asked to. So they never change a verdict; but whoever wrote
//! `privileged: false` on a container is told that it does nothing there.
//!
//! A field is reported only if Kubernetes has none of its name there, and its name is, nearly, that of a field which a
//! control depends on. Maps of free keys are not looked into.

use serde::Serialize;

use crate::lint::legal_fields::Level;
use crate::path::Path;
use crate::text::printable;
use crate::workload::Workload;
use crate::yaml::{Entry, Node, Value};

/// Most that are reported of one object.
const MOST: usize = 32;
/// Longest name that is shown, in characters; and that is compared, in bytes.
const LONGEST_NAME: usize = 63;

/// Where a field belongs.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Home {
    /// In the pod's spec.
    PodSpec,
    /// In the pod's security context alone.
    PodSecurity,
    /// In each container's security context alone.
    Security,
    /// In the pod's or a container's security context.
    AnySecurity,
    /// In the `capabilities` of a container's security context.
    Capabilities,
}

/// The fields that controls depend on, and their neighbours in security contexts.
const FIELDS: [(&str, Home); 29] = [
    ("hostNetwork", Home::PodSpec),
    ("hostPID", Home::PodSpec),
    ("hostIPC", Home::PodSpec),
    ("hostUsers", Home::PodSpec),
    ("volumes", Home::PodSpec),
    ("containers", Home::PodSpec),
    ("initContainers", Home::PodSpec),
    ("ephemeralContainers", Home::PodSpec),
    ("serviceAccountName", Home::PodSpec),
    ("securityContext", Home::PodSpec),
    ("sysctls", Home::PodSecurity),
    ("fsGroup", Home::PodSecurity),
    ("fsGroupChangePolicy", Home::PodSecurity),
    ("supplementalGroups", Home::PodSecurity),
    ("privileged", Home::Security),
    ("allowPrivilegeEscalation", Home::Security),
    ("capabilities", Home::Security),
    ("readOnlyRootFilesystem", Home::Security),
    ("procMount", Home::Security),
    ("runAsNonRoot", Home::AnySecurity),
    ("runAsUser", Home::AnySecurity),
    ("runAsGroup", Home::AnySecurity),
    ("runAsUserName", Home::AnySecurity),
    ("seccompProfile", Home::AnySecurity),
    ("appArmorProfile", Home::AnySecurity),
    ("seLinuxOptions", Home::AnySecurity),
    ("windowsOptions", Home::AnySecurity),
    ("add", Home::Capabilities),
    ("drop", Home::Capabilities),
];

/// A field that has no effect where it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Misplaced {
    /// The field, from the object on.
    pub field: String,
    /// Its line.
    pub line: usize,
    /// Its column.
    pub column: usize,
    /// What is wrong, and what to do.
    pub message: String,
    /// The path of the field that was meant, `[*]` for each container; empty if that cannot be said.
    pub belongs: String,
}

/// The fields of an object that have no effect where they stand.
pub(super) fn find(node: &Node, workload: &Workload) -> Vec<Misplaced> {
    let template = workload.template_steps();
    let mut search = Search { base: template.clone(), found: Vec::new(), more: 0 };
    let keys: Vec<&str> = template.iter().filter_map(|step| step.as_key()).collect();
    search.outer(node, &keys, &Path::root());
    if let Some(last) = search.found.last_mut().filter(|_| search.more > 0) {
        last.message.push_str(&format!(" (and {} more in this object)", search.more));
    }
    search.found
}

struct Search {
    /// The path to what has the shape of a pod.
    base: Path<'static>,
    found: Vec<Misplaced>,
    more: usize,
}

impl Search {
    /// Looks along the way to the pod, of which these keys are left.
    fn outer(&mut self, node: &Node, keys: &[&str], path: &Path<'_>) {
        let Some((next, rest)) = keys.split_first() else {
            return self.level(node, Level::Pod, path);
        };
        for entry in entries(node) {
            if entry.key == *next {
                self.outer(&entry.value, rest, &path.clone().key(entry.key.as_str()));
            } else if entry.key == "metadata" {
                self.level(&entry.value, Level::Metadata, &path.clone().key("metadata"));
            } else if !Level::Outer.has(&entry.key) {
                self.judge(entry, Level::Outer, path);
            }
        }
    }

    fn level(&mut self, node: &Node, level: Level, path: &Path<'_>) {
        for entry in entries(node) {
            if level.has(&entry.key) {
                let path = path.clone().key(entry.key.as_str());
                self.below(&entry.value, level, &entry.key, &path);
            } else {
                self.judge(entry, level, path);
            }
        }
    }

    /// Looks into a field that Kubernetes has.
    fn below(&mut self, node: &Node, level: Level, key: &str, path: &Path<'_>) {
        let next = match (level, key) {
            (Level::Pod, "metadata") => Level::Metadata,
            (Level::Pod, "spec") => Level::PodSpec,
            (Level::PodSpec, "securityContext") => Level::PodSecurity,
            (Level::Container, "securityContext") => Level::Security,
            (Level::PodSpec, "containers" | "initContainers" | "ephemeralContainers") => {
                let Value::Sequence(items) = &node.value else { return };
                for (index, item) in items.iter().enumerate() {
                    self.level(item, Level::Container, &path.clone().index(index));
                }
                return;
            }
            (
                Level::PodSecurity | Level::Security,
                "capabilities" | "seccompProfile" | "appArmorProfile" | "seLinuxOptions" | "windowsOptions",
            ) => Level::Options,
            _ => return,
        };
        self.level(node, next, path);
    }

    /// Reports a field that Kubernetes does not have there, if one that matters is meant.
    fn judge(&mut self, entry: &Entry, level: Level, path: &Path<'_>) {
        if entry.value.value == Value::Null {
            return;
        }
        let Some((name, home)) = meant(&entry.key, level) else { return };
        if self.found.len() == MOST {
            self.more += 1;
            return;
        }
        let belongs = self.home(name, home, level, path);
        let shown = printable(&entry.key, LONGEST_NAME).to_string();
        let field = path.clone().key(shown.as_str()).to_string();
        let is_in_place = belongs == path.clone().key(name).to_string();
        let message = if is_in_place {
            format!("no field of Kubernetes, so it has no effect; did you mean {name}?")
        } else if name == entry.key {
            format!("has no effect here; it belongs at {belongs}")
        } else {
            format!("no field of Kubernetes, so it has no effect; {name} belongs at {belongs}")
        };
        let (line, column) = (entry.key_span.line, entry.key_span.column);
        self.found.push(Misplaced { field, line, column, message, belongs });
    }

    /// Where a field belongs that was found at a level.
    fn home(&self, name: &str, home: Home, level: Level, path: &Path<'_>) -> String {
        if level.has(name) {
            return path.clone().key(name).to_string();
        }
        let spec = self.base.clone().key("spec");
        // What stands in a container, or its security context, is meant for that container.
        let container: Path<'_> = path.iter().take(spec.len() + 2).cloned().collect();
        let is_in_container = matches!(level, Level::Container | Level::Security | Level::Options)
            && container.get(spec.len() + 1).is_some_and(|step| step.as_key().is_none());
        let of_container = |rest: &[&str]| {
            let container =
                if is_in_container { container.to_string() } else { format!("{spec}.containers[*]") };
            format!("{container}.{}", rest.join("."))
        };
        let in_pod = |rest: &[&str]| format!("{spec}.{}", rest.join("."));
        match home {
            Home::PodSpec => in_pod(&[name]),
            Home::PodSecurity => in_pod(&["securityContext", name]),
            Home::Security => of_container(&["securityContext", name]),
            Home::AnySecurity if name == "runAsUserName" && is_in_container => {
                of_container(&["securityContext", "windowsOptions", name])
            }
            Home::AnySecurity if name == "runAsUserName" => {
                in_pod(&["securityContext", "windowsOptions", name])
            }
            Home::AnySecurity if is_in_container => of_container(&["securityContext", name]),
            Home::AnySecurity => in_pod(&["securityContext", name]),
            Home::Capabilities => of_container(&["securityContext", "capabilities", name]),
        }
    }
}

fn entries(node: &Node) -> &[Entry] {
    match &node.value {
        Value::Mapping(entries) => entries,
        Value::Null
        | Value::Bool(_)
        | Value::Int(_)
        | Value::Float(_)
        | Value::String(_)
        | Value::Sequence(_) => &[],
    }
}

/// The field that a name is, or is nearly. One that belongs right there may be misspelt more than another.
fn meant(key: &str, level: Level) -> Option<(&'static str, Home)> {
    if key.len() > LONGEST_NAME {
        return None;
    }
    let key = folded(key);
    let candidates =
        FIELDS.iter().filter(|(_, home)| *home != Home::Capabilities || is_near_capabilities(level));
    candidates
        .filter_map(|(name, home)| {
            let distance = strsim::osa_distance(&key, &folded(name));
            let most = match name.len() {
                ..=5 => 0,
                _ if !level.has(name) => usize::from(name.len() > 8),
                6..=8 => 1,
                _ => 2,
            };
            (distance <= most).then_some((distance, !level.has(name), *name, *home))
        })
        .min_by_key(|(distance, is_elsewhere, ..)| (*distance, *is_elsewhere))
        .map(|(_, _, name, home)| (name, home))
}

/// `add` and `drop` are words that others use, too.
fn is_near_capabilities(level: Level) -> bool {
    matches!(level, Level::Security | Level::PodSecurity | Level::Options)
}

/// A name without what spellings differ in: `run_as_user`, `run-as-user` and `runAsUser` are one.
fn folded(name: &str) -> String {
    name.chars().filter(|character| !matches!(character, '_' | '-')).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use crate::yaml;

    use super::*;

    fn found(api_version: &str, kind: &str, text: &str) -> Vec<String> {
        let document = yaml::read(text).remove(0).expect(text);
        let workload = Workload::of_kind(api_version, kind).expect(kind);
        let show = |misplaced: Misplaced| {
            format!("{}:{} {}: {}", misplaced.line, misplaced.column, misplaced.field, misplaced.message)
        };
        find(&document.root, workload).into_iter().map(show).collect()
    }

    fn of_pod(text: &str) -> Vec<String> {
        found("v1", "Pod", text)
    }

    #[test]
    fn a_field_of_another_level_is_sent_where_it_belongs() {
        let containers = "{spec: {securityContext: {privileged: true, procMount: x, drop: [ALL]}, runAsUser: 0, \
                          seccompProfile: {}, containers: [{}, {privileged: true, runAsNonRoot: true, fsGroup: 1, \
                          hostNetwork: true, volumes: [], securityContext: {sysctls: [], drop: [], hostPID: true}}]}}";
        assert_eq!(
            of_pod(containers),
            [
                "1:27 spec.securityContext.privileged: has no effect here; it belongs at \
                 spec.containers[*].securityContext.privileged",
                "1:45 spec.securityContext.procMount: has no effect here; it belongs at \
                 spec.containers[*].securityContext.procMount",
                "1:59 spec.securityContext.drop: has no effect here; it belongs at \
                 spec.containers[*].securityContext.capabilities.drop",
                "1:73 spec.runAsUser: has no effect here; it belongs at spec.securityContext.runAsUser",
                "1:87 spec.seccompProfile: has no effect here; it belongs at spec.securityContext.seccompProfile",
                "1:125 spec.containers[1].privileged: has no effect here; it belongs at \
                 spec.containers[1].securityContext.privileged",
                "1:143 spec.containers[1].runAsNonRoot: has no effect here; it belongs at \
                 spec.containers[1].securityContext.runAsNonRoot",
                "1:163 spec.containers[1].fsGroup: has no effect here; it belongs at spec.securityContext.fsGroup",
                "1:175 spec.containers[1].hostNetwork: has no effect here; it belongs at spec.hostNetwork",
                "1:194 spec.containers[1].volumes: has no effect here; it belongs at spec.volumes",
                "1:225 spec.containers[1].securityContext.sysctls: has no effect here; it belongs at \
                 spec.securityContext.sysctls",
                "1:238 spec.containers[1].securityContext.drop: has no effect here; it belongs at \
                 spec.containers[1].securityContext.capabilities.drop",
                "1:248 spec.containers[1].securityContext.hostPID: has no effect here; it belongs at spec.hostPID",
            ]
        );
    }

    #[test]
    fn what_stands_around_the_template_is_found() {
        let text = "hostNetwork: true\nmetadata: {securityContext: {}}\nspec:\n  containers: []\n  template:\n    \
                    securityContext: {}\n    metadata: {hostPID: true}\n    spec: {hostIPc: true}\n";
        assert_eq!(
            found("apps/v1", "Deployment", text),
            [
                "1:1 hostNetwork: has no effect here; it belongs at spec.template.spec.hostNetwork",
                "2:12 metadata.securityContext: has no effect here; it belongs at spec.template.spec.securityContext",
                "4:3 spec.containers: has no effect here; it belongs at spec.template.spec.containers",
                "6:5 spec.template.securityContext: has no effect here; it belongs at \
                 spec.template.spec.securityContext",
                "7:16 spec.template.metadata.hostPID: has no effect here; it belongs at spec.template.spec.hostPID",
                "8:12 spec.template.spec.hostIPc: no field of Kubernetes, so it has no effect; did you mean hostIPC?",
            ]
        );
        let cron =
            "spec:\n  jobTemplate:\n    hostPID: true\n    spec: {hostPID: true, template: {spec: {}}}\n";
        assert_eq!(found("batch/v1", "CronJob", cron).len(), 2);
    }

    #[test]
    fn misspelt_names_are_known() {
        for (level, key, expected) in [
            (Level::Container, "securityContex", "securityContext"),
            (Level::Container, "security_context", "securityContext"),
            (Level::Security, "runAsNonroot", "runAsNonRoot"),
            (Level::Security, "privilged", "privileged"),
            (Level::Security, "priviledged", "privileged"),
            (Level::Security, "capabilites", "capabilities"),
            (Level::Security, "capabilties", "capabilities"),
            (Level::Security, "seccompprofile", "seccompProfile"),
            (Level::Security, "allowPriviledgeEscalation", "allowPrivilegeEscalation"),
            (Level::Security, "readOnlyRootFileSystem", "readOnlyRootFilesystem"),
            (Level::Security, "run-as-user", "runAsUser"),
            (Level::PodSpec, "hostNetwrok", "hostNetwork"),
            (Level::PodSpec, "hostPid", "hostPID"),
            (Level::PodSpec, "serviceAcountName", "serviceAccountName"),
            (Level::PodSpec, "volume", "volumes"),
            (Level::Container, "hostnetwork", "hostNetwork"),
        ] {
            assert_eq!(meant(key, level).map(|(name, _)| name), Some(expected), "{key}");
        }
    }

    #[test]
    fn other_names_are_let_be() {
        for key in
            ["hostname", "host", "user", "nodeName", "add", "drop", "group", "context", "profile", "x", ""]
        {
            for level in [Level::Outer, Level::Pod, Level::Metadata, Level::PodSpec, Level::Container] {
                assert_eq!(meant(key, level), None, "{key}");
            }
        }
        let text = "{metadata: {labels: {hostNetwork: 'true'}, annotations: {privileged: 'true'}}, status: {hostPID: 1}, \
                    spec: {nodeSelector: {privileged: 'true'}, hostNetwork: true, volumes: [{csi: {volumeAttributes: \
                    {runAsUser: '1'}}}], containers: [{resources: {limits: {privileged: 1}}, env: [{runAsUser: x}], \
                    runAsUser: null}], unknown: {privileged: true}}}";
        assert_eq!(of_pod(text), [""; 0]);
    }

    /// The table names fields that Kubernetes has, each at home.
    #[test]
    fn each_field_is_one_of_kubernetes() {
        for (name, home) in FIELDS {
            let levels: &[Level] = match home {
                Home::PodSpec => &[Level::PodSpec],
                Home::PodSecurity => &[Level::PodSecurity],
                Home::Security => &[Level::Security],
                Home::AnySecurity if name == "runAsUserName" => &[Level::Options],
                Home::AnySecurity => &[Level::Security, Level::PodSecurity],
                Home::Capabilities => &[Level::Options],
            };
            assert!(levels.iter().all(|level| level.has(name)), "{name}");
        }
        let mut pod_only = FIELDS.iter().filter(|(_, home)| *home == Home::PodSecurity);
        assert!(pod_only.all(|(name, _)| !Level::Security.has(name)));
        assert!(Level::Outer.has("jobTemplate") && Level::Outer.has("volumeClaimTemplates"));
        assert!(Level::Metadata.has("ownerReferences") && Level::Container.has("targetContainerName"));
    }

    #[test]
    fn many_are_counted() {
        let containers = vec!["{privileged: true}"; 40].join(", ");
        let found = of_pod(&format!("{{spec: {{containers: [{containers}]}}}}"));
        assert_eq!(found.len(), MOST);
        assert!(found[MOST - 1].ends_with("(and 8 more in this object)"));
    }

    #[test]
    fn names_are_printed_in_ascii() {
        assert_eq!(
            of_pod("spec: {containers: [{\"privileg\u{e9}d\": true}]}"),
            [
                "1:22 spec.containers[0].privileg\\u{e9}d: no field of Kubernetes, so it has no effect; privileged \
                 belongs at spec.containers[0].securityContext.privileged"
            ]
        );
    }
}
