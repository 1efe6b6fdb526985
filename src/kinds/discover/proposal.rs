//! What was discovered as a file for `--kinds`: entries, and comments on what they leave open.

use std::fmt::Write as _;

use crate::kinds::discover::compare::differences;
use crate::kinds::discover::definition::{DefinedVersion, Definition};
use crate::kinds::discover::schema::{FoundPlace, SchemaFindings};
use crate::kinds::discover::{Discovery, FoundDefinition};
use crate::kinds::written::ShapeWord;
use crate::policy::{API_VERSION, KIND_TABLE};
use crate::text::one_line;
use crate::workload::Kind;
use crate::yaml;

/// What stands above the entries.
const HEAD: &str = "\
# Proposed by podgate kinds discover. Look at each entry before you use it: a schema says what may be written, not what the
# operator makes of it. Where it adds containers, or anything else that a policy demands, the shape is patch. What looks like a
# container is one of a pod only if the operator makes it so: its shape is container.
";

/// The file in parts.
#[derive(Debug, Default)]
struct Proposal {
    entries: String,
    unclear: Vec<String>,
    differing: Vec<String>,
    agreeing: Vec<String>,
    without: Vec<String>,
}

impl Discovery {
    /// The proposed file.
    #[must_use]
    pub fn proposal(&self) -> String {
        let mut proposal = Proposal::default();
        for found in self.definitions.values() {
            let rows = self.rows(&found.definition);
            if rows.is_empty() { proposal.add_new(found) } else { proposal.add_known(found, &rows) }
        }
        proposal.text()
    }

    /// The rows of a kind, each with the version that it is the row of.
    fn rows<'d>(&self, definition: &'d Definition) -> Vec<(&'d DefinedVersion, Kind)> {
        let row = |version: &'d DefinedVersion| {
            let api_version = format!("{}/{}", definition.group, version.name);
            Some((version, *self.kinds.find(&api_version, &definition.kind)?))
        };
        definition.versions.iter().filter_map(row).collect()
    }
}

impl Proposal {
    fn add_new(&mut self, found: &FoundDefinition) {
        let FoundDefinition { place, definition, others } = found;
        let mut notes: Vec<String> =
            others.iter().map(|other| format!("{other} says otherwise, and is left out")).collect();
        for (names, findings) in by(definition, |version| &version.found) {
            let is_only = definition.versions.len() == names.len();
            let versions = if is_only { String::new() } else { format!("{}: ", names.join(", ")) };
            notes.extend(open_questions(findings).into_iter().map(|note| format!("{versions}{note}")));
        }
        let mut entries = by(definition, |version| version.found.places.as_slice());
        entries.retain(|(_, places)| !places.is_empty());
        if !entries.is_empty() {
            let _ = writeln!(self.entries, "  # {}", one_line(place));
            push_comments(&mut self.entries, "  # ", &notes);
        } else if notes.is_empty() {
            self.without.push(format!("{}/{}", definition.group, definition.kind));
        } else {
            self.unclear.push(format!("{}/{} ({place})", definition.group, definition.kind));
            self.unclear.extend(notes.into_iter().map(|note| format!("  {note}")));
        }
        for (versions, places) in entries {
            push_entry(&mut self.entries, definition, &versions, places);
        }
    }

    fn add_known(&mut self, found: &FoundDefinition, rows: &[(&DefinedVersion, Kind)]) {
        let FoundDefinition { place, definition, .. } = found;
        let mut is_same = true;
        for (version, row) in rows {
            let name = format!("{}/{} {}", definition.group, version.name, definition.kind);
            for difference in differences(row, &version.found) {
                is_same = false;
                self.differing.push(format!("{name} ({place}): {difference}"));
            }
        }
        if is_same {
            self.agreeing.push(format!("{}/{}", definition.group, definition.kind));
        }
    }

    fn text(self) -> String {
        let mut text = String::from(HEAD);
        let table = format!("apiVersion: {API_VERSION}\nkind: {KIND_TABLE}\nspec:\n");
        if self.entries.is_empty() {
            // It can be given to --kinds all the same, so that who writes it to a file need not look at it first.
            let _ = writeln!(text, "# There is nothing to add.\n{table}  kinds: []");
        } else {
            let _ = write!(text, "{table}  kinds:\n{}", self.entries);
        }
        for (title, lines) in [
            ("Nothing can be proposed for these, and they may have pods:", self.unclear),
            ("podgate knows these, and their schemas differ:", self.differing),
            ("podgate knows these, and finds in their schemas what it looks for:", self.agreeing),
            ("These have no pods that a schema would show:", self.without),
        ] {
            if !lines.is_empty() {
                let _ = writeln!(text, "\n# {title}");
                push_comments(&mut text, "#   ", &lines);
            }
        }
        text
    }
}

/// The versions of a definition with the same findings together, in order.
fn by<'d, T: PartialEq + ?Sized>(
    definition: &'d Definition,
    of: impl Fn(&'d DefinedVersion) -> &'d T,
) -> Vec<(Vec<&'d str>, &'d T)> {
    let mut groups: Vec<(Vec<&str>, &T)> = Vec::new();
    for version in &definition.versions {
        match groups.iter_mut().find(|(_, findings)| *findings == of(version)) {
            Some((names, _)) => names.push(&version.name),
            None => groups.push((vec![&version.name], of(version))),
        }
    }
    groups
}

/// What the findings leave to a person.
fn open_questions(found: &SchemaFindings) -> Vec<String> {
    let loose = found.loose.iter().map(|path| {
        format!(
            "{path} may be written without containers: then the operator adds some, and the shape is patch"
        )
    });
    let hidden = found.hidden.iter().map(|path| {
        let place = if path.is_empty() { "the object" } else { path };
        format!("the schema does not say what is in {place}")
    });
    let containers = found.containers.iter().map(|path| {
        format!(
            "{path} looks like a container, not proposed because the operator may make something else of it"
        )
    });
    let images = found.images.iter().map(|(path, fields)| {
        let path = if path.is_empty() { "the object" } else { path };
        format!("{path} has an image and {fields}: perhaps a container, not proposed because the rest of one is missing")
    });
    let cut = "the schema is too large to be searched whole, or has keys that no path can name";
    let cut = found.is_cut.then(|| cut.to_owned());
    loose.chain(hidden).chain(containers).chain(images).chain(cut).collect()
}

fn push_comments(text: &mut String, start: &str, lines: &[String]) {
    for line in lines {
        let _ = writeln!(text, "{start}{}", one_line(line));
    }
}

fn push_entry(text: &mut String, definition: &Definition, versions: &[&str], places: &[FoundPlace]) {
    let versions: Vec<String> = versions.iter().map(|version| scalar(version)).collect();
    let (group, kind) = (scalar(&definition.group), scalar(&definition.kind));
    let _ = writeln!(
        text,
        "  - group: {group}\n    versions: [{}]\n    kind: {kind}\n    templates:",
        versions.join(", ")
    );
    for FoundPlace { path, shape } in places {
        let _ = writeln!(text, "    - path: {}\n      shape: {}", scalar(path), word(*shape));
    }
}

fn word(shape: ShapeWord) -> &'static str {
    crate::kinds::words::shape_name(shape.meaning().0)
}

/// A text as YAML: in quotes if it would be something else without them, as `y` and `*.template`.
fn scalar(text: &str) -> String {
    let is_read_as = |written: &str| match yaml::read(&format!("key: {written}")).as_slice() {
        [Ok(document)] => document.root.text_of("key") == text,
        _ => false,
    };
    if is_read_as(text) { text.to_owned() } else { format!("{text:?}") }
}
