//! The edits that give a pod another service account: all that the API server did for the old one is done for the new one.

use crate::finding::{Edit, EditOp, FieldPath, Subject, Value};
use crate::identity::{AZURE_LABEL as LABEL, ServiceAccount};
use crate::json::{Reader, Result, members};
use crate::mutate::identity::warning::warning;
use crate::pod::Pod;
use crate::text::printable;

/// Longest value of a label in a warning.
const LONGEST_VALUE: usize = 24;

/// The edits that give a pod a service account, and the label by which the provider's own webhook selects it.
pub(super) fn assign<'p>(target: &'p str, pod: &Pod<'_>) -> impl Iterator<Item = Edit<'p>> {
    let accounts = [
        ("serviceAccountName", &pod.spec.service_account_name),
        ("serviceAccount", &pod.spec.service_account),
    ];
    let swap: Vec<Edit<'p>> = accounts
        .into_iter()
        .filter(|(_, account)| *account != target)
        .map(|(field, _)| Edit::new(Subject::Pod, field, EditOp::Set(Value::Text(target))))
        .collect();
    let label = pod.metadata.label(LABEL).is_none().then(|| {
        let path = FieldPath::from("labels").key(LABEL);
        Edit::new(Subject::Metadata, path, EditOp::Set(Value::Text("true")))
    });
    swap.into_iter().chain(label)
}

/// What the pod's author should know: its own label is not changed, even if it prevents the token.
pub(super) fn label_warning(pod: &Pod<'_>) -> Option<String> {
    let value = pod.metadata.label(LABEL).filter(|value| *value != "true")?;
    let value = printable(value, LONGEST_VALUE);
    Some(warning(&format!("label {LABEL} is \"{value}\", not \"true\": no token comes into the pod")))
}

/// The names in the pod's `imagePullSecrets`.
///
/// # Errors
/// When they are not a list of references.
pub(super) fn pull_secrets_of(pod: &Pod<'_>) -> Result<Vec<String>> {
    let mut names = Vec::new();
    if pod.spec.image_pull_secrets.is_empty() {
        return Ok(names);
    }
    Reader::over(pod.spec.image_pull_secrets).array(|reader, _| {
        let mut name = String::new();
        members!(reader, { "name" => name = reader.string()?.into_owned() })?;
        names.push(name);
        Ok(())
    })?;
    Ok(names)
}

/// Puts the pull secrets of the new account in the place of those of the old one, which the API server copied from there. What
/// the author wrote stays.
pub(super) fn swap_pull_secrets<'p>(
    written: &[String],
    old: &ServiceAccount,
    new: &ServiceAccount,
) -> Option<Edit<'p>> {
    let has = |account: &ServiceAccount| {
        account.image_pull_secrets.iter().map(AsRef::as_ref).eq(written.iter().map(String::as_str))
    };
    if written.is_empty() || !has(old) || has(new) {
        return None;
    }
    let secrets: Vec<serde_json::Value> =
        new.image_pull_secrets.iter().map(|name| serde_json::json!({ "name": name })).collect();
    let op = if secrets.is_empty() {
        EditOp::Remove
    } else {
        EditOp::Set(Value::Json(serde_json::Value::Array(secrets).to_string().into()))
    };
    Some(Edit::new(Subject::Pod, "imagePullSecrets", op))
}
