//! Every goal of speed beside what was measured, as the page shows it.

use std::fmt::Write as _;
use std::fs;

use crate::figures::Figures;
use crate::{Result, podgate, repository};

/// What a figure has to be.
enum Goal {
    AtMost(f64),
    AtLeast(f64),
    /// At most so many times another figure.
    Times(f64, &'static str),
    /// Of another figure, so many percent up or down.
    Within(f64, &'static str),
}

use Goal::{AtLeast, AtMost, Times, Within};

/// What is measured, under which name; what it was at commit 577fd53, with the payloads of then; and the goal.
const GOALS: [(&str, &str, &str, Goal); 30] = [
    (
        "instructions of a review, whole server, 1 container",
        "server/gate/validate/one-container",
        "193k",
        AtMost(100_000.0),
    ),
    ("the same, 16 containers", "server/gate/validate/sixteen-containers", "1,195k", AtMost(520_000.0)),
    (
        "instructions, bytes to answer, 1 container",
        "function/validate/one-container",
        "135k",
        AtMost(55_000.0),
    ),
    ("the same, 16 containers", "function/validate/sixteen-containers", "998k", AtMost(320_000.0)),
    ("CPU / null, 16 connections, 1 container", "cpu-to-null/one-container", "2.3 to 2.8", AtMost(1.3)),
    ("the same, 16 containers", "cpu-to-null/sixteen-containers", "3 to 4.3", AtMost(1.8)),
    ("upstream's webhook / drop-in, 1 container", "upstream-to-drop-in/one-container", "15", AtLeast(28.0)),
    ("the same, 16 containers", "upstream-to-drop-in/sixteen-containers", "28", AtLeast(45.0)),
    ("refused with many faults / passed", "refused-to-passed", "3", AtMost(1.5)),
    ("reads of sockets and files a review, 16 containers", "reads", "8", AtMost(1.0)),
    ("writes", "writes", "2", AtMost(1.05)),
    ("start to ready in a cluster, ms", "ready", "65", AtMost(20.0)),
    ("resident idle, in a cluster, MB", "resident-idle/drop-in", "12", AtMost(8.0)),
    ("resident under load, MB", "resident-loaded/drop-in", "14", AtMost(11.0)),
    ("the program, MB", "program", "15.9", AtMost(9.0)),
    (
        "instructions with 1,000 other policies by name",
        "function/policies-by-name-1000/one-container",
        "x3.8",
        Within(1.0, "function/policies-by-name-1/one-container"),
    ),
    (
        "with 1,000 by selector",
        "function/policies-by-selector-1000/one-container",
        "x9.4",
        Within(1.0, "function/policies-by-selector-1/one-container"),
    ),
    (
        "with 10,000 namespaces",
        "function/namespaces-10000/one-container",
        "flat",
        Within(1.0, "function/namespaces-10/one-container"),
    ),
    (
        "with 1,000 policies as they are shipped, none of which matches",
        "function/growth/policies/1000/one-container",
        "",
        Within(1.0, "function/growth/policies/1/one-container"),
    ),
    (
        "with 10,000 namespaces of seven labels each",
        "function/growth/namespaces/10000/one-container",
        "",
        Within(1.0, "function/growth/namespaces/10/one-container"),
    ),
    (
        "with 10,000 exceptions of other namespaces",
        "function/growth/exceptions/10000/one-container",
        "",
        Within(1.0, "function/growth/exceptions/0/one-container"),
    ),
    (
        "with 10,000 exemptions of other namespaces",
        "function/growth/exemptions/10000/one-container",
        "",
        Within(1.0, "function/growth/exemptions/0/one-container"),
    ),
    (
        "with 10,000 exemptions of its own policy",
        "function/growth/own-exemptions/10000/one-container",
        "",
        Within(1.0, "function/growth/own-exemptions/1/one-container"),
    ),
    ("one more policy, bytes", "memory/policy", "18.7 KB", AtMost(1024.0)),
    ("one more namespace, bytes", "memory/namespace", "1.1 KB", AtMost(256.0)),
    (
        "mutation with an Azure identity, instructions, 1 container",
        "function/identity-mutate/one-container",
        "",
        Times(1.25, "function/validate/one-container"),
    ),
    (
        "the same, 16 containers",
        "function/identity-mutate/sixteen-containers",
        "",
        Times(1.25, "function/validate/sixteen-containers"),
    ),
    ("lint / the YAML library alone, instructions", "lint-to-library", "", AtMost(3.0)),
    ("lint on one core / on two", "lint-speed-up", "1", AtLeast(1.8)),
    ("lint, resident beside the largest file, MB", "lint-resident", "142 in all", AtMost(64.0)),
];

/// The table of the page.
pub(crate) fn table() -> Result<String> {
    let committed = Figures::read(&repository().join("benches/measure/instructions.txt"))?;
    let mut kept = committed.to_lines();
    for name in ["measured-server.txt", "measured-lint.txt", "measured-policy.txt", "measured-namespace.txt"]
    {
        kept += &fs::read_to_string(podgate()?.with_file_name(name)).unwrap_or_default();
    }
    let figure = |key: &str| kept.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' '));
    let mut table = String::from("| what | 577fd53 | now | goal | reached |\n|---|---|---|---|---|\n");
    for (what, key, before, goal) in GOALS {
        let text = figure(key).unwrap_or("not measured");
        let (wanted, is_reached) = judge(number(text), &goal, |of| figure(of).and_then(number));
        writeln!(table, "| {what} | {before} | {text} | {wanted} | {is_reached} |")?;
    }
    Ok(table)
}

/// The figures that are not within what another of the same run allows.
#[expect(clippy::cast_precision_loss, reason = "figures are far below 2^52")]
pub(crate) fn grown(measured: &Figures) -> Vec<&'static str> {
    let figure = |key: &str| measured.get(key).map(|count| count as f64);
    let is_grown = |(_, key, _, goal): &&(&str, &'static str, &str, Goal)| {
        matches!(goal, Within(..)) && judge(figure(key), goal, figure).1 != "yes"
    };
    GOALS.iter().filter(is_grown).map(|(_, key, ..)| *key).collect()
}

/// The first number of a text.
fn number(text: &str) -> Option<f64> {
    text.split(' ').next()?.parse().ok()
}

fn judge(now: Option<f64>, goal: &Goal, other: impl Fn(&str) -> Option<f64>) -> (String, &'static str) {
    let (wanted, is_reached) = match goal {
        AtMost(limit) => (format!("at most {limit}"), now.map(|now| now <= *limit)),
        AtLeast(limit) => (format!("at least {limit}"), now.map(|now| now >= *limit)),
        Times(times, of) => (
            format!("at most {times} times its validation"),
            now.zip(other(of)).map(|(now, of)| now <= times * of),
        ),
        Within(percent, of) => {
            let is_within = |now: f64, of: f64| (now - of).abs() * 100.0 <= percent * of;
            (
                format!("{percent} % of what it is with few"),
                now.zip(other(of)).map(|(now, of)| is_within(now, of)),
            )
        }
    };
    let said = is_reached.map_or("", |is_reached| if is_reached { "yes" } else { "no" });
    (wanted, said)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_goal_is_reached_or_not() {
        let few = |_: &str| Some(1000.0);
        for (now, goal, said) in [
            (Some(100.0), AtMost(100.0), "yes"),
            (Some(100.1), AtMost(100.0), "no"),
            (Some(27.9), AtLeast(28.0), "no"),
            (Some(28.0), AtLeast(28.0), "yes"),
            (Some(1010.0), Within(1.0, "few"), "yes"),
            (Some(1011.0), Within(1.0, "few"), "no"),
            (Some(989.0), Within(1.0, "few"), "no"),
            (Some(1250.0), Times(1.25, "few"), "yes"),
            (Some(1251.0), Times(1.25, "few"), "no"),
            (None, AtMost(1.0), ""),
        ] {
            assert_eq!(judge(now, &goal, few).1, said, "{now:?}");
        }
        assert_eq!(number("1.81 (1.70 to 1.93)"), Some(1.81));
    }

    #[test]
    fn what_grows_is_named() {
        let with = |grown: u64| {
            let is_within = |(_, key, _, goal): &(&str, &'static str, &str, Goal)| match goal {
                Within(_, few) => Some([(*key, grown), (*few, 1000)]),
                AtMost(_) | AtLeast(_) | Times(..) => None,
            };
            let of = GOALS.iter().filter_map(is_within).flatten();
            Figures::new(String::new(), of.map(|(key, count)| (key.to_owned(), count)).collect())
        };
        assert_eq!(grown(&with(1010)), [""; 0]);
        assert_eq!(
            grown(&with(1011)),
            grown(&Figures::new(String::new(), Vec::new())),
            "all, and as if not measured"
        );
        assert!(grown(&with(1011)).contains(&"function/growth/policies/1000/one-container"));
    }
}
