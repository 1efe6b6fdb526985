//! `podgate explain`: what a control demands, why, and how to fix a violation. Also the source of
//! `docs/controls.md`.

mod field;
mod find;

use std::fmt::Write as _;
use std::io::{self, Write};

use anyhow::{Error, Result};
use schemars::SchemaGenerator;
use serde_json::{Map, Value};

use crate::cli::exit_code::ALL_WELL;
use crate::controls::{CONTROLS, Control, Origin, Parameters};
use crate::text::either;

use find::{find, introduces_code};

/// Explain a control, a field, or the code of a refusal.
///
/// Without a name it lists the controls. Where several are meant, it lists those before it explains each. Exit codes: 0 it
/// was found, 2 there is no such name.
#[derive(Debug, clap::Args)]
pub(crate) struct ExplainArgs {
    /// A control, as runAsNonRoot; a field or part of one, as capabilities.drop; a level, as baseline; or a code, as
    /// PG-7F3K.
    #[arg(value_name = "CONTROL|FIELD|CODE")]
    names: Vec<String>,

    /// Write Markdown; without a name, the page of all controls.
    #[arg(long)]
    markdown: bool,
}

impl ExplainArgs {
    pub(crate) fn run(&self, output: &mut impl Write) -> Result<u8> {
        if self.names.is_empty() {
            let text = if self.markdown { page() } else { list(CONTROLS) };
            output.write_all(text.as_bytes())?;
            return Ok(ALL_WELL);
        }
        let controls = self.controls()?;
        if controls.len() > 1 && !self.markdown {
            output.write_all(list(&controls).as_bytes())?;
            writeln!(output)?;
        }
        for (index, control) in controls.iter().enumerate() {
            write_control(control, self.markdown, index > 0, output)?;
        }
        Ok(ALL_WELL)
    }

    /// The controls that the names stand for, each once.
    fn controls(&self) -> Result<Vec<&'static Control>> {
        let mut controls: Vec<&Control> = Vec::new();
        for (index, name) in self.names.iter().enumerate() {
            if introduces_code(name) && index + 1 < self.names.len() {
                continue;
            }
            for control in find(name).map_err(Error::msg)? {
                if controls.iter().all(|known| known.id != control.id) {
                    controls.push(control);
                }
            }
        }
        Ok(controls)
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

fn list(controls: &[&Control]) -> String {
    let width = controls.iter().map(|control| control.id.len()).max().unwrap_or_default();
    let mut text = String::new();
    for control in controls {
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
    let mut generator = SchemaGenerator::default();
    let schema = (parameters.schema)(&mut generator).to_value();
    let definitions = generator.definitions();
    let properties = schema.get("properties").and_then(|properties| properties.as_object());
    let about = |property: &Value| {
        let about = property.get("description").and_then(Value::as_str).unwrap_or_default();
        format!("{about}{}", words_of(definitions, property))
    };
    let described: Vec<(String, String)> =
        properties.into_iter().flatten().map(|(name, schema)| (name.clone(), about(schema))).collect();
    if described.is_empty() { vec![(String::new(), "none".to_owned())] } else { described }
}

/// The words that a list may hold, if it is one of words: ` Each is a, b or c.`
fn words_of(definitions: &Map<String, Value>, property: &Value) -> String {
    let items = property.get("items").unwrap_or(&Value::Null);
    let target = items.get("$ref").and_then(Value::as_str);
    let name = target.and_then(|target| target.rsplit('/').next());
    let items = name.and_then(|name| definitions.get(name)).unwrap_or(items);
    let words = items.get("enum").and_then(Value::as_array);
    let words: Vec<&str> = words.into_iter().flatten().filter_map(Value::as_str).collect();
    if words.is_empty() { String::new() } else { format!(" Each is {}.", either(&words)) }
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
