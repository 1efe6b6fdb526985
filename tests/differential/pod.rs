//! Pods that favour the corners: whatever some control of the standard reads is absent, `null`, empty, right, nearly
//! right, or wrong, in every kind of container.

use podgate::controls::{Level, Standard, Version};
use serde_json::{Map, Value as Json, json};

use crate::random::Random;
use crate::text::word;
use crate::values::{
    APP_ARMOR, CAPABILITIES, HOSTS, NAMES, OF_CONTAINER, PROFILES_OF_ANNOTATIONS, RARE_SOURCES, READ,
    SE_LINUX, SECCOMP, SOURCES, SYSCTLS,
};

type Object = Map<String, Json>;

/// A level and a version: any of upstream's, and such as are still to come.
pub(crate) fn standard(random: &mut Random) -> Standard {
    let level = *random.pick(&[
        Level::Restricted,
        Level::Restricted,
        Level::Restricted,
        Level::Restricted,
        Level::Baseline,
        Level::Baseline,
        Level::Baseline,
        Level::Baseline,
        Level::Baseline,
        Level::Privileged,
    ]);
    let version = match random.below(44) {
        41.. => Version::Latest,
        40 => Version::Minor(i64::MAX.unsigned_abs()),
        minor => Version::Minor(u64::try_from(minor).unwrap()),
    };
    Standard::new(level, version)
}

/// Makes one pod.
pub(crate) struct Maker {
    random: Random,
    /// How many of a hundred fields that may be absent are there: a pod with one fault tells more than one with all.
    density: usize,
    /// Whether what the restricted level asks for is there by default.
    is_hardened: bool,
}

impl Maker {
    pub(crate) fn new(mut random: Random) -> Self {
        let density = *random.pick(&[2, 5, 12, 30, 60]);
        let is_hardened = random.percent(60);
        Self { random, density, is_hardened }
    }

    /// A pod as the API server could send it, or nearly.
    pub(crate) fn pod(mut self) -> Json {
        let mut pod = self.whole_pod();
        match self.random.below(200) {
            0 => pod["spec"] = Json::Null,
            1 => pod = json!({}),
            2 => pod["metadata"] = Json::Null,
            3..7 => self.misuse(&mut pod),
            _ => {}
        }
        pod
    }

    /// A pod that everybody can read.
    pub(crate) fn sound_pod(mut self) -> Json {
        self.whole_pod()
    }

    fn whole_pod(&mut self) -> Json {
        let spec = self.spec();
        let metadata = self.metadata(&spec);
        json!({ "metadata": metadata, "spec": spec })
    }

    /// Puts a value of another type where one is counted on. Both sides must then refuse to read it.
    fn misuse(&mut self, pod: &mut Json) {
        let mut places = Vec::new();
        find_read(pod, "", &mut places);
        if places.is_empty() {
            return;
        }
        let place = self.random.pick(&places).clone();
        let values = [
            json!("text"),
            json!(7),
            json!(1.5),
            json!(true),
            json!([]),
            json!([[]]),
            json!({}),
            json!(u64::MAX),
        ];
        if let Some(value) = pod.pointer_mut(&place) {
            *value = self.random.pick(&values).clone();
        }
    }

    // ---- what everything is made of

    /// Sets a field at times, and at times to `null`.
    fn field(&mut self, object: &mut Object, key: &str, value: impl FnOnce(&mut Self) -> Json) {
        let roll = self.random.below(100);
        if roll < self.density {
            let value = value(self);
            object.insert(key.to_owned(), value);
        } else if roll < self.density + 2 {
            object.insert(key.to_owned(), Json::Null);
        }
    }

    fn object(&mut self, fill: impl FnOnce(&mut Self, &mut Object)) -> Json {
        let mut object = Object::new();
        fill(self, &mut object);
        object.into()
    }

    /// A list of up to so many items; at times one of them is `null`.
    fn list(&mut self, most: usize, mut item: impl FnMut(&mut Self) -> Json) -> Json {
        let length = self.random.below(most + 1);
        (0..length).map(|_| if self.random.percent(1) { Json::Null } else { item(self) }).collect()
    }

    fn boolean(&mut self) -> Json {
        self.random.percent(50).into()
    }

    fn text(&mut self, usual: &[&str]) -> Json {
        word(&mut self.random, usual).into()
    }

    fn number(&mut self, usual: &[i64]) -> Json {
        (*self.random.pick(usual)).into()
    }

    // ---- the pod

    fn spec(&mut self) -> Json {
        self.object(|maker, spec| {
            maker.field(spec, "hostNetwork", Self::boolean);
            maker.field(spec, "hostPID", Self::boolean);
            maker.field(spec, "hostIPC", Self::boolean);
            maker.field(spec, "hostPid", Self::boolean);
            maker.field(spec, "hostUsers", Self::boolean);
            let systems = &["windows", "windows", "linux", "Windows", ""];
            maker.field(spec, "os", |maker| {
                maker.object(|maker, os| maker.field_mostly(os, "name", |maker| maker.text(systems)))
            });
            maker.field(spec, "securityContext", |maker| {
                maker.object(|maker, context| maker.pod_security_context(context))
            });
            maker.field(spec, "volumes", |maker| maker.list(3, Self::volume));
            maker.field(spec, "initContainers", |maker| maker.list(2, Self::container));
            maker.field(spec, "ephemeralContainers", |maker| maker.list(2, Self::container));
            if !maker.random.percent(2) {
                let containers = maker.list(3, Self::container);
                spec.insert("containers".into(), containers);
            }
        })
    }

    /// Sets a field that is pointless without.
    fn field_mostly(&mut self, object: &mut Object, key: &str, value: impl FnOnce(&mut Self) -> Json) {
        if self.random.percent(85) {
            let value = value(self);
            object.insert(key.to_owned(), value);
        }
    }

    fn metadata(&mut self, spec: &Json) -> Json {
        self.object(|maker, metadata| {
            maker.field(metadata, "annotations", |maker| {
                maker.object(|maker, annotations| {
                    for _ in 0..=maker.random.below(4) {
                        let key = maker.annotation(spec);
                        let value = if maker.random.percent(3) {
                            Json::Null
                        } else {
                            maker.text(&PROFILES_OF_ANNOTATIONS)
                        };
                        annotations.insert(key, value);
                    }
                })
            });
        })
    }

    /// The key of an annotation, mostly about a container that is there.
    fn annotation(&mut self, spec: &Json) -> String {
        if self.random.percent(25) {
            return word(&mut self.random, &["seccomp.security.alpha.kubernetes.io/pod"]);
        }
        let list = *self.random.pick(&["containers", "containers", "initContainers", "ephemeralContainers"]);
        let there = spec[list].as_array().filter(|list| !list.is_empty()).map(|list| self.random.pick(list));
        let name = there.and_then(|container| container["name"].as_str()).map(str::to_owned);
        let name = name.unwrap_or_else(|| word(&mut self.random, &NAMES));
        format!("{}{name}", self.random.pick(&OF_CONTAINER))
    }

    /// A volume: mostly of one source, at times of none, of two, or of one that is `null`.
    fn volume(&mut self) -> Json {
        self.object(|maker, volume| {
            maker.field_mostly(volume, "name", |maker| maker.text(&["data", "v", "cache"]));
            let sources = *maker.random.pick(&[0, 1, 1, 1, 1, 1, 1, 2]);
            for _ in 0..sources {
                let of: &[(&str, &str)] = if maker.random.percent(90) { &SOURCES } else { &RARE_SOURCES };
                let (key, content) = *maker.random.pick(of);
                let content = if maker.random.percent(5) { "null" } else { content };
                volume.insert(key.to_owned(), serde_json::from_str(content).unwrap());
            }
        })
    }

    fn container(&mut self) -> Json {
        self.object(|maker, container| {
            maker.field_mostly(container, "name", |maker| maker.text(&NAMES));
            maker.field(container, "ports", |maker| maker.list(3, Self::port));
            for probe in ["livenessProbe", "readinessProbe", "startupProbe"] {
                maker.field(container, probe, Self::handler);
            }
            maker.field(container, "lifecycle", |maker| {
                maker.object(|maker, lifecycle| {
                    maker.field_mostly(lifecycle, "postStart", Self::handler);
                    maker.field_mostly(lifecycle, "preStop", Self::handler);
                })
            });
            let security = maker.object(|maker, context| maker.security_context(context));
            if maker.is_hardened || maker.random.percent(maker.density) {
                container.insert("securityContext".into(), security);
            }
        })
    }

    fn port(&mut self) -> Json {
        self.object(|maker, port| {
            port.insert("containerPort".into(), json!(80));
            let ports = [0, 0, 1, 9, 80, 80, 443, 8080, 65_535, -1, i64::from(i32::MIN), i64::from(i32::MAX)];
            maker.field_mostly(port, "hostPort", |maker| maker.number(&ports));
        })
    }

    /// A probe or a lifecycle handler.
    fn handler(&mut self) -> Json {
        self.object(|maker, handler| {
            let key = *maker.random.pick(&["httpGet", "httpGet", "tcpSocket", "tcpSocket", "exec", "grpc"]);
            let action = match key {
                "exec" => json!({ "command": ["true"] }),
                "grpc" => json!({ "port": 80 }),
                _ => maker.object(|maker, action| {
                    action.insert("port".into(), json!("http"));
                    maker.field_mostly(action, "host", |maker| maker.text(&HOSTS));
                }),
            };
            handler.insert(key.into(), action);
        })
    }

    // ---- security contexts

    fn pod_security_context(&mut self, context: &mut Object) {
        self.common_context(context);
        self.field(context, "sysctls", |maker| {
            maker.list(4, |maker| {
                maker.object(|maker, sysctl| {
                    maker.field_mostly(sysctl, "name", |maker| maker.text(&SYSCTLS));
                    sysctl.insert("value".into(), json!("1"));
                })
            })
        });
    }

    fn security_context(&mut self, context: &mut Object) {
        self.common_context(context);
        self.field(context, "privileged", Self::boolean);
        self.field(context, "allowPrivilegeEscalation", Self::boolean);
        self.field(context, "procMount", |maker| maker.text(&["Default", "Unmasked", "", "default"]));
        self.field(context, "capabilities", |maker| {
            maker.object(|maker, capabilities| {
                maker.field(capabilities, "add", |maker| maker.list(4, |maker| maker.text(&CAPABILITIES)));
                let drop = |maker: &mut Self| maker.list(3, |maker| maker.text(&["ALL", "NET_RAW", "all"]));
                maker.field_mostly(capabilities, "drop", drop);
            })
        });
        if self.is_hardened {
            self.harden(context);
        }
    }

    /// What the contexts of pods and of containers have in common.
    fn common_context(&mut self, context: &mut Object) {
        let users = [0, 0, 1, 1000, -1, i64::MAX, i64::MIN];
        self.field(context, "runAsNonRoot", Self::boolean);
        self.field(context, "runAsUser", |maker| maker.number(&users));
        self.field(context, "seccompProfile", |maker| maker.profile(&SECCOMP));
        self.field(context, "appArmorProfile", |maker| maker.profile(&APP_ARMOR));
        self.field(context, "seLinuxOptions", |maker| {
            maker.object(|maker, options| {
                maker.field_mostly(options, "type", |maker| maker.text(&SE_LINUX));
                maker.field(options, "user", |maker| maker.text(&["", "u"]));
                maker.field(options, "role", |maker| maker.text(&["", "r"]));
            })
        });
        self.field(context, "windowsOptions", |maker| {
            maker.object(|maker, options| maker.field_mostly(options, "hostProcess", Self::boolean))
        });
    }

    fn profile(&mut self, types: &[&str]) -> Json {
        self.object(|maker, profile| {
            maker.field_mostly(profile, "type", |maker| maker.text(types));
            maker.field(profile, "localhostProfile", |maker| maker.text(&["mine"]));
        })
    }

    /// Adds what the restricted level asks for, where nothing else was chosen.
    fn harden(&mut self, context: &mut Object) {
        for (key, value) in [
            ("allowPrivilegeEscalation", json!(false)),
            ("capabilities", json!({ "drop": ["ALL"] })),
            ("runAsNonRoot", json!(true)),
            ("seccompProfile", json!({ "type": "RuntimeDefault" })),
        ] {
            if !self.random.percent(3) {
                context.entry(key).or_insert(value);
            }
        }
    }
}

/// The places of the fields whose type some control counts on.
fn find_read(value: &Json, place: &str, places: &mut Vec<String>) {
    match value {
        Json::Object(members) => {
            for (key, member) in members {
                let inner = format!("{place}/{}", key.replace('~', "~0").replace('/', "~1"));
                if READ.contains(&key.as_str()) {
                    places.push(inner.clone());
                }
                find_read(member, &inner, places);
            }
        }
        Json::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                find_read(item, &format!("{place}/{index}"), places);
            }
        }
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => {}
    }
}
