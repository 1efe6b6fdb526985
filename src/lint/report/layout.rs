//! How a report for people looks: how wide, in which colours, and how much of it.

use anstyle::{AnsiColor, Style};

use crate::evaluate::Severity;
use crate::lint::report::{FindingReport, ObjectVerdict, PodReport};

/// How a report for people looks.
#[derive(Debug, Clone, Copy)]
pub struct Layout {
    /// Lines are wrapped at this width; `None` if they are not, for what other programs read.
    pub width: Option<usize>,
    /// Whether there may be colours, as escape sequences.
    pub is_colored: bool,
    /// The least severity of what is shown.
    pub least: Severity,
    /// Whether what is unresolved is shown.
    pub shows_unresolved: bool,
    /// Whether notes are shown, which change no verdict.
    pub shows_notes: bool,
}

/// Everything, as it is written to a file.
impl Default for Layout {
    fn default() -> Self {
        Self {
            width: None,
            is_colored: false,
            least: Severity::Audit,
            shows_unresolved: true,
            shows_notes: true,
        }
    }
}

impl Layout {
    /// Whether a finding is shown: what podgate fills in is no fault.
    pub(super) fn shows(self, finding: &FindingReport) -> bool {
        !finding.is_filled_in && finding.exception.is_none() && finding.severity >= self.least
    }

    /// Whether it is shown what the verdict on a pod lacks. Of one that is refused anyway, it is a note.
    pub(super) fn shows_unresolved_of(self, pod: &PodReport) -> bool {
        match pod.verdict {
            ObjectVerdict::Unresolved => self.shows_unresolved,
            ObjectVerdict::Deny => self.shows_notes && !pod.unresolved.is_empty(),
            ObjectVerdict::Allow | ObjectVerdict::Warn => false,
        }
    }

    /// Where something is.
    pub(super) fn place(self, text: &str) -> String {
        self.styled(Style::new().bold(), text)
    }

    /// What happens to an object.
    pub(super) fn outcome(self, severity: Severity, text: &str) -> String {
        let color = match severity {
            Severity::Deny => AnsiColor::Red,
            Severity::Warn => AnsiColor::Yellow,
            Severity::Audit => AnsiColor::Cyan,
        };
        self.styled(color.on_default().bold(), text)
    }

    /// What to do.
    pub(super) fn fix(self, text: &str) -> String {
        self.styled(AnsiColor::Green.on_default(), text)
    }

    /// What matters less.
    pub(super) fn aside(self, text: &str) -> String {
        self.styled(Style::new().dimmed(), text)
    }

    fn styled(self, style: Style, text: &str) -> String {
        if self.is_colored { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }

    /// The text in lines, the first one behind `start` and the others as far in as it is, no word cut.
    pub(super) fn wrapped(self, start: &str, indent: usize, text: &str) -> String {
        let Some(width) = self.width else { return format!("{start}{text}") };
        let indent = " ".repeat(indent);
        let options = textwrap::Options::new(width)
            .initial_indent(start)
            .subsequent_indent(&indent)
            .break_words(false)
            .word_splitter(textwrap::WordSplitter::NoHyphenation);
        textwrap::fill(text, options)
    }
}
