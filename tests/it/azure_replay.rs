//! The recording of azure-workload-identity's webhook, replayed by the program: each of that webhook's settings has its flag.

use std::collections::BTreeMap;
use std::fs;

use serde_json::{Value as Json, json};

use crate::azure::{answer, reviewer};
use crate::azure_recording::{Line, PAGE, RECORDING};
use crate::command::run;
use crate::real_data;

/// The flag for each setting of the webhook.
const FLAGS: [(&str, &str); 15] = [
    ("AZURE_TENANT_ID", "--azure-tenant-id"),
    ("AZURE_ENVIRONMENT", "--azure-environment"),
    ("--audience", "--azure-audience"),
    ("--custom-token-endpoint-annotation-suffix", "--azure-binding-suffix"),
    ("--custom-token-endpoint-audience", "--azure-binding-audience"),
    ("AZURE_KUBERNETES_TOKEN_PROXY", "--azure-token-proxy"),
    ("AZURE_KUBERNETES_SNI_NAME", "--azure-sni-name"),
    ("AZURE_KUBERNETES_CA_DATA", "--azure-ca-data"),
    ("AZURE_KUBERNETES_CA_CONFIGMAP_NAME", "--azure-ca-config-map"),
    ("AZURE_KUBERNETES_CA_CTB_SIGNER_NAME", "--azure-ca-signer"),
    ("AZURE_KUBERNETES_CA_CTB_LABEL_SELECTOR", "--azure-ca-selector"),
    ("PROXY_IMAGE", "--azure-proxy-image"),
    ("PROXY_INIT_IMAGE", "--azure-proxy-init-image"),
    ("--log-level", "--azure-proxy-log-level"),
    ("apiserver", "--azure-kubernetes-version"),
];

/// The flags that say what the webhook was told.
fn flags(line: &Line<'_>) -> Vec<String> {
    let value = |name: &str| match name {
        "apiserver" => line.line["apiserver"].as_str(),
        "--log-level" => Some(line.setting(name).unwrap_or_default()),
        name => line.setting(name),
    };
    FLAGS.iter().filter_map(|(name, flag)| value(name).map(|value| format!("{flag}={value}"))).collect()
}

/// The program with the flags answers as the reviewer with the settings does.
#[test]
fn the_program_replays_the_recording() {
    let Some(folder) = real_data::folder(RECORDING, "the recording, by the program") else { return };
    let text = fs::read_to_string(folder.join("recording.jsonl")).unwrap();
    let lines: Vec<Json> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let scratch = tempfile::tempdir().unwrap();
    let objects = scratch.path().join("accounts.json");
    // Reviews of the same settings and the same account are answered by one run.
    let mut runs: BTreeMap<(Vec<String>, String), Vec<Line<'_>>> = BTreeMap::new();
    for line in &lines {
        let line = Line::of(line);
        // Without a tenant the provider is off, and the program starts.
        if line.setting("AZURE_TENANT_ID").is_some() {
            runs.entry((flags(&line), line.line["account"].to_string())).or_default().push(line);
        }
    }
    for ((flags, account), lines) in runs {
        let mut account: Json = serde_json::from_str(&account).unwrap();
        let elsewhere = json!({
            "apiVersion": "v1", "kind": "ServiceAccount", "metadata": { "name": "default", "namespace": "elsewhere" },
        });
        let mut items = vec![elsewhere];
        if account.is_object() {
            account.as_object_mut().unwrap().remove("automountServiceAccountToken");
            account.as_object_mut().unwrap().remove("imagePullSecrets");
            items.push(json!({ "apiVersion": "v1", "kind": "ServiceAccount", "metadata": account }));
        }
        fs::write(&objects, json!({ "apiVersion": "v1", "kind": "List", "items": items }).to_string())
            .unwrap();
        let reviews: Vec<String> = lines.iter().map(|line| line.line["review"].to_string()).collect();
        let mut arguments = vec!["review", "--mutate", "--policy", "none", "--objects", "accounts.json"];
        arguments.extend(flags.iter().map(String::as_str));
        let ended = run(scratch.path(), &arguments, &reviews.join("\n"));
        let starts = Line::settings(&lines[0]).is_ok();
        assert_eq!(ended.code == 2, !starts, "{flags:?}: {}", ended.errors);
        if !starts || lines[0].kind == "startup" {
            continue;
        }
        let answers: Vec<&str> = ended.output.lines().collect();
        assert_eq!(answers.len(), lines.len(), "{flags:?}: {}", ended.errors);
        for (line, found) in lines.iter().zip(answers) {
            let reviewer = reviewer(line.settings().unwrap(), &line.accounts());
            if let Ok(expected) = answer(&reviewer, &line.line["review"]) {
                assert_eq!(found, expected.answer, "{}", line.case);
            }
        }
    }
}

#[test]
fn every_setting_is_a_row_of_the_page() {
    for (name, flag) in FLAGS.iter().filter(|(name, _)| *name != "apiserver") {
        assert!(PAGE.contains(&format!("| `{name}` | `{flag}` | `PODGATE_")), "{name}");
    }
}
