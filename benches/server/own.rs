//! The bench started again as one of its own servers: the server of `podgate serve` with a handler of choice.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;

use arc_swap::ArcSwap;
use clap::Parser as _;
use podgate::admission::{Answer, Decision, Operation, Outcome, Reply, Reviewer, Unanswerable, Webhook};
use podgate::certificates::{CertificateWatch, TlsVersion};
use podgate::policy::{Answers, BUILT_IN, Policies, Snapshot, read_file};
use podgate::server::{Health, Metrics, ReviewHandler, Server, ServerArgs, Shutdown, Wiring};
use smallvec::SmallVec;

use crate::{PAYLOADS, Result};

/// Reads the body, and answers with fixed bytes.
struct Null {
    answer: Vec<u8>,
    skips: bool,
}

impl ReviewHandler for Null {
    fn review<'b>(
        &self,
        webhook: Webhook,
        body: &'b [u8],
        _: &Answers,
    ) -> std::result::Result<Reply<'b>, Unanswerable> {
        if self.skips {
            std::hint::black_box(serde_json::from_slice::<serde::de::IgnoredAny>(body).is_ok());
        }
        std::hint::black_box(body);
        let decision = Decision {
            webhook,
            outcome: Outcome::Allowed,
            code: 200,
            operation: Some(Operation::Create),
            uid: "".into(),
            kind: "".into(),
            subresource: "".into(),
            namespace: "".into(),
            name: "".into(),
            generate_name: "".into(),
            owner: None,
            is_dry_run: false,
            is_unjudged: false,
            has_remarks: false,
            policies: SmallVec::new(),
            exceptions: SmallVec::new(),
            exemptions: SmallVec::new(),
            identities: SmallVec::new(),
            findings: Vec::new(),
            filled_in: Vec::new(),
            refusal_code: String::new(),
            patch_operations: 0,
            pod_security: SmallVec::new(),
            error: String::new(),
        };
        Ok(Reply::Answer(Answer { body: self.answer.clone(), decision }))
    }
}

fn reviewer() -> Result<Reviewer> {
    let mut policies = Policies::new(vec!["podgate-system".into()]);
    read_file("built in", BUILT_IN, &mut policies);
    let mut namespaces = Snapshot::default();
    let labels = BTreeMap::from([("podgate.dev/policy".to_owned(), "ml-restricted".to_owned())]);
    namespaces.insert("ml-team-a", labels);
    let policies = policies.finish().map_err(|faults| format!("{faults:?}"))?;
    Ok(Reviewer::new(policies, namespaces))
}

#[derive(clap::Parser)]
struct Arguments {
    #[command(flatten)]
    server: ServerArgs,
}

/// Serves until killed, where `PODGATE_LISTEN` and `PODGATE_ADMIN_LISTEN` say, with the certificate of a folder.
pub(crate) fn serve(kind: &str, folder: &Path) -> Result<()> {
    let Arguments { server } = Arguments::try_parse_from(["bench"])?;
    let review: Arc<dyn ReviewHandler> = match kind {
        "null" | "skipping" => Arc::new(Null {
            answer: reviewer()?
                .review(Webhook::Validate, PAYLOADS[0].review, &Answers::default())?
                .answer()
                .ok_or("nothing to look up")?
                .body,
            skips: kind == "skipping",
        }),
        _ => {
            tracing_subscriber::fmt().with_ansi(false).with_target(false).with_writer(io::stderr).init();
            Arc::new(ArcSwap::from_pointee(reviewer()?))
        }
    };
    let (_, loaded) =
        CertificateWatch::start(&folder.join("tls.crt"), &folder.join("tls.key"), TlsVersion::V1_3)?;
    let wiring = Wiring {
        tls: Arc::new(ArcSwap::new(loaded.config)),
        review,
        resolver: None,
        health: Health::default(),
        metrics: Arc::new(Metrics::new()?),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        Server::bind(&server, wiring).await?.run(Shutdown::default()).await;
        Ok(())
    })
}
