//! The report of a survey, for people and for programs, written as it comes.

use std::io::{self, Write};

use serde::Serialize;

use crate::survey::surveyed_pod::{LegacyIdentity, SurveyNote, SurveyState, SurveyedPod};
use crate::text::{counted, printable};

/// The version of the JSON form. A change that could break a reader is a new one.
const VERSION: u32 = 1;
/// Most things that could not be read that are named; all are counted.
const MOST_UNREAD: usize = 100;

/// The form of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SurveyFormat {
    /// For people: pods that have nothing to do with identities are only counted.
    Text,
    /// For programs: one object, with every pod.
    Json,
}

/// How many pods there are of each state, and what is missing.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SurveySummary {
    /// All pods.
    pub pods: usize,
    /// Those without an identity.
    pub none: usize,
    /// Those that can be migrated.
    pub ready: usize,
    /// Those that cannot.
    pub blocked: usize,
    /// Those that are migrated.
    pub migrated: usize,
    /// Those with workload identity alone.
    pub workload_identity: usize,
    /// Those that lack something.
    pub missing: usize,
    /// What could not be read.
    pub unread: usize,
}

/// Writes a report, pod by pod.
#[derive(Debug)]
pub struct SurveyWriter<'w, W> {
    output: &'w mut W,
    format: SurveyFormat,
    summary: SurveySummary,
    unread: Vec<String>,
}

impl<'w, W: Write> SurveyWriter<'w, W> {
    /// Begins a report.
    ///
    /// # Errors
    /// Those of `output`.
    pub fn new(output: &'w mut W, format: SurveyFormat) -> io::Result<Self> {
        if format == SurveyFormat::Json {
            write!(output, "{{\"version\":{VERSION},\"pods\":[")?;
        }
        Ok(Self { output, format, summary: SurveySummary::default(), unread: Vec::new() })
    }

    /// Writes what is known of a pod.
    ///
    /// # Errors
    /// Those of the output.
    pub fn pod(&mut self, pod: &SurveyedPod) -> io::Result<()> {
        let summary = &mut self.summary;
        summary.pods += 1;
        summary.missing += usize::from(!pod.missing.is_empty());
        let of_state = match pod.state {
            SurveyState::None => &mut summary.none,
            SurveyState::Ready => &mut summary.ready,
            SurveyState::Blocked => &mut summary.blocked,
            SurveyState::Migrated => &mut summary.migrated,
            SurveyState::WorkloadIdentity => &mut summary.workload_identity,
        };
        *of_state += 1;
        match self.format {
            SurveyFormat::Json => {
                if self.summary.pods > 1 {
                    self.output.write_all(b",")?;
                }
                serde_json::to_writer(&mut *self.output, pod)?;
                Ok(())
            }
            SurveyFormat::Text if pod.is_notable() => write_pod(pod, self.output),
            SurveyFormat::Text => Ok(()),
        }
    }

    /// Keeps that something could not be read, and why.
    pub fn unread(&mut self, what: String) {
        self.summary.unread += 1;
        if self.unread.len() < MOST_UNREAD {
            self.unread.push(what);
        }
    }

    /// Ends the report.
    ///
    /// # Errors
    /// Those of the output.
    pub fn finish(self) -> io::Result<SurveySummary> {
        let Self { output, format, summary, unread } = self;
        match format {
            SurveyFormat::Json => {
                output.write_all(b"],\"unread\":")?;
                serde_json::to_writer(&mut *output, &unread)?;
                output.write_all(b",\"summary\":")?;
                serde_json::to_writer(&mut *output, &summary)?;
                writeln!(output, "}}")?;
            }
            SurveyFormat::Text => {
                for what in &unread {
                    writeln!(output, "unread: {}", shown(what))?;
                }
                write_summary(&summary, output)?;
            }
        }
        Ok(summary)
    }
}

fn shown(text: &str) -> impl std::fmt::Display + '_ {
    printable(text, usize::MAX)
}

fn write_pod(pod: &SurveyedPod, output: &mut impl Write) -> io::Result<()> {
    let state = match pod.state {
        SurveyState::None => "no identity",
        SurveyState::Ready => "AAD Pod Identity, ready to migrate",
        SurveyState::Blocked => "AAD Pod Identity, cannot be migrated yet",
        SurveyState::Migrated => "AAD Pod Identity and workload identity",
        SurveyState::WorkloadIdentity => "workload identity",
    };
    write!(output, "{}/{}", shown(&pod.namespace), shown(&pod.name))?;
    if let Some(owner) = &pod.owner {
        write!(output, " ({})", shown(owner))?;
    }
    writeln!(output, ": {state}")?;
    if let Some(legacy) = &pod.aad_pod_identity {
        write_legacy(legacy, output)?;
    }
    write!(output, "  service account: {}", shown(&pod.service_account))?;
    match &pod.target {
        Some(target) if target.service_account != pod.service_account => {
            writeln!(output, " -> {}", shown(&target.service_account))?;
        }
        Some(_) | None => writeln!(output)?,
    }
    for (word, notes) in [("missing", &pod.missing), ("check", &pod.check)] {
        for SurveyNote { code, text } in notes {
            writeln!(output, "  {word}: {code}: {}", shown(text))?;
        }
    }
    Ok(())
}

fn write_legacy(legacy: &LegacyIdentity, output: &mut impl Write) -> io::Result<()> {
    write!(output, "  aadpodidbinding: {}", shown(&legacy.selector))?;
    if let Some(binding) = &legacy.binding {
        write!(output, " -> AzureIdentityBinding {}", shown(binding))?;
    }
    if let Some(identity) = &legacy.identity {
        write!(output, " -> AzureIdentity {}", shown(identity))?;
    }
    if let (Some(identity_type), Some(client_id)) = (legacy.identity_type, &legacy.client_id) {
        write!(output, " (type {identity_type}, client id {})", shown(client_id))?;
    }
    writeln!(output)
}

fn write_summary(summary: &SurveySummary, output: &mut impl Write) -> io::Result<()> {
    if summary.pods == 0 {
        writeln!(output, "no pods were found: there is nothing to tell of")?;
    } else {
        write_counts(summary, output)?;
    }
    if summary.unread > 0 {
        let unread = counted(summary.unread, "object");
        writeln!(output, "{unread} could not be read: the report is not complete")?;
    }
    Ok(())
}

fn write_counts(summary: &SurveySummary, output: &mut impl Write) -> io::Result<()> {
    let SurveySummary { pods, none, ready, blocked, migrated, workload_identity, missing, .. } = *summary;
    writeln!(
        output,
        "{}: {ready} ready to migrate, {blocked} cannot be migrated yet, {migrated} migrated, {workload_identity} with \
         workload identity alone, {none} without an identity; {missing} lack something",
        counted(pods, "pod")
    )
}

#[cfg(test)]
mod tests {
    use crate::survey::surveyed_pod::SurveyTarget;

    use super::*;

    fn pod(name: &str, state: SurveyState) -> SurveyedPod {
        SurveyedPod {
            namespace: "team".to_owned(),
            name: name.to_owned(),
            owner: None,
            service_account: "default".to_owned(),
            state,
            aad_pod_identity: None,
            workload_identity: None,
            target: None,
            missing: Vec::new(),
            check: Vec::new(),
        }
    }

    fn written(format: SurveyFormat, pods: &[SurveyedPod], unread: &[&str]) -> String {
        let mut output = Vec::new();
        let mut writer = SurveyWriter::new(&mut output, format).unwrap();
        pods.iter().for_each(|pod| writer.pod(pod).unwrap());
        unread.iter().for_each(|what| writer.unread((*what).to_owned()));
        writer.finish().unwrap();
        String::from_utf8(output).unwrap()
    }

    #[test]
    fn for_people() {
        let legacy = LegacyIdentity {
            selector: "ml".to_owned(),
            binding: Some("team/b".to_owned()),
            identity: Some("team/i".to_owned()),
            identity_type: Some(0),
            client_id: Some("0a".to_owned()),
        };
        let target = SurveyTarget { service_account: "wi".to_owned(), subject: "s".to_owned() };
        let ready = SurveyedPod {
            owner: Some("Job j".to_owned()),
            aad_pod_identity: Some(legacy),
            target: Some(target),
            check: vec![SurveyNote { code: "sdk", text: "new\nenough".to_owned() }],
            ..pod("a", SurveyState::Ready)
        };
        let expected = "team/a (Job j): AAD Pod Identity, ready to migrate\n  aadpodidbinding: ml -> \
                        AzureIdentityBinding team/b -> AzureIdentity team/i (type 0, client id 0a)\n  service account: \
                        default -> wi\n  check: sdk: new\\u{a}enough\nunread: x\n2 pods: 1 ready to migrate, 0 cannot be \
                        migrated yet, 0 migrated, 0 with workload identity alone, 1 without an identity; 0 lack \
                        something\n1 object could not be read: the report is not complete\n";
        assert_eq!(written(SurveyFormat::Text, &[ready, pod("b", SurveyState::None)], &["x"]), expected);
    }

    #[test]
    fn for_programs() {
        let pods = [pod("a", SurveyState::None), pod("b", SurveyState::WorkloadIdentity)];
        let text = written(SurveyFormat::Json, &pods, &["x"]);
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(json["pods"][1]["state"], "workloadIdentity");
        assert_eq!((&json["unread"][0], &json["summary"]["none"]), (&"x".into(), &1.into()));
        assert_eq!(written(SurveyFormat::Json, &[], &[]).lines().count(), 1);
        let many: Vec<&str> = vec!["x"; 200];
        let json: serde_json::Value = serde_json::from_str(&written(SurveyFormat::Json, &[], &many)).unwrap();
        assert_eq!(json["unread"].as_array().unwrap().len(), MOST_UNREAD);
        assert_eq!(json["summary"]["unread"], 200);
    }
}
