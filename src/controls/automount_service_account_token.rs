//! `automountServiceAccountToken` (extended): no pod holds the API server's own token.

use serde::{Deserialize, Serialize};

use crate::controls::api_token::{AUTOMOUNT, for_each_api_token, strip};
use crate::controls::new_mounts::NEW_MOUNT;
use crate::controls::security_contexts::newcomers;
use crate::controls::{
    Cel, Check, CheckedPod, Control, Doc, FoundValue, Origin, Parameters, Violation, text,
};
use crate::finding::{Edit, FieldPath, Finding, Fix, Found, Sink, Subject, Value};
use crate::pod::{Changes, Pod, Volume, VolumeSource};

pub(super) static CONTROL: Control = Control {
    id: "automountServiceAccountToken",
    number: 23,
    values: &[FoundValue::Bool(true)],
    origin: Origin::Extended {
        parameters: Parameters::of::<AutomountServiceAccountToken>(),
        // The volumes of a pod are immutable, but a new ephemeral container can mount one of them.
        depends_on: Changes::EPHEMERAL_CONTAINERS,
    },
    violation,
    doc: Doc {
        title: "Token of the API server",
        rule: "A pod must set `automountServiceAccountToken: false`, so that no container holds credentials for the API \
               server, and must not have the volume of that token (`kube-api-access-...`), nor one of its own with a \
               `serviceAccountToken` that is for the API server: one without an `audience`, or for \
               `https://kubernetes.default.svc` and what begins with it. What the service account says does not count, as it \
               may change later. Tokens for another audience are no matter of this control; where the API server takes \
               further audiences (`--api-audiences`), let `projectedSources` list those that pods may have. A new ephemeral \
               container must not mount the token of an old pod. With `fillIn: true` the mutating webhook sets `false` where the field is absent, and takes out the \
               volume that the API server has added, with its mounts.",
        history: "Enabled where a policy sets `controls.automountServiceAccountToken`.",
        fields: &[
            "spec.automountServiceAccountToken",
            "spec.volumes[*].projected",
            "spec.ephemeralContainers[*].volumeMounts",
        ],
        fix: "Set `automountServiceAccountToken: false`. A program that needs the API server runs where a policy without \
              this control holds.",
        example: "automountServiceAccountToken: false\n",
        cel: Cel::Whole,
    },
};

/// What the volume of the token is called in messages.
const TOKEN: &str = "the token of the API server";

const SOURCES: &str = "projected.sources";

/// The parameters of `controls.automountServiceAccountToken`.
#[derive(Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct AutomountServiceAccountToken {
    /// Whether `false` is filled in where the field is absent, and the API server's own volume and its mounts are taken out.
    #[serde(default)]
    fill_in: bool,
}

impl Check for AutomountServiceAccountToken {
    fn check<'p>(&'p self, CheckedPod { pod, .. }: CheckedPod<'p>, sink: &mut Sink<'_, 'p>) {
        let is_off = pod.spec.automount_token == Some(false);
        if !is_off {
            let found = pod.spec.automount_token.map_or(Found::Absent, Found::Bool);
            let is_filled_in = self.fill_in && found == Found::Absent && strip(pod, drop).is_ok();
            let fix = Fix::fill_in(Value::Bool(false), is_filled_in);
            sink(Finding::new(Subject::Pod, AUTOMOUNT, found, fix));
        }
        for (index, volume) in pod.spec.volumes.iter().enumerate() {
            if !volume.has(VolumeSource::PROJECTED) {
                continue;
            }
            let subject = Subject::Volume(index, &volume.name);
            match (volume.is_api_server_token(), is_off) {
                // Nobody wrote it into the pod: it goes with the field.
                (true, false) => {}
                (true, true) => {
                    let fix = Fix::remove_at(subject, FieldPath::default());
                    sink(Finding::new(subject, "projected", Found::Text(TOKEN), fix).help("and its mounts"));
                }
                (false, _) => find_tokens(subject, volume, sink),
            }
        }
        if !is_off {
            find_later_mounts(pod, sink);
        }
    }

    fn besides<'p>(
        &'p self,
        pod: &'p Pod<'p>,
        _: &mut dyn Iterator<Item = Subject<'p>>,
        edit: &mut dyn FnMut(Edit<'p>),
    ) {
        // Mounts that cannot be read are not filled in beside.
        let _ = strip(pod, edit);
    }
}

/// Finds the tokens for the API server among the sources that the author of a pod has projected.
fn find_tokens<'p>(subject: Subject<'p>, volume: &'p Volume<'p>, sink: &mut Sink<'_, 'p>) {
    let read = for_each_api_token(volume.projected, |index| {
        let path = FieldPath::from(SOURCES).index(index);
        let finding = Finding::new(subject, path, Found::Text(TOKEN), Fix::remove());
        sink(finding.help("or name another audience"));
    });
    if read.is_err() {
        let fix = Fix::one_of(&["a projected volume as Kubernetes reads it"]);
        sink(Finding::new(subject, SOURCES, Found::UNREADABLE, fix));
    }
}

/// Finds the containers that come later and mount the token that the pod has.
fn find_later_mounts<'p>(pod: &'p Pod<'p>, sink: &mut Sink<'_, 'p>) {
    if newcomers(pod).next().is_none() {
        return;
    }
    let tokens = pod.spec.volumes.iter().filter(|volume| volume.is_api_server_token());
    let tokens: Vec<&str> = tokens.map(|volume| volume.name.as_ref()).collect();
    for (at, container) in newcomers(pod) {
        // Mounts that cannot be read are refused by the API server, which has put the volume there.
        let _ = container.volume_mounts.for_each(|index, mount| {
            if tokens.contains(&mount.name.as_ref()) {
                let path = FieldPath::from("volumeMounts").index(index);
                let finding = Finding::new(Subject::Container(at), path, Found::Text(TOKEN), Fix::remove());
                sink(finding.help(NEW_MOUNT));
            }
        });
    }
}

fn violation(findings: &[Finding<'_>]) -> Violation {
    let mut volumes = text::volume_names(findings);
    volumes.dedup();
    let mut parts = Vec::new();
    if findings.iter().any(|finding| finding.subject == Subject::Pod) {
        parts.push("pod must set automountServiceAccountToken=false".to_owned());
    }
    if !volumes.is_empty() {
        let noun = text::plural("volume", volumes.len());
        parts.push(format!("{noun} {} must not hold {TOKEN}", text::quoted(volumes)));
    }
    Violation { reason: "service account token", detail: parts.join("; ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Reader;

    #[test]
    fn it_is_filled_in_only_where_the_mounts_can_be_read() {
        let token = r#""volumes":[{"name":"kube-api-access-x","projected":{"sources":[{"serviceAccountToken":{"path":"token"}},{"configMap":{"name":"kube-root-ca.crt"}},{"downwardAPI":{"items":[{"path":"namespace","fieldRef":{"fieldPath":"metadata.namespace"}}]}}]}}]"#;
        let mounts = |mounts: &str| format!(r#""containers":[{{"name":"c","volumeMounts":{mounts}}}]"#);
        let (readable, not_readable) =
            (mounts(r#"[{"name":"kube-api-access-x"}]"#), mounts(r#"{"name":"kube-api-access-x"}"#));
        for (spec, is_filled_in, edits) in [
            (format!("{token},{readable}"), true, 2),
            (readable.clone(), true, 0),
            (format!("{token},{not_readable}"), false, 0),
            (not_readable, true, 0),
            (format!(r#"{token},{readable},"automountServiceAccountToken":true"#), false, 2),
        ] {
            let text = format!(r#"{{"spec":{{{spec}}}}}"#);
            let pod = Pod::read(&mut Reader::over(&text)).expect("a pod");
            let control = AutomountServiceAccountToken { fill_in: true };
            let mut fixes = Vec::new();
            control.check(CheckedPod::new(&pod), &mut |finding| fixes.push(finding.fix.is_default()));
            let mut count = 0;
            control.besides(&pod, &mut std::iter::once(Subject::Pod), &mut |_| count += 1);
            assert_eq!((fixes.as_slice(), count), ([is_filled_in].as_slice(), edits), "{text}");
        }
    }
}
