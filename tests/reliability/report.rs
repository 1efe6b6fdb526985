//! Figures: for programs a line each, for people a row of the table of `docs/reliability.md`.

use std::fmt::{self, Display};

/// What a figure has to be.
#[derive(Debug, Clone, Copy)]
enum Goal {
    None,
    AtMost(f64),
    AtLeast(f64),
}

/// One thing that was measured or counted.
#[derive(Debug)]
pub(crate) struct Figure {
    name: &'static str,
    value: f64,
    unit: &'static str,
    goal: Goal,
    /// Whether the goal counts only where the machine and the build are fit for it.
    is_speed: bool,
}

impl Figure {
    /// Something that is only told.
    pub(crate) fn of(name: &'static str, value: f64, unit: &'static str) -> Self {
        Self { name, value, unit, goal: Goal::None, is_speed: false }
    }

    /// A number of things of which there may be none.
    pub(crate) fn none(name: &'static str, count: usize) -> Self {
        Self::of(name, number(count), "").at_most(0.0)
    }

    /// A number of things.
    pub(crate) fn count(name: &'static str, count: usize) -> Self {
        Self::of(name, number(count), "")
    }

    pub(crate) fn at_most(self, most: f64) -> Self {
        Self { goal: Goal::AtMost(most), ..self }
    }

    pub(crate) fn at_least(self, least: f64) -> Self {
        Self { goal: Goal::AtLeast(least), ..self }
    }

    /// Held to its goal in long runs alone.
    pub(crate) fn if_long(self) -> Self {
        Self { is_speed: true, ..self }
    }

    fn holds(&self) -> bool {
        match self.goal {
            Goal::None => true,
            Goal::AtMost(most) => self.value <= most,
            Goal::AtLeast(least) => self.value >= least,
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
pub(crate) fn number(count: usize) -> f64 {
    count as f64
}

/// A figure as people read it: three digits.
struct Rounded(f64);

impl Display for Rounded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = match self.0.abs() {
            value if value.fract() == 0.0 || value >= 100.0 => 0,
            value if value >= 10.0 => 1,
            value if value >= 1.0 => 2,
            _ => 3,
        };
        write!(f, "{:.digits$}", self.0)
    }
}

impl Display for Goal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => Ok(()),
            Self::AtMost(most) => write!(f, "<={most}"),
            Self::AtLeast(least) => write!(f, ">={least}"),
        }
    }
}

/// What a promise's run has come to.
pub(crate) struct Report {
    pub(crate) number: u32,
    pub(crate) name: &'static str,
    /// How it was run.
    pub(crate) how: String,
    pub(crate) figures: Vec<Figure>,
}

impl Report {
    /// Prints a line for each figure.
    pub(crate) fn print(&self) {
        for figure in &self.figures {
            let Figure { name, value, unit, goal, .. } = figure;
            println!(
                "figure promise={} run={} name={name:?} value={value} unit={unit:?} goal=\"{goal}\" holds={}",
                self.number,
                self.name,
                figure.holds()
            );
        }
    }

    /// Whether all goals are met that count in this kind of run.
    pub(crate) fn holds(&self, is_long: bool) -> bool {
        self.figures.iter().all(|figure| figure.holds() || figure.is_speed && !is_long)
    }

    /// A row of the table: number, name, how, figures with their goals.
    pub(crate) fn row(&self) -> String {
        let figures: Vec<_> = self
            .figures
            .iter()
            .map(|figure| {
                let Figure { name, value, unit, goal, .. } = figure;
                let gap = if unit.is_empty() || *unit == "%" { "" } else { " " };
                let value = format!("{name} {}{gap}{unit}", Rounded(*value));
                let goal = goal.to_string().replace("<=", "≤ ").replace(">=", "≥ ");
                match (figure.holds(), goal.is_empty()) {
                    (true, true) => value,
                    (true, false) => format!("{value} ({goal})"),
                    (false, _) => format!("**{value}** (missed: {goal})"),
                }
            })
            .collect();
        format!("| {} | `{}` | {} | {} |", self.number, self.name, self.how, figures.join(" · "))
    }
}
