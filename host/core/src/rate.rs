//! How often something may happen: a rate, and the bucket that is filled at it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::clock::Monotonic;
use crate::time::Millis;

pub const RATE_MIN: u32 = 1;
pub const RATE_MAX: u32 = 100_000;
/// A full bucket holds what its rate gives in this time: senders come in bursts.
pub const BURST: Millis = Millis(5_000);

/// So many in a second, a minute or an hour; [`RATE_MIN`] to [`RATE_MAX`] of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    number: u32,
    per: Millis,
}

const UNITS: [(&str, Millis); 3] = [("/s", Millis::SECOND), ("/m", Millis::MINUTE), ("/h", Millis::HOUR)];

impl Rate {
    /// Nothing outside `RATE_MIN..=RATE_MAX`.
    pub const fn per_second(number: u32) -> Option<Rate> {
        if number >= RATE_MIN && number <= RATE_MAX { Some(Rate { number, per: Millis::SECOND }) } else { None }
    }

    /// A minute's share.
    pub fn each_minute(self) -> u64 {
        u64::from(self.number) * Millis::MINUTE.0 / self.per.0
    }

    /// From one to the next.
    fn micros(self) -> u64 {
        self.per.0 * 1000 / u64::from(self.number)
    }
}

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Rate, String> {
        let read = || {
            let (unit, per) = UNITS.into_iter().find(|(unit, _)| text.ends_with(unit))?;
            let number = text.strip_suffix(unit).filter(|number| number.bytes().all(|b| b.is_ascii_digit()))?;
            let number = number.parse().ok().filter(|number| (RATE_MIN..=RATE_MAX).contains(number))?;
            Some(Rate { number, per })
        };
        read().ok_or_else(|| format!("must be {RATE_MIN}/s..={RATE_MAX}/s, or so many /m or /h, got {text}"))
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = UNITS.into_iter().find(|(_, per)| *per == self.per).map_or("/s", |(unit, _)| unit);
        write!(f, "{}{unit}", self.number)
    }
}

impl Serialize for Rate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Rate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Rate, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A token bucket. The default is a full one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Bucket {
    /// When it is full again. Of two buckets the lesser is the fuller one, or was full for longer.
    full_at_micros: u64,
}

impl Bucket {
    /// Takes one token. An empty bucket is left as it is, and tells when there is a token again.
    pub fn charge(&mut self, rate: Rate, now: Monotonic) -> Result<(), Millis> {
        self.charge_many(rate, 1, now)
    }

    /// Takes so many, or none of them. More than a full bucket holds are never there.
    pub fn charge_many(&mut self, rate: Rate, number: u64, now: Monotonic) -> Result<(), Millis> {
        let now = now.0.saturating_mul(1000);
        let taken = rate.micros().saturating_mul(number);
        let full_at = self.full_at_micros.max(now).saturating_add(taken);
        let early = (full_at - now).saturating_sub((BURST.0 * 1000).max(rate.micros()));
        if early > 0 {
            return Err(Millis(early.div_ceil(1000)));
        }
        self.full_at_micros = full_at;
        Ok(())
    }

    /// Tokens that are there, where a full bucket holds what `rate` gives in a second, or one; and when there is one where
    /// there is none.
    pub fn tokens(&self, rate: Rate, now: Monotonic) -> Result<usize, Millis> {
        let (now, each) = (now.0.saturating_mul(1000), rate.micros());
        let burst = (Millis::SECOND.0 * 1000).max(each);
        let missing = self.full_at_micros.saturating_sub(now);
        match burst.saturating_sub(missing) / each.max(1) {
            0 => Err(Millis((missing + each - burst).div_ceil(1000))),
            tokens => Ok(usize::try_from(tokens).unwrap_or(usize::MAX)),
        }
    }

    /// Takes so many, whether they are there or not.
    pub fn take(&mut self, rate: Rate, number: usize, now: Monotonic) {
        let now = now.0.saturating_mul(1000);
        let taken = rate.micros().saturating_mul(number as u64);
        self.full_at_micros = self.full_at_micros.max(now).saturating_add(taken);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEN: Rate = Rate { number: 10, per: Millis::SECOND };

    #[test]
    fn what_was_taken_comes_back_at_the_rate_and_a_slow_one_gives_one_at_a_time() {
        let mut bucket = Bucket::default();
        assert_eq!(bucket.tokens(TEN, Monotonic(7_000)), Ok(10));
        bucket.take(TEN, 10, Monotonic(7_000));
        assert_eq!(bucket.tokens(TEN, Monotonic(7_000)), Err(Millis(100)));
        assert_eq!(bucket.tokens(TEN, Monotonic(7_100)), Ok(1));
        let slow: Rate = "2/m".parse().unwrap();
        let mut bucket = Bucket::default();
        assert_eq!(bucket.tokens(slow, Monotonic(0)), Ok(1));
        bucket.take(slow, 1, Monotonic(0));
        assert_eq!(bucket.tokens(slow, Monotonic(1_000)), Err(Millis(29_000)));
        assert_eq!(bucket.tokens(slow, Monotonic(30_000)), Ok(1));
        assert!(Bucket::default().charge(slow, Monotonic(0)).is_ok());
    }

    fn taken(bucket: &mut Bucket, now: Monotonic) -> usize {
        std::iter::repeat_with(|| bucket.charge(TEN, now)).take_while(Result::is_ok).take(1000).count()
    }

    #[test]
    fn a_bucket_gives_a_burst_and_then_its_rate() {
        let mut bucket = Bucket::default();
        let start = Monotonic(7_000);
        assert_eq!(taken(&mut bucket, start), 50);
        assert_eq!(bucket.charge(TEN, start), Err(Millis(100)));
        assert_eq!(taken(&mut bucket, start.plus(Millis(99))), 0);
        assert_eq!(taken(&mut bucket, start.plus(Millis(1_000))), 10);
        assert_eq!(taken(&mut bucket, start.plus(Millis::HOUR)), 50);
    }

    #[test]
    fn a_rate_reads_back_as_it_is_written() {
        for text in ["1/s", "100/s", "100000/s", "10/m", "1/h"] {
            assert_eq!(text.parse::<Rate>().unwrap().to_string(), text);
        }
        for text in ["", "/s", "0/s", "100001/s", "100", "1/d", "+1/s", "-1/s", "1.5/s", "99999999999/s"] {
            assert!(text.parse::<Rate>().unwrap_err().ends_with(&format!("got {text}")), "{text:?}");
        }
    }
}
