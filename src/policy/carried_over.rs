//! What an update carries over: violations that the pod had before, for which the update is not to be refused.
//!
//! Otherwise an old violation would keep a pod from being labelled, resized or finished once a policy becomes stricter. The
//! standard's controls are left as Kubernetes' own Pod Security Admission has them, which judges the whole pod again. A volume
//! cannot be changed, but mounted by one more container: the mount is what the update adds.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, Hash, Hasher, RandomState};

use crate::controls::{Check, CheckedPod, PodOrigin};
use crate::finding::{Finding, Sink, Subject};
use crate::path::Step;
use crate::pod::Pod;
use crate::policy::new_mounts::NewMounts;

/// Reports what a check finds in a pod and has not found in it before an update. A pod that passes is not compared. Of a volume
/// that was there before, the mounts are reported that are new.
pub(super) fn report_new<'p>(check: &'p dyn Check, checked: CheckedPod<'p>, sink: &mut Sink<'_, 'p>) {
    let Some(old) = checked.origin.old.filter(|_| !check.compares_with_old()) else {
        return check.check(checked, sink);
    };
    let mut before: Option<Before> = None;
    let mut mounts: Option<NewMounts<'p>> = None;
    check.check(checked, &mut |finding| {
        let before = before.get_or_insert_with(|| Before::of(check, old, checked.origin));
        if !before.take(&finding) {
            sink(finding);
        } else if let Subject::Volume(_, name) = finding.subject {
            mounts.get_or_insert_with(|| NewMounts::of(checked.pod, old)).report(name, &finding, sink);
        }
    });
}

/// What a check has found in the pod as it was: how often each, by a hash of 64 bits with a key that nobody knows. The
/// findings themselves would take many times the memory of the pod.
struct Before {
    key: RandomState,
    counts: HashMap<u64, u32>,
}

impl Before {
    fn of<'p>(check: &'p dyn Check, old: &'p Pod<'p>, origin: PodOrigin<'p>) -> Self {
        let mut before = Self { key: RandomState::new(), counts: HashMap::new() };
        let checked = CheckedPod { pod: old, origin: PodOrigin { old: None, ..origin } };
        check.check(checked, &mut |finding| {
            *before.counts.entry(before.key.hash_one(Violation(&finding))).or_default() += 1;
        });
        before
    }

    /// Whether a finding is one of them that was not taken before. So one more of the same, as a second container that adds
    /// what another one added already, is a new violation.
    fn take(&mut self, finding: &Finding<'_>) -> bool {
        match self.counts.get_mut(&self.key.hash_one(Violation(finding))) {
            Some(count @ 1..) => {
                *count -= 1;
                true
            }
            Some(0) | None => false,
        }
    }
}

/// What makes two findings of a control the same violation: the part of the pod by its name, the field, and what it holds.
/// Places in lists do not: an update may add to a list, or take from it.
struct Violation<'f, 'p>(&'f Finding<'p>);

impl Hash for Violation<'_, '_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Finding { subject, path, found, .. } = self.0;
        match subject {
            Subject::Pod => state.write_u8(0),
            Subject::Metadata => state.write_u8(1),
            Subject::Volume(_, name) => (2u8, name).hash(state),
            Subject::Container(at) => (3u8, at.kind, at.name).hash(state),
            Subject::Namespace(name) => (4u8, name).hash(state),
        }
        for step in path.steps() {
            match step {
                Step::Key(key) => key.hash(state),
                Step::Index(_) => state.write_u8(4),
            }
        }
        found.hash(state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::{FieldPath, Fix, Found};
    use crate::json::Reader;

    /// Finds each label, and the image of each container that is not `good`.
    #[derive(Debug)]
    struct LabelsAndImages;

    impl Check for LabelsAndImages {
        fn check<'p>(&'p self, CheckedPod { pod, .. }: CheckedPod<'p>, sink: &mut Sink<'_, 'p>) {
            for (key, value) in pod.metadata.labels.iter().flatten() {
                let path = FieldPath::from("labels").key(key);
                sink(Finding::new(Subject::Metadata, path, Found::Text(value), Fix::remove()));
            }
            for (at, container) in pod.containers().filter(|(_, container)| container.image != "good") {
                sink(Finding::new(
                    Subject::Container(at),
                    "image",
                    Found::Text(&container.image),
                    Fix::remove(),
                ));
            }
        }
    }

    fn new_findings(old: &str, new: &str) -> Vec<String> {
        let read = |text| Pod::read(&mut Reader::over(text)).expect("a pod");
        let (old, new) = (read(old), read(new));
        let origin = PodOrigin { old: Some(&old), ..PodOrigin::default() };
        let mut found = Vec::new();
        let mut sink = |finding: Finding<'_>| found.push(finding.whole_path().to_string());
        report_new(&LabelsAndImages, CheckedPod { pod: &new, origin }, &mut sink);
        found
    }

    #[test]
    fn what_was_there_before_is_no_finding() {
        let pod = |labels: &str, containers: &str| {
            format!(r#"{{"metadata":{{"labels":{{{labels}}}}},"spec":{{"containers":[{containers}]}}}}"#)
        };
        let (a, b) = (r#"{"name":"a","image":"x"}"#, r#"{"name":"b","image":"x"}"#);
        let old = pod(r#""k":"v""#, a);
        for (new, expected) in [
            (old.clone(), &[][..]),
            (pod("", ""), &[]),
            (pod(r#""l":"w","k":"v""#, a), &["metadata.labels.l"]),
            (pod(r#""k":"w""#, a), &["metadata.labels.k"]),
            (pod("", &format!("{b},{a}")), &["spec.containers[0].image"]),
            (pod("", &format!("{a},{a}")), &["spec.containers[1].image"]),
            (pod("", &a.replace('x', "y")), &["spec.containers[0].image"]),
        ] {
            assert_eq!(new_findings(&old, &new), expected, "{new}");
        }
    }
}
