//! Volumes that a pod had before an update and that a new ephemeral container mounts: the volume is let be, the mount is new.

use std::borrow::Cow;

use crate::controls::NEW_MOUNT;
use crate::finding::{FieldPath, Finding, Fix, Sink, Subject};
use crate::pod::{Container, ContainerKind, ContainerRef, Pod};

/// Most mounts of a volume that are told for each of its violations: the next ones are told when these are gone.
const MOST_TOLD: usize = 16;

/// The mounts that an update brings, in the order of the names of their volumes.
pub(super) struct NewMounts<'p> {
    mounts: Vec<(Cow<'p, str>, ContainerRef<'p>, usize)>,
    /// The containers whose mounts cannot be read, so that any volume may be among them.
    unreadable: Vec<ContainerRef<'p>>,
}

impl<'p> NewMounts<'p> {
    /// Those of ephemeral containers that the pod did not have before. Of no other container the mounts can change.
    pub(super) fn of(pod: &'p Pod<'p>, old: &Pod<'_>) -> Self {
        let mut new = Self { mounts: Vec::new(), unreadable: Vec::new() };
        let mut before: Vec<_> =
            later(old).map(|(at, container)| (at.name, container.volume_mounts.text())).collect();
        before.sort_unstable();
        for (at, container) in later(pod) {
            if before.binary_search(&(at.name, container.volume_mounts.text())).is_ok() {
                continue;
            }
            let read = container.volume_mounts.for_each(|index, mount| {
                new.mounts.push((mount.name, at, index));
            });
            if read.is_err() {
                new.unreadable.push(at);
            }
        }
        // The sort is stable: the mounts of one volume stay in the order of the walk.
        new.mounts.sort_by(|(one, ..), (other, ..)| one.cmp(other));
        new
    }

    /// Reports the new mounts of the volume that a violation is about, which was there before.
    pub(super) fn report(&self, volume: &str, violation: &Finding<'p>, sink: &mut Sink<'_, 'p>) {
        let start = self.mounts.partition_point(|(name, ..)| name.as_ref() < volume);
        let mounts = self.mounts.iter().skip(start).take_while(|(name, ..)| name == volume);
        let paths = mounts.map(|(_, at, index)| (at, FieldPath::from(MOUNTS).index(*index)));
        let unreadable = self.unreadable.iter().map(|at| (at, FieldPath::from(MOUNTS)));
        for (at, path) in paths.chain(unreadable).take(MOST_TOLD) {
            let finding = Finding::new(Subject::Container(*at), path, violation.found, Fix::remove());
            sink(finding.help(NEW_MOUNT));
        }
    }
}

const MOUNTS: &str = "volumeMounts";

/// The containers that come to a pod later.
fn later<'p, 'a>(pod: &'p Pod<'a>) -> impl Iterator<Item = (ContainerRef<'p>, &'p Container<'a>)> {
    pod.containers().filter(|(at, _)| at.kind == ContainerKind::Ephemeral)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Found;
    use crate::json::Reader;

    fn told(old: &str, new: &str) -> Vec<String> {
        let pod = |containers: &str| format!(r#"{{"spec":{{"ephemeralContainers":[{containers}]}}}}"#);
        let (old, new) = (pod(old), pod(new));
        let read = |text| Pod::read(&mut Reader::over(text)).expect("a pod");
        let (old, new) = (read(&old), read(&new));
        let violation = Finding::new(Subject::Volume(0, "v"), "hostPath", Found::Text("/etc"), Fix::remove());
        let mut paths = Vec::new();
        NewMounts::of(&new, &old).report("v", &violation, &mut |finding| {
            assert_eq!((finding.found, finding.help), (Found::Text("/etc"), NEW_MOUNT));
            paths.push(finding.whole_path().to_string());
        });
        paths
    }

    #[test]
    fn only_what_is_new_is_told() {
        let debug = |name: &str, mounts: &str| format!(r#"{{"name":"{name}","volumeMounts":{mounts}}}"#);
        let (none, of_v) = (debug("a", "[]"), debug("a", r#"[{"name":"w"},{"name":"v"}]"#));
        let first = "spec.ephemeralContainers[0].volumeMounts[1]";
        for (old, new, expected) in [
            ("", none.clone(), &[][..]),
            ("", of_v.clone(), &[first]),
            (&of_v, of_v.clone(), &[]),
            (&none, of_v.clone(), &[first]),
            (&of_v, format!("{of_v},{}", debug("b", r#"[{"name":"w"}]"#)), &[]),
            (
                &of_v,
                format!("{of_v},{}", debug("b", r#"[{"name":"v"}]"#)),
                &["spec.ephemeralContainers[1].volumeMounts[0]"],
            ),
            ("", debug("a", r#"{"name":"v"}"#), &["spec.ephemeralContainers[0].volumeMounts"]),
        ] {
            assert_eq!(told(old, &new), expected, "{new}");
        }
        let many = format!("[{}]", vec![r#"{"name":"v"}"#; 40].join(","));
        assert_eq!(told("", &debug("a", &many)).len(), MOST_TOLD);
    }
}
