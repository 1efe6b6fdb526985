//! Files → PodSecurityPolicies, Roles and bindings, or every fault with its line and column. What is of another kind is counted.

use serde::Deserialize;
use serde_json::Value;

use crate::path::Path;
use crate::policy::schema::{self, suggestion};
use crate::policy::{PlacedFaults, PolicyError, yaml_fault};
use crate::psp::input::ImportSource;
use crate::psp::spec::{self, CheckedPsp};
use crate::psp::written::{RoleKind, SubjectKind, WrittenBinding, WrittenPsp, WrittenRole};
use crate::text::{Printable, either, quoted};
use crate::yaml::{self, Document, Node};

/// What all files hold.
#[derive(Debug, Default)]
pub(super) struct Objects {
    pub(super) psps: Vec<CheckedPsp>,
    pub(super) roles: Vec<FoundRole>,
    pub(super) bindings: Vec<FoundBinding>,
    /// The kinds of other objects, each with its place.
    pub(super) unread: Vec<String>,
}

/// A role, of a namespace if it is none of the cluster.
#[derive(Debug)]
pub(super) struct FoundRole {
    pub(super) kind: RoleKind,
    pub(super) written: WrittenRole,
}

/// A binding, and whether it is of a namespace.
#[derive(Debug)]
pub(super) struct FoundBinding {
    pub(super) is_of_cluster: bool,
    pub(super) written: WrittenBinding,
    /// Where it is written.
    pub(super) place: String,
}

/// The kinds that are read, with the groups and versions that they were served in.
const PSP_VERSIONS: [&str; 2] = ["policy/v1beta1", "extensions/v1beta1"];
const RBAC_VERSIONS: [&str; 2] = ["rbac.authorization.k8s.io/v1", "rbac.authorization.k8s.io/v1beta1"];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ReadKind {
    PodSecurityPolicy,
    Role,
    ClusterRole,
    RoleBinding,
    ClusterRoleBinding,
}

impl ReadKind {
    const ALL: [Self; 5] =
        [Self::PodSecurityPolicy, Self::Role, Self::ClusterRole, Self::RoleBinding, Self::ClusterRoleBinding];

    fn name(self) -> &'static str {
        match self {
            Self::PodSecurityPolicy => "PodSecurityPolicy",
            Self::Role => "Role",
            Self::ClusterRole => "ClusterRole",
            Self::RoleBinding => "RoleBinding",
            Self::ClusterRoleBinding => "ClusterRoleBinding",
        }
    }

    fn versions(self) -> [&'static str; 2] {
        match self {
            Self::PodSecurityPolicy => PSP_VERSIONS,
            Self::Role | Self::ClusterRole | Self::RoleBinding | Self::ClusterRoleBinding => RBAC_VERSIONS,
        }
    }

    fn is_of_namespace(self) -> bool {
        matches!(self, Self::Role | Self::RoleBinding)
    }
}

/// Reads all files. The faults are in the order of the text.
pub(super) fn read(sources: &[ImportSource<'_>]) -> Result<Objects, Vec<PolicyError>> {
    let mut reader = ImportReader::default();
    for source in sources {
        let documents = yaml::read(source.text);
        if documents.is_empty() {
            reader.faults.push(PolicyError::new(source.name, 1, 1, "holds no object"));
        }
        for document in documents {
            match document {
                Ok(document) => reader.object(source.name, document.root, None),
                Err(fault) => reader.faults.push(yaml_fault(source.name, source.text, &fault)),
            }
        }
    }
    if reader.faults.is_empty() { Ok(reader.found) } else { Err(reader.faults) }
}

#[derive(Default)]
struct ImportReader {
    found: Objects,
    faults: Vec<PolicyError>,
    /// What was read already: kind, namespace and name.
    known: Vec<(&'static str, String, String)>,
}

/// What the items of a list are, where they do not say it: `apiVersion` and `kind` without its `List`.
type OfList<'l> = (&'l str, &'l str);

impl ImportReader {
    fn object(&mut self, file: &str, mut root: Node, of_list: Option<OfList<'_>>) {
        if let Some((api_version, kind)) = of_list.filter(|_| root.is_object() && root.get("kind").is_none())
        {
            root.set("apiVersion", Node::text(root.span, api_version));
            root.set("kind", Node::text(root.span, kind));
        }
        let document = Document { line: root.span.line, root };
        let root = &document.root;
        let (api_version, kind) = (root.text_of("apiVersion"), root.text_of("kind"));
        let mut faults = PlacedFaults::new(file, &document);
        if !root.is_object() || api_version.is_empty() || kind.is_empty() {
            let message = format!(
                "expected an object with apiVersion and kind, such as a PodSecurityPolicy of policy/v1beta1, found {}",
                if root.is_object() { "one without" } else { root.value.name() }
            );
            faults.fault(&Path::root(), message);
            return self.faults.extend(faults.in_order());
        }
        if let Some(of_items) =
            kind.strip_suffix("List").filter(|_| root.get("items").is_some_and(Node::is_list))
        {
            for item in root.items_at("items") {
                self.object(file, item.clone(), Some((api_version, of_items)));
            }
            return;
        }
        let Some(read) = ReadKind::ALL.into_iter().find(|read| read.name() == kind) else {
            let line = document.line;
            if let Some(meant) = ReadKind::ALL.into_iter().find(|read| read.name().eq_ignore_ascii_case(kind))
            {
                faults.fault(
                    &Path::from_dotted("kind"),
                    format!("expected {}, found {}", meant.name(), quoted(kind)),
                );
                return self.faults.extend(faults.in_order());
            }
            let name = root.get_in(&["metadata", "name"]).and_then(Node::as_text).unwrap_or_default();
            self.found.unread.push(format!("{file}:{line}: {} {}", Printable(kind), quoted(name)));
            return;
        };
        if !read.versions().contains(&api_version) {
            let nearest = suggestion(api_version, read.versions());
            let expected = either(&read.versions());
            let message = format!("a {kind} is of {expected}, found {}{nearest}", quoted(api_version));
            faults.fault(&Path::from_dotted("apiVersion"), message);
            return self.faults.extend(faults.in_order());
        }
        self.of_kind(read, &document, &mut faults);
        self.faults.extend(faults.in_order());
    }

    fn of_kind(&mut self, kind: ReadKind, document: &Document, faults: &mut PlacedFaults<'_>) {
        match kind {
            ReadKind::PodSecurityPolicy => {
                let Some(written) = decode::<WrittenPsp>(document, faults) else { return };
                self.once(kind, None, &written.metadata.name, faults);
                self.found.psps.push(spec::check(written, faults));
            }
            ReadKind::Role | ReadKind::ClusterRole => {
                let Some(written) = decode::<WrittenRole>(document, faults) else { return };
                self.once(kind, written.metadata.namespace.as_deref(), &written.metadata.name, faults);
                let kind = if kind.is_of_namespace() { RoleKind::Role } else { RoleKind::ClusterRole };
                self.found.roles.push(FoundRole { kind, written });
            }
            ReadKind::RoleBinding | ReadKind::ClusterRoleBinding => {
                let Some(written) = decode::<WrittenBinding>(document, faults) else { return };
                self.once(kind, written.metadata.namespace.as_deref(), &written.metadata.name, faults);
                check_subjects(&written, faults);
                let place = format!("{} {}", kind.name(), quoted(&written.metadata.name));
                let is_of_cluster = !kind.is_of_namespace();
                self.found.bindings.push(FoundBinding { is_of_cluster, written, place });
            }
        }
    }

    /// Refuses an object that comes twice, and one of a namespace that names none.
    fn once(&mut self, kind: ReadKind, namespace: Option<&str>, name: &str, faults: &mut PlacedFaults<'_>) {
        if kind.is_of_namespace() && namespace.is_none_or(str::is_empty) {
            let message =
                format!("a {} needs its namespace: write it here, as the cluster has it", kind.name());
            faults.fault(&Path::from_dotted("metadata"), message);
        }
        let key = (kind.name(), namespace.unwrap_or_default().to_owned(), name.to_owned());
        if self.known.contains(&key) {
            let message =
                format!("the {} {} is given twice: leave one of the two out", kind.name(), quoted(name));
            faults.fault(&Path::from_dotted("metadata.name"), message);
        }
        self.known.push(key);
    }
}

/// Service accounts are of a namespace, which the API server does not take from the binding's.
fn check_subjects(binding: &WrittenBinding, faults: &mut PlacedFaults<'_>) {
    for (index, subject) in binding.subjects.iter().enumerate() {
        let lacks_namespace = subject.namespace.as_deref().is_none_or(str::is_empty);
        if subject.kind == SubjectKind::ServiceAccount && lacks_namespace {
            let message = format!(
                "the service account {} needs its namespace: write it here, as the API server demands",
                quoted(&subject.name)
            );
            faults.fault(&Path::root().key("subjects").index(index), message);
        }
    }
}

/// Reads an object of a shape, or reports what does not fit. As for the API server, what is null is absent.
fn decode<T: for<'de> Deserialize<'de> + schemars::JsonSchema>(
    document: &Document,
    faults: &mut PlacedFaults<'_>,
) -> Option<T> {
    let mut object: Value = match serde_json::from_slice(&document.root.to_json()) {
        Ok(object) => object,
        Err(error) => {
            faults.fault(&Path::root(), error.to_string());
            return None;
        }
    };
    take_out_nulls(&mut object);
    let mismatches = schema::check(&schema::of::<T>(), &mut object);
    let fits = mismatches.is_empty();
    mismatches.into_iter().for_each(|mismatch| faults.mismatch(mismatch));
    match serde_json::from_value(object) {
        Ok(written) => Some(written),
        Err(error) if fits => {
            faults.fault(&Path::root(), error.to_string());
            None
        }
        Err(_) => None,
    }
}

fn take_out_nulls(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|_, value| !value.is_null());
            members.values_mut().for_each(take_out_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(take_out_nulls),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
