//! Items of a list, for a terminal of 80 columns as for a page that makes one space of every white space.

/// How wide a terminal is.
const WIDTH: usize = 80;
/// The start of an item, which still sets it apart where its line break is lost.
const BULLET: &str = "\n  - ";
/// The indent of what does not fit on its first line, and of the fix.
const INDENT: &str = "\n      ";

/// Adds an item without a fix.
pub(super) fn push_text(message: &mut String, text: &str) {
    message.push_str(BULLET);
    push_wrapped(message, text, BULLET.len() - 1);
}

/// Adds a remark that is no item of the list.
pub(super) fn push_note(message: &mut String, note: &str) {
    const START: &str = "\n  Note: ";
    message.push_str(START);
    push_wrapped(message, note, START.len() - 1);
}

/// Adds an item: what is wrong and how to fix it, the latter on a line of its own where both do not fit on one.
pub(super) fn push_item(message: &mut String, fault: &str, fix: &str) {
    let start = BULLET.len() - 1;
    if start + fault.len() + " -> ".len() + fix.len() <= WIDTH {
        message.push_str(BULLET);
        message.push_str(fault);
        message.push_str(" -> ");
        message.push_str(fix);
        return;
    }
    message.push_str(BULLET);
    push_wrapped(message, fault, start);
    message.push_str(INDENT);
    message.push_str("-> ");
    push_wrapped(message, fix, INDENT.len() - 1 + "-> ".len());
}

/// Adds a text, broken between words; `column` is where it begins. A word that is longer than a line stays whole, so that it can
/// be copied.
fn push_wrapped(message: &mut String, text: &str, column: usize) {
    let (mut left, mut column) = (text, column);
    while column + left.len() > WIDTH
        && let Some((line, rest)) = first_line(left, WIDTH.saturating_sub(column))
    {
        message.push_str(line);
        message.push_str(INDENT);
        (left, column) = (rest, INDENT.len() - 1);
    }
    message.push_str(left);
}

/// As many words of a text as have room, at least one, and the rest. Nothing if it is one word.
fn first_line(text: &str, room: usize) -> Option<(&str, &str)> {
    let bytes = text.as_bytes();
    let is_space = |byte: &u8| *byte == b' ';
    let fitting = bytes.get(..=room).unwrap_or(bytes);
    let end = match fitting.iter().rposition(is_space) {
        Some(end) => end,
        None => bytes.iter().position(is_space)?,
    };
    Some((text.get(..end)?, text.get(end + 1..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(fault: &str, fix: &str) -> String {
        let mut message = String::new();
        push_item(&mut message, fault, fix);
        message
    }

    #[test]
    fn an_item_fits_into_80_columns_where_its_words_do() {
        assert_eq!(item("spec.hostPID is true", "remove it"), "\n  - spec.hostPID is true -> remove it");
        let long = item("container \"a\": securityContext.runAsUser is 0", &"word ".repeat(40));
        assert!(long.lines().all(|line| line.len() <= WIDTH), "{long}");
        assert!(long.contains("is 0\n      -> word word"), "{long}");
        let name = "x".repeat(100);
        assert!(item(&format!("container \"{name}\": is bad"), "remove it").contains(&name));
    }

    /// Nothing but white space is added to the words.
    #[test]
    fn an_item_stays_one_where_white_space_is_lost() {
        let long = item(&"fault ".repeat(20), &"fix ".repeat(30));
        let folded = long.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(folded, format!("- {}-> {}", "fault ".repeat(20), "fix ".repeat(30)).trim_end());
    }
}
