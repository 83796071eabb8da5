//! What the targets share: how an input is taken apart, and a sender and a receiver for each preset.
//!
//! Inputs are text as far as they can be, so that seeds are written and crashes are read by hand.

use std::sync::LazyLock;

use hookbox_core::secret::Secret;
use hookbox_core::time::Timestamp;
use hookbox_core::verify::{Scheme, Verifier, sample, schemes};

pub const NOW: Timestamp = Timestamp(1_764_000_000_000);
pub const URL: &str = "https://hooks.example.com/in?from=the-sender";

/// Bytes that no mutation comes upon by chance.
const MINE: [u8; 32] = *b"\x1f\xd3\x5a\x08\xc9\x77\xe2\x41\xb6\x90\x2d\xfc\x13\x68\xae\x55\x84\x3b\xf1\x0e\x97\xca\x20\x6d\xbb\x49\xd5\x02\x7e\xa8\x31\xec";
const ANOTHERS: [u8; 32] = [9; 32];

/// Who signs and who verifies by one scheme.
pub struct Pair {
    pub scheme: Scheme,
    pub signing: Secret,
    pub verifier: Verifier,
    /// Has a secret of somebody else.
    pub other: Verifier,
}

impl Pair {
    /// `None` where a made-up secret does not fit the scheme.
    pub fn new(scheme: &Scheme) -> Option<Pair> {
        let mine = sample(scheme, &MINE)?;
        let anothers = sample(scheme, &ANOTHERS)?;
        let verifier = |secret| Verifier::new(scheme, &[secret], None).ok();
        let (verifier, other) = (verifier(mine.secret)?, verifier(anothers.secret)?);
        Some(Pair { scheme: scheme.clone(), signing: mine.signing, verifier, other })
    }

    /// Of the preset with that name; of some preset for any other text.
    pub fn of_preset(name: &[u8]) -> &'static Pair {
        static PRESETS: LazyLock<Vec<Pair>> = LazyLock::new(|| schemes().iter().filter_map(Pair::new).collect());
        pick(&PRESETS, name, |pair, name| pair.scheme.name().as_bytes() == name)
    }
}

/// The item that is named; some item for any other text, so that every input counts.
pub fn pick<'i, T>(items: &'i [T], name: &[u8], is_named: impl Fn(&T, &[u8]) -> bool) -> &'i T {
    let sum = name.iter().fold(0, |sum: usize, byte| sum.wrapping_mul(31).wrapping_add(usize::from(*byte)));
    let named = items.iter().find(|item| is_named(item, name));
    named.unwrap_or_else(|| &items[sum % items.len()])
}

/// The first line without its end, and what stands behind it.
pub fn line(input: &[u8]) -> (&[u8], &[u8]) {
    split_at(input, b"\n")
}

/// What stands before and behind `end`; all of it and nothing where it is not there.
pub fn split_at<'i>(input: &'i [u8], end: &[u8]) -> (&'i [u8], &'i [u8]) {
    match input.windows(end.len()).position(|part| part == end) {
        Some(at) => (&input[..at], &input[at + end.len()..]),
        None => (input, b""),
    }
}

/// Bodies that differ as little as can be: by one bit in a few places, and by a blank at the end.
pub fn altered(body: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    let last = body.len().saturating_sub(1);
    let bits = [(0, 0), (last / 2, 5), (last, 2)].into_iter().filter(|_| !body.is_empty());
    let flipped = bits.map(|(at, bit)| {
        let mut body = body.to_vec();
        body[at] ^= 1 << bit;
        body
    });
    flipped.chain([[body, b" "].concat()])
}
