//! `podgate lint` over a tree of YAML: its instructions beside those of a YAML library alone over the same bytes, its
//! memory, and what a second core brings.

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::{Result, page, podgate, scratch};

/// Of the definitions one file in so many is read under valgrind, which takes a hundred times as long.
const ONE_IN: usize = 9;
/// Runs on one core and on two, in turn.
const ROUNDS: usize = 5;
const STEP: Duration = Duration::from_millis(2);
/// The library whose events the linter was once made from, and podgate's own reader.
const LIBRARY: &str = "granit-parser, its events";
const READER: &str = "podgate's reader of YAML";

/// Measures and prints everything; with `PODGATE_BLESS` the page shows it, too.
pub(crate) fn measure(tree: &Path) -> Result<ExitCode> {
    let mut kept = String::new();
    let table = format!("{}{}", instructions(&part(tree)?, &mut kept)?, runs(tree, &mut kept)?);
    println!("{table}");
    fs::write(podgate()?.with_file_name("measured-lint.txt"), kept)?;
    if env::var_os("PODGATE_BLESS").is_some() {
        page::put("linter", &table)?;
    }
    Ok(ExitCode::SUCCESS)
}

#[expect(clippy::cast_precision_loss, reason = "figures are far below 2^52")]
fn ratio(of: u64, to: u64) -> f64 {
    of as f64 / to as f64
}

/// The figures that have a goal go to `kept`.
fn instructions(part: &[PathBuf], kept: &mut String) -> Result<String> {
    let mut bytes = 0;
    for file in part {
        bytes += fs::metadata(file)?.len();
    }
    println!("counting instructions over {} files, {bytes} bytes", part.len());
    let (ours, library, reader) = (lint(part)?, reading(LIBRARY, part)?, reading(READER, part)?);
    writeln!(kept, "lint-to-library {:.2}", ratio(ours, library))?;
    let mut table = String::from(
        "| reads the same bytes | instructions a byte | lint is so many times that |\n|---|---|---|\n",
    );
    for (name, count) in [("podgate lint", ours), (LIBRARY, library), (READER, reader)] {
        writeln!(table, "| {name} | {:.1} | {:.2} |", ratio(count, bytes), ratio(ours, count))?;
    }
    Ok(table)
}

/// Runs over the whole tree, on one core and on two.
fn runs(tree: &Path, kept: &mut String) -> Result<String> {
    let (mut one, mut two, mut speed_up, mut most, mut report) =
        (Vec::new(), Vec::new(), Vec::new(), 0, None);
    for round in 1..=ROUNDS {
        let (on_one, on_two) = (Run::of(tree, "0")?, Run::of(tree, "0,1")?);
        println!("round {round} of {ROUNDS}");
        for run in [&on_one, &on_two] {
            if *report.get_or_insert_with(|| run.report.clone()) != run.report {
                return Err("the report is not the same in every run".into());
            }
            most = most.max(run.most_memory * 1024);
        }
        one.push(on_one.elapsed.as_secs_f64());
        two.push(on_two.elapsed.as_secs_f64());
        speed_up.push(on_one.elapsed.as_secs_f64() / on_two.elapsed.as_secs_f64());
    }
    let (bytes, largest) = sizes(tree)?;
    writeln!(kept, "lint-speed-up {}", spread(speed_up.clone()))?;
    writeln!(kept, "lint-resident {:.1}", megabytes(most.saturating_sub(largest)))?;
    let mut table = String::from("\n| the whole tree | |\n|---|---|\n");
    writeln!(
        table,
        "| size, of it the largest file | {:.1} MB, {:.1} MB |",
        megabytes(bytes),
        megabytes(largest)
    )?;
    writeln!(table, "| seconds on one core, on two | {}, {} |", spread(one), spread(two))?;
    writeln!(table, "| one core / two cores | {} |", spread(speed_up))?;
    writeln!(table, "| resident at most, MB | {:.1} |", megabytes(most))?;
    writeln!(
        table,
        "| the same without the largest file, MB | {:.1} |",
        megabytes(most.saturating_sub(largest))
    )?;
    Ok(table)
}

fn megabytes(bytes: u64) -> f64 {
    ratio(bytes, 1_000_000)
}

/// Files of the tree in a stable order.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut entries = Vec::new();
    for entry in fs::read_dir(folder)? {
        entries.push(entry?.path());
    }
    entries.sort();
    let mut files = Vec::new();
    for path in entries {
        if path.is_dir() {
            files.extend(self::files(&path)?);
        } else {
            files.push(path);
        }
    }
    Ok(files)
}

/// All manifests, and some of the definitions.
fn part(tree: &Path) -> Result<Vec<PathBuf>> {
    let mut part = files(&tree.join("apps"))?;
    part.extend(files(&tree.join("crds"))?.into_iter().skip(1).step_by(ONE_IN));
    Ok(part)
}

/// Of all files together, and of the largest.
fn sizes(tree: &Path) -> Result<(u64, u64)> {
    let (mut all, mut largest) = (0, 0);
    for file in files(tree)? {
        let size = fs::metadata(file)?.len();
        (all, largest) = (all + size, largest.max(size));
    }
    Ok((all, largest))
}

fn lint(part: &[PathBuf]) -> Result<u64> {
    let mut command = Command::new(podgate()?);
    command.arg("lint").args(part);
    count("lint", &command)
}

fn reading(reader: &str, part: &[PathBuf]) -> Result<u64> {
    let list = scratch("parts")?.join("list");
    let lines: Vec<String> = part.iter().map(|path| path.display().to_string()).collect();
    fs::write(&list, lines.join("\n"))?;
    let mut command = Command::new(env::current_exe()?);
    command.arg("yaml").arg(reader).arg(list);
    count("reading", &command)
}

/// The instructions of a whole run, on one core.
fn count(name: &str, command: &Command) -> Result<u64> {
    let counts = scratch(name)?.join("counts");
    let status = Command::new("taskset")
        .args(["-c", "0", "valgrind", "--quiet", "--tool=callgrind"])
        .arg(format!("--callgrind-out-file={}", counts.display()))
        .arg(command.get_program())
        .args(command.get_args())
        .env("GLIBC_TUNABLES", crate::callgrind::TUNABLES)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()?;
    // The linter's own code for findings.
    if !matches!(status.code(), Some(0 | 1)) {
        return Err(format!("{name} under valgrind ends with {status}").into());
    }
    crate::callgrind::total(&counts)
}

/// The process that only reads: the events of the library, or podgate's own documents.
pub(crate) fn read(reader: &str, list: &Path) -> Result<ExitCode> {
    for path in fs::read_to_string(list)?.lines() {
        let text = fs::read_to_string(path)?;
        match reader {
            READER => drop(black_box(podgate::yaml::read(&text))),
            _ => {
                for event in granit_parser::Parser::new_from_str(&text) {
                    black_box(event.map_err(|error| format!("{path}: {error}"))?);
                }
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// A run over the whole tree.
struct Run {
    elapsed: Duration,
    /// In KiB.
    most_memory: u64,
    report: Vec<u8>,
}

impl Run {
    fn of(tree: &Path, cores: &str) -> Result<Self> {
        let report = scratch("report")?.join("report");
        let started = Instant::now();
        let mut child = Command::new("taskset")
            .args(["-c", cores])
            .arg(podgate()?)
            .arg("lint")
            .arg(tree)
            .stdout(fs::File::create(&report)?)
            .stderr(Stdio::null())
            .spawn()?;
        let mut most_memory = 0;
        while child.try_wait()?.is_none() {
            most_memory = resident(&child).unwrap_or(most_memory);
            thread::sleep(STEP);
        }
        let elapsed = started.elapsed();
        if !matches!(child.wait()?.code(), Some(0 | 1)) {
            return Err("the linter fails".into());
        }
        Ok(Self { elapsed, most_memory, report: fs::read(report)? })
    }
}

/// The most memory that a process has had resident so far.
fn resident(child: &Child) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().trim_end_matches(" kB").parse().ok()
}

/// The median, the least and the greatest.
fn spread(mut values: Vec<f64>) -> String {
    values.sort_by(f64::total_cmp);
    let at = |place: usize| values.get(place).copied().unwrap_or_default();
    format!("{:.2} ({:.2} to {:.2})", at(values.len() / 2), at(0), at(values.len().saturating_sub(1)))
}
