//! Policies and namespaces by the thousand, in the shapes that people have of them: for the instructions of a review among
//! them, and for the memory that they take (`tests/memory`).

use podgate::policy::Labels;

/// A policy as it is shipped: its name, and its file.
pub(crate) type Shipped = (&'static str, &'static str);

pub(crate) const SHIPPED: [Shipped; 7] = [
    ("ml-baseline", include_str!("../../../policies/ml-baseline.yaml")),
    ("ml-identity-azure", include_str!("../../../policies/ml-identity-azure.yaml")),
    ("ml-notebooks", include_str!("../../../policies/ml-notebooks.yaml")),
    ("ml-restricted", include_str!("../../../policies/ml-restricted.yaml")),
    ("ml-sandbox", include_str!("../../../policies/ml-sandbox.yaml")),
    ("ml-serving", include_str!("../../../policies/ml-serving.yaml")),
    ("ml-training", include_str!("../../../policies/ml-training.yaml")),
];

/// A policy like a shipped one with a name, and for namespaces, of its own.
pub(crate) fn policy((name, text): Shipped, index: usize) -> String {
    let own = format!("{name}-of-team-{index}");
    // The identity is for the namespaces of another policy.
    let label = if text.contains(&format!("policy: {name}")) { name } else { "ml-restricted" };
    text.replace(&format!("name: {name}"), &format!("name: {own}"))
        .replace(&format!("podgate.dev/policy: {label}"), &format!("podgate.dev/policy: {own}"))
        .replace("serviceAccountName: trainer-wi", &format!("serviceAccountName: trainer-{index}"))
}

/// The name of a namespace.
pub(crate) fn namespace(index: usize) -> String {
    format!("ml-project-{index}")
}

/// The labels that a namespace has beside its name's, as a platform and its tools write them.
pub(crate) fn labels(index: usize) -> Labels {
    let (team, instance) = (format!("team-{}", index % 100), namespace(index));
    let labels = [
        ("app.kubernetes.io/instance", instance.as_str()),
        ("app.kubernetes.io/managed-by", "argocd"),
        ("pod-security.kubernetes.io/enforce", "restricted"),
        ("pod-security.kubernetes.io/enforce-version", "latest"),
        ("pod-security.kubernetes.io/warn", "restricted"),
        ("podgate.dev/policy", "ml-restricted"),
        ("team", team.as_str()),
    ];
    labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into()
}
