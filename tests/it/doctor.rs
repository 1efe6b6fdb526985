//! The doctor: a good installation has nothing wrong, and each change that breaks one thing is told by the check
//! that is meant for it.
//!
//! `world` makes the installation, `cases` breaks it.

mod cases;
mod world;

use std::collections::BTreeSet;
use std::fs;

use insta::assert_snapshot;
use podgate::doctor::{
    BundleState, Diagnosis, DiagnosisSeverity, HealthCheck, PolicySource, examine, has_certificate_files,
    mounted_secret, write_json, write_text,
};
use serde_json::{Value as Json, json};

use crate::pods::of_repository;
use cases::{IDENTITY, Patch, RESERVES_LABELS, Remove, With, broken, cases, enforce, gone, set};
use world::{DAY, DEPLOYMENT, MUTATING, VALIDATING, World, certificate, namespaces, now};

#[test]
fn nothing_is_wrong_with_what_is_shipped() {
    let report = examine(&World::good().installation());
    assert_eq!(report.findings, []);
    assert!(report.is_well());
}

#[test]
fn each_fault_is_told_by_its_check() {
    for (check, severity, reason, change) in cases() {
        let findings = broken(&change);
        let id = check.id();
        let of_check: Vec<&Diagnosis> = findings.iter().filter(|finding| finding.check == check).collect();
        assert!(!of_check.is_empty(), "{id} ({reason}) is not among {findings:#?}");
        assert!(
            of_check.iter().any(|finding| finding.severity == severity && finding.found.contains(reason)),
            "{id}: {reason:?} is not in {of_check:#?}"
        );
        for Diagnosis { object, fix, severity, .. } in of_check {
            assert!(!object.is_empty(), "{id}");
            // A note says that all is as it should be, or cannot know whether it is.
            let is_command = fix.starts_with("kubectl ") || fix.starts_with("timedatectl ");
            assert!(is_command || *severity == DiagnosisSeverity::Info && fix.is_empty(), "{id}: {fix:?}");
        }
    }
}

#[test]
fn every_check_has_a_case() {
    let tested: BTreeSet<HealthCheck> = cases().into_iter().map(|(check, ..)| check).collect();
    let all: BTreeSet<HealthCheck> = HealthCheck::ALL.iter().copied().collect();
    assert_eq!(tested, all);
}

/// The webhook for pods with the label of an identity stands in for no other, and nothing is wrong with it.
#[test]
fn a_webhook_for_labelled_pods_is_no_fault() {
    let mut world = World::good();
    let mut webhook = world.one::<Json>(MUTATING, "00-podgate").unwrap()["webhooks"][0].clone();
    webhook["name"] = "identity.podgate.dev".into();
    webhook["objectSelector"] = json!({ "matchLabels": { "azure.workload.identity/use": "true" } });
    webhook["namespaceSelector"]["matchExpressions"][0]["operator"] = "DoesNotExist".into();
    world.patch(MUTATING, &set("/webhooks/1", webhook.clone()));
    let mut installation = world.installation();
    installation.bundles.push(BundleState {
        webhook: "identity.podgate.dev".into(),
        is_mutating: true,
        ..installation.bundles[0].clone()
    });
    installation.namespaces.as_mut().unwrap().extend(namespaces(&[("ml-b", None)]));
    assert_eq!(examine(&installation).findings, []);
    // Alone it is not enough.
    world.patch(MUTATING, &set("/webhooks", json!([webhook])));
    let checks: Vec<HealthCheck> =
        examine(&world.installation()).findings.iter().map(|finding| finding.check).collect();
    assert!(checks.contains(&HealthCheck::RulesIncomplete), "{checks:?}");
}

/// One cause, one finding: what follows from it is not told beside it.
#[test]
fn what_only_follows_is_not_told() {
    for (change, expected) in [
        (Remove("Secret"), vec![HealthCheck::SecretMissing]),
        (Patch(VALIDATING, set("/webhooks/0/timeoutSeconds", 30.into())), vec![HealthCheck::Timeout]),
        (
            With(|installation| {
                certificate(installation).not_after = now() - DAY;
                for bundle in &mut installation.bundles {
                    bundle.verifies = Some(false);
                }
            }),
            vec![HealthCheck::CertificateExpired],
        ),
        (With(|installation| installation.deployment = Err("forbidden".into())), vec![HealthCheck::NotRead]),
        (With(|installation| installation.service = Err("forbidden".into())), vec![HealthCheck::NotRead]),
    ] {
        assert_eq!(broken(&change).iter().map(|finding| finding.check).collect::<Vec<_>>(), expected);
    }
}

/// Whoever may read nothing learns that, and nothing that is not so.
#[test]
fn what_is_not_read_is_not_guessed_at() {
    let mut installation = World::good().installation();
    let no = || "not allowed".to_owned();
    installation.server = Err(no());
    installation.validating = Err(no());
    installation.mutating = Err(no());
    installation.mutating_names = Err(no());
    installation.bundles.clear();
    installation.secret = Err(no());
    installation.namespaces = Err(no());
    installation.service_accounts = Err(no());
    installation.mutating_policies = Err(no());
    installation.policies = PolicySource::ConfigMap(Err(no()));
    installation.deployment = Err(no());
    installation.pods = Err(no());
    installation.budgets = Err(no());
    installation.service = Err(no());
    installation.endpoints = Err(no());
    installation.network_policies = Err(no());
    installation.switch = Err(no());
    installation.lease = Err(no());
    installation.guards.iter_mut().for_each(|guard| guard.policy = Err(no()));
    installation.bindings = Err(no());
    let report = examine(&installation);
    assert!(
        report.findings.iter().all(|finding| finding.check == HealthCheck::NotRead),
        "{:#?}",
        report.findings
    );
    // One for each field but those that are given or computed: names, now, rights and bundles; there are four guards.
    assert_eq!(report.findings.len(), 22);
    assert!(!report.is_well());
}

#[test]
fn notes_alone_are_well() {
    let mut world = World::good();
    world.patch(MUTATING, &set("/webhooks/0/failurePolicy", "Ignore".into()));
    let report = examine(&world.installation());
    assert_eq!(report.findings.len(), 1);
    assert!(report.is_well());
}

#[test]
fn the_secret_of_mounted_files_is_found() {
    let mut world = World::good();
    let deployment = |world: &World| world.one(DEPLOYMENT, "podgate").unwrap();
    assert!(!has_certificate_files(&deployment(&world)));
    assert_eq!(mounted_secret(&deployment(&world)), None);
    // As the component for cert-manager patches it.
    let patch =
        fs::read_to_string(of_repository("manifests/components/cert-manager/deployment.yaml")).unwrap();
    let patch = podgate::yaml::read(&patch).remove(0).unwrap().root.to_json();
    world.patch(DEPLOYMENT, &serde_json::from_slice(&patch).unwrap());
    assert!(has_certificate_files(&deployment(&world)));
    assert_eq!(mounted_secret(&deployment(&world)), Some("podgate-certificate"));
    for (arguments, expected) in [
        (json!(["serve", "--tls-cert", "/etc/podgate/tls/a.crt"]), Some("podgate-certificate")),
        (json!(["serve", "--tls-cert=/etc/podgate/tls/a.crt"]), Some("podgate-certificate")),
        (json!(["serve", "--tls-cert=/elsewhere/a.crt"]), None),
    ] {
        world.patch(DEPLOYMENT, &set("/spec/template/spec/containers/0/args", arguments.clone()));
        assert_eq!(mounted_secret(&deployment(&world)), expected, "{arguments}");
    }
}

/// With certificates from files there is no Lease, and who issues them is somebody else.
#[test]
fn files_need_no_lease() {
    let mut world = World::good();
    world.remove("Lease");
    let variable = json!({ "name": "PODGATE_TLS_CERT", "value": "/etc/podgate/tls/tls.crt" });
    world.patch(DEPLOYMENT, &set("/spec/template/spec/containers/0/env/-", variable));
    assert_eq!(examine(&world.installation()).findings, []);
    world.after = |installation| certificate(installation).not_after = now() + DAY;
    let findings = examine(&world.installation()).findings;
    assert_eq!(findings.len(), 1);
    assert!(findings[0].fix.contains("cert-manager"), "{findings:?}");
}

/// The overlay for Kubernetes' own labels: it repairs nothing, so that a mutating configuration without a webhook is
/// no fault, and judges Namespaces too.
#[test]
fn labels_of_kubernetes_own_are_judged_by_other_webhooks() {
    let read = |name: &str| -> Json {
        let path = of_repository("manifests/overlays/pod-security").join(name);
        let document = podgate::yaml::read(&fs::read_to_string(path).unwrap()).remove(0).unwrap();
        serde_json::from_slice(&document.root.to_json()).unwrap()
    };
    let mut webhooks = read("validating.yaml")["webhooks"].as_array().unwrap().clone();
    // What tells Kustomize that the rest replaces, rather than adds.
    webhooks.remove(0);
    for webhook in &mut webhooks {
        webhook["clientConfig"]["caBundle"] = "cGVt".into();
    }
    let mut world = World::good();
    let policies = read("policies.yaml")["data"]["pod-security.yaml"].clone();
    world.patch(VALIDATING, &set("/webhooks", webhooks.into()));
    world.patch(MUTATING, &set("/webhooks", json!([])));
    world.patch("ConfigMap", &set("/data", json!({ "pod-security.yaml": policies })));
    let unguarded = examine(&world.installation()).findings;
    let is_unguarded = |finding: &Diagnosis| finding.check == HealthCheck::LabelUnguarded;
    assert!(unguarded.len() == 6 && unguarded.iter().all(is_unguarded), "{unguarded:#?}");
    // The overlay guards these labels.
    let labels = ["enforce", "enforce-version", "audit", "audit-version", "warn", "warn-version"]
        .map(|name| format!("pod-security.kubernetes.io/{name}"))
        .join(",");
    let guarded = format!("'{labels}'.split(',')");
    world.patch(
        "ValidatingAdmissionPolicy podgate-policy-label",
        &set("/spec/variables/0/expression", guarded.into()),
    );
    let variable = "/spec/template/spec/containers/0/args/-";
    world.patch(DEPLOYMENT, &set(variable, format!("--guarded-labels={labels}").into()));
    assert_eq!(examine(&world.installation()).findings, []);
    world.remove(MUTATING);
    assert_eq!(examine(&world.installation()).findings, []);

    world.patch(VALIDATING, &gone("/webhooks/2"));
    let findings = examine(&world.installation()).findings;
    let found: Vec<&str> = findings.iter().map(|finding| finding.found.as_str()).collect();
    let missing = ["CREATE", "UPDATE"]
        .map(|operation| format!("no rule for {operation} of namespaces: podgate is not asked about it"));
    assert_eq!(found, missing);
}

/// Where the component is used, and a policy needs it, nothing is left to say.
#[test]
fn updates_of_metadata_are_judged_where_they_are_asked_about() {
    let path = of_repository("manifests/components/metadata-updates/kustomization.yaml");
    let read = |text: &str| -> Json {
        let document = podgate::yaml::read(text).remove(0).unwrap();
        serde_json::from_slice(&document.root.to_json()).unwrap()
    };
    let component = read(&fs::read_to_string(path).unwrap());
    let mut world = World::good();
    world.patch(VALIDATING, &read(component["patches"][0]["patch"].as_str().unwrap()));
    world.patch("ConfigMap", &set("/data/ml-restricted.yaml", RESERVES_LABELS.into()));
    assert_eq!(examine(&world.installation()).findings, []);
}

/// A finding names the policy, the key, and what to do.
#[test]
fn a_policy_that_can_be_left() {
    let findings = broken(&Patch("ConfigMap", set("/data/sandbox.yaml", cases::BY_ENVIRONMENT.into())));
    let [finding] = &findings[..] else { panic!("{findings:#?}") };
    assert_eq!(finding.object, "SecurityPolicy but-sandboxes");
    assert!(finding.found.contains("the label environment, "), "{finding:#?}");
    assert!(finding.fix.contains("guardedLabels of the chart"), "{finding:#?}");
}

/// Kubernetes' own admission hides podgate's refusal only where both judge, and only with a level that refuses anything.
#[test]
fn labels_of_kubernetes_own_that_hide_no_refusal_are_not_told() {
    let told = |change: fn(&mut podgate::doctor::Installation)| broken(&With(change));
    assert_eq!(told(|installation| enforce(installation, "ml-a", "privileged")), []);
    assert_eq!(told(|installation| enforce(installation, "default", "restricted")), []);
    assert_eq!(told(|installation| enforce(installation, "podgate-system", "restricted")), []);
    let [note] = &told(|installation| {
        installation.namespaces.as_mut().unwrap().extend(namespaces(&[("ml-b", Some("ml-restricted"))]));
        enforce(installation, "ml-b", "baseline");
    })[..] else {
        panic!("one note")
    };
    assert!(note.found.contains("reaches ml-b, where") && note.fix.contains("namespace ml-b "), "{note:#?}");
}

/// An identity is power: that a pod may start without the one it is given is worse than a missing repair.
#[test]
fn a_mutating_webhook_that_may_be_passed_over() {
    let mut world = World::good();
    world.patch(MUTATING, &set("/webhooks/0/failurePolicy", "Ignore".into()));
    world.patch("ConfigMap", &set("/data/identity.yaml", IDENTITY.into()));
    let mut findings = examine(&world.installation()).findings;
    findings.retain(|finding| finding.check != HealthCheck::IdentitySubject);
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert_eq!(
        (findings[0].check, findings[0].severity),
        (HealthCheck::FailurePolicy, DiagnosisSeverity::Warning)
    );
    assert!(findings[0].found.contains("start without the identity"), "{findings:?}");
}

/// Both forms of the webhook for templates are in order; the one that fails open is worth a note where a policy refuses.
#[test]
fn the_webhook_for_templates_in_both_of_its_forms() {
    let refusing =
        podgate::policy::BUILT_IN.replace("  mode: Enforce\n", "  mode: Enforce\n  templates: Enforce\n");
    for (policy, failure, expected) in [
        (podgate::policy::BUILT_IN, "Ignore", 0),
        (podgate::policy::BUILT_IN, "Fail", 0),
        (&refusing, "Fail", 0),
        (&refusing, "Ignore", 1),
    ] {
        let mut world = World::good();
        world.patch(VALIDATING, &set("/webhooks/1/failurePolicy", failure.into()));
        world.patch("ConfigMap", &set("/data/ml-restricted.yaml", policy.into()));
        let findings = examine(&world.installation()).findings;
        assert_eq!(findings.len(), expected, "{failure}: {findings:?}");
        for finding in findings {
            assert_eq!(
                (finding.check, finding.severity),
                (HealthCheck::FailurePolicy, DiagnosisSeverity::Info)
            );
            assert!(finding.found.contains("objects are applied that a policy refuses"), "{finding:?}");
        }
    }
}

/// Several things at once, the worst first, and nothing that could move a cursor.
#[test]
fn the_report_for_people() {
    let mut world = World::good();
    world.patch(VALIDATING, &set("/webhooks/0/timeoutSeconds", 30.into()));
    world.patch(VALIDATING, &gone("/webhooks/1/clientConfig/caBundle"));
    world.patch(MUTATING, &set("/webhooks/0/failurePolicy", "Ignore".into()));
    world.after = |installation| {
        installation.namespaces.as_mut().unwrap().extend(namespaces(&[("ml-b", Some("typo"))]));
        installation.bindings = Err("it fails: \u{1b}[2Jboom".into());
    };
    let mut text = Vec::new();
    write_text(&examine(&world.installation()), &mut text).unwrap();
    assert_snapshot!(String::from_utf8(text).unwrap(), @r#"
    error: bundle-missing: ValidatingWebhookConfiguration podgate: webhooks[templates.podgate.dev].clientConfig.caBundle: empty: API servers do not trust podgate's certificate, and every call fails
      -> kubectl --namespace podgate-system rollout restart deployment/podgate
    warning: not-read: the ValidatingAdmissionPolicyBindings: not read, so nothing is known of it: it fails: \u{1b}[2Jboom
      -> kubectl get validatingadmissionpolicybindings # as somebody who may
    warning: timeout: ValidatingWebhookConfiguration podgate: webhooks[pods.podgate.dev].timeoutSeconds: 30: whoever creates a pod waits that long while podgate is down
      -> kubectl patch validatingwebhookconfiguration podgate --type=json --patch='[{"op": "add", "path": "/webhooks/0/timeoutSeconds", "value": 5}]'
    warning: namespace-without-policy: ValidatingWebhookConfiguration podgate: webhooks[*].namespaceSelector: matches ml-b, where no policy holds: pods there are sent to podgate and admitted, whatever they are
      -> kubectl label --overwrite namespace ml-b podgate.dev/policy=ml-restricted # or another value that a policy matches
    info: failure-policy: MutatingWebhookConfiguration 00-podgate: webhooks[pods.podgate.dev].failurePolicy: Ignore: while podgate does not answer, nothing is repaired; what then breaks a policy, the validating webhook refuses
      -> kubectl patch mutatingwebhookconfiguration 00-podgate --type=json --patch='[{"op": "add", "path": "/webhooks/0/failurePolicy", "value": "Fail"}]'
    not well: 1 error, 3 warnings and 1 note from 62 checks
    "#);
}

#[test]
fn the_report_for_programs() {
    let mut world = World::good();
    world.patch(VALIDATING, &set("/webhooks/0/timeoutSeconds", 30.into()));
    let mut bytes = Vec::new();
    write_json(&examine(&world.installation()), &mut bytes).unwrap();
    let report: Json = serde_json::from_slice(&bytes).unwrap();
    let patch = r#"[{"op": "add", "path": "/webhooks/0/timeoutSeconds", "value": 5}]"#;
    assert_eq!(
        report,
        json!({
            "version": 1,
            "findings": [{
                "check": "timeout",
                "severity": "warning",
                "object": "ValidatingWebhookConfiguration podgate",
                "field": "webhooks[pods.podgate.dev].timeoutSeconds",
                "found": "30: whoever creates a pod waits that long while podgate is down",
                "mend": format!("kubectl patch validatingwebhookconfiguration podgate --type=json --patch='{patch}'"),
            }],
            "summary": { "checks": HealthCheck::ALL.len(), "errors": 0, "warnings": 1, "infos": 0 },
        })
    );
}

/// `docs/doctor.md` has a section for each check, in the order of reports, and none for what is no check.
#[test]
fn the_page_of_the_doctor_is_complete() {
    let page = fs::read_to_string(of_repository("docs/doctor.md")).unwrap();
    let described: Vec<&str> =
        page.lines().filter_map(|line| line.strip_prefix("### `")?.strip_suffix('`')).collect();
    let checks: Vec<&str> = HealthCheck::ALL.iter().map(|check| check.id()).collect();
    assert_eq!(described, checks);
    for section in page.split("\n### `").skip(1) {
        let id = section.split('`').next().unwrap();
        assert!(
            section.contains("\n\n") && section.contains("Fix: "),
            "{id}: say what it means and what fixes it"
        );
    }
}
