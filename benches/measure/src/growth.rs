//! A review among more and more of what does not concern it.

use podgate::admission::Reviewer;
use podgate::policy::{BUILT_IN, Policies, Snapshot, read_file};

use crate::Result;
use crate::crowd::{self, SHIPPED};

/// Reviewers by the built-in policy, and what each has beside it.
pub(crate) fn reviewers() -> Result<Vec<(String, Reviewer)>> {
    let mut reviewers = Vec::new();
    for count in [1, 1000] {
        let others =
            SHIPPED.iter().cycle().zip(0..count).map(|(shipped, index)| crowd::policy(*shipped, index));
        reviewers.push((format!("growth/policies/{count}"), reviewer(others, 10)?));
    }
    for count in [10, 10_000] {
        reviewers.push((format!("growth/namespaces/{count}"), reviewer([].into_iter(), count)?));
    }
    Ok(reviewers)
}

/// A reviewer that knows the namespace of the payloads, and so many others.
fn reviewer(others: impl Iterator<Item = String>, namespaces: usize) -> Result<Reviewer> {
    let mut policies = Policies::new(vec!["podgate-system".into()]);
    read_file("built in", BUILT_IN, &mut policies);
    for other in others {
        read_file("another", &other, &mut policies);
    }
    let mut snapshot = Snapshot::default();
    snapshot.insert("ml-team-a", crowd::labels(0));
    (0..namespaces).for_each(|index| snapshot.insert(&crowd::namespace(index), crowd::labels(index)));
    let policies = policies.finish().map_err(|faults| format!("{faults:?}"))?;
    Ok(Reviewer::new(policies, snapshot))
}
