//! Our partial model of a pod against a whole one: `k8s_openapi`'s, generated from Kubernetes' own API.
//!
//! A field that our model missed would let a pod pass, so both read the same JSON, and each field that some rule looks
//! at must come out the same. What a rule looks at is what its page says: a field that is documented and not compared
//! here fails too.

mod texts;

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1 as k8s;
use podgate::controls::CONTROLS;
use podgate::finding::{FieldPath, Subject};
use podgate::json::Reader;
use podgate::pod::{Container, Metadata, Pod, Profile, SeLinuxOptions};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use serde_json::Value as Json;

use crate::controls::{alternatives, matches};
use crate::pods::{any_pod, cases, mendable_pod, own_fixtures, upstream_fixtures};

/// Annotations that some rule reads begin with these.
const ANNOTATIONS: [&str; 3] = [
    "container.apparmor.security.beta.kubernetes.io/",
    "container.seccomp.security.alpha.kubernetes.io/",
    "seccomp.security.alpha.kubernetes.io/",
];
const MIRROR: &str = "kubernetes.io/config.mirror";

/// What a pod says: paths with values, sorted. What is absent has no line.
#[derive(Debug, Default, PartialEq, Eq)]
struct Facts(BTreeSet<String>);

impl Facts {
    fn add(&mut self, path: impl AsRef<str>, value: impl std::fmt::Debug) {
        self.0.insert(format!("{} = {value:?}", path.as_ref()));
    }

    fn add_if<T: std::fmt::Debug>(&mut self, path: impl AsRef<str>, value: Option<T>) {
        if let Some(value) = value {
            self.add(path, value);
        }
    }

    /// Adds text, unless it is absent or empty: no rule tells the two apart.
    fn add_text(&mut self, path: impl AsRef<str>, text: Option<&str>) {
        self.add_if(path, text.filter(|text| !text.is_empty()));
    }

    /// Adds a boolean that Go keeps without a pointer.
    fn add_true(&mut self, path: impl AsRef<str>, value: bool) {
        self.add_if(path, value.then_some(true));
    }

    fn add_map<'m>(&mut self, path: &str, map: impl IntoIterator<Item = (&'m str, &'m str)>) {
        for (key, value) in map {
            self.add(format!("{path}[{key}]"), value);
        }
    }
}

// ---- our side

fn ours(pod: &Pod<'_>) -> Facts {
    let mut facts = Facts::default();
    our_metadata(&pod.metadata, &mut facts);
    let spec = &pod.spec;
    facts.add_true("spec.hostNetwork", spec.host_network);
    facts.add_true("spec.hostPID", spec.host_pid);
    facts.add_true("spec.hostIPC", spec.host_ipc);
    facts.add_if("spec.hostUsers", spec.host_users);
    facts.add_text("spec.os.name", Some(&spec.os_name));
    facts.add_if("spec.automountServiceAccountToken", spec.automount_token);
    facts.add_text("spec.serviceAccountName", Some(&spec.service_account_name));
    facts.add_text("spec.serviceAccount", Some(&spec.service_account));
    for (index, volume) in spec.volumes.iter().enumerate() {
        let at = format!("spec.volumes[{index}]");
        facts.add(format!("{at}.name"), &volume.name);
        facts.add_text(format!("{at}.hostPath.path"), Some(&volume.host_path));
        for source in volume.sources() {
            facts.add(format!("{at}.{}", source.name()), "set");
        }
    }
    let security = &spec.security;
    let at = "spec.securityContext";
    facts.add_if(format!("{at}.runAsNonRoot"), security.run_as_non_root);
    facts.add_if(format!("{at}.runAsUser"), security.run_as_user);
    facts.add_if(format!("{at}.runAsGroup"), security.run_as_group);
    facts.add_if(format!("{at}.fsGroup"), security.fs_group);
    facts.add_if(
        format!("{at}.supplementalGroups"),
        security.supplemental_groups.as_ref().map(|groups| groups.to_vec()),
    );
    facts.add_text(format!("{at}.supplementalGroupsPolicy"), Some(&security.supplemental_groups_policy));
    our_profile(&format!("{at}.seccompProfile"), security.seccomp_profile.as_ref(), &mut facts);
    our_profile(&format!("{at}.appArmorProfile"), security.app_armor_profile.as_ref(), &mut facts);
    facts.add_if(format!("{at}.windowsOptions.hostProcess"), security.host_process);
    our_se_linux_options(at, security.se_linux_options.as_deref(), &mut facts);
    for (index, name) in security.sysctls.iter().enumerate() {
        facts.add(format!("{at}.sysctls[{index}].name"), name);
    }
    for (container_at, container) in pod.containers() {
        let at = Subject::Container(container_at).join(&FieldPath::default()).to_string();
        our_container(&at, container, &mut facts);
    }
    texts::of_ours(pod, &mut facts);
    facts
}

fn our_metadata(metadata: &Metadata<'_>, facts: &mut Facts) {
    facts.add_text("metadata.name", Some(&metadata.name));
    facts.add_text("metadata.generateName", Some(&metadata.generate_name));
    facts.add_text("metadata.namespace", Some(&metadata.namespace));
    if let Some(labels) = &metadata.labels {
        facts.add("metadata.labels", "set");
        facts.add_map("metadata.labels", labels.iter().map(|(key, value)| (key.as_ref(), value.as_ref())));
    }
    let annotations = metadata.annotations.iter().map(|(key, value)| (key.as_ref(), value.as_ref()));
    facts.add_map("metadata.annotations", annotations.filter(|(key, _)| is_read(key)));
    if let Some(owner) = &metadata.owner {
        facts.add("metadata.owner", (&owner.kind, &owner.name));
    }
}

fn is_read(annotation: &str) -> bool {
    annotation == MIRROR || ANNOTATIONS.iter().any(|prefix| annotation.starts_with(prefix))
}

fn our_container(at: &str, container: &Container<'_>, facts: &mut Facts) {
    facts.add(format!("{at}.name"), &container.name);
    facts.add_text(format!("{at}.image"), Some(&container.image));
    for port in &container.host_ports {
        facts.add(format!("{at}.ports[{}].hostPort", port.index), port.port);
    }
    let read = container.for_each_port_without_host_port(|index, port| {
        facts.add(format!("{at}.ports[{index}].containerPort"), port);
    });
    read.unwrap();
    for probe in &container.probe_hosts {
        facts.add(format!("{at}.{}", probe.field), &probe.host);
    }
    let read = container.volume_mounts.for_each(|index, mount| {
        facts.add(format!("{at}.volumeMounts[{index}].name"), mount.name);
        facts.add_true(format!("{at}.volumeMounts[{index}].readOnly"), mount.is_read_only == Some(true));
    });
    read.unwrap();
    let Some(security) = &container.security else { return };
    let at = format!("{at}.securityContext");
    facts.add(&at, "set");
    facts.add_if(format!("{at}.readOnlyRootFilesystem"), security.read_only_root_filesystem);
    facts.add_if(format!("{at}.privileged"), security.privileged);
    facts.add_if(format!("{at}.allowPrivilegeEscalation"), security.allow_privilege_escalation);
    facts.add_if(format!("{at}.procMount"), security.proc_mount.as_ref());
    facts.add_if(format!("{at}.runAsNonRoot"), security.run_as_non_root);
    facts.add_if(format!("{at}.runAsUser"), security.run_as_user);
    facts.add_if(format!("{at}.runAsGroup"), security.run_as_group);
    our_profile(&format!("{at}.seccompProfile"), security.seccomp_profile.as_ref(), facts);
    our_profile(&format!("{at}.appArmorProfile"), security.app_armor_profile.as_ref(), facts);
    facts.add_if(format!("{at}.windowsOptions.hostProcess"), security.host_process);
    our_se_linux_options(&at, security.se_linux_options.as_deref(), facts);
    if let Some(capabilities) = &security.capabilities {
        facts.add(format!("{at}.capabilities"), "set");
        facts.add(format!("{at}.capabilities.add"), capabilities.add.to_vec());
        facts.add_if(format!("{at}.capabilities.drop"), capabilities.drop.as_ref().map(|drop| drop.to_vec()));
    }
}

fn our_profile(at: &str, profile: Option<&Profile<'_>>, facts: &mut Facts) {
    facts.add_if(format!("{at}.type"), profile.map(|profile| &profile.kind));
    facts.add_text(format!("{at}.localhostProfile"), profile.map(|profile| profile.localhost.as_ref()));
}

fn our_se_linux_options(at: &str, options: Option<&SeLinuxOptions<'_>>, facts: &mut Facts) {
    let Some(options) = options else { return };
    facts.add(format!("{at}.seLinuxOptions"), "set");
    facts.add_text(format!("{at}.seLinuxOptions.type"), Some(&options.kind));
    facts.add_text(format!("{at}.seLinuxOptions.user"), Some(&options.user));
    facts.add_text(format!("{at}.seLinuxOptions.role"), Some(&options.role));
    facts.add_text(format!("{at}.seLinuxOptions.level"), Some(&options.level));
}

// ---- their side

fn theirs(pod: &k8s::Pod) -> Facts {
    let mut facts = Facts::default();
    their_metadata(&pod.metadata, &mut facts);
    let Some(spec) = &pod.spec else { return facts };
    facts.add_true("spec.hostNetwork", spec.host_network == Some(true));
    facts.add_true("spec.hostPID", spec.host_pid == Some(true));
    facts.add_true("spec.hostIPC", spec.host_ipc == Some(true));
    facts.add_if("spec.hostUsers", spec.host_users);
    facts.add_text("spec.os.name", spec.os.as_ref().map(|os| os.name.as_str()));
    facts.add_if("spec.automountServiceAccountToken", spec.automount_service_account_token);
    facts.add_text("spec.serviceAccountName", spec.service_account_name.as_deref());
    facts.add_text("spec.serviceAccount", spec.service_account.as_deref());
    for (index, volume) in spec.volumes.iter().flatten().enumerate() {
        let at = format!("spec.volumes[{index}]");
        facts.add(format!("{at}.name"), &volume.name);
        let host_path = volume.host_path.as_ref().map(|host_path| host_path.path.as_str());
        facts.add_text(format!("{at}.hostPath.path"), host_path);
        for source in sources(volume) {
            facts.add(format!("{at}.{source}"), "set");
        }
    }
    if let Some(security) = &spec.security_context {
        their_pod_security(security, &mut facts);
    }
    let of_lists = [
        (
            "initContainers",
            spec.init_containers.iter().flatten().map(TheirContainer::from).collect::<Vec<_>>(),
        ),
        ("containers", spec.containers.iter().map(TheirContainer::from).collect()),
        (
            "ephemeralContainers",
            spec.ephemeral_containers.iter().flatten().map(TheirContainer::from).collect(),
        ),
    ];
    for (list, containers) in of_lists {
        for (index, container) in containers.iter().enumerate() {
            container.add_to(&format!("spec.{list}[{index}]"), &mut facts);
        }
    }
    texts::of_theirs(spec, &mut facts);
    facts
}

fn their_metadata(metadata: &k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta, facts: &mut Facts) {
    facts.add_text("metadata.name", metadata.name.as_deref());
    facts.add_text("metadata.generateName", metadata.generate_name.as_deref());
    facts.add_text("metadata.namespace", metadata.namespace.as_deref());
    if let Some(labels) = &metadata.labels {
        facts.add("metadata.labels", "set");
        facts.add_map("metadata.labels", labels.iter().map(|(key, value)| (key.as_str(), value.as_str())));
    }
    let annotations =
        metadata.annotations.iter().flatten().map(|(key, value)| (key.as_str(), value.as_str()));
    facts.add_map("metadata.annotations", annotations.filter(|(key, _)| is_read(key)));
    let owner = metadata.owner_references.iter().flatten().find(|owner| owner.controller == Some(true));
    facts.add_if("metadata.owner", owner.map(|owner| (&owner.kind, &owner.name)));
}

fn their_pod_security(security: &k8s::PodSecurityContext, facts: &mut Facts) {
    let at = "spec.securityContext";
    facts.add_if(format!("{at}.runAsNonRoot"), security.run_as_non_root);
    facts.add_if(format!("{at}.runAsUser"), security.run_as_user);
    facts.add_if(format!("{at}.runAsGroup"), security.run_as_group);
    facts.add_if(format!("{at}.fsGroup"), security.fs_group);
    facts.add_if(format!("{at}.supplementalGroups"), security.supplemental_groups.as_ref());
    facts.add_text(format!("{at}.supplementalGroupsPolicy"), security.supplemental_groups_policy.as_deref());
    let seccomp = security.seccomp_profile.as_ref();
    let seccomp = seccomp.map(|profile| (&profile.type_, profile.localhost_profile.as_deref()));
    their_profile(&format!("{at}.seccompProfile"), seccomp, facts);
    let app_armor = security.app_armor_profile.as_ref();
    let app_armor = app_armor.map(|profile| (&profile.type_, profile.localhost_profile.as_deref()));
    their_profile(&format!("{at}.appArmorProfile"), app_armor, facts);
    let host_process = security.windows_options.as_ref().and_then(|options| options.host_process);
    facts.add_if(format!("{at}.windowsOptions.hostProcess"), host_process);
    their_se_linux_options(at, security.se_linux_options.as_ref(), facts);
    for (index, sysctl) in security.sysctls.iter().flatten().enumerate() {
        facts.add(format!("{at}.sysctls[{index}].name"), &sysctl.name);
    }
}

/// A profile of either kind: its type and its name on the node.
fn their_profile(at: &str, profile: Option<(&String, Option<&str>)>, facts: &mut Facts) {
    facts.add_if(format!("{at}.type"), profile.map(|(kind, _)| kind));
    facts.add_text(format!("{at}.localhostProfile"), profile.and_then(|(_, localhost)| localhost));
}

fn their_se_linux_options(at: &str, options: Option<&k8s::SELinuxOptions>, facts: &mut Facts) {
    let Some(options) = options else { return };
    facts.add(format!("{at}.seLinuxOptions"), "set");
    facts.add_text(format!("{at}.seLinuxOptions.type"), options.type_.as_deref());
    facts.add_text(format!("{at}.seLinuxOptions.user"), options.user.as_deref());
    facts.add_text(format!("{at}.seLinuxOptions.role"), options.role.as_deref());
    facts.add_text(format!("{at}.seLinuxOptions.level"), options.level.as_deref());
}

/// What the three kinds of container have in common.
struct TheirContainer<'k> {
    name: &'k str,
    image: Option<&'k str>,
    ports: &'k [k8s::ContainerPort],
    mounts: &'k [k8s::VolumeMount],
    probes: [(&'static str, Option<&'k k8s::Probe>); 3],
    lifecycle: Option<&'k k8s::Lifecycle>,
    security: Option<&'k k8s::SecurityContext>,
}

/// The two types have the same fields under the same names, and nothing else in common.
macro_rules! from_container {
    ($kind:ty) => {
        impl<'k> From<&'k $kind> for TheirContainer<'k> {
            fn from(container: &'k $kind) -> Self {
                Self {
                    name: &container.name,
                    image: container.image.as_deref(),
                    ports: container.ports.as_deref().unwrap_or_default(),
                    mounts: container.volume_mounts.as_deref().unwrap_or_default(),
                    probes: [
                        ("livenessProbe", container.liveness_probe.as_ref()),
                        ("readinessProbe", container.readiness_probe.as_ref()),
                        ("startupProbe", container.startup_probe.as_ref()),
                    ],
                    lifecycle: container.lifecycle.as_ref(),
                    security: container.security_context.as_ref(),
                }
            }
        }
    };
}
from_container!(k8s::Container);
from_container!(k8s::EphemeralContainer);

impl TheirContainer<'_> {
    fn add_to(&self, at: &str, facts: &mut Facts) {
        facts.add(format!("{at}.name"), self.name);
        facts.add_text(format!("{at}.image"), self.image);
        for (index, port) in self.ports.iter().enumerate() {
            let host_port = port.host_port.filter(|port| *port != 0);
            facts.add_if(format!("{at}.ports[{index}].hostPort"), host_port);
            if host_port.is_none() {
                facts.add(format!("{at}.ports[{index}].containerPort"), port.container_port);
            }
        }
        for (index, mount) in self.mounts.iter().enumerate() {
            facts.add(format!("{at}.volumeMounts[{index}].name"), &mount.name);
            facts.add_true(format!("{at}.volumeMounts[{index}].readOnly"), mount.read_only == Some(true));
        }
        for (name, probe) in self.probes {
            let Some(probe) = probe else { continue };
            hosts(&format!("{at}.{name}"), probe.http_get.as_ref(), probe.tcp_socket.as_ref(), facts);
        }
        let handlers = self.lifecycle.map(|lifecycle| {
            [("postStart", lifecycle.post_start.as_ref()), ("preStop", lifecycle.pre_stop.as_ref())]
        });
        for (name, handler) in handlers.into_iter().flatten() {
            let Some(handler) = handler else { continue };
            hosts(
                &format!("{at}.lifecycle.{name}"),
                handler.http_get.as_ref(),
                handler.tcp_socket.as_ref(),
                facts,
            );
        }
        if let Some(security) = self.security {
            their_security(&format!("{at}.securityContext"), security, facts);
        }
    }
}

fn hosts(at: &str, http: Option<&k8s::HTTPGetAction>, tcp: Option<&k8s::TCPSocketAction>, facts: &mut Facts) {
    facts.add_text(format!("{at}.httpGet.host"), http.and_then(|action| action.host.as_deref()));
    facts.add_text(format!("{at}.tcpSocket.host"), tcp.and_then(|action| action.host.as_deref()));
}

fn their_security(at: &str, security: &k8s::SecurityContext, facts: &mut Facts) {
    facts.add(at, "set");
    facts.add_if(format!("{at}.privileged"), security.privileged);
    facts.add_if(format!("{at}.allowPrivilegeEscalation"), security.allow_privilege_escalation);
    facts.add_if(format!("{at}.readOnlyRootFilesystem"), security.read_only_root_filesystem);
    facts.add_if(format!("{at}.procMount"), security.proc_mount.as_ref());
    facts.add_if(format!("{at}.runAsNonRoot"), security.run_as_non_root);
    facts.add_if(format!("{at}.runAsUser"), security.run_as_user);
    facts.add_if(format!("{at}.runAsGroup"), security.run_as_group);
    let seccomp = security.seccomp_profile.as_ref();
    let seccomp = seccomp.map(|profile| (&profile.type_, profile.localhost_profile.as_deref()));
    their_profile(&format!("{at}.seccompProfile"), seccomp, facts);
    let app_armor = security.app_armor_profile.as_ref();
    let app_armor = app_armor.map(|profile| (&profile.type_, profile.localhost_profile.as_deref()));
    their_profile(&format!("{at}.appArmorProfile"), app_armor, facts);
    let host_process = security.windows_options.as_ref().and_then(|options| options.host_process);
    facts.add_if(format!("{at}.windowsOptions.hostProcess"), host_process);
    their_se_linux_options(at, security.se_linux_options.as_ref(), facts);
    if let Some(capabilities) = &security.capabilities {
        facts.add(format!("{at}.capabilities"), "set");
        facts.add(format!("{at}.capabilities.add"), capabilities.add.as_deref().unwrap_or_default());
        facts.add_if(format!("{at}.capabilities.drop"), capabilities.drop.as_ref());
    }
}

/// The sources of a volume. No `..`: a source that a newer Kubernetes brings does not compile until it is here.
#[expect(clippy::too_many_lines, reason = "two lists of the thirty sources")]
fn sources(volume: &k8s::Volume) -> Vec<&'static str> {
    let k8s::Volume {
        aws_elastic_block_store,
        azure_disk,
        azure_file,
        cephfs,
        cinder,
        config_map,
        csi,
        downward_api,
        empty_dir,
        ephemeral,
        fc,
        flex_volume,
        flocker,
        gce_persistent_disk,
        git_repo,
        glusterfs,
        host_path,
        image,
        iscsi,
        name: _,
        nfs,
        persistent_volume_claim,
        photon_persistent_disk,
        portworx_volume,
        projected,
        quobyte,
        rbd,
        scale_io,
        secret,
        storageos,
        vsphere_volume,
    } = volume;
    let sources = [
        ("awsElasticBlockStore", aws_elastic_block_store.is_some()),
        ("azureDisk", azure_disk.is_some()),
        ("azureFile", azure_file.is_some()),
        ("cephfs", cephfs.is_some()),
        ("cinder", cinder.is_some()),
        ("configMap", config_map.is_some()),
        ("csi", csi.is_some()),
        ("downwardAPI", downward_api.is_some()),
        ("emptyDir", empty_dir.is_some()),
        ("ephemeral", ephemeral.is_some()),
        ("fc", fc.is_some()),
        ("flexVolume", flex_volume.is_some()),
        ("flocker", flocker.is_some()),
        ("gcePersistentDisk", gce_persistent_disk.is_some()),
        ("gitRepo", git_repo.is_some()),
        ("glusterfs", glusterfs.is_some()),
        ("hostPath", host_path.is_some()),
        ("image", image.is_some()),
        ("iscsi", iscsi.is_some()),
        ("nfs", nfs.is_some()),
        ("persistentVolumeClaim", persistent_volume_claim.is_some()),
        ("photonPersistentDisk", photon_persistent_disk.is_some()),
        ("portworxVolume", portworx_volume.is_some()),
        ("projected", projected.is_some()),
        ("quobyte", quobyte.is_some()),
        ("rbd", rbd.is_some()),
        ("scaleIO", scale_io.is_some()),
        ("secret", secret.is_some()),
        ("storageos", storageos.is_some()),
        ("vsphereVolume", vsphere_volume.is_some()),
    ];
    sources.iter().filter(|(_, is_set)| *is_set).map(|(name, _)| *name).collect()
}

// ---- the comparison

fn compare(name: &str, json: &[u8]) -> Facts {
    let expected = theirs(&serde_json::from_slice(json).unwrap_or_else(|error| panic!("{name}: {error}")));
    let mut reader = Reader::new(json).unwrap().refusing_misspelt_case();
    let pod = Pod::read(&mut reader).unwrap_or_else(|error| panic!("{name}: {error}"));
    let found = ours(&pod);
    let missed: Vec<_> = expected.0.difference(&found.0).collect();
    let invented: Vec<_> = found.0.difference(&expected.0).collect();
    assert!(missed.is_empty() && invented.is_empty(), "{name}: missed {missed:?}, invented {invented:?}");
    expected
}

#[test]
fn fixtures_read_as_k8s_openapi_reads_them() {
    for fixture in own_fixtures().into_iter().chain(upstream_fixtures()) {
        let object: Json = serde_json::from_slice(&fixture.json).unwrap();
        if object["kind"] == "Pod" {
            compare(&fixture.name, &fixture.json);
        }
    }
}

#[test]
fn what_is_absent_or_null_reads_as_k8s_openapi_reads_it() {
    for json in [
        "{}",
        r#"{"spec":null,"metadata":{}}"#,
        r#"{"metadata":{"labels":null,"annotations":null,"ownerReferences":null,"name":null}}"#,
        r#"{"spec":{"containers":null,"volumes":null,"hostUsers":null,"securityContext":null,"os":null}}"#,
        r#"{"spec":{"containers":[{}],"os":{},"securityContext":{"seccompProfile":{},"sysctls":[{}]}}}"#,
        r#"{"spec":{"containers":[{"securityContext":{"seccompProfile":{"type":null},"procMount":null}}]}}"#,
        r#"{"spec":{"containers":[{"lifecycle":null,"ports":null,"livenessProbe":{"httpGet":null}}]}}"#,
        r#"{"spec":{"containers":[{"securityContext":{"capabilities":{},"seLinuxOptions":{},"windowsOptions":{}}}]}}"#,
    ] {
        compare(json, json.as_bytes());
    }
}

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn any_pod_reads_as_k8s_openapi_reads_it(pod in any_pod()) {
        compare("a generated pod", &serde_json::to_vec(&pod).unwrap());
    }

    #[test]
    fn mendable_pods_read_as_k8s_openapi_reads_them(pod in mendable_pod()) {
        compare("a generated pod", &serde_json::to_vec_pretty(&pod).unwrap());
    }
}

/// A field that is not compared, or that no generated pod has, is not tested at all.
#[test]
fn every_field_that_a_control_reads_is_compared() {
    let mut runner = TestRunner::deterministic();
    let mut compared = BTreeSet::new();
    for _ in 0..500 {
        let pod = any_pod().new_tree(&mut runner).unwrap().current();
        let facts = compare("a generated pod", &serde_json::to_vec(&pod).unwrap());
        compared.extend(facts.0.iter().filter_map(|fact| fact.split(" = ").next()).map(ToOwned::to_owned));
    }
    let fields = CONTROLS.iter().flat_map(|control| control.doc.fields).flat_map(|field| alternatives(field));
    let of_metadata = [
        "metadata.labels",
        "metadata.owner",
        "metadata.generateName",
        "spec.serviceAccountName",
        "spec.serviceAccount",
    ];
    for field in fields.chain(of_metadata.map(ToOwned::to_owned)) {
        assert!(
            compared.iter().any(|path| matches(&field, path)),
            "{field} is in no generated pod, or not compared"
        );
    }
    for source in podgate::pod::VolumeSource::all() {
        let suffix = format!("].{}", source.name());
        assert!(
            compared.iter().any(|path| path.ends_with(&suffix)),
            "no generated pod has a volume {}",
            source.name()
        );
    }
}
