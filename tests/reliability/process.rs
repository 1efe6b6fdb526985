//! What the system says of a process, and a share of the CPU to hold one to.

use std::fs;
use std::io;
use std::path::PathBuf;

/// Resident memory now (`VmRSS:`) or at most so far (`VmHWM:`), in MiB.
pub(crate) fn memory(id: u32, line: &str) -> f64 {
    let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap();
    let found = status.lines().find_map(|text| text.strip_prefix(line)).unwrap();
    found.trim().trim_end_matches(" kB").parse::<f64>().unwrap() / 1024.0
}

/// How many files and sockets it has open.
pub(crate) fn descriptors(id: u32) -> usize {
    fs::read_dir(format!("/proc/{id}/fd")).unwrap().count()
}

/// A control group with a share of the CPU.
pub(crate) struct CpuShare {
    folder: PathBuf,
}

impl CpuShare {
    /// So many thousandths of a core; `None`, and a line that says so, where no group can be made.
    pub(crate) fn new(millicores: u32) -> Option<Self> {
        match Self::make(millicores) {
            Ok(share) => Some(share),
            Err(error) => {
                println!("  no control group can be made ({error}): the server has all of the CPU");
                None
            }
        }
    }

    fn make(millicores: u32) -> io::Result<Self> {
        const PERIOD_MICROS: u32 = 100_000;
        let quota = PERIOD_MICROS / 1000 * millicores;
        let name = format!("podgate-reliability-{}", std::process::id());
        let root = PathBuf::from("/sys/fs/cgroup");
        if root.join("cgroup.controllers").is_file() {
            // It may be handed on already, or may not be ours to hand on: the next write shows.
            let _ = fs::write(root.join("cgroup.subtree_control"), "+cpu");
            let share = Self { folder: root.join(name) };
            fs::create_dir(&share.folder)?;
            fs::write(share.folder.join("cpu.max"), format!("{quota} {PERIOD_MICROS}"))?;
            return Ok(share);
        }
        let share = Self { folder: root.join("cpu").join(name) };
        fs::create_dir(&share.folder)?;
        fs::write(share.folder.join("cpu.cfs_period_us"), PERIOD_MICROS.to_string())?;
        fs::write(share.folder.join("cpu.cfs_quota_us"), quota.to_string())?;
        Ok(share)
    }

    /// From here on the process has no more than that.
    pub(crate) fn hold(&self, id: u32) {
        fs::write(self.folder.join("cgroup.procs"), id.to_string()).unwrap();
    }
}

impl Drop for CpuShare {
    fn drop(&mut self) {
        // Who is in it has ended by now; if not, the group stays, empty of use.
        let _ = fs::remove_dir(&self.folder);
    }
}
