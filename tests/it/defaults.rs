//! What controls beyond the standard have filled in: whole pods before and after, and that every gate says what was foretold.

use std::collections::BTreeSet;

use podgate::admission::{Reviewer, Webhook};
use podgate::evaluate::{Context, Severity, evaluate};
use podgate::json::Reader;
use podgate::pod::Pod;
use podgate::policy::PolicySet;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::{Value as Json, json};

use crate::parity::{Compared, Placed, compare};
use crate::pods::{cases, mendable_pod};
use crate::policies::{self, policies};
use crate::reviews::{MADE_IN, apply, labelled, response};
use crate::trials::as_defaulted;

/// A policy that holds where pods are made.
fn policy(name: &str, spec: &str) -> String {
    format!(
        "apiVersion: podgate.dev/v1alpha1\nkind: SecurityPolicy\nmetadata: {{name: {name}}}\n\
         spec: {{match: {{namespaces: [{MADE_IN}]}}, {spec}}}\n---\n"
    )
}

fn reviewer(text: &str) -> Reviewer {
    Reviewer::new(policies(text), labelled(&[MADE_IN]))
}

/// The volume that the API server adds, and its mount.
fn token() -> [Json; 2] {
    [
        json!({"name": "kube-api-access-x", "projected": {"sources": [
            {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
            {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
            {"downwardAPI": {"items": [{"path": "namespace", "fieldRef": {"fieldPath": "metadata.namespace"}}]}},
        ]}}),
        json!({"name": "kube-api-access-x", "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"}),
    ]
}

/// A pod as `/mutate` leaves it; a second time it changes nothing.
fn mutated(reviewer: &Reviewer, pod: &Json) -> Json {
    let mut made = pod.clone();
    apply("a pod", &response(reviewer, Webhook::Mutate, pod), &mut made);
    let again = response(reviewer, Webhook::Mutate, &made);
    assert_eq!(again.get("patch"), None, "a second time: {made:#}");
    made
}

fn is_allowed(reviewer: &Reviewer, pod: &Json) -> bool {
    response(reviewer, Webhook::Validate, pod)["allowed"] == true
}

#[test]
fn a_read_only_container_gets_a_tmp_of_its_own() {
    let gate =
        reviewer(&policy("p", "controls: {readOnlyRootFilesystem: {fillIn: true, tmpSizeLimit: 1Gi}}"));
    let scratch = json!({"name": "scratch", "mountPath": "/tmp"});
    let pod = json!({"spec": {
        "initContainers": [{"name": "init", "image": "i"}],
        "containers": [
            {"name": "own", "image": "i", "volumeMounts": [scratch]},
            {"name": "main", "image": "i", "volumeMounts": [{"name": "scratch", "mountPath": "/data"}]},
            {"name": "set", "image": "i", "securityContext": {"readOnlyRootFilesystem": true}},
        ],
        "volumes": [{"name": "scratch", "emptyDir": {}}],
    }});
    let tmp = |name: &str| json!({"name": "podgate-tmp", "mountPath": "/tmp", "subPath": name});
    let read_only = json!({"readOnlyRootFilesystem": true});
    let expected = json!({"spec": {
        "initContainers": [
            {"name": "init", "image": "i", "securityContext": read_only, "volumeMounts": [tmp("init")]},
        ],
        "containers": [
            {"name": "own", "image": "i", "securityContext": read_only, "volumeMounts": [scratch]},
            {"name": "main", "image": "i", "securityContext": read_only,
             "volumeMounts": [{"name": "scratch", "mountPath": "/data"}, tmp("main")]},
            {"name": "set", "image": "i", "securityContext": read_only},
        ],
        "volumes": [
            {"name": "scratch", "emptyDir": {}},
            {"name": "podgate-tmp", "emptyDir": {"sizeLimit": "1Gi"}},
        ],
    }});
    let mut made = mutated(&gate, &pod);
    assert_eq!(made, expected);
    assert!(is_allowed(&gate, &made));
    // A sidecar that comes in later shares the volume.
    made["spec"]["containers"].as_array_mut().unwrap().push(json!({"name": "late", "image": "i"}));
    made = mutated(&gate, &made);
    assert_eq!(made["spec"]["volumes"], expected["spec"]["volumes"]);
    assert_eq!(made["spec"]["containers"][3]["volumeMounts"], json!([tmp("late")]));
}

#[test]
fn the_token_of_the_api_server_is_taken_out_with_its_mounts() {
    let gate = reviewer(&policy("p", "controls: {automountServiceAccountToken: {fillIn: true}}"));
    let [volume, mount] = token();
    let data = json!({"name": "data", "mountPath": "/data"});
    let pod = json!({"spec": {
        "containers": [
            {"name": "a", "image": "i", "volumeMounts": [mount, data]},
            {"name": "b", "image": "i", "volumeMounts": [mount]},
        ],
        "volumes": [volume, {"name": "data", "emptyDir": {}}],
    }});
    let made = mutated(&gate, &pod);
    let expected = json!({"spec": {
        "automountServiceAccountToken": false,
        "containers": [
            {"name": "a", "image": "i", "volumeMounts": [data]},
            {"name": "b", "image": "i", "volumeMounts": []},
        ],
        "volumes": [{"name": "data", "emptyDir": {}}],
    }});
    assert_eq!(made, expected);
    assert!(is_allowed(&gate, &made));
    // Who writes `true` wants it, and is refused.
    let mut wants_it = pod;
    wants_it["spec"]["automountServiceAccountToken"] = true.into();
    assert_eq!(mutated(&gate, &wants_it), wants_it);
    assert!(!is_allowed(&gate, &wants_it));
}

/// Both take the token out: it goes once, and what they add stands where it should.
#[test]
fn an_identity_and_a_control_take_the_token_out_once() {
    let identity = format!(
        "apiVersion: podgate.dev/v1alpha1\nkind: IdentityPolicy\nmetadata: {{name: i}}\n\
         spec: {{match: {{namespaces: [{MADE_IN}]}}, automountToken: \"Off\"}}\n---\n"
    );
    let controls =
        "controls: {automountServiceAccountToken: {fillIn: true}, readOnlyRootFilesystem: {fillIn: true}}";
    let gate = reviewer(&format!("{identity}{}", policy("p", controls)));
    let [volume, mount] = token();
    let own = json!({"name": "own", "projected": {"sources": [{"serviceAccountToken": {"audience": "a", "path": "t"}}]}});
    let pod = json!({"spec": {
        "containers": [{"name": "c", "image": "i", "volumeMounts": [mount, {"name": "own", "mountPath": "/own"}]}],
        "volumes": [volume, own],
    }});
    let expected = json!({"spec": {
        "automountServiceAccountToken": false,
        "containers": [{"name": "c", "image": "i", "securityContext": {"readOnlyRootFilesystem": true}, "volumeMounts": [
            {"name": "own", "mountPath": "/own"},
            {"name": "podgate-tmp", "mountPath": "/tmp", "subPath": "c"},
        ]}],
        "volumes": [own, {"name": "podgate-tmp", "emptyDir": {}}],
    }});
    assert_eq!(mutated(&gate, &pod), expected);
}

#[test]
fn a_trial_changes_nothing_and_a_refusal_tells_what_is_filled_in() {
    let controls =
        "controls: {automountServiceAccountToken: {fillIn: true}, readOnlyRootFilesystem: {fillIn: true}}";
    let pod = json!({"spec": {"containers": [{"name": "c", "image": "i"}]}});
    for mode in ["Warn", "Audit"] {
        let trial = reviewer(&policy("p", &format!("mode: {mode}, {controls}")));
        assert_eq!(mutated(&trial, &pod), pod);
        assert_eq!(response(&trial, Webhook::Validate, &pod).get("warnings"), None, "{mode}");
    }
    let own_mode = "controls: {readOnlyRootFilesystem: {fillIn: true, mode: Warn}}";
    assert_eq!(mutated(&reviewer(&policy("p", own_mode)), &pod), pod);
    let gate = reviewer(&policy("p", &format!("standard: {{enforce: baseline}}, {controls}")));
    let mut bad = pod;
    bad["spec"]["hostPID"] = true.into();
    let answer = response(&gate, Webhook::Validate, &bad);
    let text = answer["status"]["message"].as_str().unwrap();
    for part in [
        "1 change needed",
        "pod: automountServiceAccountToken not set",
        "container \"c\": readOnlyRootFilesystem not set",
        "filled in for you when the rest is fixed",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

// ---- any policies, any pods

/// What policies say of the two controls, of types of volume, and of the standard.
fn any_spec() -> impl Strategy<Value = String> {
    let read_only = select(vec![
        "",
        "readOnlyRootFilesystem: {},",
        "readOnlyRootFilesystem: {fillIn: true},",
        "readOnlyRootFilesystem: {fillIn: true},",
        "readOnlyRootFilesystem: {fillIn: true, tmpSizeLimit: 1Gi},",
        "readOnlyRootFilesystem: {fillIn: true, mode: Warn},",
    ]);
    let automount = select(vec![
        "",
        "automountServiceAccountToken: {},",
        "automountServiceAccountToken: {fillIn: true},",
        "automountServiceAccountToken: {fillIn: true},",
    ]);
    let volumes = select(vec![
        "",
        "",
        "volumeTypes: {allowed: [emptyDir, secret]},",
        "volumeTypes: {allowed: [secret]},",
    ]);
    let standard = select(vec![
        "baseline}",
        "baseline}",
        "restricted}",
        "restricted}, defaults: {securityContext: Restricted}",
        "'restricted:v1.24'}, defaults: {securityContext: Restricted}",
    ]);
    let mode = select(vec!["Enforce", "Enforce", "Enforce", "Warn", "Audit"]);
    (read_only, automount, volumes, standard, mode).prop_map(
        |(read_only, automount, volumes, standard, mode)| {
            // What is stricter than its policy is a fault of another kind.
            let read_only =
                if mode == "Audit" { read_only.replace(", mode: Warn", "") } else { read_only.to_owned() };
            format!(
                "mode: {mode}, standard: {{enforce: {standard}, controls: {{{read_only}{automount}{volumes}}}"
            )
        },
    )
}

/// Controls that fill in: ids of users and groups, on which policies may differ.
const IDS: [&str; 6] = [
    "runAsUserRanges: {ranges: [{min: 1000, max: 1999}], default: Lowest},",
    "runAsUserRanges: {ranges: [{min: 500, max: 2999}], default: PerServiceAccount},",
    "runAsUserRanges: {ranges: [{min: 1, max: 9}, {min: 1000, max: 9999}]},",
    "runAsGroupRanges: {ranges: [{min: 1000, max: 1999}], default: Lowest},",
    "fsGroupRanges: {ranges: [{min: 1000, max: 1999}], default: Lowest},",
    "fsGroupRanges: {ranges: [{min: 1500, max: 2999}], default: Lowest},",
];

/// The others, which a policy may have in one way each.
const OTHERS: [&str; 9] = [
    "capabilities: {allowed: [NET_BIND_SERVICE], requiredDrop: [ALL], fillIn: true},",
    "seccompProfiles: {allowed: [RuntimeDefault, Localhost], localhost: [audit], default: RuntimeDefault},",
    "appArmorProfiles: {allowed: [RuntimeDefault, Localhost], default: RuntimeDefault},",
    "seLinuxLabels: {types: [container_t], default: {type: container_t, level: 's0:c1,c2'}},",
    "nonRootUsers: {fillIn: true},",
    "privilegeEscalation: {fillIn: true},",
    "runtimeClasses: {allowed: [gvisor, kata], required: true, default: gvisor},",
    "hostUsers: {fillIn: true},",
    "supplementalGroupRanges: {ranges: [{min: 1000, max: 1999}], default: Lowest},",
];

/// Those of which a policy has one or another way.
const VARIANTS: [&str; 4] = [
    "capabilities: {allowed: [SYS_PTRACE], requiredDrop: [NET_RAW, MKNOD], defaultAdd: [CHOWN]},",
    "capabilities: {allowed: [SYS_PTRACE], requiredDrop: [NET_RAW, MKNOD], fillIn: true},",
    "capabilities: {allowed: [], requiredDrop: [NET_RAW]},",
    "seccompProfiles: {allowed: [Localhost], localhost: [audit.json], default: Localhost},",
];

/// The same with more controls: each once.
fn with_more(spec: impl Strategy<Value = String>, more: Vec<&'static str>) -> impl Strategy<Value = String> {
    let most = more.len().min(6);
    (spec, subsequence(more, 0..=most)).prop_map(|(spec, more)| {
        let mut known: BTreeSet<&str> = BTreeSet::new();
        let once = more.into_iter().filter(|control| known.insert(control.split(':').next().unwrap()));
        spec.replace("controls: {", &format!("controls: {{{}", once.collect::<String>()))
    })
}

/// A pod, at times with the token of the API server, or with a volume of our name.
fn any_new_pod() -> impl Strategy<Value = Json> {
    let volumes = select(vec![
        json!([]),
        json!([]),
        json!([{"name": "podgate-tmp", "emptyDir": {}}]),
        json!([{"name": "podgate-tmp", "hostPath": {"path": "/tmp"}}]),
    ]);
    let mounts =
        select(vec![json!([]), json!([]), json!([{"name": "v", "mountPath": "/tmp"}]), json!("unreadable")]);
    (mendable_pod(), any::<bool>(), volumes, mounts).prop_map(|(pod, has_token, more, mounts)| {
        let mut pod = as_defaulted(&pod);
        let mut volumes = pod["spec"]["volumes"].as_array().cloned().unwrap_or_default();
        let mut mounts = mounts;
        volumes.extend(more.as_array().unwrap().iter().cloned());
        if has_token {
            let [volume, mount] = token();
            // At the end, as the API server has it.
            volumes.push(volume);
            if let Some(mounts) = mounts.as_array_mut() {
                mounts.push(mount);
            }
        }
        pod["spec"]["volumes"] = volumes.into();
        for list in ["initContainers", "containers"] {
            for container in pod["spec"][list].as_array_mut().into_iter().flatten() {
                match (mounts.as_array(), container["volumeMounts"].as_array_mut()) {
                    (Some(more), Some(own)) => own.extend(more.iter().cloned()),
                    _ => container["volumeMounts"] = mounts.clone(),
                }
            }
        }
        pod
    })
}

/// The fields that these policies refuse a pod for: those that are filled in, and the others.
fn judged(policies: &PolicySet, pod: &Json) -> (BTreeSet<String>, BTreeSet<String>) {
    let text = pod.to_string();
    let pod = Pod::read(&mut Reader::over(&text)).unwrap();
    let verdict = evaluate(policies.security.iter(), &pod, Context::CREATE);
    let denied = verdict.judged().filter(|judged| judged.severity() == Severity::Deny);
    let (filled, others): (Vec<_>, Vec<_>) = denied.partition(|judged| judged.is_filled_in());
    let fields = |judged: Vec<podgate::evaluate::Judged<'_, '_>>| {
        judged.iter().map(|judged| judged.finding.whole_path().to_string()).collect()
    };
    (fields(filled), fields(others))
}

/// Whether the policies are in order, and so were tried.
fn check(texts: &[String], pod: &Json) -> bool {
    let text: String = texts.iter().enumerate().map(|(at, spec)| policy(&format!("p{at}"), spec)).collect();
    let own = match policies::read(&[("a.yaml", &text)]) {
        Ok(own) => own,
        Err(faults) => {
            assert!(faults.iter().all(|fault| fault.contains("fills in what")), "{faults:?}");
            return false;
        }
    };
    let gate = reviewer(&text);
    let made = mutated(&gate, pod);
    let (filled, remaining) = judged(&own, pod);
    let (_, refused) = judged(&own, &made);
    let again: Vec<&String> = filled.intersection(&refused).collect();
    assert!(again.is_empty() || texts.len() > 1, "{again:?} of {made:#} by {text}");
    let before = response(&gate, Webhook::Validate, pod);
    assert!(
        before["allowed"] != true || made == *pod,
        "a pod that is allowed is changed: {made:#} by {text}"
    );
    let after = response(&gate, Webhook::Validate, &made);
    assert_eq!(after["allowed"], remaining.is_empty(), "{after:#} of {pod} by {text}");
    if texts.len() == 1 {
        compare(&[Placed::alone("a generated pod", pod)], &|| policies(&text), &mut Compared::default());
    }
    true
}

proptest! {
    #![proptest_config(cases(200))]

    #[test]
    fn no_policy_refuses_what_it_fills_in(spec in any_spec(), pod in any_new_pod()) {
        check(&[spec], &pod);
    }

    #[test]
    fn no_policy_of_many_controls_refuses_what_it_fills_in(
        spec in with_more(any_spec(), [&VARIANTS[..], &OTHERS[..], &IDS[..]].concat()),
        pod in any_new_pod(),
    ) {
        check(&[spec], &pod);
    }

    #[test]
    fn two_policies_are_foretold(
        one in with_more(any_spec(), IDS.to_vec()),
        other in with_more(any_spec(), IDS.to_vec()),
        pod in any_new_pod(),
    ) {
        // What one policy adds another may refuse; that nobody can tell where they are read.
        let [one, other] = [one, other].map(|spec| spec.replace("[secret]", "[emptyDir]"));
        check(&[one, other], &pod);
    }
}

/// Where few policies and pods had anything filled in, the properties would say nothing.
#[test]
fn many_of_them_are_tried() {
    use proptest::strategy::ValueTree as _;
    use proptest::test_runner::TestRunner;

    let mut runner = TestRunner::deterministic();
    let (mut tried, mut changed) = (0, 0);
    let more = [&VARIANTS[..], &OTHERS[..], &IDS[..]].concat();
    for _ in 0..60 {
        let spec = with_more(any_spec(), more.clone()).new_tree(&mut runner).unwrap().current();
        let pod = any_new_pod().new_tree(&mut runner).unwrap().current();
        if check(std::slice::from_ref(&spec), &pod) {
            tried += 1;
            changed += usize::from(mutated(&reviewer(&policy("p", &spec)), &pod) != pod);
        }
    }
    assert!((20..60).contains(&tried) && changed > 10, "{tried} tried, {changed} changed");
}
