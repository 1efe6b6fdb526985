//! What each container is given: variables that it does not have, and the mount of the volume with the token.

use std::sync::Arc;

use smallvec::SmallVec;

use crate::finding::{Edit, EditOp, FieldPath, Subject, Value};
use crate::identity::azure::annotations::SkippedContainers;
use crate::identity::azure::error::refused;
use crate::identity::azure::settings::TokenLayout;
use crate::identity::azure::variables::{Injected, MOST_VARIABLES};
use crate::identity::provider::InjectionError;
use crate::json::write_string;
use crate::pod::{Container, ContainerKind, ContainerRef, Pod};
use crate::text::printable;

/// Longest name of a container in a message.
const LONGEST_NAME: usize = 28;
/// Longest name of a volume in a message.
const LONGEST_VOLUME: usize = 63;

/// What every container is given.
#[derive(Debug)]
pub(super) struct Block<'v> {
    variables: SmallVec<[&'v Injected; MOST_VARIABLES]>,
    /// The variables as entries of `env`.
    pub(super) env: Arc<[Arc<str>]>,
    /// The mount as the entry of `volumeMounts`.
    pub(super) mounts: Arc<[Arc<str>]>,
    /// The name of its volume.
    volume: &'v str,
    layout: TokenLayout,
    /// Whether variables with other values are replaced: they are those of the account that the pod had.
    replaces: bool,
}

/// For each variable whether a container has it, and those that it has of another account, with their place in `env`.
type FoundVariables<'v> = ([bool; MOST_VARIABLES], SmallVec<[(&'v Injected, usize); 2]>);

/// What a container has of the mount.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FoundMount {
    Absent,
    Present,
    /// The one at this place is of the right volume, but wrong.
    Wrong(usize),
}

/// Variables that containers set themselves, to something else: for each the first container, and how many more there are.
#[derive(Debug, Default)]
pub(super) struct Conflicts(SmallVec<[(&'static str, String, usize); 2]>);

impl<'v> Block<'v> {
    pub(super) fn new(
        variables: SmallVec<[&'v Injected; MOST_VARIABLES]>,
        volume: &'v str,
        layout: TokenLayout,
        replaces: bool,
    ) -> Self {
        let env = variables.iter().map(|variable| Arc::clone(&variable.json)).collect();
        Self { variables, env, mounts: [mount(volume, layout)].into(), volume, layout, replaces }
    }

    /// Adds the edits of all containers of a pod. Ephemeral ones get nothing: a new pod has none.
    pub(super) fn add_to<'p>(
        &self,
        pod: &'p Pod<'_>,
        skipped: SkippedContainers<'_>,
        (edits, conflicts): (&mut Vec<Edit<'p>>, &mut Conflicts),
    ) -> Result<(), InjectionError> {
        let takes = |at: ContainerRef<'_>| at.kind != ContainerKind::Ephemeral && !skipped.has(at.name);
        for (at, container) in pod.containers().filter(|(at, _)| takes(*at)) {
            self.add_to_container(container, Subject::Container(at), edits, conflicts)?;
        }
        Ok(())
    }

    fn add_to_container<'p>(
        &self,
        container: &Container<'_>,
        subject: Subject<'p>,
        edits: &mut Vec<Edit<'p>>,
        conflicts: &mut Conflicts,
    ) -> Result<(), InjectionError> {
        let (has, replaced) = self.variables_of(container, conflicts)?;
        for (variable, at) in replaced {
            let op = EditOp::Set(Value::Json(Arc::clone(&variable.json)));
            edits.push(Edit::new(subject, FieldPath::from("env").index(at), op));
        }
        let lacking: Arc<[Arc<str>]> = if has.contains(&true) {
            self.env.iter().zip(has).filter(|(_, has)| !has).map(|(entry, _)| Arc::clone(entry)).collect()
        } else {
            Arc::clone(&self.env)
        };
        if !lacking.is_empty() {
            edits.push(Edit::new(subject, "env", EditOp::Append(lacking)));
        }
        match self.mount_of(container)? {
            FoundMount::Present => {}
            FoundMount::Absent => {
                edits.push(Edit::new(subject, "volumeMounts", EditOp::Append(Arc::clone(&self.mounts))));
            }
            FoundMount::Wrong(at) => {
                let op = EditOp::Set(Value::Json(mount(self.volume, self.layout)));
                edits.push(Edit::new(subject, FieldPath::from("volumeMounts").index(at), op));
            }
        }
        Ok(())
    }

    /// Which of the variables a container has already, whatever their value, and which of those are to be replaced where.
    fn variables_of(
        &self,
        container: &Container<'_>,
        conflicts: &mut Conflicts,
    ) -> Result<FoundVariables<'_>, InjectionError> {
        let mut has = [false; MOST_VARIABLES];
        let mut replaced = SmallVec::new();
        // Most containers have none of them, and need not be read again.
        if !container.may_have_variable("AZURE_") {
            return Ok((has, replaced));
        }
        let read = container.for_each_variable(|index, found| {
            let Some((variable, has)) =
                self.variables.iter().zip(&mut has).find(|(variable, _)| variable.name == found.name)
            else {
                return;
            };
            *has = true;
            // What another object holds is not known here.
            if found.is_from_elsewhere || *found.value == *variable.value {
                return;
            }
            if self.replaces {
                replaced.push((*variable, index));
            } else {
                conflicts.add(variable.name, &container.name);
            }
        });
        match read {
            Ok(()) => Ok((has, replaced)),
            Err(error) => Err(unreadable("env", container, &error)),
        }
    }

    fn mount_of(&self, container: &Container<'_>) -> Result<FoundMount, InjectionError> {
        let ours = self.layout.mount_path();
        let mut found = FoundMount::Absent;
        // It stands in the path, and in the name of the volume.
        if !container.volume_mounts.may_have("azure") {
            return Ok(found);
        }
        let mut taken_by = None;
        let read = container.volume_mounts.for_each(|index, mount| {
            if found == FoundMount::Absent && mount.name == self.volume {
                let is_right =
                    mount.mount_path == ours && mount.is_read_only == Some(true) && !mount.is_of_a_part;
                // The older webhook leaves one of its name as it is.
                let is_kept = is_right || self.layout == TokenLayout::V15;
                found = if is_kept { FoundMount::Present } else { FoundMount::Wrong(index) };
            } else if taken_by.is_none() && is_at(&mount.mount_path, ours) {
                taken_by = Some(mount.name);
            }
        });
        read.map_err(|error| unreadable("volumeMounts", container, &error))?;
        match taken_by {
            None => Ok(found),
            Some(volume) => Err(refused(format!(
                "container {} mounts the volume {} at {ours}, where the token of Azure workload identity is mounted: \
                 mount it elsewhere, or name the container in azure.workload.identity/skip-containers",
                printable(&container.name, LONGEST_NAME),
                printable(&volume, LONGEST_VOLUME)
            ))),
        }
    }
}

/// The mount of the volume of this name, as JSON.
fn mount(volume: &str, layout: TokenLayout) -> Arc<str> {
    let mut json = String::with_capacity(128 + volume.len());
    json.push_str("{\"name\":");
    write_string(volume, &mut json);
    json.push_str(",\"mountPath\":\"");
    json.push_str(layout.mount_path());
    json.push_str("\",\"readOnly\":true}");
    json.into()
}

/// Whether a path is ours, however it is written. The API server takes `/a` and `/a/` for two places, and a container has one.
fn is_at(path: &str, ours: &str) -> bool {
    if path == ours {
        return true;
    }
    // Most paths are nothing like it.
    if !path.contains("azure") {
        return false;
    }
    let mut steps = Vec::new();
    for step in path.split('/').filter(|step| !matches!(*step, "" | ".")) {
        if step == ".." {
            steps.pop();
        } else {
            steps.push(step);
        }
    }
    ours.split('/').filter(|step| !step.is_empty()).eq(steps)
}

fn unreadable(field: &str, container: &Container<'_>, error: &crate::json::JsonError) -> InjectionError {
    refused(format!(
        "{field} of container {} cannot be read: {error}",
        printable(&container.name, LONGEST_NAME)
    ))
}

impl Conflicts {
    fn add(&mut self, variable: &'static str, container: &str) {
        match self.0.iter_mut().find(|(name, _, _)| *name == variable) {
            Some((_, _, more)) => *more += 1,
            None => self.0.push((variable, printable(container, LONGEST_NAME).to_string(), 0)),
        }
    }

    /// A warning for each variable.
    pub(super) fn warnings(self) -> impl Iterator<Item = String> {
        self.0.into_iter().map(|(variable, container, more)| {
            let more = if more == 0 { String::new() } else { format!(" (+{more})") };
            format!("podgate: container {container}{more} keeps its own {variable}, not the identity's")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_the_same_however_it_is_written() {
        let ours = "/var/run/secrets/azure/wi";
        for (path, expected) in [
            (ours, true),
            ("/var/run/secrets/azure/wi/", true),
            ("//var/run/./secrets/azure//wi", true),
            ("/var/run/secrets/azure/x/../wi", true),
            ("var/run/secrets/azure/wi", true),
            ("/var/run/secrets/azure", false),
            ("/var/run/secrets/azure/wi/token", false),
            ("/var/run/secrets/azure/wi2", false),
            ("/azure", false),
            ("", false),
        ] {
            assert_eq!(is_at(path, ours), expected, "{path}");
        }
    }

    #[test]
    fn each_variable_is_warned_of_once() {
        let mut conflicts = Conflicts::default();
        for container in ["main", "side", &"x".repeat(63)] {
            conflicts.add("AZURE_CLIENT_ID", container);
        }
        conflicts.add("AZURE_KUBERNETES_TOKEN_PROXY", &"x".repeat(63));
        let warnings: Vec<String> = conflicts.warnings().collect();
        assert_eq!(
            warnings[0],
            "podgate: container main (+2) keeps its own AZURE_CLIENT_ID, not the identity's"
        );
        assert!(warnings[1].len() <= 120 && warnings.len() == 2);
    }
}
