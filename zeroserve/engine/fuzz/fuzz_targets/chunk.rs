#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| zs_proto::h1::chunk::fuzz_chunk(bytes));
