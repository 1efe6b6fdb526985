//! Leader election by a Lease, acquired and renewed as the Go client does.
//!
//! The times in it are not trusted, since clocks differ. A Lease has expired when this replica has seen no change to
//! it for its duration. Two leaders are possible for a moment, as in every leader election; their writes are
//! guarded by resourceVersion.

use std::time::{Duration, Instant};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use k8s_openapi::jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::cluster::client::Cluster;
use crate::cluster::error::{ApiError, Reason};
use crate::cluster::raw::{JSON, body, parse};

/// The rights that a Lease needs.
const READ: &str = "get leases";
const WRITE: &str = "update leases";

/// A Lease, and what one replica has seen of it.
#[derive(Debug)]
pub struct LeaseLock {
    namespace: String,
    name: String,
    holder: String,
    lasts: Duration,
    seen: Option<SeenVersion>,
    renewed: Option<Instant>,
}

/// The object. Fields that are not named here are kept.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct LeaseObject {
    metadata: LeaseMetadata,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    spec: Option<LeaseSpec>,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct LeaseMetadata {
    #[serde(skip_serializing_if = "String::is_empty")]
    resource_version: String,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct LeaseSpec {
    #[serde(skip_serializing_if = "Option::is_none")]
    holder_identity: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lease_duration_seconds: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lease_transitions: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    acquire_time: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    renew_time: Option<Value>,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

/// A version of the Lease, and when it was first seen.
#[derive(Debug)]
struct SeenVersion {
    version: String,
    at: Instant,
}

impl LeaseLock {
    /// A Lease of this duration, in whole seconds, of which nothing is known yet. `holder` must be unique among the
    /// replicas.
    #[must_use]
    pub fn new(namespace: &str, name: &str, holder: &str, lasts: Duration) -> Self {
        Self {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            holder: holder.to_owned(),
            lasts,
            seen: None,
            renewed: None,
        }
    }

    /// Acquires or renews the Lease if it is free, expired or ours; returns whether this replica leads. To be called a
    /// few times within its duration. `now` is taken before the call.
    ///
    /// # Errors
    ///
    /// What went wrong. [`LeaseLock::leads`] says whether this replica still leads.
    pub async fn lead(&mut self, cluster: &Cluster, now: Instant) -> Result<bool, ApiError> {
        let leads = self.try_to_lead(cluster, now).await?;
        self.renewed = leads.then_some(now);
        Ok(leads)
    }

    /// Whether this replica leads as far as is known: it stops before others may take over.
    #[must_use]
    pub fn leads(&self, now: Instant) -> bool {
        self.renewed.is_some_and(|renewed| now < renewed + self.lasts * 2 / 3)
    }

    /// Releases the Lease if it is ours, so that the next leader need not wait until it expires.
    ///
    /// # Errors
    ///
    /// What went wrong; the Lease expires soon anyway.
    pub async fn release(&mut self, cluster: &Cluster) -> Result<(), ApiError> {
        self.renewed = None;
        let Some(mut lease) = cluster.get_json::<LeaseObject>(&self.path(), READ).await? else {
            return Ok(());
        };
        let spec = lease.spec.get_or_insert_default();
        if spec.holder_identity.as_ref() != Some(&self.holder) {
            return Ok(());
        }
        spec.holder_identity = Some(String::new());
        spec.lease_duration_seconds = Some(1);
        match self.replace(cluster, &lease).await {
            // Somebody else has it by now.
            Err(fault) if fault.reason == Reason::Conflict => Ok(()),
            other => other.map(|_| ()),
        }
    }

    async fn try_to_lead(&mut self, cluster: &Cluster, now: Instant) -> Result<bool, ApiError> {
        let Some(lease) = cluster.get_json::<LeaseObject>(&self.path(), READ).await? else {
            let kind = [("apiVersion", "coordination.k8s.io/v1"), ("kind", "Lease")];
            let name = [("namespace", &self.namespace), ("name", &self.name)];
            let lease = LeaseObject {
                metadata: LeaseMetadata {
                    rest: name.map(|(key, value)| (key.to_owned(), json!(value))).into_iter().collect(),
                    ..LeaseMetadata::default()
                },
                spec: None,
                rest: kind.map(|(key, value)| (key.to_owned(), json!(value))).into_iter().collect(),
            };
            return self.take(cluster, lease, now).await;
        };
        self.look(&lease, now);
        let holder = lease.spec.as_ref().and_then(|spec| spec.holder_identity.as_deref());
        let is_anothers = holder.is_some_and(|holder| !holder.is_empty() && holder != self.holder);
        if is_anothers && !self.is_expired(&lease, now) {
            return Ok(false);
        }
        self.take(cluster, lease, now).await
    }

    /// Notes when a version was first seen.
    fn look(&mut self, lease: &LeaseObject, now: Instant) {
        let version = &lease.metadata.resource_version;
        if self.seen.as_ref().is_none_or(|seen| seen.version != *version) {
            self.seen = Some(SeenVersion { version: version.clone(), at: now });
        }
    }

    fn is_expired(&self, lease: &LeaseObject, now: Instant) -> bool {
        let given = lease.spec.as_ref().and_then(|spec| spec.lease_duration_seconds);
        let lasts = given.map_or(self.lasts, Duration::from_secs);
        self.seen.as_ref().is_some_and(|seen| now >= seen.at + lasts)
    }

    async fn take(
        &mut self,
        cluster: &Cluster,
        mut lease: LeaseObject,
        now: Instant,
    ) -> Result<bool, ApiError> {
        let time = json!(MicroTime(Timestamp::now()));
        let spec = lease.spec.get_or_insert_default();
        if spec.holder_identity.as_ref() != Some(&self.holder) {
            spec.lease_transitions = Some(spec.lease_transitions.map_or(0, |before| before + 1));
            spec.acquire_time = Some(time.clone());
        }
        spec.holder_identity = Some(self.holder.clone());
        spec.lease_duration_seconds = Some(self.lasts.as_secs());
        spec.renew_time = Some(time);
        let is_new = lease.metadata.resource_version.is_empty();
        let written =
            if is_new { self.create(cluster, &lease).await } else { self.replace(cluster, &lease).await };
        match written {
            Ok(lease) => {
                self.look(&lease, now);
                Ok(true)
            }
            Err(fault) if fault.reason == Reason::Conflict => Ok(false),
            Err(fault) => Err(fault),
        }
    }

    async fn create(&self, cluster: &Cluster, lease: &LeaseObject) -> Result<LeaseObject, ApiError> {
        let path = format!("/apis/coordination.k8s.io/v1/namespaces/{}/leases", self.namespace);
        let call = cluster.call("Post", &path, "create leases");
        let answer = cluster.send("POST", &path, Some((JSON, body(lease, &call)?)), &call).await?;
        parse(&answer, &call)
    }

    async fn replace(&self, cluster: &Cluster, lease: &LeaseObject) -> Result<LeaseObject, ApiError> {
        let call = cluster.call("Put", &self.path(), WRITE);
        let answer = cluster.send("PUT", &self.path(), Some((JSON, body(lease, &call)?)), &call).await?;
        parse(&answer, &call)
    }

    fn path(&self) -> String {
        format!("/apis/coordination.k8s.io/v1/namespaces/{}/leases/{}", self.namespace, self.name)
    }
}
