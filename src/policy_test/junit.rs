//! A report of tests as JUnit's XML, which CI systems show.

use std::io::{self, Write};

use quick_xml::Writer;
use quick_xml::events::{BytesText, Event};

use crate::policy_test::report::{CaseReport, TestFileReport, TestReport};
use crate::policy_test::text::write_failure;
use crate::text::one_line;

/// The name of all tests together.
const NAME: &str = "podgate policy test";
/// How far what is inside is indented, in spaces.
const INDENT: usize = 2;

/// Writes the report: a suite for each file, and in it its cases.
///
/// # Errors
/// Those of `output`.
pub fn write(report: &TestReport, output: &mut impl Write) -> io::Result<()> {
    output.write_all(b"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n")?;
    let mut writer = Writer::new_with_indent(&mut *output, b' ', INDENT);
    let [tests, failures, errors] = counts(report.cases());
    writer
        .create_element("testsuites")
        .with_attributes([
            ("name", NAME),
            ("tests", tests.as_str()),
            ("failures", failures.as_str()),
            ("errors", errors.as_str()),
        ])
        .write_inner_content(|writer| report.files.iter().try_for_each(|file| write_file(file, writer)))?;
    writeln!(output)
}

fn write_file<W: Write>(file: &TestFileReport, writer: &mut Writer<W>) -> io::Result<()> {
    let [tests, failures, errors] = counts(file.cases.iter());
    let name = xml_text(&file.file);
    writer
        .create_element("testsuite")
        .with_attributes([
            ("name", name.as_str()),
            ("tests", tests.as_str()),
            ("failures", failures.as_str()),
            ("errors", errors.as_str()),
        ])
        .write_inner_content(|writer| {
            file.cases.iter().try_for_each(|case| write_case(case, &name, writer))
        })?;
    Ok(())
}

fn write_case<W: Write>(case: &CaseReport, file: &str, writer: &mut Writer<W>) -> io::Result<()> {
    let (name, line) = (xml_text(&case.name), case.line.to_string());
    let element = writer.create_element("testcase").with_attributes([
        ("name", name.as_str()),
        ("classname", file),
        ("file", file),
        ("line", line.as_str()),
    ]);
    let Some(message) = case.in_short() else {
        element.write_empty()?;
        return Ok(());
    };
    let outcome = if case.error.is_some() { "error" } else { "failure" };
    let mut text = Vec::new();
    write_failure(case, &mut text)?;
    let lines: Vec<String> = String::from_utf8_lossy(&text).lines().map(xml_text).collect();
    element.write_inner_content(|writer| {
        writer
            .create_element(outcome)
            .with_attribute(("message", xml_text(&message).as_str()))
            .write_inner_content(|writer| {
                writer.write_event(Event::Text(BytesText::new(&lines.join("\n"))))
            })?;
        Ok(())
    })?;
    Ok(())
}

/// How many there are, how many are not as expected, and how many could not be judged.
fn counts<'r>(cases: impl Iterator<Item = &'r CaseReport> + Clone) -> [String; 3] {
    let errors = cases.clone().filter(|case| case.error.is_some()).count();
    let failed = cases.clone().filter(|case| !case.is_as_expected()).count();
    [cases.count(), failed - errors, errors].map(|count| count.to_string())
}

/// One line in which every character is one that XML has.
fn xml_text(text: &str) -> String {
    let is_of_xml = |character: char| !matches!(character, '\u{0}'..'\u{20}' | '\u{fffe}' | '\u{ffff}');
    let line = one_line(text).to_string();
    line.chars().map(|character| if is_of_xml(character) { character } else { '\u{fffd}' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_xml_has_not_is_not_written() {
        for (text, expected) in [
            ("a <b> & 'c' \"d\"", "a <b> & 'c' \"d\""),
            ("übung \u{1f600}", "übung \u{1f600}"),
            ("\u{fffe}\u{ffff}", "\u{fffd}\u{fffd}"),
        ] {
            assert_eq!(xml_text(text), expected);
        }
        assert!(xml_text("a\u{0}b\u{1b}c\nd\te").chars().all(|character| character >= ' '));
    }
}
