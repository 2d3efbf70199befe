#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| zs_proto::path::fuzz_path(bytes));
