//! Texts to read as YAML: made of its structures, of its pieces in any order, and of manifests with something changed.

use crate::random::Random;

/// What a text of no order is made of.
const PIECES: [&str; 66] = [
    "a",
    "b: ",
    "c:",
    "d: e",
    "- ",
    "-",
    "? ",
    "?",
    ": ",
    ":",
    ", ",
    ",",
    "[",
    "]",
    "{",
    "}",
    "'",
    "\"",
    "'x'",
    "\"y\"",
    "''",
    "\\",
    "\\n",
    "\\x41",
    "\\u00e9",
    "\\\n",
    "#",
    " # c",
    "|",
    "|\n  x",
    ">",
    ">-\n  x\n",
    "|2+\n   x\n\n",
    "\n",
    "\n",
    "\n",
    "\n ",
    "\n  ",
    "\n  ",
    "\n    ",
    "\n\t",
    " ",
    "  ",
    "\t",
    "&a ",
    "*a",
    "&b",
    "*b ",
    "<<: *a",
    "<<: ",
    "!!str ",
    "!!int ",
    "! ",
    "!x ",
    "\n---\n",
    "--- ",
    "\n...\n",
    "%YAML 1.1\n",
    "%TAG ! tag:x,1:\n",
    "~",
    "null",
    "yes",
    "0x1F",
    "1.10",
    "\u{e9}",
    "\r\n",
];

/// Scalars without quotes that mean something, or nearly do.
const PLAIN: [&str; 28] = [
    "x",
    "y",
    "no",
    "true",
    "~",
    "null",
    "",
    "0",
    "010",
    "1.10",
    "1e3",
    "0b1",
    "-",
    "-x",
    "a:b",
    "a#b",
    "a #b",
    "x y",
    "2001-01-01",
    "<<",
    "=",
    "_1",
    "+1",
    ".5",
    "x\"y",
    "it's",
    "\u{e9}",
    "0x1F",
];

const KEYS: [&str; 14] =
    ["a", "b", "c", "spec", "name", "'q'", "\"r\"", "yes", "1", "x y", "? z\n", "&k a", "!!str d", "e.f/g"];

/// What is put into manifests.
const INSERTED: [&str; 34] = [
    "\n",
    " ",
    "  ",
    "\t",
    "'",
    "\"",
    ":",
    ": ",
    "- ",
    "#",
    " #",
    "[",
    "]",
    "{",
    "}",
    ",",
    "|",
    ">",
    "&a ",
    "*a",
    "!!str ",
    "---\n",
    "\n---\n",
    "\r\n",
    "\\",
    "''",
    "? ",
    "<<: *a",
    "yes",
    "~",
    "\u{e9}",
    "...\n",
    "'x\ny'",
    "\"x\n  y\"",
];

/// One of the three kinds of text.
pub(crate) fn any(random: &mut Random, manifests: &[String]) -> String {
    let mut text = match random.below(10) {
        0..=2 => pieces(random),
        3..=6 => Writer { random: &mut *random, text: String::new(), anchors: 0 }.documents(),
        _ => mutated(random, manifests),
    };
    if random.percent(5) {
        text = text.replace("\r\n", "\n").replace('\n', "\r\n");
    }
    if random.percent(2) {
        text.insert(0, '\u{feff}');
    }
    text
}

fn pieces(random: &mut Random) -> String {
    let count = 1 + random.below(14);
    (0..count).map(|_| *random.pick(&PIECES)).collect()
}

fn mutated(random: &mut Random, manifests: &[String]) -> String {
    let mut lines: Vec<String> = random.pick(manifests).split_inclusive('\n').map(str::to_owned).collect();
    for _ in 0..1 + random.below(3) {
        if lines.is_empty() {
            break;
        }
        let at = random.below(lines.len());
        match random.below(6) {
            0 => drop(lines.remove(at)),
            1 => lines.insert(at, lines[at].clone()),
            2 => lines[at] = format!("{}{}", " ".repeat(random.below(7)), lines[at].trim_start()),
            3 => lines[at] = broken(random, &lines[at]),
            4 => {
                let other = random.below(lines.len());
                lines.swap(at, other);
            }
            _ => {
                let inserted = *random.pick(&INSERTED);
                let place = boundary(random, &lines[at]);
                lines[at].insert_str(place, inserted);
            }
        }
    }
    lines.concat()
}

/// The value of a line in quotes, with line breaks for some of its spaces.
fn broken(random: &mut Random, line: &str) -> String {
    let Some((key, value)) = line.split_once(": ") else { return line.to_owned() };
    let quote = *random.pick(&['\'', '"']);
    let indent = " ".repeat(random.below(8));
    let value = value.trim_end().replace(['\'', '"', '\\'], "").replacen(' ', &format!("\n{indent}"), 3);
    format!("{key}: {quote}{value}\n{indent}end{quote}\n")
}

fn boundary(random: &mut Random, line: &str) -> usize {
    let places: Vec<usize> = line.char_indices().map(|(place, _)| place).collect();
    if places.is_empty() { 0 } else { *random.pick(&places) }
}

/// Writes values as people and programs do, with an indentation that is mostly right.
struct Writer<'r> {
    random: &'r mut Random,
    text: String,
    anchors: usize,
}

impl Writer<'_> {
    fn documents(mut self) -> String {
        for index in 0..1 + self.random.below(2) {
            if index > 0 {
                self.add(&["---\n", "--- # c\n", "---\n# c\n", "...\n---\n", "--- "]);
            }
            self.block(0, 0);
            if !self.text.ends_with('\n') && self.random.percent(95) {
                self.text.push('\n');
            }
        }
        self.text
    }

    fn indent(&mut self, indent: usize) {
        let odd = if self.random.percent(3) { self.random.below(3) } else { 0 };
        self.text.push_str(&" ".repeat((indent + odd).saturating_sub(odd / 2 * 2)));
    }

    /// Adds one of these.
    fn add(&mut self, texts: &[&str]) {
        let text = *self.random.pick(texts);
        self.text.push_str(text);
    }

    fn comment(&mut self) {
        if self.random.percent(8) {
            self.add(&["# c\n", "  # c\n", "\n", "\t# c\n", "\n\n"]);
        }
    }

    fn property(&mut self) {
        match self.random.below(40) {
            0 => {
                self.anchors += 1;
                self.text.push_str(&format!("&a{} ", self.anchors));
            }
            1 => self.add(&["!!str ", "!!int ", "! ", "!x ", "!!null ", "!!map "]),
            _ => {}
        }
    }

    /// A list or mapping, from the start of a line on.
    fn block(&mut self, indent: usize, depth: usize) {
        let is_list = self.random.percent(35);
        for _ in 0..1 + self.random.below(3) {
            self.comment();
            self.indent(indent);
            if is_list {
                self.add(&["- ", "- ", "-   ", "-\t"]);
                self.property();
            } else {
                self.key();
            }
            self.value(indent, depth, is_list);
        }
    }

    fn key(&mut self) {
        if self.random.percent(4) && self.anchors > 0 {
            return self.text.push_str("<<: ");
        }
        let key = *self.random.pick(&KEYS);
        self.text.push_str(key);
        self.add(&[": ", ": ", ": ", " : ", ":  ", ":\t"]);
        self.property();
    }

    fn value(&mut self, indent: usize, depth: usize, in_list: bool) {
        match self.random.below(12) {
            0..=2 if depth < 4 => {
                let deeper = if in_list { 1 + self.random.below(3) } else { self.random.below(4) };
                self.text.push('\n');
                self.block(indent + deeper, depth + 1);
            }
            3 if depth < 4 && in_list => self.text.push_str("a: 1\n"),
            4 => {
                self.flow(depth);
                self.text.push('\n');
            }
            5 => self.block_scalar(indent),
            6 if self.anchors > 0 => {
                let anchor = 1 + self.random.below(self.anchors);
                self.text.push_str(&format!("*a{anchor}\n"));
            }
            7..=9 => {
                self.scalar();
                self.add(&["\n", "\n", " # c\n", " \n", "#c\n"]);
            }
            _ => {
                self.quoted();
                self.add(&["\n", "\n", " # c\n", " \n", "#c\n"]);
            }
        }
    }

    fn scalar(&mut self) {
        let scalar = *self.random.pick(&PLAIN);
        self.text.push_str(scalar);
        while self.random.percent(15) {
            self.line_break();
            let more = *self.random.pick(&PLAIN);
            self.text.push_str(more);
        }
    }

    fn line_break(&mut self) {
        let breaks = 1 + self.random.below(2);
        self.text.push_str(&"\n".repeat(breaks));
        let blanks = *self.random.pick(&["", " ", "  ", "    ", "      ", "\t", "  \t"]);
        self.text.push_str(blanks);
    }

    fn quoted(&mut self) {
        let quote = *self.random.pick(&['\'', '"']);
        self.text.push(quote);
        for _ in 0..self.random.below(5) {
            match self.random.below(4) {
                0 => self.line_break(),
                1 if quote == '"' => {
                    self.add(&["\\n", "\\\"", "\\\\", "\\x41", "\\u00e9", "\\\n", "\\\n  ", "\\t"]);
                }
                1 => self.text.push_str("''"),
                _ => self.add(&["x", "y z", "# c", ": ", "- ", " ", "  ", "{", "]", "---", "\u{e9}"]),
            }
        }
        self.text.push(quote);
    }

    fn flow(&mut self, depth: usize) {
        let is_list = self.random.percent(50);
        self.text.push(if is_list { '[' } else { '{' });
        for index in 0..self.random.below(4) {
            if index > 0 {
                self.add(&[", ", ",", " , ", ",\n", ",\n  ", ", # c\n "]);
            }
            if !is_list || self.random.percent(8) {
                let key = *self.random.pick(&["a", "b", "'c'", "\"d\"", "? e", "f g", "yes"]);
                self.text.push_str(key);
                self.add(&[": ", ": ", ":", " : ", ":\n", ""]);
            }
            match self.random.below(6) {
                0 if depth < 4 => self.flow(depth + 1),
                1 | 2 => self.quoted(),
                _ => self.scalar(),
            }
        }
        self.add(&["", "", " ", "\n", ",", "\n  "]);
        self.text.push(if is_list { ']' } else { '}' });
    }

    fn block_scalar(&mut self, indent: usize) {
        self.add(&["|", ">", "|-", ">+", "|2", ">1-", "|+2", "| # c"]);
        self.text.push('\n');
        let deeper = 1 + self.random.below(3);
        for _ in 0..self.random.below(4) {
            if self.random.percent(20) {
                self.add(&["\n", "  \n", "\n\n"]);
                continue;
            }
            let more = if self.random.percent(20) { self.random.below(3) } else { 0 };
            self.text.push_str(&" ".repeat(indent + deeper + more));
            self.add(&["x\n", "# y\n", "- z: w\n", "x \n", "\ty\n", "'\n"]);
        }
    }
}
