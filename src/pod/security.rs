//! Security contexts, of a pod and of a container.

use std::borrow::Cow;

use smallvec::SmallVec;

use crate::json::{Reader, Result, members};
use crate::pod::limits::MAX_ITEMS;
use crate::pod::strings::Strings;

/// A list of groups: a few cost no allocation.
pub type Groups = SmallVec<[i64; 2]>;

/// `spec.securityContext`. An absent one equals an empty one: no control distinguishes them.
#[derive(Debug, Default, Clone)]
pub struct PodSecurityContext<'a> {
    /// `runAsNonRoot`.
    pub run_as_non_root: Option<bool>,
    /// `runAsUser`.
    pub run_as_user: Option<i64>,
    /// `runAsGroup`.
    pub run_as_group: Option<i64>,
    /// `fsGroup`.
    pub fs_group: Option<i64>,
    /// `supplementalGroups`; `None` when absent, which is not the same for a patch as an empty list.
    pub supplemental_groups: Option<Groups>,
    /// `supplementalGroupsPolicy`; empty when absent.
    pub supplemental_groups_policy: Cow<'a, str>,
    /// `seccompProfile`.
    pub seccomp_profile: Option<Profile<'a>>,
    /// `appArmorProfile`.
    pub app_armor_profile: Option<Profile<'a>>,
    /// `seLinuxOptions`.
    pub se_linux_options: Option<Box<SeLinuxOptions<'a>>>,
    /// `windowsOptions.hostProcess`.
    pub host_process: Option<bool>,
    /// `windowsOptions.runAsUserName`; empty when absent.
    pub windows_user: Cow<'a, str>,
    /// The names among `sysctls`.
    pub sysctls: Vec<Cow<'a, str>>,
}

/// `securityContext` of a container.
#[derive(Debug, Default)]
pub struct SecurityContext<'a> {
    /// `privileged`.
    pub privileged: Option<bool>,
    /// `allowPrivilegeEscalation`.
    pub allow_privilege_escalation: Option<bool>,
    /// `capabilities`.
    pub capabilities: Option<Capabilities<'a>>,
    /// `readOnlyRootFilesystem`.
    pub read_only_root_filesystem: Option<bool>,
    /// `procMount`, which few have, so that a container is kept small.
    pub proc_mount: Option<Box<Cow<'a, str>>>,
    /// `runAsNonRoot`.
    pub run_as_non_root: Option<bool>,
    /// `runAsUser`.
    pub run_as_user: Option<i64>,
    /// `runAsGroup`.
    pub run_as_group: Option<i64>,
    /// `seccompProfile`.
    pub seccomp_profile: Option<Profile<'a>>,
    /// `appArmorProfile`.
    pub app_armor_profile: Option<Profile<'a>>,
    /// `seLinuxOptions`.
    pub se_linux_options: Option<Box<SeLinuxOptions<'a>>>,
    /// `windowsOptions.hostProcess`.
    pub host_process: Option<bool>,
    /// `windowsOptions.runAsUserName`; empty when absent.
    pub windows_user: Cow<'a, str>,
}

/// `capabilities` of a container.
#[derive(Debug, Default)]
pub struct Capabilities<'a> {
    /// `add`.
    pub add: Strings<'a>,
    /// `drop`; `None` when absent, which is not the same for a patch as an empty list.
    pub drop: Option<Strings<'a>>,
}

/// A seccomp or AppArmor profile; an absent field is empty.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Profile<'a> {
    /// `type`.
    pub kind: Cow<'a, str>,
    /// `localhostProfile`, which few have, so that a container is kept small.
    localhost: Option<Box<Cow<'a, str>>>,
}

impl Profile<'_> {
    /// `localhostProfile`; empty when absent.
    #[must_use]
    pub fn localhost(&self) -> &str {
        self.localhost.as_deref().map_or("", AsRef::as_ref)
    }
}

/// `seLinuxOptions`; an absent field is empty.
#[derive(Debug, Default, Clone)]
pub struct SeLinuxOptions<'a> {
    /// `type`.
    pub kind: Cow<'a, str>,
    /// `user`.
    pub user: Cow<'a, str>,
    /// `role`.
    pub role: Cow<'a, str>,
    /// `level`.
    pub level: Cow<'a, str>,
}

impl<'a> PodSecurityContext<'a> {
    pub(super) fn read(&mut self, reader: &mut Reader<'a>) -> Result<()> {
        members!(reader, {
            "runAsNonRoot" => self.run_as_non_root = reader.boolean()?,
            "runAsUser" => self.run_as_user = reader.integer()?,
            "runAsGroup" => self.run_as_group = reader.integer()?,
            "fsGroup" => self.fs_group = reader.integer()?,
            "supplementalGroups" => self.supplemental_groups = read_groups(reader)?,
            "supplementalGroupsPolicy" => self.supplemental_groups_policy = reader.string()?,
            "seccompProfile" => self.seccomp_profile = read_profile(reader)?,
            "appArmorProfile" => self.app_armor_profile = read_profile(reader)?,
            "seLinuxOptions" => self.se_linux_options = SeLinuxOptions::read(reader)?,
            "windowsOptions" => (self.host_process, self.windows_user) = read_windows_options(reader)?,
            "sysctls" => reader.array(|reader, _| {
                let mut name = Cow::default();
                members!(reader, { "name" => name = reader.string()? })?;
                reader.keep(self.sysctls.len(), MAX_ITEMS, "sysctls")?;
                self.sysctls.push(name);
                Ok(())
            })?,
        })
        .map(drop)
    }
}

impl<'a> SecurityContext<'a> {
    pub(super) fn read(reader: &mut Reader<'a>) -> Result<Option<Self>> {
        let mut security = Self::default();
        let is_set = members!(reader, {
            "privileged" => security.privileged = reader.boolean()?,
            "allowPrivilegeEscalation" => security.allow_privilege_escalation = reader.boolean()?,
            "capabilities" => security.capabilities = Capabilities::read(reader)?,
            "readOnlyRootFilesystem" => security.read_only_root_filesystem = reader.boolean()?,
            "procMount" => security.proc_mount = reader.optional_string()?.map(Box::new),
            "runAsNonRoot" => security.run_as_non_root = reader.boolean()?,
            "runAsUser" => security.run_as_user = reader.integer()?,
            "runAsGroup" => security.run_as_group = reader.integer()?,
            "seccompProfile" => security.seccomp_profile = read_profile(reader)?,
            "appArmorProfile" => security.app_armor_profile = read_profile(reader)?,
            "seLinuxOptions" => security.se_linux_options = SeLinuxOptions::read(reader)?,
            "windowsOptions" => {
                (security.host_process, security.windows_user) = read_windows_options(reader)?;
            },
        })?;
        Ok(is_set.then_some(security))
    }
}

impl<'a> Capabilities<'a> {
    fn read(reader: &mut Reader<'a>) -> Result<Option<Self>> {
        let mut capabilities = Self::default();
        let is_set = members!(reader, {
            "add" => capabilities.add = read_strings(reader)?.unwrap_or_default(),
            "drop" => capabilities.drop = read_strings(reader)?,
        })?;
        Ok(is_set.then_some(capabilities))
    }
}

impl<'a> SeLinuxOptions<'a> {
    fn read(reader: &mut Reader<'a>) -> Result<Option<Box<Self>>> {
        let mut options = Self::default();
        let is_set = members!(reader, {
            "type" => options.kind = reader.string()?,
            "user" => options.user = reader.string()?,
            "role" => options.role = reader.string()?,
            "level" => options.level = reader.string()?,
        })?;
        Ok(is_set.then(|| Box::new(options)))
    }
}

/// Reads a list of strings; `null` is `None`.
fn read_strings<'a>(reader: &mut Reader<'a>) -> Result<Option<Strings<'a>>> {
    if reader.null()? {
        return Ok(None);
    }
    let mut strings = Strings::default();
    reader.array(|reader, index| {
        // The first one stands in the list itself.
        if index > 0 {
            reader.keep(index, MAX_ITEMS, "capabilities in one list")?;
        }
        strings.push(reader.string()?);
        Ok(())
    })?;
    Ok(Some(strings))
}

/// Reads a seccomp or AppArmor profile.
fn read_profile<'a>(reader: &mut Reader<'a>) -> Result<Option<Profile<'a>>> {
    let mut profile = Profile::default();
    let is_set = members!(reader, {
        "type" => profile.kind = reader.string()?,
        "localhostProfile" => {
            let name = reader.string()?;
            profile.localhost = (!name.is_empty()).then(|| Box::new(name));
        },
    })?;
    Ok(is_set.then_some(profile))
}

/// Reads a list of groups; `null` is `None`.
fn read_groups(reader: &mut Reader<'_>) -> Result<Option<Groups>> {
    if reader.null()? {
        return Ok(None);
    }
    let mut groups = Groups::new();
    reader.array(|reader, index| {
        if index >= groups.inline_size() {
            reader.keep(index, MAX_ITEMS, "supplementalGroups")?;
        }
        // An item that is null is 0, as Kubernetes reads it.
        groups.push(reader.integer()?.unwrap_or_default());
        Ok(())
    })?;
    Ok(Some(groups))
}

/// Reads `hostProcess` and `runAsUserName`.
fn read_windows_options<'a>(reader: &mut Reader<'a>) -> Result<(Option<bool>, Cow<'a, str>)> {
    let (mut host_process, mut user) = (None, Cow::default());
    members!(reader, {
        "hostProcess" => host_process = reader.boolean()?,
        "runAsUserName" => user = reader.string()?,
    })?;
    Ok((host_process, user))
}
