//! `examples/exceptions`: its page shows what its commands print.

use std::fs;
use std::path::Path;

use crate::command::run;
use crate::pods::of_repository;

#[test]
fn the_commands_of_the_page_print_what_it_shows() {
    let page = fs::read_to_string(of_repository("examples/exceptions/README.md")).unwrap();
    let blocks: Vec<&str> =
        page.split("```console\n$ ").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert!(blocks.len() >= 5, "{page}");
    for block in blocks {
        let joined = block.replace("\\\n", " ");
        let (command, shown) = joined.split_once('\n').unwrap();
        let words: Vec<&str> = command.split_whitespace().collect();
        assert_eq!(words[0], "podgate", "{command}");
        let ended = run(Path::new(&of_repository("")), &words[1..], "");
        assert_eq!(format!("{}{}", ended.output, ended.errors), shown, "{command}");
    }
}
