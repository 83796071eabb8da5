//! What every write may be given.

use clap::Args;

/// The host takes no longer one.
const KEY_BYTES_MAX: usize = 255;

#[derive(Debug, Default, Args)]
pub(crate) struct OnceArgs {
    /// Do it once, however often it is asked for with this key; a new one unless given.
    #[arg(long, value_name = "KEY", value_parser = key)]
    pub(crate) idempotency_key: Option<String>,
}

#[derive(Debug, Default, Args)]
pub(crate) struct ConditionArgs {
    /// Only if it is as `show` has printed it, by the etag there: nobody has changed it since.
    #[arg(long, value_name = "ETAG", value_parser = tag)]
    pub(crate) if_match: Option<String>,
}

fn key(text: &str) -> Result<String, String> {
    let good = |c: char| c.is_ascii_graphic() && c != '"';
    match (1..=KEY_BYTES_MAX).contains(&text.len()) && text.chars().all(good) {
        true => Ok(text.to_owned()),
        false => Err(format!("must be 1 to {KEY_BYTES_MAX} visible ASCII characters without quotes")),
    }
}

fn tag(text: &str) -> Result<String, String> {
    match !text.is_empty() && text.chars().all(|c| c.is_ascii_graphic()) {
        true => Ok(text.to_owned()),
        false => Err("write the etag that `show` prints, or *".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_header_can_carry_is_refused_as_it_is_typed() {
        assert!(["a", "order-7", &"k".repeat(KEY_BYTES_MAX)].iter().all(|text| key(text).is_ok()));
        assert!(
            ["", "a b", "\"a\"", "\u{e4}", "a\n", &"k".repeat(KEY_BYTES_MAX + 1)].iter().all(|text| key(text).is_err())
        );
        assert!(["abc", "\"abc\"", "*"].iter().all(|text| tag(text).is_ok()));
        assert!(["", "a b", "a\n"].iter().all(|text| tag(text).is_err()));
    }
}
