//! `automountServiceAccountToken` (extended): no pod holds the API server's own token.

use serde::{Deserialize, Serialize};

use crate::controls::api_token::{AUTOMOUNT, strip};
use crate::controls::{
    Cel, Check, CheckedPod, Control, Doc, FoundValue, Origin, Parameters, Violation, text,
};
use crate::finding::{Edit, FieldPath, Finding, Fix, Found, Sink, Subject, Value};
use crate::pod::{Changes, Pod};

pub(super) static CONTROL: Control = Control {
    id: "automountServiceAccountToken",
    number: 23,
    values: &[FoundValue::Bool(true)],
    origin: Origin::Extended {
        parameters: Parameters::of::<AutomountServiceAccountToken>(),
        // The field and the volumes of a pod are immutable.
        depends_on: Changes::NONE,
    },
    violation,
    doc: Doc {
        title: "Token of the API server",
        rule: "A pod must set `automountServiceAccountToken: false`, so that no container holds credentials for the API \
               server, and must not have the volume of that token (`kube-api-access-...`). What the service account says \
               does not count, as it may change later. Tokens that a pod projects for another audience are no matter of this \
               control. With `fillIn: true` the mutating webhook sets `false` where the field is absent, and takes out the \
               volume that the API server has added, with its mounts.",
        history: "Enabled where a policy sets `controls.automountServiceAccountToken`.",
        fields: &["spec.automountServiceAccountToken", "spec.volumes[*].projected"],
        fix: "Set `automountServiceAccountToken: false`. A program that needs the API server runs where a policy without \
              this control holds.",
        example: "automountServiceAccountToken: false\n",
        cel: Cel::Whole,
    },
};

/// What the volume of the token is called in messages.
const TOKEN: &str = "the token of the API server";

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
        let Some(false) = pod.spec.automount_token else {
            let found = pod.spec.automount_token.map_or(Found::Absent, Found::Bool);
            let is_filled_in = self.fill_in && found == Found::Absent && strip(pod, drop).is_ok();
            let fix = Fix::fill_in(Value::Bool(false), is_filled_in);
            return sink(Finding::new(Subject::Pod, AUTOMOUNT, found, fix));
        };
        for (index, volume) in pod.spec.volumes.iter().enumerate() {
            if volume.is_api_server_token() {
                let subject = Subject::Volume(index, &volume.name);
                let fix = Fix::remove_at(subject, FieldPath::default());
                sink(Finding::new(subject, "projected", Found::Text(TOKEN), fix).help("and its mounts"));
            }
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

fn violation(findings: &[Finding<'_>]) -> Violation {
    let volumes = text::volume_names(findings);
    let detail = if volumes.is_empty() {
        "pod must set automountServiceAccountToken=false".to_owned()
    } else {
        format!("{} {} must not hold {TOKEN}", text::plural("volume", volumes.len()), text::quoted(volumes))
    };
    Violation { reason: "service account token", detail }
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
