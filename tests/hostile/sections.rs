//! The sections of a component, as far as its lengths can be followed.

use std::ops::Range;

/// What a component begins with: `\0asm`, its version and its layer.
pub(crate) const HEAD: usize = 8;

/// Each with its number and length, in a component or core module.
pub(crate) fn of(bytes: &[u8]) -> Vec<Range<usize>> {
    let (mut found, mut at) = (Vec::new(), HEAD);
    while let Some((length, body)) = number(bytes, at + 1) {
        let Some(end) = body.checked_add(length).filter(|end| *end <= bytes.len()) else { break };
        found.push(at..end);
        at = end;
    }
    found
}

/// A number in LEB128, and where it ends.
fn number(bytes: &[u8], from: usize) -> Option<(usize, usize)> {
    let mut number = 0;
    for (shift, at) in (0..35).step_by(7).zip(from..) {
        let byte = usize::from(*bytes.get(at)?);
        number |= (byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some((number, at + 1));
        }
    }
    None
}

#[test]
fn sections_are_found_until_a_length_leads_outside() {
    let head = *b"\0asm\x0d\0\x01\0";
    let long = [&[0x00, 0x80, 0x01][..], &[7; 128]].concat();
    let bytes = [&head[..], &[1, 0], &long, &[3, 9, 9]].concat();
    assert_eq!(of(&bytes), [8..10, 10..141]);
    assert!(of(&head).is_empty() && of(b"").is_empty());
    let whole = hookbox_tests::sample("welcome");
    assert_eq!(of(&whole).last().map(|last| last.end), Some(whole.len()));
}
