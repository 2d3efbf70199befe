#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| zs_script::fuzz::fuzz_code(bytes));
