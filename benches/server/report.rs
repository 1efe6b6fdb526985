//! The figures as tables, in the form in which `docs/performance.md` has them.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use crate::peer::{Peer, Side};
use crate::upstream::Upstream;
use crate::{PASSED, REFUSED, Result, SIXTEEN};

const BEGIN: &str = "<!-- figures of the server's bench: written by it -->\n";
const END: &str = "<!-- end of the figures -->\n";

/// What a server cost in each round of a payload, in microseconds a review. The round of a place is the same
/// for all servers.
pub(crate) struct Costs {
    pub(crate) payload: &'static str,
    pub(crate) bytes: usize,
    pub(crate) of: Vec<(Side, Vec<f64>)>,
}

impl Costs {
    fn of(&self, side: Side) -> Option<&Vec<f64>> {
        self.of.iter().find(|(of, _)| *of == side).map(|(_, costs)| costs)
    }

    fn ratio(&self, of: Side, to: Side) -> String {
        let (Some(of), Some(to)) = (self.of(of), self.of(to)) else { return String::new() };
        ratio(of, to)
    }
}

/// The median, the least and the greatest of the ratios within a round.
fn ratio(of: &[f64], to: &[f64]) -> String {
    let (low, middle, high) = spread(of.iter().zip(to).map(|(of, to)| of / to).collect());
    let digits = if middle < 10.0 { 2 } else { 1 };
    format!("{middle:.digits$} ({low:.digits$} to {high:.digits$})")
}

/// The figures that have a goal, each with its spread, where `benches/run page` looks for them.
pub(crate) fn keep(costs: &[Costs], calls: &[(&str, f64)], peers: &[(Peer, Vec<f64>)]) -> Result<()> {
    let mut lines = String::new();
    for (key, of, to) in [
        ("cpu-to-null/one-container", (PASSED, Side::Judging), (PASSED, Side::Null)),
        ("cpu-to-null/sixteen-containers", (SIXTEEN, Side::Judging), (SIXTEEN, Side::Null)),
        ("upstream-to-drop-in/one-container", (PASSED, Side::Upstream), (PASSED, Side::DropIn)),
        ("upstream-to-drop-in/sixteen-containers", (SIXTEEN, Side::Upstream), (SIXTEEN, Side::DropIn)),
        ("refused-to-passed", (REFUSED, Side::Judging), (PASSED, Side::Judging)),
    ] {
        let (of, to) = (costs[of.0].of(of.1), costs[to.0].of(to.1));
        if let (Some(of), Some(to)) = (of, to) {
            writeln!(lines, "{key} {}", ratio(of, to))?;
        }
    }
    for (key, count) in calls {
        writeln!(lines, "{key} {count:.2}")?;
    }
    for (peer, ready) in peers.iter().filter(|(peer, _)| peer.side == Side::DropIn) {
        let (low, middle, high) = spread(ready.clone());
        writeln!(lines, "ready {middle:.1} ({low:.1} to {high:.1})")?;
        writeln!(lines, "resident-loaded/drop-in {:.1}", megabytes(peer.memory("VmRSS:")?))?;
        writeln!(lines, "resident-idle/drop-in {:.1}", megabytes(peer.idle))?;
        writeln!(lines, "program {}", size(Path::new(env!("CARGO_BIN_EXE_podgate")))?)?;
    }
    Ok(fs::write(Path::new(env!("CARGO_BIN_EXE_podgate")).with_file_name("measured-server.txt"), lines)?)
}

fn megabytes(kib: u64) -> f64 {
    kib as f64 * 1024.0 / 1e6
}

/// What the pod with many faults costs beside the one without.
pub(crate) fn refused_to_passed(costs: &[Costs]) -> String {
    let of = |side| match (costs[REFUSED].of(side), costs[PASSED].of(side)) {
        (Some(refused), Some(passed)) => format!("{} {}", side.name(), ratio(refused, passed)),
        _ => String::new(),
    };
    [Side::Judging, Side::DropIn].map(of).join(", ")
}

fn spread(mut values: Vec<f64>) -> (f64, f64, f64) {
    values.sort_by(f64::total_cmp);
    (values[0], values[values.len() / 2], values[values.len() - 1])
}

/// CPU per review beside the null handler's, and upstream's beside ours.
pub(crate) fn costs(costs: &[Costs]) -> String {
    let mut table = String::from(
        "| payload | null, us | skipping / null | judging / null | drop-in / null | upstream / null | upstream / drop-in |\n\
         |---|---|---|---|---|---|---|\n",
    );
    for row in costs {
        let null = row.of(Side::Null).map_or(0.0, |costs| spread(costs.clone()).1);
        let (name, bytes) = (row.payload, row.bytes as f64 / 1000.0);
        let _ = write!(table, "| {name} ({bytes:.1} KB) | {null:.1} |");
        for side in [Side::Skipping, Side::Judging, Side::DropIn, Side::Upstream] {
            let _ = write!(table, " {} |", row.ratio(side, Side::Null));
        }
        let _ = writeln!(table, " {} |", row.ratio(Side::Upstream, Side::DropIn));
    }
    table
}

/// Time to ready, memory and program of each server; `ready` are all the times that its start took.
pub(crate) fn processes(peers: &[(Peer, Vec<f64>)], upstream: Option<&Upstream>) -> Result<String> {
    let mut table = String::from(
        "| server | ready after, ms | resident idle, MB | after the load, MB | at most, MB | program, MB |\n|---|---|---|---|---|---|\n",
    );
    for (peer, ready) in peers {
        let (low, middle, high) = spread(ready.clone());
        // The others are the bench itself.
        let program = match (peer.side, upstream) {
            (Side::DropIn, _) => size(Path::new(env!("CARGO_BIN_EXE_podgate")))?,
            (Side::Upstream, Some(upstream)) => size(&upstream.program())?,
            _ => String::new(),
        };
        writeln!(
            table,
            "| {} | {middle:.1} ({low:.1} to {high:.1}) | {:.1} | {:.1} | {:.1} | {program} |",
            peer.side.name(),
            megabytes(peer.idle),
            megabytes(peer.memory("VmRSS:")?),
            megabytes(peer.memory("VmHWM:")?),
        )?;
    }
    Ok(table)
}

fn size(program: &Path) -> Result<String> {
    Ok(format!("{:.1}", fs::metadata(program)?.len() as f64 / 1e6))
}

/// Puts the tables in place of those that the page has.
pub(crate) fn bless(tables: &str) -> Result<()> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/performance.md");
    let page = fs::read_to_string(&path)?;
    let (before, rest) = page.split_once(BEGIN).ok_or("the page has no place for the figures")?;
    let (_, after) = rest.split_once(END).ok_or("the page's figures have no end")?;
    fs::write(path, format!("{before}{BEGIN}\n{tables}\n{END}{after}"))?;
    Ok(())
}
