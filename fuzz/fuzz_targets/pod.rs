//! What must hold is in `tests/fuzz/pod.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| podgate_fuzz::run(podgate_fuzz::targets::pod::check, input));
