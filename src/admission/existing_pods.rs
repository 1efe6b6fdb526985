//! The pods that are in a namespace already when the level of its label is raised: who of them would be
//! refused from now on. Nobody is refused for it; whoever changes the label is warned.
//!
//! Pods come in pages, as the API server lists them, and are judged as they come: of each only its name and
//! what it breaks are kept, so that a namespace of any size costs little memory.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use crate::controls::{Standard, go_quoted};
use crate::evaluate::{Text, by_standard};
use crate::json::{Reader, Result, members};
use crate::pod::Pod;

/// Most pods that are judged.
const MOST_PODS: usize = 3000;

/// A look at the pods of a namespace. Ask for its [`namespace`](Self::namespace), give it the pages of the
/// list with [`add`](Self::add), and take its [`warnings`](Self::warnings).
#[derive(Debug)]
pub struct ExistingPods {
    namespace: String,
    level: String,
    standard: Standard,
    exempt_runtime_classes: HashSet<String>,
    /// Those without an owner, and the first of each owner, in the order of the list.
    first: Vec<Judged>,
    /// The further ones of owners that were met.
    further: Vec<Judged>,
    owners: HashSet<String>,
    reasons: HashMap<String, Arc<str>>,
}

/// A pod and the reasons why it would be refused; `None` if it would not.
#[derive(Debug)]
struct Judged {
    name: String,
    reason: Option<Arc<str>>,
}

impl ExistingPods {
    pub(super) fn new(
        namespace: &str,
        level: String,
        standard: &Standard,
        exempt_runtime_classes: &HashSet<String>,
    ) -> Self {
        Self {
            namespace: namespace.to_owned(),
            level,
            standard: standard.clone(),
            exempt_runtime_classes: exempt_runtime_classes.clone(),
            first: Vec::new(),
            further: Vec::new(),
            owners: HashSet::new(),
            reasons: HashMap::new(),
        }
    }

    /// The namespace whose pods are asked for.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.namespace
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
        if self.exempt_runtime_classes.contains(pod.spec.runtime_class_name.as_ref()) {
            return;
        }
        let text = Text::of(&by_standard(&self.standard, pod)).reason;
        let reason = (!text.is_empty())
            .then(|| Arc::clone(self.reasons.entry(text).or_insert_with_key(|text| text.as_str().into())));
        let judged = Judged { name: pod.metadata.name.clone().into_owned(), reason };
        let is_new = |owner: &str| self.owners.insert(owner.to_owned());
        let owner = pod.metadata.owner.as_ref();
        let list = if owner.map(|owner| owner.uid.as_ref()).is_none_or(is_new) {
            &mut self.first
        } else {
            &mut self.further
        };
        list.push(judged);
    }

    /// What whoever changes the label is told when the pods could not be listed.
    #[must_use]
    pub fn not_listed() -> Vec<String> {
        vec!["failed to list pods while checking new PodSecurity enforce level".to_owned()]
    }

    /// What whoever changes the label is told.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
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
                go_quoted(&self.namespace),
                self.level
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
    use super::*;

    fn check() -> ExistingPods {
        let exempt = HashSet::from(["gvisor".to_owned()]);
        let standard = "baseline:v1.30".parse().unwrap();
        ExistingPods::new("team", "baseline:v1.30".to_owned(), &standard, &exempt)
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
        let mut check = check();
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
        let mut check = check();
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
        assert!(check().add(b"{\"items\":[{\"spec\":7}]}").is_err());
        assert!(check().add(b"nonsense").is_err());
        assert_eq!(check().warnings(), [""; 0]);
    }
}
