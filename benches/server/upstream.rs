//! Upstream's Pod Security webhook, and the control plane that it cannot be without.

use std::env;
use std::io::{BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::Result;

/// A control plane that has the Namespace, for as long as this lives.
pub(crate) struct Upstream {
    programs: PathBuf,
    folder: TempDir,
    holder: Child,
}

impl Upstream {
    /// `None`, and a line that says so, where upstream's programs are not built.
    pub(crate) fn start(namespace: &Path) -> Result<Option<Self>> {
        let usual = || Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("upstream").join("bin");
        let programs = env::var_os("PODGATE_UPSTREAM").map_or_else(usual, PathBuf::from);
        if !programs.join("pod-security-webhook").is_file() {
            println!(
                "left out: upstream, as {} has no pod-security-webhook: tests/upstream/build makes it",
                programs.display()
            );
            return Ok(None);
        }
        let folder = tempfile::tempdir()?;
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/upstream/control-plane");
        let mut holder = Command::new(script)
            .arg("hold")
            .arg(folder.path().join("control-plane"))
            .env("PODGATE_UPSTREAM", &programs)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // An interrupt of the terminal ends the bench; it is then that this ends.
            .process_group(0)
            .spawn()?;
        let mut line = String::new();
        BufReader::new(holder.stdout.take().ok_or("no output")?).read_line(&mut line)?;
        if line != "ready\n" {
            return Err("the control plane does not come up: see standard error".into());
        }
        let upstream = Self { programs, folder, holder };
        let applied = Command::new(upstream.programs.join("kubectl"))
            .arg("--kubeconfig")
            .arg(upstream.kubeconfig())
            .args(["apply", "--filename"])
            .arg(namespace)
            .stdout(Stdio::null())
            .status()?;
        if !applied.success() {
            return Err("the Namespace cannot be made".into());
        }
        Ok(Some(upstream))
    }

    /// An administrator's.
    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.folder.path().join("control-plane/kubeconfig")
    }

    pub(crate) fn program(&self) -> PathBuf {
        self.programs.join("pod-security-webhook")
    }

    /// The webhook as its users run it, for one core.
    pub(crate) fn webhook(&self, port: u16) -> Command {
        let mut command = Command::new(self.program());
        command
            .env("GOMAXPROCS", "1")
            .args(["--bind-address=127.0.0.1", "--secure-port", &port.to_string()])
            .args(["--tls-cert-file=tls.crt", "--tls-private-key-file=tls.key"])
            .args(["--config=configuration.yaml", "--kubeconfig"])
            .arg(self.kubeconfig());
        command
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        drop(self.holder.stdin.take());
        let _ = self.holder.wait();
    }
}
