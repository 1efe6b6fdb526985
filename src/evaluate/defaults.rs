//! What is filled in for a pod: for the pod itself and for every container, however many there are, and in little memory.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::evaluate::obstacles::RefusedObstacles;
use crate::finding::{Edit, EditOp, FieldPath, Finding, Fix, Found, Obstacles, Safety, Subject, Value};
use crate::pod::{ContainerKind, ContainerRef, Pod};
use crate::policy::{ActiveControl, SecurityPolicy};

/// The fields that are filled in, part by part.
#[derive(Debug, Default)]
pub struct Defaults<'p> {
    /// What is filled in anywhere: each change once.
    fills: Vec<Fill<'p>>,
    /// For each part of the pod. Most pods have a few, which are not worth hashing.
    of_parts: BTreeMap<Part, Filled>,
}

/// The control that fills something in, as a policy has it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Filler<'p> {
    pub(super) policy: &'p SecurityPolicy,
    pub(super) active: &'p ActiveControl,
}

/// A field that is filled in, or a list that is added to.
#[derive(Debug)]
struct Fill<'p> {
    /// The field, relative to the part.
    path: FieldPath<'p>,
    /// What is done to it.
    op: EditOp<'p>,
    /// The first that asks for it.
    filler: Filler<'p>,
    /// The others that it cannot stand beside.
    rivals: Fills,
    /// Of what is really filled in, if this is only tried out.
    real_rivals: Fills,
}

/// A part of a pod that fields are filled in for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Pod,
    /// By its list and its index there.
    Container(ContainerKind, u32),
}

/// A bit for each of the changes that are made to a part.
#[derive(Debug, Default, Clone, Copy)]
struct Filled {
    /// At once.
    now: Fills,
    /// Once the author has changed what contradicts it, for which the pod is refused.
    later: Fills,
}

/// A set of changes, by their place in the list.
type Fills = u128;

impl<'p> Defaults<'p> {
    /// Adds the fix of a finding, if podgate may make it by itself, beside what is `really` filled in if this is a trial.
    /// Returns whether it may once something else is fixed.
    pub(super) fn add(
        &mut self,
        filler: Filler<'p>,
        finding: &Finding<'p>,
        really: Option<&Defaults<'p>>,
    ) -> bool {
        if finding.is_auto_fixable() {
            self.set(filler, finding, really, |filled, bit| filled.now |= bit);
        }
        waits_for(finding).is_some()
    }

    /// Adds the fix of a finding that podgate makes once the obstacles are gone for which the pod is refused.
    pub(super) fn add_later(
        &mut self,
        filler: Filler<'p>,
        finding: &Finding<'p>,
        really: Option<&Defaults<'p>>,
        refused: &RefusedObstacles,
    ) {
        if waits_for(finding).is_some_and(|obstacles| refused.of(finding).contain(obstacles)) {
            self.set(filler, finding, really, |filled, bit| filled.later |= bit);
        }
    }

    /// The first that fills in a field has its way: what cannot stand beside it is not filled in, and the pod stays refused
    /// for it.
    fn set(
        &mut self,
        filler: Filler<'p>,
        finding: &Finding<'p>,
        really: Option<&Defaults<'p>>,
        set: impl Fn(&mut Filled, Fills),
    ) {
        let (Fix::Edit { op, .. }, Some(part)) = (&finding.fix, Part::of(finding.subject)) else { return };
        let Some(at) = self.place(filler, &finding.path, op, really) else { return };
        let (Some(bit), Some(fill)) = (bit(at), self.fills.get(at)) else { return };
        let is_rival = |of: &Defaults<'_>, rivals: Fills| of.filled(part).all() & rivals != 0;
        if is_rival(self, fill.rivals) || really.is_some_and(|really| is_rival(really, fill.real_rivals)) {
            return;
        }
        set(self.of_parts.entry(part).or_default(), bit);
    }

    /// The place of a change in the list, to which it is added. `None` for one that adds nothing, and where there are too many
    /// already: what does not fit is not filled in, and the pod stays refused.
    fn place(
        &mut self,
        filler: Filler<'p>,
        path: &FieldPath<'p>,
        op: &EditOp<'p>,
        really: Option<&Defaults<'p>>,
    ) -> Option<usize> {
        let known = self.fills.iter().position(|fill| fill.path == *path && fill.op == *op);
        if known.is_some() || matches!(op, EditOp::Remove | EditOp::Prepend(_)) {
            return known;
        }
        let at = self.fills.len();
        let own = bit(at)?;
        let mut rivals = 0;
        for (index, fill) in self.fills.iter_mut().enumerate() {
            if fill.is_rival_of(path, op) {
                fill.rivals |= own;
                rivals |= bit(index).unwrap_or_default();
            }
        }
        let real = really.map_or([].as_slice(), |really| &really.fills).iter().enumerate();
        let real_rivals = real.filter(|(_, fill)| fill.is_rival_of(path, op));
        let real_rivals = real_rivals.fold(0, |rivals, (index, _)| rivals | bit(index).unwrap_or_default());
        let (path, op) = (path.clone(), op.clone());
        self.fills.push(Fill { path, op, filler, rivals, real_rivals });
        Some(at)
    }

    /// Whether filling in fixes a finding, now or once the author has fixed the rest: by its own fix, or by that of
    /// another for the same field.
    pub(super) fn cover(&self, finding: &Finding<'_>) -> bool {
        self.has(finding, Filled::all)
    }

    /// Whether it fixes a finding of the pod as it is.
    pub(super) fn cover_now(&self, finding: &Finding<'_>) -> bool {
        self.has(finding, |filled| filled.now)
    }

    fn has(&self, finding: &Finding<'_>, fills: impl Fn(Filled) -> Fills) -> bool {
        let filled = Part::of(finding.subject).map(|part| fills(self.filled(part))).unwrap_or_default();
        filled != 0 && self.among(filled).any(|fill| fill.fixes(finding))
    }

    /// Whether nothing is filled in.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.of_parts.is_empty()
    }

    /// The name of the policy that has a field of a container filled in.
    pub(super) fn policy_that_sets(&self, at: ContainerRef<'_>, field: &str) -> Option<&'p str> {
        let filled = Part::of(Subject::Container(at)).map(|part| self.filled(part).now).unwrap_or_default();
        let mut fills = self.among(filled).filter(|fill| fill.path.is(field));
        fills.next().map(|fill| fill.filler.policy.name.as_ref())
    }

    /// Reports the edits that fill in everything, part by part, and then those that have to be made besides.
    pub fn edits(&self, pod: &'p Pod<'p>, edit: &mut dyn FnMut(Edit<'p>)) {
        for (part, filled) in &self.of_parts {
            for fill in self.among(filled.now) {
                if let Some(op) = self.op_beside(fill, filled.now) {
                    edit(Edit::new(part.subject(pod), fill.path.clone(), op));
                }
            }
        }
        for (at, fill) in self.fills.iter().enumerate() {
            let bit = bit(at).unwrap_or_default();
            let parts = self.of_parts.iter().filter(|(_, filled)| filled.now & bit != 0);
            let mut parts = parts.map(|(part, _)| part.subject(pod)).peekable();
            if parts.peek().is_some() {
                fill.filler.active.besides(pod, &mut parts, edit);
            }
        }
    }

    /// What is done to a field of a part. A list that is set takes in what is added to it, as the patch knows one change of a
    /// field; `None` for what it has taken in.
    fn op_beside(&self, fill: &Fill<'p>, filled: Fills) -> Option<EditOp<'p>> {
        let same_list = || self.among(filled).filter(|other| other.path == fill.path);
        match &fill.op {
            EditOp::Append(_) if same_list().any(|other| matches!(other.op, EditOp::Set(_))) => None,
            EditOp::Set(list @ (Value::ListOf(_) | Value::Json(_))) => {
                let mut items = list.clone();
                for other in same_list() {
                    if let EditOp::Append(added) = &other.op {
                        items = with_items(&items, added).unwrap_or(items);
                    }
                }
                Some(EditOp::Set(items))
            }
            EditOp::Set(_) | EditOp::Append(_) | EditOp::Prepend(_) | EditOp::Remove => Some(fill.op.clone()),
        }
    }

    /// For how many containers anything is filled in.
    pub(super) fn containers(&self) -> usize {
        self.of_parts.keys().filter(|part| matches!(part, Part::Container(..))).count()
    }

    fn among(&self, fills: Fills) -> impl Iterator<Item = &Fill<'p>> {
        let is_among = move |at: usize| fills & bit(at).unwrap_or_default() != 0;
        self.fills.iter().enumerate().filter_map(move |(at, fill)| is_among(at).then_some(fill))
    }

    fn filled(&self, part: Part) -> Filled {
        self.of_parts.get(&part).copied().unwrap_or_default()
    }
}

impl Fill<'_> {
    /// Whether it cannot stand beside another change of the same part: it sets the same field to something else, or a field
    /// within the other's or around it.
    fn is_rival_of(&self, path: &FieldPath<'_>, op: &EditOp<'_>) -> bool {
        if self.path == *path {
            return matches!((&self.op, op), (EditOp::Set(own), EditOp::Set(other)) if own != other);
        }
        self.path.steps().zip(path.steps()).all(|(own, other)| own == other)
    }

    /// Whether it does what fixes a finding, whoever asks for it.
    fn fixes(&self, finding: &Finding<'_>) -> bool {
        self.path == finding.path
            && match (&finding.fix, &self.op) {
                (Fix::Edit { op, .. }, own) if op == own => true,
                // A list of the one item, where there is none.
                (Fix::Edit { op: EditOp::Append(items), .. }, EditOp::Set(Value::ListOf(only)))
                | (Fix::Edit { op: EditOp::Set(Value::ListOf(only)), .. }, EditOp::Append(items)) => {
                    finding.found == Found::Absent
                        && EditOp::append_text(only) == EditOp::Append(items.clone())
                }
                (Fix::OneOf(choices), EditOp::Set(Value::Text(value))) => {
                    finding.found == Found::Absent && choices.contains(value)
                }
                (Fix::Range { least, most }, EditOp::Set(Value::Integer(value))) => {
                    finding.found == Found::Absent && (*least..=*most).contains(value)
                }
                (Fix::Edit { .. } | Fix::Edits { .. } | Fix::OneOf(_) | Fix::Range { .. }, _) => false,
            }
    }
}

impl Part {
    /// `None` for what nothing is filled in for.
    fn of(subject: Subject<'_>) -> Option<Self> {
        match subject {
            Subject::Pod => Some(Self::Pod),
            Subject::Container(at) => Some(Self::Container(at.kind, u32::try_from(at.index).ok()?)),
            Subject::Volume(..) | Subject::Metadata => None,
        }
    }

    fn subject<'p>(self, pod: &'p Pod<'_>) -> Subject<'p> {
        match self {
            Self::Pod => Subject::Pod,
            Self::Container(kind, index) => {
                let at = ContainerRef { kind, index: usize::try_from(index).unwrap_or(usize::MAX), name: "" };
                let name = pod.container(at).map_or("", |container| &container.name);
                Subject::Container(ContainerRef { name, ..at })
            }
        }
    }
}

impl Filled {
    fn all(self) -> Fills {
        self.now | self.later
    }
}

/// What has to be gone before podgate makes the fix of a finding by itself, if it then may.
fn waits_for(finding: &Finding<'_>) -> Option<Obstacles> {
    let Fix::Edit { safety: Safety::DefaultWithout(obstacles), .. } = finding.fix else { return None };
    Some(obstacles)
}

/// A list with one more item, unless it has it; `None` if it is no list.
fn with_items<'p>(list: &Value<'_>, added: &[Arc<str>]) -> Option<Value<'p>> {
    let serde_json::Value::Array(mut items) = list.into() else { return None };
    for item in added {
        let item = serde_json::from_str(item).ok()?;
        if !items.contains(&item) {
            items.push(item);
        }
    }
    Some(Value::Json(serde_json::Value::Array(items).to_string().into()))
}

fn bit(at: usize) -> Option<Fills> {
    u32::try_from(at).ok().and_then(|at| Fills::checked_shl(1, at))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controls::{Check, CheckedPod, Configured, Control};
    use crate::evaluate::{Context, Disposition, evaluate};
    use crate::finding::Sink;
    use crate::json::Reader;
    use crate::policy::{Actions, Mode, PolicySet, Rule, RuleSource};

    /// A control that finds a field absent, of the pod or of every container.
    #[derive(Debug, Clone)]
    struct Asks {
        of_pod: bool,
        path: &'static str,
        fix: Fix<'static>,
    }

    impl Check for Asks {
        fn check<'p>(&'p self, CheckedPod { pod, .. }: CheckedPod<'p>, sink: &mut Sink<'_, 'p>) {
            let containers = pod.containers().map(|(at, _)| Subject::Container(at));
            let subjects: Vec<_> = if self.of_pod { vec![Subject::Pod] } else { containers.collect() };
            for subject in subjects {
                sink(Finding::new(subject, self.path, Found::Absent, self.fix.clone()));
            }
        }

        fn besides<'p>(
            &'p self,
            _: &'p Pod<'p>,
            filled: &mut dyn Iterator<Item = Subject<'p>>,
            edit: &mut dyn FnMut(Edit<'p>),
        ) {
            if self.path == "besides" {
                let count = Value::Integer(i64::try_from(filled.count()).expect("few"));
                edit(Edit::new(Subject::Pod, "count", EditOp::Set(count)));
            }
        }
    }

    fn of_pod(path: &'static str, fix: Fix<'static>) -> Asks {
        Asks { of_pod: true, path, fix }
    }

    fn of_containers(path: &'static str, fix: Fix<'static>) -> Asks {
        Asks { of_pod: false, path, fix }
    }

    fn set(value: Value<'static>) -> Fix<'static> {
        Fix::fill_in(value, true)
    }

    fn append(item: &'static str) -> Fix<'static> {
        Fix::Edit { op: EditOp::append_text(item), safety: Safety::Default }
    }

    /// A policy in this mode with one control.
    fn policy(mode: Mode, asks: Asks) -> SecurityPolicy {
        let control = Control::named("readOnlyRootFilesystem").expect("a control");
        let configured =
            Configured { check: Arc::new(asks), parameters: serde_json::json!({"fillIn": true}) };
        let controls = vec![ActiveControl::extended(control, configured, None, mode, None)];
        let rules =
            vec![Rule { source: RuleSource::Extended, actions: mode.downgrade(Actions::ALL), controls }];
        let of_standard = PolicySet::of_standard(&"privileged".parse().expect("a standard"));
        let [like] = of_standard.security.try_into().expect("one");
        SecurityPolicy { rules, ..like }
    }

    /// What is filled in for a pod of two containers, and of which policies nothing is left.
    fn filled_in(policies: &[SecurityPolicy]) -> (Vec<String>, Vec<bool>) {
        let text = r#"{"spec":{"containers":[{"name":"a"},{"name":"b"}]}}"#;
        let pod = Pod::read(&mut Reader::over(text)).expect("a pod");
        let verdict = evaluate(policies.iter(), &pod, Context::CREATE);
        let mut edits = Vec::new();
        verdict.defaults().edits(&pod, &mut |edit| edits.push(format!("{}: {}", edit.whole_path(), edit.op)));
        let controls = verdict.controls();
        let all = |(_, of_control): (_, &crate::evaluate::JudgedControl<'_>)| {
            of_control.judged().all(|(_, disposition)| disposition == Disposition::FilledIn)
        };
        (edits, controls.map(all).collect())
    }

    #[test]
    fn what_cannot_stand_beside_what_is_filled_in_is_left() {
        let enforce =
            |asks: Vec<Asks>| asks.into_iter().map(|asks| policy(Mode::Enforce, asks)).collect::<Vec<_>>();
        let id = |id| set(Value::Integer(id));
        let fs_group = |fix| of_pod("securityContext.fsGroup", fix);
        let dropped = |fix| of_containers("capabilities.drop", fix);
        let (group, profile) =
            (["spec.securityContext.fsGroup: set it to 1"].as_slice(), ["spec.p: set it to {}"]);
        let all = [
            "spec.containers[0].capabilities.drop: set it to [\"ALL\",\"X\"]",
            "spec.containers[1].capabilities.drop: set it to [\"ALL\",\"X\"]",
        ];
        for (asked, edits, covered) in [
            (vec![fs_group(id(1))], group, [true].as_slice()),
            (vec![fs_group(id(1)), fs_group(id(1))], group, &[true, true]),
            (vec![fs_group(id(1)), fs_group(id(2))], group, &[true, false]),
            (vec![fs_group(Fix::Range { least: 1, most: 2 }), fs_group(id(1))], group, &[true, true]),
            (vec![fs_group(Fix::Range { least: 2, most: 3 }), fs_group(id(1))], group, &[false, true]),
            (vec![fs_group(Fix::set(Value::Integer(1))), fs_group(id(1))], group, &[true, true]),
            (vec![fs_group(Fix::set(Value::Integer(1)))], &[], &[false]),
            (
                vec![of_pod("p", set(Value::Json("{}".into()))), of_pod("p.type", id(1))],
                &profile,
                &[true, false],
            ),
            (vec![dropped(append("X")), dropped(set(Value::ListOf("ALL")))], &all, &[true, true]),
            (
                vec![dropped(set(Value::ListOf("ALL"))), dropped(append("ALL")), dropped(append("X"))],
                &all,
                &[true, true, true],
            ),
            (
                vec![of_pod("c", Fix::one_of(&["x", "y"])), of_pod("c", set(Value::Text("y")))],
                &["spec.c: set it to y"],
                &[true, true],
            ),
            (
                vec![of_containers("besides", id(1)), of_pod("besides", id(1))],
                &[
                    "spec.besides: set it to 1",
                    "spec.containers[0].besides: set it to 1",
                    "spec.containers[1].besides: set it to 1",
                    "spec.count: set it to 3",
                ],
                &[true, true],
            ),
        ] {
            let found = filled_in(&enforce(asked.clone()));
            assert_eq!((found.0.as_slice(), found.1.as_slice()), (edits, covered), "{asked:?}");
        }
    }

    #[test]
    fn a_trial_finds_what_is_really_filled_in() {
        let asks = |id| of_pod("securityContext.fsGroup", set(Value::Integer(id)));
        let real = ["spec.securityContext.fsGroup: set it to 1".to_owned()];
        for (modes, edits, covered) in [
            ([Mode::Warn, Mode::Enforce], real.as_slice(), [false, true]),
            ([Mode::Enforce, Mode::Warn], &real, [true, false]),
            ([Mode::Audit, Mode::Warn], &[], [true, true]),
        ] {
            let ids = if modes == [Mode::Warn, Mode::Enforce] { [2, 1] } else { [1, 2] };
            let policies: Vec<_> =
                modes.into_iter().zip(ids).map(|(mode, id)| policy(mode, asks(id))).collect();
            let found = filled_in(&policies);
            assert_eq!((found.0.as_slice(), found.1.as_slice()), (edits, covered.as_slice()), "{modes:?}");
        }
    }

    /// What does not fit is not filled in, and the pod stays refused for it.
    #[test]
    fn there_is_room_for_so_many_changes() {
        const PATHS: &str = "a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.q.r.s.t.u.v.w.x.y.z";
        let path = |number: usize| PATHS.get(2 * (number % 26)..=2 * (number % 26)).expect("a letter");
        let policies: Vec<_> = (0..5 * 26)
            .map(|number| {
                let item: &'static str = ["1", "2", "3", "4", "5"][number / 26];
                policy(Mode::Enforce, of_containers(path(number), append(item)))
            })
            .collect();
        let (edits, covered) = filled_in(&policies);
        assert_eq!((edits.len(), covered.iter().filter(|is_covered| **is_covered).count()), (2 * 128, 128));
        assert_eq!(covered.iter().position(|is_covered| !is_covered), Some(128));
    }
}
