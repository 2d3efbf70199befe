#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| zs_archive::tar::fuzz_tar(bytes));
