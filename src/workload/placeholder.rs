//! Placeholders: what a template engine, a shell or a person is yet to replace.

/// Whether a text has a placeholder in it: `{{…}}`, `${…}`, `$(…)`, `$NAME`, `<name>`.
#[must_use]
pub fn has_placeholder(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.iter().enumerate().any(|(at, byte)| {
        let rest = bytes.get(at + 1..).unwrap_or_default();
        match byte {
            b'{' => rest.first() == Some(&b'{'),
            b'$' => rest.first().is_some_and(|next| b"{(_".contains(next) || next.is_ascii_alphabetic()),
            b'<' => rest.iter().skip(1).any(|next| *next == b'>'),
            _ => false,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_told_from_plain_text() {
        for text in [
            "{{workflow.parameters.x}}",
            "a-{{ .Values.b }}",
            "${IMAGE}",
            "$(params.x)",
            "$VLLM_IMAGE",
            "x$_y",
            "<image>",
            "a <your name> b",
        ] {
            assert!(has_placeholder(text), "{text}");
        }
        for text in ["", "RuntimeDefault", "a{b}", "$", "$5", "5$", "a < b", "<>", "a > b < c", "{ {"] {
            assert!(!has_placeholder(text), "{text}");
        }
    }
}
