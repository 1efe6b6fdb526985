//! What is measured, put into `docs/performance.md` between two marks.

use std::fs;

use crate::{Result, repository};

/// Puts a text in place of the one that the page has under this name.
pub(crate) fn put(name: &str, text: &str) -> Result<()> {
    let path = repository().join("docs/performance.md");
    let page = fs::read_to_string(&path)?;
    fs::write(path, replaced(&page, name, text)?)?;
    Ok(())
}

fn replaced(page: &str, name: &str, text: &str) -> Result<String> {
    let begin = format!("<!-- {name}: written by benches/run -->\n");
    let end = format!("<!-- end of {name} -->\n");
    let (before, rest) = page.split_once(&begin).ok_or_else(|| format!("the page has no line {begin}"))?;
    let (_, after) = rest.split_once(&end).ok_or_else(|| format!("the page has no line {end}"))?;
    Ok(format!("{before}{begin}\n{text}\n{end}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_between_the_marks_is_replaced() {
        let page = |text: &str| {
            format!("a\n<!-- x: written by benches/run -->\n{text}<!-- end of x -->\nb\n<!-- end of y -->\n")
        };
        assert_eq!(replaced(&page("old\n"), "x", "new\n").unwrap(), page("\nnew\n\n"));
        assert!(replaced("no marks", "x", "new").is_err());
        assert!(replaced(&page("old\n"), "y", "new").is_err());
    }
}
