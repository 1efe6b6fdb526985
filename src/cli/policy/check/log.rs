//! The exceptions that podgate's own log names: its JSON lines, as they are written by `podgate serve --log-format json`.
//!
//! Nothing of a line is kept but whether it names an exception of the policies, so that a log of any length takes little room.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read as _};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use jiff::Timestamp;
use serde::Deserialize;

use crate::text::counted;

/// Longest line that is read, in bytes: many times what podgate writes.
const LONGEST_LINE: usize = 1 << 20;
/// What stands for standard input in place of a path.
const STDIN: &str = "-";
/// The message of a line about a review.
const REVIEWED: &str = "reviewed";

/// What log files tell.
#[derive(Debug)]
pub(super) struct ReadLog {
    /// The exceptions that it may name, each with its policy.
    known: Vec<(Arc<str>, Arc<str>)>,
    used: BTreeSet<Arc<str>>,
    reviews: usize,
    /// The first and the last time of a line.
    times: Option<(Timestamp, Timestamp)>,
    /// What lines could not be read, a text for each file.
    pub(super) unread: Vec<String>,
}

/// A line, as far as it matters here.
#[derive(Debug, Deserialize)]
struct LogLine {
    timestamp: Timestamp,
    message: Option<String>,
    policy: Option<String>,
    exceptions: Option<String>,
}

/// What was found where a line should be.
enum NextLine {
    Whole,
    TooLong,
    End,
}

impl ReadLog {
    /// One that tells of these exceptions, each with its policy, and was not read yet.
    pub(super) fn new(known: Vec<(Arc<str>, Arc<str>)>) -> Self {
        Self { known, used: BTreeSet::new(), reviews: 0, times: None, unread: Vec::new() }
    }

    /// Adds what a file tells; `-` is standard input.
    ///
    /// # Errors
    /// It cannot be opened, or reading it breaks off.
    pub(super) fn add(&mut self, path: &Path) -> Result<()> {
        let describe = || format!("cannot read the log file {}", path.display());
        if path.as_os_str() == STDIN {
            return self.read("standard input", &mut io::stdin().lock()).with_context(describe);
        }
        let file = File::open(path).with_context(describe)?;
        self.read(&path.display().to_string(), &mut BufReader::new(file)).with_context(describe)
    }

    fn read(&mut self, name: &str, log: &mut impl BufRead) -> io::Result<()> {
        let (mut line, mut number, mut unread, mut first_unread) = (Vec::new(), 0_usize, 0_usize, 0_usize);
        loop {
            number += 1;
            let is_read = match next_line(log, &mut line)? {
                NextLine::End => break,
                NextLine::TooLong => false,
                NextLine::Whole if line.trim_ascii().is_empty() => true,
                NextLine::Whole => self.add_line(&line),
            };
            if !is_read {
                unread += 1;
                first_unread = if unread == 1 { number } else { first_unread };
            }
        }
        if unread > 0 {
            self.unread.push(format!(
                "{name}:{first_unread}: warning: {} from here on that podgate did not write as JSON: what they say of exceptions is not known",
                counted(unread, "line")
            ));
        }
        Ok(())
    }

    /// Whether it is a line of podgate's.
    fn add_line(&mut self, line: &[u8]) -> bool {
        let Ok(LogLine { timestamp, message, policy, exceptions }) = serde_json::from_slice(line) else {
            return false;
        };
        let (first, last) = self.times.unwrap_or((timestamp, timestamp));
        self.times = Some((first.min(timestamp), last.max(timestamp)));
        if message.as_deref() != Some(REVIEWED) {
            return true;
        }
        self.reviews += 1;
        let (policies, exceptions) = (policy.unwrap_or_default(), exceptions.unwrap_or_default());
        let has = |list: &str, wanted: &str| list.split(',').any(|item| item == wanted);
        if !exceptions.is_empty() {
            let is_named =
                |(name, policy): &&(Arc<str>, Arc<str>)| has(&exceptions, name) && has(&policies, policy);
            let named = self.known.iter().filter(is_named);
            self.used.extend(named.map(|(name, _)| Arc::clone(name)));
        }
        true
    }

    /// Whether a line names an exception.
    pub(super) fn names(&self, exception: &str) -> bool {
        self.used.contains(exception)
    }

    /// `42 reviews logged from TIME to TIME`; `None` if there is none.
    pub(super) fn span(&self) -> Option<String> {
        let (first, last) = self.times.filter(|_| self.reviews > 0)?;
        Some(format!("{} logged from {first:.0} to {last:.0}", counted(self.reviews, "review")))
    }
}

/// Reads a line without its end. One that is too long is passed over.
fn next_line(log: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<NextLine> {
    line.clear();
    let most = u64::try_from(LONGEST_LINE).unwrap_or(u64::MAX);
    if log.by_ref().take(most).read_until(b'\n', line)? == 0 {
        return Ok(NextLine::End);
    }
    if line.ends_with(b"\n") || line.len() < LONGEST_LINE {
        return Ok(NextLine::Whole);
    }
    loop {
        line.clear();
        if log.by_ref().take(most).read_until(b'\n', line)? == 0 || line.ends_with(b"\n") {
            line.clear();
            return Ok(NextLine::TooLong);
        }
    }
}
