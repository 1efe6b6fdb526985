//! Characters that look like others, told by their code: what is wrong with `restricted` in curly quotes cannot be seen.

use std::fmt;

/// Most characters that are told of one text.
const MOST: usize = 3;

/// Characters that word processors, chats and web pages put in the place of ASCII, and what they are called.
const LOOK_ALIKES: [(char, &str); 20] = [
    ('\u{a0}', "no-break space"),
    ('\u{ad}', "soft hyphen"),
    ('\u{2002}', "en space"),
    ('\u{2003}', "em space"),
    ('\u{2009}', "thin space"),
    ('\u{200b}', "zero-width space"),
    ('\u{200d}', "zero-width joiner"),
    ('\u{2010}', "hyphen"),
    ('\u{2011}', "no-break hyphen"),
    ('\u{2013}', "en dash"),
    ('\u{2014}', "em dash"),
    ('\u{2018}', "curly quote"),
    ('\u{2019}', "curly quote"),
    ('\u{201c}', "curly quote"),
    ('\u{201d}', "curly quote"),
    ('\u{202f}', "narrow no-break space"),
    ('\u{3000}', "wide space"),
    ('\u{feff}', "byte order mark"),
    ('\u{ff0d}', "wide hyphen"),
    ('\u{ff1a}', "wide colon"),
];

/// The characters of a text that are not ASCII, to be put behind it: ` (with U+00A0, a no-break space)`. Empty where there
/// are none.
#[must_use]
pub fn not_ascii(text: &str) -> NotAscii<'_> {
    NotAscii { text }
}

/// The characters of a text that are not what they look like, likewise: text in other languages has none.
#[must_use]
pub fn look_alikes(text: &str) -> Option<String> {
    let mut found = distinct(text, |character| name_of(character).is_some());
    found.truncate(MOST);
    let shown: Vec<String> = found.into_iter().map(coded).collect();
    (!shown.is_empty()).then(|| shown.join(" and "))
}

/// See [`not_ascii`].
#[derive(Debug, Clone, Copy)]
pub struct NotAscii<'t> {
    text: &'t str,
}

impl fmt::Display for NotAscii<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, character) in
            distinct(self.text, |character| !character.is_ascii()).into_iter().enumerate()
        {
            f.write_str(if index == 0 { " (with " } else { " and " })?;
            f.write_str(&coded(character))?;
        }
        if self.text.is_ascii() { Ok(()) } else { f.write_str(")") }
    }
}

/// The first few characters of this kind, each once.
fn distinct(text: &str, is_wanted: impl Fn(char) -> bool) -> Vec<char> {
    let mut found = Vec::new();
    for character in text.chars().filter(|character| is_wanted(*character)) {
        if found.len() < MOST && !found.contains(&character) {
            found.push(character);
        }
    }
    found
}

fn name_of(character: char) -> Option<&'static str> {
    LOOK_ALIKES.iter().find(|(known, _)| *known == character).map(|(_, name)| *name)
}

/// `U+00A0, a no-break space`.
fn coded(character: char) -> String {
    let code = format!("U+{:04X}", u32::from(character));
    match name_of(character) {
        Some(name) => format!("{code}, {} {name}", if name.starts_with(['e', 'o']) { "an" } else { "a" }),
        None => code,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_ascii_is_told_by_its_code() {
        for (text, expected) in [
            ("restricted", ""),
            ("", ""),
            ("restricted\u{a0}", " (with U+00A0, a no-break space)"),
            ("\u{201c}a\u{201d}", " (with U+201C, a curly quote and U+201D, a curly quote)"),
            ("\u{455}pec", " (with U+0455)"),
            ("\u{455}\u{455}\u{1f600}\u{442}\u{443}", " (with U+0455 and U+1F600 and U+0442)"),
            ("a\u{2013}b", " (with U+2013, an en dash)"),
        ] {
            assert_eq!(not_ascii(text).to_string(), expected);
        }
        assert_eq!(look_alikes("größe \u{455}"), None);
        assert_eq!(look_alikes("größe:\u{a0}x").as_deref(), Some("U+00A0, a no-break space"));
        assert!(LOOK_ALIKES.is_sorted());
    }
}
