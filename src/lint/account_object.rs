//! Objects of files that say something of service accounts: themselves, the bindings that name them, the roles that let them
//! use an identity or an exception, and the objects of AAD Pod Identity that they take the place of.

use std::borrow::Cow;

use crate::identity::ServiceAccount;
use crate::identity::aad_pod_identity::PodIdentityKind;
use crate::json::{self, Reader, members};
use crate::lint::manifest::Item;
use crate::lint::place;
use crate::lint::pod_identities::PodIdentityObject;
use crate::lint::wrong_types;
use crate::path::Path;
use crate::policy::{Binding, BindingKind, CLUSTER_ROLE, RoleRule, Snapshot, UNKNOWN_NAMESPACE};
use crate::yaml::YamlError;

const SERVICE_ACCOUNT: &str = "ServiceAccount";
const ROLE: &str = "Role";
const ROLE_BINDING: &str = "RoleBinding";
const CLUSTER_ROLE_BINDING: &str = "ClusterRoleBinding";

/// The API group of roles and bindings, with what stands behind it in an `apiVersion`.
const RBAC: &str = "rbac.authorization.k8s.io/";

/// An object that says something of service accounts.
#[derive(Debug)]
pub(super) enum AccountObject {
    /// A service account.
    Account { namespace: String, name: String, account: ServiceAccount },
    /// A RoleBinding, or a ClusterRoleBinding, whose namespace is empty.
    Binding { namespace: String, name: String, binding: Binding },
    /// A Role, or a ClusterRole, whose namespace is empty, with what it lets somebody use; `None` where other roles are put
    /// together to it.
    Role { namespace: String, name: String, rules: Option<Vec<OwnedRule>> },
    /// An AzureIdentity, or an AzureIdentityBinding.
    PodIdentity(PodIdentityObject),
}

/// A rule of a role.
#[derive(Debug, Default)]
pub(super) struct OwnedRule {
    groups: Vec<String>,
    resources: Vec<String>,
    verbs: Vec<String>,
    names: Vec<String>,
}

/// Whether an object of a kind is one of these.
pub(super) fn is_of_accounts(api_version: &str, kind: &str) -> bool {
    let is_rbac = api_version.starts_with(RBAC);
    (api_version == "v1" && kind == SERVICE_ACCOUNT)
        || PodIdentityKind::of(api_version, kind).is_some()
        || (is_rbac && [ROLE_BINDING, CLUSTER_ROLE_BINDING, ROLE, CLUSTER_ROLE].contains(&kind))
}

impl AccountObject {
    /// Reads an object; `None` if it is of another kind.
    pub(super) fn read(
        item: &Item<'_>,
        text: &str,
        default_namespace: &str,
    ) -> Result<Option<Self>, Vec<YamlError>> {
        if !is_of_accounts(item.api_version, item.kind) {
            return Ok(None);
        }
        if let Some(kind) = PodIdentityKind::of(item.api_version, item.kind) {
            let read = PodIdentityObject::read(kind, item.node, text, default_namespace);
            return read.map(|object| Some(Self::PodIdentity(object)));
        }
        let json = item.node.to_json();
        let Ok(fields) = Fields::read(&json) else {
            return Err(wrong_types::all(item.node, text, |json| Fields::read(json).map(drop)));
        };
        if fields.name.is_empty() {
            let path = Path::from_dotted("metadata.name");
            return Err(vec![place::fault(item.node, &path, "metadata.name: not set")]);
        }
        let name = fields.name.to_string();
        let namespace = match fields.namespace.as_ref() {
            "" => default_namespace.to_owned(),
            namespace => namespace.to_owned(),
        };
        Ok(Some(match item.kind {
            SERVICE_ACCOUNT => Self::Account { namespace, name, account: fields.account() },
            ROLE_BINDING => Self::Binding { namespace: known(namespace), name, binding: fields.binding() },
            CLUSTER_ROLE_BINDING => {
                Self::Binding { namespace: String::new(), name, binding: fields.binding() }
            }
            ROLE => Self::Role { namespace: known(namespace), name, rules: Some(fields.rules) },
            _ => {
                let rules = (!fields.is_aggregated).then_some(fields.rules);
                Self::Role { namespace: String::new(), name, rules }
            }
        }))
    }

    /// Adds what it says to what is known. Files that have any binding are taken to have all that matter.
    pub(super) fn put(self, snapshot: &mut Snapshot) {
        match self {
            Self::Account { namespace, name, account } => {
                snapshot.insert_service_account(&namespace, &name, account);
            }
            Self::Binding { namespace, name, binding } => {
                let bindings = snapshot.bindings_mut();
                bindings.insert(&namespace, &name, binding);
                bindings.set_known(BindingKind::Role);
                bindings.set_known(BindingKind::ClusterRole);
            }
            Self::Role { namespace, name, rules } => {
                let Some(rules) = rules else { return };
                let rules = || rules.iter().map(OwnedRule::borrowed);
                let bindings = snapshot.bindings_mut();
                bindings.add_exceptions((&namespace, &name), rules());
                if namespace.is_empty() {
                    bindings.add_cluster_role(&name, rules());
                }
            }
            Self::PodIdentity(object) => object.put(snapshot.pod_identities_mut()),
        }
    }
}

/// The namespace of a Role or RoleBinding, which holds in one alone even where nobody knows in which.
fn known(namespace: String) -> String {
    if namespace.is_empty() { UNKNOWN_NAMESPACE.to_owned() } else { namespace }
}

impl OwnedRule {
    fn borrowed(&self) -> RoleRule<'_> {
        RoleRule {
            groups: self.groups.iter().map(String::as_str).collect(),
            resources: self.resources.iter().map(String::as_str).collect(),
            verbs: self.verbs.iter().map(String::as_str).collect(),
            names: self.names.iter().map(String::as_str).collect(),
        }
    }
}

/// The fields of all these kinds.
#[derive(Debug, Default)]
struct Fields<'a> {
    name: Cow<'a, str>,
    namespace: Cow<'a, str>,
    labels: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    annotations: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    automount_token: Option<bool>,
    secrets: Vec<Cow<'a, str>>,
    pull_secrets: Vec<Cow<'a, str>>,
    subjects: Vec<SubjectFields<'a>>,
    role_kind: Cow<'a, str>,
    role_name: Cow<'a, str>,
    rules: Vec<OwnedRule>,
    is_aggregated: bool,
}

#[derive(Debug, Default)]
struct SubjectFields<'a> {
    kind: Cow<'a, str>,
    name: Cow<'a, str>,
    namespace: Cow<'a, str>,
}

impl<'a> Fields<'a> {
    fn read(json: &'a [u8]) -> json::Result<Self> {
        let mut fields = Self::default();
        let this = &mut fields;
        let mut reader = Reader::new(json)?.refusing_misspelt_case();
        let reader = &mut reader;
        members!(reader, {
            "metadata" => this.read_metadata(reader)?,
            "automountServiceAccountToken" => this.automount_token = reader.boolean()?,
            "secrets" => this.secrets = names(reader)?,
            "imagePullSecrets" => this.pull_secrets = names(reader)?,
            "subjects" => reader.array(|reader, _| this.read_subject(reader))?,
            "roleRef" => this.read_role(reader)?,
            "rules" => reader.array(|reader, _| {
                this.rules.push(rule(reader)?);
                Ok(())
            })?,
            "aggregationRule" => this.is_aggregated = reader.skip()? != "null",
        })?;
        Ok(fields)
    }

    fn read_metadata(&mut self, reader: &mut Reader<'a>) -> json::Result<()> {
        members!(reader, {
            "name" => self.name = reader.string()?,
            "namespace" => self.namespace = reader.string()?,
            "labels" => read_map(reader, &mut self.labels)?,
            "annotations" => read_map(reader, &mut self.annotations)?,
        })
        .map(drop)
    }

    fn read_subject(&mut self, reader: &mut Reader<'a>) -> json::Result<()> {
        let mut subject = SubjectFields::default();
        members!(reader, {
            "kind" => subject.kind = reader.string()?,
            "name" => subject.name = reader.string()?,
            "namespace" => subject.namespace = reader.string()?,
        })?;
        self.subjects.push(subject);
        Ok(())
    }

    fn read_role(&mut self, reader: &mut Reader<'a>) -> json::Result<()> {
        members!(reader, {
            "kind" => self.role_kind = reader.string()?,
            "name" => self.role_name = reader.string()?,
        })
        .map(drop)
    }

    fn account(&self) -> ServiceAccount {
        ServiceAccount::new(pairs(&self.annotations), pairs(&self.labels))
            .with_secrets(self.secrets.iter().map(AsRef::as_ref))
            .with_pull_secrets(self.pull_secrets.iter().map(AsRef::as_ref))
            .with_automount(self.automount_token)
    }

    fn binding(&self) -> Binding {
        let mut binding = match self.role_kind == CLUSTER_ROLE {
            true => Binding::to_role(Some(&self.role_name)),
            false => Binding::to_own_role(&self.role_name),
        };
        for SubjectFields { kind, name, namespace } in &self.subjects {
            binding.add(kind, name, Some(namespace.as_ref()).filter(|namespace| !namespace.is_empty()));
        }
        binding
    }
}

fn pairs<'m>(map: &'m [(Cow<'_, str>, Cow<'_, str>)]) -> impl Iterator<Item = (&'m str, &'m str)> {
    map.iter().map(|(key, value)| (key.as_ref(), value.as_ref()))
}

fn read_map<'a>(reader: &mut Reader<'a>, map: &mut Vec<(Cow<'a, str>, Cow<'a, str>)>) -> json::Result<()> {
    let entry = |reader: &mut Reader<'a>, key: &Cow<'a, str>| {
        map.push((key.clone(), reader.string()?));
        Ok(())
    };
    reader.object(entry).map(drop)
}

/// The names of the objects that a list refers to.
fn names<'a>(reader: &mut Reader<'a>) -> json::Result<Vec<Cow<'a, str>>> {
    let mut names = Vec::new();
    reader.array(|reader, _| {
        let mut name = Cow::default();
        members!(reader, { "name" => name = reader.string()? })?;
        names.push(name);
        Ok(())
    })?;
    names.retain(|name| !name.is_empty());
    Ok(names)
}

fn texts(reader: &mut Reader<'_>) -> json::Result<Vec<String>> {
    let mut texts = Vec::new();
    reader.array(|reader, _| {
        texts.push(reader.string()?.into_owned());
        Ok(())
    })?;
    Ok(texts)
}

fn rule(reader: &mut Reader<'_>) -> json::Result<OwnedRule> {
    let mut rule = OwnedRule::default();
    members!(reader, {
        "apiGroups" => rule.groups = texts(reader)?,
        "resources" => rule.resources = texts(reader)?,
        "verbs" => rule.verbs = texts(reader)?,
        "resourceNames" => rule.names = texts(reader)?,
    })?;
    Ok(rule)
}
