//! What became of each field of a PodSecurityPolicy, for people and for tests.

use std::fmt;

/// What became of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// The policy says the same.
    CarriedOver,
    /// The policy refuses more.
    Stricter,
    /// The same pods pass, and something else is filled in.
    OtherValue,
    /// The policy refuses less, on purpose.
    Laxer,
    /// Nothing in a policy stands for it.
    NoCounterpart,
}

impl Outcome {
    const ALL: [Self; 5] =
        [Self::CarriedOver, Self::Stricter, Self::OtherValue, Self::Laxer, Self::NoCounterpart];

    /// What the report calls it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::CarriedOver => "carried over",
            Self::Stricter => "stricter",
            Self::OtherValue => "other value",
            Self::Laxer => "laxer",
            Self::NoCounterpart => "no counterpart",
        }
    }
}

/// What became of one field of one PodSecurityPolicy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The name of the PodSecurityPolicy; empty for what is about all of the input.
    pub psp: String,
    /// The field of its `spec`, or the annotation: `runAsUser`.
    pub field: String,
    /// What became of it.
    pub outcome: Outcome,
    /// The controls that now say it, or that refuse more or less than it did.
    pub controls: Vec<&'static str>,
    /// Why.
    pub text: String,
}

/// What became of everything that was read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// One or several for each field that is written or decides something by its absence, in the order of the input.
    pub notes: Vec<Note>,
}

impl Report {
    /// Whether a control may refuse a pod that the PodSecurityPolicy admitted.
    #[must_use]
    pub fn says_stricter(&self, psp: &str, control: &str) -> bool {
        self.says(psp, control, &[Outcome::Stricter])
    }

    /// Whether a control may fill in something else than the PodSecurityPolicy did.
    #[must_use]
    pub fn says_other_value(&self, psp: &str, control: &str) -> bool {
        self.says(psp, control, &[Outcome::Stricter, Outcome::OtherValue])
    }

    fn says(&self, psp: &str, control: &str, outcomes: &[Outcome]) -> bool {
        let is_of = |note: &&Note| note.psp == psp || note.psp.is_empty();
        let mut notes = self.notes.iter().filter(is_of).filter(|note| outcomes.contains(&note.outcome));
        notes.any(|note| note.controls.contains(&control))
    }
}

impl Report {
    /// Puts the notes in the order of the PodSecurityPolicies, and those of all of the input last.
    pub(super) fn sort(&mut self, psps: &[&str]) {
        let place = |note: &Note| psps.iter().position(|psp| *psp == note.psp).unwrap_or(psps.len());
        self.notes.sort_by_key(place);
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut psp = None;
        for note in &self.notes {
            if psp != Some(&note.psp) {
                psp = Some(&note.psp);
                let heading = if note.psp.is_empty() { "In all:" } else { note.psp.as_str() };
                writeln!(f, "{heading}")?;
            }
            writeln!(f, "  {:<14}  {}: {}", note.outcome.name(), note.field, note.text)?;
        }
        let counts = Outcome::ALL.map(|outcome| {
            let count = self.notes.iter().filter(|note| note.outcome == outcome).count();
            format!("{count} {}", outcome.name())
        });
        writeln!(f, "{}", counts.join(", "))
    }
}
