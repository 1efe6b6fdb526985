//! Identities before pods run: the linter says of manifests what the webhook says of their pods.

use std::sync::Arc;

use podgate::admission::Webhook;
use podgate::identity::{Azure, AzureSettings, Providers, ServiceAccount, TokenLayout};
use podgate::lint::report::{Layout, ObjectVerdict, concise};
use podgate::policy::PolicySet;
use serde_json::{Value as Json, json};

use super::{Case, as_json, shown};
use crate::assignment::{
    self, BINDING, CLIENT_A, CLIENT_ID, TEAM, TENANT, USE, account, endpoint, policy, trainer, trainers,
    without_token,
};
use crate::command::podgate;

const POLICY: &str = "IdentityPolicy \"ml-team-a-trainers\"";

fn azure() -> Arc<Providers> {
    let mut providers = Providers::default();
    let token_endpoint = Some(endpoint());
    let settings =
        AzureSettings { token_endpoint, layout: TokenLayout::V15, ..AzureSettings::of_tenant(TENANT) };
    providers.add(Azure::new(settings).unwrap());
    Arc::new(providers)
}

/// Files that are judged by identity policies alone.
fn case(policies: &str, files: &[(&str, &str)]) -> Case {
    let case = Case { providers: azure(), ..Case::new(files) };
    if policies.is_empty() {
        return Case { policies: PolicySet::default(), ..case };
    }
    case.by_policy(policies)
}

/// The Deployment that makes such pods, as somebody writes it.
fn deployment(pod: &Json) -> String {
    let mut pod = without_token(pod.clone());
    pod["metadata"].as_object_mut().unwrap().remove("ownerReferences");
    pod["metadata"].as_object_mut().unwrap().remove("generateName");
    let object = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "trainer", "namespace": TEAM},
        "spec": {"selector": {"matchLabels": {"app": "trainer"}}, "template": pod},
    });
    object.to_string()
}

/// A service account in a file.
fn file_of(name: &str, metadata: &str) -> String {
    format!(
        "apiVersion: v1\nkind: ServiceAccount\nmetadata:\n  name: {name}\n  namespace: {TEAM}\n{metadata}---\n"
    )
}

fn good(name: &str) -> String {
    file_of(name, &format!("  annotations:\n    {CLIENT_ID}: {CLIENT_A}\n"))
}

/// What both webhooks say of a pod, one after the other: whether they refuse it, and all they tell.
fn of_server(cluster: &assignment::Case, pod: &Json) -> (bool, Vec<String>) {
    let told = |outcome: &assignment::Outcome| {
        let all = std::iter::once(&outcome.message).chain(&outcome.warnings);
        let all = all.filter(|text| !text.is_empty());
        all.map(|text| text.trim_start_matches("podgate: ").to_owned()).collect::<Vec<_>>()
    };
    let mutated = cluster.ask(Webhook::Mutate, pod);
    if mutated.code != 200 {
        return (true, told(&mutated));
    }
    let validated = cluster.ask(Webhook::Validate, mutated.pod.as_ref().unwrap_or(pod));
    let mut all = told(&mutated);
    for text in told(&validated) {
        if !all.contains(&text) {
            all.push(text);
        }
    }
    (validated.code != 200, all)
}

/// What the linter says of the Deployment.
fn of_linter(cluster: &assignment::Case, pod: &Json) -> (bool, Vec<String>) {
    let mut case = case(&cluster.policies, &[("a.yaml", &deployment(pod))]).knowing(TEAM, &[("team", "ml")]);
    for (name, account) in &cluster.accounts {
        case.namespaces.insert_service_account(TEAM, name, account.clone());
    }
    let report = case.run(&[""]);
    let [object] = report.objects.as_slice() else { panic!("{report:?}") };
    assert!(object.pods[0].unresolved.is_empty(), "{report:?}");
    let found = &object.pods[0].identity;
    assert_eq!(object.verdict != ObjectVerdict::Allow, !found.is_empty(), "{report:?}");
    (object.verdict == ObjectVerdict::Deny, found.iter().map(|found| found.message.clone()).collect())
}

fn labelled(account: &str) -> Json {
    let mut pod = trainer(account);
    pod["metadata"]["labels"][USE] = "true".into();
    pod
}

/// Pods that a policy is for, or that it refuses for their account, with more in its `spec`.
fn by_policy(more: &str) -> Vec<(&'static str, assignment::Case, Json)> {
    let annotated = |value: &'static str| ServiceAccount::new([(CLIENT_ID, value)], []);
    let in_label = ServiceAccount::new([], [(CLIENT_ID, CLIENT_A)]);
    let near = ServiceAccount::new([("azure.workload.identity/client_id", CLIENT_A)], []);
    let no_default = policy("no-default", "{namespaces: [ml-team-a]}", "denyDefaultServiceAccount: true");
    let reserved = policy(
        "reserved",
        "{namespaces: [ml-team-a]}",
        "reservedServiceAccounts: [{name: payroll, podSelector: {matchLabels: {app: payroll}}}]",
    );
    let cluster = |policies: &str| {
        let cluster = assignment::Case::new(policies);
        cluster.with_account("payroll", account()).with_account("batch-runner", account())
    };
    let without = |policies: &str| cluster(policies).without_account("trainer-wi");
    let with = |account| without(&trainers("", more)).with_account("trainer-wi", account);
    let both = format!("{no_default}{}", trainers("", more));
    let pod = || trainer("default");
    vec![
        ("B01", cluster(&trainers("", more)), pod()),
        ("B03", cluster(&trainers("", more)), trainer("batch-runner")),
        ("B03l", cluster(&trainers("", more)), labelled("batch-runner")),
        ("B04", without(&trainers("", more)), pod()),
        ("B08a", with(annotated("not-a-guid")), pod()),
        ("B08b", with(ServiceAccount::default()), pod()),
        ("B08c", with(in_label), pod()),
        ("B08d", with(annotated("00000000-0000-0000-0000-000000000000")), pod()),
        ("near", with(near), pod()),
        ("B15a", cluster(&format!("{no_default}{reserved}")), pod()),
        ("B15b", cluster(&both), pod()),
        ("B15b, faulty", without(&both), pod()),
        ("B18", cluster(&reserved), trainer("payroll")),
        ("B18b", cluster(&reserved), labelled("payroll")),
        ("B26", cluster(&trainers(", ownerKinds: [Job]", more)), pod()),
        ("owner", without(&trainers(", ownerKinds: [ReplicaSet]", more)), pod()),
    ]
}

/// Pods that no policy is for.
fn by_label() -> Vec<(&'static str, assignment::Case, Json)> {
    let others = policy(
        "others",
        "{namespaces: [ml-team-a], podSelector: {matchLabels: {app: other}}}",
        "identity: {provider: azure, serviceAccountName: trainer-wi}",
    );
    let mut nearly = labelled("default");
    nearly["metadata"]["labels"][USE] = "True".into();
    let mut malformed = labelled("trainer-wi");
    malformed["metadata"]["annotations"] =
        json!({"azure.workload.identity/service-account-token-expiration": "soon"});
    let cluster = || assignment::Case::new(&others);
    vec![
        ("A01", cluster(), labelled("trainer-wi")),
        ("A28", cluster(), nearly),
        ("A36", cluster(), labelled("batch-runner")),
        ("expiration", cluster(), malformed),
        (
            "no client id",
            cluster().with_account("trainer-wi", ServiceAccount::default()),
            labelled("trainer-wi"),
        ),
        ("default", cluster().without_account("default"), labelled("default")),
    ]
}

#[test]
fn the_linter_says_of_a_template_what_the_webhooks_say_of_its_pod() {
    let modes = [
        "",
        ", onMissingServiceAccount: Warn",
        ", onMissingServiceAccount: Skip",
        ", mode: DryRun",
        ", mode: Explain",
    ];
    let all = modes.into_iter().flat_map(|more| by_policy(more).into_iter().map(move |case| (more, case)));
    let mut refused = 0;
    for (more, (what, cluster, pod)) in all.chain(by_label().into_iter().map(|case| ("", case))) {
        let mut on_server = cluster.clone();
        if what == "default" {
            on_server = on_server.with_account("default", ServiceAccount::default());
        }
        let expected = of_server(&on_server, &pod);
        assert_eq!(of_linter(&cluster, &pod), expected, "{what}{more}");
        refused += usize::from(expected.0);
    }
    assert!(refused > 20, "{refused}");
}

/// A pod is judged with what its identity adds to it.
#[test]
fn what_a_security_policy_refuses_of_an_identity_is_refused_here_too() {
    let security = format!(
        "---\napiVersion: podgate.dev/v1alpha1\nkind: SecurityPolicy\nmetadata: {{name: files}}\n\
         spec: {{match: {{namespaces: [{TEAM}]}}, controls: {{volumeTypes: {{allowed: [configMap]}}}}}}\n"
    );
    let refuses = "files refuses the identity's token volume (volumeTypes): have it allowed there";
    let labelled = labelled("trainer-wi");
    for (policies, pod, is_refused) in [
        (format!("{}{security}", trainers("", "")), trainer("default"), true),
        (format!("{}{security}", trainers("", ", mode: DryRun")), trainer("default"), false),
        (security.clone(), labelled.clone(), true),
        (security.replace("configMap", "projected"), labelled, false),
    ] {
        let cluster = assignment::Case::new(&policies);
        let (by_server, told) = of_server(&cluster, &pod);
        let (by_linter, found) = of_linter(&cluster, &pod);
        assert_eq!((by_server, by_linter), (is_refused, is_refused), "{told:?} {found:?}");
        let is_told = policies.contains("configMap");
        assert_eq!(found.iter().any(|text| text == refuses), is_told, "{found:?}");
        assert_eq!(told.iter().any(|text| text == refuses), is_told, "{told:?}");
    }
}

#[test]
fn what_is_wrong_is_told_with_its_place_in_every_form() {
    let files = format!(
        "{}apiVersion: batch/v1\nkind: Job\nmetadata: {{name: train, namespace: {TEAM}}}\nspec:\n  template:\n    \
         metadata: {{labels: {{app: trainer}}}}\n    spec:\n      serviceAccountName: default\n      containers: [{{name: \
         c, image: i}}]\n",
        file_of("trainer-wi", &format!("  labels:\n    {CLIENT_ID}: {CLIENT_A}\n"))
    );
    let case = || case(&trainers("", ""), &[("a.yaml", &files)]);
    let what = format!(
        "{POLICY} gives this pod the service account ml-team-a/trainer-wi, which has {CLIENT_ID} as a label, not as an \
         annotation: make it the annotation {CLIENT_ID}. Its subject for the federated credential is \
         system:serviceaccount:ml-team-a:trainer-wi"
    );
    let note = format!(
        "ServiceAccount ml-team-a/trainer-wi has {CLIENT_ID} as a label, not as an annotation: make it the annotation \
         {CLIENT_ID}. Its subject for the federated credential is system:serviceaccount:ml-team-a:trainer-wi"
    );
    assert_eq!(
        case().text(),
        format!(
            "a.yaml:16:27: Job ml-team-a/train: admitted, but its pods are denied: {what}\n\
             a.yaml:7:40: warning: {note}\n\
             ----\n\
             1 object with pods in 1 file: 1 denied\n\
             without a pod that podgate knows of: 1 ServiceAccount (v1)\n\
             exit 1"
        )
    );
    let report = case().run(&[""]);
    let mut lines = Vec::new();
    concise::write(&report, Layout::default(), &mut lines).unwrap();
    assert_eq!(
        String::from_utf8(lines).unwrap(),
        format!(
            "a.yaml:16:27: deny: identity: {what} (Job ml-team-a/train)\na.yaml:7:40: warning: identity: {note}\n"
        )
    );
    let json = as_json(&report);
    assert_eq!(json["objects"][0]["verdict"], "deny");
    let pod = &json["objects"][0]["pods"][0];
    assert_eq!((&pod["allowed"], &pod["verdict"]), (&json!(false), &json!("deny")));
    assert_eq!(
        pod["identity"],
        json!([{
            "severity": "deny", "field": "spec.template.spec.serviceAccountName", "line": 16, "column": 27, "message": what,
        }])
    );
    assert_eq!(json["identity"], json!([{"file": "a.yaml", "line": 7, "column": 40, "message": note}]));
}

#[test]
fn an_account_that_nobody_has_shown_is_waited_for() {
    let asks = deployment(&trainer("default"));
    let needs = |report: &podgate::lint::Report| {
        let entries = report.objects[0].pods[0].unresolved.iter().map(|entry| entry.text.clone());
        entries.collect::<Vec<_>>()
    };
    let needed = ["needs ServiceAccount ml-team-a/trainer-wi for its identity"];
    // No account is known, or only of another namespace.
    let elsewhere = good("x").replace(TEAM, "elsewhere");
    for files in [asks.clone(), format!("{elsewhere}{asks}")] {
        let report = case(&trainers("", ""), &[("a.yaml", &files)]).run(&[""]);
        assert_eq!(report.objects[0].verdict, ObjectVerdict::Unresolved);
        assert_eq!(needs(&report), needed);
        assert_eq!(report.exit_code(&podgate::lint::report::FailOn::DEFAULT), 3);
    }
    let text = case(&trainers("", ""), &[("a.yaml", &asks)]).text();
    assert!(
        text.contains("for its identity (name its file, too, or give it with --objects)\n")
            && text.contains("1 unresolved"),
        "{text}"
    );
    // It decides nothing where the policy does not refuse.
    for more in [", onMissingServiceAccount: Warn", ", onMissingServiceAccount: Skip", ", mode: DryRun"] {
        let report = case(&trainers("", more), &[("a.yaml", &asks)]).run(&[""]);
        assert_eq!(needs(&report), [""; 0], "{more}");
    }
    // Files of the cluster that hold accounts hold all.
    let mut cluster = case(&trainers("", ""), &[("a.yaml", &asks)]);
    cluster.namespaces.insert_service_account("elsewhere", "x", account());
    assert_eq!(cluster.run(&[""]).objects[0].verdict, ObjectVerdict::Deny);
    // A name that is yet to be filled in may be that of any.
    let labelled = labelled("{{ .Values.account }}");
    let files = [("a.yaml", deployment(&labelled)), ("b.yaml", good("trainer-wi"))];
    let files = files.each_ref().map(|(name, text)| (*name, text.as_str()));
    let report = case("", &files).run(&[""]);
    assert_eq!(needs(&report), ["needs ServiceAccount ml-team-a/{{ .Values.account }} for its identity"]);
}

#[test]
fn pods_that_ask_by_their_label_need_no_policy() {
    let labelled = deployment(&labelled("trainer-wi"));
    for (accounts, verdict, fragment) in [
        (good("trainer-wi"), ObjectVerdict::Allow, ""),
        (good("another"), ObjectVerdict::Deny, "ml-team-a/trainer-wi, which is not found"),
        (file_of("trainer-wi", ""), ObjectVerdict::Warn, "has no azure.workload.identity/client-id"),
        (String::new(), ObjectVerdict::Unresolved, ""),
    ] {
        let files = [("a.yaml", accounts.as_str()), ("b.yaml", labelled.as_str())];
        let report = case("", &files).run(&[""]);
        let object = &report.objects[0];
        assert_eq!(object.verdict, verdict, "{report:?}");
        let found: Vec<&str> = object.pods[0].identity.iter().map(|found| &*found.message).collect();
        assert!(found.iter().all(|text| text.contains(fragment)), "{found:?}");
        assert_eq!(found.is_empty(), fragment.is_empty());
        shown(&report);
    }
    // Nothing asks where pods are judged by a standard alone, and without a provider.
    let by_standard = Case { providers: azure(), ..Case::new(&[("b.yaml", &labelled)]) };
    let report = by_standard.by_standard("privileged").run(&[""]);
    assert_eq!((report.objects[0].verdict, report.identity), (ObjectVerdict::Allow, Vec::new()));
    let report = case("", &[("a.yaml", &file_of("trainer-wi", "")), ("b.yaml", &labelled)]);
    let report = Case { providers: Arc::default(), ..report }.run(&[""]);
    assert_eq!((report.objects[0].verdict, report.identity), (ObjectVerdict::Allow, Vec::new()));
}

#[test]
fn manifests_without_a_namespace_are_of_one() {
    let text = |object: &str| {
        object.replace(",\"namespace\":\"ml-team-a\"", "").replace("  namespace: ml-team-a\n", "")
    };
    let labelled = text(&deployment(&labelled("trainer-wi")));
    for (account, verdict) in
        [(text(&good("trainer-wi")), ObjectVerdict::Allow), (text(&good("x")), ObjectVerdict::Deny)]
    {
        let report = case("", &[("a.yaml", &account), ("b.yaml", &labelled)]).run(&[""]);
        assert_eq!(report.objects[0].verdict, verdict, "{report:?}");
        for found in &report.objects[0].pods[0].identity {
            assert!(found.message.contains("service account NAMESPACE/trainer-wi"), "{found:?}");
        }
    }
    let report = case(&trainers("", ""), &[("a.yaml", &text(&deployment(&trainer("default"))))]).run(&[""]);
    assert_eq!(report.objects[0].verdict, ObjectVerdict::Unresolved);
    assert_eq!(
        report.objects[0].pods[0].unresolved[0].text,
        "an IdentityPolicy may refuse it, and its namespace is not known: give it with -n NAMESPACE"
    );
}

#[test]
fn labels_that_are_not_known_decide_nothing_and_are_waited_for() {
    let by_labels = policy(
        "by-labels",
        "{namespaceSelector: {matchLabels: {team: ml}}}",
        "identity: {provider: azure, serviceAccountName: trainer-wi}",
    );
    let files = [("a.yaml", deployment(&trainer("default"))), ("b.yaml", good("x"))];
    let files = files.each_ref().map(|(name, text)| (*name, text.as_str()));
    let report = case(&by_labels, &files).run(&[""]);
    assert_eq!(report.objects[0].verdict, ObjectVerdict::Unresolved);
    let [entry] = report.objects[0].pods[0].unresolved.as_slice() else { panic!("{report:?}") };
    assert_eq!(entry.text, "needs Namespace ml-team-a: by its labels an IdentityPolicy may refuse it");
    for (team, verdict) in [("ml", ObjectVerdict::Deny), ("other", ObjectVerdict::Allow)] {
        let report = case(&by_labels, &files).knowing(TEAM, &[("team", team)]).run(&[""]);
        assert_eq!(report.objects[0].verdict, verdict, "{report:?}");
    }
}

#[test]
fn keys_that_nobody_reads_are_told() {
    let misplaced = format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: d\n  namespace: {TEAM}\n  labels:\n    {USE}: 'true'\n  \
         annotations:\n    {CLIENT_ID}: {CLIENT_A}\nspec:\n  selector: {{}}\n  template:\n    metadata:\n      annotations:\n        \
         {CLIENT_ID}: {CLIENT_A}\n        {USE}: 'true'\n    spec: {{containers: [{{name: c, image: i}}]}}\n---\napiVersion: v1\nkind: \
         Service\nmetadata:\n  name: s\n  annotations:\n    {CLIENT_ID}: {CLIENT_A}\n"
    );
    let report = case("", &[("a.yaml", &misplaced)]).run(&[""]);
    let object = &report.objects[0];
    let told: Vec<(usize, &str)> =
        object.misplaced.iter().map(|note| (note.line, note.message.as_str())).collect();
    assert_eq!(
        told,
        [
            (
                7,
                "is on the Deployment, not on its pods, so that they get no identity: write it as a label in \
                 spec.template.metadata.labels"
            ),
            (9, "has no effect here: it is an annotation of the ServiceAccount that the pods run as"),
            (15, "has no effect here: it is an annotation of the ServiceAccount that the pods run as"),
        ]
    );
    let [found] = object.pods[0].identity.as_slice() else { panic!("{report:?}") };
    assert_eq!(
        found.message,
        "azure.workload.identity/use: \"true\" is an annotation here: only a label gives an identity"
    );
    let [note] = report.identity.as_slice() else { panic!("{report:?}") };
    assert_eq!(
        (note.line, note.message.as_str()),
        (
            Some(24),
            "azure.workload.identity/client-id is an annotation of a ServiceAccount: on a Service nobody reads it"
        )
    );
}

/// Other accounts are nobody's business.
#[test]
fn only_accounts_that_somebody_acts_as_are_looked_at() {
    let labelled = labelled("trainer-wi");
    let faulty = file_of("trainer-wi", &format!("  annotations:\n    {CLIENT_ID}: nobody\n"));
    let files = format!("{}{faulty}{}", file_of("other", ""), deployment(&labelled));
    let report = case("", &[("a.yaml", &files)]).run(&[""]);
    let [note] = report.identity.as_slice() else { panic!("{report:?}") };
    assert_eq!((note.file.as_str(), note.line), ("a.yaml", Some(13)));
    assert!(note.message.starts_with("ServiceAccount ml-team-a/trainer-wi has the annotation"), "{note:?}");
    // One that cannot be read is not passed over.
    let broken = faulty.replace("nobody", "5");
    let report = case("", &[("a.yaml", &broken), ("b.yaml", &deployment(&labelled))]).run(&[""]);
    let [unread] = report.unread.as_slice() else { panic!("{report:?}") };
    assert!(unread.message.contains("client-id"), "{unread:?}");
}

#[test]
fn too_many_subjects_of_an_identity_are_told_once() {
    let accounts =
        |count: usize| -> String { (0..count).map(|index| good(&format!("wi-{index}"))).collect() };
    for (count, expected) in [(20, 0), (21, 1), (30, 1)] {
        let files = [("a.yaml", accounts(count)), ("b.yaml", deployment(&trainer("default")))];
        let files = files.each_ref().map(|(name, text)| (*name, text.as_str()));
        let named = trainers("", "").replace("trainer-wi", "wi-0");
        let report = case(&named, &files).run(&[""]);
        assert_eq!(report.identity.len(), expected, "{count}");
        for note in &report.identity {
            assert_eq!((note.file.as_str(), note.line), ("a.yaml", Some(7)));
            for fragment in [&format!("{count} service accounts"), CLIENT_A, "20 ", "identity binding"] {
                assert!(note.message.contains(fragment), "{note:?}");
            }
        }
    }
}

#[test]
fn roles_of_the_run_say_who_may_use_a_bound_identity() {
    let mut bound = trainer("default");
    bound["metadata"]["annotations"] = json!({ BINDING: "true" });
    let role = |id: &str| {
        format!(
            "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {{name: r}}\nrules:\n- apiGroups: \
             [cid.wi.aks.azure.com]\n  resources: [{id}]\n  verbs: [use-managed-identity]\n---\napiVersion: \
             rbac.authorization.k8s.io/v1\nkind: ClusterRoleBinding\nmetadata: {{name: b}}\nroleRef: {{kind: ClusterRole, \
             name: r}}\nsubjects: [{{kind: ServiceAccount, name: trainer-wi, namespace: {TEAM}}}]\n"
        )
    };
    for (roles, verdict) in [
        (role(CLIENT_A), ObjectVerdict::Allow),
        (role("another"), ObjectVerdict::Deny),
        // Nothing is known of rights.
        (String::new(), ObjectVerdict::Allow),
    ] {
        let files = format!("{}{}\n---\n{roles}", good("trainer-wi"), deployment(&bound));
        let report = case(&trainers("", ""), &[("a.yaml", &files)]).run(&[""]);
        assert_eq!(report.objects[0].verdict, verdict, "{report:?}");
        for found in &report.objects[0].pods[0].identity {
            for fragment in ["use-managed-identity", "cid.wi.aks.azure.com", CLIENT_A] {
                assert!(found.message.contains(fragment), "{found:?}");
            }
        }
    }
}

/// What a migration depends on is in an export of the cluster, and not in manifests.
#[test]
fn bindings_of_the_old_kind_are_waited_for() {
    let moving = policy("moving", "{namespaces: [ml-team-a]}", "migration: {aadPodIdentity: Enforce}");
    let mut pod = trainer("default");
    pod["metadata"]["labels"]["aadpodidbinding"] = "ml-identity".into();
    let files = [("a.yaml", deployment(&pod)), ("b.yaml", good("trainer-wi"))];
    let files = files.each_ref().map(|(name, text)| (*name, text.as_str()));
    let report = case(&moving, &files).run(&[""]);
    let [entry] = report.objects[0].pods[0].unresolved.as_slice() else { panic!("{report:?}") };
    assert!(entry.text.starts_with("needs the AzureIdentities"), "{entry:?}");
    assert_eq!(entry.path, "spec.template.metadata.labels.aadpodidbinding");
}

/// They are read alike wherever they are.
#[test]
fn bindings_of_the_old_kind_among_the_manifests_are_read() {
    let moving = policy("moving", "{namespaces: [ml-team-a]}", "migration: {aadPodIdentity: Enforce}");
    let mut pod = trainer("default");
    pod["metadata"]["labels"]["aadpodidbinding"] = "ml-identity".into();
    let bindings = |namespace: &str| {
        format!(
            "apiVersion: aadpodidentity.k8s.io/v1\nkind: AzureIdentity\nmetadata: {{name: ml-id{namespace}}}\nspec: {{type: 0, \
             clientID: {CLIENT_A}}}\n---\napiVersion: aadpodidentity.k8s.io/v1\nkind: AzureIdentityBinding\nmetadata: \
             {{name: ml-bind{namespace}}}\nspec: {{azureIdentity: ml-id, selector: ml-identity}}\n"
        )
    };
    for (text, in_namespace) in [(bindings(", namespace: ml-team-a"), ""), (bindings(""), TEAM)] {
        let files = [("a.yaml", deployment(&pod)), ("b.yaml", good("trainer-wi")), ("c.yaml", text)];
        let files = files.each_ref().map(|(name, text)| (*name, text.as_str()));
        let report = case(&moving, &files).in_namespace(in_namespace).run(&[""]);
        let pod = &report.objects[0].pods[0];
        assert_eq!((pod.verdict, pod.unresolved.len()), (ObjectVerdict::Warn, 0), "{report:?}");
        let told = &pod.identity[0].message;
        assert!(told.contains("ml-identity is migrated to workload identity as trainer-wi"), "{told}");
    }
    let faulty = bindings("").replace("type: 0", "type: zero");
    let files = [("a.yaml", deployment(&pod)), ("c.yaml", faulty)];
    let files = files.each_ref().map(|(name, text)| (*name, text.as_str()));
    let report = case(&moving, &files).run(&[""]);
    let [unread] = report.unread.as_slice() else { panic!("{report:?}") };
    assert!(unread.to_string().contains("c.yaml:4:14: spec.type: expected a whole number"), "{unread}");
}

/// A value of the wrong type is in the way of a verdict, and not of all others.
#[test]
fn a_pod_that_cannot_be_read_is_not_allowed() {
    let job = format!(
        "apiVersion: kubeflow.org/v1\nkind: PyTorchJob\nmetadata: {{name: j, namespace: {TEAM}}}\nspec: {{pytorchReplicaSpecs: \
         {{Worker: {{template: {{metadata: {{labels: {{{USE}: 'true'}}}}, spec: {{serviceAccountName: 5, containers: []}}}}}}}}}}\n"
    );
    let report = case("", &[("a.yaml", &job)]).run(&[""]);
    let [entry] = report.objects[0].pods[0].unresolved.as_slice() else { panic!("{report:?}") };
    assert!(entry.text.starts_with("which identity it gets: ") && entry.text.contains("serviceAccountName"));
}

#[test]
fn the_program_needs_no_flag_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.yaml");
    let labelled = labelled("trainer-wi");
    std::fs::write(&file, format!("{}{}", good("another"), deployment(&labelled))).unwrap();
    let run = |flags: &[&str]| {
        let output = podgate().arg("lint").args(flags).arg(&file).output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    let (code, text) = run(&["--policy", "none"]);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("ml-team-a/trainer-wi, which is not found"), "{text}");
    assert_eq!(run(&["--standard", "privileged"]), (Some(0), String::new()));
}
