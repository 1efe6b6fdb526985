//! Values of a part of a pod that is read by itself, as they are written there.

/// The JSON text of a string without its quotes, and any other as it is; nothing for `null`. Escapes stay: this is for what
/// Kubernetes itself gives names without any, so that one with an escape is none of them.
pub(super) fn written(json: &str) -> &str {
    let quoted = json.strip_prefix('"').and_then(|json| json.strip_suffix('"'));
    quoted.unwrap_or(if json == "null" { "" } else { json })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_stays_as_it_is() {
        for (json, text) in [
            ("\"a\"", "a"),
            ("\"\"", ""),
            ("\"null\"", "null"),
            ("null", ""),
            ("1.5", "1.5"),
            ("\"\\u0061\"", "\\u0061"),
            ("{}", "{}"),
        ] {
            assert_eq!(written(json), text, "{json}");
        }
    }
}
