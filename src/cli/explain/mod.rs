//! `podgate explain`: what a control demands, why, and how to fix a violation. Also the source of
//! `docs/controls.md`.

mod field;
mod find;
mod parameters;

use std::fmt::Write as _;
use std::io::{self, Write};

use anyhow::{Error, Result};

use crate::cli::exit_code::ALL_WELL;
use crate::controls::{CONTROLS, Cel, Control, Level, Origin, Standard, Version};
use crate::evaluate::by_standard;
use crate::finding::Finding;
use crate::json::Reader;
use crate::pod::Pod;
use crate::text::either;

use find::{find, introduces_code};
use parameters::{Parameter, filling_in, parameters_of};

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
    let _ = writeln!(text, "\nAn exception can name: {}", excepted_values(control));
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
    let known = parameters_of(parameters);
    if known.is_empty() {
        text.push_str("none\n");
    }
    for Parameter { name, holds, default, about } in known {
        push_wrapped(text, &format!("{name} ({holds}; default: {default}): {about}"));
    }
    let _ = writeln!(text, "\nChecked when a pod is created, and when an update changes: {depends_on}");
    let _ = writeln!(text, "Filled in: {}", filled_in(control));
}

fn push_parameters(text: &mut String, control: &Control) {
    let Origin::Extended { parameters, depends_on } = &control.origin else { return };
    let known = parameters_of(parameters);
    if known.is_empty() {
        text.push_str("\nIt has no parameters of its own beside `mode` and `message`.\n");
    } else {
        let _ = write!(
            text,
            "\nParameters in `spec.controls.{}` of a policy, beside `mode` and `message`:\n\n\
             | parameter | holds | default | |\n|---|---|---|---|\n",
            control.id
        );
    }
    for Parameter { name, holds, default, about } in known {
        let default =
            if ["none", "required"].contains(&default.as_str()) { default } else { format!("`{default}`") };
        let _ = writeln!(text, "| `{name}` | {holds} | {default} | {about} |");
    }
    let _ = writeln!(text, "\nChecked when a pod is created, and when an update changes: {depends_on}.");
}

/// By which setting of a policy podgate fills in what the control finds to be absent.
fn filled_in(control: &Control) -> String {
    match &control.origin {
        Origin::Extended { parameters, .. } => {
            let names = filling_in(parameters);
            if names.is_empty() {
                return "never".to_owned();
            }
            format!("with its parameter {}", either(&names))
        }
        Origin::Standard { .. } if is_filled_in(control) => "with defaults.securityContext".to_owned(),
        Origin::Standard { .. } => "never".to_owned(),
    }
}

/// Whether podgate fills in what a container leaves out that says nothing of its own: the control is asked.
fn is_filled_in(control: &Control) -> bool {
    let standard = Standard::new(Level::Restricted, Version::Latest);
    let pod = Pod::read(&mut Reader::over(r#"{"spec":{"containers":[{"name":"c"}]}}"#)).unwrap_or_default();
    let findings = by_standard(&standard, &pod);
    findings.iter().any(|of_control| {
        of_control.control == control && of_control.kept().iter().any(Finding::is_auto_fixable)
    })
}

/// What an exception of it can name in its `values`.
fn excepted_values(control: &Control) -> String {
    let kinds: Vec<&str> = control.values.iter().map(|kind| kind.in_words()).collect();
    if kinds.is_empty() { "no values".to_owned() } else { either(&kinds) }
}

/// Whether Kubernetes' own policies could say the same.
fn cel(control: &Control) -> String {
    match control.doc.cel {
        Cel::Whole => "yes".to_owned(),
        Cel::Partly(but) => format!("yes, but {but}"),
    }
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
         **Filled in** says by which setting of a policy podgate fills in what a pod leaves out; **update** is what an \
         update of a pod has to change for the control to be checked again (those of the standard then \
         judge the whole pod, as Kubernetes does; those of a policy only what the update brings); **CEL** is whether Kubernetes' own ValidatingAdmissionPolicies could say the same, \
         one policy a control and one message a refusal.\n\n\
         | control | level | about | filled in | update | CEL |\n|---|---|---|---|---|---|\n",
    );
    for control in CONTROLS.iter().copied() {
        let anchor = control.id.to_lowercase();
        let _ = writeln!(
            text,
            "| [`{}`](#{anchor}) | {} | {} | {} | {} | {} |",
            control.id,
            level(control),
            control.doc.title,
            filled_in(control),
            control.depends_on(),
            cel(control)
        );
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
    let _ = writeln!(text, "\nAn exception can name: {}.", excepted_values(control));
    let _ = write!(text, "\nTo fix it: {}\n\n```yaml\n{}```\n", doc.fix, doc.example);
    text
}
