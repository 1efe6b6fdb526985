//! Text that is hard to quote: Kubernetes' own refusals quote by Go's rules for what can be printed.

use crate::random::Random;

/// What people and other tests have stumbled over.
const ODD: [&str; 28] = [
    "",
    " ",
    "q\"uote",
    "back\\slash",
    "apo'strophe",
    "`tick`",
    "line\nfeed",
    "tab\tbell\u{7}",
    "\u{0}\u{1}\u{1b}\u{7f}",
    "a, b",
    "(a) ; {b}",
    "100%s%d",
    "größe",
    "e\u{301}",
    "\u{a0}no-break",
    "soft\u{ad}hyphen",
    "\u{200b}zero\u{200d}width",
    "\u{2028}line\u{2029}paragraph",
    "\u{202e}right-to-left",
    "\u{3000}ideographic",
    "\u{feff}mark",
    "\u{fffd}\u{fffe}\u{ffff}",
    "\u{e000}private",
    "\u{378}unassigned",
    "\u{1f600}\u{1f3fd}",
    "\u{1fae8}of-unicode-15",
    "\u{1c89}of-unicode-16",
    "\u{10ffff}",
];

/// The text that is usual at this place, and at times any.
pub(crate) fn word(random: &mut Random, usual: &[&str]) -> String {
    if random.percent(88) { (*random.pick(usual)).to_owned() } else { odd(random) }
}

fn odd(random: &mut Random) -> String {
    if random.percent(60) {
        return (*random.pick(&ODD)).to_owned();
    }
    (0..=random.below(3)).map(|_| character(random)).collect()
}

/// Any character: of ASCII, of Latin-1, of the basic plane or of all, each as often.
fn character(random: &mut Random) -> char {
    let bound = *random.pick(&[0x80, 0x100, 0x1_0000, 0x11_0000]);
    // What is no character is a surrogate, of which JSON text that is read has none.
    u32::try_from(random.below(bound)).ok().and_then(char::from_u32).unwrap_or('\u{d7ff}')
}
