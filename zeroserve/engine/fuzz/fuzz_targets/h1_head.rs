#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| zs_proto::h1::parse::fuzz_head(bytes));
