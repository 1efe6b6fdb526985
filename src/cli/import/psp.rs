//! `podgate import psp`: PodSecurityPolicies in, SecurityPolicies out, and a report of what became of each field.

use std::io::{self, Write};
use std::path::PathBuf;

use anyhow::{Context as _, Result, anyhow};
use jiff::ToSpan as _;
use jiff::civil::Date;

use crate::cli::at::today;
use crate::cli::exit_code::ALL_WELL;
use crate::cli::sources::{OWN_NAMESPACE, SourceFile, all_of, namespace, read_paths};
use crate::pod::{is_label_key, is_label_value};
use crate::policy::{SYSTEM_NAMESPACES, day};
use crate::psp::{ImportFault, ImportOptions, ImportSource, Imported, import};
use crate::text::one_line;

/// What stands for standard input in place of a path.
const STANDARD_INPUT: &str = "-";

/// Make SecurityPolicies of PodSecurityPolicies.
///
/// Reads PodSecurityPolicies and, where they are given, the Roles, ClusterRoles and bindings that let somebody use them. The policies go
/// to standard output, the report of what became of each field to standard error. The strictest PodSecurityPolicy of a namespace becomes
/// its policy, and what others allow beyond it becomes exceptions that RBAC grants. Exit codes: 0 the policies are written,
/// 2 wrong usage or faulty files.
#[derive(Debug, clap::Args)]
pub(crate) struct PspArgs {
    /// Files and folders; - is standard input.
    #[arg(value_name = "FILE", required = true)]
    inputs: Vec<PathBuf>,

    /// The namespaces in which the policies are to hold, with commas between; without it those of the RoleBindings.
    #[arg(long, value_name = "NAMES", value_delimiter = ',', value_parser = trimmed, conflicts_with = "namespace_selector")]
    namespaces: Vec<String>,

    /// A label of the Namespaces in which they are to hold.
    #[arg(long, value_name = "KEY=VALUE", value_parser = label)]
    namespace_selector: Option<(String, String)>,

    /// Who answers for exceptions; required where a laxer PodSecurityPolicy becomes some.
    #[arg(long, value_name = "WHO")]
    owner: Option<String>,

    /// The last day of exceptions, YYYY-MM-DD; without it a year from today.
    #[arg(long, value_name = "DATE", value_parser = last_day)]
    expires: Option<Date>,

    /// The namespace that podgate runs in, which no policy may reach.
    #[arg(long, value_name = "NAME", env = "PODGATE_OWN_NAMESPACE", default_value = OWN_NAMESPACE, value_parser = namespace)]
    own_namespace: String,
}

impl PspArgs {
    pub(super) fn run(&self, output: &mut impl Write) -> Result<u8> {
        let mut files = Vec::new();
        for input in &self.inputs {
            if input.as_os_str() == STANDARD_INPUT {
                let text = io::read_to_string(io::stdin()).context("cannot read standard input")?;
                files.push(SourceFile { name: STANDARD_INPUT.to_owned(), text });
            } else {
                files.extend(read_paths(std::slice::from_ref(input), "PodSecurityPolicy")?);
            }
        }
        let sources: Vec<ImportSource<'_>> =
            files.iter().map(|SourceFile { name, text }| ImportSource { name, text }).collect();
        let Imported { policies, report } =
            import(&sources, &self.options()).map_err(|faults| match faults.as_slice() {
                [ImportFault::Lacking(message)] => anyhow!("{message}"),
                faults => all_of(faults, "PodSecurityPolicies"),
            })?;
        output.write_all(policies.as_bytes())?;
        // What goes to standard error comes behind the policies.
        output.flush()?;
        let mut errors = io::stderr().lock();
        for line in report.to_string().lines() {
            writeln!(errors, "{}", one_line(line))?;
        }
        Ok(ALL_WELL)
    }

    fn options(&self) -> ImportOptions {
        let system = SYSTEM_NAMESPACES.map(ToOwned::to_owned).into_iter();
        ImportOptions {
            namespaces: self.namespaces.clone(),
            namespace_selector: self.namespace_selector.clone(),
            owner: self.owner.clone(),
            expires: self.expires.unwrap_or_else(|| a_year_after(today())).to_string(),
            reserved: system.chain([self.own_namespace.clone()]).collect(),
        }
    }
}

/// Reads the name of a namespace, which may have blanks around it.
fn trimmed(text: &str) -> Result<String, &'static str> {
    namespace(text.trim())
}

/// Reads a label.
fn label(text: &str) -> Result<(String, String), &'static str> {
    const EXPECTED: &str = "expected KEY=VALUE, such as podgate.dev/policy=ml-restricted";
    let (key, value) = text.split_once('=').ok_or(EXPECTED)?;
    let is_label = is_label_key(key) && is_label_value(value);
    if is_label { Ok((key.to_owned(), value.to_owned())) } else { Err(EXPECTED) }
}

/// Reads the last day of exceptions, which has not passed.
fn last_day(text: &str) -> Result<Date, String> {
    let last = day(text).ok_or("expected a day, as in 2027-03-31")?;
    let today = today();
    if last < today { Err(format!("has passed: expected {today} or a later day")) } else { Ok(last) }
}

/// The same day of the next year, or the one before it where there is none.
fn a_year_after(day: Date) -> Date {
    day.saturating_add(1.year())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_year_has_an_end() {
        for (from, expected) in
            [("2026-11-29", "2027-11-29"), ("2028-02-29", "2029-02-28"), ("2027-12-31", "2028-12-31")]
        {
            assert_eq!(a_year_after(day(from).unwrap()).to_string(), expected);
        }
    }

    #[test]
    fn exceptions_do_not_end_before_they_begin() {
        let today = today();
        assert_eq!(last_day(&today.to_string()), Ok(today));
        let yesterday = today.yesterday().unwrap().to_string();
        for wrong in ["", "2027", "2027-02-30", "tomorrow", "2027-1-1", "2020-01-01", &yesterday] {
            assert!(last_day(wrong).is_err(), "{wrong}");
        }
    }
}
