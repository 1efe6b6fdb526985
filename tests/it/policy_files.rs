//! Policy files: every fault of a file at once, each at its place; and files that are in order.
//!
//! What is expected of a file stands at its end behind `#> `: the faults as `line:column: message`, or the policies that
//! it holds as kind and name.

use std::fs;

use podgate::policy::{Policies, PolicySet, read_file};

use crate::pods::{annotated_files, files, of_repository};
use crate::policies;

/// What comes of these files, named `a.yaml` and on.
fn read(texts: &[&str]) -> Result<PolicySet, Vec<String>> {
    let names: Vec<String> = ('a'..).map(|name| format!("{name}.yaml")).take(texts.len()).collect();
    let files: Vec<_> = names.iter().map(String::as_str).zip(texts.iter().copied()).collect();
    policies::read(&files)
}

fn names(policies: &PolicySet) -> Vec<String> {
    let security = policies.security.iter().map(|policy| format!("SecurityPolicy {}", policy.name));
    let identity = policies.identity.iter().map(|policy| format!("IdentityPolicy {}", policy.name));
    let azure_ml = policies.azure_ml.iter().map(|object| format!("AzureMachineLearning {}", object.name));
    security.chain(identity).chain(azure_ml).collect()
}

#[test]
fn every_fault_is_told_at_once_and_in_its_place() {
    let cases = annotated_files("tests/fixtures/policies/faulty");
    assert!(cases.len() > 30);
    for (name, text, expected) in cases {
        let expected: Vec<String> = expected.iter().map(|fault| format!("a.yaml:{fault}")).collect();
        assert_eq!(read(&[&text]).map(|policies| names(&policies)), Err(expected), "{name}");
    }
}

#[test]
fn files_in_order_are_read() {
    for (name, text, expected) in annotated_files("tests/fixtures/policies/good") {
        assert_eq!(read(&[&text]).map(|policies| names(&policies)), Ok(expected), "{name}");
    }
}

/// Editors complete and check a file that names its schema.
#[test]
fn shipped_policies_name_the_schema_of_their_kind() {
    let shipped: Vec<_> = ["policies", "examples/policies"]
        .iter()
        .flat_map(|folder| files(&of_repository(folder), "yaml"))
        .collect();
    assert!(shipped.len() >= 3);
    for file in shipped {
        let text = fs::read_to_string(&file).unwrap();
        let line = text.lines().next().unwrap();
        let path =
            line.strip_prefix("# yaml-language-server: $schema=").expect("the schema in the first line");
        let schema = fs::read_to_string(file.parent().unwrap().join(path)).unwrap();
        let kind = text.lines().find_map(|line| line.strip_prefix("kind: ")).unwrap();
        assert!(path.ends_with(&format!("/{kind}.json")) && schema.starts_with('{'), "{file:?}: {path}");
    }
}

#[test]
fn the_built_in_policy_is_the_one_in_the_folder() {
    let text = fs::read_to_string(of_repository("policies/ml-restricted.yaml")).unwrap();
    assert_eq!(text, podgate::policy::BUILT_IN);
    assert_eq!(
        read(&[&text]).map(|policies| names(&policies)),
        Ok(vec!["SecurityPolicy ml-restricted".to_owned()])
    );
}

const A: &str = "apiVersion: podgate.dev/v1alpha1\nkind: SecurityPolicy\nmetadata: {name: a}\n\
                 spec: {match: {namespaces: [a]}, standard: {enforce: restricted}}\n";
const IDENTITY_A: &str = "apiVersion: podgate.dev/v1alpha1\nkind: IdentityPolicy\nmetadata: {name: a}\n\
                          spec: {match: {namespaces: [a]}, identity: {provider: azure, serviceAccountName: a}}\n";

#[test]
fn names_are_unique_over_all_files_within_a_kind() {
    assert!(read(&[A, IDENTITY_A]).is_ok());
    let twice = format!("{IDENTITY_A}---\n{A}");
    let fault = |place: &str| {
        format!("{place}: metadata.name: another policy is named \"a\"; give this one another name")
    };
    assert_eq!(read(&[A, &twice]).map(|_| ()), Err(vec![fault("b.yaml:8:18")]));
    assert_eq!(
        read(&[A, IDENTITY_A, &twice]).map(|_| ()),
        Err(vec![fault("c.yaml:3:18"), fault("c.yaml:8:18")])
    );
}

#[test]
fn faults_of_all_files_are_told_in_their_order() {
    let faulty = A.replace("restricted", "strict");
    let unread = A.replace("spec: {", "spec: [");
    let expected = [
        "a.yaml:4:54: spec.standard.enforce: no such level \"strict\": use privileged, baseline or restricted, \
         did you mean \"restricted\"?",
        "b.yaml:3:18: metadata.name: another policy is named \"a\"; give this one another name",
        "c.yaml:1:1: holds no policy",
        "d.yaml:4:7: mismatched bracket '[' closed by '}'",
    ];
    assert_eq!(read(&[&faulty, A, "", &unread]).map(|_| ()), Err(expected.map(ToOwned::to_owned).to_vec()));
}

#[test]
fn a_policy_after_a_faulty_one_is_read_too() {
    let text = format!("kind: [\n---\n{A}---\n{}", A.replace("kind", "kinds"));
    let expected = [
        "a.yaml:1:7: unclosed bracket '['",
        "a.yaml:8:1: the key \"kind\" is missing, expected SecurityPolicy, IdentityPolicy or AzureMachineLearning",
    ];
    assert_eq!(read(&[&text]).map(|_| ()), Err(expected.map(ToOwned::to_owned).to_vec()));
}

/// What is warned of in a set of IdentityPolicies, each with its `match` and the rest of its `spec`.
fn warned(written: &[(&str, &str)]) -> Vec<String> {
    let mut policies = Policies::new(Vec::new());
    for (index, (matched, spec)) in written.iter().enumerate() {
        let text = format!(
            "apiVersion: podgate.dev/v1alpha1\nkind: IdentityPolicy\nmetadata: {{name: p{index}}}\nspec:\n  \
             match: {{{matched}}}\n  {spec}\n"
        );
        read_file(&format!("{index}.yaml"), &text, &mut policies);
    }
    let warnings = policies.warnings().iter().map(ToString::to_string).collect();
    // Such a set is loaded all the same.
    policies.finish().unwrap();
    warnings
}

const GIVES_A: &str = "identity: {provider: azure, serviceAccountName: a}";
const GIVES_B: &str = "identity: {provider: azure, serviceAccountName: b}";

#[test]
fn policies_that_tie_for_every_pod_are_warned_of() {
    let team = "namespaces: [team]";
    let trainers = "namespaces: [team, other], podSelector: {matchLabels: {app: trainer}}";
    let servers = "namespaces: [team], podSelector: {matchLabels: {app: server}}";
    let by_label = "namespaceSelector: {matchLabels: {ml: x}}";
    let higher = format!("priority: 1\n  {GIVES_B}");
    for (one, other, is_tie) in [
        ((team, GIVES_A), (team, GIVES_B), true),
        ((team, GIVES_A), (trainers, GIVES_B), true),
        ((trainers, GIVES_A), (team, GIVES_B), true),
        ((trainers, GIVES_A), (trainers, GIVES_B), true),
        ((by_label, GIVES_A), (by_label, GIVES_B), true),
        ((team, GIVES_A), (team, GIVES_A), false),
        ((team, GIVES_A), (team, &higher), false),
        ((servers, GIVES_A), (trainers, GIVES_B), false),
        ((team, GIVES_A), ("namespaces: [another]", GIVES_B), false),
        ((team, GIVES_A), (by_label, GIVES_B), false),
        ((team, GIVES_A), (team, "denyDefaultServiceAccount: true"), false),
        ((team, GIVES_A), ("namespaces: [team], sourceServiceAccounts: [x]", GIVES_B), false),
        (("namespaces: [team], ownerKinds: [Job]", GIVES_A), (team, GIVES_B), true),
        (
            ("namespaces: [team], ownerKinds: [Job]", GIVES_A),
            ("namespaces: [team], ownerKinds: [ReplicaSet]", GIVES_B),
            false,
        ),
    ] {
        let warnings = warned(&[one, other]);
        assert_eq!(!warnings.is_empty(), is_tie, "{one:?} {other:?}: {warnings:?}");
    }
    assert_eq!(
        warned(&[(team, GIVES_A), (team, &format!("priority: 0\n  {GIVES_B}"))]),
        [
            "1.yaml:6:13: spec.priority: this policy and \"p0\" have the same priority, 0, and are for the same pods, but \
          give them different service accounts (b and a), so that such a pod is refused: give one a higher spec.priority, \
          or make their match differ"
        ]
    );
}

#[test]
fn an_account_that_is_given_and_reserved_is_warned_of() {
    let reserves = "reservedServiceAccounts: [{name: a, podSelector: {matchLabels: {app: trainer}}}]";
    let both = format!("{GIVES_A}\n  {reserves}");
    let (team, trainers) =
        ("namespaces: [team]", "namespaces: [team], podSelector: {matchLabels: {app: trainer, team: x}}");
    let at = "spec.reservedServiceAccounts[0].podSelector: ";
    let and_refused = "gives the service account a to pods that need not have these labels, and they are refused it: write \
                       the same podSelector in its spec.match.podSelector, or reserve another account";
    for (policies, expected) in [
        (vec![(team, both.as_str())], vec![format!("0.yaml:7:39: {at}this policy {and_refused}")]),
        (vec![(team, GIVES_A), (team, reserves)], vec![format!("1.yaml:6:39: {at}\"p0\" {and_refused}")]),
        (
            vec![(team, reserves), (team, GIVES_A)],
            vec![
                "1.yaml:6:51: spec.identity.serviceAccountName: \"p0\" reserves the service account a for pods with other \
                 labels, and refuses it to those of this policy without them: write its podSelector in \
                 spec.match.podSelector as well, or give another account"
                    .to_owned(),
            ],
        ),
        (vec![(trainers, GIVES_A), (team, reserves)], vec![]),
        (vec![(trainers, both.as_str())], vec![]),
        (vec![(team, GIVES_B), (team, reserves)], vec![]),
        (vec![("namespaces: [other]", GIVES_A), (team, reserves)], vec![]),
    ] {
        assert_eq!(warned(&policies), expected, "{policies:?}");
    }
}
