#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| zs_proto::tls::client_hello::fuzz_client_hello(bytes));
