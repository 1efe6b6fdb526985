//! `podgate policy check`: policy files by themselves, before a server or the linter is to go by them.

mod exceptions;
mod log;
mod objects;

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::cli::at::AtArg;
use crate::cli::exit_code::{ALL_WELL, REFUSED, UNREAD};
use crate::cli::sources::{
    KindsArg, OWN_NAMESPACE, SourceFile, files_of, namespace, no_policies, read_source,
};
use crate::policy::{GUARDED_LABELS, GuardedLabels, PolicyError, PolicySet, UnguardedLabel, read_file};
use crate::text::{counted, one_line};

use exceptions::ExceptionCheck;
use log::ReadLog;
use objects::UsedByObjects;

/// What the files are called in errors.
const WHAT: &str = "policy";

/// Read policy files and report every fault.
///
/// They are read as one set, as with --policy. A warning changes no exit code: of policies that refuse each
/// other's pods, or that go by labels or annotations of Namespaces which are not guarded, and of exceptions that have ended or end
/// within a month, that another makes needless, or that nobody uses. Exit codes: 0 they are in order, 1 there are faults, 2 wrong
/// usage, 3 there are no faults but something could not be read.
#[derive(Debug, clap::Args)]
pub(super) struct CheckArgs {
    /// Files and folders with policies.
    #[arg(value_name = "PATH", required = true)]
    policies: Vec<PathBuf>,

    /// The namespace that podgate runs in, which no policy may reach.
    #[arg(long, value_name = "NAME", env = "PODGATE_OWN_NAMESPACE", default_value = OWN_NAMESPACE, value_parser = namespace)]
    own_namespace: String,

    /// Labels and annotations of Namespaces that only trusted people can change, with commas between.
    #[arg(long, env = "PODGATE_GUARDED_LABELS", value_name = "KEYS", default_value = GUARDED_LABELS)]
    guarded_labels: GuardedLabels,

    /// File or folder with cluster objects, pods and what makes pods among them: warns of exceptions that none of those pods uses, or
    /// that RBAC grants to nobody; repeat it for more.
    #[arg(long, value_name = "PATH", env = "PODGATE_OBJECTS", value_delimiter = ',')]
    objects: Vec<PathBuf>,

    /// File with log lines of podgate serve --log-format json; - is standard input: warns of exceptions that no line names;
    /// repeat it for more.
    #[arg(long = "log", value_name = "FILE")]
    logs: Vec<PathBuf>,

    #[command(flatten)]
    at: AtArg,

    #[command(flatten)]
    kinds: KindsArg,
}

impl CheckArgs {
    pub(super) fn run(&self, output: &mut impl Write) -> Result<u8> {
        let mut policies = no_policies(&self.own_namespace);
        let mut is_unread = false;
        for file in self.policies.iter().flat_map(|path| sources_of(path)) {
            match file {
                Ok(file) => read_file(&file.name, &file.text, &mut policies),
                Err(error) => {
                    is_unread = true;
                    write_line(output, &format!("{error:#}"))?;
                }
            }
        }
        let mut warned = policies.warnings().len();
        for PolicyError { file, line, column, message } in policies.warnings() {
            write_line(output, &format!("{file}:{line}:{column}: warning: {message}"))?;
        }
        let places = policies.exception_places().clone();
        match policies.finish() {
            Err(faults) => {
                for fault in &faults {
                    write_line(output, &fault.to_string())?;
                }
                writeln!(output, "{}", counted(faults.len(), "fault"))?;
                Ok(REFUSED)
            }
            Ok(_) if is_unread => Ok(UNREAD),
            Ok(policies) => {
                let in_order = in_order(&policies);
                warned += self.warn_of_labels(&policies, output)?;
                let check = ExceptionCheck::new(&policies, places, self.at.day());
                let (of_exceptions, is_unread) = self.warn_of_exceptions(policies, &check, output)?;
                warned += of_exceptions;
                let warned =
                    if warned > 0 { format!("; {}", counted(warned, "warning")) } else { String::new() };
                writeln!(output, "{in_order}{warned}")?;
                Ok(if is_unread { UNREAD } else { ALL_WELL })
            }
        }
    }

    fn warn_of_labels(&self, policies: &PolicySet, output: &mut impl Write) -> io::Result<usize> {
        let unguarded: Vec<_> = policies.unguarded_labels(&self.guarded_labels).into_iter().collect();
        for UnguardedLabel { policy, key, is_annotation } in &unguarded {
            let what = if *is_annotation { "annotation" } else { "label" };
            writeln!(
                output,
                "warning: {policy} depends on the {what} {key} of namespaces, which is not guarded: whoever may edit a \
                 Namespace can set it, make any pod, and set it back"
            )?;
        }
        Ok(unguarded.len())
    }

    /// Returns how many warnings there are, and whether something could not be read.
    fn warn_of_exceptions(
        &self,
        policies: PolicySet,
        check: &ExceptionCheck,
        output: &mut impl Write,
    ) -> Result<(usize, bool)> {
        let mut warnings = check.of_policies(&policies);
        let mut unread = Vec::new();
        if !self.objects.is_empty() && policies.pod_security.is_none() {
            match UsedByObjects::of(&self.objects, &self.kinds, policies, check.today()) {
                Ok(seen) => {
                    warnings.extend(check.by_objects(&seen));
                    writeln!(output, "{}", seen.summary())?;
                    unread.extend(seen.unread);
                }
                Err(error) => unread.push(format!("{error:#}")),
            }
        }
        if !self.logs.is_empty() {
            let mut log = ReadLog::new(check.names());
            for path in &self.logs {
                unread.extend(log.add(path).err().map(|error| format!("{error:#}")));
            }
            warnings.append(&mut log.unread);
            warnings.extend(check.by_log(&log));
        }
        for line in unread.iter().chain(&warnings) {
            write_line(output, line)?;
        }
        Ok((warnings.len(), !unread.is_empty()))
    }
}

fn write_line(output: &mut impl Write, text: &str) -> io::Result<()> {
    writeln!(output, "{}", one_line(text))
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
