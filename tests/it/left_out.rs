//! What a test does where something is missing that it needs beside Rust: it says so, or it fails.

use std::env;
use std::io::{self, Write as _};

/// Says that tests are left out, and why.
///
/// # Panics
///
/// Where `PODGATE_REQUIRE_UPSTREAM` is set: nothing may be left out then.
#[track_caller]
pub(crate) fn leave_out(tests: &str, reason: &str) {
    assert!(env::var_os("PODGATE_REQUIRE_UPSTREAM").is_none(), "{tests} cannot run: {reason}");
    say(&format!("left out: {tests}: {reason}"));
}

/// Writes a line that a test's captured output would hide.
pub(crate) fn say(line: &str) {
    // Whether anybody can read it is no business of the test.
    let _ = writeln!(io::stderr(), "{line}");
}
