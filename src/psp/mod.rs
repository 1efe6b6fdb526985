//! PodSecurityPolicies, with the Roles and bindings that say who may use them → SecurityPolicies, and a report of what became of
//! each of their fields.
//!
//! A pod could use any one of the PodSecurityPolicies that it was allowed to; of SecurityPolicies all hold. So the strictest one
//! becomes a policy, and what others allow beyond it becomes exceptions that RBAC grants. Nothing becomes laxer but what the
//! report calls so.

mod capability_lists;
mod draft;
mod flow;
mod grants;
mod identities;
mod input;
mod loosening;
mod parameters;
mod places;
mod plan;
mod profile_names;
mod profiles;
mod read;
mod report;
mod spec;
mod translate;
mod volumes;
mod write;
mod written;

pub use input::{ImportFault, ImportOptions, ImportSource};
pub use report::{Note, Outcome, Report};

use crate::policy::{ONE_LINE, Policies, PolicyError, is_one_line, read_file};
use crate::psp::draft::{Draft, DraftControl};
use crate::psp::grants::note;
use crate::psp::places::places;
use crate::psp::read::Objects;
use crate::psp::write::{PolicyWriter, ToWrite};

/// What became of the files.
#[derive(Debug, Clone)]
pub struct Imported {
    /// SecurityPolicies as a file of them, with comments: read back by our own reader already.
    pub policies: String,
    /// What became of each field.
    pub report: Report,
}

/// What the file of policies is called where it is read back.
const OUTPUT: &str = "the policies that were made";

/// Turns PodSecurityPolicies into SecurityPolicies.
///
/// # Errors
/// Every fault of every file, with its place and what to do; or what the options lack.
pub fn import(sources: &[ImportSource<'_>], options: &ImportOptions) -> Result<Imported, Vec<ImportFault>> {
    check_options(options)?;
    let objects = read::read(sources).map_err(in_files)?;
    if objects.psps.is_empty() {
        return Err(vec![lacking(&no_policy(&objects.unread))]);
    }
    let mut notes = Vec::new();
    let grants = grants::resolve(&objects, &mut notes);
    let places = places(objects.psps.len(), &grants, options, &mut notes)?;
    let drafts: Vec<Draft> = objects.psps.iter().map(translate::translate).collect();
    let mut writer = PolicyWriter::default();
    let mut report = Report { notes: drafts.iter().flat_map(|draft| draft.notes.clone()).collect() };
    let mut has_exceptions = false;
    for (namespaces, planned) in plan::plan_all(&places, &drafts, &mut report.notes) {
        let of = ToWrite { drafts: &drafts, namespaces: &namespaces, options };
        for planned in &planned {
            has_exceptions |= !planned.laxer.is_empty();
            writer.policy(of, planned);
        }
    }
    if has_exceptions && options.owner.is_none() {
        return Err(vec![lacking(
            "a laxer PodSecurityPolicy becomes exceptions, and somebody has to answer for them: give --owner",
        )]);
    }
    let is_used = |psp: usize| places.iter().any(|place| place.usable.iter().any(|usable| usable.psp == psp));
    for (_, draft) in drafts.iter().enumerate().filter(|(psp, _)| !is_used(*psp)) {
        let text = format!("nobody could use {} there, so nothing of it is written", draft.psp);
        report.notes.push(note(Outcome::NoCounterpart, text));
    }
    report.notes.extend(notes);
    in_all(&objects, &drafts, !grants.is_empty(), &mut report);
    report.sort(&objects.psps.iter().map(|psp| psp.name.as_str()).collect::<Vec<_>>());
    read_back(&writer.text, options)?;
    Ok(Imported { policies: writer.text, report })
}

/// Adds what is true of all of the input.
fn in_all(objects: &Objects, drafts: &[Draft], are_rights_known: bool, report: &mut Report) {
    let asks = |control: &&DraftControl| control.fills_in() || control.parameters.get("required").is_some();
    let controls = drafts.iter().flat_map(|draft| &draft.controls);
    let mut filling: Vec<&'static str> = controls.filter(asks).map(|control| control.id).collect();
    filling.sort_unstable();
    filling.dedup();
    let mut add = |field: &str, outcome, controls: &[&'static str], text: String| {
        let (psp, field, controls) = (String::new(), field.to_owned(), controls.to_vec());
        report.notes.push(Note { psp, field, outcome, controls, text });
    };
    if !filling.is_empty() {
        let text = "are judged when they are added, of which PodSecurityPolicy saw nothing; nothing can be filled in for them";
        add("ephemeral containers", Outcome::Stricter, &filling, text.to_owned());
        let text = "has none of the fields that Linux has: what a policy requires of them refuses a pod with os.name: windows";
        add("Windows", Outcome::Stricter, &filling, text.to_owned());
    }
    if are_rights_known {
        let text = "an account that could use no PodSecurityPolicy had all of its pods refused; a policy holds for every pod of its \
                    namespaces, so such pods are judged as the others are";
        add("use", Outcome::NoCounterpart, &[], text.to_owned());
    } else if drafts.len() > 1 {
        let text = "no Roles and bindings are given, so that nobody is known who could use which: the strictest holds for all, and Roles \
                    beside the policies name ACCOUNT where the service account has to be written that keeps what another allowed";
        add("use", Outcome::Stricter, &[], text.to_owned());
    }
    for unread in &objects.unread {
        add("other objects", Outcome::NoCounterpart, &[], format!("{unread} is not read"));
    }
}

/// Refuses options of which no policies could be made.
fn check_options(options: &ImportOptions) -> Result<(), Vec<ImportFault>> {
    let ImportOptions { namespaces, owner, reserved, .. } = options;
    let mut faults = Vec::new();
    for name in namespaces.iter().filter(|name| reserved.contains(name)) {
        faults.push(lacking(&format!("--namespaces: no policy may reach {name}: leave it out")));
    }
    if owner.as_deref().is_some_and(|owner| owner.is_empty() || !is_one_line(owner)) {
        faults.push(lacking(&format!("--owner: {ONE_LINE}, and not empty")));
    }
    if faults.is_empty() { Ok(()) } else { Err(faults) }
}

/// What is said where there is nothing to import.
fn no_policy(others: &[String]) -> String {
    let found = match others {
        [] => String::new(),
        [one] => format!(", only {one}"),
        [first, ..] => format!(", only {} others, as {first}", others.len()),
    };
    format!("no PodSecurityPolicy is given{found}: give the file that holds it")
}

/// Reads the policies as `serve` would, so that none is handed out that it would not take.
fn read_back(policies: &str, options: &ImportOptions) -> Result<(), Vec<ImportFault>> {
    let mut read = Policies::new(options.reserved.clone());
    read_file(OUTPUT, policies, &mut read);
    read.finish().map(drop).map_err(in_files)
}

fn lacking(message: &str) -> ImportFault {
    ImportFault::Lacking(message.to_owned())
}

fn in_files(errors: Vec<PolicyError>) -> Vec<ImportFault> {
    errors.into_iter().map(ImportFault::InFile).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPECS: &str = "
apiVersion: policy/v1beta1
kind: PodSecurityPolicy
metadata: {name: restricted}
spec:
  requiredDropCapabilities: [ALL]
  allowPrivilegeEscalation: false
  volumes: [configMap, emptyDir, secret]
  runAsUser: {rule: MustRunAsNonRoot}
  runAsGroup: {rule: MustRunAs, ranges: [{min: 1, max: 9}]}
  seLinux: {rule: RunAsAny}
  fsGroup: {rule: RunAsAny}
  supplementalGroups: {rule: RunAsAny}
---
apiVersion: policy/v1beta1
kind: PodSecurityPolicy
metadata: {name: storage}
spec:
  requiredDropCapabilities: [ALL]
  allowPrivilegeEscalation: false
  hostPID: true
  hostPorts: [{min: 8000, max: 8999}, {min: 80, max: 80}]
  volumes: [configMap, emptyDir, secret, hostPath, nfs]
  allowedHostPaths: [{pathPrefix: /mnt/data}]
  runAsUser: {rule: RunAsAny}
  runAsGroup: {rule: MustRunAs, ranges: [{min: 1, max: 9}, {min: 100, max: 199}]}
  seLinux: {rule: RunAsAny}
  fsGroup: {rule: RunAsAny}
  supplementalGroups: {rule: RunAsAny}
---
apiVersion: policy/v1beta1
kind: PodSecurityPolicy
metadata: {name: privileged, annotations: {seccomp.security.alpha.kubernetes.io/allowedProfileNames: '*'}}
spec:
  privileged: true
  hostPID: true
  hostIPC: true
  hostNetwork: true
  hostPorts: [{min: 0, max: 65535}]
  allowedCapabilities: ['*']
  allowedUnsafeSysctls: ['*']
  allowedProcMountTypes: [Default, Unmasked]
  volumes: ['*']
  runAsUser: {rule: RunAsAny}
  seLinux: {rule: RunAsAny}
  fsGroup: {rule: RunAsAny}
  supplementalGroups: {rule: RunAsAny}
";

    fn options() -> ImportOptions {
        ImportOptions {
            namespaces: vec!["team".to_owned()],
            owner: Some("platform@example.com".to_owned()),
            expires: "2099-12-31".to_owned(),
            ..ImportOptions::default()
        }
    }

    #[test]
    fn what_is_laxer_becomes_exceptions() {
        let made = import(&[ImportSource { name: "psp.yaml", text: SPECS }], &options()).expect("policies");
        insta::assert_snapshot!("exceptions", made.policies);
        insta::assert_snapshot!("report", made.report.to_string());
        let nobody = ImportOptions { owner: None, ..options() };
        let faults =
            import(&[ImportSource { name: "psp.yaml", text: SPECS }], &nobody).expect_err("no owner");
        assert!(
            matches!(faults.as_slice(), [ImportFault::Lacking(message)] if message.contains("give --owner"))
        );
    }
}
