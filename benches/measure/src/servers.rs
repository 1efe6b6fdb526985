//! Instructions of the whole server under TLS for each review: the release itself, and the null handler on the same
//! stack.

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use rcgen::{CertificateParams, KeyPair};

use crate::callgrind::Callgrind;
use crate::client::Client;
use crate::{DENIED, ONE_CONTAINER, Payload, REPAIRED, Result, SIXTEEN_CONTAINERS, podgate, scratch};

/// Far longer than a start under valgrind takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);
/// On each connection: what a server does at its first reviews alone is over.
const WARM_UP: usize = 10;
/// On each connection: enough that what happens beside reviews, as a timer's tick, is far below a hundredth.
const TIMES: usize = 75;

/// What a server is asked, and whether it must allow it.
struct Question {
    path: &'static str,
    payload: &'static Payload,
    is_allowed: bool,
}

const fn validate(payload: &'static Payload, is_allowed: bool) -> Question {
    Question { path: "/validate", payload, is_allowed }
}

const NULL: &[Question] = &[validate(&ONE_CONTAINER, true), validate(&SIXTEEN_CONTAINERS, true)];
const DROP_IN: &[Question] =
    &[validate(&ONE_CONTAINER, true), validate(&SIXTEEN_CONTAINERS, true), validate(&DENIED, false)];
const GATE: &[Question] = &[
    validate(&ONE_CONTAINER, true),
    validate(&SIXTEEN_CONTAINERS, true),
    validate(&DENIED, false),
    Question { path: "/mutate", payload: &ONE_CONTAINER, is_allowed: true },
    Question { path: "/mutate", payload: &REPAIRED, is_allowed: true },
];

/// Each measure's name and figure.
pub(crate) fn measure() -> Result<Vec<(String, u64)>> {
    let folder = scratch("servers")?;
    let certificate = write_files(&folder)?;
    let mut figures = Vec::new();
    for (name, questions) in [("null", NULL), ("gate", GATE), ("drop-in", DROP_IN)] {
        figures.extend(of_server(name, questions, &folder, &certificate)?);
    }
    Ok(figures)
}

/// What all servers are given; returns the certificate, in PEM.
fn write_files(folder: &Path) -> Result<String> {
    let key = KeyPair::generate()?;
    let certificate = CertificateParams::new(vec!["localhost".to_owned()])?.self_signed(&key)?.pem();
    let namespace = "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: ml-team-a\n  labels: \
        {podgate.dev/policy: ml-restricted, pod-security.kubernetes.io/enforce: restricted}\n";
    let configuration =
        "apiVersion: pod-security.admission.config.k8s.io/v1\nkind: PodSecurityConfiguration\n";
    for (name, text) in [
        ("tls.crt", &*certificate),
        ("tls.key", &key.serialize_pem()),
        ("namespace.yaml", namespace),
        ("configuration.yaml", configuration),
    ] {
        fs::write(folder.join(name), text)?;
    }
    Ok(certificate)
}

/// One worker, so that who takes which connection is no matter of luck.
fn command(name: &str, folder: &Path, (address, admin): (SocketAddr, SocketAddr)) -> Result<Command> {
    let mut command = if name == "null" {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("null").arg(folder);
        command
    } else {
        let mut command = Command::new(podgate()?);
        command.arg("serve").arg("--objects").arg(folder.join("namespace.yaml"));
        command.arg("--tls-cert").arg(folder.join("tls.crt")).arg("--tls-key").arg(folder.join("tls.key"));
        if name == "drop-in" {
            command.arg("--policy").arg(folder.join("configuration.yaml"));
        }
        command
    };
    for (variable, _) in std::env::vars_os() {
        if variable.as_encoded_bytes().starts_with(b"PODGATE_") {
            command.env_remove(variable);
        }
    }
    command
        .env("TOKIO_WORKER_THREADS", "1")
        .env("PODGATE_LISTEN", address.to_string())
        .env("PODGATE_ADMIN_LISTEN", admin.to_string());
    Ok(command)
}

fn of_server(
    name: &str,
    questions: &[Question],
    folder: &Path,
    certificate: &str,
) -> Result<Vec<(String, u64)>> {
    let (address, admin) = (free_address()?, free_address()?);
    let outputs = scratch(name)?;
    let mut server = Callgrind::start(&command(name, folder, (address, admin))?, &outputs)?;
    let started = Instant::now();
    while TcpStream::connect(address).is_err() {
        if started.elapsed() > PATIENCE || server.child.try_wait()?.is_some() {
            return Err(
                format!("{name} does not start: {}", fs::read_to_string(outputs.join("errors"))?).into()
            );
        }
        thread::sleep(Duration::from_millis(20));
    }
    let mut client = Client::connect(address, certificate)?;
    client.ask("/validate", ONE_CONTAINER.review, 1)?;
    server.instrument()?;
    let mut figures = Vec::new();
    for Question { path, payload, is_allowed } in questions {
        let answer: serde_json::Value =
            serde_json::from_slice(&client.ask(path, payload.review, WARM_UP)?)?;
        if answer["response"]["allowed"] != *is_allowed {
            return Err(format!("{name} on {path} of {}: {}", payload.name, answer["response"]).into());
        }
        let count = server.count(|_| client.ask(path, payload.review, TIMES))?;
        let figure = (format!("server/{name}{path}/{}", payload.name), count / Client::requests(TIMES));
        println!("{} {}", figure.0, figure.1);
        figures.push(figure);
    }
    Ok(figures)
}

fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}
