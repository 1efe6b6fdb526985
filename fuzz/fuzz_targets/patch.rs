//! What must hold is in `tests/fuzz/patch.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| podgate_fuzz::run(podgate_fuzz::targets::patch::check, input));
