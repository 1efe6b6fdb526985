//! A pod: read by us and judged, and read by `serde_json`, written anew and judged again.

use std::sync::LazyLock;

use podgate::controls::Standard;
use podgate::evaluate::{
    Context, Refusal, Severity, StandardText, Subject, Verdict, by_standard, evaluate, findings_of,
};
use podgate::json::Reader;
use podgate::pod::Pod;
use podgate::policy::{BUILT_IN, PolicySet, Snapshot};
use serde_json::Value as Json;

use super::{NAMESPACE, changes_when_rewritten, is_plainly_forbidden, policies, snapshot, within_memory};

/// What a pod and its verdict may hold, for each byte of the text.
pub(super) const MEMORY_TIMES: usize = 64;

/// Both levels, where the rules are new and where they are old.
static STANDARDS: LazyLock<[Standard; 4]> = LazyLock::new(|| {
    ["restricted", "baseline", "restricted:v1.24", "baseline:v1.0"].map(|text| text.parse().expect(text))
});
static POLICIES: LazyLock<PolicySet> = LazyLock::new(|| policies(BUILT_IN));
static SNAPSHOT: LazyLock<Snapshot> = LazyLock::new(snapshot);

pub fn check(text: &[u8]) {
    let Some(words) = within_memory(MEMORY_TIMES, text, || words(text, Reading::Plain)) else {
        assert_eq!(words(text, Reading::Strict), None, "read strictly it can be read");
        return;
    };
    if let Some(strict) = self::words(text, Reading::Strict) {
        assert_eq!(strict, words, "read strictly it is another pod");
    }
    // It is JSON, so that what fails is a limit of `serde_json`.
    let Ok(theirs) = serde_json::from_slice::<Json>(text) else { return };
    if is_plainly_forbidden(&theirs) {
        assert!(words.denials.iter().all(|denies| *denies), "a forbidden pod is let through: {words:?}");
    }
    if !changes_when_rewritten(text) {
        let rewritten = serde_json::to_vec(&theirs).expect("a value has a text");
        assert_eq!(self::words(&rewritten, Reading::Plain), Some(words), "written anew it is another pod");
    }
}

/// How a pod is read: as Kubernetes reads it, or as a gate does.
#[derive(Clone, Copy)]
enum Reading {
    Plain,
    Strict,
}

/// All that is said of a pod.
#[derive(Debug, PartialEq, Eq)]
struct Words {
    /// Whether each of the standards, and the built-in policy, refuses it.
    denials: Vec<bool>,
    /// What each of the standards says of it, and the built-in policy.
    texts: Vec<String>,
}

/// What is said of the pod in a text; `None` if there is none in it.
fn words(text: &[u8], reading: Reading) -> Option<Words> {
    let mut reader = Reader::new(text).ok()?;
    if let Reading::Strict = reading {
        reader = reader.refusing_misspelt_case();
    }
    let pod = Pod::read(&mut reader).ok()?;
    reader.end().ok()?;
    let mut words = Words { denials: Vec::new(), texts: Vec::new() };
    for standard in STANDARDS.iter() {
        let findings = by_standard(standard, &pod);
        let StandardText { reason, detail } = StandardText::of(&findings);
        assert_eq!(findings.is_empty(), reason.is_empty(), "{standard}: {detail}");
        words.denials.push(!findings.is_empty());
        words.texts.extend([reason, detail]);
    }
    let verdict = verdict(&pod);
    words.denials.push(verdict.is_denied());
    if verdict.is_denied() {
        words.texts.push(refusal(&pod, &verdict));
    }
    Some(words)
}

/// What the built-in policy says of a pod.
fn verdict<'p>(pod: &'p Pod<'_>) -> Verdict<'p> {
    let policies = POLICIES.security_for(NAMESPACE, SNAPSHOT.labels(NAMESPACE));
    let verdict = evaluate(policies, pod, Context::CREATE);
    assert_eq!(verdict.is_denied(), verdict.judged().any(|judged| judged.severity() == Severity::Deny));
    assert!(verdict.is_denied() || !verdict.is_denied_with_defaults(), "refused only after its repair");
    verdict
}

fn refusal(pod: &Pod<'_>, verdict: &Verdict<'_>) -> String {
    let subject = Subject {
        kind: "Pod",
        name: &pod.metadata.name,
        owner: None,
        namespace: NAMESPACE,
        template: "",
        elsewhere: 0,
    };
    let denied = findings_of(verdict, Severity::Deny);
    let message = Refusal::new(subject, pod, (verdict, &denied), None).message;
    let is_plain = |byte: u8| byte == b'\n' || (b' '..=b'~').contains(&byte);
    assert!(message.bytes().all(is_plain) && message.len() <= 16 * 1024, "{message:?}");
    // The lines after it come in the order of the text, and there is an end to them.
    message.lines().next().unwrap_or_default().to_owned()
}
