//! A program under callgrind, which counts the instructions between two moments.
//!
//! The program is told apart from its start by valgrind's own debugging server (`vgdb`): until the first count nothing
//! is counted at all, and each count begins at zero. So what a start takes, which differs from run to run, is
//! in no figure.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use crate::Result;

/// Without these `rep movsb` and `rep stosb`, with which glibc copies and fills, count once for each byte.
pub(crate) const TUNABLES: &str =
    "glibc.cpu.x86_rep_movsb_threshold=1000000000:glibc.cpu.x86_rep_stosb_threshold=1000000000";

/// The program; ends with this.
pub(crate) struct Callgrind {
    pub(crate) child: Child,
    folder: PathBuf,
    dumps: usize,
}

impl Callgrind {
    /// Starts a program with its arguments and environment; standard input and output are pipes. `folder` is
    /// for valgrind's own files.
    pub(crate) fn start(program: &Command, folder: &Path) -> Result<Self> {
        let mut command = Command::new("valgrind");
        command
            .args(["--quiet", "--tool=callgrind", "--instr-atstart=no"])
            .arg(format!("--callgrind-out-file={}", folder.join("counts").display()))
            .arg(program.get_program())
            .args(program.get_args())
            .env("GLIBC_TUNABLES", TUNABLES)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(fs::File::create(folder.join("errors"))?);
        for (name, value) in program.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        let child = command.spawn().map_err(|error| format!("valgrind cannot be started: {error}"))?;
        Ok(Self { child, folder: folder.to_owned(), dumps: 0 })
    }

    /// Has the program's instructions looked at, which makes it slow.
    pub(crate) fn instrument(&self) -> Result<()> {
        self.order(&["instrumentation", "on"])
    }

    /// The instructions of all threads while `work` is done.
    pub(crate) fn count<T>(&mut self, work: impl FnOnce(&mut Child) -> Result<T>) -> Result<u64> {
        self.order(&["zero"])?;
        work(&mut self.child)?;
        self.order(&["dump"])?;
        self.dumps += 1;
        let path = self.folder.join(format!("counts.{}", self.dumps));
        total(&path)
    }

    fn order(&self, words: &[&str]) -> Result<()> {
        let output = Command::new("vgdb").arg(format!("--pid={}", self.child.id())).args(words).output()?;
        if output.status.success() { Ok(()) } else { Err(said("vgdb", &output).into()) }
    }
}

impl Drop for Callgrind {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What valgrind has written of one count.
pub(crate) fn total(counts: &Path) -> Result<u64> {
    let text = fs::read_to_string(counts).map_err(|error| format!("{}: {error}", counts.display()))?;
    let total = text.lines().find_map(|line| line.strip_prefix("totals: ")).ok_or("no totals")?;
    Ok(total.trim().parse()?)
}

fn said(program: &str, output: &Output) -> String {
    format!("{program}: {}", String::from_utf8_lossy(&output.stderr).trim())
}

/// What figures depend on beside the source: figures of another environment say nothing about a change.
pub(crate) fn environment() -> Result<String> {
    let rustc = line_of(Command::new("rustc").arg("--version"))?;
    let valgrind = line_of(Command::new("valgrind").arg("--version"))?;
    let libc = line_of(Command::new("getconf").arg("GNU_LIBC_VERSION"))?;
    // Valgrind has the program see what it emulates of the processor.
    let processor = fs::read_to_string("/proc/cpuinfo")?;
    let has_avx2 = processor.split_whitespace().any(|flag| flag == "avx2");
    let vectors = if has_avx2 { "with" } else { "without" };
    Ok(format!("{rustc}, {valgrind}, {libc}, {} {vectors} AVX2", std::env::consts::ARCH))
}

fn line_of(command: &mut Command) -> Result<String> {
    let output = command.output()?;
    let program = command.get_program().to_string_lossy().into_owned();
    if !output.status.success() {
        return Err(said(&program, &output).into());
    }
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}
