//! `podgate explain`: what a control asks, why, and how to mend a breach. Also the source of
//! `docs/controls.md`.

use std::fmt::Write as _;
use std::io::{self, Write};

use anyhow::{Result, bail};

use crate::cli::ALL_WELL;
use crate::controls::{ALL, Control, Kind};
use crate::evaluate::controls_of;

/// Explain a control, or the code of a refusal.
///
/// Without a name it lists the controls.
#[derive(Debug, clap::Args)]
pub(crate) struct Explain {
    /// A control, as runAsNonRoot, or a code, as PG-7F3K.
    #[arg(value_name = "CONTROL|CODE")]
    names: Vec<String>,

    /// Write Markdown; without a name, the page of all controls.
    #[arg(long)]
    markdown: bool,
}

impl Explain {
    pub(crate) fn run(&self, output: &mut impl Write) -> Result<u8> {
        if self.names.is_empty() {
            let text = if self.markdown { page() } else { list() };
            output.write_all(text.as_bytes())?;
            return Ok(ALL_WELL);
        }
        let mut controls = Vec::new();
        for name in &self.names {
            controls.extend(find(name)?);
        }
        for (index, control) in controls.iter().enumerate() {
            write_control(control, self.markdown, index > 0, output)?;
        }
        Ok(ALL_WELL)
    }
}

fn write_control(
    control: &Control,
    is_markdown: bool,
    is_further: bool,
    output: &mut impl Write,
) -> io::Result<()> {
    if is_further {
        writeln!(output)?;
    }
    let text = if is_markdown { section(control) } else { plain(control) };
    output.write_all(text.as_bytes())
}

/// The controls that a name or code means.
fn find(name: &str) -> Result<Vec<&'static Control>> {
    let is_named = |control: &&&Control| control.id.eq_ignore_ascii_case(name);
    if let Some(control) = ALL.iter().find(is_named) {
        return Ok(vec![control]);
    }
    if let Some(controls) = controls_of(name) {
        return Ok(controls);
    }
    let nearest = ALL
        .iter()
        .min_by_key(|control| strsim::damerau_levenshtein(&control.id.to_lowercase(), &name.to_lowercase()))
        .map_or("", |control| control.id);
    bail!(
        "no control or code is named {name:?}; the nearest control is {nearest}, and podgate explain lists them all"
    )
}

fn list() -> String {
    let width = ALL.iter().map(|control| control.id.len()).max().unwrap_or_default();
    let mut text = String::new();
    for control in ALL {
        let _ = writeln!(text, "{:width$}  {:10}  {}", control.id, level(control), control.doc.title);
    }
    text
}

fn level(control: &Control) -> &'static str {
    control.level().map_or("policy", |level| level.name())
}

/// `baseline, v1.0 and later`.
fn versions(control: &Control) -> String {
    let Kind::Standard { revisions, .. } = control.kind else {
        return "beyond the standard: where a policy turns it on, at every version".to_owned();
    };
    let since: Vec<String> = revisions.iter().map(|revision| format!("v1.{}", revision.since)).collect();
    match since.as_slice() {
        [first, changes @ ..] if !changes.is_empty() => {
            format!("{}, {first} and later; changed in {}", level(control), changes.join(", "))
        }
        first => format!("{}, {} and later", level(control), first.concat()),
    }
}

fn plain(control: &Control) -> String {
    let doc = &control.doc;
    let mut text = format!("{}: {}\n{}\n\n", control.id, doc.title, versions(control));
    push_wrapped(&mut text, doc.rule);
    if !doc.history.is_empty() {
        text.push('\n');
        push_wrapped(&mut text, doc.history);
    }
    text.push_str("\nFields:\n");
    for field in doc.fields {
        let _ = writeln!(text, "  {field}");
    }
    text.push_str("\nTo mend it:\n");
    push_wrapped(&mut text, doc.mend);
    text.push_str("\nFor example:\n");
    for line in doc.example.lines() {
        let _ = writeln!(text, "  {line}");
    }
    text
}

/// Appends text in lines of at most 96 columns.
fn push_wrapped(text: &mut String, paragraph: &str) {
    const WIDTH: usize = 96;
    let mut column = 0;
    for word in paragraph.split_whitespace() {
        if column > 0 && column + 1 + word.len() > WIDTH {
            text.push('\n');
            column = 0;
        }
        if column > 0 {
            text.push(' ');
            column += 1;
        }
        text.push_str(word);
        column += word.len();
    }
    text.push('\n');
}

/// `docs/controls.md`.
#[must_use]
pub fn page() -> String {
    let mut text = String::from(
        "# Controls\n\n\
         Every rule that podgate can hold a pod to. The standard's controls come first, in the order in which its \
         messages name them; then those that a policy turns on.\n\n\
         This page is written by `podgate explain --markdown`, and a test holds it current.\n\n\
         | control | level | about |\n|---|---|---|\n",
    );
    for control in ALL {
        let anchor = control.id.to_lowercase();
        let _ =
            writeln!(text, "| [`{}`](#{anchor}) | {} | {} |", control.id, level(control), control.doc.title);
    }
    for control in ALL {
        text.push('\n');
        text.push_str(&section(control));
    }
    text
}

fn section(control: &Control) -> String {
    let doc = &control.doc;
    let mut text =
        format!("## {}\n\n**{}** ({})\n\n{}\n", control.id, doc.title, versions(control), doc.rule);
    if !doc.history.is_empty() {
        let _ = write!(text, "\n{}\n", doc.history);
    }
    if let Some(other) = control.overrides() {
        let _ = write!(text, "\nAt the restricted level it stands in for `{}`.\n", other.id);
    }
    text.push_str("\nFields:\n\n");
    for field in doc.fields {
        let _ = writeln!(text, "- `{field}`");
    }
    let _ = write!(text, "\nTo mend it: {}\n\n```yaml\n{}```\n", doc.mend, doc.example);
    text
}
