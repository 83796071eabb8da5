//! Any hooks.yaml is read or refused. Each mistake is told on one line, without control characters, and reading
//! twice gives the same.

#![no_main]

use hookbox_core::config::Config;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Ok(text) = str::from_utf8(input) else { return };
    let config = Config::parse(text);
    if let Err(mistakes) = &config {
        assert!(!mistakes.0.is_empty());
        for mistake in &mistakes.0 {
            assert!(!mistake.to_string().contains(char::is_control), "{mistake:?}");
            assert!(!mistake.message.is_empty(), "{mistake:?}");
            assert!(mistake.line.is_none_or(|line| (1..=text.len() + 1).contains(&line)), "{mistake:?}");
        }
    }
    assert_eq!(Config::parse(text), config);
});
