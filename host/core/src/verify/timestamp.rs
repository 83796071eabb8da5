//! When a delivery says that it was signed.

use chrono::{DateTime, NaiveDateTime};

use super::scheme::TimestampUnit;
use crate::time::{Millis, Timestamp};

const HTTP_DATE: &str = "%a %d %b %Y %H:%M:%S";

/// `None` for what is not written in this unit, lies before 1970 or does not fit.
pub(super) fn parse(text: &[u8], unit: TimestampUnit) -> Option<Timestamp> {
    let at = match unit {
        TimestampUnit::Seconds => digits(text)?.checked_mul(Millis::SECOND.0)?,
        TimestampUnit::Milliseconds => digits(text)?,
        TimestampUnit::Rfc3339 => {
            let at = DateTime::parse_from_rfc3339(std::str::from_utf8(text).ok()?).ok()?;
            u64::try_from(at.timestamp_millis()).ok()?
        }
        TimestampUnit::HttpDate => {
            let text = std::str::from_utf8(text).ok()?.replacen(',', "", 1);
            let text = text.strip_suffix(" GMT").or_else(|| text.strip_suffix(" UTC"))?;
            let at = NaiveDateTime::parse_from_str(text, HTTP_DATE).ok()?;
            u64::try_from(at.and_utc().timestamp_millis()).ok()?
        }
    };
    let at = Timestamp(at);
    (at <= Timestamp::MAX).then_some(at)
}

/// As its sender would write it.
pub(super) fn show(at: Timestamp, unit: TimestampUnit) -> String {
    let date = || DateTime::from_timestamp_millis(i64::try_from(at.0).unwrap_or(i64::MAX)).unwrap_or_default();
    match unit {
        TimestampUnit::Seconds => at.seconds().to_string(),
        TimestampUnit::Milliseconds => at.0.to_string(),
        TimestampUnit::Rfc3339 => date().to_rfc3339_opts(chrono::SecondsFormat::Millis, true),
        TimestampUnit::HttpDate => date().format("%a, %d %b %Y %H:%M:%S GMT").to_string(),
    }
}

fn digits(text: &[u8]) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0u64, |sum, byte| {
        let digit = char::from(*byte).to_digit(10)?;
        sum.checked_mul(10)?.checked_add(u64::from(digit))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timestamp_is_decimal_digits_alone() {
        let read = |text: &str| parse(text.as_bytes(), TimestampUnit::Seconds);
        assert_eq!(read("1614265330"), Some(Timestamp(1_614_265_330_000)));
        assert_eq!(read("0"), Some(Timestamp(0)));
        for bad in ["", "-1", "+1", "1.5", " 1", "1e9", "0x10", "99999999999999", "99999999999999999999999", "١"] {
            assert_eq!(read(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn dates_are_read_as_their_senders_write_them() {
        let at = Timestamp(1_504_765_804_000);
        for text in ["Thu 07 Sep 2017 06:30:04 UTC", "Thu, 07 Sep 2017 06:30:04 GMT"] {
            assert_eq!(parse(text.as_bytes(), TimestampUnit::HttpDate), Some(at), "{text}");
        }
        for text in ["2017-09-07T06:30:04Z", "2017-09-07T06:30:04.000000000Z", "2017-09-07T08:30:04+02:00"] {
            assert_eq!(parse(text.as_bytes(), TimestampUnit::Rfc3339), Some(at), "{text}");
        }
        for bad in ["", "Thu 07 Sep 2017 06:30:04", "Fri 07 Sep 2017 06:30:04 UTC", "1969-01-01T00:00:00Z", "\u{ff}"] {
            assert_eq!(parse(bad.as_bytes(), TimestampUnit::HttpDate), None, "{bad}");
            assert_eq!(parse(bad.as_bytes(), TimestampUnit::Rfc3339), None, "{bad}");
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        let at = Timestamp(1_504_765_804_000);
        for unit in
            [TimestampUnit::Seconds, TimestampUnit::Milliseconds, TimestampUnit::Rfc3339, TimestampUnit::HttpDate]
        {
            assert_eq!(parse(show(at, unit).as_bytes(), unit), Some(at), "{unit:?}");
        }
    }
}
