//! `podgate survey identity`: which identity every pod has, and what its migration from AAD Pod Identity lacks.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use k8s_openapi::api::core::v1::ServiceAccount as AccountObject;
use kube::core::ObjectMeta;
use tokio::runtime::Builder;

use crate::cli::connection::{ConnectionArgs, is_nobody, unreached, without_password};
use crate::cli::exit_code::{ALL_WELL, REFUSED, UNREAD};
use crate::cli::report_format::ReportFormat;
use crate::cli::sources::{SourceFile, namespace, read_paths};
use crate::cluster::{ApiError, Cluster, ListedPodIdentities};
use crate::identity::ServiceAccount;
use crate::json::Reader;
use crate::lint::{Objects, read_objects};
use crate::pod::Pod;
use crate::policy::Snapshot;
use crate::survey::{IdentitySurvey, SurveyFormat, SurveySummary, SurveyWriter, SurveyedPod};
use crate::text::one_line;

/// Report every pod's identity, and what is missing to move it from AAD Pod Identity to workload identity.
///
/// Reads pods, service accounts, AzureIdentities and AzureIdentityBindings: of the cluster, or of files (--objects). Exit codes:
/// 0 nothing is missing, 1 something is, 2 wrong usage, or no cluster was reached, 3 something could not be read.
#[derive(Debug, clap::Args)]
pub(crate) struct SurveyIdentityArgs {
    /// The form of the report.
    #[arg(long, env = "PODGATE_FORMAT", value_name = "FORMAT", default_value = "text")]
    format: ReportFormat,

    /// File or folder with the objects, in place of a cluster: what kubectl get -A -o yaml writes; repeat it for more.
    #[arg(long, value_name = "PATH", env = "PODGATE_OBJECTS", value_delimiter = ',', conflicts_with_all = ["kubeconfig", "context"])]
    objects: Vec<PathBuf>,

    /// Only the pods of this namespace.
    #[arg(short, long, value_name = "NAME", value_parser = namespace)]
    namespace: Option<String>,

    #[command(flatten)]
    connection: ConnectionArgs,
}

/// Writes a report of pods.
struct PodReporter<'r, W> {
    survey: IdentitySurvey<'r>,
    writer: SurveyWriter<'r, W>,
}

impl SurveyIdentityArgs {
    pub(super) fn run(&self, output: &mut impl Write) -> Result<u8> {
        let summary = if self.objects.is_empty() {
            let runtime = Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(Box::pin(self.of_cluster(output)))?
        } else {
            self.of_files(output)?
        };
        output.flush()?;
        Ok(match summary {
            SurveySummary { missing: 1.., .. } => REFUSED,
            SurveySummary { unread: 1.., .. } => UNREAD,
            SurveySummary { .. } => ALL_WELL,
        })
    }

    fn writer<'r, W: Write>(&self, output: &'r mut W) -> io::Result<SurveyWriter<'r, W>> {
        let format = match self.format {
            ReportFormat::Text => SurveyFormat::Text,
            ReportFormat::Json => SurveyFormat::Json,
        };
        SurveyWriter::new(output, format)
    }

    fn of_files(&self, output: &mut impl Write) -> Result<SurveySummary> {
        let mut objects = Objects::default();
        let mut unread = Vec::new();
        for SourceFile { name, text } in read_paths(&self.objects, "object")? {
            if holds_nothing(&text) {
                let nothing = "there is nothing in it: did the program fail that should have written it?";
                unread.push(format!("{name}: {nothing}"));
                continue;
            }
            unread.extend(read_objects(&name, &text, &mut objects).iter().map(ToString::to_string));
        }
        let Objects { snapshot, pods, .. } = objects;
        let survey = IdentitySurvey { identities: snapshot.pod_identities(), accounts: &snapshot };
        let mut reporter = PodReporter { survey, writer: self.writer(output)? };
        unread.into_iter().for_each(|what| reporter.writer.unread(what));
        let is_meant = |of: &str| self.namespace.as_ref().is_none_or(|wanted| wanted == of);
        for (namespace, pods) in pods.iter().filter(|(namespace, _)| is_meant(namespace)) {
            let mut surveyed: BTreeMap<String, SurveyedPod> = BTreeMap::new();
            for pod in pods {
                if let Some(pod) = reporter.read(pod, Some(namespace)) {
                    surveyed.insert(pod.name.clone(), pod);
                }
            }
            for pod in surveyed.values() {
                reporter.writer.pod(pod)?;
            }
        }
        Ok(reporter.writer.finish()?)
    }

    async fn of_cluster(&self, output: &mut impl Write) -> Result<SurveySummary> {
        let (cluster, origin) = self.connection.cluster().await?;
        // Beside the report, so that a program that reads it is not disturbed.
        writeln!(io::stderr(), "podgate: looks at {}, by {origin}", without_password(cluster.server()))?;
        match cluster.version().await {
            Err(error) if is_nobody(&error) => return Err(unreached(&error, &origin)),
            _ => {}
        }
        let mut unread: Vec<String> = Vec::new();
        let listed = cluster.pod_identities().await;
        let ListedPodIdentities { known, unread: of_identities } = listed.unwrap_or_else(|error| {
            unread.push(in_words(&error));
            ListedPodIdentities::default()
        });
        unread.extend(of_identities);
        let accounts = service_accounts(&cluster).await.unwrap_or_else(|error| {
            unread.push(in_words(&error));
            Snapshot::default()
        });
        let survey = IdentitySurvey { identities: &known, accounts: &accounts };
        let mut reporter = PodReporter { survey, writer: self.writer(output)? };
        unread.into_iter().for_each(|what| reporter.writer.unread(what));
        let mut next: Option<String> = None;
        loop {
            let page = match cluster.page_of_pods(self.namespace.as_deref(), next.as_deref()).await {
                Ok(page) => page,
                Err(error) => {
                    reporter.writer.unread(in_words(&error));
                    break;
                }
            };
            for pod in &page.items {
                if let Some(pod) = reporter.read(pod.get(), None) {
                    reporter.writer.pod(&pod)?;
                }
            }
            next = page.next;
            if next.is_none() {
                break;
            }
        }
        Ok(reporter.writer.finish()?)
    }
}

impl<W: Write> PodReporter<'_, W> {
    /// What is to be reported of a pod, whose namespace may stand elsewhere. One that cannot be read is noted.
    fn read(&mut self, json: &str, namespace: Option<&str>) -> Option<SurveyedPod> {
        let read = || -> Result<SurveyedPod> {
            let pod = Pod::read(&mut Reader::new(json.as_bytes())?)?;
            let namespace = namespace.unwrap_or(&pod.metadata.namespace);
            let name = || format!("Pod {namespace}/{}", pod.metadata.name);
            self.survey.pod(&pod, namespace).with_context(name)
        };
        match read() {
            Ok(pod) => Some(pod),
            Err(error) => {
                self.writer.unread(format!("Pod: {error:#}"));
                None
            }
        }
    }
}

/// Whether a file has no object in it, but comments at most.
fn holds_nothing(text: &str) -> bool {
    text.lines().map(str::trim).all(|line| line.is_empty() || line.starts_with('#') || line == "---")
}

/// The service accounts of a cluster, with what an identity depends on.
async fn service_accounts(cluster: &Cluster) -> Result<Snapshot, ApiError> {
    let mut accounts = Snapshot::default();
    for metadata in cluster.list_metadata::<AccountObject>().await? {
        let ObjectMeta { name: Some(name), namespace: Some(namespace), annotations, labels, .. } = metadata
        else {
            continue;
        };
        let pairs = |map: &'_ Option<BTreeMap<String, String>>| map.clone().unwrap_or_default();
        let (annotations, labels) = (pairs(&annotations), pairs(&labels));
        let account = ServiceAccount::new(
            annotations.iter().map(|(key, value)| (key.as_str(), value.as_str())),
            labels.iter().map(|(key, value)| (key.as_str(), value.as_str())),
        );
        accounts.insert_service_account(&namespace, &name, account);
    }
    Ok(accounts)
}

/// An error of the API server and what to do about it, in one line.
fn in_words(error: &ApiError) -> String {
    one_line(&format!("{error}; {}", error.advice())).to_string()
}
