//! What PodSecurityPolicies, SecurityContextConstraints, and the libraries of Gatekeeper and Kyverno could refuse, our
//! controls refuse, too: `tests/fixtures/psp` has the pods, field by field and case by case.
//!
//! A pod is changed by `/mutate` and then judged by `/validate`, as a PodSecurityPolicy changed and then judged it. What is
//! said of a container is asked of an ordinary one, an init container, a sidecar and an ephemeral one.

mod case;
mod fields;

use std::collections::BTreeSet;

use case::{Case, Group, groups};

/// Every group of a file, with all of its cases.
fn judge(file: &str) -> Vec<Group> {
    let groups = groups(file);
    let mut wrong = Vec::new();
    for group in &groups {
        if !group.faults.is_empty() {
            group.check_faults();
            continue;
        }
        let reviewer = group.reviewer();
        let mut check = |case: &Case, expected: BTreeSet<&str>| {
            for (place, pod) in group.pods(case) {
                let (found, text) = group.refused_by(&reviewer, &pod);
                if found != expected || !text.contains(&case.text) {
                    wrong.push(format!(
                        "{} ({place}): {case:?}\n  expected {expected:?}, found {found:?}: {text}",
                        group.field
                    ));
                }
            }
        };
        for case in &group.allowed {
            check(case, BTreeSet::new());
        }
        for case in &group.refused {
            check(case, group.expected(case));
        }
        for filled in &group.filled_in {
            wrong.extend(group.wrongly_filled_in(&reviewer, filled));
        }
    }
    assert!(wrong.is_empty(), "{file}: {} wrong\n{}", wrong.len(), wrong.join("\n"));
    groups
}

/// The fields of the groups of a file are these, and each has pods on both sides.
fn covers(file: &str, fields: &[&str]) {
    let groups = judge(file);
    let said: BTreeSet<&str> = groups.iter().map(|group| group.field.as_str()).collect();
    assert_eq!(said, fields.iter().copied().collect(), "{file}");
    for field in said {
        let of_field: Vec<&Group> = groups.iter().filter(|group| group.field == field).collect();
        let has_pods = |of: fn(&Group) -> usize| of_field.iter().map(|group| of(group)).sum::<usize>() > 0;
        let is_covered = has_pods(|group| group.allowed.len() + group.filled_in.len())
            && has_pods(|group| group.refused.len());
        assert!(is_covered, "{file}: {field} needs a pod that passes and one that is refused");
    }
}

#[test]
fn every_field_of_a_pod_security_policy() {
    covers("psp.yaml", &fields::POD_SECURITY_POLICY);
}

#[test]
fn every_field_of_security_context_constraints() {
    covers("scc.yaml", &fields::SECURITY_CONTEXT_CONSTRAINTS);
}

#[test]
fn where_a_pod_security_policy_surprised() {
    let groups = judge("surprises.yaml");
    let numbers = groups.iter().map(|group| group.field.split(':').next().unwrap().parse().unwrap());
    assert_eq!(numbers.collect::<BTreeSet<u32>>(), (1..=21).collect());
}

#[test]
fn every_situation_of_the_library_of_gatekeeper() {
    covers("gatekeeper.yaml", &fields::GATEKEEPER);
}

#[test]
fn every_situation_of_the_policies_of_kyverno() {
    covers("kyverno.yaml", &fields::KYVERNO);
}
