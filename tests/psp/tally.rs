//! What came of a run: how often both sides said the same, and where they did not, why.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value as Json;

use crate::Answer;
use crate::effective;
use crate::ours::{Ours, Outcome};

/// Differences of one kind that are shown; the rest are counted.
const SHOWN: u64 = 1;

/// Counts of everything.
#[derive(Default)]
pub(crate) struct Tally {
    seed: u64,
    policies: u64,
    /// Policies that are not imported, as no pod could meet them.
    not_imported: u64,
    pods: u64,
    /// Admitted by both, with the same values.
    admitted: u64,
    /// Refused by both.
    refused: u64,
    /// Refused by nobody's policy, as the API server itself does not take it.
    invalid: u64,
    /// Refused by us alone, by what the report names.
    stricter: BTreeMap<String, u64>,
    /// Admitted by us alone, on purpose.
    laxer: BTreeMap<String, u64>,
    /// What must not be.
    pub(crate) different: u64,
    kinds: BTreeMap<String, u64>,
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { policies, not_imported, pods, admitted, refused, invalid, different, .. } = self;
        let sum = |counts: &BTreeMap<String, u64>| counts.values().sum::<u64>();
        writeln!(f, "{policies} policies ({not_imported} not imported), {pods} pods")?;
        writeln!(f, "  {admitted} admitted by both, {refused} refused by both, {invalid} not valid")?;
        writeln!(f, "  {} stricter:", sum(&self.stricter))?;
        for (reason, count) in &self.stricter {
            writeln!(f, "    {count:>6} {reason}")?;
        }
        writeln!(f, "  {} laxer:", sum(&self.laxer))?;
        for (reason, count) in &self.laxer {
            writeln!(f, "    {count:>6} {reason}")?;
        }
        write!(f, "  {different} different")?;
        for (kind, count) in &self.kinds {
            write!(f, "\n    {count:>6} {kind}")?;
        }
        Ok(())
    }
}

impl Tally {
    pub(crate) fn new(seed: u64) -> Self {
        Self { seed, ..Self::default() }
    }

    pub(crate) fn policy(&mut self, psp: &Json, ours: &Result<Ours, Vec<String>>) {
        self.policies += 1;
        if let Err(faults) = ours {
            self.not_imported += 1;
            eprintln!("not imported: {}: {faults:?}", name(psp));
        }
    }

    pub(crate) fn pod(
        &mut self,
        psp: &Json,
        ours: &Result<Ours, Vec<String>>,
        (index, pod): (u64, &Json),
        answer: &Answer,
    ) {
        self.pods += 1;
        if answer.was_invalid {
            self.invalid += 1;
            return;
        }
        let ours = match ours {
            Ok(ours) => ours,
            Err(faults) if answer.allowed => {
                return self.differ(&format!("{}: not imported, and it admits pods", name(psp)), || {
                    format!("{faults:?}\n{psp}\n{pod}")
                });
            }
            Err(_) => {
                self.refused += 1;
                return;
            }
        };
        let outcome = ours.judge(pod);
        let is_admitted = answer.allowed && answer.invalid.is_empty();
        let show = || {
            let Outcome { pod: made, text, .. } = &outcome;
            let (psp_name, policies, report) = (name(psp), &ours.policies, &ours.report);
            format!(
                "--- seed {}, {psp_name}, pod {index}\n{psp}\n{policies}\n{report}\npod:    {pod}\nours:   {text}\n{made}\nplugin: {:?} {:?}\n{}",
                self.seed, answer.errors, answer.invalid, answer.mutated
            )
        };
        let kind = match (is_admitted, outcome.refused_by.is_empty()) {
            (false, false) => {
                self.refused += 1;
                return;
            }
            (true, false) => {
                let unnamed: Vec<&str> = outcome
                    .refused_by
                    .iter()
                    .filter(|control| !ours.report.says_stricter(name(psp), control))
                    .copied()
                    .collect();
                if unnamed.is_empty() {
                    for control in &outcome.refused_by {
                        *self.stricter.entry((*control).to_owned()).or_default() += 1;
                    }
                    return;
                }
                format!("stricter without a word: {}", unnamed.join(", "))
            }
            (false, true) => match laxer(psp, pod, answer) {
                Some(reason) => {
                    *self.laxer.entry(reason.to_owned()).or_default() += 1;
                    return;
                }
                None => {
                    let mut errors: Vec<&str> = answer
                        .errors
                        .iter()
                        .chain(&answer.invalid)
                        .map(|error| error.split_once(": ").map_or(error.as_str(), |(_, detail)| detail))
                        .collect();
                    errors.dedup();
                    format!("laxer: {}", errors.join(" | "))
                }
            },
            (true, true) => {
                let (theirs, made) = (effective::of(&answer.mutated), effective::of(&outcome.pod));
                let differences = effective::differences(&theirs, &made);
                if differences.is_empty() {
                    self.admitted += 1;
                    return;
                }
                let values: Vec<String> = differences
                    .iter()
                    .map(|place| {
                        let field = place.split_once('.').map_or(place.as_str(), |(_, field)| field);
                        let [theirs, made] = [&theirs, &made].map(|values| {
                            values.get(place).map_or_else(|| "nothing".to_owned(), Json::to_string)
                        });
                        format!("{field} {theirs} there, {made} here")
                    })
                    .collect();
                format!("filled in differently: {}", values.join(" | "))
            }
        };
        let shown = show();
        self.differ(&format!("{}: {kind}", name(psp)), || shown);
    }

    fn differ(&mut self, kind: &str, show: impl FnOnce() -> String) {
        self.different += 1;
        let kind: String = kind.chars().take(300).collect();
        let count = self.kinds.entry(kind).or_default();
        *count += 1;
        if *count <= SHOWN {
            eprintln!("{}", show());
        }
    }

    /// Fails if the generator has become so narrow that a run would prove little.
    pub(crate) fn assert_telling(&self) {
        let share = |count: u64| count * 100 / self.pods;
        assert!((20..=80).contains(&share(self.admitted)), "{self}");
        assert!((10..=80).contains(&share(self.refused)), "{self}");
        assert!(share(self.invalid) < 10, "{self}");
    }
}

fn name(psp: &Json) -> &str {
    psp["metadata"]["name"].as_str().unwrap()
}

/// Why we admit what the plugin refuses, if it is the one thing that is meant: a policy that says nothing of seccomp lets
/// nobody set a profile, not even the one that the restricted level asks for.
fn laxer(psp: &Json, pod: &Json, answer: &Answer) -> Option<&'static str> {
    let annotations = &psp["metadata"]["annotations"];
    let is_silent = annotations["seccomp.security.alpha.kubernetes.io/allowedProfileNames"].is_null();
    let is_about_it = |error: &String| error.ends_with(": seccomp may not be set");
    let others = ["Unconfined", "Localhost", "\"seccomp.security", "\"container.seccomp.security"];
    let text = pod.to_string();
    let is_meant = is_silent
        && !answer.errors.is_empty()
        && answer.errors.iter().all(is_about_it)
        && !others.iter().any(|other| text.contains(other));
    is_meant.then_some("RuntimeDefault, where the policy says nothing of seccomp")
}
