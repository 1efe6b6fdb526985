//! Writes a tree of YAML to lint: 1,400 manifests of many kinds, and 100 MB of custom resource definitions, as a
//! repository of a cluster has them. The same bytes on every machine.
//!
//! `benches/run tree` makes it in `target/tree`. It needs nothing but the standard library, so that
//! `rustc -O --edition 2024 benches/measure/src/bin/tree.rs` makes the program, too.

#![expect(clippy::print_stderr, reason = "it is a program of the terminal")]

use std::env;
use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::iter;
use std::path::Path;
use std::process::ExitCode;

const MANIFESTS: usize = 1400;
/// Of all definitions together.
const BYTES_OF_DEFINITIONS: usize = 100_000_000;
/// Of the first file of definitions: all those of a cluster in one, as `kubectl get` writes them.
const LARGEST: usize = 12_000_000;
/// Of the others, in turn: from a plain operator's to those that carry whole pod templates; the last is a chart's
/// bundle of several.
const SIZES: [usize; 10] =
    [20_000, 60_000, 150_000, 300_000, 500_000, 800_000, 1_200_000, 40_000, 400_000, 3_000_000];
/// Of one definition in a bundle.
const OF_ONE: usize = 1_200_000;

/// Pseudo-random numbers, the same for the same seed (xorshift).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % limit as u64).unwrap_or(0)
    }

    fn of<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words.get(self.below(words.len())).copied().unwrap_or_default()
    }
}

const NAMES: [&str; 24] = [
    "replicas",
    "template",
    "selector",
    "strategy",
    "image",
    "resources",
    "limits",
    "affinity",
    "tolerations",
    "volumes",
    "configMapRef",
    "secretName",
    "schedule",
    "timeoutSeconds",
    "minReplicas",
    "nodeSelector",
    "annotations",
    "endpoints",
    "storage",
    "retention",
    "labels",
    "priorityClassName",
    "ports",
    "metrics",
];
const WORDS: [&str; 32] = [
    "the",
    "a",
    "of",
    "pod",
    "pods",
    "that",
    "is",
    "are",
    "must",
    "may",
    "field",
    "value",
    "specified",
    "defaults",
    "to",
    "in",
    "namespace",
    "controller",
    "when",
    "not",
    "this",
    "name",
    "will",
    "be",
    "by",
    "resource",
    "and",
    "node",
    "list",
    "set",
    "only",
    "container",
];
const MODELS: [&str; 8] = ["bert", "llama", "whisper", "resnet", "mixtral", "t5", "clip", "gemma"];
const TEAMS: [&str; 6] = ["ml-team-a", "ml-team-b", "vision", "speech", "ranking", "platform"];

fn main() -> ExitCode {
    let Some(folder) = env::args_os().nth(1) else {
        eprintln!("usage: tree FOLDER");
        return ExitCode::from(2);
    };
    match write_tree(Path::new(&folder)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("tree: {error}");
            ExitCode::FAILURE
        }
    }
}

fn write_tree(folder: &Path) -> Result<(), Box<dyn Error>> {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for index in 0..MANIFESTS {
        let folder = folder.join("apps").join(random.of(&TEAMS)).join(format!("group-{}", index % 25));
        fs::create_dir_all(&folder)?;
        let mut text = String::new();
        manifest(&mut text, index, &mut random);
        fs::write(folder.join(format!("manifest-{index}.yaml")), text)?;
    }
    let (mut written, folder) = (0, folder.join("crds"));
    fs::create_dir_all(&folder)?;
    for (index, size) in iter::once(&LARGEST).chain(SIZES.iter().cycle()).enumerate() {
        if written >= BYTES_OF_DEFINITIONS {
            break;
        }
        let mut text = String::new();
        while text.len() < *size {
            let left = (size - text.len()).min(OF_ONE);
            definition(&mut text, left, index, &mut random);
        }
        written += text.len();
        fs::write(folder.join(format!("definitions-{index}.yaml")), text)?;
    }
    Ok(())
}

/// One file: mostly one object, every seventh with others beside it.
fn manifest(text: &mut String, index: usize, random: &mut Random) {
    object(text, index, random);
    if index.is_multiple_of(7) {
        for other in 0..3 {
            text.push_str("---\n");
            object(text, index + other + 1, random);
        }
    }
}

fn object(text: &mut String, index: usize, random: &mut Random) {
    let name = format!("{}-{index}", random.of(&MODELS));
    let head = |text: &mut String, version: &str, kind: &str, random: &mut Random| {
        let _ = write!(
            text,
            "apiVersion: {version}\nkind: {kind}\nmetadata:\n  name: {name}\n  namespace: {}\n  labels:\n    \
             app.kubernetes.io/name: {name}\n    app.kubernetes.io/part-of: training\n",
            random.of(&TEAMS)
        );
    };
    match index % 14 {
        0 => {
            head(text, "v1", "Pod", random);
            text.push_str("spec:\n");
            pod_spec(text, 2, random);
        }
        1..=3 => {
            let kind = ["Deployment", "StatefulSet", "DaemonSet"][index % 14 - 1];
            head(text, "apps/v1", kind, random);
            let _ = write!(text, "spec:\n  selector:\n    matchLabels:\n      app: {name}\n  template:\n");
            template(text, 4, &name, random);
        }
        4 => {
            head(text, "batch/v1", "Job", random);
            text.push_str("spec:\n  backoffLimit: 3\n  template:\n");
            template(text, 4, &name, random);
        }
        5 => {
            head(text, "batch/v1", "CronJob", random);
            text.push_str("spec:\n  schedule: '*/5 * * * *'\n  jobTemplate:\n    spec:\n      template:\n");
            template(text, 8, &name, random);
        }
        6 => {
            head(text, "kubeflow.org/v1", "PyTorchJob", random);
            text.push_str("spec:\n  pytorchReplicaSpecs:\n");
            for role in ["Master", "Worker"] {
                let _ = write!(text, "    {role}:\n      replicas: 1\n      template:\n");
                template(text, 8, &name, random);
            }
        }
        7 => {
            head(text, "ray.io/v1", "RayCluster", random);
            text.push_str("spec:\n  headGroupSpec:\n    rayStartParams: {}\n    template:\n");
            template(text, 6, &name, random);
        }
        8 => {
            head(text, "v1", "ConfigMap", random);
            text.push_str("data:\n  train.yaml: |\n");
            for line in 0..random.below(60) {
                let _ = writeln!(text, "    key_{line}: {}  # {}", random.below(1000), random.of(&WORDS));
            }
        }
        9 => {
            head(text, "v1", "Service", random);
            let _ = write!(text, "spec:\n  selector: {{app: {name}}}\n  ports: [{{port: 80, name: http}}]\n");
        }
        10 => {
            head(text, "v1", "ServiceAccount", random);
            text.push_str("automountServiceAccountToken: false\n");
        }
        11 => {
            head(text, "rbac.authorization.k8s.io/v1", "Role", random);
            text.push_str(
                "rules:\n- apiGroups: [\"\"]\n  resources: [pods, configmaps]\n  verbs: [get, list]\n",
            );
        }
        12 => {
            head(text, "networking.k8s.io/v1", "NetworkPolicy", random);
            text.push_str("spec:\n  podSelector: {}\n  policyTypes:\n  - Ingress\n  - Egress\n");
        }
        _ => {
            head(text, "monitoring.coreos.com/v1", "PrometheusRule", random);
            text.push_str("spec:\n  groups:\n  - name: training\n    rules:\n");
            for rule in 0..random.below(20) {
                let _ = write!(
                    text,
                    "    - alert: Alert{rule}\n      expr: |\n        sum(rate(steps_total[5m])) < {rule}\n      \
                     annotations:\n        summary: \"{}\"\n",
                    sentence(random, 8)
                );
            }
        }
    }
}

fn template(text: &mut String, indent: usize, name: &str, random: &mut Random) {
    let blank = " ".repeat(indent);
    let _ = write!(text, "{blank}metadata:\n{blank}  labels:\n{blank}    app: {name}\n{blank}spec:\n");
    pod_spec(text, indent + 2, random);
}

/// One in twelve is to be refused, and some containers leave out what can be filled in.
fn pod_spec(text: &mut String, indent: usize, random: &mut Random) {
    let blank = " ".repeat(indent);
    let _ = write!(
        text,
        "{blank}restartPolicy: Always\n{blank}hostNetwork: {}\n{blank}securityContext:\n{blank}  \
         runAsNonRoot: true\n{blank}  seccompProfile: {{type: RuntimeDefault}}\n{blank}containers:\n",
        random.below(12) == 0
    );
    for container in 0..=random.below(3) {
        let _ = write!(
            text,
            "{blank}- name: worker-{container}\n{blank}  image: registry.example.com/ml/{}:{}.{}\n{blank}  \
             args: [\"--config\", \"/etc/train/config.yaml\"]\n{blank}  env:\n",
            random.of(&MODELS),
            random.below(9),
            random.below(9)
        );
        for variable in 0..random.below(8) {
            let value = random.of(&WORDS);
            let _ = write!(text, "{blank}  - name: SETTING_{variable}\n{blank}    value: \"{value}\"\n");
        }
        let _ = write!(
            text,
            "{blank}  - {{name: NCCL_DEBUG, value: INFO}}\n{blank}  # what the scheduler counts with\n{blank}  \
             resources:\n{blank}    limits:\n{blank}      nvidia.com/gpu: 1\n{blank}      memory: 64Gi\n"
        );
        if random.below(8) > 0 {
            let _ = write!(
                text,
                "{blank}  securityContext:\n{blank}    allowPrivilegeEscalation: false\n{blank}    \
                 capabilities:\n{blank}      drop:\n{blank}      - ALL\n"
            );
        }
    }
}

/// A definition of about so many bytes, as controller-gen writes them.
fn definition(text: &mut String, size: usize, index: usize, random: &mut Random) {
    let end = text.len() + size;
    let _ = write!(
        text,
        "---\napiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata:\n  annotations:\n    \
         controller-gen.kubebuilder.io/version: v0.16.5\n  name: things{index}.example.com\nspec:\n  \
         group: example.com\n  names:\n    kind: Thing{index}\n    listKind: Thing{index}List\n    \
         plural: things{index}\n    singular: thing{index}\n  scope: Namespaced\n  versions:\n  - name: v1\n    \
         served: true\n    storage: true\n    schema:\n      openAPIV3Schema:\n        type: object\n        \
         properties:\n          spec:\n            type: object\n            properties:\n"
    );
    let mut field = 0;
    while text.len() < end {
        property(text, (14, 0), field, random);
        field += 1;
    }
    text.push_str("    subresources:\n      status: {}\n");
}

/// One field with its documentation and what is below it, indented and nested so deep.
fn property(text: &mut String, (indent, depth): (usize, usize), number: usize, random: &mut Random) {
    let blank = " ".repeat(indent);
    let _ = writeln!(text, "{blank}{}{number}:", random.of(&NAMES));
    describe(text, &blank, random);
    let kind = if depth >= 9 { 0 } else { random.below(6) };
    match kind {
        0 | 1 => {
            let _ = writeln!(text, "{blank}  type: string");
            if random.below(4) == 0 {
                let _ =
                    write!(text, "{blank}  enum:\n{blank}  - Always\n{blank}  - \"\"\n{blank}  - Never\n");
            }
        }
        2 => {
            let _ = write!(text, "{blank}  format: int32\n{blank}  minimum: 0\n{blank}  type: integer\n");
        }
        3 => {
            let _ = write!(
                text,
                "{blank}  anyOf:\n{blank}  - type: integer\n{blank}  - type: string\n{blank}  \
                 pattern: ^(\\+|-)?(([0-9]+(\\.[0-9]*)?)|(\\.[0-9]+))$\n{blank}  \
                 x-kubernetes-int-or-string: true\n"
            );
        }
        4 => {
            let _ = write!(text, "{blank}  type: array\n{blank}  items:\n{blank}    properties:\n");
            for inner in 0..=random.below(3) {
                property(text, (indent + 6, depth + 1), inner, random);
            }
            let _ = write!(text, "{blank}    type: object\n{blank}  x-kubernetes-list-type: atomic\n");
        }
        _ => {
            let _ = writeln!(text, "{blank}  properties:");
            for inner in 0..=random.below(4) {
                property(text, (indent + 4, depth + 1), inner, random);
            }
            let _ = writeln!(text, "{blank}  type: object");
        }
    }
}

/// On one line, on several plain ones, or in a block.
fn describe(text: &mut String, blank: &str, random: &mut Random) {
    match random.below(3) {
        0 => {
            let _ = writeln!(text, "{blank}  description: {}", sentence(random, 10));
        }
        1 => {
            let _ = writeln!(text, "{blank}  description: {}", sentence(random, 12));
            let _ = writeln!(text, "{blank}    {}", sentence(random, 9));
        }
        _ => {
            let _ = writeln!(text, "{blank}  description: |-");
            for _ in 0..=random.below(4) {
                let _ =
                    writeln!(text, "{blank}    {}. \"{}\": e.g. #1", sentence(random, 11), random.of(&NAMES));
            }
        }
    }
}

fn sentence(random: &mut Random, words: usize) -> String {
    let mut sentence = "It".to_owned();
    for _ in 0..words {
        sentence.push(' ');
        sentence.push_str(random.of(&WORDS));
    }
    sentence
}
