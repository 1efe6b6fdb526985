//! How often a server calls the system for each review, as `strace` counts it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::peer::{Peer, Side};
use crate::{PAYLOADS, Payload, Result, SIXTEEN};

/// What is shown, and which calls it sums up.
const COLUMNS: [(&str, &[&str]); 5] = [
    ("reads", &["read", "readv", "recvfrom", "recvmsg"]),
    ("writes", &["write", "writev", "sendto", "sendmsg"]),
    ("epoll_wait", &["epoll_wait", "epoll_pwait", "epoll_pwait2"]),
    ("futex", &["futex"]),
    ("sched_yield", &["sched_yield"]),
];

/// The calls of one server for one payload, for each review.
pub(crate) struct Calls {
    payload: &'static str,
    side: Side,
    of: [f64; COLUMNS.len()],
    all: f64,
}

/// For each payload that is allowed and each server; none where there is no strace.
pub(crate) fn count(peers: &[(Peer, Vec<f64>)]) -> Result<Vec<Calls>> {
    let mut rows = Vec::new();
    if Command::new("strace").arg("-V").stdout(Stdio::null()).stderr(Stdio::null()).status().is_err() {
        return Ok(rows);
    }
    let folder = tempfile::tempdir()?;
    for payload in PAYLOADS.iter().filter(|payload| payload.is_allowed && !payload.is_mutation) {
        for (peer, _) in peers.iter().filter(|(peer, _)| peer.side != Side::Skipping) {
            rows.push(of_round(peer, payload, &folder.path().join("counts"))?);
        }
    }
    Ok(rows)
}

fn of_round(peer: &Peer, payload: &'static Payload, file: &Path) -> Result<Calls> {
    let answered = peer.traced_round(payload, file)?;
    let counts = counts(&fs::read_to_string(file)?);
    let per_review = |count: u64| count as f64 / answered.max(1) as f64;
    let of = COLUMNS.map(|(_, calls)| per_review(calls.iter().filter_map(|call| counts.get(*call)).sum()));
    Ok(Calls { payload: payload.name, side: peer.side, of, all: per_review(counts.values().sum()) })
}

pub(crate) fn table(rows: &[Calls]) -> Result<String> {
    if rows.is_empty() {
        return Ok("(left out: there is no strace)\n".to_owned());
    }
    let mut table = String::from("| payload | server |");
    let names = COLUMNS.map(|(name, _)| format!(" {name} |"));
    writeln!(table, "{} all |\n|---|---|{}", names.concat(), "---|".repeat(COLUMNS.len() + 1))?;
    for Calls { payload, side, of, all } in rows {
        let of = of.map(|count| format!(" {count:.2} |"));
        writeln!(table, "| {payload} | {} |{} {all:.2} |", side.name(), of.concat())?;
    }
    Ok(table)
}

/// Those of the larger pod have a goal.
pub(crate) fn with_goals(rows: &[Calls]) -> Vec<(&'static str, f64)> {
    let is_it = |row: &&Calls| row.payload == PAYLOADS[SIXTEEN].name && row.side == Side::Judging;
    let of = |row: &Calls| [("reads", row.of[0]), ("writes", row.of[1])];
    rows.iter().find(is_it).map(of).into_iter().flatten().collect()
}

/// The lines of strace's table: share, seconds, microseconds a call, calls, at times errors, and the name.
fn counts(table: &str) -> BTreeMap<String, u64> {
    let lines = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let calls = lines.filter_map(|words| match *words {
        [_, _, _, calls, .., name] if name != "total" => Some((name.to_owned(), calls.parse().ok()?)),
        _ => None,
    });
    calls.collect()
}
