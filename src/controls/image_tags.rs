//! `imageTags` (extended): no image with a tag that the policy forbids, such as `latest`.

use serde::{Deserialize, Serialize};

use crate::controls::image_name::{ImageName, detail, for_each_image, is_tag, not_allowed};
use crate::controls::pattern::{Pattern, any_matches};
use crate::controls::{
    Cel, Check, CheckedPod, Control, Doc, FoundValue, Origin, ParameterError, Parameters, Violation,
};
use crate::finding::{FieldPath, Finding, Fix, Sink};
use crate::pod::{Changes, stands_for};

/// The tag of an image that is named without one.
const DEFAULT_TAG: &str = "latest";

pub(super) static CONTROL: Control = Control {
    id: "imageTags",
    number: 37,
    values: &[FoundValue::Text],
    origin: Origin::Extended { parameters: Parameters::of::<ImageTags>(), depends_on: Changes::OF_STANDARD },
    violation,
    doc: Doc {
        title: "Image tags",
        rule: "No image, of containers of all kinds and of `image` volumes, may have a tag that the policy forbids: by \
               default `latest`, which is another image every time. An image without a tag is `latest`; where the policy \
               requires a tag, it must be written. An image with a digest may have any tag, or none: it is the digest that \
               counts.",
        history: "Enabled where a policy sets `controls.imageTags`.",
        fields: &[
            "spec.{containers,initContainers,ephemeralContainers}[*].image",
            "spec.volumes[*].image.reference",
        ],
        fix: "Name the image with the tag of one release, or with its digest.",
        example: "containers:\n- name: trainer\n  image: registry.example.com/trainer:1.4.2\n",
        cel: Cel::Whole,
    },
};

/// The parameters of `controls.imageTags`.
#[derive(Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ImageTags {
    /// The forbidden tags, in which `*` is any text: `nightly*`.
    #[serde(default = "latest")]
    forbidden: Vec<Pattern>,
    /// Whether a tag must be written.
    #[serde(default)]
    required: bool,
}

fn latest() -> Vec<Pattern> {
    vec![Pattern::from(DEFAULT_TAG)]
}

impl Check for ImageTags {
    fn check<'p>(&'p self, CheckedPod { pod, .. }: CheckedPod<'p>, sink: &mut Sink<'_, 'p>) {
        for_each_image(pod, |subject, path, image| {
            if !ImageName::parse(image).is_some_and(|name| self.allows(&name)) {
                let fix = Fix::one_of(&["the tag of a release", "a digest"]);
                sink(not_allowed((subject, path), image, fix));
            }
        });
    }

    fn faults(&self) -> Vec<ParameterError> {
        let mut faults = Vec::new();
        if self.forbidden.is_empty() && !self.required {
            let fault = "forbids nothing: list tags in forbidden, or write required: true";
            faults.push(ParameterError::at(FieldPath::default(), fault));
        }
        for (index, pattern) in self.forbidden.iter().enumerate() {
            let fault = if pattern.as_str().bytes().all(|byte| byte == b'*') {
                "forbids every tag: use the control imageDigests"
            } else if !stands_for(pattern.as_str(), is_tag) {
                "no image has such a tag: write what is after the : alone, of letters, digits, _, . and -"
            } else if self.forbidden.iter().take(index).any(|other| other == pattern) {
                "is listed twice: keep one of the two"
            } else {
                continue;
            };
            faults.push(ParameterError::at(FieldPath::from("forbidden").index(index), fault));
        }
        faults
    }
}

impl ImageTags {
    fn allows(&self, name: &ImageName<'_>) -> bool {
        name.has_digest
            || (name.tag.is_some() || !self.required)
                && !any_matches(&self.forbidden, name.tag.unwrap_or(DEFAULT_TAG))
    }
}

fn violation(findings: &[Finding<'_>]) -> Violation {
    Violation { reason: "image tag", detail: detail(findings, "images with an allowed tag or a digest") }
}
