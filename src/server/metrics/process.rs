//! What Prometheus usually asks of a process, read from `/proc/self`.
//!
//! By hand, because the library's own collector brings a second system-call crate for these four numbers.
//! What cannot be read is left out.

use std::fs;
use std::io::Write;

/// How many clock ticks of `/proc/self/stat` make a second: fixed by Linux' interface at 100.
const TICKS: f64 = 100.0;

/// Appends the process' metrics in Prometheus' text format.
pub(super) fn write(text: &mut Vec<u8>) {
    let found = [
        ("process_resident_memory_bytes", "gauge", resident_bytes()),
        ("process_cpu_seconds_total", "counter", cpu_seconds()),
        ("process_open_fds", "gauge", open_files()),
    ];
    for (name, kind, value) in found {
        if let Some(value) = value {
            // Writing to memory does not fail.
            let _ = writeln!(text, "# TYPE {name} {kind}\n{name} {value}");
        }
    }
}

fn resident_bytes() -> Option<f64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024.0)
}

fn cpu_seconds() -> Option<f64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // The name in parentheses may hold anything; the 14th and 15th field are the 12th and 13th after it.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(11);
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some((user + system) / TICKS)
}

fn open_files() -> Option<f64> {
    let count = u32::try_from(fs::read_dir("/proc/self/fd").ok()?.count()).ok()?;
    Some(f64::from(count))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plausible() {
        assert!(resident_bytes().unwrap() > 1e5);
        assert!(cpu_seconds().unwrap() >= 0.0);
        assert!(open_files().unwrap() >= 3.0);
    }
}
