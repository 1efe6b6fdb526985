//! The projected volume that the API server adds to pods: the pod's own token, the cluster's CA and the namespace.

use serde::Deserialize;

/// `projected`. Anything that is not named here, of whatever Kubernetes, makes it another volume. The lists have as many items
/// as the API server writes, so that reading them allocates nothing.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Projected<'a> {
    #[serde(borrow)]
    sources: [Source<'a>; 3],
    #[serde(rename = "defaultMode")]
    _default_mode: Option<i32>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Source<'a> {
    #[serde(borrow)]
    service_account_token: Option<Token<'a>>,
    #[serde(borrow)]
    config_map: Option<ConfigMap<'a>>,
    #[serde(rename = "downwardAPI", borrow)]
    downward: Option<Downward<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Token<'a> {
    #[serde(default)]
    audience: Option<&'a str>,
    #[serde(rename = "expirationSeconds")]
    _expiration_seconds: Option<i64>,
    path: &'a str,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ConfigMap<'a> {
    name: &'a str,
    #[serde(borrow)]
    items: Option<[KeyToPath<'a>; 1]>,
}

#[derive(Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
struct KeyToPath<'a> {
    key: &'a str,
    path: &'a str,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Downward<'a> {
    #[serde(borrow)]
    items: [FieldToPath<'a>; 1],
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct FieldToPath<'a> {
    path: &'a str,
    #[serde(borrow)]
    field_ref: FieldRef<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct FieldRef<'a> {
    #[serde(default)]
    api_version: Option<&'a str>,
    field_path: &'a str,
}

/// Whether a `projected` holds exactly what the API server projects. What cannot be read is something else.
pub(super) fn is_token_projection(text: &str) -> bool {
    let Ok(projected) = serde_json::from_str::<Projected<'_>>(text) else { return false };
    let count = |is: fn(&Source<'_>) -> bool| projected.sources.iter().filter(|source| is(source)).count();
    [count(is_token), count(is_ca), count(is_namespace)] == [1; 3]
}

fn is_token(source: &Source<'_>) -> bool {
    let Source { service_account_token: Some(token), config_map: None, downward: None } = source else {
        return false;
    };
    token.audience.is_none_or(str::is_empty) && token.path == "token"
}

fn is_ca(source: &Source<'_>) -> bool {
    let Source { service_account_token: None, config_map: Some(ca), downward: None } = source else {
        return false;
    };
    let is_whole = |items: &[KeyToPath<'_>; 1]| *items == [KeyToPath { key: "ca.crt", path: "ca.crt" }];
    ca.name == "kube-root-ca.crt" && ca.items.as_ref().is_none_or(is_whole)
}

fn is_namespace(source: &Source<'_>) -> bool {
    let Source { service_account_token: None, config_map: None, downward: Some(downward) } = source else {
        return false;
    };
    let [item] = &downward.items;
    let FieldRef { api_version, field_path } = &item.field_ref;
    item.path == "namespace"
        && *field_path == "metadata.namespace"
        && api_version.is_none_or(|version| ["", "v1"].contains(&version))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = r#"{"serviceAccountToken":{"expirationSeconds":3607,"path":"token"}}"#;
    const CA: &str =
        r#"{"configMap":{"name":"kube-root-ca.crt","items":[{"key":"ca.crt","path":"ca.crt"}]}}"#;
    const NAMESPACE: &str = r#"{"downwardAPI":{"items":[{"path":"namespace","fieldRef":{"apiVersion":"v1","fieldPath":"metadata.namespace"}}]}}"#;

    fn is_it(sources: &[&str]) -> bool {
        is_token_projection(&format!(r#"{{"defaultMode":420,"sources":[{}]}}"#, sources.join(",")))
    }

    #[test]
    fn only_what_the_api_server_projects_is_its_own() {
        assert!(is_it(&[TOKEN, CA, NAMESPACE]) && is_it(&[NAMESPACE, TOKEN, CA]));
        assert!(is_it(&[&TOKEN.replace("\"path\"", "\"audience\":null,\"path\""), CA, NAMESPACE]));
        for sources in [
            &[TOKEN][..],
            &[TOKEN, CA],
            &[TOKEN, CA, NAMESPACE, CA],
            &[TOKEN, TOKEN, CA, NAMESPACE],
            &[TOKEN, CA, r#"{"secret":{"name":"s"}}"#],
            &[TOKEN, CA, NAMESPACE, r#"{"clusterTrustBundle":{"name":"b","path":"p"}}"#],
            &[TOKEN, CA, NAMESPACE, "{}"],
            &[&TOKEN.replace("\"path\"", "\"audience\":\"vault\",\"path\""), CA, NAMESPACE],
            &[&TOKEN.replace("\"token\"", "\"other\""), CA, NAMESPACE],
            &[&TOKEN.replace("}}", r#"},"secret":{"name":"s"}}"#), CA, NAMESPACE],
            &[TOKEN, &CA.replace("kube-root-ca.crt", "mine"), NAMESPACE],
            &[TOKEN, &CA.replace(":\"ca.crt\"}", ":\"token\"}"), NAMESPACE],
            &[TOKEN, &CA.replace("}]", r#"},{"key":"b","path":"b"}]"#), NAMESPACE],
            &[TOKEN, &CA.replace("}]", r#","mode":511}]"#), NAMESPACE],
            &[TOKEN, &CA.replace("\"items\"", "\"optional\":true,\"items\""), NAMESPACE],
            &[TOKEN, CA, &NAMESPACE.replace("metadata.namespace", "metadata.name")],
            &[TOKEN, CA, &NAMESPACE.replace("\"namespace\"", "\"ns\"")],
            &[
                TOKEN,
                CA,
                &NAMESPACE.replace("}}]", r#"}},{"path":"a","fieldRef":{"fieldPath":"metadata.name"}}]"#),
            ],
        ] {
            assert!(!is_it(sources), "{sources:?}");
        }
        for text in ["", "{}", "null", r#"{"sources":null}"#, r#"{"sources":[]}"#, "[]"] {
            assert!(!is_token_projection(text), "{text}");
        }
    }
}
