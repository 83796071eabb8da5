//! Durations as the host reads them: a whole number and one unit.

use syn::LitStr;

pub(crate) const SECOND: u64 = 1000;
pub(crate) const HOUR: u64 = 3_600_000;
pub(crate) const DAY: u64 = 24 * HOUR;

/// The milliseconds that `500ms`, `30s`, `5m`, `2h` or `1d` stands for, within `least..=most`.
pub(crate) fn millis(literal: &LitStr, least: u64, most: u64) -> syn::Result<u64> {
    let text = literal.value();
    let Some(millis) = parse(&text) else {
        let message =
            format!("{text:?} is no duration; write one such as \"500ms\", \"30s\", \"5m\", \"2h\" or \"1d\"");
        return Err(syn::Error::new(literal.span(), message));
    };
    let refuse = |bound| Err(syn::Error::new(literal.span(), format!("{text:?} is out of range: {bound}")));
    match millis {
        0 => refuse("it must be longer than nothing".to_owned()),
        _ if millis < least => refuse(format!("at least {}", name(least))),
        _ if millis > most => refuse(format!("at most {}", name(most))),
        _ => Ok(millis),
    }
}

/// As [`millis`], from nothing at all.
pub(crate) fn millis_or_none(literal: &LitStr, most: u64) -> syn::Result<u64> {
    match parse(&literal.value()) {
        Some(0) => Ok(0),
        _ => millis(literal, 1, most),
    }
}

fn parse(text: &str) -> Option<u64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let unit = match unit {
        "ms" => 1,
        "s" => SECOND,
        "m" => 60 * SECOND,
        "h" => HOUR,
        "d" => DAY,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(unit)
}

fn name(millis: u64) -> String {
    match millis {
        _ if millis.is_multiple_of(DAY) => format!("{}d", millis / DAY),
        _ if millis.is_multiple_of(HOUR) => format!("{}h", millis / HOUR),
        _ if millis.is_multiple_of(SECOND) => format!("{}s", millis / SECOND),
        _ => format!("{millis}ms"),
    }
}

#[cfg(test)]
mod tests {
    use proc_macro2::Span;

    use super::*;

    fn read(text: &str) -> syn::Result<u64> {
        millis(&LitStr::new(text, Span::call_site()), SECOND, HOUR)
    }

    #[test]
    fn a_number_with_a_unit_is_a_duration() {
        assert_eq!(read("1500ms").unwrap(), 1500);
        assert_eq!(read("30s").unwrap(), 30_000);
        assert_eq!(read("5m").unwrap(), 300_000);
        assert_eq!(read("1h").unwrap(), HOUR);
    }

    #[test]
    fn anything_else_is_refused() {
        for text in ["", "5", "s", "1.5s", "-1s", "5 m", "5M", "18446744073709551615h"] {
            assert!(read(text).unwrap_err().to_string().contains("is no duration"), "{text}");
        }
    }

    #[test]
    fn the_bounds_are_named() {
        assert_eq!(read("0s").unwrap_err().to_string(), "\"0s\" is out of range: it must be longer than nothing");
        assert_eq!(read("10ms").unwrap_err().to_string(), "\"10ms\" is out of range: at least 1s");
        assert_eq!(read("61m").unwrap_err().to_string(), "\"61m\" is out of range: at most 1h");
    }
}
