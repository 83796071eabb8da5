//! Numbers of bytes as people write them.

const UNITS: [(&str, u64); 3] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];

/// `64MiB`, `512KiB`, `1GiB`, or a number of bytes.
pub(super) fn parse(text: &str) -> Result<u64, String> {
    let refuse = || format!("must be a size such as 512KiB, 64MiB or 1GiB, or a number of bytes, got {text:?}");
    let (number, unit) = text.split_at(text.bytes().take_while(u8::is_ascii_digit).count());
    let unit = match UNITS.iter().find(|(name, _)| *name == unit) {
        Some((_, size)) => *size,
        None if unit.is_empty() => 1,
        None => return Err(refuse()),
    };
    let number: u64 = number.parse().map_err(|_| refuse())?;
    number.checked_mul(unit).ok_or_else(refuse)
}

/// The largest unit that divides it; bytes as a bare number.
pub(super) fn show(bytes: u64) -> String {
    match UNITS.iter().find(|(_, size)| bytes > 0 && bytes.is_multiple_of(*size)) {
        Some((unit, size)) => format!("{}{unit}", bytes / size),
        None => bytes.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_read_back_as_they_are_written() {
        for (text, bytes) in [("0", 0), ("1000", 1000), ("512KiB", 512 << 10), ("64MiB", 64 << 20), ("1GiB", 1 << 30)] {
            assert_eq!(parse(text), Ok(bytes));
            assert_eq!(show(bytes), text);
        }
    }

    #[test]
    fn what_is_no_size_is_refused() {
        for text in ["", "MiB", "-1", "1.5MiB", "64MB", "64mib", "64 MiB", "17179869184GiB", "99999999999999999999"] {
            assert!(parse(text).unwrap_err().ends_with(&format!("got {text:?}")), "{text:?}");
        }
    }
}
