//! What a person reads of a verdict: the refusal, the warnings, the line of a linter.
//!
//! The first line of a refusal stands alone, as some tools show no more; then one line for each
//! change that the user has to make, with the value that was found and the shortest legal one.
//! ASCII only, and nothing of the pod but names and values of the fields that are at fault.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write as _;
use std::hash::{BuildHasher as _, RandomState};

use crate::controls::{Finding, Found, Printable, PrintableKey, Remedy};
use crate::evaluate::tally::{Tally, change_of, field_of};
use crate::evaluate::{Findings, Severity, Verdict, code, walk};
use crate::pod::{ContainerKind, Place, Pod};

/// Most lines of changes in a refusal; a terminal shows them with what stands around.
const MOST_LINES: usize = 12;
/// Most findings of a control, in all rules, that lines are made of where not all were kept: each line names a few
/// containers and a count.
const MOST_SHOWN: usize = 64;
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
    pub fn new<'p>(subject: Subject<'_>, pod: &'p Pod<'_>, verdict: &Verdict<'p>) -> Self {
        let denied = findings_of(verdict, Severity::Deny);
        let (filled, mut changes): (Vec<_>, Vec<_>) =
            denied.iter().copied().partition(|finding| verdict.is_repaired(finding));
        // Those that were kept may be filled in, and others not.
        let others: Vec<Findings<'p>> = if verdict.is_cut() { stays(verdict, pod) } else { Vec::new() };
        if verdict.is_cut() {
            changes = narrowest(others.iter().flatten());
        }
        let is_lazy = changes.is_empty();
        if is_lazy {
            changes.clone_from(&filled);
        }
        let code = code(denied.iter().map(|finding| finding.control));
        let groups = groups(&changes);
        let tally = verdict.is_cut().then(|| tally(verdict, pod, is_lazy));
        let count = tally.as_ref().map_or(groups.len(), Tally::changes);
        let mut message = headline(subject, &policy_names(verdict), count);
        message.push_str(&format!("  [code {code}]"));
        push_lines(&mut message, pod, &groups, tally.as_ref());
        if is_lazy {
            message.push_str(
                "\n  podgate fills these in by itself, but its mutating webhook has not seen this pod",
            );
        } else if verdict.is_cut() && verdict.repairs().containers() > 0 {
            let containers = verdict.repairs().containers();
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

/// The findings of one severity that were kept, each place once: where two rules find the same, the narrower one.
#[must_use]
pub fn findings_of<'v, 'p>(verdict: &'v Verdict<'p>, severity: Severity) -> Vec<&'v Finding<'p>> {
    narrowest(verdict.findings().filter(|(of, _)| *of == severity).map(|(_, finding)| finding))
}

fn narrowest<'v, 'p: 'v>(findings: impl Iterator<Item = &'v Finding<'p>>) -> Vec<&'v Finding<'p>> {
    let mut narrowest: Vec<&Finding<'p>> = Vec::new();
    let mut at = IndexOf::default();
    for finding in findings {
        let index = at.get_or_insert(field_of(finding), narrowest.len());
        match narrowest.get_mut(index) {
            Some(other) if other.yields_to(finding) => *other = finding,
            Some(_) => {}
            None => narrowest.push(finding),
        }
    }
    narrowest
}

/// Where in a list something stands. Of each only a hash is kept, under a key that nobody knows: what it is made of is many
/// times larger.
#[derive(Debug, Default)]
struct IndexOf {
    key: RandomState,
    indexes: HashMap<u64, usize>,
}

impl IndexOf {
    fn get_or_insert(&mut self, what: impl std::hash::Hash, next: usize) -> usize {
        *self.indexes.entry(self.key.hash_one(what)).or_insert(next)
    }
}

/// Of each rule that refuses, the findings that stay once what is absent is filled in.
fn stays<'p>(verdict: &Verdict<'p>, pod: &'p Pod<'_>) -> Vec<Findings<'p>> {
    let refusing = || verdict.breaches.iter().filter(|breach| breach.rule.actions.deny);
    let most = (MOST_SHOWN / refusing().count().max(1)).max(1);
    refusing().map(|breach| verdict.unrepaired(breach, pod, most)).collect()
}

/// Counts every finding that refuses the pod: those that stay, or all of them if none does.
fn tally<'p>(verdict: &Verdict<'p>, pod: &'p Pod<'_>, is_lazy: bool) -> Tally {
    let mut tally = Tally::default();
    for breach in verdict.breaches.iter().filter(|breach| breach.rule.actions.deny) {
        walk(&breach.rule.basis, pod, &mut |finding| {
            if is_lazy || !verdict.is_repaired(&finding) {
                tally.add(&finding);
            }
        });
    }
    tally
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

fn push_lines(message: &mut String, pod: &Pod<'_>, groups: &[Vec<&Finding<'_>>], tally: Option<&Tally>) {
    let containers = |group: &[&Finding<'_>]| Some(tally?.containers(group.first()?));
    let to_line = |group: &Vec<&Finding<'_>>| line_of(pod, group, containers(group).unwrap_or_default());
    let lines: Vec<Line> = groups.iter().take(MOST_LINES).filter_map(to_line).collect();
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
    let more = tally.map_or(groups.len(), Tally::changes).saturating_sub(lines.len());
    if more > 0 {
        let _ = write!(message, "\n  and {more} more; podgate lint shows them all");
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

/// The lines for findings: one for each change, containers with the same fault together.
#[must_use]
pub fn lines(pod: &Pod<'_>, findings: &[&Finding<'_>]) -> Vec<Line> {
    groups(findings).iter().filter_map(|group| line(pod, group)).collect()
}

/// Findings that one change of a person mends: the same fault of several containers. In the order of a file.
fn groups<'f, 'p>(findings: &[&'f Finding<'p>]) -> Vec<Vec<&'f Finding<'p>>> {
    let mut groups: Vec<Vec<&Finding<'_>>> = Vec::new();
    let mut at = IndexOf::default();
    for finding in findings {
        let index = match finding.place {
            Place::Container(_) => at.get_or_insert(change_of(finding), groups.len()),
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
    line_of(pod, group, 0)
}

/// The line for a group of findings, which may be of more containers than were kept.
fn line_of(pod: &Pod<'_>, group: &[&Finding<'_>], containers: usize) -> Option<Line> {
    let finding = group.first()?;
    let (subject, field) = match finding.place {
        Place::Pod => (format!("spec.{}", field(finding)), String::new()),
        Place::Annotation(key) => (format!("metadata.annotations[{}]", PrintableKey(key)), String::new()),
        Place::Volume(_, name) => (format!("volume \"{}\"", Printable(name)), String::new()),
        Place::Container(_) => (containers_of(pod, group, containers), field(finding)),
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

/// `container "a"`, `init container "b"`, `containers "a", "b"`, `all 3 containers`. There may be more of them than the
/// findings tell: so many at `least`.
fn containers_of(pod: &Pod<'_>, findings: &[&Finding<'_>], least: usize) -> String {
    let mut containers: Vec<_> = findings.iter().filter_map(|finding| finding.place.container()).collect();
    containers.dedup();
    let mut distinct = Vec::new();
    for container in containers {
        if !distinct.contains(&container) {
            distinct.push(container);
        }
    }
    let count = distinct.len().max(least);
    if let ([container], 1) = (distinct.as_slice(), count) {
        let kind = match container.kind {
            ContainerKind::Init => "init container",
            ContainerKind::Regular => "container",
            ContainerKind::Ephemeral => "ephemeral container",
        };
        return format!("{kind} \"{}\"", Printable(container.name));
    }
    if count == pod.containers().count() {
        return format!("all {count} containers");
    }
    let names: Vec<String> =
        distinct.iter().take(4).map(|container| format!("\"{}\"", Printable(container.name))).collect();
    let more = match count.saturating_sub(names.len()) {
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
        let wanted = self.breaches.iter().filter(|breach| breach.rule.actions.warn);
        let omitted = wanted.flat_map(|breach| breach.findings.omitted()).map(|omitted| omitted.count).sum();
        self.warnings_of(pod, |_, _, warns| warns, "breaks the policy", omitted)
    }

    /// A warning for each fault for which the pods of a template would be refused or warned of, once
    /// what is absent is filled in.
    #[must_use]
    pub fn template_warnings(&self, pod: &Pod<'_>) -> Vec<String> {
        let is_wanted = |severity, finding: &Finding<'_>, warns: bool| {
            (warns || severity == Severity::Deny) && !self.is_repaired(finding)
        };
        let wanted =
            self.breaches.iter().filter(|breach| breach.rule.actions.deny || breach.rule.actions.warn);
        let omitted =
            wanted.flat_map(|breach| breach.findings.omitted()).map(|omitted| omitted.unrepaired).sum();
        self.warnings_of(pod, is_wanted, "would be refused", omitted)
    }

    fn warnings_of(
        &self,
        pod: &Pod<'_>,
        is_wanted: impl Fn(Severity, &Finding<'_>, bool) -> bool,
        consequence: &str,
        omitted: usize,
    ) -> Vec<String> {
        // Where two rules find the same, the narrower one counts, and the stricter outcome.
        let mut wanted: Vec<(bool, &Finding<'_>)> = Vec::new();
        let mut at = IndexOf::default();
        for breach in &self.breaches {
            let severity = Severity::of(breach.rule.actions);
            let warns = breach.rule.actions.warn;
            for finding in breach.findings.iter().filter(|finding| is_wanted(severity, finding, warns)) {
                let denies = severity == Severity::Deny;
                let index = at.get_or_insert(field_of(finding), wanted.len());
                match wanted.get_mut(index) {
                    Some(other) if other.1.yields_to(finding) => *other = (denies || other.0, finding),
                    Some(other) => other.0 |= denies,
                    None => wanted.push((denies, finding)),
                }
            }
        }
        let code = code(wanted.iter().map(|(_, finding)| finding.control));
        let mut warnings = Vec::new();
        let mut more = omitted;
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
