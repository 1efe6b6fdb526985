//! Exceptions of one policy beside each other: one that adds nothing to another, and two that are partly about the same. Told from
//! how they are written, so that "no" may mean that it cannot be told.

use crate::controls::Control;
use crate::controls::pattern::Pattern;
use crate::finding::Found;
use crate::policy::SecurityPolicy;
use crate::policy::exception::{Condition, ContainerScope, ExceptedValue, Exception, has_parent};
use crate::policy::selector::Selector;

impl SecurityPolicy {
    /// Whether it would refuse a pod for a violation of a control, were it enforced.
    #[must_use]
    pub fn refuses_by(&self, control: &Control) -> bool {
        self.controls().any(|active| active.control == control && active.enforced.deny)
    }
}

impl Exception {
    /// Whether whatever another covers is covered by this one, for every pod and as long as the other holds.
    #[must_use]
    pub fn shadows(&self, other: &Self) -> bool {
        !self.is_granted_by_rbac
            && self.expires >= other.expires
            && (self.has_ephemeral || !other.has_ephemeral)
            && other.controls.iter().all(|control| self.controls.contains(control))
            && every_or_all_of(&self.values, &other.values, ExceptedValue::contains)
            && has_all_containers_of(self.containers.as_ref(), other.containers.as_ref())
            && self.condition.is_implied_by(&other.condition)
    }

    /// Whether some violation may be covered by both. Two that RBAC grants are meant for different service accounts.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        !(self.is_granted_by_rbac && other.is_granted_by_rbac)
            && self.controls.iter().any(|control| other.controls.contains(control))
            && every_or_any_of(&self.values, &other.values, ExceptedValue::meets)
            && have_containers_in_common(self.containers.as_ref(), other.containers.as_ref())
            && self.condition.may_be_true_with(&other.condition)
    }
}

impl ExceptedValue {
    fn contains(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Bool(one), Self::Bool(other)) => one == other,
            (Self::Integers(least, most), Self::Integers(from, to)) => least <= from && to <= most,
            (Self::Text(one), Self::Text(other)) if is_literal(other) => {
                self.is(Found::Text(other.as_str())) || one == other
            }
            (Self::Text(one), Self::Text(other)) => {
                one == other || !has_parent(other.as_str()) && contains(one, other)
            }
            (Self::Bool(_) | Self::Integers(..) | Self::Text(_), _) => false,
        }
    }

    fn meets(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Bool(one), Self::Bool(other)) => one == other,
            (Self::Integers(least, most), Self::Integers(from, to)) => least <= to && from <= most,
            (Self::Text(_), Self::Text(text)) if is_literal(text) => self.is(Found::Text(text.as_str())),
            (Self::Text(text), Self::Text(_)) if is_literal(text) => other.is(Found::Text(text.as_str())),
            (Self::Text(one), Self::Text(other)) => {
                one == other || !has_parent(one.as_str()) && !has_parent(other.as_str()) && meet(one, other)
            }
            (Self::Bool(_) | Self::Integers(..) | Self::Text(_), _) => false,
        }
    }
}

impl Condition {
    fn is_implied_by(&self, other: &Self) -> bool {
        let Self { requests, service_accounts, pods, owner_kinds } = self;
        every_or_all_of(requests, &other.requests, contains)
            && every_or_all_of(service_accounts, &other.service_accounts, String::eq)
            && every_or_all_of(owner_kinds, &other.owner_kinds, String::eq)
            && match (pods, &other.pods) {
                (None, _) => true,
                (Some(pods), Some(of_other)) => of_other.implies(pods),
                (Some(_), None) => false,
            }
    }

    /// A pod may request several resources, so that those never keep two apart.
    fn may_be_true_with(&self, other: &Self) -> bool {
        let Self { requests: _, service_accounts, pods, owner_kinds } = self;
        every_or_any_of(service_accounts, &other.service_accounts, String::eq)
            && every_or_any_of(owner_kinds, &other.owner_kinds, String::eq)
            && pods.iter().zip(&other.pods).all(|(one, other)| !contradict(one, other))
    }
}

/// Whether no pod has the labels of both.
fn contradict(one: &Selector, other: &Selector) -> bool {
    one.match_labels
        .iter()
        .any(|(key, value)| other.match_labels.get(key).is_some_and(|of_other| of_other != value))
}

fn has_all_containers_of(one: Option<&ContainerScope>, other: Option<&ContainerScope>) -> bool {
    match (one, other) {
        (None, _) => true,
        (Some(one), Some(other)) => {
            every_or_all_of(&one.names, &other.names, contains)
                && every_or_all_of(&one.images, &other.images, contains)
        }
        (Some(_), None) => false,
    }
}

fn have_containers_in_common(one: Option<&ContainerScope>, other: Option<&ContainerScope>) -> bool {
    one.zip(other).is_none_or(|(one, other)| {
        every_or_any_of(&one.names, &other.names, meet) && every_or_any_of(&one.images, &other.images, meet)
    })
}

/// Whether one list, of which an empty one stands for everything, has all that another has.
fn every_or_all_of<T>(one: &[T], other: &[T], contains: impl Fn(&T, &T) -> bool) -> bool {
    let has = |wanted: &T| one.iter().any(|item| contains(item, wanted));
    one.is_empty() || !other.is_empty() && other.iter().all(has)
}

/// Whether two lists, of which an empty one stands for everything, have something in common.
fn every_or_any_of<T>(one: &[T], other: &[T], meet: impl Fn(&T, &T) -> bool) -> bool {
    one.is_empty() || other.is_empty() || one.iter().any(|item| other.iter().any(|wanted| meet(item, wanted)))
}

fn is_literal(pattern: &Pattern) -> bool {
    !pattern.as_str().contains('*')
}

/// Whether all that one pattern stands for is what another does: where that other takes the pattern itself as a text, each star of
/// the pattern falls to a star.
fn contains(one: &Pattern, other: &Pattern) -> bool {
    one.matches(other.as_str())
}

/// Whether some text is one that both patterns stand for. Where both have a star, what is between their stars can follow each other.
fn meet(one: &Pattern, other: &Pattern) -> bool {
    let [one_text, other_text] = [one, other].map(Pattern::as_str);
    let (Some((start, _)), Some((other_start, _))) = (one_text.split_once('*'), other_text.split_once('*'))
    else {
        return one.matches(other_text) || other.matches(one_text);
    };
    let end = |text: &str| text.rsplit_once('*').map(|(_, end)| end.to_owned()).unwrap_or_default();
    let (end, other_end) = (end(one_text), end(other_text));
    (start.starts_with(other_start) || other_start.starts_with(start))
        && (end.ends_with(&other_end) || other_end.ends_with(&end))
}

#[cfg(test)]
mod tests {
    use crate::policy::{Policies, read_file};

    /// Two exceptions of a policy as they are written, without what all need.
    fn two(one: &str, other: &str) -> (bool, bool) {
        let mut text = "apiVersion: podgate.dev/v1alpha1\nkind: SecurityPolicy\nmetadata: {name: ml}\nspec:\n  match: {namespaces: [team]}\n  \
                        standard: {enforce: restricted:latest}\n  controls: {hostPaths: {allowed: []}}\n  exceptions:\n"
            .to_owned();
        for (name, given) in [("a", one), ("b", other)] {
            let expires = if given.contains("expires") { "" } else { ", expires: 2027-03-31" };
            text.push_str(&format!("  - {{name: {name}, reason: r, owner: o{expires}, {given}}}\n"));
        }
        let mut policies = Policies::new(Vec::new());
        read_file("p.yaml", &text, &mut policies);
        let policies = policies.finish().unwrap_or_else(|faults| panic!("{faults:?}\n{text}"));
        let [one, other] = policies.security[0].exceptions.as_slice() else { panic!("two exceptions") };
        assert_eq!(one.overlaps(other), other.overlaps(one), "{one:?} {other:?}");
        (one.shadows(other), one.overlaps(other))
    }

    #[test]
    fn what_is_covered_decides_whether_one_shadows_another_or_overlaps_it() {
        let caps = |more: &str| format!("controls: [capabilities_restricted]{more}");
        let user = |values: &str| format!("controls: [runAsUser], values: [{values}]");
        let paths = |values: &str| format!("controls: [hostPaths], values: [{values}]");
        for (one, other, expected) in [
            // What there is of each: whether the first shadows the second, and whether they overlap.
            (caps(""), caps(""), (true, true)),
            (caps(""), caps(", values: [IPC_LOCK]"), (true, true)),
            (caps(", values: [IPC_LOCK]"), caps(""), (false, true)),
            (caps(", values: ['IPC_*']"), caps(", values: [IPC_LOCK]"), (true, true)),
            (caps(", values: ['IPC_*']"), caps(", values: ['IPC_L*', IPC_OWNER]"), (true, true)),
            (caps(", values: ['IPC_L*']"), caps(", values: ['IPC_*']"), (false, true)),
            (caps(", values: ['IPC_*']"), caps(", values: ['*_LOCK']"), (false, true)),
            (caps(", values: ['IPC_*']"), caps(", values: ['SYS_*']"), (false, false)),
            (caps(", values: [IPC_LOCK]"), caps(", values: [SYS_PTRACE]"), (false, false)),
            (caps(""), "controls: [privileged]".to_owned(), (false, false)),
            ("controls: [capabilities_restricted, privileged]".to_owned(), caps(""), (true, true)),
            (caps(""), "controls: [capabilities_restricted, privileged]".to_owned(), (false, true)),
            (user("'1000-2000'"), user("1000, '1500-1600'"), (true, true)),
            (user("'1000-2000'"), user("'2000-3000'"), (false, true)),
            (user("'1000-2000'"), user("5"), (false, false)),
            (paths("'/mnt/*'"), paths("/mnt/a"), (true, true)),
            (paths("'/mnt/*'"), paths("'/mnt/a/*'"), (true, true)),
            (paths("'/mnt/*'"), paths("/mnt/../etc"), (false, false)),
            (paths("/mnt/../etc"), paths("/mnt/../etc"), (true, true)),
            (paths("'/mnt/*'"), paths("'/mnt/../*'"), (false, false)),
        ] {
            assert_eq!(two(&one, &other), expected, "{one} | {other}");
        }
    }

    #[test]
    fn so_do_the_pods_and_the_days_that_it_is_for() {
        let caps = |more: &str| format!("controls: [capabilities_restricted]{more}");
        for (one, other, expected) in [
            (caps(", grantedBy: rbac"), caps(""), (false, true)),
            (caps(""), caps(", grantedBy: rbac"), (true, true)),
            (caps(", grantedBy: rbac"), caps(", grantedBy: rbac"), (false, false)),
            (caps(""), caps(", expires: 2027-04-01"), (false, true)),
            (caps(", expires: 2027-04-01"), caps(""), (true, true)),
            (caps(""), caps(", ephemeralContainers: true"), (false, true)),
            (
                caps(", containers: {names: ['a*']}"),
                caps(", containers: {names: [ab], images: ['x/*']}"),
                (true, true),
            ),
            (caps(", containers: {names: ['a*']}"), caps(""), (false, true)),
            (
                caps(", containers: {images: ['x/*']}"),
                caps(", containers: {images: ['y/*']}"),
                (false, false),
            ),
            (caps(", when: {serviceAccounts: [a, b]}"), caps(", when: {serviceAccounts: [b]}"), (true, true)),
            (caps(", when: {serviceAccounts: [a]}"), caps(", when: {serviceAccounts: [b]}"), (false, false)),
            (caps(", when: {ownerKinds: [Job]}"), caps(", when: {ownerKinds: [ReplicaSet]}"), (false, false)),
            (caps(", when: {requests: ['rdma/*']}"), caps(", when: {requests: [rdma/hca]}"), (true, true)),
            (
                caps(", when: {requests: [nvidia.com/gpu]}"),
                caps(", when: {requests: [rdma/hca]}"),
                (false, true),
            ),
            (
                caps(", when: {podSelector: {matchLabels: {a: b}}}"),
                caps(", when: {podSelector: {matchLabels: {a: b, c: d}}}"),
                (true, true),
            ),
            (
                caps(", when: {podSelector: {matchLabels: {a: b}}}"),
                caps(", when: {podSelector: {matchLabels: {a: c}}}"),
                (false, false),
            ),
        ] {
            assert_eq!(two(&one, &other), expected, "{one} | {other}");
        }
    }
}
