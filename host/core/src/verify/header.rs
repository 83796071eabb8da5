//! The grammar of signature headers and timestamps. Bytes in, never a panic.

use base64::prelude::{BASE64_STANDARD, Engine};

use super::Refusal;
use super::scheme::{Encoding, Scheme, TimestampAt, TimestampUnit};
use crate::time::{Millis, Timestamp};

/// Most entries of one signature header, the skipped ones included: ten old secrets, the current
/// one and some room. It bounds the work that a stranger can ask for before the check fails.
pub const SIGNATURES_MAX: usize = 16;

/// An ed25519 signature is the longest.
const SIGNATURE_BYTES_MAX: usize = 64;

/// One signature of the header, to be tried under the keys of its method. What could not be
/// decoded is kept as a candidate of no bytes, which matches nothing.
pub(super) struct Candidate {
    pub(super) method: usize,
    bytes: [u8; DECODE_BYTES],
    length: usize,
}

/// base64 is decoded in threes, so the buffer has room for one group more.
const DECODE_BYTES: usize = SIGNATURE_BYTES_MAX + 4;

/// What one signature header holds.
pub(super) struct Entries<'a> {
    pub(super) candidates: Vec<Candidate>,
    pub(super) timestamp: Option<&'a [u8]>,
}

impl Candidate {
    fn decode(method: usize, encoding: Encoding, text: &[u8]) -> Candidate {
        let mut bytes = [0; DECODE_BYTES];
        let length = match encoding {
            Encoding::Hex => {
                let room = bytes.get_mut(..text.len() / 2);
                room.and_then(|room| hex::decode_to_slice(text, room).ok()).map(|()| text.len() / 2)
            }
            Encoding::Base64 => BASE64_STANDARD.decode_slice(text, &mut bytes).ok(),
        };
        Candidate { method, bytes, length: length.unwrap_or(0) }
    }

    pub(super) fn signature(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

impl<'a> Entries<'a> {
    /// Splits the header and keeps the entries of the methods that are `in_use`; entries with any
    /// other tag are skipped. `MalformedHeader` where none is left, where the timestamp stands
    /// there twice, and beyond the limits.
    pub(super) fn read(scheme: &Scheme, value: &'a [u8], in_use: impl Fn(usize) -> bool) -> Result<Self, Refusal> {
        let refuse = |why| Refusal::MalformedHeader { header: scheme.signature.name.clone(), why };
        let clock = scheme.timestamp.as_ref().and_then(|rule| match &rule.at {
            TimestampAt::Entry(tag) => Some(tag.as_bytes()),
            TimestampAt::Header(_) => None,
        });
        let mut entries = Entries { candidates: Vec::new(), timestamp: None };
        let parts = value.split(|byte| scheme.signature.separator == Some(char::from(*byte)));
        for (position, part) in parts.enumerate() {
            let part = part.trim_ascii();
            if position >= SIGNATURES_MAX {
                return Err(refuse("it has too many entries"));
            }
            if let Some(text) = clock.and_then(|tag| part.strip_prefix(tag)) {
                if entries.timestamp.replace(text).is_some() {
                    return Err(refuse("it has two timestamps"));
                }
                continue;
            }
            let tagged = scheme.methods.iter().enumerate().find_map(|(index, method)| {
                let text = part.strip_prefix(method.tag.as_bytes())?;
                in_use(index).then_some((index, text))
            });
            if let Some((method, text)) = tagged {
                entries.candidates.push(Candidate::decode(method, scheme.signature.encoding, text));
            }
        }
        if entries.candidates.is_empty() {
            return Err(refuse("it has no signature of the kind that the secrets are for"));
        }
        Ok(entries)
    }
}

/// `None` for anything but decimal digits that fit.
pub(super) fn timestamp(text: &[u8], unit: TimestampUnit) -> Option<Timestamp> {
    let millis = match unit {
        TimestampUnit::Seconds => Millis::SECOND,
    };
    let number = text.iter().try_fold(0u64, |sum, byte| {
        let digit = char::from(*byte).to_digit(10)?;
        sum.checked_mul(10)?.checked_add(u64::from(digit))
    })?;
    let at = Timestamp(number.checked_mul(millis.0)?);
    (!text.is_empty() && at <= Timestamp::MAX).then_some(at)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_timestamp_is_decimal_digits_alone() {
        let read = |text: &str| timestamp(text.as_bytes(), TimestampUnit::Seconds);
        assert_eq!(read("1614265330"), Some(Timestamp(1_614_265_330_000)));
        assert_eq!(read("0"), Some(Timestamp(0)));
        for bad in ["", "-1", "+1", "1.5", " 1", "1e9", "0x10", "99999999999999", "99999999999999999999999", "١"] {
            assert_eq!(read(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn a_header_with_too_many_entries_is_refused() {
        let scheme = Scheme::named("stripe").unwrap();
        let read =
            |value: &str| Entries::read(scheme, value.as_bytes(), |_| true).map(|entries| entries.candidates.len());
        let many = |count: usize| vec!["v1=00"; count].join(",");
        assert_eq!(read(&many(SIGNATURES_MAX)), Ok(SIGNATURES_MAX));
        assert!(read(&many(SIGNATURES_MAX + 1)).is_err());
    }

    #[test]
    fn two_timestamps_in_one_header_are_refused() {
        let scheme = Scheme::named("stripe").unwrap();
        assert!(Entries::read(scheme, b"t=1,v1=00", |_| true).is_ok_and(|entries| entries.timestamp == Some(b"1")));
        assert!(Entries::read(scheme, b"t=1,v1=00,t=1", |_| true).is_err());
    }

    proptest! {
        #[test]
        fn no_header_makes_the_grammar_panic(value in any::<Vec<u8>>(), tag in 0..5usize) {
            let tags: [&[u8]; 5] = [b"", b"sha256=", b"t=1,v1=", b"v1,", b"v1a,"];
            let value = [tags[tag], value.as_slice()].concat();
            for scheme in super::super::schemes() {
                let _ = Entries::read(scheme, &value, |_| true);
            }
            let _ = timestamp(&value, TimestampUnit::Seconds);
        }
    }
}
