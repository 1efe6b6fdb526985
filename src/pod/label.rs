//! What keys and values of labels can be; keys of annotations, taints and node selectors are alike.

/// Whether a runtime class, or the domain of a label's key, can have this name: at most 253 bytes, in parts
/// like names of namespaces with dots between.
#[must_use]
pub fn is_dns_subdomain(name: &str) -> bool {
    let is_inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let is_part = |part: &str| {
        !part.is_empty() && part.bytes().all(is_inner) && !part.starts_with('-') && !part.ends_with('-')
    };
    name.len() <= 253 && name.split('.').all(is_part)
}

/// Whether a label can have this key: `name` or `domain/name`.
#[must_use]
pub fn is_label_key(key: &str) -> bool {
    let (domain, name) = key.rsplit_once('/').map_or((None, key), |(domain, name)| (Some(domain), name));
    !name.is_empty() && is_label_value(name) && domain.is_none_or(is_dns_subdomain)
}

/// Whether a label can have this value: nothing, or at most 63 letters, digits, - _ and ., of which the
/// first and the last are letters or digits.
#[must_use]
pub fn is_label_value(value: &str) -> bool {
    let is_inner = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let is_end = |byte: Option<&u8>| byte.is_none_or(u8::is_ascii_alphanumeric);
    let bytes = value.as_bytes();
    bytes.len() <= 63 && bytes.iter().copied().all(is_inner) && is_end(bytes.first()) && is_end(bytes.last())
}

/// Whether a label can have a key that a pattern stands for, in which `*` is any text.
#[must_use]
pub fn can_match_label_key(pattern: &str) -> bool {
    stands_for(pattern, is_label_key)
}

/// Whether a label can have a value that a pattern stands for, in which `*` is any text.
#[must_use]
pub fn can_match_label_value(pattern: &str) -> bool {
    stands_for(pattern, is_label_value)
}

/// Whether a pattern, in which `*` is any text, stands for any text that is possible. If a letter in place of each `*` is not
/// possible, nothing is but none.
#[must_use]
pub fn stands_for(pattern: &str, is_possible: fn(&str) -> bool) -> bool {
    is_possible(&pattern.replace('*', "a")) || is_possible(&pattern.replace('*', ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_stand_for_keys_and_values_that_there_can_be() {
        let long = "a".repeat(63);
        for (pattern, of_a_key, of_a_value) in [
            ("*", true, true),
            ("a", true, true),
            ("hami.io/*", true, false),
            ("*/gpu", true, false),
            ("runai-*", true, true),
            ("*.example.com/*", true, false),
            ("a_B.c", true, true),
            ("", false, true),
            ("hami.io/", false, false),
            ("a/*/b", false, false),
            ("-a*", false, false),
            ("a b", false, false),
            ("Hami.io/*", false, false),
            (&(long.clone() + "*"), true, true),
            (&(long + "a*"), false, false),
        ] {
            let found = (can_match_label_key(pattern), can_match_label_value(pattern));
            assert_eq!(found, (of_a_key, of_a_value), "{pattern}");
        }
    }
}
