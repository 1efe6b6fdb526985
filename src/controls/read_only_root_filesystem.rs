//! `readOnlyRootFilesystem` (extended): no container can write to its root filesystem.

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::controls::empty_dirs::EmptyDir;
use crate::controls::id_ranges::yes;
use crate::controls::quantity::{Bound, Quantity};
use crate::controls::windows::{NOT_ON_WINDOWS, OTHER_POLICY};
use crate::controls::{
    Cel, Check, CheckedPod, Control, Doc, FoundValue, Origin, ParameterError, Parameters, Violation, text,
};
use crate::finding::{Edit, EditOp, FieldPath, Finding, Fix, Found, Sink, Subject, Value};
use crate::json;
use crate::pod::{Changes, Container, ContainerKind, ContainerRef, Pod, Volume, VolumeMount, VolumeSource};

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
               Another volume of that name, one with more room than `tmpSizeLimit`, and a mount of it anywhere else are \
               refused then, and nothing is filled in. \
               Programs that write elsewhere need volumes of their own.",
        history: "Enabled where a policy sets `controls.readOnlyRootFilesystem`.",
        fields: &[
            "spec.{containers,initContainers,ephemeralContainers}[*].securityContext.readOnlyRootFilesystem",
            "spec.{containers,initContainers,ephemeralContainers}[*].volumeMounts",
            "spec.volumes[*].name",
        ],
        fix: "Set `readOnlyRootFilesystem: true`, and mount an `emptyDir` wherever the program writes: `/tmp`, caches, \
              checkpoints.",
        example: "containers:\n- name: server\n  securityContext:\n    readOnlyRootFilesystem: true\n",
        cel: Cel::Whole,
    },
};

const FIELD: &str = "securityContext.readOnlyRootFilesystem";

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
        let gives_tmp = self.fill_in && self.mount_tmp && !pod.is_windows();
        let has_volume = gives_tmp && pod.spec.volumes.iter().any(|volume| volume.name == TMP_VOLUME);
        let mut is_taken = None;
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
                let is_taken = *is_taken.get_or_insert_with(|| gives_tmp && self.is_tmp_taken(pod));
                let is_filled_in =
                    self.fill_in && found == Found::Absent && !is_taken && self.can_be_filled_in(pod, at);
                let fix = Fix::fill_in(Value::Bool(true), is_filled_in);
                (fix, "mount an emptyDir wherever the program writes")
            };
            let subject = Subject::Container(at);
            sink(Finding::new(subject, FIELD, found, fix).help(help));
        }
        if is_taken.unwrap_or(has_volume) {
            self.find_other_uses(pod, sink);
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

    /// Whether a pod has something else of the name of our volume, so that nothing can be mounted by it.
    fn is_tmp_taken(&self, pod: &Pod<'_>) -> bool {
        let mut is_taken = false;
        self.find_other_uses(pod, &mut |_| is_taken = true);
        is_taken
    }

    /// Finds a volume of our name that is not as we write it, and its mounts elsewhere than where we make them: they would show
    /// a container what others write to their `/tmp`.
    fn find_other_uses<'p>(&self, pod: &'p Pod<'_>, sink: &mut Sink<'_, 'p>) {
        let found = Found::Text(TMP_VOLUME);
        for (index, volume) in pod.spec.volumes.iter().enumerate() {
            if volume.name == TMP_VOLUME && !self.is_as_ours(volume) {
                let subject = Subject::Volume(index, &volume.name);
                let help = "podgate keeps this one for the /tmp of each container";
                sink(Finding::new(subject, "name", found, Fix::one_of(&["another name"])).help(help));
            }
        }
        for (at, container) in pod.containers() {
            // What cannot be read is filled in nowhere, and taken by no API server.
            let _ = container.volume_mounts.for_each(|index, mount| {
                if mount.name == TMP_VOLUME && !is_mounted_as_ours(at, &mount) {
                    let path = FieldPath::from("volumeMounts").index(index).fields("name");
                    let finding = Finding::new(Subject::Container(at), path, found, ANOTHER_VOLUME);
                    sink(finding.help("it holds the /tmp of every container"));
                }
            });
        }
    }

    /// Whether a volume is the one that we would write, or one with less room.
    fn is_as_ours(&self, volume: &Volume<'_>) -> bool {
        let is_empty_dir = volume.sources().eq([VolumeSource::EMPTY_DIR]) && !volume.has_unknown_source();
        let has_limit = |text: &str| {
            let size = Quantity::parse(text).filter(|size| *size > Quantity::ZERO);
            self.tmp_size_limit.as_ref().is_none_or(|most| size.is_some_and(|size| size <= most.quantity()))
        };
        is_empty_dir
            && EmptyDir::of(volume).is_ok_and(|own| own.medium.is_empty() && has_limit(own.size_limit))
    }
}

const ANOTHER_VOLUME: Fix<'_> = Fix::one_of(&["another volume"]);

/// Whether a container mounts our volume as we mount it.
fn is_mounted_as_ours(at: ContainerRef<'_>, mount: &VolumeMount<'_>) -> bool {
    at.kind != ContainerKind::Ephemeral
        && mount.mount_path == "/tmp"
        && mount.sub_path == at.name
        && !mount.has_sub_path_expr
}

/// Whether a container can be given a `/tmp` of its own, or has one: an ephemeral container takes no `subPath`.
fn can_have_tmp(pod: &Pod<'_>, at: ContainerRef<'_>) -> bool {
    at.kind != ContainerKind::Ephemeral
        && at.index < MOST_TMPS
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
    let is_mount = |finding: &Finding<'_>| finding.path.first_fields() == "volumeMounts";
    let (mounts, others): (Vec<_>, Vec<_>) = findings.iter().cloned().partition(is_mount);
    let containers = |findings: &[Finding<'_>]| {
        let names = text::container_names(findings);
        (!names.is_empty()).then(|| text::containers(&names))
    };
    let writable = containers(&others).map(|who| format!("{who} must set {FIELD}=true"));
    let has_volume = !text::volume_names(findings).is_empty();
    let volume = has_volume.then(|| format!("volume \"{TMP_VOLUME}\" must have another name"));
    let mounting = containers(&mounts).map(|who| format!("{who} must not mount volume \"{TMP_VOLUME}\""));
    let parts: Vec<String> = [writable, volume, mounting].into_iter().flatten().collect();
    Violation { reason: "writable root filesystem", detail: parts.join("; ") }
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
            // Another volume of our name is found besides.
            let found = if text.contains("hostPath") { vec![false; 2] } else { vec![is_filled_in] };
            assert_eq!((fixes, count), (found, edits), "{text}");
        }
    }
}
