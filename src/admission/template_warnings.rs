//! What whoever applies a custom resource is warned of: the warnings about each of its templates, those that are alike
//! together, and each only once, as the API server passes on no warning twice.

use std::collections::BTreeSet;

use crate::text::{cut, json_length, printable};

/// Longest warnings about one object: the API server cuts each of them short once they have more characters together.
const LONGEST_WARNINGS: usize = 4000;
/// Longest warning: kubectl prints it on one line.
const LONGEST_WARNING: usize = 120;
/// Most closing lines: whom to ask, and what explains a code.
const MOST_CLOSING: usize = 3;

/// The warnings about an object.
#[derive(Debug, Default)]
pub(super) struct TemplateWarnings {
    /// What is said about the whole object.
    whole: Vec<String>,
    /// The templates about which the same is said: the first one's path, how many more there are, and what is said.
    alike: Vec<(String, usize, Vec<String>)>,
    /// What stands at the end.
    closing: Vec<String>,
}

impl TemplateWarnings {
    /// Adds one about the whole object.
    pub(super) fn add(&mut self, warning: &str) {
        self.whole.push(cut(format!("podgate: {}", printable(warning, LONGEST_WARNING)), LONGEST_WARNING));
    }

    /// Adds those about the template at a path, and what stands behind them.
    pub(super) fn add_of(&mut self, path: &str, (lines, closing): (Vec<String>, Vec<String>)) {
        if lines.is_empty() {
            return;
        }
        match self.alike.iter_mut().find(|(_, _, known)| *known == lines) {
            Some((_, others, _)) => *others += 1,
            None => self.alike.push((path.to_owned(), 0, lines)),
        }
        for line in closing {
            if self.closing.len() < MOST_CLOSING && !self.closing.contains(&line) {
                self.closing.push(line);
            }
        }
    }

    /// As many of them as the API server passes on whole, and how many more there are.
    pub(super) fn told(self) -> Vec<String> {
        let mut warnings = self.whole;
        let mut told = BTreeSet::new();
        for (path, others, lines) in self.alike {
            let count = lines.len();
            let new: Vec<String> = lines.into_iter().filter(|line| !told.contains(line)).collect();
            let beside = if new.len() == count { "" } else { ", beside what is said above" };
            let others = if others == 0 { String::new() } else { format!(" and {others} more") };
            let end = format!("{others}{beside}:");
            let start = "podgate: in the pods of ";
            let room = LONGEST_WARNING - start.len() - end.len();
            let path = cut(printable(&path, room).to_string(), room);
            warnings.push(format!("{start}{path}{end}"));
            told.extend(new.iter().cloned());
            warnings.extend(new);
        }
        let closing: usize = self.closing.iter().map(|line| json_length(line)).sum();
        let mut length = closing + LONGEST_WARNING;
        let fits = |warning: &&String| {
            length += json_length(warning);
            length <= LONGEST_WARNINGS
        };
        let count = warnings.iter().take_while(fits).count();
        let more = warnings.len() - count;
        if more > 0 {
            warnings.truncate(count);
            warnings.push(format!("podgate: and {more} more warnings: podgate lint has them all"));
        }
        warnings.extend(self.closing);
        warnings
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(lines: &[&str]) -> (Vec<String>, Vec<String>) {
        (lines.iter().map(ToString::to_string).collect(), vec!["podgate: ask us".to_owned()])
    }

    #[test]
    fn what_is_alike_is_said_once() {
        let mut warnings = TemplateWarnings::default();
        warnings.add_of("spec.a", lines(&["podgate: x", "podgate: y"]));
        warnings.add_of("spec.b", lines(&["podgate: x", "podgate: z"]));
        warnings.add_of("spec.c", lines(&["podgate: x", "podgate: y"]));
        warnings.add_of("spec.d", lines(&[]));
        assert_eq!(
            warnings.told(),
            [
                "podgate: in the pods of spec.a and 1 more:",
                "podgate: x",
                "podgate: y",
                "podgate: in the pods of spec.b, beside what is said above:",
                "podgate: z",
                "podgate: ask us",
            ]
        );
    }

    #[test]
    fn warnings_are_bounded() {
        let mut warnings = TemplateWarnings::default();
        warnings.add(&"w".repeat(1000));
        for index in 0..1000 {
            let path = format!("spec.{}[{index}]", "p".repeat(200));
            warnings.add_of(&path, lines(&[&format!("podgate: {index} {}", "l".repeat(90))]));
        }
        let told = warnings.told();
        assert!(told.iter().map(String::len).sum::<usize>() <= LONGEST_WARNINGS);
        assert!(told.iter().all(|warning| warning.len() <= LONGEST_WARNING));
        let [.., more, last] = &told[..] else { panic!("{told:?}") };
        assert!(more.starts_with("podgate: and ") && last == "podgate: ask us", "{more} {last}");
    }
}
