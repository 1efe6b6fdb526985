//! The flags that say by what pods are judged, for every command that judges.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::controls::Standard;
use crate::policy::{BUILT_IN, Policies, PolicySet, SYSTEM_NAMESPACES, read_file};

/// The namespace that podgate itself is installed in, unless it is told.
const OWN_NAMESPACE: &str = "podgate-system";

/// Which policies hold.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct PolicyArgs {
    /// File or folder with policies; repeat it for more. Without it the built-in ml-restricted holds.
    #[arg(long = "policy", value_name = "PATH", env = "PODGATE_POLICY", value_delimiter = ',')]
    policies: Vec<PathBuf>,

    /// The namespace podgate runs in, which no policy may reach.
    #[arg(long, value_name = "NAME", env = "PODGATE_OWN_NAMESPACE", default_value = OWN_NAMESPACE)]
    own_namespace: String,
}

/// A standard to judge by in place of policies.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct StandardArg {
    /// Judge by one Pod Security Standard alone, without any policy: restricted, baseline:v1.30, ...
    #[arg(long, value_name = "LEVEL[:VERSION]", env = "PODGATE_STANDARD", conflicts_with = "policies")]
    pub(crate) standard: Option<Standard>,
}

impl PolicyArgs {
    /// Reads the policies.
    pub(crate) fn load(&self) -> Result<PolicySet> {
        let reserved = SYSTEM_NAMESPACES.iter().map(ToString::to_string).chain([self.own_namespace.clone()]);
        let mut policies = Policies::new(reserved.collect());
        if self.policies.is_empty() {
            read_file("policies/ml-restricted.yaml (built in)", BUILT_IN, &mut policies);
        }
        for path in &self.policies {
            for file in policy_files(path)? {
                let text = fs::read_to_string(&file)
                    .with_context(|| format!("cannot read the policy file {}", file.display()))?;
                read_file(&file.display().to_string(), &text, &mut policies);
            }
        }
        policies.finish().map_err(|faults| {
            let mut text = String::new();
            for fault in &faults {
                let _ = write!(text, "\n  {fault}");
            }
            anyhow::anyhow!("the policies have {} faults:{text}", faults.len())
        })
    }
}

/// The policies of the arguments, or the one standard.
pub(crate) fn load(policies: &PolicyArgs, standard: &StandardArg) -> Result<PolicySet> {
    match &standard.standard {
        Some(standard) => Ok(PolicySet::of_standard(standard)),
        None => policies.load(),
    }
}

/// The policy files of a path: itself, or those in the folder, by name. The names that begin with a dot
/// are left out: Kubernetes keeps the parts of a mounted ConfigMap under such.
fn policy_files(path: &Path) -> Result<Vec<PathBuf>> {
    let describe = || format!("cannot read the policies of {}", path.display());
    if !fs::metadata(path).with_context(describe)?.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(path).with_context(describe)? {
        let file = entry.with_context(describe)?.path();
        let is_hidden = file.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        let is_yaml = file
            .extension()
            .is_some_and(|extension| ["yaml", "yml", "json"].iter().any(|known| extension == *known));
        if is_yaml && !is_hidden {
            files.push(file);
        }
    }
    if files.is_empty() {
        bail!("no policy in {}: it has no .yaml, .yml or .json file", path.display());
    }
    files.sort();
    Ok(files)
}
