//! `podgate policy check`: policy files by themselves, before a server or the linter is to go by them.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::cli::exit_code::{ALL_WELL, REFUSED, UNREAD};
use crate::cli::sources::{OWN_NAMESPACE, SourceFile, files_of, namespace, no_policies, read_source};
use crate::policy::{PolicyError, PolicySet, read_file};
use crate::text::{counted, one_line};

/// What the files are called in errors.
const WHAT: &str = "policy";

/// Read policy files and report every fault.
///
/// They are read as one set, as with --policy. A warning is of policies that refuse each other's pods, which changes no exit
/// code. Exit codes: 0 they are in order, 1 there are faults, 2 wrong usage,
/// 3 there are no faults but something could not be read.
#[derive(Debug, clap::Args)]
pub(super) struct CheckArgs {
    /// Files and folders with policies.
    #[arg(value_name = "PATH", required = true)]
    paths: Vec<PathBuf>,

    /// The namespace that podgate runs in, which no policy may reach.
    #[arg(long, value_name = "NAME", env = "PODGATE_OWN_NAMESPACE", default_value = OWN_NAMESPACE, value_parser = namespace)]
    own_namespace: String,
}

impl CheckArgs {
    pub(super) fn run(&self, output: &mut impl Write) -> Result<u8> {
        let mut policies = no_policies(&self.own_namespace);
        let mut is_unread = false;
        for file in self.paths.iter().flat_map(|path| sources_of(path)) {
            match file {
                Ok(file) => read_file(&file.name, &file.text, &mut policies),
                Err(error) => {
                    is_unread = true;
                    writeln!(output, "{}", one_line(&format!("{error:#}")))?;
                }
            }
        }
        let warnings = policies.warnings();
        let warned = warnings.len();
        for PolicyError { file, line, column, message } in warnings {
            writeln!(output, "{}", one_line(&format!("{file}:{line}:{column}: warning: {message}")))?;
        }
        match policies.finish() {
            Err(faults) => {
                for fault in &faults {
                    writeln!(output, "{}", one_line(&fault.to_string()))?;
                }
                writeln!(output, "{}", counted(faults.len(), "fault"))?;
                Ok(REFUSED)
            }
            Ok(_) if is_unread => Ok(UNREAD),
            Ok(policies) => {
                let warned =
                    if warned > 0 { format!("; {}", counted(warned, "warning")) } else { String::new() };
                writeln!(output, "{}{warned}", in_order(&policies))?;
                Ok(ALL_WELL)
            }
        }
    }
}

/// The files of a path, or why there are none.
fn sources_of(path: &Path) -> Vec<Result<SourceFile>> {
    match files_of(path, WHAT) {
        Ok(files) => files.iter().map(|file| read_source(file, WHAT)).collect(),
        Err(error) => vec![Err(error)],
    }
}

/// `in order: 2 SecurityPolicies, 1 IdentityPolicy`.
fn in_order(policies: &PolicySet) -> String {
    let kinds = [
        (policies.security.len(), "SecurityPolicy", "SecurityPolicies"),
        (policies.identity.len(), "IdentityPolicy", "IdentityPolicies"),
        (policies.azure_ml.len(), "AzureMachineLearning", "AzureMachineLearnings"),
        (usize::from(policies.pod_security.is_some()), "PodSecurityConfiguration", ""),
    ];
    let counts = kinds.iter().filter(|(count, ..)| *count > 0);
    let counts = counts.map(|(count, one, many)| format!("{count} {}", if *count == 1 { one } else { many }));
    format!("in order: {}", counts.collect::<Vec<_>>().join(", "))
}
