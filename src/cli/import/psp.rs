//! `podgate import psp`: PodSecurityPolicies in, SecurityPolicies out, and a report of what became of each field.

use std::io::{self, Write};
use std::path::PathBuf;
use std::time::SystemTime;

use anyhow::{Context as _, Result, anyhow};

use crate::cli::exit_code::ALL_WELL;
use crate::cli::sources::{OWN_NAMESPACE, SourceFile, all_of, namespace, read_paths};
use crate::policy::SYSTEM_NAMESPACES;
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
    #[arg(long, value_name = "NAMES", value_delimiter = ',', value_parser = namespace, conflicts_with = "namespace_selector")]
    namespaces: Vec<String>,

    /// A label of the Namespaces in which they are to hold.
    #[arg(long, value_name = "KEY=VALUE", value_parser = label)]
    namespace_selector: Option<(String, String)>,

    /// Who answers for exceptions; required where a laxer PodSecurityPolicy becomes some.
    #[arg(long, value_name = "WHO")]
    owner: Option<String>,

    /// The last day of exceptions, YYYY-MM-DD; without it a year from today.
    #[arg(long, value_name = "DATE", value_parser = date)]
    expires: Option<String>,

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
            expires: self.expires.clone().unwrap_or_else(|| a_year_after(&today())),
            reserved: system.chain([self.own_namespace.clone()]).collect(),
        }
    }
}

/// Reads a label.
fn label(text: &str) -> Result<(String, String), &'static str> {
    let (key, value) =
        text.split_once('=').ok_or("expected KEY=VALUE, such as podgate.dev/policy=ml-restricted")?;
    Ok((key.to_owned(), value.to_owned()))
}

/// Reads a date.
fn date(text: &str) -> Result<String, &'static str> {
    let is_date = humantime::parse_rfc3339(&format!("{text}T00:00:00Z")).is_ok();
    if is_date { Ok(text.to_owned()) } else { Err("expected a date, such as 2027-03-31") }
}

/// The day that it is, in UTC.
fn today() -> String {
    let now = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
    now.split('T').next().unwrap_or_default().to_owned()
}

/// The same day of the next year, or the one before it where there is none.
fn a_year_after(day: &str) -> String {
    let Some((year, rest)) = day.split_once('-') else { return day.to_owned() };
    let next = year.parse::<u32>().map_or_else(|_| year.to_owned(), |year| format!("{:04}", year + 1));
    format!("{next}-{}", if rest == "02-29" { "02-28" } else { rest })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_year_has_an_end() {
        for (day, expected) in
            [("2026-11-29", "2027-11-29"), ("2028-02-29", "2029-02-28"), ("2027-12-31", "2028-12-31")]
        {
            assert_eq!(a_year_after(day), expected);
            assert_eq!(date(&a_year_after(day)).as_deref(), Ok(expected));
        }
        assert_eq!(date(&a_year_after(&today())).map(|day| day.len()), Ok(10));
        for wrong in ["", "2027", "2027-02-30", "tomorrow", "2027-1-1"] {
            assert!(date(wrong).is_err(), "{wrong}");
        }
    }
}
