//! Bodies that were compressed on their way: verified and stored as sent, handed over inflated.

use std::io::Read;

use flate2::bufread::{MultiGzDecoder, ZlibDecoder};

/// What a body may inflate to.
pub const INFLATED_BYTES_MAX: u64 = 8 << 20;
/// How many times its own size a body may inflate to: text seldom does more than twenty.
pub const RATIO_MAX: u64 = 100;
/// What any body may inflate to, however small it is.
const INFLATED_BYTES_FLOOR: u64 = 64 << 10;

/// The event's attribute that says how its data was sent, and is stored.
pub const ATTRIBUTE: &str = "sent-encoding";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContentEncoding {
    Gzip,
    /// As HTTP means it: zlib.
    Deflate,
}

/// A body that cannot be handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotInflated {
    #[error("the content encoding is none of gzip, deflate and identity")]
    Unknown,
    #[error("the body is not in the encoding that it is declared to be in")]
    Broken,
    #[error("the body inflates to more than {RATIO_MAX} times its size, or to more than {} MiB", INFLATED_BYTES_MAX >> 20)]
    TooLarge,
}

impl ContentEncoding {
    /// What a Content-Encoding header says; `None` for identity. `Unknown` also for several.
    pub fn parse(text: &str) -> Result<Option<ContentEncoding>, NotInflated> {
        match text.trim().to_ascii_lowercase().as_str() {
            "" | "identity" => Ok(None),
            "gzip" | "x-gzip" => Ok(Some(ContentEncoding::Gzip)),
            "deflate" => Ok(Some(ContentEncoding::Deflate)),
            _ => Err(NotInflated::Unknown),
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            ContentEncoding::Gzip => "gzip",
            ContentEncoding::Deflate => "deflate",
        }
    }

    /// The whole of it, and never more in memory than a body may inflate to. `Broken` also where bytes are left over.
    pub fn inflate(self, body: &[u8]) -> Result<Vec<u8>, NotInflated> {
        let most = (body.len() as u64).saturating_mul(RATIO_MAX).clamp(INFLATED_BYTES_FLOOR, INFLATED_BYTES_MAX);
        let mut inflated = Vec::new();
        let mut rest = body;
        let read = match self {
            ContentEncoding::Gzip => MultiGzDecoder::new(&mut rest).take(most + 1).read_to_end(&mut inflated),
            ContentEncoding::Deflate => ZlibDecoder::new(&mut rest).take(most + 1).read_to_end(&mut inflated),
        };
        match read {
            _ if inflated.len() as u64 > most => Err(NotInflated::TooLarge),
            Ok(_) if rest.is_empty() => Ok(inflated),
            _ => Err(NotInflated::Broken),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::{GzEncoder, ZlibEncoder};
    use proptest::prelude::*;

    use super::*;

    fn gzip(data: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(data).unwrap();
        encoder.finish().unwrap()
    }

    fn zlib(data: &[u8]) -> Vec<u8> {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(data).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn names_are_those_of_http() {
        for (text, encoding) in [("gzip", "gzip"), (" X-GZIP ", "gzip"), ("deflate", "deflate")] {
            assert_eq!(ContentEncoding::parse(text).unwrap().unwrap().name(), encoding);
        }
        assert_eq!(ContentEncoding::parse("identity"), Ok(None));
        for unknown in ["br", "gzip, gzip", "zstd", "gzip;q=1"] {
            assert_eq!(ContentEncoding::parse(unknown), Err(NotInflated::Unknown), "{unknown}");
        }
    }

    #[test]
    fn several_members_of_one_body_are_one() {
        let body = [gzip(b"one "), gzip(b"two")].concat();
        assert_eq!(ContentEncoding::Gzip.inflate(&body).unwrap(), b"one two");
    }

    #[test]
    fn what_is_cut_or_has_bytes_left_over_is_broken() {
        for (encoding, body) in [(ContentEncoding::Gzip, gzip(b"text")), (ContentEncoding::Deflate, zlib(b"text"))] {
            assert_eq!(encoding.inflate(&body).unwrap(), b"text");
            for broken in [&body[..body.len() - 1], &[&body[..], b"x"].concat(), b"text", b""] {
                assert_eq!(encoding.inflate(broken), Err(NotInflated::Broken), "{broken:?}");
            }
        }
    }

    #[test]
    fn a_bomb_is_given_up_at_its_bound() {
        for size in [1 << 20, 64 << 20] {
            let bomb = gzip(&vec![0; size]);
            assert_eq!(ContentEncoding::Gzip.inflate(&bomb), Err(NotInflated::TooLarge), "{size}");
        }
        let text = gzip(&vec![b' '; INFLATED_BYTES_FLOOR as usize]);
        assert!(ContentEncoding::Gzip.inflate(&text).is_ok(), "a small body may be of little but blanks");
    }

    proptest! {
        #[test]
        fn what_was_deflated_comes_back(data in proptest::collection::vec(any::<u8>(), 0..2000)) {
            prop_assert_eq!(ContentEncoding::Gzip.inflate(&gzip(&data)).unwrap(), data.clone());
            prop_assert_eq!(ContentEncoding::Deflate.inflate(&zlib(&data)).unwrap(), data);
        }

        #[test]
        fn no_body_makes_it_panic_or_grow(data in proptest::collection::vec(any::<u8>(), 0..400)) {
            let gzip = [&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0], data.as_slice()].concat();
            for body in [&data, &gzip] {
                for encoding in [ContentEncoding::Gzip, ContentEncoding::Deflate] {
                    prop_assert!(encoding.inflate(body).unwrap_or_default().len() as u64 <= INFLATED_BYTES_MAX);
                }
            }
        }
    }
}
