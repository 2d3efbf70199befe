#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| zs_archive::members::fuzz_members(bytes));
