//! A policy file: what loads loads the same from JSON, and holds what every set of policies promises.

use podgate::evaluate::{Context, evaluate};
use podgate::json::Reader;
use podgate::pod::Pod;
use podgate::policy::{PackedLabels, Policies, PolicyError, PolicySet, SYSTEM_NAMESPACES, read_file};
use podgate::yaml;

use super::within_memory;

/// What a file may hold while it is read, for each of its bytes: a value of YAML has its places.
const MEMORY_TIMES: usize = 1024;

/// A pod that breaks a rule of every kind.
const BAD_POD: &str = r#"{"metadata":{"name":"p"},"spec":{"hostNetwork":true,"volumes":[{"name":"v","hostPath":{"path":"/"}}],"containers":[{"name":"c","image":"i"}]}}"#;

pub fn check(text: &[u8]) {
    let Ok(text) = std::str::from_utf8(text) else { return };
    match within_memory(MEMORY_TIMES, text.as_bytes(), || load(text)) {
        Ok(policies) => {
            check_reload(text, &policies);
            check_set(&policies);
        }
        Err(faults) => {
            assert!(!faults.is_empty(), "refused without a fault");
            faults.iter().for_each(|fault| check_fault(text, fault));
        }
    }
}

fn load(text: &str) -> Result<PolicySet, Vec<PolicyError>> {
    let mut policies = Policies::new(SYSTEM_NAMESPACES.map(str::to_owned).to_vec());
    read_file("f", text, &mut policies);
    policies.finish()
}

/// Asserts that the documents as JSON are the same policies.
fn check_reload(text: &str, policies: &PolicySet) {
    let documents = yaml::read(text).into_iter().map(|document| {
        let json = document.expect("it was read").root.to_json();
        String::from_utf8(json).expect("JSON is UTF-8")
    });
    let json = documents.collect::<Vec<_>>().join("\n---\n");
    let again = load(&json).unwrap_or_else(|faults| panic!("as JSON it does not load: {faults:?}\n{json}"));
    assert_eq!(format!("{again:?}"), format!("{policies:?}"), "as JSON it is another policy");
}

/// Asserts what holds of every set: no policy reaches the cluster's own namespaces, and what it says is printable.
fn check_set(policies: &PolicySet) {
    let count = policies.security.len() + policies.identity.len();
    assert!(count > 0 || policies.pod_security.is_some(), "a file without a policy");
    let labels = PackedLabels::default();
    for namespace in SYSTEM_NAMESPACES {
        for labels in [None, Some(&labels)] {
            assert_eq!(policies.security_for(namespace, labels).count(), 0, "{namespace}");
            assert_eq!(policies.identity_for(namespace, labels).count(), 0, "{namespace}");
        }
    }
    let pod = Pod::read(&mut Reader::over(BAD_POD)).expect("a pod");
    let verdict = evaluate(policies.security.iter(), &pod, Context::CREATE);
    for violation in &verdict.violations {
        let findings = violation.controls.iter().map(|control| &control.findings);
        assert!(!violation.controls.is_empty() && !violation.text_of(findings).is_empty());
    }
}

/// Asserts that a fault is a line, and names a place that is there.
fn check_fault(text: &str, fault: &PolicyError) {
    let lines = text.split(['\n', '\r']).count();
    assert!((1..=lines + 1).contains(&fault.line) && fault.column >= 1, "{fault}");
    let is_line = !fault.message.is_empty() && !fault.message.contains(|c: char| c.is_control());
    assert!(is_line, "{:?}", fault.message);
    assert!(fault.message.len() <= 4096 + 8 * text.len(), "a fault of {} bytes", fault.message.len());
}
