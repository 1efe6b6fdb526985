//! A review among more and more of what does not concern it.

use podgate::admission::Reviewer;
use podgate::policy::{BUILT_IN, Policies, Snapshot, read_file};

use crate::Result;
use crate::crowd::{self, SHIPPED};

/// The policies that share exceptions or exemptions.
const LAX: usize = 100;

/// Reviewers by the built-in policy, and what each has beside it.
pub(crate) fn reviewers() -> Result<Vec<(String, Reviewer)>> {
    let mut reviewers = Vec::new();
    let mut add = |name: String, own: &str, others: Vec<String>, namespaces| -> Result<()> {
        reviewers.push((format!("growth/{name}"), reviewer(own, &others, namespaces)?));
        Ok(())
    };
    for count in [1, 1000] {
        let others = SHIPPED.iter().cycle().zip(0..count);
        let others = others.map(|(shipped, index)| crowd::policy(*shipped, index)).collect();
        add(format!("policies/{count}"), BUILT_IN, others, 10)?;
    }
    for count in [10, 10_000] {
        add(format!("namespaces/{count}"), BUILT_IN, Vec::new(), count)?;
    }
    for count in [0, 10_000] {
        let lax = |key: &str, items: fn(usize, usize) -> String| {
            (0..LAX).map(|index| policy_with(key, &items(count / LAX, index), index)).collect()
        };
        add(format!("exceptions/{count}"), BUILT_IN, lax("exceptions", exceptions), 10)?;
        add(format!("exemptions/{count}"), BUILT_IN, lax("exemptions", exemptions), 10)?;
    }
    // Of the policy that holds: the user of the review is none of these.
    for count in [1, 10_000] {
        let own = BUILT_IN.replace("exceptions: []", &format!("exemptions: [{}]", exemptions(count, 0)));
        add(format!("own-exemptions/{count}"), &own, Vec::new(), 10)?;
    }
    Ok(reviewers)
}

/// A reviewer that knows the namespace of the payloads, and so many others.
fn reviewer(own: &str, others: &[String], namespaces: usize) -> Result<Reviewer> {
    let mut policies = Policies::new(vec!["podgate-system".into()]);
    read_file("its own", own, &mut policies);
    for other in others {
        read_file("another", other, &mut policies);
    }
    let mut snapshot = Snapshot::default();
    snapshot.insert("ml-team-a", crowd::labels(0));
    (0..namespaces).for_each(|index| snapshot.insert(&crowd::namespace(index), crowd::labels(index)));
    let policies = policies.finish().map_err(|faults| format!("{faults:?}"))?;
    Ok(Reviewer::new(policies, snapshot))
}

/// A policy for namespaces of its own, with these `exceptions` or `exemptions`.
fn policy_with(key: &str, items: &str, index: usize) -> String {
    format!(
        "{{apiVersion: podgate.dev/v1alpha1, kind: SecurityPolicy, metadata: {{name: lax-{index}}}, spec: {{match: {{\
         namespaceSelector: {{matchLabels: {{team: lax-{index}}}}}}}, standard: {{enforce: restricted}}, {key}: [{items}]}}}}"
    )
}

/// So many exceptions of a policy of this number.
fn exceptions(count: usize, index: usize) -> String {
    let one = |at: usize| {
        format!(
            "{{name: memlock-{index}-{at}, controls: [capabilities_restricted], containers: {{images: \
             [\"registry.example.com/nccl-{at}*\"]}}, values: [IPC_LOCK], reason: pinned memory, owner: ml-platform, \
             expires: 2999-12-31}}"
        )
    };
    (0..count).map(one).collect::<Vec<_>>().join(", ")
}

/// An exemption of so many users, if there are any.
fn exemptions(count: usize, index: usize) -> String {
    let users: Vec<String> = (0..count).map(|at| format!("builder-{index}-{at}@example.com")).collect();
    if users.is_empty() {
        return String::new();
    }
    format!("{{users: [{}], reason: builds base images, owner: ml-platform}}", users.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_there() {
        let reviewers = reviewers().unwrap();
        let of = |name: &str| reviewers.iter().find(|(known, _)| known == name).unwrap().1.policies();
        let exceptions = of("growth/exceptions/10000").security.iter().map(|policy| policy.exceptions.len());
        assert_eq!((exceptions.sum::<usize>(), of("growth/exceptions/0").security.len()), (10_000, 1 + LAX));
        let exempt =
            |name: &str| of(name).security.iter().filter(|policy| !policy.exemptions.is_empty()).count();
        assert_eq!((exempt("growth/exemptions/10000"), exempt("growth/exemptions/0")), (LAX, 0));
        assert_eq!((exempt("growth/own-exemptions/1"), exempt("growth/own-exemptions/10000")), (1, 1));
        assert!(
            of("growth/own-exemptions/10000").security[0].exemptions.has_user("builder-0-9999@example.com")
        );
        assert_eq!(
            of("growth/policies/1000").security.len() + of("growth/policies/1000").identity.len(),
            1001
        );
    }
}
