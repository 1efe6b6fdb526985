//! What is filled in for a pod: for the pod itself and for every container, however many there are, and in little memory.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value as Json;

use crate::controls::CheckedPod;
use crate::evaluate::accepted::{Question, Questions};
use crate::evaluate::obstacles::RefusedObstacles;
use crate::finding::{Edit, EditOp, FieldPath, Finding, Fix, Obstacles, Safety, Subject, Value};
use crate::pod::{ContainerKind, ContainerRef, Pod};
use crate::policy::{ActiveControl, SecurityPolicy};

/// The fields that are filled in, part by part.
#[derive(Debug, Default)]
pub struct Defaults<'p> {
    /// What is filled in anywhere: each change once.
    fills: Vec<Fill<'p>>,
    /// What is filled in at once, for each part of the pod. Most pods have a few, which are not worth hashing.
    now: BTreeMap<Part, Fills>,
    /// What is filled in once the author has changed what contradicts it, for which the pod is refused: little, as a rule.
    later: BTreeMap<Part, Fills>,
    /// Of controls that find something where others fill in what they would not.
    questions: Questions<'p>,
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

/// A set of changes, by their place in the list: a bit for each.
type Fills = u128;

impl<'p> Defaults<'p> {
    /// Adds the fix of a finding, if podgate may make it by itself, beside what is `really` filled in if this is a trial.
    /// Returns whether it may once something else is fixed.
    pub(super) fn add(&mut self, filler: Filler<'p>, finding: &Finding<'p>, really: Option<&Self>) -> bool {
        if finding.is_auto_fixable() {
            let own = self.changes(filler, finding, really);
            fill_in(&mut self.now, finding.subject, own);
        }
        waits_for(finding).is_some()
    }

    /// Adds the fix of a finding that podgate makes once the obstacles are gone for which the pod is refused.
    pub(super) fn add_later(
        &mut self,
        filler: Filler<'p>,
        finding: &Finding<'p>,
        really: Option<&Self>,
        refused: &RefusedObstacles,
    ) {
        if waits_for(finding).is_some_and(|obstacles| refused.of(finding).contain(obstacles)) {
            let own = self.changes(filler, finding, really);
            fill_in(&mut self.later, finding.subject, own);
        }
    }

    /// What the fix of a finding changes; nothing if it cannot be made. The first that fills in a field has its way: what cannot
    /// stand beside it is not filled in, and the pod stays refused for it, unless its control takes the other for as good.
    fn changes(&mut self, filler: Filler<'p>, finding: &Finding<'p>, really: Option<&Self>) -> Fills {
        let Some(part) = Part::of(finding.subject) else { return 0 };
        let filled = self.filled(part);
        let really_filled = really.map(|really| really.filled(part)).unwrap_or_default();
        let mut own = 0;
        for op in ops_of(finding) {
            let Some(at) = self.place(filler, &finding.path, op, really) else { return 0 };
            let (Some(bit), Some(fill)) = (bit(at), self.fills.get(at)) else { return 0 };
            if filled & fill.rivals != 0 || really_filled & fill.real_rivals != 0 {
                return 0;
            }
            own |= bit;
        }
        own
    }

    /// The place of a change in the list, to which it is added. `None` for one that adds nothing, and where there are too many
    /// already: what does not fit is not filled in, and the pod stays refused.
    fn place(
        &mut self,
        filler: Filler<'p>,
        path: &FieldPath<'p>,
        op: &EditOp<'p>,
        really: Option<&Self>,
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

    /// Asks a control that finds something, where others fill in what it would not, whether that is as good.
    pub(super) fn ask(&mut self, active: &'p ActiveControl, finding: &Finding<'p>, checked: CheckedPod<'p>) {
        let Some(part) = Part::of(finding.subject) else { return };
        let (filled, of_pod) = (self.filled(part), self.filled(Part::Pod));
        let is_near = |fill: &Fill<'_>| is_within(&fill.path, &finding.path);
        // A field of the pod may decide on what its containers need.
        let may_matter = self.among(filled).any(is_near) || part != Part::Pod && of_pod != 0;
        if !may_matter || self.makes(filled, finding) {
            return;
        }
        let question = part.question(active, finding, [filled, of_pod]);
        let of_part = self.edits_of(part.first_of_kind().unnamed(), filled);
        let edits: Vec<Edit<'p>> = match part {
            Part::Pod => of_part.collect(),
            Part::Container(..) => of_part.chain(self.edits_of(Subject::Pod, of_pod)).collect(),
        };
        self.questions.ask(question, checked, &edits);
    }

    /// Whether filling in fixes a finding of a control, now or once the author has fixed the rest: by its own fix, or by that
    /// of another for the same field.
    pub(super) fn cover(&self, active: &ActiveControl, finding: &Finding<'_>) -> bool {
        self.has(active, finding, |part| self.filled(part))
    }

    /// Whether it fixes a finding of the pod as it is.
    pub(super) fn cover_now(&self, active: &ActiveControl, finding: &Finding<'_>) -> bool {
        self.has(active, finding, |part| of(&self.now, part))
    }

    fn has(&self, active: &ActiveControl, finding: &Finding<'_>, fills: impl Fn(Part) -> Fills) -> bool {
        Part::of(finding.subject).is_some_and(|part| {
            let filled = fills(part);
            filled != 0 && self.makes(filled, finding)
                || !self.questions.is_empty()
                    && self.questions.are_answered(&part.question(
                        active,
                        finding,
                        [filled, fills(Part::Pod)],
                    ))
        })
    }

    /// Whether all that fixes a finding is among what is filled in, whoever asks for it.
    fn makes(&self, filled: Fills, finding: &Finding<'_>) -> bool {
        let mut ops = ops_of(finding).peekable();
        ops.peek().is_some()
            && ops.all(|op| self.among(filled).any(|fill| fill.path == finding.path && fill.op == *op))
    }

    /// Whether nothing is filled in.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.now.is_empty() && self.later.is_empty()
    }

    /// The name of the policy that has a field of a container filled in.
    pub(super) fn policy_that_sets(&self, at: ContainerRef<'_>, field: &str) -> Option<&'p str> {
        let filled = Part::of(Subject::Container(at)).map(|part| of(&self.now, part)).unwrap_or_default();
        let mut fills = self.among(filled).filter(|fill| fill.path.is(field));
        fills.next().map(|fill| fill.filler.policy.name.as_ref())
    }

    /// Reports the edits that fill in everything, part by part, and then those that have to be made besides.
    pub fn edits(&self, pod: &'p Pod<'p>, edit: &mut dyn FnMut(Edit<'p>)) {
        for (part, filled) in &self.now {
            self.edits_of(part.subject(pod), *filled).for_each(&mut *edit);
        }
        for (at, fill) in self.fills.iter().enumerate() {
            let bit = bit(at).unwrap_or_default();
            let parts = self.now.iter().filter(|(_, filled)| **filled & bit != 0);
            let mut parts = parts.map(|(part, _)| part.subject(pod)).peekable();
            if parts.peek().is_some() {
                fill.filler.active.besides(pod, &mut parts, edit);
            }
        }
    }

    /// The edits that fill these in for a part.
    fn edits_of(&self, subject: Subject<'p>, filled: Fills) -> impl Iterator<Item = Edit<'p>> {
        self.among(filled).filter_map(move |fill| {
            Some(Edit::new(subject, fill.path.clone(), self.op_beside(fill, filled)?))
        })
    }

    /// What is done to a field of a part. Items of one list are put together, each once, as a patch makes one change of a field;
    /// `None` where another has done so.
    fn op_beside(&self, fill: &Fill<'p>, filled: Fills) -> Option<EditOp<'p>> {
        let same_field = || self.among(filled).filter(|other| other.path == fill.path);
        if same_field().nth(1).is_none() {
            return Some(fill.op.clone());
        }
        if !same_field().next().is_some_and(|first| std::ptr::eq(first, fill)) {
            return None;
        }
        // What sets the list comes first.
        let (set, added): (Vec<_>, Vec<_>) =
            same_field().partition(|other| matches!(other.op, EditOp::Set(_)));
        let is_set = !set.is_empty();
        let mut items: Vec<Arc<str>> = Vec::new();
        for item in set.into_iter().chain(added).filter_map(|other| items_of(&other.op)).flatten() {
            if !items.contains(&item) {
                items.push(item);
            }
        }
        Some(if is_set {
            EditOp::Set(Value::Json(format!("[{}]", items.join(",")).into()))
        } else {
            EditOp::Append(items.into())
        })
    }

    /// For how many containers anything is filled in.
    pub(super) fn containers(&self) -> usize {
        let later = self.later.keys().filter(|part| !self.now.contains_key(part));
        self.now.keys().chain(later).filter(|part| matches!(part, Part::Container(..))).count()
    }

    fn among(&self, fills: Fills) -> impl Iterator<Item = &Fill<'p>> {
        let is_among = move |at: usize| fills & bit(at).unwrap_or_default() != 0;
        self.fills.iter().enumerate().filter_map(move |(at, fill)| is_among(at).then_some(fill))
    }

    /// What is filled in for a part, now or later.
    fn filled(&self, part: Part) -> Fills {
        of(&self.now, part) | of(&self.later, part)
    }
}

impl Fill<'_> {
    /// Whether it cannot stand beside another change of the same part: it sets the same field to something else, or a field
    /// within the other's or around it. Items of a list can, of whom it is enough to be in it.
    fn is_rival_of(&self, path: &FieldPath<'_>, op: &EditOp<'_>) -> bool {
        if self.path == *path {
            return self.op != *op && (items_of(&self.op).is_none() || items_of(op).is_none());
        }
        is_within(&self.path, path)
    }
}

impl Part {
    /// What a control is asked that finds something in it, where this is filled in for it and for the pod.
    fn question<'q>(
        self,
        active: &'q ActiveControl,
        finding: &Finding<'q>,
        filled: [Fills; 2],
    ) -> Question<'q> {
        let kind = match self {
            Self::Pod => None,
            Self::Container(kind, _) => Some(kind),
        };
        Question { active, kind, path: finding.path.clone(), found: finding.found, filled }
    }

    fn first_of_kind(self) -> Self {
        match self {
            Self::Pod => self,
            Self::Container(kind, _) => Self::Container(kind, 0),
        }
    }

    /// `None` for what nothing is filled in for.
    fn of(subject: Subject<'_>) -> Option<Self> {
        match subject {
            Subject::Pod => Some(Self::Pod),
            Subject::Container(at) => Some(Self::Container(at.kind, u32::try_from(at.index).ok()?)),
            Subject::Volume(..) | Subject::Metadata | Subject::Namespace(_) => None,
        }
    }

    fn subject<'p>(self, pod: &'p Pod<'_>) -> Subject<'p> {
        let unnamed = self.unnamed();
        let Subject::Container(at) = unnamed else { return unnamed };
        let name = pod.container(at).map_or("", |container| &container.name);
        Subject::Container(ContainerRef { name, ..at })
    }

    fn unnamed<'p>(self) -> Subject<'p> {
        match self {
            Self::Pod => Subject::Pod,
            Self::Container(kind, index) => {
                let index = usize::try_from(index).unwrap_or(usize::MAX);
                Subject::Container(ContainerRef { kind, index, name: "" })
            }
        }
    }
}

fn of(parts: &BTreeMap<Part, Fills>, part: Part) -> Fills {
    parts.get(&part).copied().unwrap_or_default()
}

fn fill_in(parts: &mut BTreeMap<Part, Fills>, subject: Subject<'_>, fills: Fills) {
    if let (Some(part), true) = (Part::of(subject), fills != 0) {
        *parts.entry(part).or_default() |= fills;
    }
}

/// What has to be gone before podgate makes the fix of a finding by itself, if it then may.
fn waits_for(finding: &Finding<'_>) -> Option<Obstacles> {
    match finding.fix {
        Fix::Edit { safety: Safety::DefaultWithout(obstacles), .. }
        | Fix::Edits { safety: Safety::DefaultWithout(obstacles), .. } => Some(obstacles),
        Fix::Edit { .. } | Fix::Edits { .. } | Fix::OneOf(_) | Fix::Range { .. } => None,
    }
}

/// What the fix of a finding does to its own field; nothing if it does anything elsewhere.
fn ops_of<'f, 'p>(finding: &'f Finding<'p>) -> impl Iterator<Item = &'f EditOp<'p>> {
    let (own, others) = match &finding.fix {
        Fix::Edit { op, .. } => (Some(op), [].as_slice()),
        Fix::Edits { edits, .. } => {
            let is_own =
                edits.iter().all(|edit| edit.subject == finding.subject && edit.path == finding.path);
            (None, if is_own { edits.as_slice() } else { &[] })
        }
        Fix::OneOf(_) | Fix::Range { .. } => (None, [].as_slice()),
    };
    own.into_iter().chain(others.iter().map(|edit| &edit.op))
}

/// Whether one of two paths leads to the other's field, or into it.
fn is_within(one: &FieldPath<'_>, other: &FieldPath<'_>) -> bool {
    one.steps().zip(other.steps()).all(|(one, other)| one == other)
}

/// The items that a change puts into a list, as JSON.
fn items_of(op: &EditOp<'_>) -> Option<Vec<Arc<str>>> {
    match op {
        EditOp::Set(Value::ListOf(item)) => Some(vec![Json::from(*item).to_string().into()]),
        EditOp::Append(items) => Some(items.to_vec()),
        EditOp::Set(_) | EditOp::Prepend(_) | EditOp::Remove => None,
    }
}

fn bit(at: usize) -> Option<Fills> {
    u32::try_from(at).ok().and_then(|at| Fills::checked_shl(1, at))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controls::{Check, Configured, Control};
    use crate::evaluate::{Context, Disposition, evaluate};
    use crate::finding::{Found, Sink};
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
    fn policy(mode: Mode, check: impl Check + 'static) -> SecurityPolicy {
        let control = Control::named("readOnlyRootFilesystem").expect("a control");
        let configured =
            Configured { check: Arc::new(check), parameters: serde_json::json!({"fillIn": true}) };
        let controls = [Arc::new(ActiveControl::extended(control, configured, None, mode, None))].into();
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
            (vec![fs_group(Fix::one_of(&["1"])), fs_group(id(1))], group, &[false, true]),
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
            let (found, all) = filled_in(&enforce(asked.clone()));
            assert!(found == edits && all == covered, "{asked:?}: {found:?} {all:?}");
        }
    }

    /// Several changes of one field are one fix: all of them or none.
    #[test]
    fn items_are_added_together() {
        let several = |list: &'static str, items: &[&'static str]| {
            let at = ContainerRef { kind: ContainerKind::Regular, index: 0, name: "a" };
            let edit = |item: &&str| Edit::new(Subject::Container(at), list, EditOp::append_text(item));
            let edits = items.iter().map(edit).collect();
            of_containers("list", Fix::Edits { edits, safety: Safety::Default })
        };
        let one = |asks| filled_in(&[policy(Mode::Enforce, asks)]);
        // The fix names the first container alone, so the other is not fixed.
        assert_eq!(
            one(several("list", &["a", "b"])),
            (vec!["spec.containers[0].list: add a, b".to_owned()], vec![false])
        );
        assert_eq!(one(several("elsewhere", &["a", "b"])), (vec![], vec![false]));
    }

    /// A control that asks for a user from the least to the most, and may have one filled in.
    #[derive(Debug, Clone, Copy)]
    struct Users {
        least: i64,
        most: i64,
        default: Option<i64>,
    }

    impl Check for Users {
        fn check<'p>(&'p self, CheckedPod { pod, .. }: CheckedPod<'p>, sink: &mut Sink<'_, 'p>) {
            let Self { least, most, default } = *self;
            for (at, container) in pod.containers() {
                let user = pod.user_of(container);
                if user.is_some_and(|user| (least..=most).contains(&user)) {
                    continue;
                }
                let fix = match (user, default) {
                    (None, Some(id)) => Fix::fill_in(Value::Integer(id), true),
                    _ => Fix::Range { least, most },
                };
                let found = user.map_or(Found::Absent, Found::Integer);
                sink(Finding::new(Subject::Container(at), "securityContext.runAsUser", found, fix));
            }
        }
    }

    /// What a control finds where another fills in something else is fixed if the control takes that for as good.
    #[test]
    fn a_control_is_asked_about_what_others_fill_in() {
        let users = |least, most, default| Users { least, most, default };
        let first = users(1000, 1999, Some(1000));
        for (other, modes, covered) in [
            (users(500, 2999, Some(500)), [Mode::Enforce; 2], [true, true]),
            (users(500, 2999, None), [Mode::Enforce; 2], [true, true]),
            (users(1500, 2999, Some(1500)), [Mode::Enforce; 2], [true, false]),
            (users(1500, 2999, None), [Mode::Enforce; 2], [true, false]),
            (users(500, 2999, None), [Mode::Warn, Mode::Enforce], [true, false]),
            (users(500, 2999, None), [Mode::Enforce, Mode::Warn], [true, true]),
            (users(1500, 2999, Some(1500)), [Mode::Enforce, Mode::Warn], [true, false]),
            (users(1500, 2999, Some(1500)), [Mode::Warn, Mode::Enforce], [true, true]),
            (users(2500, 2999, Some(2500)), [Mode::Warn, Mode::Enforce], [false, true]),
        ] {
            let [mode, of_other] = modes;
            let (_, found) = filled_in(&[policy(mode, first), policy(of_other, other)]);
            assert_eq!(found, covered, "{other:?} {modes:?}");
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
        // For each container a change of each list.
        assert_eq!((edits.len(), covered.iter().filter(|is_covered| **is_covered).count()), (2 * 26, 128));
        assert_eq!(covered.iter().position(|is_covered| !is_covered), Some(128));
    }
}
