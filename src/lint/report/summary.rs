//! The closing lines of a report, for people: the counts, what was not judged, and what to do about it.

use std::collections::BTreeMap;
use std::io::{self, Write};

use crate::lint::report::{ObjectReport, Report, Summary};
use crate::text::{Printable, counted, one_line};

/// Most names in a line.
const MOST_NAMES: usize = 5;

/// Writes the counts, for standard error.
///
/// # Errors
/// Those of `output`.
pub fn write(report: &Report, output: &mut impl Write) -> io::Result<()> {
    let summary = &report.summary;
    let objects = counted(summary.objects, "object");
    writeln!(output, "{objects} with pods in {}{}", counted(summary.files, "file"), outcomes(summary))?;
    write_unjudged(report, output)?;
    write_unknown_namespaces(report, output)?;
    write_not_manifests(summary, output)?;
    if !summary.linked_folders.is_empty() {
        let names = listed(summary.linked_folders.iter().map(|folder| one_line(folder).to_string()));
        let links = counted(summary.linked_folders.len(), "link");
        writeln!(output, "not followed: {links} to folders: {names}; name them to have them judged")?;
    }
    if summary.policies > 0 {
        let are = if summary.policies == 1 { "policy is" } else { "policies are" };
        writeln!(output, "{} {are} in order", summary.policies)?;
    }
    if summary.excluded > 0 {
        writeln!(output, "left out by --exclude: {} that was named", counted(summary.excluded, "path"))?;
    }
    write_injected(report, output)?;
    write_other_kinds(summary, output)
}

/// A line for each container that somebody else adds, and that is not in order as it is.
fn write_injected(report: &Report, output: &mut impl Write) -> io::Result<()> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let added = report.objects.iter().flat_map(|object| &object.injected);
    added.for_each(|added| *counts.entry(&added.text).or_default() += 1);
    for (text, count) in counts {
        writeln!(output, "not judged, of {}: {text}", counted(count, "object"))?;
    }
    Ok(())
}

/// What came of the objects: `: 1 denied, 2 not read`.
fn outcomes(summary: &Summary) -> String {
    let Summary { objects, denied, warned, unresolved, unjudged, unread, .. } = summary;
    let judged = objects - unjudged;
    let allowed = judged - denied - warned - unresolved;
    // Of what no policy reaches, there is a line of its own.
    let unjudged = if judged > 0 { *unjudged } else { 0 };
    let mut outcomes = vec![
        (*denied, "denied"),
        (*warned, "warned of"),
        (*unresolved, "unresolved"),
        (unjudged, "not judged"),
        (*unread, "not read"),
    ];
    outcomes.retain(|(count, _)| *count > 0);
    let counts: Vec<String> = outcomes.iter().map(|(count, outcome)| format!("{count} {outcome}")).collect();
    let counts = counts.join(", ");
    match (judged, counts.is_empty()) {
        (0, true) => ": nothing was judged".to_owned(),
        (0, false) => format!(": nothing was judged, {counts}"),
        (_, true) => ": all allowed".to_owned(),
        (_, false) if allowed == judged => format!(": {allowed} allowed, {counts}"),
        (_, false) => format!(": {counts}"),
    }
}

/// Writes what was not judged because no policy holds there.
///
/// # Errors
/// Those of `output`.
pub fn write_unjudged(report: &Report, output: &mut impl Write) -> io::Result<()> {
    let unjudged = report.objects.iter().filter(|object| object.is_unjudged());
    let Some((objects, namespaces)) = counted_by_namespace(unjudged) else { return Ok(()) };
    writeln!(
        output,
        "not judged: {objects} in {namespaces}: no policy holds there (--fail-on unresolved,unjudged makes it fail for that, too)"
    )
}

fn write_unknown_namespaces(report: &Report, output: &mut impl Write) -> io::Result<()> {
    let of_cluster =
        report.objects.iter().filter(|object| !object.is_namespace_known && object.is_of_cluster);
    let of_cluster = of_cluster.count();
    if of_cluster > 0 {
        let (objects, are) = (counted(of_cluster, "object"), if of_cluster == 1 { "is" } else { "are" });
        writeln!(
            output,
            "{objects} {are} of the whole cluster, so every policy was taken to hold: pods of any namespace may be made of it"
        )?;
    }
    let unknown = || report.objects.iter().filter(|object| object.lacks_namespace());
    let nameless = unknown().filter(|object| object.namespace.is_empty()).count();
    if nameless > 0 {
        let (objects, names) = (counted(nameless, "object"), if nameless == 1 { "names" } else { "name" });
        writeln!(
            output,
            "{objects} {names} no namespace, so every policy was taken to hold there; give it with -n NAMESPACE"
        )?;
    }
    let named = unknown().filter(|object| !object.namespace.is_empty());
    let Some((objects, namespaces)) = counted_by_namespace(named) else { return Ok(()) };
    writeln!(
        output,
        "the labels of {namespaces} are not known, so every policy was taken to hold for {objects} there; \
         give the Namespaces with --objects"
    )
}

/// `3 objects` and `namespaces a, b` of objects; `None` of none.
fn counted_by_namespace<'r>(objects: impl Iterator<Item = &'r ObjectReport>) -> Option<(String, String)> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    objects.for_each(|object| *counts.entry(&object.namespace).or_default() += 1);
    let total: usize = counts.values().sum();
    let noun = if counts.len() == 1 { "namespace" } else { "namespaces" };
    let names = listed(counts.keys().map(|name| Printable(name).to_string()));
    (total > 0).then(|| (counted(total, "object"), format!("{noun} {names}")))
}

/// One line: what else there is in folders, and how manifests are made of it.
fn write_not_manifests(summary: &Summary, output: &mut impl Write) -> io::Result<()> {
    let Summary { not_manifests, charts, kustomizations, .. } = summary;
    let is = if *not_manifests == 1 { "is no Kubernetes manifest" } else { "are no Kubernetes manifests" };
    let documents = (*not_manifests > 0).then(|| format!("{} {is}", counted(*not_manifests, "document")));
    let commands: Vec<String> = [("helm template", charts), ("kubectl kustomize", kustomizations)]
        .into_iter()
        .filter_map(|(command, folders)| rendering(command, folders))
        .collect();
    let advice = (!commands.is_empty()).then(|| format!("judge what is rendered: {}", commands.join(", ")));
    let parts: Vec<String> = documents.into_iter().chain(advice).collect();
    if parts.is_empty() { Ok(()) } else { writeln!(output, "{}", parts.join("; ")) }
}

/// How the manifests of folders are linted: `helm template charts/a | podgate lint -`.
fn rendering(command: &str, folders: &[String]) -> Option<String> {
    match folders {
        [] => None,
        [folder] => Some(format!("{command} {} | podgate lint -", one_line(folder))),
        folders => {
            let names = listed(folders.iter().map(|folder| one_line(folder).to_string()));
            Some(format!("{command} DIR | podgate lint - (DIR: {names})"))
        }
    }
}

fn write_other_kinds(summary: &Summary, output: &mut impl Write) -> io::Result<()> {
    if summary.other_kinds.is_empty() {
        return Ok(());
    }
    let kinds: Vec<String> = summary
        .other_kinds
        .iter()
        .map(|other| {
            format!("{} {} ({})", other.count, Printable(&other.kind), Printable(&other.api_version))
        })
        .collect();
    writeln!(output, "without a pod that podgate knows of: {}", kinds.join(", "))
}

/// Names one after the other, and how many more there are: `a, b`.
fn listed(names: impl Iterator<Item = String>) -> String {
    let mut names: Vec<String> = names.collect();
    let more = names.len().saturating_sub(MOST_NAMES);
    names.truncate(MOST_NAMES);
    let names = names.join(", ");
    if more > 0 { format!("{names} and {more} more") } else { names }
}
