//! What the controls beyond the standard cost where they find nothing: no allocation, for any pod of theirs that passes.

use std::fs;
use std::path::{Path, PathBuf};

use podgate::controls::CONTROLS;
use podgate::evaluate::{Context, evaluate};
use podgate::json::Reader;
use podgate::pod::Pod;
use podgate::policy::{Policies, PolicySet, read_file};

use super::counted;

fn by(controls: &str) -> PolicySet {
    let text = format!(
        "apiVersion: podgate.dev/v1alpha1\nkind: SecurityPolicy\nmetadata: {{name: a}}\n\
         spec: {{match: {{namespaces: [any]}}, controls: {controls}}}\n"
    );
    let mut policies = Policies::new(vec!["podgate-system".into()]);
    read_file("a control", &text, &mut policies);
    policies.finish().unwrap()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn a_pod_that_passes_allocates_nothing() {
    let mut judged = 0;
    for id in CONTROLS.iter().map(|control| control.id) {
        let folder =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/controls").join(id).join("pass");
        for file in files(&folder) {
            let text = fs::read_to_string(&file).unwrap();
            if !text.contains("\nkind: Pod\n") {
                continue;
            }
            let json = podgate::yaml::read(&text).remove(0).unwrap().root.to_json();
            let pod = Pod::read(&mut Reader::new(&json).unwrap()).unwrap();
            let is_about = |controls: &&str| controls.contains(&format!("{id}:"));
            for controls in text.lines().filter_map(|line| line.strip_prefix("# controls: ")).filter(is_about)
            {
                let policies = by(controls);
                let (count, verdict) = counted(|| evaluate(policies.security.iter(), &pod, Context::CREATE));
                assert_eq!(verdict.controls().count(), 0, "{}", file.display());
                assert_eq!(count, 0, "{} by {controls}", file.display());
                judged += 1;
            }
        }
    }
    assert!(judged > 10, "{judged}");
}
