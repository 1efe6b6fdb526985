//! `imageRegistries` (extended): only images of the registries that the policy lists.

use serde::{Deserialize, Serialize};

use crate::controls::image_name::{ImageName, detail, fault_of_place, for_each_image, not_allowed};
use crate::controls::{
    Cel, Check, CheckedPod, Control, Doc, FoundValue, Origin, ParameterError, Parameters, Violation,
};
use crate::finding::{Choices, FieldPath, Finding, Fix, Sink};
use crate::pod::Changes;

pub(super) static CONTROL: Control = Control {
    id: "imageRegistries",
    number: 36,
    values: &[FoundValue::Text],
    origin: Origin::Extended {
        parameters: Parameters::of::<ImageRegistries>(),
        depends_on: Changes::OF_STANDARD,
    },
    violation,
    doc: Doc {
        title: "Image registries",
        rule: "Every image, of containers of all kinds and of `image` volumes, must come from a registry that the policy \
               lists, or from below a path in one. Names are read as runtimes read them: `nginx` is \
               `docker.io/library/nginx`. Whole names are compared: `registry.example.com/team` allows neither \
               `registry.example.com/team-b/app` nor `registry.example.com.example.org/team/app`. What is no name of an image \
               in a registry is refused, an image that the node has already, by its id, too.",
        history: "Enabled where a policy sets `controls.imageRegistries`.",
        fields: &[
            "spec.{containers,initContainers,ephemeralContainers}[*].image",
            "spec.volumes[*].image.reference",
        ],
        fix: "Use an image of a registry that the policy lists; copy the image there if it has to be.",
        example: "containers:\n- name: trainer\n  image: registry.example.com/team/trainer:1.4\n",
        cel: Cel::Whole,
    },
};

/// The parameters of `controls.imageRegistries`.
#[derive(Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ImageRegistries {
    /// The allowed registries, each with a path in it where not all of it is allowed: `registry.example.com/team`.
    #[schemars(length(min = 1))]
    allowed: Vec<String>,
}

impl Check for ImageRegistries {
    fn check<'p>(&'p self, CheckedPod { pod, .. }: CheckedPod<'p>, sink: &mut Sink<'_, 'p>) {
        for_each_image(pod, |subject, path, image| {
            let name = ImageName::parse(image);
            if !name.is_some_and(|name| self.allowed.iter().any(|place| name.is_below(place))) {
                let fix = Fix::OneOf(Choices::OfPolicy(&self.allowed));
                sink(not_allowed((subject, path), image, fix));
            }
        });
    }

    fn faults(&self) -> Vec<ParameterError> {
        let mut faults = Vec::new();
        for (index, place) in self.allowed.iter().enumerate() {
            let is_twice = self.allowed.iter().take(index).any(|other| other == place);
            let twice = is_twice.then(|| "is listed twice: keep one of the two".to_owned());
            let fault = fault_of_place(place).or(twice);
            faults.extend(
                fault.map(|fault| ParameterError::at(FieldPath::from("allowed").index(index), fault)),
            );
        }
        faults
    }
}

fn violation(findings: &[Finding<'_>]) -> Violation {
    Violation {
        reason: "image registry",
        detail: detail(findings, "images of a registry that the policy lists"),
    }
}
