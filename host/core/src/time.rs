//! Points in time and spans of it, both in milliseconds.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};

/// Milliseconds since 1970-01-01T00:00:00Z, on the wall clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub u64);

/// A span of milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Millis(pub u64);

/// A text that is no duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be a duration such as 500ms, 30s, 5m, 2h or 1d, got {0:?}")]
pub struct NotADuration(pub String);

/// A text that is no point in time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be a time of 1970 to 9999 in RFC 3339, such as 2026-11-20T09:00:00Z, got {0:?}")]
pub struct NotATime(pub String);

impl Timestamp {
    /// The last instant that is handed out: 9999-12-31T23:59:59Z, the end of what RFC 3339 writes.
    pub const MAX: Timestamp = Timestamp(253_402_300_799_000);

    pub fn seconds(self) -> u64 {
        self.0 / 1000
    }

    /// Zero where `earlier` is later.
    pub fn since(self, earlier: Timestamp) -> Millis {
        Millis(self.0.saturating_sub(earlier.0))
    }

    /// Stays at [`Timestamp::MAX`] at most.
    #[must_use]
    pub fn plus(self, span: Millis) -> Timestamp {
        Timestamp(self.0.saturating_add(span.0).min(Self::MAX.0))
    }

    #[must_use]
    pub fn minus(self, span: Millis) -> Timestamp {
        Timestamp(self.0.saturating_sub(span.0))
    }

    pub fn to_utc(self) -> DateTime<Utc> {
        let millis = i64::try_from(self.0.min(Self::MAX.0)).unwrap_or(0);
        DateTime::from_timestamp_millis(millis).unwrap_or_default()
    }

    /// As RFC 3339 in UTC and in whole seconds: `2026-11-20T09:00:00Z`.
    pub fn show_seconds(self) -> String {
        self.to_utc().to_rfc3339_opts(SecondsFormat::Secs, true)
    }

    /// Instants before 1970 become 1970.
    pub fn from_utc(instant: DateTime<Utc>) -> Timestamp {
        Timestamp(u64::try_from(instant.timestamp_millis()).unwrap_or(0))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_utc().to_rfc3339_opts(SecondsFormat::Millis, true))
    }
}

/// RFC 3339 with any offset; what is smaller than a millisecond is dropped.
impl FromStr for Timestamp {
    type Err = NotATime;

    fn from_str(text: &str) -> Result<Timestamp, NotATime> {
        let at = DateTime::parse_from_rfc3339(text).ok().map(|at| at.to_utc());
        let at = at.filter(|at| *at >= DateTime::UNIX_EPOCH).map(Timestamp::from_utc);
        at.filter(|at| *at <= Timestamp::MAX).ok_or_else(|| NotATime(text.chars().take(80).collect()))
    }
}

impl Millis {
    pub const SECOND: Millis = Millis(1000);
    pub const MINUTE: Millis = Millis(60_000);
    pub const HOUR: Millis = Millis(3_600_000);
    pub const DAY: Millis = Millis(86_400_000);

    pub fn as_duration(self) -> Duration {
        Duration::from_millis(self.0)
    }

    pub fn from_duration(duration: Duration) -> Millis {
        Millis(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
    }
}

/// The largest unit that divides it: `90s`, `2h`, `1500ms`.
impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (unit, size) in [("d", Self::DAY), ("h", Self::HOUR), ("m", Self::MINUTE), ("s", Self::SECOND)] {
            if self.0 > 0 && self.0.is_multiple_of(size.0) {
                return write!(f, "{}{unit}", self.0 / size.0);
            }
        }
        write!(f, "{}ms", self.0)
    }
}

impl FromStr for Millis {
    type Err = NotADuration;

    fn from_str(text: &str) -> Result<Millis, NotADuration> {
        let refuse = || NotADuration(text.to_owned());
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at(digits);
        let unit = match unit {
            "ms" => 1,
            "s" => Self::SECOND.0,
            "m" => Self::MINUTE.0,
            "h" => Self::HOUR.0,
            "d" => Self::DAY.0,
            _ => return Err(refuse()),
        };
        let number: u64 = number.parse().map_err(|_| refuse())?;
        number.checked_mul(unit).map(Millis).ok_or_else(refuse)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_back_as_they_are_written() {
        for text in ["500ms", "90s", "45m", "2h", "1d", "0ms"] {
            assert_eq!(text.parse::<Millis>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        for text in ["", "5", "m", "-1s", "1.5h", "5 m", "5M", "99999999999999999999s", "18446744073709551615d"] {
            assert_eq!(text.parse::<Millis>(), Err(NotADuration(text.to_owned())));
        }
    }

    #[test]
    fn a_timestamp_is_written_as_rfc_3339_in_utc() {
        assert_eq!(Timestamp(1_750_861_210_123).to_string(), "2025-06-25T14:20:10.123Z");
        assert_eq!(Timestamp(u64::MAX).to_string(), "9999-12-31T23:59:59.000Z");
        assert_eq!(Timestamp(1_750_861_210_123).show_seconds(), "2025-06-25T14:20:10Z");
    }

    #[test]
    fn a_timestamp_is_read_with_any_offset() {
        for text in ["2025-06-25T14:20:10.123Z", "2025-06-25T16:20:10.1239+02:00", "2025-06-25t09:20:10.123-05:00"] {
            assert_eq!(text.parse(), Ok(Timestamp(1_750_861_210_123)), "{text}");
        }
        for text in ["", "now", "2025-06-25", "2025-06-25T14:20:10", "1969-12-31T23:59:59Z", "+10000-01-01T00:00:00Z"] {
            assert_eq!(text.parse::<Timestamp>(), Err(NotATime(text.to_owned())));
        }
    }
}
