//! Cases of the folder that `PODGATE_CASES` names: texts that are read as kubectl reads them, and fields in the wrong
//! place.

use std::path::PathBuf;

use podgate::lint::report::ObjectVerdict;
use podgate::lint::{Input, Options, Report, run};
use podgate::policy::{BUILT_IN, PolicySet, Snapshot};

use crate::policies::policies;
use crate::real_data;

fn case(name: &str) -> Option<PathBuf> {
    real_data::folder("PODGATE_CASES", "the cases of reading").map(|folder| folder.join(name))
}

fn lint(path: PathBuf, policies: PolicySet) -> Report {
    let mut namespaces = Snapshot::default();
    let labels = [("podgate.dev/policy".to_owned(), "ml-restricted".to_owned())];
    namespaces.insert("ml-team-a", labels.into());
    run(&[Input::Path(path)], Options { policies, namespaces, ..Options::default() })
}

#[test]
fn quoted_text_may_continue_at_a_smaller_column() {
    let Some(path) = case("quoted-less-indent.yaml") else { return };
    let report = lint(path, policies(BUILT_IN));
    assert!(report.unread.is_empty(), "{:?}", report.unread);
    let [object] = report.objects.as_slice() else { panic!("{report:?}") };
    assert_eq!(object.verdict, ObjectVerdict::Deny);
    let mut findings = object.pods[0].findings.iter().filter(|finding| !finding.is_filled_in);
    let finding = findings.next().unwrap();
    assert_eq!((finding.field.as_str(), finding.line, finding.column), ("spec.hostNetwork", 5, 16));
    assert!(findings.next().is_none());
}

#[test]
fn fields_in_the_wrong_place_are_named() {
    let Some(path) = case("wrong-place.yaml") else { return };
    let restricted = PolicySet::of_standard(&"restricted".parse().unwrap());
    for (policies, verdict) in [(policies(BUILT_IN), ObjectVerdict::Allow), (restricted, ObjectVerdict::Deny)]
    {
        let report = lint(path.clone(), policies);
        let [object] = report.objects.as_slice() else { panic!("{report:?}") };
        assert_eq!(object.verdict, verdict);
        let found: Vec<_> = object
            .misplaced
            .iter()
            .map(|field| (field.field.as_str(), field.line, field.column, field.belongs.as_str()))
            .collect();
        assert_eq!(
            found,
            [
                (
                    "spec.securityContext.allowPrivilegeEscalation",
                    5,
                    58,
                    "spec.containers[*].securityContext.allowPrivilegeEscalation"
                ),
                (
                    "spec.securityContext.capabilities",
                    5,
                    91,
                    "spec.containers[*].securityContext.capabilities"
                ),
                ("spec.containers[0].privileged", 6, 38, "spec.containers[0].securityContext.privileged"),
                ("spec.containers[0].securityContex", 6, 56, "spec.containers[0].securityContext"),
            ]
        );
    }
}
