//! A case → what was found of it, by the code of the webhook for a pod, and by that of the linter for what makes pods.
//!
//! A new pod goes the way that an API server sends it: through `/mutate`, and what comes of that through `/validate`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use anyhow::{Context as _, Result, anyhow, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use jiff::civil::Date;
use serde_json::Value;

use crate::admission::{Answer, Decision, Outcome, Reviewer, Webhook};
use crate::cli::offline::OfflineReviewer;
use crate::evaluate::Severity;
use crate::identity::Providers;
use crate::lint::report::{ObjectReport, ObjectVerdict};
use crate::lint::{self, Input, Options};
use crate::policy_test::{
    CaseOutcome, CaseReport, CaseSubject, TestCase, TestFileReport, TestVerdict, TestedPod,
};

use super::load::LoadedTest;

impl LoadedTest {
    /// Judges every case.
    pub(super) fn run(&self, providers: &Arc<Providers>, today: Date) -> Result<TestFileReport> {
        let reviewer = Reviewer::new(self.policies()?, self.objects.snapshot.clone());
        let reviewer = reviewer.with_providers(Arc::clone(providers));
        let mut reviewer = OfflineReviewer { reviewer, pods: Some(self.objects.pods.clone()), today };
        let report = |(case, subject): &(TestCase, CaseSubject)| {
            reviewer.today = case.day.unwrap_or(today);
            let TestCase { name, line, .. } = case;
            let (name, line) = (name.clone(), *line);
            match self.judge(subject, &reviewer, providers) {
                Ok(found) => {
                    let differences = case.differences(&found);
                    CaseReport { name, line, differences, error: None, said: found.said }
                }
                Err(error) => {
                    let (differences, said) = (Vec::new(), Vec::new());
                    CaseReport { name, line, differences, error: Some(format!("{error:#}")), said }
                }
            }
        };
        Ok(TestFileReport { file: self.file.clone(), cases: self.cases.iter().map(report).collect() })
    }

    fn judge(
        &self,
        subject: &CaseSubject,
        reviewer: &OfflineReviewer,
        providers: &Arc<Providers>,
    ) -> Result<CaseOutcome> {
        let mut found = CaseOutcome {
            verdict: TestVerdict::Allow,
            controls: BTreeMap::new(),
            filled_in: BTreeSet::new(),
            policies: BTreeSet::new(),
            is_unjudged: false,
            pod: None,
            said: Vec::new(),
        };
        for pod in &subject.pods {
            add_pod(pod, reviewer, &mut found)?;
        }
        if !subject.manifests.is_empty() {
            self.add_manifests(subject, (providers, reviewer.today), &mut found)?;
        }
        let CaseOutcome { controls, filled_in, .. } = &mut found;
        filled_in.retain(|id| !controls.contains_key(id));
        Ok(found)
    }

    /// Judges what makes pods as the linter does.
    fn add_manifests(
        &self,
        subject: &CaseSubject,
        (providers, today): (&Arc<Providers>, Date),
        found: &mut CaseOutcome,
    ) -> Result<()> {
        let input = Input::Text { name: self.file.clone(), text: subject.manifests.clone() };
        let options = Options {
            policies: self.policies()?,
            namespaces: self.objects.snapshot.clone(),
            today: Some(today),
            references: self.objects.references.clone(),
            namespace: subject.namespace.clone(),
            providers: Arc::clone(providers),
            ..Options::default()
        };
        let report = lint::run(&[input], options);
        if let Some(unread) = report.unread.iter().chain(&report.misspelt).next() {
            bail!("{}", unread.message);
        }
        if report.objects.is_empty() {
            bail!("there is no pod in it, and nothing that makes pods");
        }
        report.objects.iter().for_each(|object| add_object(object, found));
        Ok(())
    }
}

/// Adds what the linter says of an object.
fn add_object(object: &ObjectReport, found: &mut CaseOutcome) {
    found.policies.extend(object.policies.iter().cloned());
    let verdict = match object.verdict {
        ObjectVerdict::Allow => TestVerdict::Allow,
        ObjectVerdict::Warn => TestVerdict::Warn,
        ObjectVerdict::Unresolved => TestVerdict::Unresolved,
        ObjectVerdict::Deny => TestVerdict::Deny,
    };
    found.verdict = found.verdict.max(verdict);
    found.is_unjudged |= object.policies.is_empty();
    for pod in &object.pods {
        found.said.extend(pod.unresolved.iter().map(|unresolved| unresolved.text.clone()));
        for finding in &pod.findings {
            if finding.is_filled_in {
                found.filled_in.insert(finding.control.to_owned());
            } else {
                // What is unresolved may be elsewhere, and is no violation yet.
                if finding.disposition != "unresolved" {
                    add_control(finding.control, finding.severity, found);
                }
                found.said.push(finding.message.clone());
            }
        }
    }
}

fn add_control(id: &str, severity: Severity, found: &mut CaseOutcome) {
    let known = found.controls.entry(id.to_owned()).or_insert(severity);
    *known = severity.max(*known);
}

/// Judges a pod as the webhook does.
fn add_pod(pod: &TestedPod, reviewer: &OfflineReviewer, found: &mut CaseOutcome) -> Result<()> {
    let as_written = pod.review(pod.object()).to_string();
    let before = answer(reviewer, Webhook::Validate, &as_written)?;
    let mut changed = pod.object().clone();
    if pod.is_new() {
        let mutated = answer(reviewer, Webhook::Mutate, &as_written)?;
        if mutated.decision.outcome == Outcome::Denied {
            add_answer(&mutated, found)?;
            return Ok(());
        }
        apply(&mutated, &mut changed)?;
    }
    let as_changed = pod.review(&changed).to_string();
    let after = answer(reviewer, Webhook::Validate, &as_changed)?;
    // Beside what is refused all the same, the webhook tells what it fills in; where nothing else is refused, it is refused.
    for Decision { findings, filled_in, .. } in [&before.decision, &after.decision] {
        let violated = findings.iter().map(|(id, _)| *id).chain(filled_in.iter().copied());
        found.filled_in.extend(violated.map(ToOwned::to_owned));
    }
    add_answer(&after, found)?;
    found.pod = Some(changed);
    Ok(())
}

fn answer<'b>(reviewer: &OfflineReviewer, webhook: Webhook, review: &'b str) -> Result<Answer<'b>> {
    let answer = reviewer.answer(webhook, review.as_bytes())?;
    match answer.decision.outcome {
        Outcome::Allowed | Outcome::Patched | Outcome::Denied => Ok(answer),
        Outcome::Error => {
            let error = &answer.decision.error;
            Err(anyhow!("{}", error.strip_prefix("podgate: ").unwrap_or(error)))
        }
    }
}

/// Applies the patch of an answer.
fn apply(answer: &Answer<'_>, pod: &mut Value) -> Result<()> {
    let body: Value = serde_json::from_slice(&answer.body)?;
    let Some(patch) = body.pointer("/response/patch").and_then(Value::as_str) else { return Ok(()) };
    let patch: json_patch::Patch = serde_json::from_slice(&BASE64.decode(patch)?)?;
    json_patch::patch(pod, &patch).context("the patch does not fit the pod")?;
    Ok(())
}

/// Adds what the webhook decided.
fn add_answer(answer: &Answer<'_>, found: &mut CaseOutcome) -> Result<()> {
    let Decision { outcome, findings, filled_in, policies, is_unjudged, .. } = &answer.decision;
    let body: Value = serde_json::from_slice(&answer.body)?;
    let message = body.pointer("/response/status/message").and_then(Value::as_str).unwrap_or_default();
    let warnings = body.pointer("/response/warnings").and_then(Value::as_array).into_iter().flatten();
    let warnings: Vec<&str> = warnings.filter_map(Value::as_str).collect();
    // What is wrong with an identity is no control's. What a policy that is tried out would fill in is told of, and is no fault.
    let is_of_identity = findings.is_empty() && filled_in.is_empty() && !is_unjudged;
    let is_warned = findings.iter().any(|(_, severity)| *severity >= Severity::Warn)
        || is_of_identity && !warnings.is_empty();
    let verdict = match outcome {
        Outcome::Denied | Outcome::Error => TestVerdict::Deny,
        Outcome::Allowed | Outcome::Patched if is_warned => TestVerdict::Warn,
        Outcome::Allowed | Outcome::Patched => TestVerdict::Allow,
    };
    found.verdict = found.verdict.max(verdict);
    found.is_unjudged |= is_unjudged;
    found.policies.extend(policies.iter().map(ToString::to_string));
    findings.iter().for_each(|(id, severity)| add_control(id, *severity, found));
    found.said.extend(message.lines().chain(warnings).map(ToOwned::to_owned));
    Ok(())
}
