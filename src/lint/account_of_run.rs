//! A service account among the manifests, and where it says what it is for.

use crate::identity::{AZURE_CLIENT_ID, ServiceAccount};
use crate::lint::account_object::AccountObject;
use crate::lint::manifest::Item;
use crate::lint::unread::DocumentOrigin;
use crate::path::Path;
use crate::yaml::{Span, YamlError};

/// A service account among the manifests.
#[derive(Debug)]
pub(super) struct AccountOfRun {
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) account: ServiceAccount,
    pub(super) file: String,
    pub(super) line: usize,
    pub(super) column: usize,
}

/// Whether an object is a service account.
pub(super) fn is_account(api_version: &str, kind: &str) -> bool {
    (api_version, kind) == ("v1", "ServiceAccount")
}

impl AccountOfRun {
    /// Reads one; `None` if it is none.
    pub(super) fn read(
        item: &Item<'_>,
        origin: &DocumentOrigin<'_>,
        default_namespace: &str,
    ) -> Result<Option<Self>, Vec<YamlError>> {
        let read = AccountObject::read(item, origin.text, default_namespace)?;
        let Some(AccountObject::Account { namespace, name, account }) = read else { return Ok(None) };
        let Span { line, column, .. } = item.node.locate(&place_of_fault(&account)).span;
        Ok(Some(Self { namespace, name, account, file: origin.file.to_owned(), line, column }))
    }
}

/// Where a service account says what it is for, rightly or not.
fn place_of_fault(account: &ServiceAccount) -> Path<'_> {
    let annotation = |key| Path::from_keys(["metadata", "annotations", key]);
    if account.annotation(AZURE_CLIENT_ID).is_some() {
        return annotation(AZURE_CLIENT_ID);
    }
    let label = account.labels().find(|(key, _)| *key == AZURE_CLIENT_ID).or_else(|| account.labels().next());
    match (label, account.annotations().next()) {
        (Some((key, _)), _) if key == AZURE_CLIENT_ID => Path::from_keys(["metadata", "labels", key]),
        (_, Some((key, _))) => annotation(key),
        (Some((key, _)), None) => Path::from_keys(["metadata", "labels", key]),
        (None, None) => Path::from_keys(["metadata", "name"]),
    }
}
