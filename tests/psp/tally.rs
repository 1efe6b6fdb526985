//! What came of a run: how often both sides said the same, and where they did not, why.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value as Json;

use crate::ours::Ours;
use crate::reasons::{Case, differences};
use crate::{Answer, effective, name_of};

/// Differences of one kind that are shown; the rest are counted.
const SHOWN: u64 = 1;

/// Counts of everything.
#[derive(Default)]
pub(crate) struct Tally {
    policies: u64,
    pods: u64,
    /// Admitted by both, with the same values.
    admitted: u64,
    /// Refused by both.
    refused: u64,
    /// What the API server itself does not take, whatever a policy says.
    invalid: u64,
    /// Refused by us alone, by what the report names.
    stricter: BTreeMap<String, u64>,
    /// Admitted by both, with another value that the report names.
    filled_in: BTreeMap<String, u64>,
    /// Admitted by us alone, on purpose.
    laxer: BTreeMap<String, u64>,
    /// What must not be.
    different: BTreeMap<String, u64>,
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { policies, pods, admitted, refused, invalid, .. } = self;
        write!(
            f,
            "{policies} policies, {pods} pods: {admitted} admitted by both with the same values, {refused} refused by both, \
             {invalid} not valid"
        )?;
        for (what, counts) in [
            ("stricter, as reported", &self.stricter),
            ("filled in in another way, as reported", &self.filled_in),
            ("laxer, on purpose", &self.laxer),
            ("different", &self.different),
        ] {
            write!(f, "\n  {} {what}", counts.values().sum::<u64>())?;
            for (reason, count) in counts {
                write!(f, "\n    {count:>6} {reason}")?;
            }
        }
        Ok(())
    }
}

impl Tally {
    pub(crate) fn policy(&mut self) {
        self.policies += 1;
    }

    pub(crate) fn pod(
        &mut self,
        psp: &Json,
        ours: &Result<Ours, Vec<String>>,
        (seed, index, pod): (u64, u64, &Json),
        answer: &Answer,
    ) {
        self.pods += 1;
        if answer.was_invalid {
            self.invalid += 1;
            return;
        }
        let ours = match ours {
            Ok(ours) => ours,
            Err(faults) => {
                return self.differ(format!("{}: not imported", name_of(psp)), || format!("{faults:?}"));
            }
        };
        let outcome = ours.judge(pod);
        let case = Case { psp, ours, pod, answer, outcome: &outcome };
        if let Err(kind) = self.add(&case) {
            self.differ(format!("{}: {kind}", name_of(psp)), || {
                let (name, Ours { policies, report, .. }) = (name_of(psp), ours);
                let Answer { errors, invalid, mutated, .. } = answer;
                format!(
                    "--- seed {seed}, {name}, pod {index}\n{psp}\n{policies}\n{report}\npod:    {pod}\nours:   {}\n        {}\n\
                     plugin: {errors:?} {invalid:?}\n        {mutated}",
                    outcome.text, outcome.pod
                )
            });
        }
    }

    /// Counts a pod, or says what is wrong with what the two sides say of it.
    fn add(&mut self, case: &Case<'_>) -> Result<(), String> {
        let Case { answer, outcome, .. } = case;
        let is_admitted = answer.allowed && answer.invalid.is_empty();
        match (is_admitted, outcome.refused_by.is_empty()) {
            (false, false) => self.refused += 1,
            (false, true) if case.is_spoilt_for_windows() => self.invalid += 1,
            (false, true) => {
                let reason = case.laxer().ok_or_else(|| {
                    let faults = answer.errors.iter().chain(&answer.invalid);
                    let mut details: Vec<&str> = faults
                        .map(|fault| fault.split_once(": ").map_or(fault.as_str(), |(_, detail)| detail))
                        .collect();
                    details.dedup();
                    format!("laxer: {}", details.join(" | "))
                })?;
                count(&mut self.laxer, reason);
            }
            (true, false) => {
                let mut reasons = Vec::new();
                for control in &outcome.refused_by {
                    let reason = case.stricter(control);
                    reasons.push(reason.ok_or_else(|| format!("stricter without a word: {control}"))?);
                }
                reasons.sort_unstable();
                reasons.dedup();
                count(&mut self.stricter, &reasons.join(", and "));
            }
            (true, true) => {
                let (theirs, ours) = (effective::of(&answer.mutated), effective::of(&outcome.pod));
                let mut reasons = Vec::new();
                for (field, theirs, ours) in differences(&theirs, &ours) {
                    let reason = case.filled_in(field, theirs, ours);
                    reasons.push(reason.ok_or_else(|| {
                        let shown = |value: Option<&Json>| {
                            value.map_or_else(|| "nothing".to_owned(), Json::to_string)
                        };
                        format!(
                            "filled in in another way: {field}, {} there, {} here",
                            shown(theirs),
                            shown(ours)
                        )
                    })?);
                }
                reasons.sort_unstable();
                reasons.dedup();
                if reasons.is_empty() {
                    self.admitted += 1;
                } else {
                    count(&mut self.filled_in, &reasons.join(", and "));
                }
            }
        }
        Ok(())
    }

    fn differ(&mut self, kind: String, show: impl FnOnce() -> String) {
        let seen = self.different.entry(kind).or_default();
        *seen += 1;
        if *seen <= SHOWN {
            eprintln!("{}", show());
        }
    }

    /// The counts of both.
    pub(crate) fn and(mut self, other: Self) -> Self {
        let Self { policies, pods, admitted, refused, invalid, stricter, filled_in, laxer, different } =
            other;
        self.policies += policies;
        self.pods += pods;
        self.admitted += admitted;
        self.refused += refused;
        self.invalid += invalid;
        for (counts, others) in [
            (&mut self.stricter, stricter),
            (&mut self.filled_in, filled_in),
            (&mut self.laxer, laxer),
            (&mut self.different, different),
        ] {
            for (reason, number) in others {
                *counts.entry(reason).or_default() += number;
            }
        }
        self
    }

    pub(crate) fn is_clean(&self) -> bool {
        self.different.is_empty()
    }

    /// Fails if the generator has become so narrow that a run would prove little.
    pub(crate) fn assert_telling(&self) {
        let share = |count: u64| count * 100 / self.pods;
        assert!((20..=80).contains(&share(self.admitted)), "{self}");
        assert!((10..=80).contains(&share(self.refused)), "{self}");
        assert!(share(self.invalid) < 10, "{self}");
        assert!(!self.stricter.is_empty() && !self.filled_in.is_empty() && !self.laxer.is_empty(), "{self}");
    }
}

fn count(counts: &mut BTreeMap<String, u64>, reason: &str) {
    *counts.entry(reason.to_owned()).or_default() += 1;
}
