//! How numbers are said, on pages and in messages.

pub(crate) fn number(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

pub(crate) fn bytes(bytes: u64) -> String {
    match bytes {
        0..1024 => format!("{bytes} B"),
        1024..1_048_576 => format!("{} KiB", bytes.div_ceil(1024)),
        1_048_576..10_737_418_240 => format!("{:.1} MiB", bytes as f64 / 1_048_576.0),
        _ => format!("{:.1} GiB", bytes as f64 / 1_073_741_824.0),
    }
}

/// Such as `12.5/s`.
pub(crate) fn per_second(value: f64) -> String {
    format!("{}/s", short(value))
}

/// Of microseconds.
pub(crate) fn duration(us: f64) -> String {
    match us {
        _ if us < 0.5 => "0 s".to_owned(),
        _ if us < 1000.0 => format!("{us:.0} us"),
        _ if us < 1_000_000.0 => format!("{} ms", short(us / 1000.0)),
        _ => format!("{} s", short(us / 1_000_000.0)),
    }
}

/// Of milliseconds.
pub(crate) fn span(ms: f64) -> String {
    duration(ms * 1000.0)
}

pub(crate) fn percent(ratio: f64) -> String {
    format!("{}%", short(ratio * 100.0))
}

pub(crate) fn count(value: f64) -> String {
    number(value.max(0.0).round() as u64)
}

fn short(value: f64) -> String {
    match value {
        0.0 => "0".to_owned(),
        _ if value < 10.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_said_in_the_unit_that_fits() {
        for (said, wanted) in [
            (bytes(1023), "1023 B"),
            (bytes(1025), "2 KiB"),
            (bytes(1 << 20), "1.0 MiB"),
            (bytes((10 << 30) - 1), "10240.0 MiB"),
            (bytes(258 << 30), "258.0 GiB"),
        ] {
            assert_eq!(said, wanted);
        }
    }

    #[test]
    fn numbers_are_grouped() {
        for (value, said) in [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(number(value), said);
        }
    }

    #[test]
    fn numbers_are_said_shortly() {
        for (said, wanted) in [
            (duration(0.0), "0 s"),
            (duration(12.0), "12 us"),
            (duration(1500.0), "1.5 ms"),
            (duration(2_500_000.0), "2.5 s"),
            (span(1200.0), "1.2 s"),
            (percent(0.0), "0%"),
            (percent(0.123), "12%"),
            (count(1234.4), "1,234"),
        ] {
            assert_eq!(said, wanted);
        }
    }
}
