#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| zs_proto::conditional::fuzz_conditional(bytes));
