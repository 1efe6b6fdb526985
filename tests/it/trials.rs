//! What people are told beside the verdict: what a policy on trial would do, which code a pod has, where to read on and
//! whom to ask.

use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};

use podgate::admission::{Reviewer, Webhook};
use podgate::controls::Standard;
use podgate::evaluate::{Context, Severity, code_of, evaluate};
use podgate::json::Reader;
use podgate::lint::{Input, Options, Report, run};
use podgate::pod::Pod;
use podgate::policy::Snapshot;
use proptest::prelude::*;
use serde_json::{Value as Json, json};

use crate::pods::{Alone as _, any_pod, cases, own_fixtures, upstream_fixtures};
use crate::policies::{self, policies};
use crate::requests::creation;
use crate::reviews::{MADE_IN, apply, gate, labelled, response, well_formed};

/// A policy that holds where pods are made.
fn policy(name: &str, spec: &str) -> String {
    format!(
        "apiVersion: podgate.dev/v1alpha1\nkind: SecurityPolicy\nmetadata: {{name: {name}}}\n\
         spec: {{match: {{namespaces: [{MADE_IN}]}}, {spec}}}\n---\n"
    )
}

fn reviewer(text: &str) -> Reviewer {
    Reviewer::new(policies(text), Snapshot::default())
}

#[expect(clippy::needless_pass_by_value, reason = "whoever calls it has made it for it")]
fn pod(container: Json) -> Json {
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {"containers": [container]}})
}

fn lazy() -> Json {
    pod(json!({"name": "c", "image": "i"}))
}

fn warnings(answer: &Json) -> Vec<&str> {
    answer["warnings"].as_array().into_iter().flatten().filter_map(Json::as_str).collect()
}

const DEFAULTS: &str = "defaults: {securityContext: Restricted}";

/// Each policy speaks for itself: one that is enforced without defaults, and one that is tried out with them.
#[test]
fn two_policies_are_each_told_truthfully() {
    let trial = policy("trial", &format!("mode: Warn, standard: {{enforce: restricted}}, {DEFAULTS}"));
    let strict = policy("strict", "standard: {enforce: restricted}");
    let both = reviewer(&format!("{trial}{strict}"));
    let answer = response(&both, Webhook::Validate, &lazy());
    let text = answer["status"]["message"].as_str().unwrap();
    assert!(text.contains("4 changes needed to meet \"strict\"") && !text.contains("filled in"), "{text}");
    assert_eq!(response(&both, Webhook::Mutate, &lazy()).get("patch"), None);
    // The other way round: what is really filled in is filled in for both.
    let warned = policy("warned", "mode: Warn, standard: {enforce: restricted}");
    let enforced = policy("enforced", &format!("standard: {{enforce: restricted}}, {DEFAULTS}"));
    let both = reviewer(&format!("{warned}{enforced}"));
    let mut made = lazy();
    assert!(apply("lazy", &response(&both, Webhook::Mutate, &made), &mut made));
    let answer = response(&both, Webhook::Validate, &made);
    assert_eq!((&answer["allowed"], answer.get("warnings")), (&json!(true), None));
    // Two that are tried out: the one without defaults would refuse.
    let both = reviewer(&format!("{trial}{warned}"));
    let answer = response(&both, Webhook::Validate, &lazy());
    assert_eq!(warnings(&answer).iter().filter(|text| text.contains("\"warned\" would refuse")).count(), 4);
    assert!(!warnings(&answer).iter().any(|text| text.contains("\"trial\" would refuse")));
}

#[test]
fn a_trial_in_audit_is_silent_and_counts_what_is_left() {
    let audit =
        reviewer(&policy("a", &format!("mode: Audit, standard: {{enforce: restricted}}, {DEFAULTS}")));
    let mut root = lazy();
    root["spec"]["hostPID"] = true.into();
    for (pod, left, note) in
        [(lazy(), &[][..], None), (root, &["hostNamespaces"][..], Some("host namespaces"))]
    {
        let review = creation("u", MADE_IN, &pod).to_string();
        let answer = audit.alone(Webhook::Validate, review.as_bytes()).unwrap();
        let decision = &answer.decision;
        let found: Vec<&str> = decision.findings.iter().map(|(control, _)| *control).collect();
        assert_eq!(found, left);
        assert_eq!(
            decision.filled_in,
            [
                "allowPrivilegeEscalation",
                "capabilities_restricted",
                "runAsNonRoot",
                "seccompProfile_restricted"
            ]
        );
        let response = well_formed("audit", Webhook::Validate, "u", &answer.body);
        assert_eq!(response.get("warnings"), None);
        let told = response["auditAnnotations"]["audit-violations"].as_str();
        assert_eq!(told.is_some(), note.is_some(), "{response}");
        assert!(
            told.is_none_or(|told| told.contains(note.unwrap()) && !told.contains("seccomp")),
            "{told:?}"
        );
    }
}

/// What `Enforce` only warns of is not filled in, so a trial does not say that it would be.
#[test]
fn a_trial_fills_in_what_enforce_would_refuse_and_nothing_else() {
    for spec in [
        "mode: Warn, standard: {warn: restricted}",
        "mode: Warn, standard: {enforce: restricted, except: {runAsNonRoot: Warn, seccompProfile_restricted: Warn, \
         capabilities_restricted: Warn, allowPrivilegeEscalation: Warn}}",
    ] {
        let gate = reviewer(&policy("p", &format!("{spec}, {DEFAULTS}")));
        let answer = response(&gate, Webhook::Validate, &lazy());
        let text = warnings(&answer);
        assert_eq!(
            text.iter().filter(|text| text.contains("\"p\" warns of: container \"c\"")).count(),
            4,
            "{text:?}"
        );
    }
}

#[test]
fn what_waits_for_a_change_that_nobody_asks_for_is_not_filled_in() {
    let privileged = pod(json!({"name": "c", "image": "i", "securityContext": {"privileged": true}}));
    let spec = |except: &str| {
        policy("p", &format!("standard: {{enforce: restricted, except: {{{except}}}}}, {DEFAULTS}"))
    };
    for (policies, changes) in [
        (spec(""), 1),
        (spec("privileged: Off"), 1),
        (spec("privileged: Off") + &policy("q", "standard: {enforce: baseline}"), 1),
    ] {
        let answer = response(&reviewer(&policies), Webhook::Validate, &privileged);
        let text = answer["status"]["message"].as_str().unwrap();
        assert!(text.contains(&format!(" was refused: {changes} change")), "{text}");
        let asks = text.contains("securityContext.allowPrivilegeEscalation not set");
        let is_relaxed_by_all = policies.contains("privileged: Off") && !policies.contains("baseline");
        assert_eq!(asks, is_relaxed_by_all, "{text}");
    }
    let debug = json!({"name": "d", "image": "i", "securityContext": {"privileged": true}});
    let mut with_debug = privileged;
    with_debug["spec"]["ephemeralContainers"] = json!([debug]);
    let answer = response(&reviewer(&spec("")), Webhook::Validate, &with_debug);
    let text = answer["status"]["message"].as_str().unwrap();
    assert!(text.contains("- ephemeral container \"d\": securityContext.allowPrivilegeEscalation"), "{text}");
}

/// Whatever the obstacle: once the author has made the changes that were asked for, nothing but defaults is missing.
#[test]
fn what_is_foretold_of_obstacles_holds() {
    let gate = gate(&[MADE_IN]);
    for (security, fixed) in [
        (json!({"privileged": true}), json!({})),
        (json!({"capabilities": {"add": ["CAP_SYS_ADMIN"]}}), json!({"capabilities": {"add": []}})),
        (
            json!({"capabilities": {"add": ["CAP_SYS_ADMIN"]}, "privileged": true}),
            json!({"capabilities": {}}),
        ),
    ] {
        let make = |security: &Json| pod(json!({"name": "c", "image": "i", "securityContext": security}));
        let mut before = make(&security);
        apply("an obstacle", &response(&gate, Webhook::Mutate, &before), &mut before);
        let answer = response(&gate, Webhook::Validate, &before);
        let text = answer["status"]["message"].as_str().unwrap();
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(
            text.contains("allowPrivilegeEscalation not set -> filled in for you when the rest"),
            "{text}"
        );
        let mut after = make(&fixed);
        apply("no obstacle", &response(&gate, Webhook::Mutate, &after), &mut after);
        assert_eq!(response(&gate, Webhook::Validate, &after)["allowed"], true);
    }
}

const WITH_HELP: &str = "contact: ml-platform@example.com, help: 'https://example.com/pods', ";

#[test]
fn help_and_contact_are_in_refusals_and_warnings() {
    let mut host = lazy();
    host["spec"]["hostPID"] = true.into();
    let enforced = reviewer(&policy("p", &format!("{WITH_HELP} standard: {{enforce: baseline}}")));
    let answer = response(&enforced, Webhook::Validate, &host);
    let text = answer["status"]["message"].as_str().unwrap();
    let lines: Vec<&str> = text.lines().rev().take(3).collect();
    assert_eq!(
        lines,
        [
            "Questions?  ask ml-platform@example.com",
            "Why and how:  https://example.com/pods#PG-0002",
            "Check locally:  podgate lint --policy POLICY-FILE FILE   (the policy file of \"p\")",
        ]
    );
    let warned = reviewer(&policy("p", &format!("{WITH_HELP} mode: Warn, standard: {{enforce: baseline}}")));
    assert_eq!(
        warnings(&response(&warned, Webhook::Validate, &host)),
        [
            "podgate: \"p\" would refuse: spec.hostPID is true; remove it [PG-0002]",
            "podgate: Why and how:  https://example.com/pods#PG-0002  Questions?  ask ml-platform@example.com",
        ]
    );
    assert!(warnings(&response(&warned, Webhook::Validate, &lazy())).is_empty());
}

/// Whoever is sent to a page and a contact is sent to those of the policy that the warning names.
#[test]
fn of_two_policies_help_is_that_of_the_one_that_is_named() {
    let mut host = lazy();
    host["spec"]["hostPID"] = true.into();
    let with_help = |name: &str| {
        let help = format!("help: 'https://{name}.example.com/p', contact: '#{name}'");
        policy(name, &format!("{help}, mode: Warn, standard: {{enforce: baseline}}"))
    };
    for (first, second) in [("one", "two"), ("two", "one")] {
        let both = reviewer(&(with_help(first) + &with_help(second)));
        let answer = response(&both, Webhook::Validate, &host);
        let warnings = warnings(&answer);
        let [warning, closing] = warnings.as_slice() else { panic!("{warnings:?}") };
        let named = warning.strip_prefix("podgate: \"").unwrap().split('"').next().unwrap();
        let expected = format!("https://{named}.example.com/p#PG-0002  Questions?  ask #{named}");
        assert!(closing.ends_with(&expected), "{warnings:?}");
    }
}

/// Of a long name the end is left out, not what is wrong with the container.
#[test]
fn a_warning_keeps_the_field_of_a_container_with_a_long_name() {
    let container = json!({"name": "n".repeat(63), "image": "i", "ports": [{"hostPort": 80}],
        "securityContext": {"privileged": true, "capabilities": {"add": ["SYS_TIME", "NET_ADMIN"]}}});
    let warned = reviewer(&policy("p", "mode: Warn, standard: {enforce: baseline}"));
    let answer = response(&warned, Webhook::Validate, &pod(container));
    let warnings = warnings(&answer);
    for (field, value) in
        [("ports[0].hostPort", "80"), ("privileged", "true"), ("add", "SYS_TIME"), ("add", "NET_ADMIN")]
    {
        let has = warnings.iter().any(|warning| warning.contains(field) && warning.contains(value));
        assert!(has, "{field} {value}: {warnings:#?}");
    }
    assert!(warnings.iter().all(|warning| warning.len() <= 120), "{warnings:#?}");
}

/// The user whom the kubelet takes for root is no user that `runAsNonRoot` can be filled in beside without a word.
#[test]
fn an_administrator_on_windows_is_warned_of() {
    for (user, is_warned) in [("", true), ("ContainerAdministrator", true), ("ContainerUser", false)] {
        let mut silent = lazy();
        silent["spec"]["os"] = json!({"name": "windows"});
        silent["spec"]["securityContext"] = json!({"windowsOptions": {"runAsUserName": user}});
        let answer = response(&gate(&[MADE_IN]), Webhook::Mutate, &silent);
        let is_said = warnings(&answer).iter().any(|warning| warning.contains("ContainerAdministrator"));
        assert_eq!(is_said, is_warned, "{user}: {answer}");
    }
}

/// However long names, pages and contacts are.
#[test]
fn warnings_are_short() {
    let name = "n".repeat(63);
    for (help, contact) in [(180, 200), (80, 200), (10, 10), (150, 40)] {
        let spec = format!(
            "help: 'https://example.com/{}', contact: {}, mode: Warn, standard: {{enforce: restricted}}, \
             controls: {{readOnlyRootFilesystem: {{message: {}}}}}",
            "h".repeat(help - 10),
            "c".repeat(contact),
            "word ".repeat(39),
        );
        let mut pod = lazy();
        pod["spec"]["containers"][0]["name"] = json!("x".repeat(300));
        let answer = response(&reviewer(&policy(&name, &spec)), Webhook::Validate, &pod);
        // `response` has looked at each.
        assert!(warnings(&answer).len() >= 4, "{answer}");
        assert!(warnings(&answer).iter().all(|text| text.starts_with("podgate: ")), "{answer}");
    }
}

#[test]
fn a_page_is_a_url_that_a_code_can_be_added_to() {
    for (help, fault) in [
        ("example.com", "https:// or http://"),
        ("https://example.com/#start", "without a fragment"),
        ("https://a:b@example.com", "no user or password"),
        ("https://example.com/a b", "without spaces"),
        ("\"https://ex\\u00e4mple.com\"", "printable ASCII"),
    ] {
        let text = format!(
            "apiVersion: podgate.dev/v1alpha1\nkind: SecurityPolicy\nmetadata: {{name: p}}\nspec:\n  \
             help: {help}\n  match: {{namespaces: [a]}}\n  standard: {{enforce: baseline}}\n"
        );
        let errors = policies::read(&[("p.yaml", &text)]).unwrap_err();
        let [error] = errors.as_slice() else { panic!("{help}: {errors:?}") };
        let shown = error.as_str();
        assert!(shown.starts_with("p.yaml:5:9: spec.help: ") && shown.contains(fault), "{shown}");
    }
}

#[test]
fn the_linter_is_named_where_it_says_the_same() {
    let mut host = lazy();
    host["spec"]["hostPID"] = true.into();
    let named = |reviewer: &Reviewer, pod: &Json| {
        let answer = response(reviewer, Webhook::Validate, pod);
        let text = answer["status"]["message"].as_str().unwrap().to_owned();
        text.lines().find_map(|line| line.strip_prefix("Check locally:  ").map(ToOwned::to_owned))
    };
    assert_eq!(named(&gate(&[MADE_IN]), &host).unwrap(), "podgate lint FILE");
    let standard: Standard = "baseline:v1.30".parse().unwrap();
    let alone = Reviewer::new(podgate::policy::PolicySet::of_standard(&standard), Snapshot::default());
    assert_eq!(named(&alone, &host).unwrap(), "podgate lint --standard baseline:v1.30 FILE");
    let other = reviewer(&policy("p", "standard: {enforce: baseline}"));
    assert!(named(&other, &host).unwrap().starts_with("podgate lint --policy POLICY-FILE FILE"));
    assert_eq!(named(&gate(&[MADE_IN]), &lazy()), None);
    let mut mirror = host.clone();
    mirror["metadata"]["annotations"] = json!({"kubernetes.io/config.mirror": "x"});
    assert_eq!(named(&gate(&[MADE_IN]), &mirror), None);
    let injected = pod(json!({"name": "istio-proxy", "image": "i", "securityContext": {"runAsUser": 0}}));
    assert_eq!(named(&gate(&[MADE_IN]), &injected), None);
}

/// The linter's report on an object in a file.
fn lint(object: &Json) -> Report {
    static FILES: AtomicUsize = AtomicUsize::new(0);
    let number = FILES.fetch_add(1, Ordering::Relaxed);
    let file = std::env::temp_dir().join(format!("podgate-codes-{}-{number}.json", std::process::id()));
    fs::write(&file, object.to_string()).unwrap();
    let options = Options {
        policies: crate::reviews::built_in(&[]),
        namespaces: labelled(&[MADE_IN]),
        ..Options::default()
    };
    let report = run(&[Input::Path(file.clone())], options);
    fs::remove_file(file).unwrap();
    report
}

/// A pod of the namespace, as whole as it has to be, whose volumes without a source are what the API server makes of them.
pub(crate) fn as_defaulted(pod: &Json) -> Json {
    let mut pod = pod.clone();
    if let Some(metadata) = pod["metadata"].as_object_mut() {
        metadata.remove("namespace");
    }
    // A whole pod, as the linter takes it only with containers that have images.
    let containers = &mut pod["spec"]["containers"];
    if containers.as_array().is_none_or(Vec::is_empty) {
        *containers = json!([{"name": "only"}]);
    }
    for list in ["initContainers", "containers", "ephemeralContainers"] {
        for container in pod["spec"][list].as_array_mut().into_iter().flatten() {
            container["image"] = json!("i");
        }
    }
    for volume in pod["spec"]["volumes"].as_array_mut().into_iter().flatten() {
        let Some(members) = volume.as_object_mut() else { continue };
        if members.iter().all(|(key, value)| key == "name" || value.is_null()) {
            members.insert("emptyDir".to_owned(), json!({}));
        }
    }
    pod
}

/// The code of a pod: in its refusal, in the warnings about a template of it, and in the linter's report.
fn codes(pod: &Json) -> [Option<String>; 3] {
    let gate = gate(&[MADE_IN]);
    let pod = &as_defaulted(pod);
    let code_in = |text: &str| {
        let start = text.find("PG-")?;
        let end = text[start..].find(']').map_or(text.len(), |end| start + end);
        Some(text[start..end].to_owned())
    };
    let mut made = pod.clone();
    apply("a pod", &response(&gate, Webhook::Mutate, &made), &mut made);
    let refusal = response(&gate, Webhook::Validate, &made);
    let refused = refusal["status"]["message"].as_str().and_then(code_in);
    let mut review = creation("u", MADE_IN, &json!({"metadata": {"name": "d"}, "spec": {"template": pod}}));
    review["request"]["kind"] = json!({"group": "apps", "version": "v1", "kind": "Deployment"});
    review["request"]["resource"] = json!({"group": "apps", "version": "v1", "resource": "deployments"});
    review["request"]["object"]["apiVersion"] = json!("apps/v1");
    review["request"]["object"]["kind"] = json!("Deployment");
    let review = review.to_string();
    let answer = gate.alone(Webhook::Validate, review.as_bytes()).unwrap();
    let answer = well_formed("a template", Webhook::Validate, "u", &answer.body);
    let warned = warnings(&answer).first().and_then(|text| code_in(text));
    let mut object = pod.clone();
    (object["apiVersion"], object["kind"]) = (json!("v1"), json!("Pod"));
    if !object["metadata"].is_object() {
        object["metadata"] = json!({});
    }
    object["metadata"]["namespace"] = json!(MADE_IN);
    let report = lint(&object);
    let linted = report.objects.first().and_then(|object| object.pods.first());
    let linted = linted.and_then(|pod| pod.summary.as_ref()).map(|summary| summary.code.clone());
    [refused, warned, linted]
}

proptest! {
    #![proptest_config(cases(200))]

    #[test]
    fn a_pod_has_one_code(pod in any_pod()) {
        let [refused, warned, linted] = codes(&pod);
        prop_assert_eq!(&refused, &linted, "{}", pod);
        prop_assert_eq!(&warned, &linted, "{}", pod);
    }
}

#[test]
fn fixtures_have_one_code() {
    for fixture in own_fixtures().into_iter().chain(upstream_fixtures()) {
        let pod: Json = serde_json::from_slice(&fixture.json).unwrap();
        if pod["kind"] != "Pod" || pod["metadata"]["annotations"].get("kubernetes.io/config.mirror").is_some()
        {
            continue;
        }
        let [refused, warned, linted] = codes(&pod);
        assert!(refused == linted && warned == linted, "{}: {refused:?} {warned:?} {linted:?}", fixture.name);
    }
}

/// Also where more is found than is kept.
#[test]
fn a_code_is_of_every_finding() {
    let volumes: Json =
        (0..400).map(|n| json!({"name": format!("v{n}"), "nfs": {"server": "s", "path": "/"}})).collect();
    let mut many = lazy();
    many["spec"]["volumes"] = volumes;
    let [refused, warned, linted] = codes(&many);
    assert!(refused == linted && warned == linted && linted.is_some(), "{refused:?} {warned:?} {linted:?}");
    let text = many.to_string();
    let pod = Pod::read(&mut Reader::over(&text)).unwrap();
    let set = crate::reviews::built_in(&[]);
    let verdict = evaluate(set.security.iter(), &pod, Context::CREATE);
    assert_eq!(Some(code_of(&verdict, Severity::Deny)), linted);
}

/// Nothing but words and single spaces is needed to tell one change from the next.
#[test]
fn a_refusal_reads_where_white_space_is_folded() {
    let mut faulty = pod(json!({"name": "trainer", "image": "i",
        "securityContext": {"runAsUser": 0, "privileged": true, "capabilities": {"add": ["IPC_LOCK"]}}}));
    faulty["spec"]["hostIPC"] = true.into();
    faulty["spec"]["volumes"] = json!([{"name": "data", "hostPath": {"path": "/data"}}]);
    let answer = response(&gate(&[MADE_IN]), Webhook::Validate, &faulty);
    let text = answer["status"]["message"].as_str().unwrap();
    assert!(text.lines().skip(1).all(|line| line.len() <= 80), "{text}");
    insta::assert_snapshot!(text, @r#"
    Pod "p" was refused: 5 changes needed to meet "ml-restricted" in namespace ml-team-a.  [code PG-M083]
      - spec.hostIPC is true
          -> remove it (for shared memory mount an emptyDir with medium: Memory at
          /dev/shm)
      - volume "data" is hostPath
          -> use a persistentVolumeClaim; also allowed: configMap, downwardAPI,
          emptyDir, projected, secret
      - container "trainer": securityContext.privileged is true
          -> remove it (a GPU is requested as a resource, not by privilege)
      - container "trainer": securityContext.capabilities.add IPC_LOCK
          -> remove it (no effect for a non-root process; ask for node memlock
          instead)
      - container "trainer": securityContext.runAsUser is 0
          -> set it to a number above 0 (removing it is enough only if the image's
          user is a number above 0)
      - container "trainer": allowPrivilegeEscalation, capabilities.drop,
          runAsNonRoot, seccompProfile.type not set
          -> filled in for you when the rest is fixed
    Check locally:  podgate lint FILE
    Why and how:  podgate explain PG-M083
    "#);
    let folded = text.split_whitespace().collect::<Vec<_>>().join(" ");
    insta::assert_snapshot!(folded, @r#"Pod "p" was refused: 5 changes needed to meet "ml-restricted" in namespace ml-team-a. [code PG-M083] - spec.hostIPC is true -> remove it (for shared memory mount an emptyDir with medium: Memory at /dev/shm) - volume "data" is hostPath -> use a persistentVolumeClaim; also allowed: configMap, downwardAPI, emptyDir, projected, secret - container "trainer": securityContext.privileged is true -> remove it (a GPU is requested as a resource, not by privilege) - container "trainer": securityContext.capabilities.add IPC_LOCK -> remove it (no effect for a non-root process; ask for node memlock instead) - container "trainer": securityContext.runAsUser is 0 -> set it to a number above 0 (removing it is enough only if the image's user is a number above 0) - container "trainer": allowPrivilegeEscalation, capabilities.drop, runAsNonRoot, seccompProfile.type not set -> filled in for you when the rest is fixed Check locally: podgate lint FILE Why and how: podgate explain PG-M083"#);
}
