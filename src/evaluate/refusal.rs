//! The refusal: what the user reads whose pod is refused.
//!
//! The first line makes sense alone, since some tools show no more; then one line for each change that the user has to make,
//! with the value that was found and the shortest legal one. ASCII only.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::evaluate::closing::{contacts, distinct, explanations, lint_command};
use crate::evaluate::code::code;
use crate::evaluate::control_findings::ControlFindings;
use crate::evaluate::disposition::{Disposition, Severity};
use crate::evaluate::existing::{ExistingPod, PodPart};
use crate::evaluate::group::{code_of, group_judged, keep_narrower, narrow, order};
use crate::evaluate::injected::injector_of;
use crate::evaluate::layout::{push_item, push_note, push_text};
use crate::evaluate::message::{push_containers, push_fault, push_fix};
use crate::evaluate::tally::Tally;
use crate::evaluate::verdict::{Judged, JudgedControl, Verdict};
use crate::finding::Sink;
use crate::pod::Pod;
use crate::policy::{ActiveControl, SecurityPolicy};
use crate::text::{Printable, counted, printable};

/// Most lines of changes in a refusal; a terminal shows them with the lines around them.
const MOST_LINES: usize = 12;
/// Most findings of a control, in all rules, that lines are made from if not all were kept: each line names a few
/// containers and a count.
const MOST_SHOWN: usize = 64;
/// Room for a usual refusal, and for one of its lines.
const USUAL_MESSAGE: usize = 2048;
const USUAL_LINE: usize = 256;
/// Longest first line before the code: event lists and web pages cut it there.
const LONGEST_HEADLINE: usize = 120;
/// Longest list of policies that is shown in it.
const LONGEST_POLICIES: usize = 50;

/// Longest path of a template that is shown, in characters.
const LONGEST_TEMPLATE: usize = 200;

/// What a refusal is about.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'s> {
    /// The kind: `Pod`.
    pub kind: &'s str,
    /// The name, or what a generated name begins with; may be empty.
    pub name: &'s str,
    /// The controller that created it, as kind and name.
    pub owner: Option<(&'s str, &'s str)>,
    /// The namespace; may be empty.
    pub namespace: &'s str,
    /// The path of the pod's template in it; empty for a pod.
    pub template: &'s str,
    /// How many changes its other templates need.
    pub elsewhere: usize,
}

/// The text of a refusal, and its code.
#[derive(Debug)]
pub struct Refusal {
    /// The whole text, its lines separated by newlines.
    pub message: String,
    /// The code of the controls that were violated.
    pub code: String,
    /// How many changes this pod needs.
    pub changes: usize,
}

impl Refusal {
    /// Puts a verdict that denies into words, about a new pod or an update of one that was `existing`. Beside the verdict are
    /// its [findings](crate::evaluate::findings_of) that deny.
    #[must_use]
    pub fn new<'p>(
        subject: Subject<'_>,
        pod: &'p Pod<'_>,
        (verdict, denied): (&Verdict<'p>, &[Judged<'_, 'p>]),
        existing: Option<&ExistingPod<'_>>,
    ) -> Self {
        // First, as it takes room of its own for as long as it counts.
        let code_of_all = verdict.is_cut().then(|| code_of(verdict, Severity::Deny));
        let (filled, mut changes): (Vec<_>, Vec<_>) = denied.iter().partition(|judged| judged.is_filled_in());
        // Those that were kept may be filled in, and others not.
        let remaining = if verdict.is_cut() { remaining(verdict) } else { Vec::new() };
        if verdict.is_cut() {
            changes = narrow(remaining.iter().flat_map(Remaining::judged), |judged| judged, keep_narrower);
        }
        let is_lazy = changes.is_empty();
        if is_lazy {
            changes.clone_from(&filled);
        }
        let code = code_of_all.unwrap_or_else(|| code(changes.iter().map(Judged::control)));
        let parts =
            Parts { pod, existing, tally: verdict.is_cut().then(|| tally(verdict, existing, is_lazy)) };
        let groups = parts.groups(&changes);
        let count = parts.tally.as_ref().map_or(groups.len(), Tally::changes);
        let policies = distinct(denying(verdict, is_lazy).map(|(policy, _)| policy));
        let mut message = String::with_capacity(USUAL_MESSAGE);
        message.push_str(&headline(subject, &policy_names(&policies), count + subject.elsewhere, is_lazy));
        let _ = write!(message, "  [code {code}]");
        if !subject.template.is_empty() {
            let template = printable(subject.template, LONGEST_TEMPLATE);
            push_text(&mut message, &format!("in the pods of {template}:"));
        }
        parts.push_lines(&mut message, &groups);
        if is_lazy {
            push_note(
                &mut message,
                "podgate fills these in by itself, but its mutating webhook has not seen this pod, or a later webhook \
                 took them off again: ask the cluster's administrator (podgate doctor), or set them yourself",
            );
        } else if verdict.is_cut() && !verdict.defaults().is_empty() {
            push_text(&mut message, &filled_in_later(verdict.defaults().containers()));
        } else if !filled.is_empty() {
            push_filled(&mut message, pod, &filled);
        }
        for line in verdict.failed_exceptions() {
            push_note(&mut message, &line);
        }
        let is_injected = |judged: &Judged<'_, '_>| injector_of(judged.finding.subject).is_some();
        // Where the linter would not say the same, nobody is sent there: it knows neither what was there before nor what
        // others have put into the pod.
        if existing.is_none() && !is_lazy && !pod.is_mirror() && !changes.iter().all(is_injected) {
            let _ = write!(message, "\nCheck locally:  {}", lint_command(&policies));
        }
        for explanation in explanations(&policies, &code) {
            let _ = write!(message, "\nWhy and how:  {explanation}");
        }
        for contact in contacts(&policies) {
            let _ = write!(message, "\nQuestions?  ask {contact}");
        }
        Self { message, code, changes: count }
    }
}

/// What the lines of a refusal are made from.
struct Parts<'r, 'p, 'a> {
    pod: &'p Pod<'a>,
    existing: Option<&'r ExistingPod<'r>>,
    /// Every finding, counted, where not all were kept.
    tally: Option<Tally>,
}

impl Parts<'_, '_, '_> {
    fn part(&self, judged: &Judged<'_, '_>) -> PodPart {
        PodPart::of(self.existing, judged.finding)
    }

    /// The changes: a group of findings for each. What violates anything in ephemeral containers that were there before is
    /// one group, since one change undoes it.
    fn groups<'v, 'p>(&self, changes: &[Judged<'v, 'p>]) -> Vec<Vec<Judged<'v, 'p>>> {
        let is_old = |judged: &&Judged<'_, '_>| self.part(judged) == PodPart::OldEphemeral;
        let (old, others): (Vec<Judged<'v, 'p>>, Vec<Judged<'v, 'p>>) =
            changes.iter().partition(|judged| is_old(judged));
        let mut groups = group_judged(&others, self.existing);
        groups.extend(Some(old).filter(|old| !old.is_empty()));
        groups
    }

    fn push_lines(&self, message: &mut String, groups: &[Vec<Judged<'_, '_>>]) {
        // Each line's parts are put together here, as their length decides where they go.
        let mut parts = String::with_capacity(USUAL_LINE);
        let shown = groups.iter().take(MOST_LINES);
        let more = self.tally.as_ref().map_or(groups.len(), Tally::changes).saturating_sub(shown.len());
        shown.for_each(|group| self.push_line(message, &mut parts, group));
        if more > 0 {
            push_text(message, &format!("and {more} more"));
        }
        let has = |part, in_standard_alone: bool| {
            groups.iter().flatten().any(|judged| {
                self.part(judged) == part && (!in_standard_alone || judged.control().level().is_some())
            })
        };
        if has(PodPart::Existing, false) {
            push_note(
                message,
                "this pod exists already, and these fields cannot be changed: recreate the pod",
            );
        }
        if self.existing.is_some() && has(PodPart::Changeable, true) {
            push_note(
                message,
                "kubectl debug --profile=restricted makes such a container, with an image that does not run as root",
            );
        }
    }

    fn push_line(&self, message: &mut String, parts: &mut String, group: &[Judged<'_, '_>]) {
        let Some(judged) = group.first() else { return };
        let part = self.part(judged);
        parts.clear();
        if part == PodPart::OldEphemeral {
            push_containers(parts, self.pod, group, 0);
            let was = if parts.starts_with("ephemeral container ") { "was" } else { "were" };
            let fields = field_list(group);
            let _ = write!(parts, " {was} there before this request and cannot be changed ({fields})");
            return push_item(message, parts, "recreate the pod");
        }
        let containers = self.tally.as_ref().map_or(0, |tally| tally.containers(judged, part));
        push_fault(parts, self.pod, group, containers);
        let fault = parts.len();
        push_fix(parts, judged);
        if let Some((fault, fix)) = parts.split_at_checked(fault) {
            push_item(message, fault, fix);
        }
    }
}

/// The fields of findings, each once: `capabilities.drop, runAsNonRoot`.
fn field_list(findings: &[Judged<'_, '_>]) -> String {
    let mut fields: Vec<String> = Vec::new();
    for judged in findings {
        let path = judged.finding.path.before_index().to_string();
        let field = path.strip_prefix("securityContext.").unwrap_or(&path);
        if fields.len() < MOST_LINES && !fields.iter().any(|known| known == field) {
            fields.push(field.to_owned());
        }
    }
    fields.join(", ")
}

/// The findings of a control that remain once defaults are filled in.
struct Remaining<'p> {
    policy: &'p SecurityPolicy,
    active: &'p ActiveControl,
    findings: ControlFindings<'p>,
}

impl<'p> Remaining<'p> {
    fn judged(&self) -> impl Iterator<Item = Judged<'_, 'p>> {
        self.findings.kept().iter().map(|finding| Judged {
            policy: self.policy,
            active: self.active,
            finding,
            disposition: Disposition::Denied,
        })
    }
}

/// The controls that refuse the pod, with their policies: those that its author has to satisfy or, if there is nothing to
/// do for them, all.
fn denying<'v, 'p>(
    verdict: &'v Verdict<'p>,
    is_lazy: bool,
) -> impl Iterator<Item = (&'p SecurityPolicy, &'v JudgedControl<'p>)> {
    let is_denying = move |control: &JudgedControl<'_>| is_lazy || control.remains();
    verdict.controls().filter(move |(_, control)| control.active.actions.deny && is_denying(control))
}

/// For each control that refuses the pod, the findings that remain once defaults are filled in.
fn remaining<'p>(verdict: &Verdict<'p>) -> Vec<Remaining<'p>> {
    let is_refusing = |control: &JudgedControl<'_>| control.active.actions.deny;
    let rules =
        verdict.violations.iter().filter(|violation| violation.controls.iter().any(is_refusing)).count();
    let most = (MOST_SHOWN / rules.max(1)).max(1);
    denying(verdict, false)
        .filter_map(|(policy, control)| {
            let active = control.active;
            let check = |sink: &mut Sink<'_, 'p>| verdict.check_remaining(policy, active, sink);
            let findings = ControlFindings::of(active.control, check, most)?;
            Some(Remaining { policy, active, findings })
        })
        .collect()
}

/// Counts every finding that refuses the pod: those that remain, or all of them if none does.
fn tally<'p>(verdict: &Verdict<'p>, existing: Option<&ExistingPod<'_>>, is_lazy: bool) -> Tally {
    let mut tally = Tally::default();
    for (policy, JudgedControl { active, .. }) in denying(verdict, is_lazy) {
        let mut add = |finding| tally.add(active, &finding, PodPart::of(existing, &finding));
        if is_lazy {
            active.check(verdict.checked, &mut add);
        } else {
            verdict.check_remaining(policy, active, &mut add);
        }
    }
    tally
}

fn policy_names(policies: &[&SecurityPolicy]) -> String {
    let mut names: Vec<String> = Vec::new();
    for policy in policies {
        let name = format!("\"{}\"", policy.name);
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let joined = names.join(" and ");
    if names.len() > 1 && joined.len() > LONGEST_POLICIES {
        format!("{} policies", names.len())
    } else {
        joined
    }
}

/// `Pod "a" (owner: Job/b) was refused: 2 changes needed to meet "p" in namespace n.`
///
/// Where nothing is to be done, it says how many defaults are missing: `Pod "a" was refused: 4 defaults of podgate missing, needed to meet "p".`
fn headline(subject: Subject<'_>, policies: &str, changes: usize, is_lazy: bool) -> String {
    let changes = if is_lazy {
        format!("{} of podgate missing,", counted(changes, "default"))
    } else {
        counted(changes, "change")
    };
    let namespace = match subject.namespace {
        "" => String::new(),
        namespace => format!(" in namespace {}", Printable(namespace)),
    };
    let short_end = format!(" was refused: {changes} needed to meet {policies}.");
    let end = format!("{}{namespace}.", short_end.trim_end_matches('.'));
    let name = named(subject);
    let owner = match subject.owner {
        Some((kind, owner)) => format!(" (owner: {}/{})", Printable(kind), Printable(owner)),
        None => String::new(),
    };
    let fits = |start: &str, end: &str| start.len() + end.len() <= LONGEST_HEADLINE;
    let (name_alone, with_owner) = (name.clone(), name + &owner);
    let candidates = [(&with_owner, &end), (&name_alone, &end), (&name_alone, &short_end)];
    if let Some((start, end)) = candidates.into_iter().find(|(start, end)| fits(start, end)) {
        return format!("{start}{end}");
    }
    let room = LONGEST_HEADLINE.saturating_sub(short_end.len() + subject.kind.len() + r#" "...""#.len());
    let name: String = Printable(subject.name).to_string().chars().take(room).collect();
    format!("{} \"{name}...\"{short_end}", subject.kind)
}

fn named(subject: Subject<'_>) -> String {
    match subject.name {
        "" => subject.kind.to_owned(),
        name => format!("{} \"{}\"", subject.kind, Printable(name)),
    }
}

/// What is said of all that is filled in, where not all of it is known.
fn filled_in_later(containers: usize) -> String {
    let whose = match containers {
        0 => "the pod leaves".to_owned(),
        containers => format!("{containers} containers leave"),
    };
    format!("what {whose} out is filled in for you when the rest is fixed")
}

/// What is filled in, so that nobody types it: a line for the containers that lack the same fields.
fn push_filled<'v, 'p>(message: &mut String, pod: &Pod<'_>, filled: &[Judged<'v, 'p>]) {
    /// More lines would say less than they cost.
    const MOST: usize = 4;
    let mut by_container: BTreeMap<_, Vec<Judged<'v, 'p>>> = BTreeMap::new();
    for judged in filled {
        by_container.entry(order(judged.finding.subject)).or_default().push(*judged);
    }
    let mut by_fields: Vec<(String, Vec<Judged<'v, 'p>>)> = Vec::new();
    for of_container in by_container.into_values() {
        let short = |judged: &Judged<'_, '_>| {
            let path = judged.finding.path.to_string();
            path.strip_prefix("securityContext.").map_or_else(|| path.clone(), str::to_owned)
        };
        let fields: Vec<String> = of_container.iter().map(short).collect();
        let fields = fields.join(", ");
        match by_fields.iter_mut().take(MOST).find(|(others, _)| *others == fields) {
            Some((_, containers)) => containers.extend(of_container),
            None => by_fields.push((fields, of_container)),
        }
    }
    for (fields, containers) in by_fields.iter().take(MOST) {
        let mut text = String::new();
        match containers.first().and_then(|judged| judged.finding.subject.container()) {
            Some(_) => push_containers(&mut text, pod, containers, 0),
            None => text.push_str("pod"),
        }
        let _ = write!(text, ": {fields} not set");
        push_item(message, &text, "filled in for you when the rest is fixed");
    }
    if by_fields.len() > MOST {
        push_text(message, "what other containers leave out is filled in likewise");
    }
}
