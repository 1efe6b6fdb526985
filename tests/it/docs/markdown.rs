//! The parts of a page: blocks of code, code within a sentence, links and headings, each with its line.

use std::fs;
use std::path::{Path, PathBuf};

use crate::pods::of_repository;

/// A page of the repository.
pub(super) struct Page {
    pub(super) path: PathBuf,
    /// Its path in the repository.
    pub(super) name: String,
    pub(super) text: String,
    /// The blocks of code.
    pub(super) blocks: Vec<Block>,
    /// All but the blocks, line by line as in the page.
    prose: String,
}

/// A block of code.
pub(super) struct Block {
    /// The line of its first line.
    pub(super) line: usize,
    /// As `sh`; empty where the page names none.
    pub(super) language: String,
    pub(super) text: String,
}

/// A piece of a page that is on one line or goes on on the next.
pub(super) struct Piece {
    pub(super) line: usize,
    pub(super) text: String,
}

impl Page {
    pub(super) fn read(path: &Path) -> Self {
        let name = path.strip_prefix(of_repository("")).unwrap().display().to_string();
        Self::new(path, name, fs::read_to_string(path).unwrap())
    }

    fn new(path: &Path, name: String, text: String) -> Self {
        let (mut blocks, mut prose) = (Vec::new(), String::new());
        let mut open: Option<(usize, Block)> = None;
        for (index, line) in text.lines().enumerate() {
            // A block may be the first thing of an item of a list: `3. ```sh`.
            let is_of_item = |c: char| c.is_whitespace() || c.is_ascii_digit() || ['.', '-'].contains(&c);
            let inner = if open.is_none() { line.trim_start_matches(is_of_item) } else { line.trim_start() };
            let indent = line.len() - inner.len();
            if let Some(language) = inner.strip_prefix("```") {
                match open.take() {
                    Some((_, block)) => blocks.push(block),
                    None => {
                        let language = language.trim().to_owned();
                        open = Some((indent, Block { line: index + 2, language, text: String::new() }));
                    }
                }
            } else if let Some((outer, block)) = &mut open {
                block.text.push_str(line.get((*outer).min(indent)..).unwrap());
                block.text.push('\n');
            } else {
                prose.push_str(line);
            }
            prose.push('\n');
        }
        assert!(open.is_none(), "{name}: a block of code has no end");
        Self { path: path.to_owned(), name, text, blocks, prose }
    }

    /// Where something is, for a message.
    pub(super) fn at(&self, line: usize) -> String {
        format!("{}:{line}", self.name)
    }

    /// The headings, as they are written.
    pub(super) fn headings(&self) -> impl Iterator<Item = &str> {
        let headings = self.prose.lines().filter(|line| line.starts_with('#'));
        headings.map(|line| line.trim_start_matches('#').trim())
    }

    /// What stands between backticks in sentences.
    pub(super) fn code(&self) -> Vec<Piece> {
        self.pieces().filter(|(is_code, _)| *is_code).map(|(_, piece)| piece).collect()
    }

    /// The targets of links.
    pub(super) fn links(&self) -> Vec<Piece> {
        // Code in a link's text stays, as many characters of another kind, so that the lines stay as they are.
        let masked: String = self
            .pieces()
            .map(|(is_code, piece)| {
                let mask = |character: char| if character == '\n' { '\n' } else { 'x' };
                if is_code { piece.text.chars().map(mask).collect() } else { piece.text }
            })
            .collect();
        let mut links = Vec::new();
        let mut rest = &masked[..];
        let mut line = 1;
        while let Some(start) = rest.find("](") {
            let (before, after) = rest.split_at(start + 2);
            line += before.matches('\n').count();
            let (target, after) = after.split_once(')').unwrap_or_else(|| panic!("{}: no )", self.at(line)));
            links.push(Piece { line, text: target.to_owned() });
            line += target.matches('\n').count();
            rest = after;
        }
        links
    }

    /// The prose in order, cut at backticks; whether each piece is code. A backtick without another in its paragraph
    /// is a fault.
    fn pieces(&self) -> impl Iterator<Item = (bool, Piece)> {
        let mut pieces = Vec::new();
        let mut line = 1;
        for paragraph in self.prose.split_inclusive("\n\n") {
            let parts: Vec<&str> = paragraph.split('`').collect();
            assert!(parts.len() % 2 == 1, "{}: an odd number of backticks in {paragraph}", self.at(line));
            for (index, part) in parts.into_iter().enumerate() {
                pieces.push((index % 2 == 1, Piece { line, text: part.to_owned() }));
                line += part.matches('\n').count();
            }
        }
        pieces.into_iter()
    }
}

#[test]
fn a_page_is_taken_apart() {
    let text = "# A `b`: c\n\nSee [`x` and\ny](z.md#w) or `a\nb`.\n\n- one:\n\n  ```sh\n  podgate lint\n    - |\n  ```\n\n## D\n";
    let page = Page::new(Path::new("p.md"), "p.md".to_owned(), text.to_owned());
    assert_eq!(page.headings().collect::<Vec<_>>(), ["A `b`: c", "D"]);
    let [block] = &page.blocks[..] else { panic!("one block") };
    assert_eq!((block.line, &*block.language, &*block.text), (10, "sh", "podgate lint\n  - |\n"));
    let shown = |pieces: Vec<Piece>| -> Vec<(usize, String)> {
        pieces.into_iter().map(|piece| (piece.line, piece.text)).collect()
    };
    assert_eq!(shown(page.links()), [(4, "z.md#w".to_owned())]);
    let code = ["b", "x", "a\nb"].map(str::to_owned);
    assert_eq!(shown(page.code()), [1, 3, 4].into_iter().zip(code).collect::<Vec<_>>());
}
