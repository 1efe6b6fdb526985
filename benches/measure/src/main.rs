//! What `benches/run` measures with: instructions of the whole server and of single functions, and the linter over a
//! tree of YAML.
//!
//! A program of its own beside the benches, since those are built with the features that tests ask for: this one is
//! linked from what the release is made of, and takes a link instead of a build. Where it needs itself under valgrind
//! it starts itself again.

#![expect(clippy::print_stdout, reason = "it prints what it measured")]

mod callgrind;
mod client;
mod controls;
mod crowd;
mod figures;
mod functions;
mod goals;
mod growth;
mod kinds;
mod lint;
#[path = "../../server/own.rs"]
mod own;
mod page;
mod servers;

use std::env;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use figures::{Figures, Outcome};

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// A review of `benches/payloads`.
struct Payload {
    name: &'static str,
    review: &'static [u8],
}

const ONE_CONTAINER: Payload =
    Payload { name: "one-container", review: include_bytes!("../../payloads/one-container.json") };
const SIXTEEN_CONTAINERS: Payload =
    Payload { name: "sixteen-containers", review: include_bytes!("../../payloads/sixteen-containers.json") };
const DENIED: Payload = Payload { name: "denied", review: include_bytes!("../../payloads/denied.json") };
const REPAIRED: Payload =
    Payload { name: "repaired", review: include_bytes!("../../payloads/repaired.json") };
const PAYLOADS: [Payload; 4] = [ONE_CONTAINER, SIXTEEN_CONTAINERS, DENIED, REPAIRED];

/// Whoever runs this tells figures that are not judged from figures that are too high.
const NOT_JUDGED: u8 = 3;

fn main() -> ExitCode {
    match run() {
        Ok(code) => code,
        Err(error) => {
            println!("FAILED: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<ExitCode> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match *arguments {
        ["instructions"] => instructions(),
        ["lint", tree] => lint::measure(Path::new(tree)),
        ["goals"] => page::put("goals", &goals::table()?).map(|()| ExitCode::SUCCESS),
        ["yaml", reader, list] => lint::read(reader, Path::new(list)),
        ["functions"] => functions::serve_turns(),
        ["null", folder] => own::serve("null", Path::new(folder)).map(|()| ExitCode::SUCCESS),
        _ => Err("usage: podgate-measure instructions | lint TREE | goals".into()),
    }
}

/// Counts everything, and judges it or, with `PODGATE_BLESS`, writes it down.
fn instructions() -> Result<ExitCode> {
    let measured =
        Figures::new(callgrind::environment()?, [servers::measure()?, functions::measure()?].concat());
    let path = repository().join("benches/measure/instructions.txt");
    if env::var_os("PODGATE_BLESS").is_some() {
        measured.write(&path)?;
        page::put("instructions", &measured.to_table())?;
        println!("written: {}", path.display());
        return Ok(ExitCode::SUCCESS);
    }
    let (outcome, report) = measured.judge(&Figures::read(&path)?);
    println!("{report}");
    let grown = goals::grown(&measured);
    if !grown.is_empty() {
        println!("these have grown with what is beside them: {}", grown.join(", "));
        return Ok(ExitCode::FAILURE);
    }
    Ok(match outcome {
        Outcome::Kept => ExitCode::SUCCESS,
        Outcome::Exceeded => ExitCode::FAILURE,
        Outcome::NotJudged => ExitCode::from(NOT_JUDGED),
    })
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The release, which was built beside this program.
fn podgate() -> Result<PathBuf> {
    let path = env::current_exe()?.with_file_name("podgate");
    if path.is_file() { Ok(path) } else { Err(format!("{} is not built", path.display()).into()) }
}

/// A folder of the target folder for the files of one measurement, empty.
fn scratch(name: &str) -> Result<PathBuf> {
    let folder = env::current_exe()?.with_file_name("measure").join(name);
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    std::fs::create_dir_all(&folder)?;
    Ok(folder)
}
