//! The identity of the pods of manifests, before they run: whether the webhook would refuse them for it.
//!
//! The plan is that of `/mutate` (`mutate::IdentityRequest`), made of the service accounts, bindings and roles among the
//! manifests and in the files of `--objects`. What is found in none of them is not taken to be missing where nothing else of
//! its namespace is known either. Then the pod is judged as if the account were in order and once more as if there were none;
//! if only the second is refused, the verdict waits for the account. A kind of others is taken to own its pods itself.

mod accounts;
mod facts;
mod keys;

use jiff::civil::Date;
use smallvec::SmallVec;

use crate::controls::{Grants, PodOrigin};
use crate::evaluate::Severity;
use crate::identity::aad_pod_identity::LEGACY_LABEL;
use crate::identity::{AZURE_CLIENT_ID, AZURE_LABEL, Providers, ServiceAccount};
use crate::json::{JsonError, Reader};
use crate::lint::report::{IdentityReport, PodReport};
use crate::mutate::{IdentityChange, IdentityError, IdentityRequest};
use crate::path::Path;
use crate::pod::{Owner, Pod};
use crate::policy::{Action, IdentityPolicy, PolicyIndex, SecurityPolicy, Snapshot, is_namespace};
use crate::text::{Printable, PrintableKey};
use crate::workload::{FoundIn, Part, Place, Template, Unresolved, UnresolvedReason, Workload};
use crate::yaml::{Node, Value};

use facts::{FileAccounts, UnknownBindings};

pub(super) use accounts::{account_notes, crowd_notes};
pub(super) use keys::{IDENTITY_KEYS, MENTION, keys_of_others, misplaced_keys};

/// What all warnings of the webhook begin with.
const WARNING_PREFIX: &str = "podgate: ";
/// What stands for a namespace that is not known.
const SOME_NAMESPACE: &str = "NAMESPACE";
/// A client id that is in order.
const SOME_CLIENT_ID: &str = "11111111-2222-4333-8444-555555555555";

/// Judges the identities of pods.
pub(super) struct IdentityCheck<'o> {
    index: &'o PolicyIndex,
    /// What is known of service accounts: of the manifests, and besides.
    known: &'o Snapshot,
    providers: &'o Providers,
    /// The day on which exceptions are asked whether they hold.
    today: Option<Date>,
    /// Whether the files that show the cluster hold service accounts: one that is not there, nobody has.
    is_complete: bool,
    /// A service account in order, in place of one that is not known.
    usable: ServiceAccount,
}

/// The object that pods are of.
#[derive(Clone, Copy)]
pub(super) struct PodSource<'i> {
    /// Its namespace, as it is written; empty if it is not known.
    pub(super) namespace: &'i str,
    pub(super) api_version: &'i str,
    pub(super) kind: &'i str,
    /// The security policies that hold for it.
    pub(super) security: &'i [&'i SecurityPolicy],
}

/// A pod, as it is written, and what its identity depends on.
struct Judged<'p, 'b> {
    pod: &'p Pod<'b>,
    text: &'p str,
    /// Its namespace, for messages.
    namespace: &'p str,
}

/// What would be changed in a pod, or why it is refused, if each account that is not known is like the one that is taken for it.
struct Plan<'p> {
    changed: Result<IdentityChange<'p>, IdentityError>,
    /// The names of those accounts.
    asked: Vec<String>,
}

impl<'o> IdentityCheck<'o> {
    pub(super) fn new(
        index: &'o PolicyIndex,
        known: &'o Snapshot,
        (providers, today): (&'o Providers, Option<Date>),
        is_complete: bool,
    ) -> Self {
        let usable = ServiceAccount::new([(AZURE_CLIENT_ID, SOME_CLIENT_ID)], []);
        Self { index, known, providers, today, is_complete, usable }
    }

    /// Adds to the report of a pod what is wrong with its identity.
    pub(super) fn judge(&self, template: &Template<'_>, source: PodSource<'_>, report: &mut PodReport) {
        let Some(written) = template.pod.as_deref().filter(|pod| matches!(pod.value, Value::Mapping(_)))
        else {
            return;
        };
        let set = self.index.policies();
        let namespace = if is_namespace(source.namespace) { source.namespace } else { "" };
        if template.part == Part::Overlay || set.is_reserved(namespace) {
            return;
        }
        let policies = self.policies(namespace, true);
        // What holds only if the namespace has the labels for it.
        let perhaps = self.policies(namespace, false);
        if policies.is_empty() && perhaps.is_empty() && !keys::mentions_identity(written) {
            return;
        }
        let json = written.to_json();
        let text = std::str::from_utf8(&json).unwrap_or_default();
        let read = Reader::new(&json).and_then(|reader| Pod::read(&mut reader.refusing_misspelt_case()));
        let mut pod = match read {
            Ok(pod) => pod,
            Err(error) => return report.add_unresolved(unreadable_entry(template, written, &error)),
        };
        pod.apply_server_defaults();
        set_owner(&mut pod, source);
        if set.azure_ml_exemption(namespace, pod.service_account(), "").is_some() {
            return;
        }
        let shown = if namespace.is_empty() { SOME_NAMESPACE } else { namespace };
        let judged = Judged { pod: &pod, text, namespace: shown };
        self.tell(&judged, (template, written), (&policies, source), report);
        self.note_used(&judged, &policies, source, report);
        if perhaps.is_empty() || report.is_refused() {
            return;
        }
        let all: SmallVec<[&IdentityPolicy; 8]> = policies.iter().chain(&perhaps).copied().collect();
        if self.is_refused_without(&judged, &all, source) {
            report.add_unresolved(namespace_entry(template, written, namespace));
        }
    }

    /// The identity policies that hold in a namespace, or those that may.
    fn policies(&self, namespace: &str, is_certain: bool) -> SmallVec<[&'o IdentityPolicy; 8]> {
        let set = self.index.policies();
        match self.index.get(namespace) {
            Some(known) if is_certain => known.policies().identity(set).collect(),
            Some(_) => SmallVec::new(),
            None if is_certain => set.identity_for(namespace, None).collect(),
            None => set.identity_perhaps_for(namespace).collect(),
        }
    }

    /// What comes of a pod if an account that is not known is like this one, or if there is none.
    ///
    /// # Errors
    /// When that depends on bindings of AAD Pod Identity, of which none is known.
    fn change<'p>(
        &'p self,
        judged: &Judged<'p, '_>,
        policies: &[&'p IdentityPolicy],
        (source, unknown): (PodSource<'p>, Option<&'p ServiceAccount>),
    ) -> Result<Plan<'p>, UnknownBindings> {
        let facts = FileAccounts::new(self.known, source.namespace, self.is_complete, unknown);
        let request = IdentityRequest {
            pod: judged.pod,
            text: judged.text,
            namespace: judged.namespace,
            enforced_level: self.enforced_level(source.namespace),
            policies: policies.iter().copied(),
            origin: PodOrigin {
                annotations: self.index.get(source.namespace).map(|known| known.metadata().annotations()),
                today: self.today,
                grants: Grants::ToldBy(self.known),
                ..PodOrigin::UNKNOWN
            },
            security: source.security.iter().copied(),
            providers: self.providers,
        };
        let changed = request.change(&facts)?;
        Ok(Plan { asked: facts.asked(), changed })
    }

    /// Whether a pod is refused if there are no accounts but those that are known.
    fn is_refused_without(
        &self,
        judged: &Judged<'_, '_>,
        policies: &[&IdentityPolicy],
        source: PodSource<'_>,
    ) -> bool {
        self.change(judged, policies, (source, None)).is_ok_and(|plan| plan.changed.is_err())
    }

    /// The level that Kubernetes' own admission enforces in a namespace, if its labels are known.
    fn enforced_level(&self, namespace: &str) -> Option<&'o str> {
        let labels = self.index.get(namespace)?.labels();
        labels.get(Action::Enforce.level_label())
    }

    /// Tells what the policies that hold, and the pod's own label, come to.
    fn tell(
        &self,
        judged: &Judged<'_, '_>,
        (template, written): (&Template<'_>, &Node),
        (policies, source): (&[&IdentityPolicy], PodSource<'_>),
        report: &mut PodReport,
    ) {
        let Ok(Plan { changed, asked }) = self.change(judged, policies, (source, Some(&self.usable))) else {
            report.add_unresolved(bindings_entry(template, written));
            return;
        };
        let place = place(template, written);
        let told = |severity, message: &str| IdentityReport {
            severity,
            field: place.field.clone(),
            line: place.span.line,
            column: place.span.column,
            message: message.to_owned(),
            from: place.referent.map(FoundIn::new),
        };
        match changed {
            Err(error) => report.add_identity(told(Severity::Deny, &error.message)),
            Ok(change) => {
                let refused = change.refused.iter().map(|warning| (Severity::Deny, warning));
                for (severity, warning) in
                    refused.chain(change.warnings.iter().map(|text| (Severity::Warn, text)))
                {
                    let message = warning.strip_prefix(WARNING_PREFIX).unwrap_or(warning);
                    report.add_identity(told(severity, message));
                }
                if !asked.is_empty() && self.is_refused_without(judged, policies, source) {
                    asked.iter().for_each(|name| {
                        report.add_unresolved(account_entry(template, written, judged, name))
                    });
                }
            }
        }
    }

    /// Keeps the names of the accounts that the pod acts as, or is to.
    fn note_used(
        &self,
        judged: &Judged<'_, '_>,
        policies: &[&IdentityPolicy],
        source: PodSource<'_>,
        report: &mut PodReport,
    ) {
        let own = judged.pod.service_account();
        let is_for = |policy: &&&IdentityPolicy| policy.selects(judged.pod) && policy.takes_from(own);
        let targets = policies.iter().filter(is_for).filter_map(|policy| policy.target());
        let is_asked = judged.pod.metadata.label(AZURE_LABEL) == Some("true");
        let names = targets.chain(is_asked.then_some(own));
        report.accounts.extend(names.map(|name| (source.namespace.to_owned(), name.to_owned())));
    }
}

/// Puts in the controller that will make the pods, where manifests do not say.
fn set_owner(pod: &mut Pod<'_>, source: PodSource<'_>) {
    match Workload::of_kind(source.api_version, source.kind) {
        Some(workload) => pod.set_controller(workload.controller()),
        None => pod.metadata.owner = Some(Owner { kind: source.kind.to_owned().into(), ..Owner::default() }),
    }
}

/// Where a pod says as whom it runs, or else that it asks for an identity.
fn place<'d>(template: &Template<'d>, written: &Node) -> Place<'d> {
    let account = Path::from_keys(["spec", "serviceAccountName"]);
    let label = Path::from_keys(["metadata", "labels", AZURE_LABEL]);
    let is_by_label = !written.locate(&account).exact && written.locate(&label).exact;
    template.places.locate(written, if is_by_label { &label } else { &account })
}

fn unreadable_entry(template: &Template<'_>, written: &Node, error: &JsonError) -> Unresolved {
    let text = format!("which identity it gets: {error}");
    template.unknown(written, &Path::root(), UnresolvedReason::WrongType, text)
}

fn account_entry(template: &Template<'_>, written: &Node, judged: &Judged<'_, '_>, name: &str) -> Unresolved {
    let path = Path::from_keys(["spec", "serviceAccountName"]);
    let namespace = match judged.namespace {
        SOME_NAMESPACE => String::new(),
        namespace => format!("{}/", Printable(namespace)),
    };
    let text = format!("needs ServiceAccount {namespace}{} for its identity", PrintableKey(name));
    template.unknown(written, &path, UnresolvedReason::Reference, text).about("ServiceAccount", name)
}

fn namespace_entry(template: &Template<'_>, written: &Node, namespace: &str) -> Unresolved {
    let (path, reason) = (Path::root(), UnresolvedReason::Reference);
    if namespace.is_empty() {
        let text =
            "an IdentityPolicy may refuse it, and its namespace is not known: give it with -n NAMESPACE";
        let entry = template.unknown(written, &path, reason, text.to_owned());
        return Unresolved { is_known: true, ..entry };
    }
    let text =
        format!("needs Namespace {}: by its labels an IdentityPolicy may refuse it", Printable(namespace));
    template.unknown(written, &path, reason, text).about("Namespace", namespace)
}

fn bindings_entry(template: &Template<'_>, written: &Node) -> Unresolved {
    let path = Path::from_keys(["metadata", "labels", LEGACY_LABEL]);
    let text = "needs the AzureIdentities and AzureIdentityBindings of the cluster for its identity: give them with --objects";
    let entry = template.unknown(written, &path, UnresolvedReason::Reference, text.to_owned());
    Unresolved { is_known: true, ..entry.about("AzureIdentityBinding", "") }
}
