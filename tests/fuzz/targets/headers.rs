//! No delivery is accepted without the signature of just this body; whoever mixes a right signature with
//! other text is accepted only as long as that signature is still there.
//!
//! An input is a preset's name, lines `NAME:VALUE` of headers, an empty line and a body. A number for a name is
//! one of the signed delivery's headers; 0 is the last, which is the signature's. Behind a line `===` another body may stand, which is sent with the
//! signature of the first. In a value `$` is the right value, `<` and `>` are it without its last and
//! its first four bytes, and `^` is it in capitals.

#![no_main]

use std::collections::BTreeSet;

use hookbox_core::time::Timestamp;
use hookbox_core::verify::{Delivery, Integrity, Outgoing, Refusal, describe, sign};
use hookbox_fuzz::{NOW, Pair, URL, altered, line, split_at};
use libfuzzer_sys::fuzz_target;

type Headers = Vec<(String, Vec<u8>)>;

fuzz_target!(|input: &[u8]| {
    let (name, rest) = line(input);
    let (lines, body) = if rest.starts_with(b"\n") { (&b""[..], &rest[1..]) } else { split_at(rest, b"\n\n") };
    let (body, other) = split_at(body, b"\n===\n");
    let pair = Pair::of_preset(name);
    let out = Outgoing { method: "POST", url: URL, id: "msg_1", event_type: Some("t"), body };
    let signed = sign(&pair.scheme, &pair.signing, NOW, &out);
    let right: Headers = match &signed {
        Ok(signed) => signed.headers.iter().map(|(name, value)| (name.clone(), value.clone().into_bytes())).collect(),
        Err(_) => pair.scheme.headers().map(|name| (name.to_owned(), Vec::new())).collect(),
    };
    let lines = lines.split(|byte| *byte == b'\n').filter(|line| line.contains(&b':'));
    let lines: Headers = lines.map(|line| header(&right, line)).collect();

    // A stranger's own words.
    assert!(judge(pair, URL, &lines, body).is_err(), "{}: nothing was signed", pair.scheme.name());

    // The sender's. What it signs may still be no answerable challenge, or have a signed member twice.
    let Ok(signed) = signed else { return };
    if let Err(refusal) = judge(pair, &signed.url, &right, &signed.body) {
        let good = ["bad-challenge", "malformed-header"].contains(&refusal.code());
        assert!(good, "{}: what was signed is refused: {refusal}", pair.scheme.name());
    }

    // A stranger who saw a delivery.
    let mut headers = right.clone();
    let mut fresh = vec![true; right.len()];
    for (name, value) in lines {
        let at = right.iter().position(|(other, _)| other.eq_ignore_ascii_case(&name));
        let value = mixed(&value, at.map_or(b"", |at| &right[at].1));
        match at {
            Some(at) if fresh[at] => (headers[at], fresh[at]) = ((name, value), false),
            _ => headers.push((name, value)),
        }
    }
    let bodies = altered(&signed.body).chain([signed.body.clone(), other.to_vec()]);
    for body in bodies.filter(|body| judge(pair, &signed.url, &headers, body).is_ok()) {
        assert!(holds_the_signature(pair, &right, &headers), "{}: the signature is gone", pair.scheme.name());
        let same = covered(pair, &body) == covered(pair, &signed.body);
        assert!(same || pair.scheme.integrity() != Integrity::Full, "{}: of another body", pair.scheme.name());
    }
});

/// Whether a header that was `sent` still has the signature that the right ones have, if they have one.
fn holds_the_signature(pair: &Pair, right: &Headers, sent: &Headers) -> bool {
    let secret = |(header, _): &&(String, Vec<u8>)| pair.scheme.is_secret_header(header);
    let Some((_, value)) = right.iter().find(secret) else { return true };
    let signature = value.rsplit(|byte| b",; ".contains(byte)).next().unwrap_or_default();
    sent.iter().filter(secret).any(|(_, value)| contains(value, signature))
}

/// What a scheme of full integrity signs of a body: of a form its fields, however they are written.
fn covered(pair: &Pair, body: &[u8]) -> Vec<u8> {
    if !describe(&pair.scheme).methods.iter().any(|method| method.content.contains("{sorted_form}")) {
        return body.to_vec();
    }
    let fields: BTreeSet<_> = form_urlencoded::parse(body).collect();
    fields.iter().flat_map(|(name, value)| [name.as_bytes(), value.as_bytes()].concat()).collect()
}

/// The verdict, and what holds for any that accepts.
fn judge(pair: &Pair, url: &str, headers: &Headers, body: &[u8]) -> Result<(), Refusal> {
    let headers: Vec<(&str, &[u8])> = headers.iter().map(|(name, value)| (name.as_str(), value.as_slice())).collect();
    let query = url.split_once('?').map_or("", |(_, query)| query);
    let delivery = Delivery { method: "POST", url, query, headers: &headers, body };
    let verified = pair.verifier.verify(&delivery, NOW)?;
    assert_eq!((verified.secret, verified.integrity), (0, pair.scheme.integrity()));
    if let (Some(at), Some(tolerance)) = (verified.signed_at, pair.scheme.tolerance()) {
        assert!(at.0.abs_diff(NOW.0) <= tolerance.0, "{}: out of its window", pair.scheme.name());
        for beyond in [at.0 + tolerance.0 + 1, at.0 - tolerance.0 - 1] {
            let late = pair.verifier.verify(&delivery, Timestamp(beyond));
            assert!(late.is_err(), "{}: out of its window", pair.scheme.name());
        }
    }
    assert!(pair.other.verify(&delivery, NOW).is_err(), "{}: under any secret", pair.scheme.name());
    Ok(())
}

fn header(right: &Headers, line: &[u8]) -> (String, Vec<u8>) {
    let (name, value) = split_at(line, b":");
    let name = String::from_utf8_lossy(name).into_owned();
    let numbered = name.parse().ok().and_then(|at: usize| right.iter().rev().nth(at));
    (numbered.map_or(name, |(name, _)| name.clone()), value.to_vec())
}

fn mixed(value: &[u8], right: &[u8]) -> Vec<u8> {
    let part = |byte: &u8| match byte {
        b'$' => right.to_vec(),
        b'<' => right[..right.len().saturating_sub(4)].to_vec(),
        b'>' => right[right.len().min(4)..].to_vec(),
        b'^' => right.to_ascii_uppercase(),
        other => vec![*other],
    };
    value.iter().flat_map(part).collect()
}

/// Hex is read in either case; nothing else is.
fn contains(value: &[u8], signature: &[u8]) -> bool {
    let digits = signature.rsplit(|byte| *byte == b'=').next().unwrap_or_default();
    let hex = digits.len() >= 40 && digits.iter().all(u8::is_ascii_hexdigit);
    let same = |part: &[u8]| if hex { part.eq_ignore_ascii_case(signature) } else { part == signature };
    value.windows(signature.len()).any(same)
}
