//! Who of the replicas does what only one should: whoever holds the Lease.
//!
//! It is politeness, not safety: two that believe they hold it do no harm, as every write of theirs is refused
//! that does not follow what they have read. Whether another's Lease has run out is told by how long we have seen
//! it unchanged, since its clock is not ours.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use k8s_openapi::api::coordination::v1 as coordination;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use k8s_openapi::jiff::Timestamp;
use kube::api::{ObjectMeta, PostParams};
use kube::{Api, ResourceExt};

use super::read::in_time;
use super::{Cluster, Fault, Objects};

/// How long whoever holds it may be silent.
const LASTS: Duration = Duration::from_secs(20);

/// One replica's view of the Lease.
pub struct Lease {
    api: Api<coordination::Lease>,
    name: String,
    holder: String,
    /// The version that was seen last, and since when.
    seen: Mutex<Option<(String, Instant)>>,
}

impl Cluster {
    /// The Lease, as seen by the replica of this name.
    #[must_use]
    pub fn lease(&self, objects: &Objects, holder: &str) -> Lease {
        Lease {
            api: Api::namespaced(self.client.clone(), &objects.namespace),
            name: objects.lease.clone(),
            holder: holder.to_owned(),
            seen: Mutex::default(),
        }
    }
}

impl Lease {
    /// Takes the Lease if it is free, or keeps it; whether this replica holds it now.
    ///
    /// # Errors
    /// Why nobody can tell.
    pub async fn hold(&self) -> Result<bool, Fault> {
        let Some(mut lease) = in_time(self.api.get_opt(&self.name)).await? else {
            return self.make().await;
        };
        let spec = lease.spec.get_or_insert_default();
        let holder = spec.holder_identity.clone().unwrap_or_default();
        let is_ours = holder == self.holder;
        let version = lease.metadata.resource_version.clone().unwrap_or_default();
        if !is_ours && !holder.is_empty() && !self.has_run_out(&version) {
            return Ok(false);
        }
        let now = Some(MicroTime(Timestamp::now()));
        spec.lease_duration_seconds = i32::try_from(LASTS.as_secs()).ok();
        spec.renew_time.clone_from(&now);
        if !is_ours {
            spec.holder_identity = Some(self.holder.clone());
            spec.acquire_time = now;
            spec.lease_transitions = Some(spec.lease_transitions.unwrap_or_default().saturating_add(1));
        }
        self.write(&lease).await
    }

    /// Gives the Lease up, so that the next need not wait for it to run out.
    ///
    /// # Errors
    /// Why it could not be.
    pub async fn release(&self) -> Result<(), Fault> {
        let Some(mut lease) = in_time(self.api.get_opt(&self.name)).await? else { return Ok(()) };
        let spec = lease.spec.get_or_insert_default();
        if spec.holder_identity.as_ref() == Some(&self.holder) {
            spec.holder_identity = None;
            self.write(&lease).await?;
        }
        Ok(())
    }

    /// Whether it has been unchanged, to us, for longer than it lasts.
    fn has_run_out(&self, version: &str) -> bool {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        match seen.as_ref() {
            Some((before, since)) if before == version => since.elapsed() >= LASTS,
            _ => {
                *seen = Some((version.to_owned(), Instant::now()));
                false
            }
        }
    }

    async fn make(&self) -> Result<bool, Fault> {
        let now = Some(MicroTime(Timestamp::now()));
        let lease = coordination::Lease {
            metadata: ObjectMeta { name: Some(self.name.clone()), ..ObjectMeta::default() },
            spec: Some(coordination::LeaseSpec {
                holder_identity: Some(self.holder.clone()),
                lease_duration_seconds: i32::try_from(LASTS.as_secs()).ok(),
                acquire_time: now.clone(),
                renew_time: now,
                ..coordination::LeaseSpec::default()
            }),
        };
        ours(in_time(self.api.create(&PostParams::default(), &lease)).await)
    }

    async fn write(&self, lease: &coordination::Lease) -> Result<bool, Fault> {
        let name = lease.name_any();
        ours(in_time(self.api.replace(&name, &PostParams::default(), lease)).await)
    }
}

/// Somebody who was faster holds it.
fn ours<T>(written: Result<T, Fault>) -> Result<bool, Fault> {
    match written {
        Ok(_) => Ok(true),
        Err(Fault::Conflict(_)) => Ok(false),
        Err(fault) => Err(fault),
    }
}
