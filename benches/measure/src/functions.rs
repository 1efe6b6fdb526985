//! Instructions of single functions in one process: from the bytes of a review to those of its answer, the evaluator
//! alone, and both as policies and namespaces become many.
//!
//! The process that is counted prepares everything, and then takes turns: it names what comes next, waits for a
//! line, does it so many times, and says that it is done.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::process::{Command, ExitCode};
use std::sync::Arc;

use podgate::admission::{Reviewer, Webhook};
use podgate::controls::Standard;
use podgate::evaluate::{Context, by_standard, evaluate};
use podgate::identity::{AZURE_LABEL, Azure, AzureSettings, Providers, ServiceAccount};
use podgate::json::Reader;
use podgate::pod::Pod;
use podgate::policy::{Answers, BUILT_IN, Policies, PolicySet, Snapshot, read_file};

use crate::callgrind::Callgrind;
use crate::controls;
use crate::growth;
use crate::kinds;
use crate::{DENIED, ONE_CONTAINER, Payload, REPAIRED, Result, SIXTEEN_CONTAINERS, scratch};

/// Enough that the two lines between which is counted are below a thousandth.
const TIMES: u64 = 100;
/// The evaluator takes a hundredth of a review.
const TIMES_OF_EVALUATOR: u64 = 2000;

/// Something to count.
struct Turn {
    name: String,
    /// How many figures are summed up while it is counted.
    times: u64,
    /// How many of them one call is.
    per_call: u64,
    once: Box<dyn FnMut()>,
}

/// Each measure's name and figure.
pub(crate) fn measure() -> Result<Vec<(String, u64)>> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("functions");
    let mut process = Callgrind::start(&command, &scratch("functions")?)?;
    let mut lines = BufReader::new(process.child.stdout.take().ok_or("no output")?).lines();
    let mut next = move || lines.next().ok_or("the counted process ended")?.map_err(Box::from);
    let mut figures = Vec::new();
    loop {
        let line: String = next()?;
        let Some((name, times)) = line.split_once(' ') else { return Ok(figures) };
        if figures.is_empty() {
            process.instrument()?;
        }
        let count = process.count(|child| {
            child.stdin.as_mut().ok_or("no input")?.write_all(b"\n")?;
            next()
        })?;
        process.child.stdin.as_mut().ok_or("no input")?.write_all(b"\n")?;
        let figure = (format!("function/{name}"), count / times.parse::<u64>()?);
        println!("{} {}", figure.0, figure.1);
        figures.push(figure);
    }
}

/// The process that is counted.
pub(crate) fn serve_turns() -> Result<ExitCode> {
    let mut turns = turns()?;
    let (mut input, mut output, mut line) = (io::stdin().lock(), io::stdout().lock(), String::new());
    for Turn { name, times, per_call, once } in &mut turns {
        // What is made once, at the first call.
        once();
        writeln!(output, "{name} {times}")?;
        output.flush()?;
        input.read_line(&mut line)?;
        (0..*times / *per_call).for_each(|_| once());
        writeln!(output, "done")?;
        output.flush()?;
        input.read_line(&mut line)?;
    }
    writeln!(output, "end")?;
    Ok(ExitCode::SUCCESS)
}

fn turns() -> Result<Vec<Turn>> {
    let mut turns = vec![
        judging("validate", gate("", 0, 0)?, Webhook::Validate, &ONE_CONTAINER),
        judging("validate", gate("", 0, 0)?, Webhook::Validate, &SIXTEEN_CONTAINERS),
        judging("validate", gate("", 0, 0)?, Webhook::Validate, &DENIED),
        judging("mutate", gate("", 0, 0)?, Webhook::Mutate, &ONE_CONTAINER),
        judging("mutate", gate("", 0, 0)?, Webhook::Mutate, &REPAIRED),
        judging("drop-in", drop_in()?, Webhook::Validate, &ONE_CONTAINER),
        judging("drop-in", drop_in()?, Webhook::Validate, &SIXTEEN_CONTAINERS),
        judging("drop-in", drop_in()?, Webhook::Validate, &DENIED),
        with_identity(&ONE_CONTAINER)?,
        with_identity(&SIXTEEN_CONTAINERS)?,
        evaluating(&ONE_CONTAINER)?,
        evaluating(&SIXTEEN_CONTAINERS)?,
    ];
    for (what, other) in [("by-name", "namespaces: [elsewhere]"), ("by-selector", SELECTOR)] {
        for count in [1, 10, 1000] {
            let reviewer = gate(other, count, 0)?;
            let name = format!("policies-{what}-{count}");
            turns.push(judging(&name, reviewer, Webhook::Validate, &ONE_CONTAINER));
        }
    }
    for count in [10, 10_000] {
        let reviewer = gate("", 0, count)?;
        turns.push(judging(&format!("namespaces-{count}"), reviewer, Webhook::Validate, &ONE_CONTAINER));
    }
    turns.extend(
        growth::reviewers()?
            .into_iter()
            .map(|(name, reviewer)| judging(&name, reviewer, Webhook::Validate, &ONE_CONTAINER)),
    );
    turns.extend(by_controls()?);
    turns.extend(linting()?);
    Ok(turns)
}

/// The linter over plain Pods, and over as many custom resources: for each manifest.
fn linting() -> Result<Vec<Turn>> {
    let files = kinds::write(&scratch("kinds")?)?;
    let turns = files.into_iter().zip(["pod", "custom-resource"]).map(|(file, name)| {
        let once = move || drop(black_box(kinds::lint(&file)));
        let times = kinds::MANIFESTS as u64;
        Turn { name: format!("lint/{name}"), times, per_call: times, once: Box::new(once) }
    });
    Ok(turns.collect())
}

fn judging(name: &str, reviewer: Reviewer, webhook: Webhook, payload: &'static Payload) -> Turn {
    let once = move || {
        let reply = reviewer.review(webhook, black_box(payload.review), &Answers::default());
        drop(black_box(reply.map(podgate::admission::Reply::answer)));
    };
    Turn { name: format!("{name}/{}", payload.name), times: TIMES, per_call: 1, once: Box::new(once) }
}

/// A pod that asks for an identity of Azure, and is given one.
fn with_identity(payload: &'static Payload) -> Result<Turn> {
    // The label is put into the text, so that members keep the order in which an API server sends them.
    let (before, behind) =
        str::from_utf8(payload.review)?.split_once("\"labels\":{").ok_or("the pod has no labels")?;
    let review = format!("{before}\"labels\":{{\"{AZURE_LABEL}\":\"true\",{behind}");
    // For as long as the process lives, as the other payloads.
    let payload: &'static Payload =
        Box::leak(Box::new(Payload { name: payload.name, review: review.into_bytes().leak() }));
    let account = ServiceAccount::new(
        [("azure.workload.identity/client-id", "0a0a0a0a-1111-4222-8333-444444444444")],
        [],
    );
    let gate = gate("", 0, 0)?;
    let mut snapshot = Snapshot::clone(gate.snapshot());
    snapshot.insert_service_account("ml-team-a", "trainer", account);
    let mut providers = Providers::default();
    providers.add(Azure::new(AzureSettings::of_tenant("99999999-aaaa-4bbb-8ccc-dddddddddddd"))?);
    let gate = gate.with_snapshot(Arc::new(snapshot)).with_providers(Arc::new(providers));
    Ok(judging("identity-mutate", gate, Webhook::Mutate, payload))
}

fn evaluating(payload: &Payload) -> Result<Turn> {
    let review: serde_json::Value = serde_json::from_slice(payload.review)?;
    // For as long as the process lives, as the pod borrows from it.
    let object: &'static [u8] = serde_json::to_vec(&review["request"]["object"])?.leak();
    let pod = Pod::read(&mut Reader::new(object)?).map_err(|error| format!("{error:?}"))?;
    let standard: Standard = "restricted:latest".parse().map_err(|error| format!("{error:?}"))?;
    let once = move || drop(black_box(by_standard(&standard, black_box(&pod))));
    let name = format!("evaluate/{}", payload.name);
    Ok(Turn { name, times: TIMES_OF_EVALUATOR, per_call: 1, once: Box::new(once) })
}

/// The evaluator with each control beyond the standard, over a pod that passes.
fn by_controls() -> Result<Vec<Turn>> {
    // For as long as the process lives, as the pod borrows from it.
    let object: &'static [u8] = controls::passing(ONE_CONTAINER.review)?.leak();
    let turn = |(name, policies): (String, PolicySet)| {
        let pod = Pod::read(&mut Reader::new(object)?).map_err(|error| format!("{error:?}"))?;
        let violations = evaluate(policies.security.iter(), &pod, Context::CREATE).violations.len();
        if violations > 0 {
            return Err(format!("the pod does not pass {name}").into());
        }
        let once = move || {
            drop(black_box(evaluate(policies.security.iter(), black_box(&pod), Context::CREATE)));
        };
        let name = format!("controls/{name}");
        Ok(Turn { name, times: TIMES_OF_EVALUATOR, per_call: 1, once: Box::new(once) })
    };
    controls::policies()?.into_iter().map(turn).collect()
}

const SELECTOR: &str = "namespaceSelector: {matchLabels: {team: elsewhere}}";

/// A reviewer by the built-in policy, which knows the namespace of the payloads; with so many other policies, each
/// with this `match`, which is not of that namespace, and with so many other namespaces.
fn gate(other: &str, policies: usize, namespaces: usize) -> Result<Reviewer> {
    let mut files = vec![BUILT_IN.to_owned()];
    for index in 0..policies {
        files.push(format!(
            "{{apiVersion: podgate.dev/v1alpha1, kind: SecurityPolicy, metadata: {{name: other-{index}}}, \
             spec: {{match: {{{other}}}, mode: Enforce, standard: {{enforce: \"restricted:latest\"}}}}}}"
        ));
    }
    reviewer(&files, ("podgate.dev/policy", "ml-restricted"), namespaces)
}

/// A reviewer as a drop-in for Kubernetes' own admission, where the namespace asks for restricted.
fn drop_in() -> Result<Reviewer> {
    let configuration =
        "{apiVersion: pod-security.admission.config.k8s.io/v1, kind: PodSecurityConfiguration}";
    reviewer(&[configuration.to_owned()], ("pod-security.kubernetes.io/enforce", "restricted"), 0)
}

fn reviewer(files: &[String], (label, value): (&str, &str), namespaces: usize) -> Result<Reviewer> {
    let mut policies = Policies::new(vec!["podgate-system".into()]);
    for file in files {
        read_file("a policy", file, &mut policies);
    }
    let mut snapshot = Snapshot::default();
    let labels = || BTreeMap::from([(label.to_owned(), value.to_owned())]);
    snapshot.insert("ml-team-a", labels());
    (0..namespaces).for_each(|index| snapshot.insert(&format!("namespace-{index}"), labels()));
    let policies = policies.finish().map_err(|faults| format!("{faults:?}"))?;
    Ok(Reviewer::new(policies, snapshot))
}
