//! Which trace and which span: W3C Trace Context, version 00.

use std::fmt;
use std::str::FromStr;

use crate::id::RunId;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TraceId([u8; 16]);

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SpanId([u8; 8]);

/// As it stands in the header `traceparent`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceContext {
    pub trace: TraceId,
    pub span: SpanId,
    /// Whether anybody keeps it.
    pub sampled: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a traceparent such as 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")]
pub struct NotATraceparent;

impl TraceId {
    /// Zeros name no trace.
    pub fn of(bytes: [u8; 16]) -> TraceId {
        TraceId(if bytes == [0; 16] { [1; 16] } else { bytes })
    }

    /// Of two random numbers, of which the low 80 bits are taken.
    pub fn random(first: u128, second: u128) -> TraceId {
        TraceId::of((first << 64 ^ second).to_be_bytes())
    }

    pub fn to_bytes(self) -> [u8; 16] {
        self.0
    }

    /// 0 to 99, by the bits that are random in every kind of id.
    pub(super) fn part_in_a_hundred(self) -> u32 {
        let low = self.0.iter().rev().take(4).fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
        u32::try_from((low * 100) >> 32).unwrap_or(99)
    }
}

impl SpanId {
    /// Zeros name no span.
    pub fn of(bytes: [u8; 8]) -> SpanId {
        SpanId(if bytes == [0; 8] { [1; 8] } else { bytes })
    }

    pub fn random(number: u128) -> SpanId {
        #[expect(clippy::cast_possible_truncation, reason = "any 64 of the random bits will do")]
        SpanId::of((number as u64).to_be_bytes())
    }

    /// The same whenever it is asked for: whoever makes an attempt need not know whoever made the one before.
    pub fn of_run(run: RunId) -> SpanId {
        SpanId::random(u128::from_be_bytes(run.to_bytes()))
    }

    pub fn to_bytes(self) -> [u8; 8] {
        self.0
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{}-{}-{:02x}", self.trace, self.span, u8::from(self.sampled))
    }
}

impl FromStr for TraceContext {
    type Err = NotATraceparent;

    /// Versions above 00 may have more behind.
    fn from_str(text: &str) -> Result<TraceContext, NotATraceparent> {
        let mut parts = text.split('-');
        let [version, trace, span, flags] = [(); 4].map(|()| parts.next().unwrap_or_default());
        let is_whole = version != "00" || parts.next().is_none();
        let [version] = plain::<1>(version)?;
        let (trace, span, [flags]) = (plain(trace)?, plain(span)?, plain::<1>(flags)?);
        match is_whole && version != 0xFF && trace != [0; 16] && span != [0; 8] {
            true => Ok(TraceContext { trace: TraceId(trace), span: SpanId(span), sampled: flags & 1 == 1 }),
            false => Err(NotATraceparent),
        }
    }
}

/// Hex digits in lower case, and no others.
fn plain<const N: usize>(text: &str) -> Result<[u8; N], NotATraceparent> {
    let mut bytes = [0; N];
    let is_lower = !text.bytes().any(|byte| byte.is_ascii_uppercase());
    hex::decode_to_slice(text, &mut bytes).ok().filter(|()| is_lower).map(|()| bytes).ok_or(NotATraceparent)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOLD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_traceparent_reads_and_prints() {
        let context: TraceContext = TOLD.parse().unwrap();
        assert!(context.sampled);
        assert_eq!(context.to_string(), TOLD);
        assert_eq!(context.trace.to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
        let later = format!("01{}-more", &TOLD[2..]);
        assert_eq!(later.parse::<TraceContext>().unwrap(), context);
    }

    #[test]
    fn what_is_no_traceparent_is_refused() {
        for text in [
            "",
            "00",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0g",
        ] {
            assert_eq!(text.parse::<TraceContext>(), Err(NotATraceparent), "{text}");
        }
    }
}
