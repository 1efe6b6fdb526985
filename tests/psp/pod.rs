//! Pods that a policy admits, or nearly: each thing that a policy speaks of is chosen as it likes it, but for one or two
//! that are chosen by nobody's leave.

use serde_json::{Map, Value as Json, json};

use crate::legal::Legal;
use crate::random::Random;
use crate::volumes;

/// Where a container is listed.
pub(crate) const LISTS: [&str; 3] = ["initContainers", "containers", "ephemeralContainers"];
/// The prefix of the annotation that names a container's AppArmor profile.
pub(crate) const APP_ARMOR: &str = "container.apparmor.security.beta.kubernetes.io/";
/// The annotation of a pod's seccomp profile.
pub(crate) const SECCOMP_OF_POD: &str = "seccomp.security.alpha.kubernetes.io/pod";
/// The prefix of the annotation that names a container's seccomp profile.
pub(crate) const SECCOMP_OF_CONTAINER: &str = "container.seccomp.security.alpha.kubernetes.io/";

const RUNTIME_CLASSES: [&str; 3] = ["gvisor", "kata", "runc"];
const SYSCTLS: [&str; 13] = [
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.ping_group_range",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.ip_local_reserved_ports",
    "kernel.msgmax",
    "kernel.msg",
    "kernel.sem",
    "net.core.somaxconn",
    "fs.mqueue.msg_max",
    "vm.max_map_count",
];
const CAPABILITIES: [&str; 16] = [
    "NET_BIND_SERVICE",
    "NET_RAW",
    "NET_ADMIN",
    "SYS_ADMIN",
    "SYS_PTRACE",
    "SYS_NICE",
    "SYS_TIME",
    "IPC_LOCK",
    "CHOWN",
    "MKNOD",
    "KILL",
    "ALL",
    "net_admin",
    "CAP_SYS_TIME",
    "kill",
    "SETPCAP",
];
/// Makes one pod.
pub(crate) struct Maker<'l> {
    random: Random,
    legal: &'l Legal,
    /// How many of a hundred fields that may be absent are there.
    density: usize,
}

impl<'l> Maker<'l> {
    /// The things that a policy speaks of: how each is chosen, and `true` where it is to be as the policy likes it.
    const ASPECTS: [fn(&mut Self, &mut Json, bool); 17] = [
        Self::host_namespaces,
        Self::ports,
        Self::privileged,
        Self::volumes,
        Self::capabilities,
        Self::read_only_root,
        Self::escalation,
        Self::proc_mount,
        Self::sysctls,
        Self::runtime_class,
        Self::se_linux,
        Self::user,
        Self::group,
        Self::groups,
        Self::seccomp,
        Self::app_armor,
        Self::system,
    ];

    pub(crate) fn new(mut random: Random, legal: &'l Legal) -> Self {
        let density = *random.pick(&[3, 10, 25, 60]);
        Self { random, legal, density }
    }

    pub(crate) fn pod(mut self) -> Json {
        let mut pod = self.bare();
        let wild = *self.random.pick(&[0, 0, 0, 1, 1, 1, 1, 2, 2, 5]);
        let wild: Vec<usize> = (0..wild).map(|_| self.random.below(Self::ASPECTS.len())).collect();
        for (index, aspect) in Self::ASPECTS.iter().enumerate() {
            aspect(&mut self, &mut pod, !wild.contains(&index));
        }
        pod
    }

    /// Containers of some kinds, and nothing else.
    fn bare(&mut self) -> Json {
        let mut spec = json!({ "serviceAccountName": "trainer" });
        let mut number = 0;
        let mut container = |restart: Option<&str>| {
            number += 1;
            let mut container =
                json!({ "name": format!("c{number}"), "image": "registry.example.com/app:1" });
            if let Some(restart) = restart {
                container["restartPolicy"] = restart.into();
            }
            container
        };
        let mut containers = vec![container(None)];
        if self.random.percent(25) {
            containers.push(container(None));
        }
        spec["containers"] = containers.into();
        if self.random.percent(25) {
            let sidecar = self.random.percent(40).then_some("Always");
            spec["initContainers"] = json!([container(sidecar)]);
        }
        if self.random.percent(5) {
            spec["ephemeralContainers"] = json!([container(None)]);
        }
        json!({ "apiVersion": "v1", "kind": "Pod",
            "metadata": { "name": "p", "namespace": crate::NAMESPACE }, "spec": spec })
    }

    // ---- chance

    fn is_there(&mut self) -> bool {
        self.random.percent(self.density)
    }

    fn one_of<T: Clone>(&mut self, values: &[T]) -> T {
        self.random.pick(values).clone()
    }

    /// Does something to containers: to each at times or, where it is wild, to one for certain.
    fn each(
        &mut self,
        pod: &mut Json,
        legal: bool,
        mut change: impl FnMut(&mut Self, &'static str, &mut Json),
    ) {
        let count: usize = LISTS.iter().map(|list| list_of(pod, list).map_or(0, |list| list.len())).sum();
        let chosen = self.random.below(count);
        let mut number = 0;
        for list in LISTS {
            for container in list_of(pod, list).into_iter().flatten() {
                let is_meant = if legal { self.is_there() } else { number == chosen || self.is_there() };
                if is_meant {
                    change(self, list, container);
                }
                number += 1;
            }
        }
    }

    /// The same to their security contexts.
    fn each_security(&mut self, pod: &mut Json, legal: bool, mut change: impl FnMut(&mut Self, &mut Json)) {
        self.each(pod, legal, |maker, _, container| {
            if container.get("securityContext").is_none() {
                container["securityContext"] = json!({});
            }
            change(maker, &mut container["securityContext"]);
        });
    }

    // ---- what policies speak of

    fn host_namespaces(&mut self, pod: &mut Json, legal: bool) {
        for name in ["hostPID", "hostIPC", "hostNetwork"] {
            let may_be = !legal || self.legal.says(name);
            if self.is_there() || !legal && self.random.percent(40) {
                pod["spec"][name] = (may_be && self.random.percent(60)).into();
            }
        }
    }

    fn ports(&mut self, pod: &mut Json, legal: bool) {
        let on_host = pod["spec"]["hostNetwork"] == true;
        let mut taken = Vec::new();
        self.each(pod, legal, |maker, list, container| {
            if list == "ephemeralContainers" {
                return;
            }
            let (ranges, edges) = (&maker.legal.host_ports, [0, 1, 80, 443, 7999, 8000, 8010, 8011, 65535]);
            let port = if legal && !ranges.is_empty() {
                let (min, max) = *maker.random.pick(ranges);
                maker.between(min.max(1), max)
            } else if legal && !on_host {
                0
            } else if legal {
                return;
            } else {
                let near: Vec<i64> =
                    ranges.iter().flat_map(|(min, max)| [min - 1, *min, *max, max + 1]).collect();
                let near: Vec<i64> =
                    near.into_iter().chain(edges).filter(|port| (0..65536).contains(port)).collect();
                *maker.random.pick(&near)
            };
            if port != 0 && taken.contains(&port) {
                return;
            }
            taken.push(port);
            let mut written = json!({ "containerPort": if port == 0 { 80 } else { port } });
            // Where the network is the node's, the API server sets it to that of the container.
            if port != 0 && !(on_host && maker.random.percent(50)) {
                written["hostPort"] = port.into();
            }
            container["ports"] = json!([written]);
        });
    }

    fn privileged(&mut self, pod: &mut Json, legal: bool) {
        let may_be = !legal || self.legal.says("privileged");
        self.each_security(pod, legal, |maker, security| {
            let is_it = may_be && maker.random.percent(if legal { 30 } else { 80 });
            security["privileged"] = is_it.into();
        });
    }

    fn volumes(&mut self, pod: &mut Json, legal: bool) {
        let count = if legal && !self.is_there() { 0 } else { 1 + self.random.below(3) };
        let mut volumes = Vec::new();
        let mut mounts = Vec::new();
        for number in 0..count {
            let name = format!("v{number}");
            let Some((mut volume, read_only)) = volumes::any(&mut self.random, self.legal, legal) else {
                continue;
            };
            volume["name"] = name.clone().into();
            volumes.push(volume);
            mounts.push((name, read_only));
        }
        // What most pods have that come from an API server.
        if self.random.percent(if self.legal.admits_token { 40 } else { 3 }) {
            volumes.push(volumes::token());
            mounts.push(("kube-api-access-x7k2p".to_owned(), true));
        }
        if volumes.is_empty() {
            return;
        }
        pod["spec"]["volumes"] = volumes.into();
        self.each(pod, false, |maker, _, container| {
            let mut written = Vec::new();
            for (number, (volume, read_only)) in mounts.iter().enumerate() {
                if maker.random.percent(60) {
                    let mut mount = json!({ "name": volume, "mountPath": format!("/m{number}") });
                    if *read_only || maker.random.percent(30) {
                        mount["readOnly"] = true.into();
                    }
                    written.push(mount);
                }
            }
            if !written.is_empty() {
                container["volumeMounts"] = written.into();
            }
        });
    }

    fn capabilities(&mut self, pod: &mut Json, legal: bool) {
        self.each_security(pod, legal, |maker, security| {
            let mut list = |listed: Option<&[String]>| -> Json {
                let count = maker.random.below(4);
                let mut names: Vec<String> = (0..count)
                    .filter_map(|_| match listed {
                        Some([]) => None,
                        Some(listed) => Some(maker.random.pick(listed).clone()),
                        None => Some((*maker.random.pick(&CAPABILITIES)).to_owned()),
                    })
                    .collect();
                names.dedup();
                names.into()
            };
            let allowed = maker.legal.capabilities.as_deref().filter(|_| legal);
            let (add, drop) = (list(allowed), list(None));
            let mut written = Map::new();
            if maker.random.percent(60) {
                written.insert("add".into(), add);
            }
            if maker.random.percent(60) {
                written.insert("drop".into(), drop);
            }
            security["capabilities"] = written.into();
        });
    }

    fn read_only_root(&mut self, pod: &mut Json, legal: bool) {
        let must = legal && self.legal.says("readOnlyRootFilesystem");
        self.each_security(pod, legal, |maker, security| {
            security["readOnlyRootFilesystem"] = (must || maker.random.percent(50)).into();
        });
    }

    fn escalation(&mut self, pod: &mut Json, legal: bool) {
        let may = !legal || !self.legal.says_not("allowPrivilegeEscalation");
        self.each_security(pod, legal, |maker, security| {
            // The API server takes no other value beside either.
            let is_root = security["privileged"] == true
                || security["capabilities"]["add"]
                    .as_array()
                    .is_some_and(|add| add.contains(&json!("SYS_ADMIN")));
            let is_allowed = may && (is_root || maker.random.percent(50));
            if is_allowed || !is_root {
                security["allowPrivilegeEscalation"] = is_allowed.into();
            }
        });
    }

    fn proc_mount(&mut self, pod: &mut Json, legal: bool) {
        let (listed, any) = (self.legal.proc_mounts.clone(), ["Default".to_owned(), "Unmasked".to_owned()]);
        if legal && self.legal.must_set_proc_mount() {
            self.density = 100;
        }
        let density = self.density;
        self.each_security(pod, legal, |maker, security| {
            security["procMount"] = maker.one_of(if legal { &listed } else { &any }).into();
        });
        self.density = density.min(60);
    }

    fn sysctls(&mut self, pod: &mut Json, legal: bool) {
        if legal && !self.is_there() {
            return;
        }
        let allowed: Vec<&str> =
            SYSCTLS.into_iter().filter(|name| !legal || self.legal.allows_sysctl(name)).collect();
        if allowed.is_empty() {
            return;
        }
        let mut names: Vec<&str> =
            (0..1 + self.random.below(2)).map(|_| *self.random.pick(&allowed)).collect();
        names.dedup();
        let written: Json = names.into_iter().map(|name| json!({ "name": name, "value": "1" })).collect();
        self.of_pod(pod, "sysctls", written);
    }

    fn runtime_class(&mut self, pod: &mut Json, legal: bool) {
        if legal && !self.is_there() {
            return;
        }
        let classes = self.legal.runtime_classes.clone().filter(|_| legal);
        let classes = classes.unwrap_or_else(|| RUNTIME_CLASSES.map(ToOwned::to_owned).to_vec());
        if !classes.is_empty() {
            pod["spec"]["runtimeClassName"] = self.one_of(&classes).into();
        }
    }

    fn se_linux(&mut self, pod: &mut Json, legal: bool) {
        let options = |maker: &mut Self| match maker.legal.se_linux.clone().filter(|_| legal) {
            Some(options) => {
                let mut options = options;
                // The order of categories says nothing.
                if options["level"] == "s0:c1,c2" && maker.random.percent(30) {
                    options["level"] = "s0:c2,c1".into();
                }
                options
            }
            None => {
                let mut options = Map::new();
                for (part, values) in [
                    ("user", ["system_u", "user_u", ""]),
                    ("role", ["system_r", "object_r", ""]),
                    ("type", ["container_t", "spc_t", "container_init_t"]),
                    ("level", ["s0:c1,c2", "s0:c5,c6", "s0"]),
                ] {
                    if maker.random.percent(40) {
                        options.insert(part.to_owned(), maker.one_of(&values).into());
                    }
                }
                options.into()
            }
        };
        if self.is_there() {
            let options = options(self);
            self.of_pod(pod, "seLinuxOptions", options);
        }
        self.each_security(pod, legal, |maker, security| {
            security["seLinuxOptions"] = options(maker);
        });
    }

    fn user(&mut self, pod: &mut Json, legal: bool) {
        let must_not_be_root = legal && self.legal.must_not_be_root;
        let non_root = |maker: &mut Self| must_not_be_root || maker.random.percent(70);
        if self.is_there() {
            let user = self.id(legal, |legal| legal.users.as_deref());
            if let Some(user) = user {
                self.of_pod(pod, "runAsUser", user.into());
            }
        }
        if self.is_there() {
            let value = non_root(self);
            self.of_pod(pod, "runAsNonRoot", value.into());
        }
        self.each_security(pod, legal, |maker, security| {
            if maker.random.percent(70)
                && let Some(user) = maker.id(legal, |legal| legal.users.as_deref())
            {
                security["runAsUser"] = user.into();
            }
            if maker.random.percent(40) {
                security["runAsNonRoot"] = non_root(maker).into();
            }
        });
    }

    fn group(&mut self, pod: &mut Json, legal: bool) {
        if self.is_there()
            && let Some(group) = self.id(legal, |legal| legal.run_as_groups.as_deref())
        {
            self.of_pod(pod, "runAsGroup", group.into());
        }
        self.each_security(pod, legal, |maker, security| {
            if let Some(group) = maker.id(legal, |legal| legal.run_as_groups.as_deref()) {
                security["runAsGroup"] = group.into();
            }
        });
    }

    fn groups(&mut self, pod: &mut Json, legal: bool) {
        if (self.is_there() || !legal && self.random.percent(50))
            && let Some(group) = self.id(legal, |legal| legal.fs_groups.as_deref())
        {
            self.of_pod(pod, "fsGroup", group.into());
        }
        if self.is_there() || !legal && self.random.percent(50) {
            let least = usize::from(legal && self.legal.supplemental_groups.is_some());
            let count = least + self.random.below(3);
            let groups: Vec<i64> = (0..count)
                .filter_map(|_| self.id(legal, |legal| legal.supplemental_groups.as_deref()))
                .collect();
            if !(groups.is_empty() && least == 1) {
                self.of_pod(pod, "supplementalGroups", groups.into());
            }
        }
    }

    fn seccomp(&mut self, pod: &mut Json, legal: bool) {
        let profiles = ["runtime/default", "unconfined", "localhost/a.json", "localhost/b.json"];
        let profiles =
            if legal { self.legal.seccomp.clone() } else { profiles.map(ToOwned::to_owned).to_vec() };
        if profiles.is_empty() {
            return;
        }
        let must = legal && self.legal.must_set_seccomp;
        if must || self.is_there() || !legal && self.random.percent(40) {
            let profile = self.one_of(&profiles);
            if self.random.percent(25) {
                let old = if profile == "runtime/default" && self.random.percent(40) {
                    "docker/default"
                } else {
                    &profile
                };
                pod["metadata"]["annotations"][SECCOMP_OF_POD] = old.into();
            } else if let Some(profile) = profile_field(&profile) {
                self.of_pod(pod, "seccompProfile", profile);
            }
        }
        let mut annotations = Vec::new();
        self.each(pod, legal, |maker, _, container| {
            let profile = maker.one_of(&profiles);
            if maker.random.percent(15) {
                annotations.push((container["name"].as_str().unwrap().to_owned(), profile));
            } else if let Some(profile) = profile_field(&profile) {
                container["securityContext"]["seccompProfile"] = profile;
            }
        });
        for (name, profile) in annotations {
            pod["metadata"]["annotations"][format!("{SECCOMP_OF_CONTAINER}{name}")] = profile.into();
        }
    }

    fn app_armor(&mut self, pod: &mut Json, legal: bool) {
        let profiles =
            ["runtime/default", "unconfined", "localhost/p", "localhost/q"].map(ToOwned::to_owned).to_vec();
        let profiles = self.legal.app_armor.clone().filter(|_| legal).unwrap_or(profiles);
        if profiles.is_empty() {
            return;
        }
        if legal && self.legal.must_set_app_armor {
            self.density = 100;
        }
        let mut annotations = Vec::new();
        self.each(pod, legal, |maker, list, container| {
            // The API server knows of no such annotation of an ephemeral one.
            if list != "ephemeralContainers" {
                annotations.push((container["name"].as_str().unwrap().to_owned(), maker.one_of(&profiles)));
            }
        });
        self.density = self.density.min(60);
        for (name, profile) in annotations {
            pod["metadata"]["annotations"][format!("{APP_ARMOR}{name}")] = profile.into();
        }
    }

    fn system(&mut self, pod: &mut Json, legal: bool) {
        if !legal {
            pod["spec"]["os"] = json!({ "name": self.one_of(&["linux", "windows"]) });
        }
    }

    // ---- parts

    fn of_pod(&mut self, pod: &mut Json, field: &str, value: Json) {
        pod["spec"]["securityContext"][field] = value;
    }

    fn between(&mut self, min: i64, max: i64) -> i64 {
        let most = usize::try_from((max - min).max(0)).unwrap();
        let middle = min + i64::try_from(self.random.below(most + 1)).unwrap();
        self.one_of(&[min, max, middle])
    }

    /// An id: one of the ranges or, where there are none or it is wild, any. None where no id is legal.
    fn id(&mut self, legal: bool, ranges: impl Fn(&Legal) -> Option<&[(i64, i64)]>) -> Option<i64> {
        let listed = ranges(self.legal);
        if let Some(listed) = listed.filter(|_| legal) {
            let listed: Vec<_> = listed.iter().filter(|(min, _)| *min <= LARGEST).copied().collect();
            if listed.is_empty() {
                return None;
            }
            let (min, max) = self.one_of(&listed);
            return Some(self.between(min, max.min(LARGEST)));
        }
        let edges = listed.unwrap_or_default().iter().flat_map(|(min, max)| [min - 1, *min, *max, max + 1]);
        let edges: Vec<i64> =
            edges.chain([0, 1, 1000, 65534, LARGEST]).filter(|id| (0..=LARGEST).contains(id)).collect();
        Some(self.one_of(&edges))
    }
}

/// The largest id that the API takes.
const LARGEST: i64 = 2_147_483_647;

/// A list of containers of a pod.
pub(crate) fn list_of<'p>(pod: &'p mut Json, list: &str) -> Option<&'p mut Vec<Json>> {
    pod["spec"].get_mut(list).and_then(Json::as_array_mut)
}

/// A seccomp profile as the field has it; none for what has no such form.
fn profile_field(profile: &str) -> Option<Json> {
    match profile {
        "runtime/default" | "docker/default" => Some(json!({ "type": "RuntimeDefault" })),
        "unconfined" => Some(json!({ "type": "Unconfined" })),
        _ => {
            let name = profile.strip_prefix("localhost/")?;
            Some(json!({ "type": "Localhost", "localhostProfile": name }))
        }
    }
}
