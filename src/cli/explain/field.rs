//! Fields of a pod as somebody writes them, beside the fields that controls document.

/// The keys of a field, in small letters and without indices: `spec.containers[0].image`, `/spec/containers/0/image` and
/// `.spec.containers[*].image` are the same.
pub(super) fn segments(text: &str) -> Vec<String> {
    let mut keys = String::new();
    let mut depth = 0usize;
    for character in text.chars() {
        match character {
            '[' => depth += 1,
            ']' => depth = depth.saturating_sub(1),
            '/' if depth == 0 => keys.push('.'),
            character if depth == 0 => keys.push(character.to_ascii_lowercase()),
            _ => {}
        }
    }
    let is_key = |key: &&str| !key.is_empty() && *key != "*" && key.parse::<usize>().is_err();
    keys.split('.').map(str::trim).filter(is_key).map(ToOwned::to_owned).collect()
}

/// The fields that a documented one stands for: `{a,b}.c` is two.
pub(super) fn fields_of(documented: &str) -> Vec<Vec<String>> {
    let mut fields = vec![String::new()];
    let mut rest = documented;
    while let Some((before, (words, after))) =
        rest.split_once('{').and_then(|(before, behind)| Some((before, behind.split_once('}')?)))
    {
        let ending = |field: &String| {
            words.split(',').map(|word| format!("{field}{before}{word}")).collect::<Vec<_>>()
        };
        fields = fields.iter().flat_map(ending).collect();
        rest = after;
    }
    fields.iter().map(|field| original_segments(&format!("{field}{rest}"))).collect()
}

/// The keys as they are documented, in their own letters.
fn original_segments(text: &str) -> Vec<String> {
    let mut keys = Vec::new();
    for part in text.split('[') {
        let outside = part.split_once(']').map_or(part, |(_, outside)| outside);
        keys.extend(outside.split('.').filter(|key| !key.is_empty()).map(ToOwned::to_owned));
    }
    keys
}

/// Whether a name means a field: it is a part of the field, or lies below it, or the field ends it (as in a template). With
/// `is_whole` every key is whole; without, the last may be the beginning of one.
pub(super) fn meets(field: &[String], wanted: &[String], is_whole: bool) -> bool {
    let is_same = |(index, (key, wanted)): (usize, (&String, &String)), last: usize| {
        key.eq_ignore_ascii_case(wanted)
            || !is_whole && index == last && key.to_ascii_lowercase().starts_with(wanted.as_str())
    };
    let all_same = |field: &[String], wanted: &[String]| {
        let last = wanted.len().saturating_sub(1);
        !wanted.is_empty() && field.iter().zip(wanted).enumerate().all(|pair| is_same(pair, last))
    };
    let is_part = || field.windows(wanted.len()).any(|part| all_same(part, wanted));
    let tail = |skipped: usize| field.get(skipped..).unwrap_or_default();
    let is_below = || (0..field.len()).any(|at| wanted.len() > tail(at).len() && all_same(tail(at), wanted));
    let ends_it = || {
        (1..wanted.len()).any(|at| {
            let rest = wanted.get(at..).unwrap_or_default();
            rest.len() >= field.len() && all_same(field, rest)
        })
    };
    is_part() || is_below() || ends_it()
}
