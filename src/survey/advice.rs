//! What is missing for an identity, and what to do about it.

use crate::identity::aad_pod_identity::{LegacyPod, MigrationBlocker};
use crate::identity::{AZURE_CLIENT_ID as CLIENT_ID, AccountFault, federated_subject as subject};
use crate::survey::surveyed_pod::SurveyNote;

/// The audience of the tokens that Azure takes.
const AUDIENCE: &str = "api://AzureADTokenExchange";

/// Why a pod of AAD Pod Identity is not migrated, and what to do.
pub(super) fn of_blocker(blocker: &MigrationBlocker<'_>, pod: LegacyPod<'_>) -> SurveyNote {
    let LegacyPod { namespace, selector, service_account } = pod;
    let text = match blocker {
        MigrationBlocker::NoBinding => format!(
            "no AzureIdentityBinding has the selector {selector}, so the pod has no identity now: remove the label \
             aadpodidbinding, or make the binding"
        ),
        MigrationBlocker::NoIdentity(bound) => format!(
            "AzureIdentityBinding {} names AzureIdentity {}, which does not exist in {}",
            bound.binding, bound.identity_name, bound.binding.namespace
        ),
        MigrationBlocker::SeveralIdentities(names) => {
            let names = names.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            format!(
                "it is bound to several identities ({names}): a service account has one, the others are asked for by \
                 their client id, each with a federated credential of its own"
            )
        }
        MigrationBlocker::HasSecret(identity) => format!(
            "AzureIdentity {} is of type {}, a service principal with a secret: give the application a federated \
             credential and the account its client id, or use a managed identity",
            identity.name, identity.identity_type
        ),
        MigrationBlocker::NoClientId(identity) => {
            format!("AzureIdentity {} has no clientID: add that of its managed identity", identity.name)
        }
        MigrationBlocker::BadClientId(identity) => format!(
            "AzureIdentity {} has the clientID {}, which is nobody's: make it the GUID of its managed identity",
            identity.name, identity.client_id
        ),
        MigrationBlocker::NoAccount(identity) => format!(
            "no service account of {namespace} has the client id of AzureIdentity {}: kubectl annotate serviceaccount \
             NAME -n {namespace} {CLIENT_ID}={}; its subject is then {}",
            identity.name,
            identity.client_id,
            subject(namespace, "NAME")
        ),
        MigrationBlocker::SeveralAccounts(identity, accounts) => format!(
            "several service accounts of {namespace} have the client id of AzureIdentity {} ({}): leave it to one of \
             them, or name one in spec.serviceAccountName and set the label azure.workload.identity/use: \"true\"",
            identity.name,
            accounts.join(", ")
        ),
        MigrationBlocker::OtherAccount(identity) => format!(
            "it runs as {service_account}, which has not the client id of AzureIdentity {}: kubectl annotate \
             serviceaccount {service_account} -n {namespace} {CLIENT_ID}={}; its subject is {}",
            identity.name,
            identity.client_id,
            subject(namespace, service_account)
        ),
    };
    SurveyNote { code: blocker.code(), text }
}

/// That there is no such service account.
pub(super) fn no_such_account(namespace: &str, account: &str) -> SurveyNote {
    let text = format!("its service account {account} is not known in {namespace}: create it");
    SurveyNote { code: "accountNotFound", text }
}

/// What keeps a service account from having an identity.
pub(super) fn of_account((namespace, account): (&str, &str), fault: &AccountFault) -> SurveyNote {
    let text = format!(
        "its service account {}: {}: kubectl annotate --overwrite serviceaccount {account} -n {namespace} \
         {CLIENT_ID}=CLIENT_ID",
        fault.what, fault.fix
    );
    SurveyNote { code: "noClientId", text }
}

/// That a pod asks for a token and has none.
pub(super) fn no_token() -> SurveyNote {
    let text =
        "its label asks for a token and it has none: no webhook has seen it; once one runs, delete the pod, \
                so that its controller makes it again"
            .to_owned();
    SurveyNote { code: "noToken", text }
}

/// That a label is not understood.
pub(super) fn other_label(value: &str) -> SurveyNote {
    let text = format!(
        "its label azure.workload.identity/use is \"{value}\", which asks for nothing: make it \"true\""
    );
    SurveyNote { code: "labelValue", text }
}

/// That the label's key and value are where nobody looks for them.
pub(super) fn annotation_for_label() -> SurveyNote {
    let text = "it has azure.workload.identity/use as an annotation, which asks for nothing: make it a label"
        .to_owned();
    SurveyNote { code: "labelValue", text }
}

/// The federated credential of a service account, which only Azure knows of.
pub(super) fn federated_credential(subject: &str) -> SurveyNote {
    let text = format!(
        "its managed identity needs a federated credential with subject {subject}, audience {AUDIENCE} and the \
         OIDC issuer of the cluster"
    );
    SurveyNote { code: "federatedCredential", text }
}

/// The SDK in the images, which nobody can see.
pub(super) fn sdk() -> SurveyNote {
    let text =
        "its Azure SDK must know workload identity (azure-identity for .NET 1.9.0, Go 1.3.0, Java 1.9.0, \
                JavaScript 3.2.0, Python 1.13.0, or later)"
            .to_owned();
    SurveyNote { code: "sdk", text }
}

/// A service of AzureML that no binding gives an identity to.
pub(super) fn azure_ml_service() -> SurveyNote {
    let text = "it is a service of AzureML (isazuremlapp) without the label aadpodidbinding, so it has no identity: \
                an IdentityPolicy adds the label with spec.migration.azureMLServices.bindingSelector"
        .to_owned();
    SurveyNote { code: "azureMLService", text }
}
