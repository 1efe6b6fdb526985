//! A template, as far as it is written → what the policies say of the pods that will be made of it: for the linter and the
//! webhook alike.
//!
//! What is forbidden is refused wherever it is written. What is missing is refused only where nobody else can add it; else
//! the verdict is open, and says what it needs. A value that is not known (a placeholder, or something of the wrong type) is
//! neither: the rest is judged as if it were the best that it can be, so that what is found is found whatever it becomes.

mod best;
mod field_pattern;
mod injected;
mod judged_part;
mod unknown;

use crate::controls::{Control, Grants, MissingRole, PodOrigin};
use crate::evaluate::{Context, Disposition, ExceptionInDoubt, Verdict, evaluate_whole};
use crate::finding::{Finding, Found, Subject};
use crate::json::Reader;
use crate::path::Path;
use crate::pod::Pod;
use crate::policy::{SecurityPolicy, Standing};
use crate::text::{Printable, printable, quoted};
use crate::workload::{Part, Shape, Template, Unresolved, UnresolvedReason};
use crate::yaml::{Node, Span};

pub use injected::{InjectedOutcome, assess_injected};
pub use judged_part::judged_part;
use unknown::Known;

/// Why a template is not judged of which the linter has replaced so much that it gave up.
const TOO_MANY_FAULTS: &str =
    "too many of its values are of the wrong type to judge the rest; mend them first";
/// Longest path in a sentence, in characters.
const LONGEST_PATH: usize = 200;
/// The fields that a pod's own security context can set, for its containers or for itself.
const OF_POD_LEVEL: [&str; 10] = [
    "runAsNonRoot",
    "runAsUser",
    "runAsGroup",
    "fsGroup",
    "supplementalGroups",
    "supplementalGroupsPolicy",
    "seccompProfile",
    "seLinuxOptions",
    "windowsOptions",
    "appArmorProfile",
];

/// A template with what the policies say of it.
pub struct Assessed<'v, 'p> {
    /// The pod, as far as it is written.
    pub pod: &'v Pod<'p>,
    /// What the policies say of that.
    pub verdict: Verdict<'v>,
    /// What the verdict lacks.
    pub unresolved: Vec<Unresolved>,
    /// What follows where a field is absent.
    part: Part,
    known: Option<&'v Known>,
    is_namespace_known: bool,
    in_doubt: &'v [ExceptionInDoubt<'v>],
}

/// Judges a template by the policies that hold where its pods come from, and hands over what came of it; without a verdict
/// where nothing is there to be judged.
pub fn assess<R>(
    template: &Template<'_>,
    (policies, origin): (&[&SecurityPolicy], PodOrigin<'_>),
    is_gate: bool,
    describe: impl FnOnce(Result<Assessed<'_, '_>, Vec<Unresolved>>) -> R,
) -> R {
    if policies.is_empty() {
        // Nobody asks, whatever is elsewhere.
        return describe(Err(Vec::new()));
    }
    let mut unresolved = template.unresolved.clone();
    let Some(written) = template.pod.as_deref() else {
        return describe(Err(at_least_one(unresolved, template, "nothing of its pod is written here")));
    };
    let known = Known::of(written, &fields_of(policies), is_gate);
    unresolved.extend(known.unknown.iter().map(|unknown| unknown.unresolved(template, written)));
    let read = Reader::new(&known.json).and_then(|mut reader| {
        if is_gate {
            reader = reader.refusing_misspelt_case();
        }
        Pod::read(&mut reader)
    });
    let Ok(mut pod) = read else {
        return describe(Err(at_least_one(unresolved, template, TOO_MANY_FAULTS)));
    };
    judge((template, written), (policies, origin), &mut pod, (unresolved, Some(&known)), |assessed| {
        describe(Ok(assessed))
    })
}

/// What is missing of a template that cannot be judged: never nothing, which would allow it.
fn at_least_one(
    mut unresolved: Vec<Unresolved>,
    template: &Template<'_>,
    otherwise: &str,
) -> Vec<Unresolved> {
    if unresolved.is_empty() {
        let path = &template.path;
        let nowhere = Node::object(Span { start: 0, end: 0, line: 1, column: 1 }, []);
        let written = template.pod.as_deref().unwrap_or(&nowhere);
        let text = format!("{}: {otherwise}", printable(&path.to_string(), LONGEST_PATH));
        let mut entry = Unresolved::new(written, &Path::root(), UnresolvedReason::WrongType, text);
        entry.path = path.to_string();
        unresolved.push(entry);
    }
    unresolved
}

/// Judges a template whose pod was read already, and in which every value is known.
pub fn assess_pod<R>(
    (template, written): (&Template<'_>, &Node),
    (policies, origin): (&[&SecurityPolicy], PodOrigin<'_>),
    pod: &mut Pod<'_>,
    describe: impl FnOnce(Assessed<'_, '_>) -> R,
) -> R {
    let unresolved = if policies.is_empty() { Vec::new() } else { template.unresolved.clone() };
    judge((template, written), (policies, origin), pod, (unresolved, None), describe)
}

fn judge<R>(
    (template, written): (&Template<'_>, &Node),
    (policies, origin): (&[&SecurityPolicy], PodOrigin<'_>),
    pod: &mut Pod<'_>,
    (mut unresolved, known): (Vec<Unresolved>, Option<&Known>),
    describe: impl FnOnce(Assessed<'_, '_>) -> R,
) -> R {
    // The API server does so with every pod, before anything judges it.
    pod.apply_server_defaults();
    pod.set_controller(origin.controller);
    if !policies.is_empty() {
        unresolved.extend(missing_parts(template, written, pod));
    }
    let is_whole = unresolved.iter().all(|entry| entry.reason.leaves_rest_whole());
    let part = if is_whole { template.part } else { Part::Overlay };
    let verdict = evaluate_whole(policies.iter().copied(), pod, Context { origin, ..Context::CREATE });
    let is_namespace_known = origin.annotations.is_some();
    let in_doubt = &verdict.exceptions_in_doubt();
    let mut assessed = Assessed { pod, verdict, unresolved, part, known, is_namespace_known, in_doubt };
    assessed.add_what_is_elsewhere(template, written);
    assessed.add_namespace(template, written);
    assessed.add_exceptions(template, written, origin);
    describe(assessed)
}

impl<'v> Assessed<'v, '_> {
    /// Whether somebody else may still add what this finds to be missing, or the value that it found is not known.
    #[must_use]
    pub fn is_open(&self, control: &Control, finding: &Finding<'_>) -> bool {
        self.openness().is_open(control, finding)
    }

    /// What the policies say of what is not open.
    #[must_use]
    pub fn closed_verdict(self) -> Verdict<'v> {
        let openness = self.openness();
        self.verdict.without(|active, finding, disposition| {
            disposition != Disposition::FilledIn && openness.is_open(active.control, finding)
        })
    }

    /// The same, to be kept.
    #[must_use]
    pub fn openness(&self) -> Openness<'v> {
        let Self { part, known, is_namespace_known, in_doubt, .. } = *self;
        Openness { part, known, is_namespace_known, in_doubt }
    }

    /// Says that the verdict needs the Namespace, where a control goes by its annotations and it is not known.
    fn add_namespace(&mut self, template: &Template<'_>, written: &Node) {
        let of_namespace = |finding: &Finding<'_>| match finding.subject {
            Subject::Namespace(name) => Some(name.to_owned()),
            Subject::Pod | Subject::Container(_) | Subject::Volume(..) | Subject::Metadata => None,
        };
        let mut open = self.verdict.judged().filter(|judged| self.is_open(judged.control(), judged.finding));
        let Some(name) = open.find_map(|judged| of_namespace(judged.finding)) else { return };
        let at = |text| template.unknown(written, &Path::root(), UnresolvedReason::Reference, text);
        let entry = if name.is_empty() {
            let text = "annotations of its namespace say which ids it may have, and that is not known: give it with \
                        -n NAMESPACE";
            Unresolved { is_known: true, ..at(text.to_owned()) }
        } else {
            let text =
                format!("needs Namespace {}: its annotations say which ids it may have", Printable(&name));
            at(text).about("Namespace", &name)
        };
        self.unresolved.push(entry);
    }

    /// Says what the verdict needs to know, where an exception depends on what RBAC grants, or on who makes the pods.
    fn add_exceptions(&mut self, template: &Template<'_>, written: &Node, origin: PodOrigin<'_>) {
        let mut named: Vec<&str> = Vec::new();
        for ExceptionInDoubt { exception, standing, .. } in self.in_doubt {
            let name = exception.name.as_ref();
            if named.contains(&name) {
                continue;
            }
            named.push(name);
            let at = |text| template.unknown(written, &Path::root(), UnresolvedReason::Reference, text);
            self.unresolved.push(if *standing == Standing::ControllerUnknown {
                let text = "which controller makes its pods is not known before it does";
                let entry = at(format!("{text}: the exception {name} is for those of some alone"));
                Unresolved { is_known: true, ..entry }
            } else {
                let entry = at(needed_for_grant(origin, origin.account_of(self.pod), name));
                entry.about("RoleBinding", "")
            });
        }
    }

    /// Says what the verdict needs: where it is open only for what is missing, or cannot be whole at all.
    fn add_what_is_elsewhere(&mut self, template: &Template<'_>, written: &Node) {
        if self.part == Part::Whole || !self.unresolved.is_empty() {
            return;
        }
        let open = self
            .verdict
            .judged()
            .filter(|judged| !judged.is_filled_in() && self.is_open(judged.control(), judged.finding));
        let mut fields: Vec<String> = open.map(|judged| judged.finding.path.to_string()).collect();
        fields.sort_unstable();
        fields.dedup();
        let text = match (self.part, fields.is_empty()) {
            (Part::WithoutPodLevel, true) => return,
            (Part::WithoutPodLevel, false) => format!(
                "{} may come from the pod's own security context, which this kind has no place for",
                fields.join(", ")
            ),
            _ => "it is merged into a pod that is elsewhere".to_owned(),
        };
        let path = template.places.locate(written, &Path::from_keys(["spec"]));
        let mut entry = Unresolved::new(written, &Path::root(), UnresolvedReason::Fragment, text);
        entry.path = template.path.to_string();
        (entry.line, entry.column) = (path.span.line, path.span.column);
        self.unresolved.push(entry);
    }
}

/// What is needed to tell whether an account may use an exception.
fn needed_for_grant(origin: PodOrigin<'_>, account: &str, exception: &str) -> String {
    let missing = match origin.grants {
        Grants::ToldBy(source) => source.missing_role(origin.namespace, account),
        Grants::Known(_) | Grants::Unknown(_) => None,
    };
    let account = Printable(account);
    let needed = match missing {
        Some(MissingRole { namespace, binding, kind, role }) if !role.is_empty() => {
            let of = if namespace.is_empty() { "ClusterRoleBinding" } else { "RoleBinding" };
            format!(
                "the {kind} {}, which the {of} {} names for {account}",
                Printable(role),
                Printable(binding)
            )
        }
        Some(_) | None => format!("the Roles and RoleBindings of {account}"),
    };
    format!("needs {needed}: whether it may use the exception {exception}")
}

/// Which findings are open.
#[derive(Clone, Copy)]
pub struct Openness<'k> {
    part: Part,
    known: Option<&'k Known>,
    is_namespace_known: bool,
    in_doubt: &'k [ExceptionInDoubt<'k>],
}

impl Openness<'_> {
    /// Whether any finding may be.
    #[must_use]
    pub fn is_any_open(self) -> bool {
        self.part != Part::Whole
            || self.known.is_some_and(Known::has_unknown)
            || !self.is_namespace_known
            || !self.in_doubt.is_empty()
    }

    /// Whether somebody else may still add what this finds to be missing, or the value that it found is not known.
    #[must_use]
    pub fn is_open(self, control: &Control, finding: &Finding<'_>) -> bool {
        let is_missing = finding.found == Found::Absent;
        let may_be_elsewhere = match self.part {
            Part::Whole => false,
            Part::WithoutPodLevel => is_of_pod_level(finding),
            Part::Overlay => true,
        };
        let is_of_namespace = matches!(finding.subject, Subject::Namespace(_));
        let is_in_doubt = || {
            let path = finding.whole_path();
            self.in_doubt.iter().any(|unknown| unknown.control == control && unknown.path == path)
        };
        is_missing && may_be_elsewhere
            || !self.in_doubt.is_empty() && is_in_doubt()
            || is_of_namespace && !self.is_namespace_known
            || self.known.is_some_and(|known| known.is_unknown(&finding.whole_path()))
    }
}

fn is_of_pod_level(finding: &Finding<'_>) -> bool {
    finding
        .path
        .steps()
        .nth(1)
        .is_some_and(|step| step.as_key().is_some_and(|key| OF_POD_LEVEL.contains(&key)))
}

/// The fields that the controls of these policies look at, as their documentation has them.
fn fields_of(policies: &[&SecurityPolicy]) -> Vec<&'static str> {
    let controls = policies.iter().flat_map(|policy| policy.controls());
    let mut fields: Vec<&'static str> =
        controls.flat_map(|active| active.control.doc.fields).copied().collect();
    fields.sort_unstable();
    fields.dedup();
    fields
}

/// What a template lacks to be a pod.
fn missing_parts(template: &Template<'_>, written: &Node, pod: &Pod<'_>) -> Vec<Unresolved> {
    let at = |path: Path<'_>, reason, text| template.unknown(written, &path, reason, text);
    let mut missing = Vec::new();
    let spec = Path::from_keys(["spec"]);
    let is_empty = match template.part {
        Part::Whole => pod.spec.containers.is_empty(),
        Part::WithoutPodLevel => pod.containers().next().is_none(),
        Part::Overlay => false,
    };
    if is_empty {
        let path = spec.clone().key("containers");
        let text = format!("no {}", template.places.locate(written, &path).field);
        missing.push(at(path, UnresolvedReason::NoContainers, text));
    }
    if template.shape != Shape::Patch {
        for (container, read) in pod.containers().filter(|(_, container)| container.image.is_empty()) {
            let path = spec.clone().key(container.kind.list()).index(container.index);
            let text = format!("container {} has no image", quoted(&read.name));
            missing.push(at(path, UnresolvedReason::Fragment, text));
        }
    }
    missing
}
