//! `readOnlyRootFilesystem` (extended): no container can write to its root filesystem.

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::controls::id_ranges::yes;
use crate::controls::quantity::{Bound, Quantity};
use crate::controls::windows::{NOT_ON_WINDOWS, OTHER_POLICY};
use crate::controls::{
    Cel, Check, CheckedPod, Control, Doc, FoundValue, Origin, ParameterError, Parameters, Violation, text,
};
use crate::finding::{Edit, EditOp, Finding, Fix, Found, Sink, Subject, Value};
use crate::json;
use crate::pod::{Changes, Container, ContainerKind, ContainerRef, Pod, Volume, VolumeSource};

pub(super) static CONTROL: Control = Control {
    id: "readOnlyRootFilesystem",
    number: 20,
    values: &[FoundValue::Bool(false)],
    origin: Origin::Extended {
        parameters: Parameters::of::<ReadOnlyRootFilesystem>(),
        depends_on: Changes::EPHEMERAL_CONTAINERS,
    },
    violation,
    doc: Doc {
        title: "Read-only root filesystem",
        rule: "Every container must set `readOnlyRootFilesystem: true`, so that an attacker inside it can neither \
               change its programs nor leave others there. With `fillIn: true` the mutating webhook sets it on init and \
               regular containers where it is absent, and where nothing is mounted at `/tmp` it mounts a directory of an \
               `emptyDir` named `podgate-tmp` there, which no other container of the pod sees, unless `mountTmp` is `false`. \
               Programs that write elsewhere need volumes of their own.",
        history: "Enabled where a policy sets `controls.readOnlyRootFilesystem`.",
        fields: &[
            "spec.{containers,initContainers,ephemeralContainers}[*].securityContext.readOnlyRootFilesystem",
        ],
        fix: "Set `readOnlyRootFilesystem: true`, and mount an `emptyDir` wherever the program writes: `/tmp`, caches, \
              checkpoints.",
        example: "containers:\n- name: server\n  securityContext:\n    readOnlyRootFilesystem: true\n",
        cel: Cel::Whole,
    },
};

/// The volume that is mounted at `/tmp` where a pod mounts nothing there.
const TMP_VOLUME: &str = "podgate-tmp";

/// How many containers of a kind are given a `/tmp`: each takes a text of its own, and a pod with more is hostile.
const MOST_TMPS: usize = 100;

/// The parameters of `controls.readOnlyRootFilesystem`.
#[derive(Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ReadOnlyRootFilesystem {
    /// Whether `true` is filled in where the field is absent, with an `emptyDir` at `/tmp` where nothing is mounted there.
    #[serde(default)]
    fill_in: bool,
    /// Whether that `emptyDir` is mounted at all. By default `true`.
    #[serde(default = "yes")]
    mount_tmp: bool,
    /// The most that the containers of a pod can write to that `emptyDir` together: `1Gi`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tmp_size_limit: Option<Bound>,
}

impl Check for ReadOnlyRootFilesystem {
    fn check<'p>(&'p self, CheckedPod { pod, .. }: CheckedPod<'p>, sink: &mut Sink<'_, 'p>) {
        for (at, container) in pod.containers() {
            let is_read_only =
                container.security.as_ref().and_then(|security| security.read_only_root_filesystem);
            if is_read_only == Some(true) {
                continue;
            }
            let found = is_read_only.map_or(Found::Absent, Found::Bool);
            let (fix, help) = if pod.is_windows() {
                (OTHER_POLICY, NOT_ON_WINDOWS)
            } else {
                let is_filled_in = self.fill_in && found == Found::Absent && self.can_be_filled_in(pod, at);
                let fix = Fix::fill_in(Value::Bool(true), is_filled_in);
                (fix, "mount an emptyDir wherever the program writes")
            };
            let subject = Subject::Container(at);
            sink(Finding::new(subject, "securityContext.readOnlyRootFilesystem", found, fix).help(help));
        }
    }

    fn besides<'p>(
        &'p self,
        pod: &'p Pod<'p>,
        filled: &mut dyn Iterator<Item = Subject<'p>>,
        edit: &mut dyn FnMut(Edit<'p>),
    ) {
        if !self.mount_tmp {
            return;
        }
        let mut has_volume = pod.spec.volumes.iter().any(|volume| volume.name == TMP_VOLUME);
        for at in filled.filter_map(Subject::container) {
            let Some(Ok(false)) = pod.container(at).map(mounts_tmp) else { continue };
            if !has_volume {
                has_volume = true;
                edit(Edit::new(Subject::Pod, "volumes", EditOp::append(self.tmp_volume())));
            }
            // Containers must not write to the files of each other.
            let mount = json!({ "name": TMP_VOLUME, "mountPath": "/tmp", "subPath": at.name });
            edit(Edit::new(Subject::Container(at), "volumeMounts", EditOp::append(mount.to_string())));
        }
    }

    fn faults(&self) -> Vec<ParameterError> {
        if !self.mount_tmp && !self.fill_in {
            return vec![ParameterError::at(
                "mountTmp".into(),
                "is about what fillIn: true mounts: add that, or remove this",
            )];
        }
        let Some(limit) = &self.tmp_size_limit else { return Vec::new() };
        let is_alone = (!self.fill_in || !self.mount_tmp)
            .then(|| "limits what fillIn: true mounts: have it mounted, or remove this".to_owned());
        let is_tiny = Quantity::parse("1Ki").is_some_and(|least| limit.quantity() < least);
        let is_tiny = is_tiny.then(|| "leaves no room: write a size such as 512Mi or 1Gi".to_owned());
        let fault = is_alone.or(limit.fault()).or(is_tiny);
        fault.map(|fault| ParameterError::at("tmpSizeLimit".into(), fault)).into_iter().collect()
    }
}

impl ReadOnlyRootFilesystem {
    /// Whether `true` can be filled in for a container.
    fn can_be_filled_in(&self, pod: &Pod<'_>, at: ContainerRef<'_>) -> bool {
        if self.mount_tmp { can_have_tmp(pod, at) } else { at.kind != ContainerKind::Ephemeral }
    }

    fn tmp_volume(&self) -> String {
        let empty_dir = match &self.tmp_size_limit {
            Some(limit) => json!({ "sizeLimit": limit.text() }),
            None => json!({}),
        };
        json!({ "name": TMP_VOLUME, "emptyDir": empty_dir }).to_string()
    }
}

/// Whether a container can be given a `/tmp` of its own, or has one: an ephemeral container takes no `subPath`.
fn can_have_tmp(pod: &Pod<'_>, at: ContainerRef<'_>) -> bool {
    let is_usable =
        |volume: &Volume<'_>| volume.sources().eq([VolumeSource::EMPTY_DIR]) && !volume.has_unknown_source();
    let mut own = pod.spec.volumes.iter().filter(|volume| volume.name == TMP_VOLUME);
    at.kind != ContainerKind::Ephemeral
        && at.index < MOST_TMPS
        && own.all(is_usable)
        && pod.container(at).is_some_and(|container| mounts_tmp(container).is_ok())
}

/// Whether something is mounted at a container's `/tmp`. Of a path with `..` nobody can tell by looking at it.
fn mounts_tmp(container: &Container<'_>) -> json::Result<bool> {
    let mut is_mounted = false;
    container.volume_mounts.for_each(|_, mount| {
        let mut names = mount.mount_path.split('/').filter(|name| !matches!(*name, "" | "."));
        is_mounted |= mount.mount_path.split('/').any(|name| name == "..")
            || (names.next() == Some("tmp") && names.next().is_none());
    })?;
    Ok(is_mounted)
}

fn violation(findings: &[Finding<'_>]) -> Violation {
    Violation {
        reason: "writable root filesystem",
        detail: format!(
            "{} must set securityContext.readOnlyRootFilesystem=true",
            text::containers(&text::container_names(findings))
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Reader;

    #[test]
    fn a_container_gets_a_tmp_where_it_has_none() {
        let volume = |source: &str| format!(r#""volumes":[{{"name":"podgate-tmp","{source}":{{}}}}]"#);
        let container = |rest: &str| format!(r#""containers":[{{"name":"c"{rest}}}]"#);
        let mounts = |mounts: &str| container(&format!(r#","volumeMounts":{mounts}"#));
        let at_path = |path: &str| mounts(&format!(r#"[{{"name":"v","mountPath":"{path}"}}]"#));
        for (spec, is_filled_in, edits) in [
            (container(""), true, 2),
            (format!("{},{}", container(""), volume("emptyDir")), true, 1),
            (format!("{},{}", container(""), volume("hostPath")), false, 1),
            (at_path("/tmp"), true, 0),
            (at_path(&["/", "tmp", ".", ""].join("/")), true, 0),
            (at_path("tmp"), true, 0),
            (at_path("/var/../tmp"), true, 0),
            (at_path(&["/tmp", "a"].join("/")), true, 2),
            (at_path("/tmpfs"), true, 2),
            (mounts(r#"{"mountPath":"/tmp"}"#), false, 0),
            (container(r#","securityContext":{"readOnlyRootFilesystem":false}"#), false, 2),
            (format!(r#"{},"os":{{"name":"windows"}}"#, container("")), false, 2),
            (container("").replace("containers", "ephemeralContainers"), false, 2),
        ] {
            let text = format!(r#"{{"spec":{{{spec}}}}}"#);
            let pod = Pod::read(&mut Reader::over(&text)).expect("a pod");
            let control = ReadOnlyRootFilesystem { fill_in: true, mount_tmp: true, tmp_size_limit: None };
            let mut fixes = Vec::new();
            control.check(CheckedPod::new(&pod), &mut |finding| fixes.push(finding.fix.is_default()));
            let mut count = 0;
            let mut parts = pod.containers().map(|(at, _)| Subject::Container(at));
            control.besides(&pod, &mut parts, &mut |_| count += 1);
            assert_eq!((fixes.as_slice(), count), ([is_filled_in].as_slice(), edits), "{text}");
        }
    }
}
