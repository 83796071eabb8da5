//! What inflates is never larger than its bound, and is just what was deflated: whole, with nothing left over.
//!
//! An input is a body as it was sent, a deflate stream without its frame, and a body before it is sent.

#![no_main]

use std::io::{Read, Write};

use flate2::bufread::DeflateDecoder;
use flate2::write::{GzEncoder, ZlibEncoder};
use flate2::{Compression, Crc};
use hookbox_core::encoding::{ContentEncoding, INFLATED_BYTES_MAX, NotInflated, RATIO_MAX};
use libfuzzer_sys::fuzz_target;

/// What a body of few bytes may still inflate to.
const FLOOR: u64 = 64 << 10;

fuzz_target!(|input: &[u8]| {
    for encoding in [ContentEncoding::Gzip, ContentEncoding::Deflate] {
        let inflated = encoding.inflate(input).unwrap_or_default();
        assert!(inflated.len() as u64 <= most(input));
    }
    let _ = ContentEncoding::parse(&String::from_utf8_lossy(input));
    in_a_frame(input);
    there_and_back(input);
});

fn most(body: &[u8]) -> u64 {
    (body.len() as u64 * RATIO_MAX).clamp(FLOOR, INFLATED_BYTES_MAX)
}

/// With the checksums right, which no mutation comes upon.
fn in_a_frame(stream: &[u8]) {
    let mut data = Vec::new();
    let mut rest = stream;
    let whole = DeflateDecoder::new(&mut rest).take(INFLATED_BYTES_MAX + 1).read_to_end(&mut data).is_ok();
    if !whole || data.len() as u64 > INFLATED_BYTES_MAX {
        return;
    }
    let stream = &stream[..stream.len() - rest.len()];
    let mut crc = Crc::new();
    crc.update(&data);
    let ends = [crc.sum().to_le_bytes(), crc.amount().to_le_bytes()].concat();
    let gzip = [&b"\x1f\x8b\x08\0\0\0\0\0\0\xff"[..], stream, &ends].concat();
    let zlib = [&b"\x78\x9c"[..], stream, &adler(&data).to_be_bytes()].concat();
    for (encoding, body) in [(ContentEncoding::Gzip, gzip), (ContentEncoding::Deflate, zlib)] {
        let fits = data.len() as u64 <= most(&body);
        let wanted = if fits { Ok(&data) } else { Err(NotInflated::TooLarge) };
        assert_eq!(encoding.inflate(&body).as_ref().map_err(|error| *error), wanted, "{encoding:?}");
    }
}

fn adler(data: &[u8]) -> u32 {
    let (a, b) = data.iter().fold((1, 0), |(a, b), byte| {
        let a = (a + u32::from(*byte)) % 65521;
        (a, (b + a) % 65521)
    });
    b << 16 | a
}

fn there_and_back(data: &[u8]) {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    let mut zlib = ZlibEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(data).and_then(|()| zlib.write_all(data)).expect("a vector takes it");
    let bodies = [(ContentEncoding::Gzip, gzip.finish()), (ContentEncoding::Deflate, zlib.finish())];
    for (encoding, body) in bodies {
        let mut body = body.expect("a vector takes it");
        assert_eq!(encoding.inflate(&body).as_deref(), Ok(data));
        assert_eq!(encoding.inflate(&body[..body.len() - 1]), Err(NotInflated::Broken), "cut");
        body.push(0);
        assert_eq!(encoding.inflate(&body), Err(NotInflated::Broken), "left over");
    }
}
