//! Identities of Azure: the provider behind a reviewer, and what comes of a pod.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use podgate::admission::{Reviewer, Webhook};
use podgate::identity::{Azure, AzureSettings, Providers, ServiceAccount};
use podgate::policy::{Answers, LookupError, Policies, Snapshot};
use serde_json::Value as Json;

/// What is answered to the review of a pod.
#[derive(Debug)]
pub(crate) struct Reviewed {
    pub(crate) is_allowed: bool,
    pub(crate) code: u64,
    pub(crate) message: String,
    pub(crate) warnings: Vec<String>,
    pub(crate) patch: Option<Json>,
    /// The whole answer, as text.
    pub(crate) answer: String,
}

impl Reviewed {
    /// The pod after the patch.
    pub(crate) fn patched(&self, pod: &Json) -> Json {
        let mut pod = pod.clone();
        if let Some(patch) = &self.patch {
            json_patch::patch(&mut pod, &serde_json::from_value::<json_patch::Patch>(patch.clone()).unwrap())
                .unwrap();
        }
        pod
    }
}

/// A reviewer without any policy, with the provider, in a cluster with these service accounts and one more.
pub(crate) fn reviewer(settings: AzureSettings, accounts: &[(&str, &str, ServiceAccount)]) -> Reviewer {
    let mut snapshot = Snapshot::default();
    snapshot.insert_service_account("elsewhere", "default", ServiceAccount::default());
    for (namespace, name, account) in accounts {
        snapshot.insert_service_account(namespace, name, account.clone());
    }
    let mut providers = Providers::default();
    providers.add(Azure::new(settings).unwrap());
    Reviewer::new(Policies::new(Vec::new()).finish().unwrap(), snapshot).with_providers(Arc::new(providers))
}

/// What a reviewer answers to a review of any kind; `Err` if there is nothing to answer to.
pub(crate) fn answer(reviewer: &Reviewer, review: &Json) -> Result<Reviewed, String> {
    let body = serde_json::to_vec(review).unwrap();
    let answer = reviewer
        .answer(Webhook::Mutate, &body, Answers::default(), |_| Err(LookupError::NoCluster))
        .map_err(|error| error.message)?;
    let text = String::from_utf8(answer.body).unwrap();
    let read: Json = serde_json::from_str(&text).unwrap();
    let response = &read["response"];
    let patch = response["patch"].as_str().map(|patch| {
        let patch = STANDARD.decode(patch).unwrap();
        serde_json::from_slice(&patch).unwrap()
    });
    let warnings = response["warnings"].as_array().cloned().unwrap_or_default();
    let warnings: Vec<String> = warnings.iter().map(|warning| warning.as_str().unwrap().to_owned()).collect();
    for warning in &warnings {
        assert!(warning.starts_with("podgate: ") && warning.len() <= 120, "{warning}");
    }
    Ok(Reviewed {
        is_allowed: response["allowed"] == true,
        code: response["status"]["code"].as_u64().unwrap_or(200),
        message: response["status"]["message"].as_str().unwrap_or_default().to_owned(),
        warnings,
        patch,
        answer: text,
    })
}
