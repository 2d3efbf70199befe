#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| zs_proto::date::fuzz_date(bytes));
