//! Which PodSecurityPolicy of a place becomes the policy, and which become exceptions of it.

use crate::psp::draft::Draft;
use crate::psp::loosening::{Loosening, leaves_out_volumes, loosenings};
use crate::psp::places::{Namespaces, Place, Usable};
use crate::psp::report::{Note, Outcome};

/// A policy of a place.
#[derive(Debug)]
pub(super) struct PlannedPolicy {
    /// The PodSecurityPolicy that it is made of.
    pub(super) psp: usize,
    /// Those that are laxer, as far as exceptions can say it.
    pub(super) laxer: Vec<LaxerPsp>,
}

/// What a laxer PodSecurityPolicy allows beyond the policy.
#[derive(Debug)]
pub(super) struct LaxerPsp {
    pub(super) psp: usize,
    /// The controls that it does not have at all.
    pub(super) whole: Vec<&'static str>,
    /// Those of which it allows more, with the values.
    pub(super) valued: Vec<(&'static str, Vec<serde_json::Value>)>,
    pub(super) usable: Usable,
}

/// What the report calls the choice among several.
const FIELD: &str = "beside others";

/// The policies of all places. Places that have the same ones, without exceptions, become one.
pub(super) fn plan_all(
    places: &[Place],
    drafts: &[Draft],
    notes: &mut Vec<Note>,
) -> Vec<(Namespaces, Vec<PlannedPolicy>)> {
    let mut all: Vec<(Namespaces, Vec<PlannedPolicy>)> = Vec::new();
    for place in places {
        let planned = plan(place, drafts, notes);
        let is_same = |known: &&mut (Namespaces, Vec<PlannedPolicy>)| are_same(&known.1, &planned);
        match (all.iter_mut().find(is_same), &place.namespaces) {
            (Some((Namespaces::Named(names), _)), Namespaces::Named(more)) => names.extend_from_slice(more),
            _ => all.push((place.namespaces.clone(), planned)),
        }
    }
    for (namespaces, _) in &mut all {
        if let Namespaces::Named(names) = namespaces {
            names.sort();
        }
    }
    all
}

/// Whether two places have the same policies, and nobody there an exception.
fn are_same(one: &[PlannedPolicy], other: &[PlannedPolicy]) -> bool {
    let is_same = |(one, other): (&PlannedPolicy, &PlannedPolicy)| {
        one.psp == other.psp && one.laxer.is_empty() && other.laxer.is_empty()
    };
    one.len() == other.len() && one.iter().zip(other).all(is_same)
}

/// The policies of a place.
fn plan(place: &Place, drafts: &[Draft], notes: &mut Vec<Note>) -> Vec<PlannedPolicy> {
    let mut planner = Planner { drafts, place, notes };
    let usable = planner.that_admit_any();
    let bases = planner.bases(&usable);
    bases.into_iter().map(|base| planner.policy(base, &usable)).collect()
}

struct Planner<'p> {
    drafts: &'p [Draft],
    place: &'p Place,
    notes: &'p mut Vec<Note>,
}

impl<'p> Planner<'p> {
    fn name(&self, psp: usize) -> &'p str {
        self.drafts.get(psp).map_or("", |draft| draft.psp.as_str())
    }

    fn note(&mut self, psp: usize, outcome: Outcome, controls: Vec<&'static str>, text: String) {
        let (psp, field) = (self.name(psp).to_owned(), FIELD.to_owned());
        let note = Note { psp, field, outcome, controls, text };
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    /// Whether whatever the one admits the other admits, too, as far as can be told.
    fn is_contained(&self, one: usize, other: usize) -> bool {
        let drafts = self.drafts.get(one).zip(self.drafts.get(other));
        drafts.is_some_and(|(one, other)| loosenings(one, other).is_some())
    }

    /// Those that admit some pod, if any does: PodSecurityPolicies are alternatives.
    fn that_admit_any(&mut self) -> Vec<&'p Usable> {
        let admits =
            |usable: &&Usable| self.drafts.get(usable.psp).is_some_and(|draft| draft.admits_none.is_none());
        let (some, none): (Vec<&Usable>, Vec<&Usable>) = self.place.usable.iter().partition(admits);
        if some.is_empty() {
            return none.into_iter().take(1).collect();
        }
        for usable in none {
            let text = "can be met by no pod, and is left out beside others".to_owned();
            self.note(usable.psp, Outcome::CarriedOver, Vec::new(), text);
        }
        some
    }

    /// Those that become policies: one that every account could use or else the strictest.
    fn bases(&mut self, usable: &[&'p Usable]) -> Vec<usize> {
        let for_all: Vec<usize> = usable
            .iter()
            .filter(|usable| usable.is_for_all(&self.place.namespaces))
            .map(|usable| usable.psp)
            .collect();
        let contained = |of: usize| for_all.iter().filter(|psp| self.is_contained(**psp, of)).count();
        // Of equal ones the first counts.
        if let Some(base) = for_all.iter().copied().rev().max_by_key(|psp| contained(*psp)) {
            for psp in
                for_all.iter().copied().filter(|psp| !self.is_contained(*psp, base)).collect::<Vec<_>>()
            {
                let text = format!(
                    "every account could use it, as {}, and neither can be told to allow all that the other does: its pods have to meet {0}",
                    self.name(base)
                );
                self.note(psp, Outcome::Stricter, Vec::new(), text);
            }
            return vec![base];
        }
        let is_stricter = |one: usize, other: usize| {
            self.is_contained(one, other) && (!self.is_contained(other, one) || one < other)
        };
        let all: Vec<usize> = usable.iter().map(|usable| usable.psp).collect();
        let is_minimal = |psp: &usize| !all.iter().any(|other| other != psp && is_stricter(*other, *psp));
        let minimal: Vec<usize> = all.iter().copied().filter(is_minimal).collect();
        if let [first, second, ..] = *minimal.as_slice() {
            let text = format!(
                "none of the PodSecurityPolicies is known to be the strictest: of {} and {} neither can be told to allow all that the \
                 other does. All of them hold, so a pod has to meet each, once all have filled in what they fill in; import them one \
                 by one, with --namespaces, to have them apart",
                self.name(first),
                self.name(second)
            );
            for psp in &minimal {
                self.note(*psp, Outcome::Stricter, Vec::new(), text.clone());
            }
        }
        minimal
    }

    fn policy(&mut self, base: usize, usable: &[&'p Usable]) -> PlannedPolicy {
        let mut laxer: Vec<LaxerPsp> = Vec::new();
        for usable in usable.iter().filter(|usable| usable.psp != base) {
            let (contained, contains) =
                (self.is_contained(usable.psp, base), self.is_contained(base, usable.psp));
            if contained {
                let text =
                    format!("allows nothing that {} does not allow, and adds nothing to it", self.name(base));
                self.note(usable.psp, Outcome::CarriedOver, Vec::new(), text);
                continue;
            }
            if !contains {
                let text = format!(
                    "neither it nor {} can be told to allow all that the other does: an exception might let a pod be that neither \
                     allowed, so its pods have to meet {0}",
                    self.name(base)
                );
                self.note(usable.psp, Outcome::Stricter, Vec::new(), text);
                continue;
            }
            let is_mixed = |other: &&LaxerPsp| {
                let is_ordered =
                    self.is_contained(other.psp, usable.psp) || self.is_contained(usable.psp, other.psp);
                !is_ordered && other.usable.shares_accounts(usable)
            };
            if let Some(other) = laxer.iter().find(is_mixed).map(|other| other.psp) {
                let text = format!(
                    "neither it nor {} can be told to allow all that the other does, and one account could use both: with the exceptions \
                     of both it might get more than either allowed. So it becomes none",
                    self.name(other)
                );
                self.note(usable.psp, Outcome::Stricter, Vec::new(), text);
                continue;
            }
            laxer.extend(self.laxer(base, usable));
        }
        PlannedPolicy { psp: base, laxer }
    }

    /// What one allows beyond the policy, and what of it no exception can say.
    fn laxer(&mut self, base: usize, usable: &Usable) -> Option<LaxerPsp> {
        let psp = usable.psp;
        let (strict, lax) = self.drafts.get(base).zip(self.drafts.get(psp))?;
        let mut laxer = LaxerPsp { psp, whole: Vec::new(), valued: Vec::new(), usable: usable.clone() };
        for (control, loosening) in loosenings(strict, lax)? {
            match loosening {
                Loosening::Whole => laxer.whole.push(control),
                Loosening::Values(values) => laxer.valued.push((control, values)),
                Loosening::Unsayable => {
                    let text = format!(
                        "allows more of {control} than {}, which no exception can say: {0} decides",
                        strict.psp
                    );
                    self.note(psp, Outcome::Stricter, vec![control], text);
                }
            }
        }
        if leaves_out_volumes(strict, lax) {
            let text = "the paths and drivers of volumes that it lists cannot be said by an exception: such volumes are refused".to_owned();
            self.note(psp, Outcome::Stricter, vec!["volumeTypes"], text);
        }
        let text = format!(
            "is now exceptions of the policy of {}, granted by RBAC: what they let be is not filled in, and ephemeral containers are not \
             let be",
            strict.psp
        );
        self.note(psp, Outcome::CarriedOver, Vec::new(), text);
        let filling = laxer.valued.iter().map(|(control, _)| *control);
        let filling: Vec<&'static str> = filling.filter(|control| strict.fills_in(control)).collect();
        if !filling.is_empty() {
            let text = format!(
                "of {} only some values are let be, so what a pod leaves out is filled in as {} has it",
                filling.join(", "),
                strict.psp
            );
            self.note(psp, Outcome::OtherValue, filling, text);
        }
        (!laxer.whole.is_empty() || !laxer.valued.is_empty()).then_some(laxer)
    }
}
