//! Figures as they are committed, and what those of now are beside them.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use crate::Result;

/// By how much a figure may exceed what is committed, in percent. Figures of one source and one environment differ
/// by less than a third of it.
const MARGIN: u64 = 3;

const HEADER: &str = "# Instructions of a review, or of a call: `PODGATE_BLESS=1 benches/run instructions` writes this.\n\
    # docs/performance.md says what is counted, and how.\n";
const ENVIRONMENT: &str = "with ";

/// Each measure's name and instructions, and what they were counted with.
#[derive(Debug, PartialEq)]
pub(crate) struct Figures {
    environment: String,
    of: Vec<(String, u64)>,
}

/// What came of a comparison.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Kept,
    Exceeded,
    /// The committed figures are of another compiler, valgrind, C library or processor.
    NotJudged,
}

impl Figures {
    pub(crate) fn new(environment: String, of: Vec<(String, u64)>) -> Self {
        Self { environment, of }
    }

    pub(crate) fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
        Self::parse(&text).map_err(|error| format!("{}: {error}", path.display()).into())
    }

    fn parse(text: &str) -> Result<Self> {
        let mut lines = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
        let environment = lines.next().and_then(|line| line.strip_prefix(ENVIRONMENT));
        let environment =
            environment.ok_or("the first line does not say what it was counted with")?.to_owned();
        let mut of = Vec::new();
        for line in lines {
            let (name, count) = line.split_once(' ').ok_or_else(|| format!("no figure: {line}"))?;
            of.push((name.to_owned(), count.trim().parse().map_err(|_| format!("no number: {line}"))?));
        }
        Ok(Self { environment, of })
    }

    pub(crate) fn write(&self, path: &Path) -> Result<()> {
        Ok(fs::write(path, self.to_text())?)
    }

    fn to_text(&self) -> String {
        format!("{HEADER}{ENVIRONMENT}{}\n{}", self.environment, self.to_lines())
    }

    /// A line for each measure.
    pub(crate) fn to_lines(&self) -> String {
        self.of.iter().map(|(name, count)| format!("{name} {count}\n")).collect()
    }

    /// For the page.
    pub(crate) fn to_table(&self) -> String {
        let mut table = format!("Counted with {}.\n\n| what | instructions |\n|---|---|\n", self.environment);
        for (name, count) in &self.of {
            let _ = writeln!(table, "| `{name}` | {count} |");
        }
        table
    }

    pub(crate) fn get(&self, name: &str) -> Option<u64> {
        self.of.iter().find(|(known, _)| known == name).map(|(_, count)| *count)
    }

    /// Compares with what is committed; the report names every measure that is not as it was.
    pub(crate) fn judge(&self, committed: &Self) -> (Outcome, String) {
        let (mut report, mut exceeded, mut fewer) = (String::new(), false, false);
        for (name, now) in &self.of {
            let Some(before) = committed.get(name) else {
                let _ = writeln!(report, "{name}: {now}, and no figure is committed");
                exceeded = true;
                continue;
            };
            let (exceeds, is_below) =
                (now * 100 > before * (100 + MARGIN), now * 100 < before * (100 - MARGIN));
            if exceeds || is_below {
                let _ =
                    writeln!(report, "{name}: {before} -> {now} ({:+.1} %)", change_in_percent(before, *now));
            }
            exceeded |= exceeds;
            fewer |= is_below;
        }
        for (name, _) in committed.of.iter().filter(|(name, _)| self.get(name).is_none()) {
            let _ = writeln!(report, "{name}: committed, but no longer measured");
            exceeded = true;
        }
        let bless = "PODGATE_BLESS=1 benches/run instructions";
        if self.environment != committed.environment {
            let _ = writeln!(
                report,
                "not judged: the committed figures are of another environment.\n  committed: {}\n  now:       {}\n\
                 On the machine whose environment is to count, run {bless}",
                committed.environment, self.environment
            );
            return (Outcome::NotJudged, report);
        }
        if exceeded {
            let _ =
                writeln!(report, "more than {MARGIN} % above what is committed, or not the same measures.");
            let _ = writeln!(report, "If that is meant, say why in the commit, with new figures: {bless}");
            return (Outcome::Exceeded, report);
        }
        if fewer {
            let _ = writeln!(
                report,
                "more than {MARGIN} % below: commit the new figures, or the gain may be lost: {bless}"
            );
        }
        let _ =
            writeln!(report, "{} figures within {MARGIN} % of what is committed, or below", self.of.len());
        (Outcome::Kept, report)
    }
}

#[expect(clippy::cast_precision_loss, reason = "figures are far below 2^52")]
fn change_in_percent(before: u64, now: u64) -> f64 {
    (now as f64 / before as f64 - 1.0) * 100.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(environment: &str, of: &[(&str, u64)]) -> Figures {
        let of = of.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect();
        Figures::new(environment.to_owned(), of)
    }

    #[test]
    fn a_figure_that_exceeds_the_margin_fails_and_is_named() {
        let committed = figures("a", &[("server/gate", 100_000), ("function/validate", 50_000)]);
        for (gate, outcome) in [
            (100_000, Outcome::Kept),
            (103_000, Outcome::Kept),
            (103_001, Outcome::Exceeded),
            (105_000, Outcome::Exceeded),
            (50_000, Outcome::Kept),
        ] {
            let now = figures("a", &[("server/gate", gate), ("function/validate", 50_000)]);
            let (judged, report) = now.judge(&committed);
            assert_eq!(judged, outcome, "{gate}");
            let is_named = report.contains(&format!("server/gate: 100000 -> {gate}"));
            assert_eq!(is_named, !(97_000..=103_000).contains(&gate), "{report}");
            assert!(!report.contains("function/validate"), "{report}");
        }
    }

    #[test]
    fn fewer_instructions_ask_for_new_figures() {
        let (outcome, report) = figures("a", &[("x", 90)]).judge(&figures("a", &[("x", 100)]));
        assert_eq!(outcome, Outcome::Kept);
        assert!(
            report.contains("x: 100 -> 90 (-10.0 %)") && report.contains("commit the new figures"),
            "{report}"
        );
    }

    #[test]
    fn a_measure_that_is_missing_on_either_side_fails() {
        let (one, two) = (figures("a", &[("x", 1)]), figures("a", &[("x", 1), ("y", 1)]));
        for (now, committed) in [(&one, &two), (&two, &one)] {
            let (outcome, report) = now.judge(committed);
            assert_eq!(outcome, Outcome::Exceeded);
            assert!(report.contains("y: "), "{report}");
        }
    }

    #[test]
    fn figures_of_another_environment_are_shown_and_not_judged() {
        let (outcome, report) = figures("rustc 2", &[("x", 200)]).judge(&figures("rustc 1", &[("x", 100)]));
        assert_eq!(outcome, Outcome::NotJudged);
        for part in ["x: 100 -> 200 (+100.0 %)", "committed: rustc 1", "now:       rustc 2"] {
            assert!(report.contains(part), "{report}");
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let figures = figures("rustc 1, valgrind", &[("server/gate", 7), ("function/x", 8)]);
        assert_eq!(Figures::parse(&figures.to_text()).unwrap(), figures);
        for faulty in ["", "server/gate 7\n", "with a\nserver/gate\n", "with a\nserver/gate x\n"] {
            assert!(Figures::parse(faulty).is_err(), "{faulty}");
        }
    }
}
