#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| zs_proto::accept_encoding::fuzz_accept_encoding(bytes));
