//! `imageDigests` (extended): every image is named by its digest, so that it cannot become another one.

use serde::{Deserialize, Serialize};

use crate::controls::image_name::{ImageName, detail, for_each_image, not_allowed};
use crate::controls::{Cel, Check, CheckedPod, Control, Doc, FoundValue, Origin, Parameters, Violation};
use crate::finding::{Finding, Fix, Sink};
use crate::pod::Changes;

pub(super) static CONTROL: Control = Control {
    id: "imageDigests",
    number: 35,
    values: &[FoundValue::Text],
    origin: Origin::Extended {
        parameters: Parameters::of::<ImageDigests>(),
        depends_on: Changes::OF_STANDARD,
    },
    violation,
    doc: Doc {
        title: "Image digests",
        rule: "Every image, of containers of all kinds and of `image` volumes, must be named with its digest, as \
               `registry.example.com/trainer@sha256:...`: a tag may be given to another image at any time, a digest cannot. \
               A tag beside it is for readers alone.",
        history: "Enabled where a policy sets `controls.imageDigests`.",
        fields: &[
            "spec.{containers,initContainers,ephemeralContainers}[*].image",
            "spec.volumes[*].image.reference",
        ],
        fix: "Name the image with the digest that the registry shows for its tag.",
        example: "containers:\n- name: trainer\n  image: registry.example.com/trainer@sha256:\
                  e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\n",
        cel: Cel::Whole,
    },
};

/// The parameters of `controls.imageDigests`: none but those of every control.
#[derive(Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ImageDigests {}

impl Check for ImageDigests {
    fn check<'p>(&'p self, CheckedPod { pod, .. }: CheckedPod<'p>, sink: &mut Sink<'_, 'p>) {
        for_each_image(pod, |subject, path, image| {
            if !ImageName::parse(image).is_some_and(|name| name.has_digest) {
                let fix = Fix::one_of(&["NAME@sha256:DIGEST, with the digest of the image"]);
                sink(not_allowed((subject, path), image, fix));
            }
        });
    }
}

fn violation(findings: &[Finding<'_>]) -> Violation {
    Violation { reason: "image without a digest", detail: detail(findings, "images with a digest") }
}
