//! Two watches, one snapshot: the Namespaces and the service accounts, as the API server tells of them.
//!
//! Only metadata is asked for, and of that labels and names are kept. Changes come in bursts (a list, a new
//! tenant), and a snapshot is made once for all that has come by then.

use std::sync::Arc;
use std::time::Duration;

use futures::{Stream, StreamExt, stream};
use k8s_openapi::api::core::v1::{Namespace, ServiceAccount};
use kube::core::PartialObjectMeta;
use kube::runtime::utils::Backoff as _;
use kube::runtime::watcher::{self, DefaultBackoff, Event, watcher};
use kube::{Api, Resource, ResourceExt};

use super::{Cluster, Fault};
use crate::policy::{Labels, Snapshot};

/// Most changes that are taken at once; there is no reason to make a snapshot sooner.
const BURST: usize = 4096;

/// How long to wait at most before a watch is begun anew.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Objects of a page: what the API server reads from etcd at once.
const PAGE: u32 = 500;

/// What is watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Watched {
    /// The Namespaces of the cluster.
    Namespaces,
    /// Its service accounts.
    ServiceAccounts,
}

impl Watched {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Namespaces, Self::ServiceAccounts];

    /// The resource, as in a role.
    #[must_use]
    pub fn resource(self) -> &'static str {
        match self {
            Self::Namespaces => "namespaces",
            Self::ServiceAccounts => "serviceaccounts",
        }
    }
}

/// Is told how the watches fare.
pub trait Observer: Send + Sync + 'static {
    /// A watch has told something after it had not, and all that is there is known.
    fn up(&self, watched: Watched);
    /// A watch has failed; it is begun anew a little later. What is known stays known. `is_news` for the first
    /// time, and when the reason is another than before.
    fn failed(&self, watched: Watched, fault: &Fault, is_news: bool);
}

/// A change of one of the two.
enum Change {
    Namespaces(Event<PartialObjectMeta<Namespace>>),
    ServiceAccounts(Event<PartialObjectMeta<ServiceAccount>>),
    Failed(Watched, Fault),
}

impl Cluster {
    /// Follows both for as long as it runs, and gives every new snapshot to `publish`.
    pub async fn follow(&self, observer: impl Observer, mut publish: impl FnMut(Arc<Snapshot>) + Send) {
        let namespaces = self.changes(Watched::Namespaces, Change::Namespaces);
        let accounts = self.changes(Watched::ServiceAccounts, Change::ServiceAccounts);
        let mut changes = std::pin::pin!(stream::select(namespaces, accounts).ready_chunks(BURST));
        let mut follower = Follower::default();
        while let Some(burst) = changes.next().await {
            if follower.apply(burst, &observer) {
                publish(Arc::new(follower.snapshot.clone()));
            }
        }
    }

    /// One watch, begun anew with a list after every failure: only a list that is whole proves that it is up, since
    /// a watch that goes on says nothing while nothing changes.
    fn changes<K>(
        &self,
        watched: Watched,
        change: fn(Event<PartialObjectMeta<K>>) -> Change,
    ) -> impl Stream<Item = Change> + Send + use<K>
    where
        K: Resource<DynamicType = ()> + Clone + std::fmt::Debug + Send + Sync + 'static,
    {
        let api: Api<PartialObjectMeta<K>> = Api::all(self.client.clone());
        let begin = move || watcher(api.clone(), watcher::Config::default().page_size(PAGE)).boxed();
        let start = (begin(), DefaultBackoff::default(), Duration::ZERO);
        stream::unfold((start, begin), move |((mut events, mut backoff, pause), begin)| async move {
            if !pause.is_zero() {
                tokio::time::sleep(pause).await;
                events = begin();
            }
            let (change, pause) = match events.next().await {
                Some(Ok(event)) => {
                    if matches!(event, Event::InitDone) {
                        backoff.reset();
                    }
                    (change(event), Duration::ZERO)
                }
                failed => {
                    (Change::Failed(watched, fault_of(failed)), backoff.next().unwrap_or(LONGEST_PAUSE))
                }
            };
            Some((change, ((events, backoff, pause), begin)))
        })
    }
}

fn fault_of<K>(failed: Option<watcher::Result<Event<K>>>) -> Fault {
    match failed {
        Some(Err(error)) => Fault::from(&error),
        Some(Ok(_)) | None => Fault::Unreachable("the watch has ended".to_owned()),
    }
}

/// The snapshot as it is put together.
struct Follower {
    snapshot: Snapshot,
    /// What a list has told so far; it stands for all that was known once it is whole.
    namespaces: Vec<(String, Labels)>,
    accounts: Vec<(String, String)>,
    /// What is wrong with each watch; `None` before the first word, or when all is well.
    faults: [Option<&'static str>; 2],
    are_up: [bool; 2],
}

impl Default for Follower {
    fn default() -> Self {
        Self {
            snapshot: Snapshot::live(),
            namespaces: Vec::new(),
            accounts: Vec::new(),
            faults: [None; 2],
            are_up: [false; 2],
        }
    }
}

impl Follower {
    /// Takes in changes; whether the snapshot is another by then.
    fn apply(&mut self, burst: Vec<Change>, observer: &impl Observer) -> bool {
        let mut is_new = false;
        for change in burst {
            is_new |= match change {
                Change::Failed(watched, fault) => {
                    let reason = fault.reason();
                    let before =
                        self.faults.get_mut(watched as usize).and_then(|before| before.replace(reason));
                    self.set_up(watched, false);
                    observer.failed(watched, &fault, before != Some(reason));
                    false
                }
                Change::Namespaces(event) => {
                    let is_whole = !matches!(event, Event::Init | Event::InitApply(_));
                    let changed = self.namespace(event);
                    self.heard(Watched::Namespaces, is_whole, observer);
                    changed
                }
                Change::ServiceAccounts(event) => {
                    let is_whole = !matches!(event, Event::Init | Event::InitApply(_));
                    let changed = self.account(event);
                    self.heard(Watched::ServiceAccounts, is_whole, observer);
                    changed
                }
            };
        }
        is_new
    }

    fn heard(&mut self, watched: Watched, is_whole: bool, observer: &impl Observer) {
        if is_whole && !self.are_up.get(watched as usize).copied().unwrap_or_default() {
            self.set_up(watched, true);
            if let Some(fault) = self.faults.get_mut(watched as usize) {
                *fault = None;
            }
            observer.up(watched);
        }
    }

    fn set_up(&mut self, watched: Watched, is_up: bool) {
        if let Some(before) = self.are_up.get_mut(watched as usize) {
            *before = is_up;
        }
    }

    fn namespace(&mut self, event: Event<PartialObjectMeta<Namespace>>) -> bool {
        match event {
            Event::Init => self.namespaces.clear(),
            Event::InitApply(namespace) => self.namespaces.push(labelled(namespace)),
            Event::InitDone => {
                self.snapshot.replace_namespaces(std::mem::take(&mut self.namespaces));
                return true;
            }
            Event::Apply(namespace) => {
                let (name, labels) = labelled(namespace);
                if self.snapshot.labels(&name) == Some(&crate::policy::complete(&name, labels.clone())) {
                    return false;
                }
                self.snapshot.insert(&name, labels);
                return true;
            }
            Event::Delete(namespace) => {
                self.snapshot.remove(&namespace.name_any());
                return true;
            }
        }
        false
    }

    fn account(&mut self, event: Event<PartialObjectMeta<ServiceAccount>>) -> bool {
        let name = |account: &PartialObjectMeta<ServiceAccount>| {
            (account.namespace().unwrap_or_default(), account.name_any())
        };
        match event {
            Event::Init => self.accounts.clear(),
            Event::InitApply(account) => self.accounts.push(name(&account)),
            Event::InitDone => {
                self.snapshot.replace_service_accounts(std::mem::take(&mut self.accounts));
                return true;
            }
            Event::Apply(account) => {
                let (namespace, name) = name(&account);
                let is_known = self.snapshot.has_service_account(&namespace, &name);
                self.snapshot.insert_service_account(&namespace, &name);
                return !is_known;
            }
            Event::Delete(account) => {
                let (namespace, name) = name(&account);
                self.snapshot.remove_service_account(&namespace, &name);
                return true;
            }
        }
        false
    }
}

fn labelled(namespace: PartialObjectMeta<Namespace>) -> (String, Labels) {
    let name = namespace.name_any();
    (name, namespace.metadata.labels.unwrap_or_default())
}
