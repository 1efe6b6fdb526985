//! What a person reads of a verdict: the refusal, the warnings, the line of a linter.
//!
//! The first line of a refusal stands alone, as some tools show no more; then one line for each
//! change that the user has to make, with the value that was found and the shortest legal one.
//! ASCII only, and nothing of the pod but names and values of the fields that are at fault.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write as _;

use crate::controls::{Finding, Found, Printable, PrintableKey, Remedy};
use crate::evaluate::{Severity, Verdict, code};
use crate::pod::{ContainerKind, Field, Place, Pod};

/// Most lines of changes in a refusal; a terminal shows them with what stands around.
const MOST_LINES: usize = 12;
/// Longest first line before the code: event lists and web pages cut there.
const LONGEST_HEADLINE: usize = 120;
/// Longest list of policies that is shown in it.
const LONGEST_POLICIES: usize = 50;
/// Longest warning: what the Kubernetes documentation asks for.
const LONGEST_WARNING: usize = 120;
/// Most warnings: the API server cuts them all once they pass 4096 characters together.
const MOST_WARNINGS: usize = 30;

/// What a refusal is about.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'s> {
    /// The kind: `Pod`.
    pub kind: &'s str,
    /// The name, or what a generated name begins with; may be empty.
    pub name: &'s str,
    /// The controller that made it, as kind and name.
    pub owner: Option<(&'s str, &'s str)>,
    /// The namespace; may be empty.
    pub namespace: &'s str,
}

/// One change that mends one or more findings.
#[derive(Debug, PartialEq, Eq)]
pub struct Line {
    /// Whose field it is: `container "trainer"`; of the pod's own the field itself: `spec.hostIPC`.
    pub subject: String,
    /// The field of a container; else empty.
    pub field: String,
    /// What was found: `is true`.
    pub found: String,
    /// What to do: `remove it`.
    pub remedy: String,
}

/// The text of a refusal, and its code.
#[derive(Debug)]
pub struct Refusal {
    /// The whole text, lines apart by newlines.
    pub message: String,
    /// The code of the controls that were broken.
    pub code: String,
}

impl Refusal {
    /// Puts a verdict that denies into words.
    #[must_use]
    pub fn new(subject: Subject<'_>, pod: &Pod<'_>, verdict: &Verdict<'_>) -> Self {
        let denied = findings_of(verdict, Severity::Deny);
        let (filled, mut changes): (Vec<_>, Vec<_>) =
            denied.iter().copied().partition(|finding| verdict.is_repaired(finding));
        let is_lazy = changes.is_empty();
        if is_lazy {
            changes.clone_from(&filled);
        }
        let code = code(denied.iter().map(|finding| finding.control));
        let groups = groups(&changes);
        let mut message = headline(subject, &policy_names(verdict), groups.len());
        message.push_str(&format!("  [code {code}]"));
        push_lines(&mut message, pod, &groups);
        if is_lazy {
            message.push_str(
                "\n  podgate fills these in by itself, but its mutating webhook has not seen this pod",
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

/// The findings of one severity, each place once: where two rules find the same, the narrower one.
#[must_use]
pub fn findings_of<'v, 'p>(verdict: &'v Verdict<'p>, severity: Severity) -> Vec<&'v Finding<'p>> {
    let mut findings: Vec<&Finding<'p>> = Vec::new();
    let mut at: HashMap<(Place<'p>, Field), usize> = HashMap::new();
    for (_, finding) in verdict.findings().filter(|(of, _)| *of == severity) {
        let index = *at.entry((finding.place, finding.field)).or_insert(findings.len());
        match findings.get_mut(index) {
            Some(other) if other.yields_to(finding) => *other = finding,
            Some(_) => {}
            None => findings.push(finding),
        }
    }
    findings
}

fn policy_names(verdict: &Verdict<'_>) -> String {
    let mut names: Vec<String> = Vec::new();
    for breach in verdict.breaches.iter().filter(|breach| breach.rule.actions.deny) {
        let name = format!("\"{}\"", breach.policy.name);
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
    verdict
        .breaches
        .iter()
        .filter(|breach| breach.rule.actions.deny)
        .filter_map(|breach| breach.policy.contact.as_deref())
        .collect()
}

/// `Pod "a" (owner: Job/b) was refused: 2 changes needed to meet "p" in namespace n.`
fn headline(subject: Subject<'_>, policies: &str, changes: usize) -> String {
    let plural = if changes == 1 { "change" } else { "changes" };
    let namespace = match subject.namespace {
        "" => String::new(),
        namespace => format!(" in namespace {}", Printable(namespace)),
    };
    let short_end = format!(" was refused: {changes} {plural} needed to meet {policies}.");
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

fn push_lines(message: &mut String, pod: &Pod<'_>, groups: &[Vec<&Finding<'_>>]) {
    let lines: Vec<Line> = groups.iter().take(MOST_LINES).filter_map(|group| line(pod, group)).collect();
    let width = |of: fn(&Line) -> &str| lines.iter().map(|line| of(line).len()).max().unwrap_or_default();
    let subject_width = width(|line| &line.subject);
    let field_width = width(|line| &line.field);
    let found_width = width(|line| &line.found).min(32);
    for Line { subject, field, found, remedy } in &lines {
        let _ = write!(message, "\n  {subject:subject_width$}  ");
        if field_width > 0 {
            let _ = write!(message, "{field:field_width$}  ");
        }
        let _ = write!(message, "{found:found_width$}  -> {remedy}");
    }
    if groups.len() > lines.len() {
        let _ = write!(message, "\n  and {} more; podgate lint shows them all", groups.len() - lines.len());
    }
}

/// What is filled in, so that nobody types it: a line for the containers that lack the same.
fn push_filled(message: &mut String, pod: &Pod<'_>, filled: &[&Finding<'_>]) {
    /// Past it the lines say less than they cost.
    const MOST: usize = 4;
    let mut by_container: BTreeMap<_, Vec<&Finding<'_>>> = BTreeMap::new();
    for finding in filled {
        by_container.entry(order(finding.place)).or_default().push(finding);
    }
    let mut by_fields: Vec<(String, Vec<&Finding<'_>>)> = Vec::new();
    for of_container in by_container.into_values() {
        let short = |finding: &&Finding<'_>| {
            let name = finding.field.name;
            name.strip_prefix("securityContext.").unwrap_or(name)
        };
        let fields: Vec<&str> = of_container.iter().map(short).collect();
        let fields = fields.join(", ");
        match by_fields.iter_mut().take(MOST).find(|(others, _)| *others == fields) {
            Some((_, containers)) => containers.extend(of_container),
            None => by_fields.push((fields, of_container)),
        }
    }
    for (fields, containers) in by_fields.iter().take(MOST) {
        let containers = containers_of(pod, containers);
        let _ = write!(
            message,
            "\n  {containers}  {fields}  not set -> filled in for you when the rest is fixed"
        );
    }
    if by_fields.len() > MOST {
        message.push_str("\n  and what other containers leave out is filled in likewise");
    }
}

/// The lines for findings: one for each change, containers with the same fault together.
#[must_use]
pub fn lines(pod: &Pod<'_>, findings: &[&Finding<'_>]) -> Vec<Line> {
    groups(findings).iter().filter_map(|group| line(pod, group)).collect()
}

/// Findings that one change of a person mends: the same fault of several containers. In the order of a file.
fn groups<'f, 'p>(findings: &[&'f Finding<'p>]) -> Vec<Vec<&'f Finding<'p>>> {
    let mut groups: Vec<Vec<&Finding<'_>>> = Vec::new();
    let mut at = HashMap::new();
    for finding in findings {
        let index = match finding.place {
            Place::Container(_) => {
                let fault = (finding.control.number, finding.field, finding.found, finding.remedy);
                *at.entry(fault).or_insert(groups.len())
            }
            Place::Pod | Place::Volume(..) | Place::Annotation(_) => groups.len(),
        };
        match groups.get_mut(index) {
            Some(group) => group.push(finding),
            None => groups.push(vec![finding]),
        }
    }
    groups.sort_by_key(|group| group.first().map(|finding| order(finding.place)));
    groups
}

/// Lines come as a file has them: the pod, its volumes, its containers.
fn order(place: Place<'_>) -> (u8, usize) {
    match place {
        Place::Annotation(_) => (0, 0),
        Place::Pod => (1, 0),
        Place::Volume(index, _) => (2, index),
        Place::Container(at) => (3 + at.kind as u8, at.index),
    }
}

fn line(pod: &Pod<'_>, group: &[&Finding<'_>]) -> Option<Line> {
    let finding = group.first()?;
    let (subject, field) = match finding.place {
        Place::Pod => (format!("spec.{}", field(finding)), String::new()),
        Place::Annotation(key) => (format!("metadata.annotations[{}]", PrintableKey(key)), String::new()),
        Place::Volume(_, name) => (format!("volume \"{}\"", Printable(name)), String::new()),
        Place::Container(_) => (containers_of(pod, group), field(finding)),
    };
    Some(Line { subject, field, found: found(finding), remedy: remedy(finding) })
}

/// The field as it is written, without the place in a list of names that the value itself names.
fn field(finding: &Finding<'_>) -> String {
    match (finding.field.index, finding.found) {
        (Some(_), Found::Text(_)) => finding.field.name.to_owned(),
        _ => finding.field.to_string(),
    }
}

fn found(finding: &Finding<'_>) -> String {
    match finding.found {
        Found::Absent => "not set".to_owned(),
        Found::Text("unknown") if matches!(finding.place, Place::Volume(..)) => {
            "has no type that podgate knows".to_owned()
        }
        Found::Text(_) if finding.field.index.is_some() => finding.found.to_string(),
        Found::Bool(_) | Found::Integer(_) | Found::Text(_) | Found::List(_) => {
            format!("is {}", finding.found)
        }
    }
}

fn remedy(finding: &Finding<'_>) -> String {
    let remedy = match finding.remedy {
        Remedy::Choose(types) if matches!(finding.place, Place::Volume(..)) => volume_remedy(types),
        Remedy::Set(_) | Remedy::Remove | Remedy::Choose(_) => finding.remedy.to_string(),
    };
    if finding.hint.is_empty() { remedy } else { format!("{remedy} ({})", finding.hint) }
}

fn volume_remedy(types: &[&str]) -> String {
    const CLAIM: &str = "persistentVolumeClaim";
    if types.contains(&CLAIM) {
        let others: Vec<&str> = types.iter().copied().filter(|name| *name != CLAIM).collect();
        format!("use a {CLAIM}; also allowed: {}", others.join(", "))
    } else {
        format!("use one of: {}", types.join(", "))
    }
}

/// `container "a"`, `init container "b"`, `containers "a", "b"`, `all 3 containers`.
fn containers_of(pod: &Pod<'_>, findings: &[&Finding<'_>]) -> String {
    let mut containers: Vec<_> = findings.iter().filter_map(|finding| finding.place.container()).collect();
    containers.dedup();
    let mut distinct = Vec::new();
    for container in containers {
        if !distinct.contains(&container) {
            distinct.push(container);
        }
    }
    if let [container] = distinct.as_slice() {
        let kind = match container.kind {
            ContainerKind::Init => "init container",
            ContainerKind::Regular => "container",
            ContainerKind::Ephemeral => "ephemeral container",
        };
        return format!("{kind} \"{}\"", Printable(container.name));
    }
    if distinct.len() == pod.containers().count() {
        return format!("all {} containers", distinct.len());
    }
    let names: Vec<String> =
        distinct.iter().take(4).map(|container| format!("\"{}\"", Printable(container.name))).collect();
    let more = match distinct.len().saturating_sub(names.len()) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("containers {}{more}", names.join(", "))
}

/// What to tell beside a finding's path: `container "c": is 0; remove it`.
#[must_use]
pub fn note(pod: &Pod<'_>, finding: &Finding<'_>) -> String {
    let Some(line) = line(pod, &[finding]) else { return String::new() };
    let Line { subject, found, remedy, .. } = line;
    match finding.place {
        Place::Container(_) | Place::Volume(..) => format!("{subject}: {found}; {remedy}"),
        Place::Pod | Place::Annotation(_) => format!("{found}; {remedy}"),
    }
}

/// A finding as one sentence: `container "c": securityContext.runAsUser is 0; remove it`.
#[must_use]
pub fn sentence(pod: &Pod<'_>, finding: &Finding<'_>) -> String {
    line(pod, &[finding]).map(|line| line.sentence()).unwrap_or_default()
}

impl Line {
    /// The line as one sentence.
    #[must_use]
    pub fn sentence(&self) -> String {
        format!("{}; {}", self.fault(), self.remedy)
    }

    /// The part of the sentence that says what is wrong.
    fn fault(&self) -> String {
        let Self { subject, field, found, .. } = self;
        if field.is_empty() { format!("{subject} {found}") } else { format!("{subject}: {field} {found}") }
    }

    /// The line as a warning, at most [`LONGEST_WARNING`] characters: the advice goes first, as
    /// `podgate explain` gives it for the code.
    fn warning(&self, consequence: &str, code: &str) -> String {
        let fault = self.fault();
        let whole = format!("{fault} ({consequence}); {} [{code}]", self.remedy);
        if whole.len() <= LONGEST_WARNING {
            return whole;
        }
        let short = self.remedy.split([';', '(']).next().unwrap_or_default().trim_end();
        let shorter = format!("{fault} ({consequence}); {short} [{code}]");
        if shorter.len() <= LONGEST_WARNING {
            return shorter;
        }
        let end = format!("... ({consequence}) [{code}]");
        let room = LONGEST_WARNING.saturating_sub(end.len());
        fault.chars().take(room).chain(end.chars()).collect()
    }
}

impl Verdict<'_> {
    /// A warning for each fault that this pod is let through with, each at most 120 characters.
    #[must_use]
    pub fn warnings(&self, pod: &Pod<'_>) -> Vec<String> {
        self.warnings_of(pod, |_, _, warns| warns, "breaks the policy")
    }

    /// A warning for each fault for which the pods of a template would be refused or warned of, once
    /// what is absent is filled in.
    #[must_use]
    pub fn template_warnings(&self, pod: &Pod<'_>) -> Vec<String> {
        let is_wanted = |severity, finding: &Finding<'_>, warns: bool| {
            (warns || severity == Severity::Deny) && !self.is_repaired(finding)
        };
        self.warnings_of(pod, is_wanted, "would be refused")
    }

    fn warnings_of(
        &self,
        pod: &Pod<'_>,
        is_wanted: impl Fn(Severity, &Finding<'_>, bool) -> bool,
        consequence: &str,
    ) -> Vec<String> {
        // Where two rules find the same, the narrower one counts, and the stricter outcome.
        let mut wanted: Vec<(bool, &Finding<'_>)> = Vec::new();
        let mut at: HashMap<(Place<'_>, Field), usize> = HashMap::new();
        for breach in &self.breaches {
            let severity = Severity::of(breach.rule.actions);
            let warns = breach.rule.actions.warn;
            for finding in breach.findings.iter().filter(|finding| is_wanted(severity, finding, warns)) {
                let denies = severity == Severity::Deny;
                let index = *at.entry((finding.place, finding.field)).or_insert(wanted.len());
                match wanted.get_mut(index) {
                    Some(other) if other.1.yields_to(finding) => *other = (denies || other.0, finding),
                    Some(other) => other.0 |= denies,
                    None => wanted.push((denies, finding)),
                }
            }
        }
        let code = code(wanted.iter().map(|(_, finding)| finding.control));
        let mut warnings = Vec::new();
        let mut more = 0;
        for (denies, consequence) in [(true, consequence), (false, "breaks the policy")] {
            let of_kind = wanted.iter().filter(|(of, _)| *of == denies).map(|(_, finding)| *finding);
            let groups = groups(&of_kind.collect::<Vec<_>>());
            let room = MOST_WARNINGS.saturating_sub(warnings.len());
            let lines = groups.iter().take(room).filter_map(|group| line(pod, group));
            for warning in lines.map(|line| line.warning(consequence, &code)) {
                if !warnings.contains(&warning) {
                    warnings.push(warning);
                }
            }
            more += groups.len().saturating_sub(room);
        }
        if more > 0 {
            warnings.push(format!("and {more} more faults; podgate lint shows them all"));
        }
        warnings
    }
}
