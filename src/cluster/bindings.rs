//! What the bindings of a cluster say of a service account. They are watched from when somebody first asks: only some
//! policies do, and listing them takes a right that podgate does without otherwise.

use std::time::Duration;

use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec, SubjectAccessReviewStatus,
};
use serde::Deserialize;
use tokio::time::timeout;

use crate::cluster::client::Cluster;
use crate::cluster::error::ApiError;
use crate::cluster::raw::{JSON, body, parse};
use crate::identity::federated_subject;
use crate::policy::{EXCEPTION_GROUP, EXCEPTION_RESOURCE, IDENTITY_GROUP, USE_EXCEPTION, USE_IDENTITY};

const REVIEWS: &str = "/apis/authorization.k8s.io/v1/subjectaccessreviews";

/// The answer to a SubjectAccessReview.
#[derive(Deserialize)]
struct AccessReviewed {
    status: Option<SubjectAccessReviewStatus>,
}

impl Cluster {
    /// Whether any RoleBinding or ClusterRoleBinding names a service account; `None` where podgate may not list them, or
    /// they cannot be listed now. They are followed from the first call on, if the cluster is.
    ///
    /// # Errors
    ///
    /// When no list has come within `within`.
    pub async fn is_bound(
        &self,
        namespace: &str,
        name: &str,
        within: Duration,
    ) -> Result<Option<bool>, ApiError> {
        let known = || self.known.snapshot().is_bound(namespace, name);
        if known().is_some() {
            return Ok(known());
        }
        match timeout(within, self.known.bindings.ask()).await {
            Ok(()) => Ok(known()),
            Err(_) => Err(ApiError::timed_out(&self.call(
                "Get",
                "/apis/rbac.authorization.k8s.io/v1/rolebindings",
                "list rolebindings",
            ))),
        }
    }

    /// Whether a service account may use the identity of a client id that AKS has bound to the cluster, as the API server
    /// tells.
    ///
    /// # Errors
    ///
    /// What went wrong: `Forbidden` where podgate may not ask.
    pub async fn may_use_identity(
        &self,
        namespace: &str,
        name: &str,
        client_id: &str,
    ) -> Result<bool, ApiError> {
        let right = ResourceAttributes {
            group: Some(IDENTITY_GROUP.to_owned()),
            resource: Some(client_id.to_owned()),
            verb: Some(USE_IDENTITY.to_owned()),
            ..ResourceAttributes::default()
        };
        self.has_right((namespace, name), right).await
    }

    /// Whether a service account may use an exception in its namespace, as the API server tells.
    ///
    /// # Errors
    ///
    /// What went wrong: `Forbidden` where podgate may not ask.
    pub async fn may_use_exception(
        &self,
        namespace: &str,
        name: &str,
        exception: &str,
    ) -> Result<bool, ApiError> {
        let right = ResourceAttributes {
            namespace: Some(namespace.to_owned()),
            group: Some(EXCEPTION_GROUP.to_owned()),
            resource: Some(EXCEPTION_RESOURCE.to_owned()),
            name: Some(exception.to_owned()),
            verb: Some(USE_EXCEPTION.to_owned()),
            ..ResourceAttributes::default()
        };
        self.has_right((namespace, name), right).await
    }

    /// Whether a service account, by namespace and name, may do something with all objects of a resource, as the API
    /// server tells.
    ///
    /// # Errors
    ///
    /// What went wrong: `Forbidden` where we may not ask.
    pub async fn may_account(
        &self,
        (namespace, name): (&str, &str),
        verb: &str,
        group: &str,
        resource: &str,
    ) -> Result<bool, ApiError> {
        let right = ResourceAttributes {
            group: Some(group.to_owned()),
            resource: Some(resource.to_owned()),
            verb: Some(verb.to_owned()),
            ..ResourceAttributes::default()
        };
        self.has_right((namespace, name), right).await
    }

    /// Whether a service account may do something with one object of the core group, by namespace, resource and name.
    ///
    /// # Errors
    ///
    /// What went wrong: `Forbidden` where we may not ask.
    pub async fn may_account_on(
        &self,
        account: (&str, &str),
        verb: &str,
        (namespace, resource, name): (&str, &str, &str),
    ) -> Result<bool, ApiError> {
        let right = ResourceAttributes {
            namespace: Some(namespace.to_owned()),
            resource: Some(resource.to_owned()),
            name: Some(name.to_owned()),
            group: Some(String::new()),
            verb: Some(verb.to_owned()),
            ..ResourceAttributes::default()
        };
        self.has_right(account, right).await
    }

    async fn has_right(
        &self,
        (namespace, name): (&str, &str),
        right: ResourceAttributes,
    ) -> Result<bool, ApiError> {
        let call = self.call("Post", REVIEWS, "create subjectaccessreviews");
        self.known.reads.spend(&call)?;
        let groups = ["system:serviceaccounts", "system:authenticated"].map(ToOwned::to_owned);
        let mut groups = Vec::from(groups);
        groups.push(format!("system:serviceaccounts:{namespace}"));
        let review = SubjectAccessReview {
            spec: SubjectAccessReviewSpec {
                user: Some(federated_subject(namespace, name)),
                groups: Some(groups),
                resource_attributes: Some(right),
                ..SubjectAccessReviewSpec::default()
            },
            ..SubjectAccessReview::default()
        };
        let answer = self.send("POST", REVIEWS, Some((JSON, body(&review, &call)?)), &call).await?;
        let AccessReviewed { status } = parse(&answer, &call)?;
        // An answer without a verdict is none.
        let Some(status) = status else { return Err(ApiError::without_status(&call)) };
        Ok(status.allowed && status.denied != Some(true))
    }
}
