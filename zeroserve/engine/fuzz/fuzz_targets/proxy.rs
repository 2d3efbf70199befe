#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| zs_proto::proxy::fuzz_proxy(bytes));
