#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| zs_chain::fuzz_trial_request(bytes));
