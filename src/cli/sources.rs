//! The flags that name policies and objects, for every command that judges pods, and the files that they name.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, anyhow, bail};

use crate::admission::Reviewer;
use crate::controls::Standard;
use crate::identity::Providers;
use crate::kinds::KindFiles;
use crate::lint::{Objects, read_objects};
use crate::policy::{
    BUILT_IN, Policies, PolicySet, SYSTEM_NAMESPACES, Snapshot, is_namespace, is_policy_file, read_file,
};
use crate::workload::Kinds;

/// The namespace that podgate itself is installed in by default.
pub(crate) const OWN_NAMESPACE: &str = "podgate-system";

/// What stands for no policy in place of a path.
const NONE: &str = "none";

/// Which policies hold, and which objects of the cluster are known.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Policies")]
pub(crate) struct SourceArgs {
    /// File or folder with policies; repeat it for more. Without it the built-in ml-restricted holds; none is no policy at all.
    #[arg(long = "policy", value_name = "PATH", env = "PODGATE_POLICY", value_delimiter = ',')]
    policies: Vec<PathBuf>,

    /// File or folder with cluster objects that a verdict may need: Namespaces, ServiceAccounts, Roles and their bindings, Pods, and what others take their pods from, as runtimes; repeat it for more.
    #[arg(long, value_name = "PATH", env = "PODGATE_OBJECTS", value_delimiter = ',')]
    objects: Vec<PathBuf>,

    /// The namespace that podgate runs in, which no policy may reach.
    #[arg(long, value_name = "NAME", env = "PODGATE_OWN_NAMESPACE", default_value = OWN_NAMESPACE, value_parser = namespace)]
    own_namespace: String,
}

/// Which custom resources are known, besides those of podgate's own table.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct KindsArg {
    /// File or folder with a platform's own kinds that carry pods (podgate kinds discover proposes one); repeat it for more.
    #[arg(long = "kinds", value_name = "PATH", env = "PODGATE_KINDS", value_delimiter = ',')]
    paths: Vec<PathBuf>,
}

impl KindsArg {
    /// The kinds of the table and of the files.
    pub(crate) fn load(&self) -> Result<Kinds> {
        let mut files = KindFiles::default();
        for SourceFile { name, text } in read_paths(&self.paths, "kinds")? {
            files.read(&name, &text);
        }
        files.finish().map_err(|faults| all_of(&faults, "kinds"))
    }
}

/// Reads a flag that names a namespace.
pub(crate) fn namespace(text: &str) -> Result<String, &'static str> {
    if is_namespace(text) { Ok(text.to_owned()) } else { Err("not a name that a namespace can have") }
}

/// A standard to judge by in place of policies.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct StandardArg {
    /// Judge by one Pod Security Standard alone, without any policy: restricted, baseline:v1.30, ...
    #[arg(long, value_name = "LEVEL[:VERSION]", env = "PODGATE_STANDARD", conflicts_with = "policies")]
    standard: Option<Standard>,
}

/// A file as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SourceFile {
    pub(crate) name: String,
    pub(crate) text: String,
}

/// Everything that the flags name, as it was read.
#[derive(Debug, Clone)]
pub(crate) struct Sources {
    args: SourceArgs,
    policies: Vec<SourceFile>,
    objects: Vec<SourceFile>,
    assumed: Snapshot,
    providers: Arc<Providers>,
}

impl SourceArgs {
    /// Reads the files.
    pub(crate) fn read(&self) -> Result<Sources> {
        let is_none = |path: &PathBuf| path.as_os_str() == NONE;
        if self.policies.len() > 1 && self.policies.iter().any(is_none) {
            bail!("--policy none is no policy at all: give no other beside it, or write ./none for a file");
        }
        let policies: &[PathBuf] = if self.has_no_policy() { &[] } else { &self.policies };
        Ok(Sources {
            args: self.clone(),
            policies: read_paths(policies, "policy")?,
            objects: read_paths(&self.objects, "object")?,
            assumed: Snapshot::default(),
            providers: Arc::default(),
        })
    }

    /// Whether no policy at all is to hold.
    fn has_no_policy(&self) -> bool {
        matches!(self.policies.as_slice(), [path] if path.as_os_str() == NONE)
    }

    /// Whether files stand in for the cluster.
    pub(crate) fn names_objects(&self) -> bool {
        !self.objects.is_empty()
    }

    /// The namespace that podgate runs in.
    pub(crate) fn own_namespace(&self) -> &str {
        &self.own_namespace
    }

    /// The policies, or those of the one standard, and the objects of the cluster.
    pub(crate) fn load(&self, standard: &StandardArg) -> Result<(PolicySet, Objects)> {
        let sources = self.read()?;
        let policies = match &standard.standard {
            Some(standard) => PolicySet::of_standard(standard),
            None => sources.policies()?,
        };
        Ok((policies, sources.objects()?))
    }
}

impl Sources {
    /// Assumes that a namespace exists with these labels, unless the objects say otherwise.
    pub(crate) fn assume_namespace(&mut self, name: &str, labels: BTreeMap<String, String>) {
        self.assumed.insert(name, labels);
    }

    /// The same, with these providers of identities.
    pub(crate) fn with_providers(self, providers: Arc<Providers>) -> Self {
        Self { providers, ..self }
    }

    /// A reviewer by these policies and objects, with the providers.
    pub(crate) fn reviewer(&self) -> Result<Reviewer> {
        self.reviewer_by(|policies| policies)
    }

    /// The same by what becomes of the policies.
    pub(crate) fn reviewer_by(&self, become_of: impl FnOnce(PolicySet) -> PolicySet) -> Result<Reviewer> {
        let reviewer = Reviewer::new(become_of(self.policies()?), self.objects()?.snapshot);
        Ok(reviewer.with_providers(Arc::clone(&self.providers)))
    }

    /// Reads the files again; `None` when they are as they were.
    pub(crate) fn changed(&self) -> Result<Option<Self>> {
        let read = self.args.read()?;
        if read.policies == self.policies && read.objects == self.objects {
            return Ok(None);
        }
        let (assumed, providers) = (self.assumed.clone(), Arc::clone(&self.providers));
        Ok(Some(Self { assumed, providers, ..read }))
    }

    /// The files that policies are read from: without any, the built-in one, unless there is to be none.
    pub(crate) fn policy_files(&self) -> Vec<SourceFile> {
        if self.policies.is_empty() && !self.args.has_no_policy() {
            let name = "policies/ml-restricted.yaml (built in)".to_owned();
            return vec![SourceFile { name, text: BUILT_IN.to_owned() }];
        }
        self.policies.clone()
    }

    fn policies(&self) -> Result<PolicySet> {
        let mut policies = no_policies(&self.args.own_namespace);
        for SourceFile { name, text } in self.policy_files() {
            read_file(&name, &text, &mut policies);
        }
        policies.finish().map_err(|faults| all_of(&faults, "policies"))
    }

    fn objects(&self) -> Result<Objects> {
        let mut objects = Objects { snapshot: self.assumed.clone(), ..Objects::default() };
        let mut faults = Vec::new();
        for SourceFile { name, text } in &self.objects {
            faults.extend(read_objects(name, text, &mut objects));
        }
        if faults.is_empty() { Ok(objects) } else { Err(all_of(&faults, "objects")) }
    }
}

/// No policy yet, and none may reach podgate's own namespace or those of the system.
pub(crate) fn no_policies(own_namespace: &str) -> Policies {
    let system = SYSTEM_NAMESPACES.map(ToOwned::to_owned).into_iter();
    Policies::new(system.chain([own_namespace.to_owned()]).collect())
}

/// The policies of these files and folders, as a podgate of this namespace would read them.
pub(crate) fn policies_of(paths: &[PathBuf], own_namespace: &str) -> Result<PolicySet> {
    let own_namespace = own_namespace.to_owned();
    SourceArgs { policies: paths.to_vec(), objects: Vec::new(), own_namespace }.read()?.policies()
}

/// All faults in one error, a line each.
pub(crate) fn all_of(faults: &[impl Display], what: &str) -> anyhow::Error {
    let lines: Vec<String> = faults.iter().map(|fault| format!("\n  {fault}")).collect();
    anyhow!("the {what} cannot be used:{}", lines.concat())
}

/// Reads the files of these paths, and those in these folders.
pub(crate) fn read_paths(paths: &[PathBuf], what: &str) -> Result<Vec<SourceFile>> {
    let mut files = Vec::new();
    for path in paths {
        for file in files_of(path, what)? {
            files.push(read_source(&file, what)?);
        }
    }
    Ok(files)
}

/// Reads a file.
pub(crate) fn read_source(file: &Path, what: &str) -> Result<SourceFile> {
    let text = fs::read_to_string(file)
        .with_context(|| format!("cannot read the {what} file {}", file.display()))?;
    Ok(SourceFile { name: file.display().to_string(), text })
}

/// The files of a path: itself, or those in the folder, by name.
pub(crate) fn files_of(path: &Path, what: &str) -> Result<Vec<PathBuf>> {
    let describe = || format!("cannot read the {what} files of {}", path.display());
    if !fs::metadata(path).with_context(describe)?.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(path).with_context(describe)? {
        let file = entry.with_context(describe)?.path();
        if file.file_name().is_some_and(|name| is_policy_file(&name.to_string_lossy())) {
            files.push(file);
        }
    }
    if files.is_empty() {
        bail!("no {what} file in {}: it has no .yaml, .yml or .json", path.display());
    }
    files.sort();
    Ok(files)
}
