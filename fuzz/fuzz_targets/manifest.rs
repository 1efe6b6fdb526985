//! What must hold is in `tests/fuzz/manifest.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| podgate_fuzz::run(podgate_fuzz::targets::manifest::check, input));
