//! What a PodSecurityPolicy likes, as far as pods are chosen by it. Nothing is judged by this: what it gets wrong makes a
//! pod that is refused, and no more.

use serde_json::Value as Json;

const SAFE_SYSCTLS: [&str; 5] = [
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.ping_group_range",
    "net.ipv4.ip_unprivileged_port_start",
];

/// A policy, taken apart.
pub(crate) struct Legal {
    spec: Json,
    pub(crate) host_ports: Vec<(i64, i64)>,
    /// Types of volumes; none where any is allowed.
    pub(crate) volumes: Option<Vec<String>>,
    /// Whether the token of the API server passes.
    pub(crate) admits_token: bool,
    /// Prefixes of the node's paths, and whether they are for reading only; none where any path is allowed.
    pub(crate) host_paths: Vec<(String, bool)>,
    pub(crate) csi_drivers: Vec<String>,
    pub(crate) flex_drivers: Vec<String>,
    /// Those that may be added; none where any may.
    pub(crate) capabilities: Option<Vec<String>>,
    pub(crate) proc_mounts: Vec<String>,
    pub(crate) runtime_classes: Option<Vec<String>>,
    pub(crate) se_linux: Option<Json>,
    pub(crate) must_not_be_root: bool,
    pub(crate) users: Option<Vec<(i64, i64)>>,
    pub(crate) run_as_groups: Option<Vec<(i64, i64)>>,
    pub(crate) supplemental_groups: Option<Vec<(i64, i64)>>,
    pub(crate) fs_groups: Option<Vec<(i64, i64)>>,
    /// Profiles that may be set.
    pub(crate) seccomp: Vec<String>,
    pub(crate) must_set_seccomp: bool,
    /// Profiles that may be set; none where any may.
    pub(crate) app_armor: Option<Vec<String>>,
    pub(crate) must_set_app_armor: bool,
}

impl Legal {
    pub(crate) fn of(psp: &Json) -> Self {
        let spec = &psp["spec"];
        let annotations = &psp["metadata"]["annotations"];
        let volumes = texts(&spec["volumes"]).filter(|volumes| !volumes.iter().any(|volume| volume == "*"));
        let volumes = if spec["volumes"].is_null() { Some(Vec::new()) } else { volumes };
        let has =
            |name: &str| volumes.as_ref().is_none_or(|volumes| volumes.iter().any(|volume| volume == name));
        let admits_token = has("secret") || has("projected");
        let capabilities: Vec<String> = ["allowedCapabilities", "defaultAddCapabilities"]
            .into_iter()
            .filter_map(|field| texts(&spec[field]))
            .flatten()
            .collect();
        let seccomp = annotations["seccomp.security.alpha.kubernetes.io/allowedProfileNames"].as_str();
        let seccomp_default = &annotations["seccomp.security.alpha.kubernetes.io/defaultProfileName"];
        let app_armor = annotations["apparmor.security.beta.kubernetes.io/allowedProfileNames"].as_str();
        let app_armor_default = &annotations["apparmor.security.beta.kubernetes.io/defaultProfileName"];
        Self {
            host_ports: ranges(&spec["hostPorts"]).unwrap_or_default(),
            admits_token,
            host_paths: items(&spec["allowedHostPaths"], |item| {
                Some((item["pathPrefix"].as_str()?.to_owned(), item["readOnly"] == true))
            }),
            csi_drivers: items(&spec["allowedCSIDrivers"], |item| {
                item["name"].as_str().map(ToOwned::to_owned)
            }),
            flex_drivers: items(&spec["allowedFlexVolumes"], |item| {
                item["driver"].as_str().map(ToOwned::to_owned)
            }),
            capabilities: (!capabilities.iter().any(|name| name == "*")).then_some(capabilities),
            proc_mounts: texts(&spec["allowedProcMountTypes"])
                .filter(|types| !types.is_empty())
                .unwrap_or_else(|| vec!["Default".to_owned()]),
            runtime_classes: texts(&spec["runtimeClass"]["allowedRuntimeClassNames"])
                .filter(|names| !names.iter().any(|name| name == "*"))
                .or_else(|| spec["runtimeClass"].is_object().then(Vec::new)),
            se_linux: (spec["seLinux"]["rule"] == "MustRunAs")
                .then(|| spec["seLinux"]["seLinuxOptions"].clone()),
            must_not_be_root: spec["runAsUser"]["rule"] == "MustRunAsNonRoot",
            users: match spec["runAsUser"]["rule"].as_str() {
                Some("MustRunAs") => ranges(&spec["runAsUser"]["ranges"]).or(Some(Vec::new())),
                Some("MustRunAsNonRoot") => Some(vec![(1, 65535)]),
                _ => None,
            },
            run_as_groups: ids(&spec["runAsGroup"]),
            supplemental_groups: ids(&spec["supplementalGroups"]),
            fs_groups: ids(&spec["fsGroup"]),
            seccomp: match seccomp {
                Some(listed) if listed.split(',').any(|item| item == "*") => {
                    ["runtime/default", "unconfined", "localhost/a.json"].map(ToOwned::to_owned).to_vec()
                }
                Some(listed) => split(listed),
                None => Vec::new(),
            },
            must_set_seccomp: seccomp.is_some() && seccomp_default.is_null(),
            app_armor: app_armor.map(split),
            must_set_app_armor: app_armor.is_some() && app_armor_default.is_null(),
            volumes,
            spec: spec.clone(),
        }
    }

    pub(crate) fn says(&self, field: &str) -> bool {
        self.spec[field] == true
    }

    pub(crate) fn says_not(&self, field: &str) -> bool {
        self.spec[field] == false
    }

    pub(crate) fn must_set_proc_mount(&self) -> bool {
        !self.proc_mounts.iter().any(|kind| kind == "Default")
    }

    pub(crate) fn allows_sysctl(&self, name: &str) -> bool {
        let is_listed = |field: &str| {
            let listed = texts(&self.spec[field]).unwrap_or_default();
            listed.iter().any(|item| match item.strip_suffix('*') {
                Some(prefix) => name.starts_with(prefix),
                None => name == item,
            })
        };
        !is_listed("forbiddenSysctls") && (SAFE_SYSCTLS.contains(&name) || is_listed("allowedUnsafeSysctls"))
    }
}

fn split(listed: &str) -> Vec<String> {
    listed.split(',').filter(|item| !item.is_empty()).map(ToOwned::to_owned).collect()
}

fn items<T>(list: &Json, item: impl Fn(&Json) -> Option<T>) -> Vec<T> {
    list.as_array().into_iter().flatten().filter_map(item).collect()
}

fn texts(list: &Json) -> Option<Vec<String>> {
    list.as_array().map(|_| items(list, |item| item.as_str().map(ToOwned::to_owned)))
}

/// The ranges that hold anything.
fn ranges(list: &Json) -> Option<Vec<(i64, i64)>> {
    let range = |item: &Json| Some((item["min"].as_i64()?, item["max"].as_i64()?));
    list.as_array().map(|_| items(list, range).into_iter().filter(|(min, max)| min <= max).collect())
}

/// The ranges of a strategy; none where it takes anything.
fn ids(strategy: &Json) -> Option<Vec<(i64, i64)>> {
    match strategy["rule"].as_str() {
        Some("MustRunAs" | "MayRunAs") => ranges(&strategy["ranges"]).or(Some(Vec::new())),
        _ => None,
    }
}
