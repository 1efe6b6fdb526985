//! A policy that no pod can satisfy is refused when it is loaded; one that some pod can is not.

use crate::policies::read;

fn faults(spec: &str) -> String {
    let text = format!(
        "apiVersion: podgate.dev/v1alpha1\nkind: SecurityPolicy\nmetadata: {{name: p}}\nspec:\n  match: {{namespaces: [team]}}\n{spec}"
    );
    read(&[("p.yaml", &text)]).err().unwrap_or_default().join("\n")
}

const RESTRICTED: &str = "  standard: {enforce: restricted:latest}\n";

#[test]
fn controls_that_leave_no_pod_are_refused_with_their_place() {
    for (spec, expected) in [
        (
            "  controls:\n    requiredLabels: {labels: [{key: team}]}\n    reservedLabels: {keys: [team]}\n"
                .to_owned(),
            "p.yaml:7:5: spec.controls.requiredLabels: asks for what reservedLabels of this policy refuses (metadata.labels.team)",
        ),
        (format!("{RESTRICTED}  controls:\n    seccompProfiles: {{allowed: [Unconfined]}}\n"), "p.yaml:8:"),
        (
            format!("{RESTRICTED}  controls:\n    runAsUserRanges: {{ranges: [{{min: 0, max: 0}}]}}\n"),
            "spec.controls.runAsUserRanges: asks for what runAsUser of this policy refuses",
        ),
    ] {
        let found = faults(&spec);
        assert!(found.contains(expected) && found.contains("no pod satisfies both"), "{spec}\n{found}");
    }
}

#[test]
fn controls_that_leave_some_pod_are_not() {
    for spec in [
        "  controls:\n    requiredLabels: {labels: [{key: team}]}\n    reservedLabels: {keys: ['hami.io/*']}\n".to_owned(),
        "  controls:\n    requiredLabels: {labels: [{key: team}]}\n    reservedLabels: {keys: [team], writers: [robot]}\n".to_owned(),
        format!("{RESTRICTED}  controls:\n    seccompProfiles: {{allowed: [RuntimeDefault]}}\n"),
        format!("{RESTRICTED}  controls:\n    seccompProfiles: {{allowed: [Unconfined, RuntimeDefault]}}\n"),
        format!("{RESTRICTED}  controls:\n    seccompProfiles: {{allowed: [Localhost], localhost: [x]}}\n"),
        format!("{RESTRICTED}  controls:\n    runAsUserRanges: {{ranges: [{{min: 0, max: 0}}, {{min: 1000, max: 2000}}]}}\n"),
        format!("{RESTRICTED}  controls:\n    runAsUserRanges: {{ranges: [{{min: 0, max: 1000}}]}}\n"),
        format!("{RESTRICTED}  controls:\n    runtimeClasses: {{required: true, allowed: [gvisor]}}\n"),
        // A namespace that is closed, and says so.
        "  controls:\n    requiredLabels: {labels: [{key: team}], message: closed}\n    reservedLabels: {keys: [team], message: closed}\n".to_owned(),
        format!("{RESTRICTED}  mode: Warn\n  controls:\n    requiredLabels: {{labels: [{{key: team}}]}}\n"),
    ] {
        assert_eq!(faults(&spec), "", "{spec}");
    }
}
