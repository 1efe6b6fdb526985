//! What policies have in common, kept once while they are read: a thousand policies that turn on the same controls, with the same
//! parameters, take little more than their names and selectors.

use std::collections::HashSet;
use std::hash::Hash;
use std::sync::Arc;

use crate::controls::Standard;
use crate::policy::SecurityPolicy;
use crate::policy::exemption::PolicyExemptions;
use crate::policy::rule::{ActiveControl, Rule, RuleSource};

/// The parts of the policies that were read so far, each once.
#[derive(Debug, Default)]
pub(super) struct SharedParts {
    standards: HashSet<Standard>,
    controls: HashSet<Arc<ActiveControl>>,
    lists: HashSet<Arc<[Arc<ActiveControl>]>>,
    /// Rules that were found to contradict each other in nothing, each by the addresses of its lists, which are kept here.
    consistent: HashSet<Vec<usize>>,
    /// The exemptions of a policy that has none.
    nobody: Arc<PolicyExemptions>,
}

impl SharedParts {
    /// The same policy, made of the parts that others have too.
    pub(super) fn share(&mut self, policy: SecurityPolicy) -> SecurityPolicy {
        let enforce = policy.enforce.map(|standard| self.standard(standard));
        // Without the room that a list has for more.
        let rules: Box<[Rule]> = policy.rules.into_iter().map(|rule| self.rule(rule)).collect();
        let exemptions =
            if policy.exemptions.is_empty() { Arc::clone(&self.nobody) } else { policy.exemptions };
        SecurityPolicy { enforce, rules: rules.into(), exemptions, ..policy }
    }

    /// Whether rules that are kept here have to be asked whether they contradict each other.
    pub(super) fn may_contradict(&self, rules: &[Rule]) -> bool {
        let has_extended = rules.iter().any(|rule| matches!(rule.source, RuleSource::Extended));
        has_extended && !self.consistent.contains(&addresses(rules))
    }

    /// They do not.
    pub(super) fn are_consistent(&mut self, rules: &[Rule]) {
        self.consistent.insert(addresses(rules));
    }

    fn rule(&mut self, rule: Rule) -> Rule {
        let source = match rule.source {
            RuleSource::Standard(standard) => RuleSource::Standard(self.standard(standard)),
            RuleSource::Extended => RuleSource::Extended,
        };
        let controls = rule.controls.iter().map(|active| once(&mut self.controls, Arc::clone(active)));
        let controls = controls.collect();
        Rule { source, controls: once(&mut self.lists, controls), ..rule }
    }

    fn standard(&mut self, standard: Standard) -> Standard {
        once(&mut self.standards, standard)
    }
}

fn addresses(rules: &[Rule]) -> Vec<usize> {
    rules.iter().map(|rule| Arc::as_ptr(&rule.controls).cast::<()>() as usize).collect()
}

/// What is among those known, in place of what is equal to it.
fn once<T: Hash + Eq + Clone>(known: &mut HashSet<T>, part: T) -> T {
    match known.get(&part) {
        Some(same) => same.clone(),
        None => {
            known.insert(part.clone());
            part
        }
    }
}
