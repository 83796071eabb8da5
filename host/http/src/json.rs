//! What is JSON: by declaration and by grammar.

use serde::de::IgnoredAny;

/// Whether a content type, parameters aside, is this one.
pub(crate) fn is_essence(content_type: &str, media_type: &str) -> bool {
    essence(content_type).eq_ignore_ascii_case(media_type)
}

/// `application/json`, or any type with the suffix `+json`.
pub(crate) fn is_declared(content_type: &str) -> bool {
    let essence = essence(content_type).as_bytes();
    let tail = essence.len().checked_sub(b"+json".len()).and_then(|at| essence.get(at..));
    essence.eq_ignore_ascii_case(b"application/json") || tail.is_some_and(|tail| tail.eq_ignore_ascii_case(b"+json"))
}

fn essence(content_type: &str) -> &str {
    content_type.split(';').next().unwrap_or_default().trim()
}

/// Looks at every byte and keeps none. The text is checked for its UTF-8 apart: skipping a string does not.
pub(crate) fn parses(body: &[u8]) -> bool {
    std::str::from_utf8(body).is_ok_and(|text| serde_json::from_str::<IgnoredAny>(text).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_told_by_its_content_type() {
        for json in ["application/json", "Application/JSON; charset=utf-8", "application/cloudevents+json"] {
            assert!(is_declared(json), "{json}");
        }
        for other in ["text/plain", "application/x-www-form-urlencoded", "application/jsonp", "", "json"] {
            assert!(!is_declared(other), "{other}");
        }
    }

    #[test]
    fn json_parses_whole_or_not_at_all() {
        for good in [&b"{}"[..], b" [1, 2] ", b"\"\xc3\xa9\"", b"1e5"] {
            assert!(parses(good));
        }
        for bad in [&b""[..], b"{", b"{} x", b"\"\xff\"", b"{'a':1}", b"[1,]", b"nul"] {
            assert!(!parses(bad), "{bad:?}");
        }
        assert!(!parses(&[b'['; 100_000]));
    }
}
