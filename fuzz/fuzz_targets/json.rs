//! What must hold is in `tests/fuzz/json.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| podgate_fuzz::run(podgate_fuzz::targets::json::check, input));
