//! `hostPaths` (extended): only the directories of the node that the policy lists, read-only where it says so.

use std::collections::{BTreeSet, HashSet};

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use crate::controls::{
    Cel, Check, CheckedPod, Control, Doc, FoundValue, Origin, ParameterError, Parameters, Violation, text,
};
use crate::finding::{FieldPath, Finding, Fix, Found, Sink, Subject, Value};
use crate::pod::{Changes, Pod, Volume, VolumeSource};

pub(super) static CONTROL: Control = Control {
    id: "hostPaths",
    number: 21,
    values: &[FoundValue::Text, FoundValue::Bool(false)],
    origin: Origin::Extended {
        parameters: Parameters::of::<HostPaths>(),
        // The volumes of a pod are immutable, but a new ephemeral container can mount one of them.
        depends_on: Changes::EPHEMERAL_CONTAINERS,
    },
    violation,
    doc: Doc {
        title: "HostPath prefixes",
        rule: "A `hostPath` volume must be below a directory that the policy lists, and every mount of it must be \
               read-only where the policy says so, in containers of all kinds and also of a part of it (`subPath`). Below a \
               mount that is read-only, what the node has mounted there stays writable, unless the policy demands \
               `recursiveReadOnly: Enabled`. Whole directory names are compared: `/mnt/data` does not allow \
               `/mnt/database`. If several directories cover a path, the longest one counts; so one that is for reading only \
               must not be in one that may be mounted for writing, which would bring it along. A path with `..` is never \
               allowed. Symbolic links on the node are not followed. With `asWritten: true` paths are compared letter by letter, but for \
               a slash at the end: `//mnt/data` is not below `/mnt`, as a PodSecurityPolicy had it. A new ephemeral container \
               must not mount a volume that is not allowed, even if the pod had it before.",
        history: "Enabled where a policy sets `controls.hostPaths`. The baseline and restricted levels allow no \
                  `hostPath` at all, unless `standard.except` relaxes `hostPathVolumes` and `restrictedVolumes`.",
        fields: &[
            "spec.volumes[*].hostPath",
            "spec.{containers,initContainers,ephemeralContainers}[*].volumeMounts",
        ],
        fix: "Use a directory that the policy lists, and set `readOnly: true` on its mounts where the policy \
              requires it; or use a `persistentVolumeClaim`.",
        example: "volumes:\n- name: datasets\n  hostPath:\n    path: /mnt/datasets/imagenet\n",
        cel: Cel::Whole,
    },
};

/// The parameters of `controls.hostPaths`.
#[derive(Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct HostPaths {
    /// The directories of the node that may be mounted, including everything below them; empty for none.
    allowed: Vec<AllowedPath>,
    /// Whether paths are compared as they are written: else `//mnt` and `/./mnt` are `/mnt`.
    #[serde(default)]
    as_written: bool,
}

/// A directory of the node.
#[derive(Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct AllowedPath {
    /// Its path: `/mnt/datasets`.
    #[schemars(length(min = 1))]
    prefix: String,
    /// Whether every mount of it has to be read-only.
    #[serde(default)]
    read_only: bool,
    /// Whether what is mounted below it on the node has to be read-only, too: `recursiveReadOnly: Enabled` on every mount.
    #[serde(default)]
    recursive_read_only: bool,
}

impl Check for HostPaths {
    fn check<'p>(&'p self, CheckedPod { pod, .. }: CheckedPod<'p>, sink: &mut Sink<'_, 'p>) {
        let mut read_only = ReadOnlyVolumes::new();
        for (index, volume) in pod.spec.volumes.iter().enumerate() {
            if !volume.has(VolumeSource::HOST_PATH) {
                continue;
            }
            match self.allowed_path(&volume.host_path) {
                None => sink(not_allowed(index, volume)),
                Some(allowed) if allowed.read_only => {
                    read_only.push((volume.name.as_ref(), allowed.recursive_read_only));
                }
                Some(_) => {}
            }
        }
        if !read_only.is_empty() {
            read_only.sort_unstable();
            find_writable_mounts(pod, &read_only, sink);
        }
    }

    fn faults(&self) -> Vec<ParameterError> {
        let mut known = HashSet::new();
        let mut faults = Vec::new();
        for (index, AllowedPath { prefix, read_only, recursive_read_only }) in self.allowed.iter().enumerate()
        {
            if *recursive_read_only && !read_only {
                let path = FieldPath::from("allowed").index(index).fields("recursiveReadOnly");
                faults.push(ParameterError::at(path, "needs readOnly: true beside it"));
            }
            let is_new = known.insert(components(prefix).collect::<Vec<_>>());
            let laxer = self.laxer_around(index);
            let fault = match prefix.as_str() {
                prefix if !prefix.starts_with('/') || components(prefix).any(|name| name == "..") => {
                    "must be the absolute path of a directory, without .."
                }
                prefix if prefix.contains(['*', '?']) || prefix.chars().any(char::is_control) => {
                    "is no pattern: /mnt covers everything below it"
                }
                _ if !is_new => "this directory is listed twice: keep one of the two",
                _ => match laxer {
                    Some(laxer) => &laxer.includes(prefix),
                    None => continue,
                },
            };
            let path = FieldPath::from("allowed").index(index).fields("prefix");
            faults.push(ParameterError::at(path, fault));
        }
        faults
    }
}

impl HostPaths {
    /// A directory around this one that may be mounted in more ways: whoever mounts that one gets this one with it.
    fn laxer_around(&self, index: usize) -> Option<&AllowedPath> {
        let inner = self.allowed.get(index)?;
        let is_laxer = |outer: &&AllowedPath| outer.strictness() < inner.strictness();
        self.allowed.iter().filter(is_laxer).find(|outer| self.is_covered(&inner.prefix, outer))
    }

    fn is_covered(&self, path: &str, allowed: &AllowedPath) -> bool {
        allowed.covers(path) && (!self.as_written || is_below_as_written(path, &allowed.prefix))
    }

    /// The narrowest prefix that covers a path.
    fn allowed_path(&self, path: &str) -> Option<&AllowedPath> {
        let covering = self.allowed.iter().filter(|allowed| self.is_covered(path, allowed));
        covering.max_by_key(|allowed| (components(&allowed.prefix).count(), allowed.read_only))
    }
}

impl AllowedPath {
    /// What a mount of it has to satisfy: more than of one with a smaller number.
    fn strictness(&self) -> (bool, bool) {
        (self.read_only, self.recursive_read_only)
    }

    /// What is wrong with a directory of stricter terms in it.
    fn includes(&self, inner: &str) -> String {
        let Self { prefix, read_only, .. } = self;
        let (how, field) = if *read_only {
            ("less strictly", "recursiveReadOnly: true")
        } else {
            ("for writing", "readOnly: true")
        };
        format!(
            "is in {prefix}, which may be mounted {how}, and {inner} with it: give {prefix} {field} as well, and list the \
             directories in it that may be mounted {how}"
        )
    }

    fn covers(&self, path: &str) -> bool {
        let mut below = components(path);
        path.starts_with('/')
            && components(path).all(|name| name != "..")
            && components(&self.prefix).all(|name| below.next() == Some(name))
    }
}

/// Whether a path begins with a directory, letter by letter. One slash at the end of either counts for nothing.
fn is_below_as_written(path: &str, directory: &str) -> bool {
    let without_slash = |text: &'_ str| text.strip_suffix('/').map_or(text.len(), str::len);
    let (path, directory) = (path.get(..without_slash(path)), directory.get(..without_slash(directory)));
    let rest = path.zip(directory).and_then(|(path, directory)| path.strip_prefix(directory));
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The names that a path consists of. Empty names and dots between slashes do not change the path.
fn components(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(|name| !matches!(*name, "" | "."))
}

/// What a mount says below which nothing is writable.
const RECURSIVE: &str = "Enabled";

fn not_allowed<'p>(index: usize, volume: &'p Volume<'_>) -> Finding<'p> {
    let subject = Subject::Volume(index, &volume.name);
    let found = if volume.host_path.is_empty() { Found::Absent } else { Found::Text(&volume.host_path) };
    Finding::new(subject, "hostPath", found, Fix::one_of(&["persistentVolumeClaim"]))
        .help("or a directory that the policy lists")
}

/// The names of volumes whose mounts must be read-only, in order, each with whether that goes for what is mounted below, too.
/// Those of a usual pod cost no allocation.
type ReadOnlyVolumes<'p> = SmallVec<[(&'p str, bool); 8]>;

/// Whether the mounts of a volume of this name must be read-only and, if so, all the way down. Of volumes with one name, which
/// the API server refuses, the strictest counts.
fn strictest(read_only: &[(&str, bool)], name: &str) -> Option<bool> {
    let end = read_only.partition_point(|(known, _)| *known <= name);
    let (known, is_recursive) = read_only.get(end.checked_sub(1)?)?;
    (*known == name).then_some(*is_recursive)
}

fn find_writable_mounts<'p>(pod: &'p Pod<'p>, read_only: &[(&str, bool)], sink: &mut Sink<'_, 'p>) {
    for (at, container) in pod.containers() {
        let subject = Subject::Container(at);
        let read = container.volume_mounts.for_each(|index, mount| {
            let Some(is_recursive) = strictest(read_only, &mount.name) else { return };
            let path = |field| FieldPath::from("volumeMounts").index(index).fields(field);
            if mount.is_read_only != Some(true) {
                let found = mount.is_read_only.map_or(Found::Absent, Found::Bool);
                sink(Finding::new(subject, path("readOnly"), found, Fix::set(Value::Bool(true))));
            }
            let found = match mount.recursive_read_only.as_ref() {
                RECURSIVE => return,
                "" => Found::Absent,
                "Disabled" => Found::Text("Disabled"),
                "IfPossible" => Found::Text("IfPossible"),
                _ => Found::UNREADABLE,
            };
            if is_recursive {
                let fix = Fix::set(Value::Text(RECURSIVE));
                sink(Finding::new(subject, path("recursiveReadOnly"), found, fix));
            }
        });
        if read.is_err() {
            let fix = Fix::one_of(&["a list of mounts as Kubernetes reads it"]);
            sink(Finding::new(subject, "volumeMounts", Found::UNREADABLE, fix));
        }
    }
}

fn violation(findings: &[Finding<'_>]) -> Violation {
    let volumes = text::volume_names(findings);
    let containers = text::container_names(findings);
    let mut parts = Vec::new();
    if !volumes.is_empty() {
        let paths =
            findings.iter().map(|finding| finding.found).filter(|found| matches!(found, Found::Text(_)));
        let paths: BTreeSet<String> = paths.map(|found| found.to_string()).collect();
        let plural = text::plural("volume", volumes.len());
        let paths = text::quoted(paths.iter().map(String::as_str));
        parts.push(format!("{plural} {} must not use {paths}", text::quoted(volumes)));
    }
    if !containers.is_empty() {
        parts.push(format!("{} must mount hostPath volumes read-only", text::containers(&containers)));
    }
    Violation { reason: "hostPath not allowed", detail: parts.join("; ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Reader;

    #[test]
    fn mounts_that_cannot_be_read_are_not_passed_over() {
        let text = r#"{"spec":{"volumes":[{"name":"v","hostPath":{"path":"/data"}}],
            "containers":[{"name":"c","volumeMounts":{"name":"v"}}]}}"#;
        let pod = Pod::read(&mut Reader::over(text)).expect("a pod");
        let allowed =
            vec![AllowedPath { prefix: "/data".to_owned(), read_only: true, recursive_read_only: false }];
        let mut found = Vec::new();
        HostPaths { allowed, as_written: false }
            .check(CheckedPod::new(&pod), &mut |finding| found.push(finding.whole_path().to_string()));
        assert_eq!(found, ["spec.containers[0].volumeMounts"]);
    }

    #[test]
    fn what_is_compared_as_written_is_narrower() {
        for (path, directory, is_below) in [
            ("/data", "/data", true),
            ("/data/", "/data", true),
            ("/data", "/data/", true),
            ("/data/a", "/data", true),
            ("/data//a", "/data", true),
            ("/database", "/data", false),
            ("//data", "/data", false),
            ("/./data", "/data", false),
            ("/data/a", "/data//", false),
            ("/data//a", "/data//", true),
            ("/a", "/", true),
            ("a", "/", false),
        ] {
            assert_eq!(is_below_as_written(path, directory), is_below, "{path} {directory}");
        }
        let allowed =
            vec![AllowedPath { prefix: "/data".to_owned(), read_only: false, recursive_read_only: false }];
        let control = HostPaths { allowed, as_written: true };
        for (path, is_allowed) in [("/data/a", true), ("//data/a", false), ("/data/../etc", false)] {
            assert_eq!(control.allowed_path(path).is_some(), is_allowed, "{path}");
        }
    }

    #[test]
    fn prefixes_are_whole_directories() {
        let allowed =
            AllowedPath { prefix: "/mnt/data".to_owned(), read_only: false, recursive_read_only: false };
        for path in ["/mnt/data", "/mnt/data/", "/mnt/data/a", "/mnt//data/./a"] {
            assert!(allowed.covers(path), "{path}");
        }
        for path in ["", "/", "/mnt", "/mnt/database", "/mnt/data/../../etc", "mnt/data", "/mnt/data/.."] {
            assert!(!allowed.covers(path), "{path}");
        }
        assert!(
            AllowedPath { prefix: "/".to_owned(), read_only: false, recursive_read_only: false }
                .covers("/etc")
        );
    }
}
