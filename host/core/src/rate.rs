//! How often something may happen: a rate, and the bucket that is filled at it.

use std::fmt;
use std::str::FromStr;

use crate::clock::Monotonic;
use crate::time::Millis;

pub const RATE_MIN: u32 = 1;
pub const RATE_MAX: u32 = 100_000;
/// A full bucket holds what its rate gives in this time: senders come in bursts.
pub const BURST: Millis = Millis(5_000);

const MICROS_PER_SECOND: u64 = 1_000_000;

/// So many a second, [`RATE_MIN`] to [`RATE_MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate(u32);

impl Rate {
    /// Nothing outside `RATE_MIN..=RATE_MAX`.
    pub const fn per_second(number: u32) -> Option<Rate> {
        if number >= RATE_MIN && number <= RATE_MAX { Some(Rate(number)) } else { None }
    }

    pub fn each_second(self) -> u32 {
        self.0
    }
}

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Rate, String> {
        let number = text.strip_suffix("/s").filter(|number| number.bytes().all(|b| b.is_ascii_digit()));
        let rate = number.and_then(|number| number.parse().ok()).and_then(Rate::per_second);
        rate.ok_or_else(|| format!("must be {RATE_MIN}/s..={RATE_MAX}/s, got {text}"))
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/s", self.0)
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
        let taken = (MICROS_PER_SECOND / u64::from(rate.0)).saturating_mul(number);
        let full_at = self.full_at_micros.max(now).saturating_add(taken);
        let early = (full_at - now).saturating_sub(BURST.0 * 1000);
        if early > 0 {
            return Err(Millis(early.div_ceil(1000)));
        }
        self.full_at_micros = full_at;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(bucket: &mut Bucket, now: Monotonic) -> usize {
        std::iter::repeat_with(|| bucket.charge(Rate(10), now)).take_while(Result::is_ok).take(1000).count()
    }

    #[test]
    fn a_bucket_gives_a_burst_and_then_its_rate() {
        let mut bucket = Bucket::default();
        let start = Monotonic(7_000);
        assert_eq!(taken(&mut bucket, start), 50);
        assert_eq!(bucket.charge(Rate(10), start), Err(Millis(100)));
        assert_eq!(taken(&mut bucket, start.plus(Millis(99))), 0);
        assert_eq!(taken(&mut bucket, start.plus(Millis(1_000))), 10);
        assert_eq!(taken(&mut bucket, start.plus(Millis::HOUR)), 50);
    }

    #[test]
    fn a_rate_reads_back_as_it_is_written() {
        for text in ["1/s", "100/s", "100000/s"] {
            assert_eq!(text.parse::<Rate>().unwrap().to_string(), text);
        }
        for text in ["", "/s", "0/s", "100001/s", "100", "1/m", "+1/s", "-1/s", "1.5/s", "99999999999/s"] {
            assert!(text.parse::<Rate>().unwrap_err().ends_with(&format!("got {text}")), "{text:?}");
        }
    }
}
