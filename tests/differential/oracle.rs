//! Upstream as a program of its own: a line of JSON in, a line out.

use std::io::{BufRead as _, BufReader, BufWriter, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde::de::DeserializeOwned;

use crate::programs;

/// The program, while it runs; both ends of it can be held by threads of their own.
pub(crate) struct Oracle {
    pub(crate) questions: Questions,
    pub(crate) answers: Answers,
    pub(crate) child: Running,
}

/// It ends when there are no more questions; if the test fails before, it is ended.
pub(crate) struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub(crate) struct Questions(BufWriter<ChildStdin>);

pub(crate) struct Answers(BufReader<ChildStdout>, String);

impl Oracle {
    /// Starts it; `None` where it was not built.
    pub(crate) fn start(wanted_by: &str, program: &str) -> Option<Self> {
        let program = programs::find(wanted_by, &[program])?.pop()?;
        let mut child = Command::new(program).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let questions = Questions(BufWriter::with_capacity(1 << 16, child.stdin.take().unwrap()));
        let answers = Answers(BufReader::with_capacity(1 << 16, child.stdout.take().unwrap()), String::new());
        Some(Self { questions, answers, child: Running(child) })
    }
}

impl Questions {
    pub(crate) fn ask(&mut self, line: &str) {
        writeln!(self.0, "{line}").unwrap();
    }

    /// Asks, for whoever waits for the answer before the next question.
    pub(crate) fn ask_now(&mut self, line: &str) {
        self.ask(line);
        self.0.flush().unwrap();
    }
}

impl Answers {
    pub(crate) fn next<T: DeserializeOwned>(&mut self) -> T {
        self.1.clear();
        self.0.read_line(&mut self.1).unwrap();
        serde_json::from_str(&self.1).unwrap_or_else(|error| panic!("{error}: {:?}", self.1))
    }
}
