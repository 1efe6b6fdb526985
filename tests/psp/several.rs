//! Several PodSecurityPolicies in one namespace, with the Roles and bindings that let service accounts use them: the plugin
//! admits a pod by any that its account may use; ours has one policy, and exceptions that RBAC grants.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::mpsc::sync_channel;
use std::thread;
use std::time::Instant;

use serde_json::{Value as Json, json};

use crate::legal::Legal;
use crate::oracle::{Answers, Oracle, Questions};
use crate::ours::Ours;
use crate::pod::{APP_ARMOR, LISTS, Maker, list_of};
use crate::random::Random;
use crate::reasons::differences;
use crate::{Answer, NAMESPACE, PLUGIN, SEED, effective, given, left_out, name_of, programs, psps};

/// Namespaces with policies of their own.
const CLUSTERS: u64 = 80;
/// Pods in each.
const PODS: u64 = 60;
/// The accounts that pods run as. One of them may be granted nothing.
const ACCOUNTS: [&str; 3] = ["trainer", "builder", "default"];
/// Differences that are shown.
const SHOWN: u64 = 3;

/// Policies, and what grants their use.
struct Cluster {
    psps: Vec<Json>,
    rbac: Vec<Json>,
}

/// What the plugin has been asked about.
enum Asked {
    Cluster(Cluster),
    /// A pod, and then the same without its seccomp profiles where they are all RuntimeDefault.
    Pod {
        index: u64,
        pod: Json,
        has_twin: bool,
    },
}

#[test]
fn what_is_made_of_several_policies_says_what_they_said() {
    let wanted_by = "the comparison with several PodSecurityPolicies";
    if programs::find(wanted_by, &[PLUGIN]).is_none() {
        return;
    }
    let clusters = given("PODGATE_PSP_CLUSTERS").unwrap_or(CLUSTERS);
    let seed = given("PODGATE_DIFFERENTIAL_SEED").unwrap_or(SEED);
    let start = Instant::now();
    let Oracle { questions, answers, child: _child } = Oracle::start(wanted_by, PLUGIN).unwrap();
    let tally = thread::scope(|scope| {
        let (sender, receiver) = sync_channel(1024);
        scope.spawn(move || ask(questions, clusters, seed, |asked| sender.send(asked).is_ok()));
        compare(receiver.into_iter(), answers, seed)
    });
    let seconds = start.elapsed().as_secs_f64();
    left_out::say(&format!(
        "compared with several PodSecurityPolicies, in {seconds:.1} s (seed {seed}): {tally}"
    ));
    assert!(tally.different.is_empty(), "seed {seed}: see the differences above");
    if clusters >= CLUSTERS {
        assert!(tally.admitted * 10 > tally.pods && tally.refused * 10 > tally.pods, "{tally}");
        assert!(tally.by_exceptions > 0 && !tally.stricter.is_empty() && !tally.laxer.is_empty(), "{tally}");
    }
}

fn ask(mut questions: Questions, clusters: u64, seed: u64, mut tell: impl FnMut(Asked) -> bool) {
    for number in 0..clusters {
        let mut random = Random::of(seed ^ 2, number);
        let cluster = Cluster::any(&mut random);
        let legal: Vec<Legal> = cluster.psps.iter().map(Legal::of).collect();
        questions.ask(&json!({ "psps": cluster.psps, "rbac": cluster.rbac }).to_string());
        if !tell(Asked::Cluster(cluster)) {
            return;
        }
        for index in 0..PODS {
            let mut random = Random::of(seed ^ 3, number * PODS + index);
            let legal = random.pick(&legal);
            let account = *random.pick(&ACCOUNTS);
            let mut pod = Maker::new(random, legal).pod();
            pod["spec"]["serviceAccountName"] = account.into();
            questions.ask(&json!({ "pod": pod }).to_string());
            let twin = without_profiles(&pod);
            if let Some(twin) = &twin {
                questions.ask(&json!({ "pod": twin }).to_string());
            }
            if !tell(Asked::Pod { index, pod, has_twin: twin.is_some() }) {
                return;
            }
        }
    }
}

impl Cluster {
    fn any(random: &mut Random) -> Self {
        let count = 2 + random.below(2);
        let mut psps: Vec<Json> = Vec::new();
        for number in 0..count {
            // The names are not in the order in which they were made.
            let name = format!("{}-{number}", random.pick(&["a", "b", "z"]));
            let psp = match psps.last() {
                Some(last) if random.percent(70) => relaxed(random, last, &name),
                _ => psps::generated(random, &name),
            };
            psps.push(psp);
        }
        let mut rbac = Vec::new();
        for (number, psp) in psps.iter().enumerate() {
            rbac.extend(grant(random, name_of(psp), number));
        }
        Self { psps, rbac }
    }
}

/// A policy that allows more, in some of its fields.
fn relaxed(random: &mut Random, psp: &Json, name: &str) -> Json {
    let mut psp = psp.clone();
    psp["metadata"]["name"] = name.into();
    let spec = psp["spec"].as_object_mut().unwrap();
    for (field, value) in [
        ("privileged", "true"),
        ("hostPID", "true"),
        ("hostIPC", "true"),
        ("hostNetwork", "true"),
        ("hostPorts", r#"[{"min":0,"max":65535}]"#),
        ("volumes", r#"["*"]"#),
        ("allowedHostPaths", "null"),
        ("allowedCSIDrivers", "null"),
        ("allowedFlexVolumes", "null"),
        ("requiredDropCapabilities", "null"),
        ("readOnlyRootFilesystem", "false"),
        ("allowPrivilegeEscalation", "true"),
        ("allowedUnsafeSysctls", r#"["*"]"#),
        ("forbiddenSysctls", "null"),
        ("runtimeClass", "null"),
        ("runAsUser", r#"{"rule":"RunAsAny"}"#),
        ("runAsGroup", r#"{"rule":"RunAsAny"}"#),
        ("supplementalGroups", r#"{"rule":"RunAsAny"}"#),
        ("fsGroup", r#"{"rule":"RunAsAny"}"#),
        ("seLinux", r#"{"rule":"RunAsAny"}"#),
    ] {
        if random.percent(35) {
            let value: Json = serde_json::from_str(value).unwrap();
            if value.is_null() {
                spec.remove(field);
            } else {
                spec.insert(field.to_owned(), value);
            }
        }
    }
    // What the API does not take.
    if spec.get("allowedUnsafeSysctls") == Some(&json!(["*"])) {
        spec.remove("forbiddenSysctls");
    }
    if random.percent(25) {
        spec.remove("requiredDropCapabilities");
        spec.insert("allowedCapabilities".into(), json!(["*"]));
    }
    if random.percent(25) {
        let key = "seccomp.security.alpha.kubernetes.io/allowedProfileNames";
        psp["metadata"]["annotations"] = json!({ key: "*" });
    }
    psp
}

/// A role that lets somebody use a policy, and whom.
fn grant(random: &mut Random, psp: &str, number: usize) -> Vec<Json> {
    let group = "rbac.authorization.k8s.io";
    let name = format!("psp-{number}");
    let rule = json!({ "apiGroups": [random.pick(&["policy", "extensions", "*"])], "verbs": ["use"],
        "resources": ["podsecuritypolicies"], "resourceNames": [psp] });
    let is_cluster_role = random.percent(60);
    let kind = if is_cluster_role { "ClusterRole" } else { "Role" };
    let mut role = json!({ "apiVersion": format!("{group}/v1"), "kind": kind, "metadata": { "name": name }, "rules": [rule] });
    if !is_cluster_role {
        role["metadata"]["namespace"] = NAMESPACE.into();
    }
    let account = |name: &str| json!({ "kind": "ServiceAccount", "name": name, "namespace": NAMESPACE });
    let of_group = |name: &str| json!({ "kind": "Group", "apiGroup": group, "name": name });
    let subjects = match random.below(8) {
        0 => vec![of_group("system:authenticated")],
        1 => vec![of_group(&format!("system:serviceaccounts:{NAMESPACE}"))],
        2 => vec![account(ACCOUNTS[0]), account(ACCOUNTS[1])],
        3 => vec![
            json!({ "kind": "User", "apiGroup": group, "name": format!("system:serviceaccount:{NAMESPACE}:builder") }),
        ],
        4 => vec![of_group("system:serviceaccounts:other"), account(ACCOUNTS[1])],
        _ => vec![account(ACCOUNTS[0])],
    };
    let is_of_cluster = is_cluster_role && random.percent(30);
    let kind_of_binding = if is_of_cluster { "ClusterRoleBinding" } else { "RoleBinding" };
    let mut binding = json!({ "apiVersion": format!("{group}/v1"), "kind": kind_of_binding, "metadata": { "name": name },
        "roleRef": { "apiGroup": group, "kind": kind, "name": name }, "subjects": subjects });
    if !is_of_cluster {
        binding["metadata"]["namespace"] = NAMESPACE.into();
    }
    vec![role, binding]
}

/// A pod whose profiles are all RuntimeDefault, without them.
fn without_profiles(pod: &Json) -> Option<Json> {
    let is_default = |profile: &Json| profile["type"] == "RuntimeDefault";
    let mut bare = pod.clone();
    let mut has_any = false;
    let mut take = |security: &mut Json| {
        let taken = security.as_object_mut().and_then(|security| security.remove("seccompProfile"));
        has_any |= taken.is_some();
        taken.as_ref().is_none_or(is_default)
    };
    let mut is_meant = take(&mut bare["spec"]["securityContext"]);
    for list in LISTS {
        for container in list_of(&mut bare, list).into_iter().flatten() {
            is_meant &= take(&mut container["securityContext"]);
        }
    }
    if let Some(annotations) = bare["metadata"].get_mut("annotations").and_then(Json::as_object_mut) {
        annotations.retain(|key, profile| {
            let is_of_seccomp = key.contains("seccomp.security");
            has_any |= is_of_seccomp;
            is_meant &= !is_of_seccomp || *profile == "runtime/default" || *profile == "docker/default";
            !is_of_seccomp
        });
    }
    (is_meant && has_any).then_some(bare)
}

/// A pod with its AppArmor profiles where Kubernetes 1.24 looks for them.
fn with_annotations(pod: &Json) -> Json {
    let mut pod = pod.clone();
    let mut annotations = Vec::new();
    for list in LISTS {
        for container in pod["spec"][list].as_array().into_iter().flatten() {
            let name = container["name"].as_str().unwrap();
            let profile = effective::profile(&container["securityContext"]["appArmorProfile"]);
            annotations.extend(profile.map(|profile| (format!("{APP_ARMOR}{name}"), profile)));
        }
    }
    for (key, profile) in annotations {
        pod["metadata"]["annotations"][key] = profile.into();
    }
    pod
}

/// What came of a run.
#[derive(Default)]
struct Tally {
    clusters: u64,
    pods: u64,
    admitted: u64,
    /// Of these, those that the policy alone would have refused.
    by_exceptions: u64,
    /// Of these, those whose values were compared: of accounts that may use one policy alone.
    compared: u64,
    refused: u64,
    invalid: u64,
    stricter: BTreeMap<String, u64>,
    laxer: BTreeMap<String, u64>,
    different: BTreeMap<String, u64>,
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { clusters, pods, admitted, by_exceptions, compared, refused, invalid, .. } = self;
        write!(
            f,
            "{clusters} namespaces, {pods} pods: {admitted} admitted by both ({by_exceptions} by exceptions; of {compared} the values \
             are the same), {refused} refused by both, {invalid} not valid"
        )?;
        for (what, counts) in [
            ("stricter, as reported", &self.stricter),
            ("laxer, as reported", &self.laxer),
            ("different", &self.different),
        ] {
            write!(f, "\n  {} {what}", counts.values().sum::<u64>())?;
            for (reason, count) in counts {
                write!(f, "\n    {count:>6} {reason}")?;
            }
        }
        Ok(())
    }
}

fn compare(asked: impl Iterator<Item = Asked>, mut answers: Answers, seed: u64) -> Tally {
    let mut tally = Tally::default();
    let mut of_cluster: Option<(Cluster, Result<Ours, Vec<String>>)> = None;
    let mut again = Oracle::start("pods as we leave them", PLUGIN).unwrap();
    for question in asked {
        let answer: Answer = answers.next();
        assert_eq!(answer.error, None);
        match question {
            Asked::Cluster(cluster) => {
                tally.clusters += 1;
                let objects: Vec<Json> = cluster.psps.iter().chain(&cluster.rbac).cloned().collect();
                let ours = Ours::import(&objects);
                if let Err(faults) = &ours {
                    tally.differ(&format!("not imported: {faults:?}"), || format!("{objects:#?}"));
                }
                of_cluster = Some((cluster, ours));
            }
            Asked::Pod { index, pod, has_twin } => {
                let twin: Option<Answer> = has_twin.then(|| answers.next());
                let Some((cluster, Ok(ours))) = &of_cluster else { continue };
                tally.pods += 1;
                let mut is_admitted_now = |pod: &Json| {
                    let line =
                        json!({ "psps": cluster.psps, "rbac": cluster.rbac, "pod": with_annotations(pod) });
                    again.questions.ask_now(&line.to_string());
                    again.answers.next::<Answer>().allowed
                };
                if let Err(kind) = tally.add(ours, &pod, (&answer, twin.as_ref()), &mut is_admitted_now) {
                    tally.differ(&kind, || {
                        let outcome = ours.judge(&pod);
                        let objects: Vec<String> =
                            cluster.psps.iter().chain(&cluster.rbac).map(Json::to_string).collect();
                        format!(
                            "--- {kind}: seed {seed}, pod {index}\n{}\n{}\n{}\npod:    {pod}\nours:   {}\n        {}\nplugin: {answer:?}",
                            objects.join("\n"),
                            ours.policies,
                            ours.report,
                            outcome.text,
                            outcome.pod
                        )
                    });
                }
            }
        }
    }
    tally
}

impl Tally {
    /// Counts a pod, or says what is wrong with what the two sides say of it.
    fn add(
        &mut self,
        ours: &Ours,
        pod: &Json,
        (answer, twin): (&Answer, Option<&Answer>),
        is_admitted_now: &mut impl FnMut(&Json) -> bool,
    ) -> Result<(), String> {
        let outcome = ours.judge(pod);
        if answer.was_invalid || !answer.invalid.is_empty() {
            self.invalid += 1;
            return Ok(());
        }
        match (answer.allowed, outcome.refused_by.is_empty()) {
            (false, false) => self.refused += 1,
            (true, false) => {
                let reason = stricter(
                    ours,
                    answer,
                    outcome.is_later,
                    &outcome.refused_by.iter().copied().collect::<Vec<_>>(),
                );
                let reason = reason.ok_or_else(|| {
                    format!(
                        "stricter without a word: {}",
                        outcome.refused_by.iter().copied().collect::<Vec<_>>().join(", ")
                    )
                })?;
                *self.stricter.entry(reason.to_owned()).or_default() += 1;
            }
            (false, true) => {
                let reason = if answer.errors.iter().all(|error| error.ends_with("unable to admit pod: []")) {
                    "an account that may use no PodSecurityPolicy is judged as the others"
                } else if twin.is_some_and(|twin| twin.allowed) {
                    "RuntimeDefault, where the policy says nothing of seccomp"
                } else if !ours.is_one() && is_admitted_now(&outcome.pod) {
                    "another of the policies that hold fills in what was lacking"
                } else {
                    return Err("laxer".to_owned());
                };
                *self.laxer.entry(reason.to_owned()).or_default() += 1;
            }
            (true, true) => {
                self.admitted += 1;
                self.by_exceptions += u64::from(outcome.is_excepted);
                // What exceptions let be is not filled in, and of several policies one that filled nothing in went first.
                if ours.is_one() && ours.is_of(&answer.by) && !ours.has_exceptions_for(pod) {
                    let (theirs, made) = (effective::of(&answer.mutated), effective::of(&outcome.pod));
                    let differences = differences(&theirs, &made);
                    if let Some((field, theirs, made)) = differences.first()
                        && !(*field == "runAsUser" && *theirs == Some(&0.into()))
                    {
                        return Err(format!(
                            "filled in in another way: {field}, {theirs:?} there, {made:?} here"
                        ));
                    }
                    self.compared += 1;
                }
            }
        }
        Ok(())
    }

    fn differ(&mut self, kind: &str, show: impl FnOnce() -> String) {
        let seen = self.different.entry(kind.to_owned()).or_default();
        *seen += 1;
        if *seen == 1 && self.different.len() as u64 <= SHOWN {
            eprintln!("{}", show());
        }
    }
}

/// What the report says of a refusal, if it says anything.
fn stricter(ours: &Ours, answer: &Answer, is_later: bool, controls: &[&str]) -> Option<&'static str> {
    let report = &ours.report;
    let is_named = |psp: &str| controls.iter().all(|control| report.says_stricter(psp, control));
    let is_said_of_all = |psp: &str| {
        let stricter = report.notes.iter().filter(|note| note.outcome == podgate::psp::Outcome::Stricter);
        stricter.into_iter().any(|note| note.psp == psp && note.controls.is_empty())
    };
    if is_later {
        return Some("an ephemeral container is judged, and has no exceptions");
    }
    if is_said_of_all(&answer.by) {
        return Some("neither of two PodSecurityPolicies allows all that the other does");
    }
    let is_base = |psp: &str| ours.is_of(psp);
    let bases: Vec<&str> =
        report.notes.iter().map(|note| note.psp.as_str()).filter(|psp| is_base(psp)).collect();
    let of_both = |control: &&str| {
        report.says_stricter(&answer.by, control)
            || bases.iter().any(|base| report.says_stricter(base, control))
    };
    (is_named(&answer.by) || controls.iter().all(of_both))
        .then_some("a control that the report calls stricter")
}
