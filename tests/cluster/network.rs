//! Networks for a cluster: this one, or one of its own, in which the addresses of Services can be anything.

use std::ffi::OsStr;
use std::process::{Command, Stdio};

/// Where a cluster's programs meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Network {
    /// The network of the tests.
    Ours,
    /// A network of its own, made by root.
    Apart,
    /// The same for whoever is root only in a user namespace.
    ApartAsUser,
}

/// Brings loopback up, takes every address of Services for its own, and becomes the program that follows.
const PREPARE: &str = "ip link set lo up && ip route add local 10.96.0.0/16 dev lo && exec \"$0\" \"$@\"";

impl Network {
    /// A way to make a network of one's own that works here.
    pub(crate) fn of_its_own() -> Option<Self> {
        let works = |network: &Self| {
            let tried =
                network.within_new("true".as_ref()).stdin(Stdio::null()).stderr(Stdio::null()).status();
            tried.is_ok_and(|status| status.success())
        };
        [Self::Apart, Self::ApartAsUser].into_iter().find(works)
    }

    /// A program in a new network of this kind. The process that is started becomes the program.
    pub(crate) fn within_new(self, program: &OsStr) -> Command {
        let flags: &[&str] = match self {
            Self::Ours => return Command::new(program),
            Self::Apart => &["--net"],
            Self::ApartAsUser => &["--net", "--map-root-user"],
        };
        let mut command = Command::new("unshare");
        command.args(flags).args(["sh", "-c", PREPARE]).arg(program);
        command
    }

    /// A program in the network of a process. Here, too, the process that is started becomes the program.
    pub(crate) fn joined(self, process: u32, program: &OsStr) -> Command {
        let flags: &[&str] = match self {
            Self::Ours => return Command::new(program),
            Self::Apart => &["--net"],
            Self::ApartAsUser => &["--net", "--user", "--preserve-credentials"],
        };
        let mut command = Command::new("nsenter");
        command.args(["--target", &process.to_string()]).args(flags).arg("--").arg(program);
        command
    }
}
