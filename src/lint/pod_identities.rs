//! The identities of AAD Pod Identity, and their bindings, among the objects of files.

use crate::identity::aad_pod_identity::{
    AzureIdentity, AzureIdentityBinding, PodIdentities, PodIdentityKind,
};
use crate::json::{JsonError, Reader};
use crate::lint::wrong_types;
use crate::yaml::{Node, YamlError};

/// An identity or a binding.
#[derive(Debug)]
pub(super) enum PodIdentityObject {
    Identity(AzureIdentity),
    Binding(AzureIdentityBinding),
}

impl PodIdentityObject {
    /// Reads one; `text` is that of the file.
    pub(super) fn read(
        kind: PodIdentityKind,
        node: &Node,
        text: &str,
        default_namespace: &str,
    ) -> Result<Self, Vec<YamlError>> {
        let read = |json: &[u8]| -> Result<Self, JsonError> {
            let reader = Reader::new(json)?.refusing_misspelt_case();
            Ok(match kind {
                PodIdentityKind::Identity => Self::Identity(AzureIdentity::read(reader, default_namespace)?),
                PodIdentityKind::Binding => {
                    Self::Binding(AzureIdentityBinding::read(reader, default_namespace)?)
                }
            })
        };
        read(&node.to_json()).map_err(|_| wrong_types::all(node, text, |json| read(json).map(drop)))
    }

    /// Adds it to what is known.
    pub(super) fn put(self, known: &mut PodIdentities) {
        match self {
            Self::Identity(identity) => known.add_identity(identity),
            Self::Binding(binding) => known.add_binding(binding),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::lint::{Objects, read_objects};

    #[test]
    fn identities_and_bindings_are_found_in_lists() {
        let text = "\
apiVersion: v1
kind: List
items:
- apiVersion: aadpodidentity.k8s.io/v1
  kind: AzureIdentity
  metadata: {name: ml-id, namespace: team}
  spec: {type: 0, clientID: a}
- apiVersion: aadpodidentity.k8s.io/v1
  kind: AzureIdentityBinding
  metadata: {name: b, namespace: team}
  spec: {azureIdentity: ml-id, selector: ml}
";
        let mut objects = Objects::default();
        assert_eq!(read_objects("f", text, &mut objects), []);
        let bound: Vec<_> = objects.snapshot.pod_identities().bound_to("ml", "team").collect();
        assert_eq!(bound[0].identity.map(|identity| &*identity.client_id), Some("a"));
    }

    #[test]
    fn what_cannot_be_read_is_named_with_its_line() {
        let text = "apiVersion: aadpodidentity.k8s.io/v1\nkind: AzureIdentity\nmetadata: {name: a}\nspec:\n  type: '0'";
        let faults = read_objects("f", text, &mut Objects::default());
        let [fault] = faults.as_slice() else { panic!("{faults:?}") };
        assert!(fault.to_string().starts_with("f:5:9: spec.type: expected a whole number"), "{fault}");
    }
}
