//! The refusal: what the user reads whose pod is refused.
//!
//! The first line makes sense alone, since some tools show no more; then one line for each change that the user has to make,
//! with the value that was found and the shortest legal one. ASCII only.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use crate::evaluate::code::code;
use crate::evaluate::control_findings::ControlFindings;
use crate::evaluate::group::{findings_of, group_judged, keep_narrower, narrow, order};
use crate::evaluate::message::{Line, containers_of, line};
use crate::evaluate::tally::Tally;
use crate::evaluate::verdict::{Disposition, Judged, JudgedControl, Severity, Verdict};
use crate::finding::Sink;
use crate::pod::Pod;
use crate::policy::{ActiveControl, SecurityPolicy};
use crate::text::{Printable, counted};

/// Most lines of changes in a refusal; a terminal shows them with the lines around them.
const MOST_LINES: usize = 12;
/// Most findings of a control, in all rules, that lines are made from if not all were kept: each line names a few
/// containers and a count.
const MOST_SHOWN: usize = 64;
/// Longest first line before the code: event lists and web pages cut it there.
const LONGEST_HEADLINE: usize = 120;
/// Longest list of policies that is shown in it.
const LONGEST_POLICIES: usize = 50;

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
}

/// The text of a refusal, and its code.
#[derive(Debug)]
pub struct Refusal {
    /// The whole text, its lines separated by newlines.
    pub message: String,
    /// The code of the controls that were violated.
    pub code: String,
}

impl Refusal {
    /// Puts a verdict that denies into words.
    #[must_use]
    pub fn new<'p>(subject: Subject<'_>, pod: &'p Pod<'_>, verdict: &Verdict<'p>) -> Self {
        let denied = findings_of(verdict, Severity::Deny);
        let (filled, mut changes): (Vec<_>, Vec<_>) = denied.iter().partition(|judged| judged.is_filled_in());
        // Those that were kept may be filled in, and others not.
        let remaining = if verdict.is_cut() { remaining(verdict, pod) } else { Vec::new() };
        if verdict.is_cut() {
            changes = narrow(remaining.iter().flat_map(Remaining::judged), |judged| judged, keep_narrower);
        }
        let is_lazy = changes.is_empty();
        if is_lazy {
            changes.clone_from(&filled);
        }
        let code = code(denied.iter().map(Judged::control));
        let groups = group_judged(&changes);
        let tally = verdict.is_cut().then(|| tally(verdict, pod, is_lazy));
        let count = tally.as_ref().map_or(groups.len(), Tally::changes);
        let mut message = headline(subject, &policy_names(verdict), count);
        message.push_str(&format!("  [code {code}]"));
        push_lines(&mut message, pod, &groups, tally.as_ref());
        if is_lazy {
            message.push_str(
                "\n  podgate fills these in by itself, but its mutating webhook has not seen this pod",
            );
        } else if verdict.is_cut() && verdict.defaults().containers() > 0 {
            let containers = verdict.defaults().containers();
            let _ = write!(
                message,
                "\n  what {containers} containers leave out is filled in for you when the rest is fixed"
            );
        } else if !filled.is_empty() {
            push_filled(&mut message, pod, &filled);
        }
        let _ = write!(
            message,
            "\nCheck locally:  podgate lint FILE        Why and how:  podgate explain {code}"
        );
        for contact in contacts(verdict) {
            let _ = write!(message, "\nNeed an exception?  ask {contact}");
        }
        Self { message, code }
    }
}

/// The findings of a control that remain once defaults are filled in.
struct Remaining<'p> {
    active: &'p ActiveControl,
    findings: ControlFindings<'p>,
}

impl<'p> Remaining<'p> {
    fn judged(&self) -> impl Iterator<Item = Judged<'_, 'p>> {
        self.findings.kept().iter().map(|finding| Judged {
            active: self.active,
            finding,
            disposition: Disposition::Denied,
        })
    }
}

/// The controls that refuse the pod, with their policies.
fn denying<'v, 'p>(
    verdict: &'v Verdict<'p>,
) -> impl Iterator<Item = (&'p SecurityPolicy, &'v JudgedControl<'p>)> {
    verdict.controls().filter(|(_, control)| control.active.actions.deny)
}

/// For each control that refuses the pod, the findings that remain once defaults are filled in.
fn remaining<'p>(verdict: &Verdict<'p>, pod: &'p Pod<'_>) -> Vec<Remaining<'p>> {
    let is_refusing = |control: &JudgedControl<'_>| control.active.actions.deny;
    let rules =
        verdict.violations.iter().filter(|violation| violation.controls.iter().any(is_refusing)).count();
    let most = (MOST_SHOWN / rules.max(1)).max(1);
    denying(verdict)
        .filter_map(|(_, control)| {
            let active = control.active;
            let check = |sink: &mut Sink<'_, 'p>| verdict.check_remaining(active, pod, sink);
            let findings = ControlFindings::of(active.control, check, most)?;
            Some(Remaining { active, findings })
        })
        .collect()
}

/// Counts every finding that refuses the pod: those that remain, or all of them if none does.
fn tally<'p>(verdict: &Verdict<'p>, pod: &'p Pod<'_>, is_lazy: bool) -> Tally {
    let mut tally = Tally::default();
    for (_, control) in denying(verdict) {
        let active = control.active;
        if is_lazy {
            active.check(pod, &mut |finding| tally.add(active, &finding));
        } else {
            verdict.check_remaining(active, pod, &mut |finding| tally.add(active, &finding));
        }
    }
    tally
}

fn policy_names(verdict: &Verdict<'_>) -> String {
    let mut names: Vec<String> = Vec::new();
    for (policy, _) in denying(verdict) {
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

fn contacts<'p>(verdict: &Verdict<'p>) -> BTreeSet<&'p str> {
    denying(verdict).filter_map(|(policy, _)| policy.contact.as_deref()).collect()
}

/// `Pod "a" (owner: Job/b) was refused: 2 changes needed to meet "p" in namespace n.`
fn headline(subject: Subject<'_>, policies: &str, changes: usize) -> String {
    let changes = counted(changes, "change");
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

fn push_lines(message: &mut String, pod: &Pod<'_>, groups: &[Vec<Judged<'_, '_>>], tally: Option<&Tally>) {
    let containers = |group: &[Judged<'_, '_>]| Some(tally?.containers(group.first()?));
    let to_line = |group: &Vec<Judged<'_, '_>>| line(pod, group, containers(group).unwrap_or_default());
    let lines: Vec<Line> = groups.iter().take(MOST_LINES).filter_map(to_line).collect();
    let width = |of: fn(&Line) -> &str| lines.iter().map(|line| of(line).len()).max().unwrap_or_default();
    let subject_width = width(|line| &line.subject);
    let field_width = width(|line| &line.field);
    let found_width = width(|line| &line.found).min(32);
    for Line { subject, field, found, fix } in &lines {
        let _ = write!(message, "\n  {subject:subject_width$}  ");
        if field_width > 0 {
            let _ = write!(message, "{field:field_width$}  ");
        }
        let _ = write!(message, "{found:found_width$}  -> {fix}");
    }
    let more = tally.map_or(groups.len(), Tally::changes).saturating_sub(lines.len());
    if more > 0 {
        let _ = write!(message, "\n  and {more} more; podgate lint shows them all");
    }
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
        let containers = containers_of(pod, containers, 0);
        let _ = write!(
            message,
            "\n  {containers}  {fields}  not set -> filled in for you when the rest is fixed"
        );
    }
    if by_fields.len() > MOST {
        message.push_str("\n  and what other containers leave out is filled in likewise");
    }
}
