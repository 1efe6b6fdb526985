//! Writes what the fuzzer starts from, beside the corpora: `seeds FOLDER`, with a folder in it for each target.
//!
//! The fixtures of the tests are YAML; the targets that take JSON get them as kubectl would send them.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

// The library counts its branches for it.
use libfuzzer_sys as _;
use podgate::yaml;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = PathBuf::from(std::env::args_os().nth(1).ok_or("usage: seeds FOLDER")?);
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures");
    for path in files(&fixtures.join("controls"))? {
        let text = fs::read_to_string(&path)?;
        let name = name_of(&path, &fixtures);
        for document in yaml::read(&text).into_iter().flatten() {
            let json = String::from_utf8(document.root.to_json())?;
            for target in ["json", "pod", "patch"] {
                write(&folder, target, &name, &json)?;
            }
            write(&folder, "envelope", &name, &review(&json))?;
        }
        write(&folder, "manifest", &name, &text)?;
    }
    for path in files(&fixtures.join("policies"))? {
        write(&folder, "policy", &name_of(&path, &fixtures), &fs::read_to_string(&path)?)?;
    }
    Ok(())
}

fn files(folder: &Path) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() { files.extend(self::files(&path)?) } else { files.push(path) }
    }
    files.sort();
    Ok(files)
}

fn name_of(path: &Path, folder: &Path) -> String {
    let relative = path.strip_prefix(folder).unwrap_or(path);
    relative.to_string_lossy().replace(std::path::MAIN_SEPARATOR, "-")
}

fn write(folder: &Path, target: &str, name: &str, text: &str) -> Result<(), Box<dyn Error>> {
    let folder = folder.join(target);
    fs::create_dir_all(&folder)?;
    Ok(fs::write(folder.join(name), text)?)
}

/// The review that asks about a new pod.
fn review(pod: &str) -> String {
    format!(
        r#"{{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{{"uid":"7","kind":{{"group":"","version":"v1","kind":"Pod"}},"resource":{{"group":"","version":"v1","resource":"pods"}},"namespace":"ml-team-a","operation":"CREATE","object":{pod},"oldObject":null}}}}"#
    )
}
