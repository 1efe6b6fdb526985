//! What must hold of whatever bytes come in: the bodies of the fuzz targets.
//!
//! The crate in `fuzz` drives them with bytes of its own making, and `tests/it/corpus.rs` with those that are
//! kept in `fuzz/corpus`. Each takes bytes and panics where a promise is broken. None promises only that nothing
//! panics: what is read is read again by `serde_json`, or a second time from another spelling of the same thing,
//! and a pod that nobody may have is never let through.

#![allow(unreachable_pub, reason = "public for the crate in `fuzz`, which has this module as its own")]

pub mod envelope;
pub mod json;
mod json_shape;
pub mod manifest;
pub mod patch;
pub mod pem;
pub mod pod;
pub mod policy;

use std::collections::BTreeMap;
use std::sync::OnceLock;

use podgate::admission::{Answer, Reviewer, Unanswerable, Webhook};
use podgate::identity::ServiceAccount;
use podgate::policy::{
    Answers, Lookup, LookupAnswer, Policies, PolicySet, SYSTEM_NAMESPACES, Snapshot, read_file,
};
use serde_json::Value as Json;

/// The body of a target: takes an input, and panics where it breaks a promise.
pub type Check = fn(input: &[u8]);

/// The targets, each with its body; their corpora have the same names.
pub const TARGETS: [(&str, Check); 7] = [
    ("envelope", envelope::check),
    ("json", json::check),
    ("manifest", manifest::check),
    ("patch", patch::check),
    ("pem", pem::check),
    ("pod", pod::check),
    ("policy", policy::check),
];

/// Does a piece of work, and says how many bytes it held beyond those that were held before, at the most.
pub type MemoryMeter = fn(work: &mut dyn FnMut()) -> usize;

/// How memory is measured: the crate in `fuzz` brings an allocator that counts. Without one nothing is measured.
pub static MEMORY_METER: OnceLock<MemoryMeter> = OnceLock::new();

/// Memory that may be held whatever the size of the input: an answer's texts, tables, first capacities.
const FIXED_MEMORY: usize = 256 * 1024;

/// The namespace under the policies here.
const NAMESPACE: &str = "ml-team-a";

/// Does a piece of work, which may hold so many times the length of its input, and [`FIXED_MEMORY`].
fn within_memory<T>(times: usize, input: &[u8], work: impl FnOnce() -> T) -> T {
    let Some(meter) = MEMORY_METER.get() else { return work() };
    let (mut work, mut result) = (Some(work), None);
    let peak = meter(&mut || result = work.take().map(|work| work()));
    let most = FIXED_MEMORY + times * input.len();
    assert!(peak <= most, "{peak} bytes were held at a time, for an input of {}", input.len());
    result.expect("a meter does the work")
}

/// The policies of a text that is known to be good.
fn policies(text: &str) -> PolicySet {
    let mut policies = Policies::new(SYSTEM_NAMESPACES.map(str::to_owned).to_vec());
    read_file("policies", text, &mut policies);
    policies.finish().unwrap_or_else(|faults| panic!("{faults:?}"))
}

/// A cluster in which the built-in policy holds in [`NAMESPACE`], and a service account is there.
fn snapshot() -> Snapshot {
    let mut snapshot = Snapshot::default();
    let label = ("podgate.dev/policy".to_owned(), "ml-restricted".to_owned());
    snapshot.insert(NAMESPACE, BTreeMap::from([label]));
    let client_id = "0a0a0a0a-1111-4222-8333-444444444444";
    let account = ServiceAccount::new([("azure.workload.identity/client-id", client_id)], []);
    snapshot.insert_service_account(NAMESPACE, "trainer-wi", account);
    snapshot
}

/// The answer to a review; whatever has to be looked up for it is found to be absent.
fn answer<'b>(reviewer: &Reviewer, webhook: Webhook, body: &'b [u8]) -> Result<Answer<'b>, Unanswerable> {
    reviewer.answer(webhook, body, Answers::default(), |lookup| {
        Ok(match lookup {
            Lookup::Namespace(_) => LookupAnswer::Namespace(None),
            Lookup::ServiceAccount { .. } => LookupAnswer::ServiceAccount(None),
            Lookup::Bound { .. } => LookupAnswer::Bound(None),
            Lookup::IdentityRight { .. } => LookupAnswer::IdentityRight(None),
            Lookup::Grants { .. } => LookupAnswer::Grants(Vec::new()),
            Lookup::PodIdentities => LookupAnswer::PodIdentities(Default::default()),
            Lookup::PodsIn(_) => LookupAnswer::PodsIn(Vec::new()),
        })
    })
}

/// Whether a text is one that `serde_json` writes otherwise than it reads it: `-0` becomes `-0.0`, which is no
/// whole number.
fn changes_when_rewritten(text: &[u8]) -> bool {
    text.windows(2).any(|window| window == b"-0")
}

/// Whether nobody may have this pod under any level of the standard but the laxest: told by the plainest of its
/// rules, from `serde_json`'s reading alone.
///
/// Two things are left out that Kubernetes' own strictest level passes over, and so does ours: a volume that has a
/// harmless source beside the host's path, which no API server takes, and capabilities of a pod for Windows.
fn is_plainly_forbidden(pod: &Json) -> bool {
    let spec = &pod["spec"];
    let is_true = |value: &Json| *value == Json::Bool(true);
    let is_on_host = ["hostNetwork", "hostPID", "hostIPC"].iter().any(|field| is_true(&spec[*field]));
    let has_host_path = items(&spec["volumes"]).any(|volume| {
        let sources = volume
            .as_object()
            .into_iter()
            .flatten()
            .filter(|(key, value)| *key != "name" && !value.is_null());
        !volume["hostPath"].is_null() && sources.count() == 1
    });
    let is_for_windows = spec["os"]["name"] == "windows";
    let containers = ["initContainers", "containers", "ephemeralContainers"];
    is_on_host
        || has_host_path
        || containers.iter().flat_map(|list| items(&spec[*list])).any(|container| {
            let security = &container["securityContext"];
            let has_host_port = |port: &Json| port["hostPort"].as_i64().is_some_and(|port| port != 0);
            is_true(&security["privileged"])
                || !is_for_windows && items(&security["capabilities"]["add"]).any(|name| name == "SYS_ADMIN")
                || items(&container["ports"]).any(has_host_port)
        })
}

fn items(list: &Json) -> impl Iterator<Item = &Json> {
    list.as_array().into_iter().flatten()
}

/// Asserts that a text is one line that can go into a log: printable ASCII, and bounded.
#[track_caller]
fn is_one_line(text: &str, longest: usize) {
    let is_printable = text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    assert!(is_printable && !text.is_empty() && text.len() <= longest, "{text:?}");
}
