//! Our side of a cluster: a reviewer by its configuration, who finds in it what a server would ask the API server for.

use std::collections::BTreeMap;

use podgate::admission::{Answer, Counted, CountedResource, Decision, ExistingPods, Reviewer, Webhook};
use podgate::policy::{
    Answers, Lookup, LookupAnswer, LookupError, PodsQuery, Policies, SYSTEM_NAMESPACES, Snapshot, read_file,
};
use serde_json::{Value as Json, json};

use crate::random::Random;
use crate::world::World;

/// Most pods in a page of a list.
const LONGEST_PAGE: usize = 700;

/// Who answers the reviews of one cluster.
pub(crate) struct Desk {
    reviewer: Reviewer,
    /// The Namespaces that are not in the snapshot.
    elsewhere: BTreeMap<String, BTreeMap<String, String>>,
    pods: BTreeMap<String, Vec<String>>,
}

impl Desk {
    /// None where the configuration is at fault.
    pub(crate) fn new(world: &mut World) -> Result<Self, String> {
        let mut policies = Policies::new(SYSTEM_NAMESPACES.map(ToOwned::to_owned).into());
        read_file("configuration", &world.configuration.to_string(), &mut policies);
        let policies = policies
            .finish()
            .map_err(|faults| faults.iter().map(|fault| format!("{fault}\n")).collect::<String>())?;
        let mut elsewhere = BTreeMap::new();
        let is_live = world.random.percent(50);
        let mut snapshot = if is_live { Snapshot::live() } else { Snapshot::default() };
        for (name, labels) in &world.namespaces {
            if is_live && world.random.percent(30) {
                elsewhere.insert(name.clone(), labels.clone());
            } else {
                snapshot.insert(name, labels.clone());
            }
        }
        let pods =
            world.pods.iter().map(|(name, pods)| (name.clone(), pods.iter().map(Json::to_string).collect()));
        Ok(Self { reviewer: Reviewer::new(policies, snapshot), elsewhere, pods: pods.collect() })
    }

    pub(crate) fn answer<'b>(&self, review: &'b str, random: &mut Random) -> Answer<'b> {
        let resolve = |lookup: &Lookup| match lookup {
            Lookup::Namespace(name) => {
                Ok(LookupAnswer::Namespace(self.elsewhere.get(name).cloned().map(Into::into)))
            }
            Lookup::PodsIn(query) => self.existing_pods(query, random),
            Lookup::PodIdentities
            | Lookup::ServiceAccount { .. }
            | Lookup::Bound { .. }
            | Lookup::Grants { .. }
            | Lookup::IdentityRight { .. } => panic!("{lookup}"),
        };
        self.reviewer.answer(Webhook::Validate, review.as_bytes(), Answers::default(), resolve).unwrap()
    }

    fn existing_pods(&self, query: &PodsQuery, random: &mut Random) -> Result<LookupAnswer, LookupError> {
        let mut pods = self.pods.get(&query.namespace).map(Vec::as_slice).unwrap_or_default();
        let mut existing = ExistingPods::new(query);
        loop {
            let page = pods.split_off(..pods.len().min(1 + random.below(LONGEST_PAGE))).unwrap();
            let page = format!(r#"{{"kind":"PodList","apiVersion":"v1","items":[{}]}}"#, page.join(","));
            existing.add(page.as_bytes()).map_err(|_| LookupError::Failed)?;
            if pods.is_empty() {
                return Ok(existing.answer());
            }
        }
    }
}

/// What is counted of a review, as upstream's recorder is told of it.
pub(crate) fn counted(decision: &Decision<'_>) -> Json {
    let resource = |of: CountedResource| match of {
        CountedResource::Pod => "pod",
        CountedResource::Controller => "controller",
    };
    let calls = decision.pod_security.iter().map(|counted| match counted {
        Counted::Evaluation { resource: of, is_allowed, of: standard, action } => json!({
            "counter": "evaluations",
            "decision": if *is_allowed { "allow" } else { "deny" },
            "policy": standard.to_string(),
            "mode": action.name(),
            "resource": resource(*of),
        }),
        Counted::Exemption { resource: of } => json!({ "counter": "exemptions", "resource": resource(*of) }),
        Counted::Error { resource: of, is_fatal } => {
            let mut call = json!({ "counter": "errors", "resource": resource(*of) });
            if *is_fatal {
                call["fatal"] = true.into();
            }
            call
        }
    });
    calls.collect()
}
