//! An answer for people: what was decided, the refusal as kubectl would print it, the warnings, and the patch.

use std::io::{self, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::Value;

use crate::admission::{Answer, Decision, Outcome};
use crate::text::{Printable, counted, one_line, printable};

/// Longest value of a patch that is written: that of the defaults is shorter.
const LONGEST_VALUE: usize = 200;
/// Longest path of a patch that is written.
const LONGEST_PATH: usize = 200;
/// Most changes of a patch that are listed.
const MOST_CHANGES: usize = 30;

/// Writes an answer.
pub(super) fn write(answer: &Answer<'_>, output: &mut impl Write) -> io::Result<()> {
    let body: Value = serde_json::from_slice(&answer.body)?;
    let response = body.get("response").unwrap_or(&Value::Null);
    writeln!(output, "{}", heading(&answer.decision))?;
    let message = response.pointer("/status/message").and_then(Value::as_str).unwrap_or_default();
    for line in message.lines() {
        writeln!(output, "  {}", one_line(line))?;
    }
    for warning in response.get("warnings").and_then(Value::as_array).into_iter().flatten() {
        writeln!(output, "  warning: {}", one_line(warning.as_str().unwrap_or_default()))?;
    }
    write_patch(response, output)
}

/// `Pod ml-team-a/train-bert: denied (403)`.
fn heading(decision: &Decision<'_>) -> String {
    let Decision { kind, namespace, name, generate_name, outcome, code, .. } = decision;
    let mut heading = format!("{} ", Printable(if kind.is_empty() { "review" } else { kind }));
    if !namespace.is_empty() {
        heading.push_str(&format!("{}/", Printable(namespace)));
    }
    match (name.as_ref(), generate_name.as_ref()) {
        ("", "") => heading.push_str("(no name)"),
        ("", prefix) => heading.push_str(&format!("{}*", Printable(prefix))),
        (name, _) => heading.push_str(&Printable(name).to_string()),
    }
    heading.push_str(": ");
    heading.push_str(match outcome {
        Outcome::Allowed if decision.is_unjudged => "allowed: no policy holds in its namespace",
        Outcome::Allowed if !decision.exemptions.is_empty() => "allowed: exempt",
        Outcome::Allowed => "allowed",
        Outcome::Patched => "allowed, and changed",
        Outcome::Denied => "refused",
        Outcome::Error => "refused: it could not be judged",
    });
    if matches!(outcome, Outcome::Denied | Outcome::Error) {
        heading.push_str(&format!(" ({code})"));
    }
    heading
}

fn write_patch(response: &Value, output: &mut impl Write) -> io::Result<()> {
    let patch = response.get("patch").and_then(Value::as_str).and_then(|text| BASE64.decode(text).ok());
    let Some(patch) = patch else { return Ok(()) };
    let changes: Vec<Value> = serde_json::from_slice(&patch)?;
    writeln!(output, "  {}:", counted(changes.len(), "change"))?;
    for change in changes.iter().take(MOST_CHANGES) {
        let text = |key: &str| change.get(key).and_then(Value::as_str).unwrap_or_default();
        let path = printable(text("path"), LONGEST_PATH);
        let value = change.get("value").map(Value::to_string).unwrap_or_default();
        writeln!(output, "    {} {path} {}", text("op"), printable(&value, LONGEST_VALUE))?;
    }
    if changes.len() > MOST_CHANGES {
        writeln!(output, "    and {} more", changes.len() - MOST_CHANGES)?;
    }
    Ok(())
}
