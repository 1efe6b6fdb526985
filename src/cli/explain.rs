//! `podgate explain`: what a control demands, why, and how to fix a violation. Also the source of
//! `docs/controls.md`.

use std::fmt::Write as _;
use std::io::{self, Write};

use anyhow::{Result, bail};
use schemars::SchemaGenerator;
use serde_json::Value;

use crate::cli::exit_code::ALL_WELL;
use crate::controls::{CONTROLS, Control, Origin, Parameters};
use crate::evaluate::controls_of;

/// Explain a control, or the code of a refusal.
///
/// Without a name it lists the controls.
#[derive(Debug, clap::Args)]
pub(crate) struct ExplainArgs {
    /// A control, as runAsNonRoot, or a code, as PG-7F3K.
    #[arg(value_name = "CONTROL|CODE")]
    names: Vec<String>,

    /// Write Markdown; without a name, the page of all controls.
    #[arg(long)]
    markdown: bool,
}

impl ExplainArgs {
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

/// The controls that a name or a code stands for.
fn find(name: &str) -> Result<Vec<&'static Control>> {
    let is_named = |control: &&&Control| control.id.eq_ignore_ascii_case(name);
    if let Some(control) = CONTROLS.iter().find(is_named) {
        return Ok(vec![control]);
    }
    if let Some(controls) = controls_of(name) {
        return Ok(controls);
    }
    let nearest = CONTROLS
        .iter()
        .min_by_key(|control| strsim::damerau_levenshtein(&control.id.to_lowercase(), &name.to_lowercase()))
        .map_or("", |control| control.id);
    bail!(
        "no control or code is named {name:?}; the nearest control is {nearest}, and podgate explain lists them all"
    )
}

fn list() -> String {
    let width = CONTROLS.iter().map(|control| control.id.len()).max().unwrap_or_default();
    let mut text = String::new();
    for control in CONTROLS.iter().copied() {
        let _ = writeln!(text, "{:width$}  {:10}  {}", control.id, level(control), control.doc.title);
    }
    text
}

fn level(control: &Control) -> &'static str {
    control.level().map_or("policy", |level| level.name())
}

/// `baseline, v1.0 and later`.
fn versions(control: &Control) -> String {
    let Origin::Standard { revisions, .. } = control.origin else {
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
    push_plain_parameters(&mut text, control);
    text.push_str("\nTo fix it:\n");
    push_wrapped(&mut text, doc.fix);
    text.push_str("\nFor example:\n");
    for line in doc.example.lines() {
        let _ = writeln!(text, "  {line}");
    }
    text
}

fn push_plain_parameters(text: &mut String, control: &Control) {
    let Origin::Extended { parameters, depends_on } = &control.origin else { return };
    let _ =
        writeln!(text, "\nParameters in spec.controls.{} of a policy, beside mode and message:", control.id);
    for (name, about) in described(parameters) {
        push_wrapped(text, &if name.is_empty() { about } else { format!("{name}: {about}") });
    }
    let _ = writeln!(text, "\nChecked when a pod is created, and when an update changes: {depends_on}");
}

fn push_parameters(text: &mut String, control: &Control) {
    let Origin::Extended { parameters, depends_on } = &control.origin else { return };
    let _ = write!(
        text,
        "\nParameters in `spec.controls.{}` of a policy, beside `mode` and `message`:\n\n",
        control.id
    );
    for (name, about) in described(parameters) {
        let _ = writeln!(
            text,
            "- {}{about}",
            if name.is_empty() { String::new() } else { format!("`{name}`: ") }
        );
    }
    let _ = writeln!(text, "\nChecked when a pod is created, and when an update changes: {depends_on}.");
}

/// The parameters of a control with their descriptions, from their JSON Schema.
fn described(parameters: &Parameters) -> Vec<(String, String)> {
    let schema = (parameters.schema)(&mut SchemaGenerator::default()).to_value();
    let properties = schema.get("properties").and_then(|properties| properties.as_object());
    let about =
        |schema: &Value| schema.get("description").and_then(Value::as_str).unwrap_or_default().to_owned();
    let described: Vec<(String, String)> =
        properties.into_iter().flatten().map(|(name, schema)| (name.clone(), about(schema))).collect();
    if described.is_empty() { vec![(String::new(), "none".to_owned())] } else { described }
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
         Every rule that podgate can check. The standard's controls come first, in the order in which its \
         messages name them; then those that a policy turns on.\n\n\
         This page is generated by `podgate explain --markdown`, and a test keeps it up to date.\n\n\
         | control | level | about |\n|---|---|---|\n",
    );
    for control in CONTROLS.iter().copied() {
        let anchor = control.id.to_lowercase();
        let _ =
            writeln!(text, "| [`{}`](#{anchor}) | {} | {} |", control.id, level(control), control.doc.title);
    }
    for control in CONTROLS.iter().copied() {
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
    push_parameters(&mut text, control);
    let _ = write!(text, "\nTo fix it: {}\n\n```yaml\n{}```\n", doc.fix, doc.example);
    text
}
