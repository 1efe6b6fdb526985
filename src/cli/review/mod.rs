//! `podgate review`: AdmissionReviews in, answers out, one a line, by the server's own code.

mod not_a_review;
mod text;

use std::fs;
use std::io::{self, Read, Write};
use std::mem;
use std::path::PathBuf;

use anyhow::Context;
use serde_json::value::RawValue;

use crate::admission::{Answer, Outcome, Reviewer, Webhook};
use crate::cli::at::AtArg;
use crate::cli::azure::AzureArgs;
use crate::cli::exit_code::{ALL_WELL, REFUSED, UNREAD};
use crate::cli::offline::OfflineReviewer;
use crate::cli::sources::{SourceArgs, StandardArg};
use crate::text::one_line;

/// Answer AdmissionReviews without a server.
///
/// Reads reviews as JSON, one a line or one after the other, and writes an answer for each on a line of
/// its own, by the same code that serves the webhook. What is no review is answered with {"error": ...}. Exit codes:
/// 0 everything is allowed, 1 something is refused, 2 wrong usage or policies, 3 something could not be read or judged.
/// Manifests are for podgate lint.
#[derive(Debug, clap::Args)]
pub(crate) struct ReviewArgs {
    /// Files with reviews; - or nothing is standard input.
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,

    /// Answer as the mutating webhook.
    #[arg(long)]
    mutate: bool,

    /// The form of the answers.
    #[arg(long, value_name = "FORMAT", default_value = "json")]
    format: AnswerFormat,

    #[command(flatten)]
    sources: SourceArgs,

    #[command(flatten)]
    standard: StandardArg,

    #[command(flatten)]
    at: AtArg,

    #[command(flatten)]
    azure: AzureArgs,
}

/// The forms of an answer. No variable sets it: what reads the answers of a pipe knows which it wants.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum AnswerFormat {
    /// For programs: the AdmissionReview that a server answers with, one a line.
    Json,
    /// For people: what was decided, the text of a refusal, the warnings, and what would be filled in.
    Text,
}

/// What a file or standard input holds.
struct Input {
    name: String,
    text: Vec<u8>,
}

impl ReviewArgs {
    pub(crate) fn run(&self, output: &mut impl Write) -> anyhow::Result<u8> {
        let (policies, objects) = self.sources.load(&self.standard)?;
        let reviewer = Reviewer::new(policies, objects.snapshot).with_providers(self.azure.providers()?);
        let pods = self.sources.names_objects().then_some(objects.pods);
        let writer = AnswerWriter {
            reviewer: OfflineReviewer { reviewer, pods, today: self.at.day() },
            format: self.format,
        };
        let webhook = if self.mutate { Webhook::Mutate } else { Webhook::Validate };
        let mut worst = ALL_WELL;
        for input in self.inputs() {
            let input = match input {
                Ok(input) => input,
                Err(error) => {
                    writeln!(io::stderr(), "podgate: {error:#}")?;
                    worst = UNREAD;
                    continue;
                }
            };
            let reviews = split(&input.text);
            if reviews.is_empty() {
                writeln!(io::stderr(), "podgate: {} holds no review", one_line(&input.name))?;
                worst = worst.max(UNREAD);
            }
            for review in reviews {
                worst = worst.max(writer.answer(webhook, (review, &input.name), output)?);
            }
        }
        Ok(worst)
    }

    fn inputs(&self) -> Vec<anyhow::Result<Input>> {
        let from_stdin = || {
            let mut text = Vec::new();
            io::stdin().read_to_end(&mut text).context("cannot read standard input")?;
            Ok(Input { name: "-".to_owned(), text })
        };
        if self.files.is_empty() {
            return vec![from_stdin()];
        }
        let read = |file: &PathBuf| {
            if file.as_os_str() == "-" {
                return from_stdin();
            }
            let name = file.display().to_string();
            let text = fs::read(file).with_context(|| format!("cannot read {name}"))?;
            Ok(Input { name, text })
        };
        self.files.iter().map(read).collect()
    }
}

/// Answers reviews, and writes the answers.
struct AnswerWriter {
    reviewer: OfflineReviewer,
    format: AnswerFormat,
}

impl AnswerWriter {
    /// Writes the answer to one review of a file, and returns its exit code.
    fn answer(
        &self,
        webhook: Webhook,
        (review, file): (&[u8], &str),
        output: &mut impl Write,
    ) -> io::Result<u8> {
        match self.reviewer.answer(webhook, review) {
            Ok(answer) => {
                self.write(&answer, output)?;
                Ok(match answer.decision.outcome {
                    Outcome::Allowed | Outcome::Patched => ALL_WELL,
                    Outcome::Denied => REFUSED,
                    Outcome::Error => UNREAD,
                })
            }
            Err(error) => {
                let message = not_a_review::meant_for(review, file).unwrap_or(error.message);
                match self.format {
                    AnswerFormat::Json => writeln!(output, "{}", serde_json::json!({ "error": message }))?,
                    AnswerFormat::Text => writeln!(output, "{}: {message}", one_line(file))?,
                }
                Ok(UNREAD)
            }
        }
    }

    fn write(&self, answer: &Answer<'_>, output: &mut impl Write) -> io::Result<()> {
        match self.format {
            AnswerFormat::Json => {
                output.write_all(&answer.body)?;
                output.write_all(b"\n")
            }
            AnswerFormat::Text => text::write(answer, output),
        }
    }
}

/// The reviews of an input: its lines, if the first is a whole JSON text, and else the JSON texts that
/// follow one another. What is not JSON is a review too, for the reviewer to refuse.
fn split(input: &[u8]) -> Vec<&[u8]> {
    let is_json = |text: &[u8]| serde_json::from_slice::<&RawValue>(text).is_ok();
    let Some(first) = lines(input).next() else { return Vec::new() };
    if is_json(first) {
        return lines(input).collect();
    }
    let mut texts = serde_json::Deserializer::from_slice(input).into_iter::<&RawValue>();
    let mut reviews: Vec<&[u8]> = Vec::new();
    let mut end = 0;
    while let Some(Ok(text)) = texts.next() {
        reviews.push(text.get().as_bytes());
        end = texts.byte_offset();
    }
    let rest = input.get(end..).unwrap_or_default().trim_ascii();
    if !rest.is_empty() {
        reviews.push(rest);
    }
    reviews
}

/// The lines of an input that hold anything, without the blanks around it.
fn lines(input: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut start = 0;
    // A review is a line of many kilobytes.
    let ends = memchr::memchr_iter(b'\n', input).chain([input.len()]);
    let lines = ends.map(move |end| input.get(mem::replace(&mut start, end + 1)..end).unwrap_or_default());
    lines.map(<[u8]>::trim_ascii).filter(|line| !line.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reviews_are_lines_or_texts_one_after_the_other() {
        let split = |input: &str| -> Vec<String> {
            split(input.as_bytes()).iter().map(|text| String::from_utf8_lossy(text).into_owned()).collect()
        };
        assert_eq!(split("{}\n\n[1]\r\n{\n"), ["{}", "[1]", "{"]);
        assert_eq!(split("{\n \"a\": 1\n}\n{\n}"), ["{\n \"a\": 1\n}", "{\n}"]);
        assert_eq!(split("{\n}\n{\"b\n"), ["{\n}", "{\"b"]);
        assert_eq!(split("nonsense"), ["nonsense"]);
        assert_eq!(split(" \n "), [""; 0]);
    }
}
