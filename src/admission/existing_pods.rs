//! The pods that are in a namespace already when its level is raised: which of them would be refused from now on.
//! The change is not refused for it; whoever makes it is warned.
//!
//! Pods come in pages, as the API server lists them, and are judged as they come: of each only its name and
//! its violations are kept, so that a namespace of any size costs little memory.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use crate::controls::{Standard, go_quoted};
use crate::evaluate::{StandardText, by_standard};
use crate::json::{Reader, Result, members};
use crate::pod::Pod;
use crate::policy::{LookupAnswer, PodsQuery};

/// Most pods that are judged.
const MOST_PODS: usize = 3000;

/// The pods of a namespace, judged as they are listed: give it the pages of the list with [`add`](Self::add), and take
/// the [`answer`](Self::answer).
#[derive(Debug)]
pub struct ExistingPods<'q> {
    query: &'q PodsQuery,
    standard: Standard,
    /// Those without an owner, and the first of each owner, in the order of the list.
    first: Vec<ExistingPod>,
    /// The further ones of owners that were met.
    further: Vec<ExistingPod>,
    owners: HashSet<String>,
    reasons: HashMap<String, Arc<str>>,
}

/// A pod and the reasons why it would be refused; `None` if it would not.
#[derive(Debug)]
struct ExistingPod {
    name: String,
    reason: Option<Arc<str>>,
}

impl<'q> ExistingPods<'q> {
    /// No pod yet.
    #[must_use]
    pub fn new(query: &'q PodsQuery) -> Self {
        Self {
            query,
            standard: Standard::new(query.level.level, query.level.version),
            first: Vec::new(),
            further: Vec::new(),
            owners: HashSet::new(),
            reasons: HashMap::new(),
        }
    }

    /// Judges a page of the list: a PodList as the API server writes it.
    ///
    /// # Errors
    /// When it is none.
    pub fn add(&mut self, page: &[u8]) -> Result<()> {
        let mut reader = Reader::new(page)?;
        members!(reader, {
            "items" => reader.array(|reader, _| {
                let pod = reader.apart(Pod::read)?;
                self.judge(&pod);
                Ok(())
            })?,
        })?;
        reader.end()
    }

    fn judge(&mut self, pod: &Pod<'_>) {
        if self.query.exempt_runtime_classes.contains(pod.spec.runtime_class_name.as_ref()) {
            return;
        }
        let text = StandardText::of(&by_standard(&self.standard, pod)).reason;
        let reason = (!text.is_empty())
            .then(|| Arc::clone(self.reasons.entry(text).or_insert_with_key(|text| text.as_str().into())));
        let judged = ExistingPod { name: pod.metadata.name.clone().into_owned(), reason };
        let is_new = |owner: &str| self.owners.insert(owner.to_owned());
        let owner = pod.metadata.owner.as_ref();
        let list = if owner.map(|owner| owner.uid.as_ref()).is_none_or(is_new) {
            &mut self.first
        } else {
            &mut self.further
        };
        list.push(judged);
    }

    /// The warning when the pods could not be listed.
    pub(super) fn not_listed() -> Vec<String> {
        vec!["failed to list pods while checking new PodSecurity enforce level".to_owned()]
    }

    /// The answer, once the whole list was added.
    #[must_use]
    pub fn answer(&self) -> LookupAnswer {
        LookupAnswer::PodsIn(self.warnings())
    }

    /// The warnings for the user who changes the label.
    fn warnings(&self) -> Vec<String> {
        let total = self.first.len() + self.further.len();
        let checked = total.min(MOST_PODS);
        let mut groups: BTreeMap<&str, (&str, usize)> = BTreeMap::new();
        for pod in self.first.iter().chain(&self.further).take(checked) {
            let Some(reason) = &pod.reason else { continue };
            let (name, count) = groups.entry(reason).or_insert((&pod.name, 0));
            *name = (*name).min(pod.name.as_str());
            *count += 1;
        }
        let mut warnings = Vec::new();
        if checked < total {
            warnings.push(format!(
                "new PodSecurity enforce level only checked against the first {checked} of {total} existing pods"
            ));
        }
        if !groups.is_empty() {
            warnings.push(format!(
                "existing pods in namespace {} violate the new PodSecurity enforce level \"{}\"",
                go_quoted(&self.query.namespace),
                self.query.level
            ));
        }
        let mut of_groups: Vec<String> =
            groups.iter().map(|(reason, group)| warning(reason, *group)).collect();
        of_groups.sort();
        warnings.extend(of_groups);
        warnings
    }
}

/// `train (and 2 other pods): privileged`
fn warning(reason: &str, (name, count): (&str, usize)) -> String {
    match count {
        1 => format!("{name}: {reason}"),
        2 => format!("{name} (and 1 other pod): {reason}"),
        _ => format!("{name} (and {} other pods): {reason}", count - 1),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use crate::controls::{Level, Version};
    use crate::policy::LevelVersion;

    use super::*;

    fn query() -> PodsQuery {
        let level = LevelVersion { level: Level::Baseline, version: Version::Minor(30) };
        let exempt_runtime_classes = BTreeSet::from(["gvisor".to_owned()]);
        PodsQuery { namespace: "team".to_owned(), level, exempt_runtime_classes }
    }

    fn pod(name: &str, owner: &str, spec: &str) -> String {
        let owners = match owner {
            "" => String::new(),
            uid => format!(r#","ownerReferences":[{{"uid":"no"}},{{"uid":"{uid}","controller":true}}]"#),
        };
        format!(r#"{{"metadata":{{"name":"{name}"{owners}}},"spec":{{{spec}}}}}"#)
    }

    fn page(pods: &[String]) -> Vec<u8> {
        format!(r#"{{"kind":"PodList","items":[{}]}}"#, pods.join(",")).into_bytes()
    }

    #[test]
    fn pods_are_grouped_by_what_they_break() {
        let query = query();
        let mut check = ExistingPods::new(&query);
        let host = r#""hostNetwork":true"#;
        let pods = [
            pod("b", "", host),
            pod("a", "x", host),
            pod("fine", "", ""),
            pod("p", "", r#""containers":[{"name":"c","securityContext":{"privileged":true}}]"#),
        ];
        check.add(&page(&pods[..2])).unwrap();
        check.add(&page(&pods[2..])).unwrap();
        check.add(&page(&[pod("exempt", "", r#""hostNetwork":true,"runtimeClassName":"gvisor""#)])).unwrap();
        assert_eq!(
            check.warnings(),
            [
                "existing pods in namespace \"team\" violate the new PodSecurity enforce level \"baseline:v1.30\"",
                "a (and 1 other pod): host namespaces",
                "p: privileged",
            ]
        );
    }

    #[test]
    fn the_first_pods_of_each_owner_come_first() {
        let query = query();
        let mut check = ExistingPods::new(&query);
        let replicas: Vec<String> = (0..MOST_PODS).map(|n| pod(&format!("r{n}"), "x", "")).collect();
        check.add(&page(&replicas)).unwrap();
        check.add(&page(&[pod("z", "y", r#""hostPID":true"#), pod("alone", "", "")])).unwrap();
        assert_eq!(
            check.warnings(),
            [
                "new PodSecurity enforce level only checked against the first 3000 of 3002 existing pods",
                "existing pods in namespace \"team\" violate the new PodSecurity enforce level \"baseline:v1.30\"",
                "z: host namespaces",
            ]
        );
    }

    #[test]
    fn a_list_that_cannot_be_read_is_an_error() {
        let query = query();
        assert!(ExistingPods::new(&query).add(b"{\"items\":[{\"spec\":7}]}").is_err());
        assert!(ExistingPods::new(&query).add(b"nonsense").is_err());
        assert_eq!(ExistingPods::new(&query).warnings(), [""; 0]);
    }
}
