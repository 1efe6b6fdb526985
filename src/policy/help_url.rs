//! `spec.help`: the URL of the page that explains a policy, and where the code of a refusal goes in it.

/// Longest URL, in bytes.
const LONGEST: usize = 200;

/// What is wrong with a URL; `None` for a good one.
pub(super) fn help_fault(url: &str) -> Option<&'static str> {
    let is_plain = |byte: u8| byte.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&byte);
    if url.len() > LONGEST || !url.bytes().all(is_plain) {
        return Some("must be a URL of at most 200 printable ASCII characters, without spaces");
    }
    let Some(rest) = ["https://", "http://"].iter().find_map(|scheme| url.strip_prefix(scheme)) else {
        return Some("must be a URL that begins with https:// or http://");
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    if !is_authority(rest.get(..end).unwrap_or_default()) {
        return Some("must be a URL with the name of a host, and no user or password");
    }
    match rest.split_once('#') {
        Some((_, fragment)) if !fragment.is_empty() => {
            Some("must be a URL without a fragment: the code of the refusal becomes its fragment")
        }
        _ => None,
    }
}

/// `docs.example.com`, `docs.example.com:8443`, `[::1]:80`.
fn is_authority(authority: &str) -> bool {
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (authority, None),
    };
    let is_host = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    let is_address = |byte: u8| byte.is_ascii_hexdigit() || b":.".contains(&byte);
    let is_named = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(address) => !address.is_empty() && address.bytes().all(is_address),
        None => !host.is_empty() && host.bytes().all(is_host),
    };
    is_named && port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0))
}

/// The URL with the code of a refusal: as its fragment, or behind the `#` or `=` that it ends with.
#[must_use]
pub fn help_with_code(url: &str, code: &str) -> String {
    let separator = if url.ends_with(['#', '=']) { "" } else { "#" };
    format!("{url}{separator}{code}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_help_page_is_a_plain_url_that_takes_a_code() {
        for (url, with_code) in [
            ("https://example.com/pods", "https://example.com/pods#PG-7F3K"),
            ("http://wiki", "http://wiki#PG-7F3K"),
            ("https://example.com:8443/a?b=c", "https://example.com:8443/a?b=c#PG-7F3K"),
            ("https://example.com/pods#", "https://example.com/pods#PG-7F3K"),
            ("https://example.com/?code=", "https://example.com/?code=PG-7F3K"),
            ("http://[::1]:80/x", "http://[::1]:80/x#PG-7F3K"),
        ] {
            assert_eq!(help_fault(url), None, "{url}");
            assert_eq!(help_with_code(url, "PG-7F3K"), with_code);
        }
    }

    #[test]
    fn what_is_no_such_url_is_a_fault() {
        let long = format!("https://example.com/{}", "a".repeat(200));
        for url in [
            "",
            "example.com/pods",
            "ftp://example.com",
            "javascript:alert(1)",
            "https://",
            "https:///pods",
            "https://?a",
            "https://example.com:/x",
            "https://example.com:99999/x",
            "https://example.com/pods#start",
            "https://example.com/#/pods",
            "https://example.com/a##",
            "https://user:secret@example.com/",
            "https://example.com/a b",
            "https://example.com/\n",
            "https://example.com/\u{1b}[31m",
            "https://ex\u{e4}mple.com/",
            "https://example.com/\"x",
            &long,
        ] {
            assert!(help_fault(url).is_some(), "{url:?}");
        }
    }
}
