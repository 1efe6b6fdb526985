//! What the programs of the fuzz targets share: the bodies of the targets, and a count of the memory that they hold.
//!
//! An input is checked as `cargo test` does it, and the memory besides.

mod memory;
#[path = "../../tests/fuzz/mod.rs"]
pub mod targets;

/// Checks an input, with memory measured.
pub fn run(check: fn(&[u8]), input: &[u8]) {
    targets::MEMORY_METER.get_or_init(|| memory::most_held);
    check(input);
}
