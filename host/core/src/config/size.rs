//! Sizes in bytes: `512KiB`, `64MiB`, `1GiB`, or a plain number.

const UNITS: [(&str, u64); 4] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

pub(super) fn parse(text: &str) -> Option<u64> {
    let (number, unit) =
        UNITS.iter().find_map(|(unit, size)| Some((text.strip_suffix(unit)?, *size))).unwrap_or((text, 1));
    let plain = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
    number.parse::<u64>().ok().filter(|_| plain)?.checked_mul(unit)
}

pub(super) fn shown(bytes: u64) -> String {
    let unit = UNITS.iter().find(|(_, size)| bytes > 0 && bytes.is_multiple_of(*size));
    unit.map_or_else(|| bytes.to_string(), |(unit, size)| format!("{}{unit}", bytes / size))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_read_back_as_they_are_written() {
        for text in ["1GiB", "64MiB", "512KiB", "100B"] {
            assert_eq!(shown(parse(text).unwrap()), text);
        }
        assert_eq!(parse("100"), Some(100));
    }

    #[test]
    fn what_is_no_size_is_refused() {
        for text in ["", "MiB", "1.5MiB", "-1", "64MB", "64 MiB", "+1", "18446744073709551615GiB"] {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }
}
