#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| zs_proto::h2::fuzz::fuzz_h2_frames(bytes));
