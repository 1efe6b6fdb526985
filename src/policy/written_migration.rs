//! `migration` of an IdentityPolicy: how it is written, and whether it makes sense.

use serde::Deserialize;

use crate::pod::is_label_value;
use crate::policy::document::{DocumentReader, path};
use crate::policy::migration::{Migration, MigrationMode};
use crate::text::not_ascii;

/// What is done about AAD Pod Identity.
#[derive(Debug, Default, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct WrittenMigration {
    /// Whether a pod with the label `aadpodidbinding` gets the one service account that stands for the same identity.
    pub(super) aad_pod_identity: MigrationMode,
    /// Whether a pod that is migrated loses the label `aadpodidbinding`.
    pub(super) remove_legacy_label: bool,
    /// What services that AzureML has deployed get (label `isazuremlapp: "true"`), while the cluster still runs AAD Pod
    /// Identity.
    #[serde(rename = "azureMLServices")]
    pub(super) azure_ml_services: Option<AzureMlServices>,
}

/// What services that AzureML has deployed get.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct AzureMlServices {
    /// The selector of their AzureIdentityBinding: the value of their label `aadpodidbinding`, where they have none.
    #[schemars(length(min = 1))]
    pub(super) binding_selector: String,
}

impl DocumentReader<'_> {
    pub(super) fn migration(&mut self, written: Option<WrittenMigration>) -> Migration {
        let Some(written) = written else { return Migration::default() };
        let WrittenMigration { aad_pod_identity: mode, remove_legacy_label, azure_ml_services } = written;
        let azure_ml_selector = azure_ml_services.map(|services| services.binding_selector);
        if let Some(selector) = azure_ml_selector.as_ref().filter(|selector| !is_label_value(selector)) {
            let message = format!("must be a value that a label can have{}", not_ascii(selector));
            self.fault(&path("spec.migration.azureMLServices.bindingSelector"), message);
        }
        if remove_legacy_label && mode == MigrationMode::Off {
            let message = "says what becomes of the label of pods that are migrated, and none are: set aadPodIdentity \
                           as well, or remove it";
            self.fault(&path("spec.migration.removeLegacyLabel"), message);
        }
        let migration = Migration { mode, removes_legacy_label: remove_legacy_label, azure_ml_selector };
        if !migration.is_on() && !remove_legacy_label {
            let message = "does nothing: give it aadPodIdentity or azureMLServices, or remove it";
            self.fault(&path("spec.migration"), message);
        }
        migration
    }
}
