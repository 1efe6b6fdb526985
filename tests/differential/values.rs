//! What is chosen from: the values that a control lets pass, those it refuses, and those that look like either.

/// Types of seccomp profiles.
pub(crate) const SECCOMP: [&str; 6] =
    ["RuntimeDefault", "Localhost", "Unconfined", "", "unconfined", "runtime/default"];
pub(crate) const APP_ARMOR: [&str; 5] = ["RuntimeDefault", "Localhost", "Unconfined", "", "localhost"];
pub(crate) const SE_LINUX: [&str; 8] = [
    "",
    "container_t",
    "container_init_t",
    "container_kvm_t",
    "container_engine_t",
    "spc_t",
    "Container_t",
    "svirt_lxc_net_t",
];
pub(crate) const CAPABILITIES: [&str; 22] = [
    "ALL",
    "all",
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "MKNOD",
    "NET_BIND_SERVICE",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
    "SYS_ADMIN",
    "NET_RAW",
    "IPC_LOCK",
    "CAP_CHOWN",
    "CAP_NET_BIND_SERVICE",
    "net_bind_service",
    "",
];
pub(crate) const SYSCTLS: [&str; 18] = [
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.ping_group_range",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
    "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_wmem",
    "net.ipv4.tcp_slow_start_after_idle",
    "net.ipv4.tcp_notsent_lowat",
    "net/ipv4/tcp_rmem",
    "kernel.msgmax",
    "fs.mqueue.msg_max",
    "",
];
pub(crate) const HOSTS: [&str; 6] = ["", "127.0.0.1", "::1", "localhost", "bad.host", "10.0.0.1"];
pub(crate) const NAMES: [&str; 4] = ["a", "b", "trainer", "sidecar"];
pub(crate) const OF_CONTAINER: [&str; 2] =
    ["container.apparmor.security.beta.kubernetes.io/", "container.seccomp.security.alpha.kubernetes.io/"];
pub(crate) const PROFILES_OF_ANNOTATIONS: [&str; 7] =
    ["", "runtime/default", "docker/default", "localhost/mine", "localhost/", "unconfined", "Localhost/mine"];

/// Every volume source there is, with content that a reader of the type takes.
pub(crate) const SOURCES: [(&str, &str); 30] = [
    ("awsElasticBlockStore", r#"{"volumeID":"x"}"#),
    ("azureDisk", r#"{"diskName":"x","diskURI":"x"}"#),
    ("azureFile", r#"{"secretName":"x","shareName":"x"}"#),
    ("cephfs", r#"{"monitors":["x"]}"#),
    ("cinder", r#"{"volumeID":"x"}"#),
    ("configMap", r#"{"name":"x"}"#),
    ("csi", r#"{"driver":"x"}"#),
    ("downwardAPI", "{}"),
    ("emptyDir", "{}"),
    ("ephemeral", "{}"),
    ("fc", "{}"),
    ("flexVolume", r#"{"driver":"x"}"#),
    ("flocker", "{}"),
    ("gcePersistentDisk", r#"{"pdName":"x"}"#),
    ("gitRepo", r#"{"repository":"x"}"#),
    ("glusterfs", r#"{"endpoints":"x","path":"x"}"#),
    ("hostPath", r#"{"path":"/"}"#),
    ("hostPath", "{}"),
    ("image", r#"{"reference":"x"}"#),
    ("iscsi", r#"{"iqn":"x","lun":0,"targetPortal":"x"}"#),
    ("nfs", r#"{"path":"/","server":"x"}"#),
    ("persistentVolumeClaim", r#"{"claimName":"x"}"#),
    ("photonPersistentDisk", r#"{"pdID":"x"}"#),
    ("portworxVolume", r#"{"volumeID":"x"}"#),
    ("projected", "{}"),
    ("quobyte", r#"{"registry":"x","volume":"x"}"#),
    ("rbd", r#"{"image":"x","monitors":["x"]}"#),
    ("scaleIO", r#"{"gateway":"x","secretRef":{},"system":"x"}"#),
    ("secret", r#"{"secretName":"x"}"#),
    ("storageos", "{}"),
];
/// The rest, and what is none: unknown, or of the wrong case.
pub(crate) const RARE_SOURCES: [(&str, &str); 3] =
    [("vsphereVolume", r#"{"volumePath":"x"}"#), ("sourceOfTomorrow", "{}"), ("emptydir", "{}")];

/// Fields whose type some control counts on, for pods that must not be read.
pub(crate) const READ: [&str; 27] = [
    "add",
    "allowPrivilegeEscalation",
    "annotations",
    "capabilities",
    "containers",
    "drop",
    "ephemeralContainers",
    "host",
    "hostIPC",
    "hostNetwork",
    "hostPID",
    "hostPort",
    "hostProcess",
    "hostUsers",
    "httpGet",
    "initContainers",
    "livenessProbe",
    "os",
    "privileged",
    "procMount",
    "runAsNonRoot",
    "runAsUser",
    "seLinuxOptions",
    "seccompProfile",
    "securityContext",
    "sysctls",
    "volumes",
];
