#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| zs_proto::tls::flight::fuzz_flight(bytes));
