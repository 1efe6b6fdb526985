//! `gpuVisibility` (extended): no container is shown GPUs that it did not request.

use serde::{Deserialize, Serialize};

use crate::controls::pattern::{Pattern, any_matches};
use crate::controls::resources::has_any_of;
use crate::controls::{
    Cel, Check, CheckedPod, Control, Doc, Origin, ParameterError, Parameters, Violation, text,
};
use crate::finding::{FieldPath, Finding, Fix, Found, Sink, Subject};
use crate::json::{Reader, Result, members};
use crate::pod::{Changes, Container, is_label_key, stands_for};

pub(super) static CONTROL: Control = Control {
    id: "gpuVisibility",
    number: 29,
    values: &[],
    origin: Origin::Extended {
        parameters: Parameters::of::<GpuVisibility>(),
        depends_on: Changes::EPHEMERAL_CONTAINERS,
    },
    violation,
    doc: Doc {
        title: "GPUs without a request",
        rule: "Some container runtimes give a container the devices that a variable names, whatever it requests: \
               `NVIDIA_VISIBLE_DEVICES: all` shows it every GPU of its node, past the scheduler and every quota. So a container \
               that requests none of the vendor's resources must not set `NVIDIA_VISIBLE_DEVICES` (`nvidia.com/...`), \
               `AMD_VISIBLE_DEVICES` (`amd.com/...`), `HABANA_VISIBLE_DEVICES` (`habana.ai/...`) or \
               `ASCEND_VISIBLE_DEVICES` (`huawei.com/...`) to anything but `none`, `void` or nothing. A value from elsewhere \
               (`valueFrom`) cannot be seen and is refused. What `envFrom` brings cannot be seen either: \
               `envFrom: Forbidden` refuses it in such containers, unless its prefix rules these names out. \
               Ephemeral containers cannot request anything. A container that does request a GPU is not looked at; which \
               of them it sees is up to the runtime. The image's own variables are not known: set the variable to `void` where they \
               matter, and let the runtime ignore it in unprivileged containers.",
        history: "Enabled where a policy sets `controls.gpuVisibility`.",
        fields: &["spec.{containers,initContainers,ephemeralContainers}[*].{env,envFrom}"],
        fix: "Remove the variable, and request the GPU: `resources.limits: {nvidia.com/gpu: 1}`.",
        example: "containers:\n- name: trainer\n  resources:\n    limits:\n      nvidia.com/gpu: 1\n",
        cel: Cel::Whole,
    },
};

/// The parameters of `controls.gpuVisibility`.
#[derive(Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct GpuVisibility {
    /// Resources beside the vendors' own that stand for a GPU, in which `*` is any text: `example.com/shared-gpu`.
    #[serde(default)]
    resources: Vec<Pattern>,
    /// Whether a container without such a request may take variables from a ConfigMap or Secret, which may have any names.
    #[serde(default)]
    env_from: EnvFrom,
}

/// Whether variables may come from elsewhere.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[schemars(inline)]
enum EnvFrom {
    #[default]
    Allowed,
    Forbidden,
}

/// A variable that a runtime obeys.
struct Variable {
    name: &'static str,
    /// What the resources begin with that stand for the devices.
    resources: &'static str,
    help: &'static str,
}

/// What all the names end with.
const SUFFIX: &str = "_VISIBLE_DEVICES";

const VARIABLES: [Variable; 4] = [
    Variable {
        name: "NVIDIA_VISIBLE_DEVICES",
        resources: "nvidia.com/",
        help: "NVIDIA_VISIBLE_DEVICES shows it GPUs that it did not request",
    },
    Variable {
        name: "AMD_VISIBLE_DEVICES",
        resources: "amd.com/",
        help: "AMD_VISIBLE_DEVICES shows it GPUs that it did not request",
    },
    Variable {
        name: "HABANA_VISIBLE_DEVICES",
        resources: "habana.ai/",
        help: "HABANA_VISIBLE_DEVICES shows it devices that it did not request",
    },
    Variable {
        name: "ASCEND_VISIBLE_DEVICES",
        resources: "huawei.com/",
        help: "ASCEND_VISIBLE_DEVICES shows it devices that it did not request",
    },
];

/// The values with which a runtime shows no devices.
const SHOWS_NOTHING: [&str; 3] = ["", "none", "void"];

impl Check for GpuVisibility {
    fn check<'p>(&'p self, CheckedPod { pod, .. }: CheckedPod<'p>, sink: &mut Sink<'_, 'p>) {
        for (at, container) in pod.containers() {
            let subject = Subject::Container(at);
            let has_variable = container.may_have_variable(SUFFIX);
            let has_env_from =
                self.env_from == EnvFrom::Forbidden && !matches!(container.env_from(), "" | "null");
            if !has_variable && !has_env_from {
                continue;
            }
            if has_variable && self.check_variables(subject, container, sink).is_err() {
                sink(Finding::new(subject, "env", Found::UNREADABLE, READABLE));
            }
            if has_env_from && self.check_env_from(subject, container, sink).is_err() {
                sink(Finding::new(subject, "envFrom", Found::UNREADABLE, READABLE));
            }
        }
    }

    fn faults(&self) -> Vec<ParameterError> {
        let mut faults = Vec::new();
        for (index, pattern) in self.resources.iter().enumerate() {
            let fault = if ["cpu", "memory", "ephemeral-storage"].iter().any(|name| pattern.matches(name)) {
                "stands for what every container requests: write the name of a device, as example.com/shared-gpu"
            } else if !can_be_device(pattern.as_str()) {
                "no device is called so: write its name with its domain, as example.com/shared-gpu"
            } else if self.resources.iter().take(index).any(|other| other == pattern) {
                "is listed twice: keep one of the two"
            } else {
                continue;
            };
            faults.push(ParameterError::at(FieldPath::from("resources").index(index), fault));
        }
        faults
    }
}

/// Whether a device can have a name that a pattern stands for: a domain, `/` and a name, of which `*` may be any part.
fn can_be_device(pattern: &str) -> bool {
    let is_device = |name: &str| name.contains('/') && is_label_key(name);
    let with_slash = |at: usize| {
        let (before, after) = pattern.split_at(at);
        [before.replace('*', "a"), after.replacen('*', "a/a", 1).replace('*', "a")].concat()
    };
    stands_for(pattern, |name| name.contains('/') && is_label_key(name))
        || pattern.match_indices('*').any(|(at, _)| is_device(&with_slash(at)))
}

const READABLE: Fix<'_> = Fix::one_of(&["a list of variables as Kubernetes reads it"]);

impl GpuVisibility {
    fn check_variables<'p>(
        &'p self,
        subject: Subject<'p>,
        container: &'p Container<'p>,
        sink: &mut Sink<'_, 'p>,
    ) -> Result<()> {
        container.for_each_variable(|index, variable| {
            let Some(known) = VARIABLES.iter().find(|known| known.name == variable.name) else { return };
            let shows_nothing = SHOWS_NOTHING.contains(&variable.value.as_ref());
            if (variable.is_from_elsewhere || !shows_nothing) && !self.is_requested(container, known) {
                let path = FieldPath::from("env").index(index);
                sink(Finding::new(subject, path, Found::Hidden, Fix::remove()).help(known.help));
            }
        })
    }

    fn check_env_from<'p>(
        &'p self,
        subject: Subject<'p>,
        container: &'p Container<'p>,
        sink: &mut Sink<'_, 'p>,
    ) -> Result<()> {
        Reader::over_part(container.env_from()).refusing_misspelt_case().array(|reader, index| {
            let mut prefix = "".into();
            members!(reader, { "prefix" => prefix = reader.string()? })?;
            let may_bring = |known: &Variable| {
                known.name.starts_with(prefix.as_ref()) && !self.is_requested(container, known)
            };
            if let Some(known) = VARIABLES.iter().find(|known| may_bring(known)) {
                let path = FieldPath::from("envFrom").index(index);
                let found = Found::Text("from elsewhere, so its names cannot be seen");
                sink(Finding::new(subject, path, found, Fix::remove()).help(known.help));
            }
            Ok(())
        })
    }

    /// Whether a container requests what a variable shows.
    fn is_requested(&self, container: &Container<'_>, known: &Variable) -> bool {
        let stands_for = |name: &str| name.starts_with(known.resources) || any_matches(&self.resources, name);
        // What cannot be read requests nothing.
        has_any_of(container.resources, stands_for).unwrap_or(false)
    }
}

fn violation(findings: &[Finding<'_>]) -> Violation {
    let names = text::container_names(findings);
    let (containers, does) = (text::containers(&names), if names.len() == 1 { "it does" } else { "they do" });
    Violation {
        reason: "GPUs without a request",
        detail: format!(
            "{containers} must not be shown devices that {does} not request, by a variable such as \
             NVIDIA_VISIBLE_DEVICES"
        ),
    }
}
