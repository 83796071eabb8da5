//! A delivery in a file, as it came: what `capture` writes, and what `invoke`, `send` and `verify` take again.
//!
//! One JSON file, `NAME.delivery.json`. Values of headers and the body are text where they are UTF-8, and else
//! `{"base64": ..}`, so that the bytes that were signed are the bytes that are read. Names of headers are in lower
//! case, as HTTP compares them.

use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hookbox_core::config::BODY_BYTES_MAX;
use hookbox_core::time::Timestamp;
use hookbox_core::verify::{Delivery, Identity, Scheme};
use serde::Deserialize;
use serde_json::json;

use crate::project::Mistakes;

/// What the files of this format begin with.
const FORMAT: u32 = 1;
/// Of the largest body, all of which is written as `\u0000`, with the largest head.
const FILE_BYTES_MAX: u64 = BODY_BYTES_MAX * 6 + (1 << 20);
/// What is about the connection that it came over, and not about the delivery.
const OF_THE_CONNECTION: [&str; 9] =
    ["host", "content-length", "transfer-encoding", "connection", "keep-alive", "te", "trailer", "upgrade", "expect"];

/// One request, as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Recorded {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: Option<String>,
    /// A repeated one as several; names in lower case.
    pub(crate) headers: Vec<(String, Vec<u8>)>,
    pub(crate) body: Vec<u8>,
    pub(crate) received_at: Timestamp,
}

/// The file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileV1 {
    format: u32,
    received_at_ms: u64,
    method: String,
    path: String,
    query: Option<String>,
    headers: Vec<(String, Octets)>,
    body: Octets,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Octets {
    Text(String),
    Bytes(InBase64),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct InBase64 {
    base64: String,
}

impl Recorded {
    /// Reads a file that [`Recorded::write_new`] wrote, or that somebody wrote by hand.
    pub(crate) fn read(file: &Path) -> Result<Recorded> {
        let size = fs::metadata(file).with_context(|| format!("cannot read {}", file.display()))?.len();
        let wrong = |why: String| Mistakes(vec![format!("{}: {why}", file.display())]);
        if size > FILE_BYTES_MAX {
            return Err(wrong(format!("a delivery has {FILE_BYTES_MAX} bytes at most")).into());
        }
        let bytes = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
        Recorded::parse(&bytes).map_err(|why| wrong(why).into())
    }

    /// Writes a file that only its owner reads: the signature or token in it may open a door. Fails with
    /// `AlreadyExists` where there is one of that name.
    pub(crate) fn write_new(&self, file: &Path) -> std::io::Result<()> {
        let mut to = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(file)?;
        let written = to.write_all(&self.to_bytes()).and_then(|()| to.sync_all());
        if written.is_err() {
            // Half a file would pass for a whole one at a glance.
            let _ = fs::remove_file(file);
        }
        written
    }

    fn parse(bytes: &[u8]) -> Result<Recorded, String> {
        let file: FileV1 =
            serde_json::from_slice(bytes).map_err(|error| format!("is no recorded delivery: {error}"))?;
        if file.format != FORMAT {
            return Err(format!("has the format {}; this hookbox reads {FORMAT}", file.format));
        }
        let decode = |octets: Octets, what: &str| match octets {
            Octets::Text(text) => Ok(text.into_bytes()),
            Octets::Bytes(InBase64 { base64 }) => {
                STANDARD.decode(base64).map_err(|_| format!("{what} has base64 that does not decode"))
            }
        };
        let mut headers = Vec::with_capacity(file.headers.len());
        for (name, value) in file.headers {
            let value = decode(value, &format!("header {name}"))?;
            headers.push((name.to_ascii_lowercase(), value));
        }
        Ok(Recorded {
            method: file.method,
            path: file.path,
            query: file.query,
            headers,
            body: decode(file.body, "the body")?,
            received_at: Timestamp(file.received_at_ms),
        })
    }

    /// One header a line, for people.
    fn to_bytes(&self) -> Vec<u8> {
        let octets = |bytes: &[u8]| match std::str::from_utf8(bytes) {
            Ok(text) => json!(text),
            Err(_) => json!({ "base64": STANDARD.encode(bytes) }),
        };
        let headers = self.headers.iter().map(|(name, value)| format!("    {}", json!([name, octets(value)])));
        let query = self.query.as_ref().map(|query| format!("  \"query\": {},\n", json!(query))).unwrap_or_default();
        let file = format!(
            "{{\n  \"format\": {FORMAT},\n  \"received_at_ms\": {},\n  \"method\": {},\n  \"path\": {},\n{query}  \
             \"headers\": [\n{}\n  ],\n  \"body\": {}\n}}\n",
            self.received_at.0,
            json!(self.method),
            json!(self.path),
            headers.collect::<Vec<_>>().join(",\n"),
            octets(&self.body),
        );
        file.into_bytes()
    }

    /// The first value of a header, where it is text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let (_, value) = self.headers.iter().find(|(known, _)| known == name)?;
        std::str::from_utf8(value).ok()
    }

    /// What it says it is, in the terms of a scheme; nothing of it is verified.
    pub(crate) fn identity(&self, scheme: &Scheme) -> Identity {
        let headers: Vec<_> = self.headers.iter().map(|(name, value)| (name.as_str(), value.as_slice())).collect();
        scheme.locate(&Delivery {
            method: &self.method,
            url: "",
            query: self.query.as_deref().unwrap_or_default(),
            headers: &headers,
            body: &self.body,
        })
    }

    /// What goes along where it is sent again: everything but what is about the connection.
    pub(crate) fn headers_to_send(&self) -> impl Iterator<Item = (&str, &[u8])> {
        let sent = self.headers.iter().filter(|(name, _)| !OF_THE_CONNECTION.contains(&name.as_str()));
        sent.map(|(name, value)| (name.as_str(), value.as_slice()))
    }

    /// The last part of its path: the provider's name, where it was sent to a hookbox.
    pub(crate) fn provider(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn recorded() -> impl Strategy<Value = Recorded> {
        let octets = || prop_oneof![any::<String>().prop_map(String::into_bytes), any::<Vec<u8>>()];
        let headers = proptest::collection::vec(("[a-z-]{1,20}", octets()), 0..8);
        let line = ("[A-Z]{1,7}", any::<String>(), any::<Option<String>>());
        (line, headers, octets(), any::<u64>()).prop_map(|((method, path, query), headers, body, at)| Recorded {
            method,
            path,
            query,
            headers,
            body,
            received_at: Timestamp(at),
        })
    }

    proptest! {
        #[test]
        fn what_is_read_is_what_came_to_the_byte(recorded in recorded()) {
            prop_assert_eq!(Recorded::parse(&recorded.to_bytes()), Ok(recorded));
        }

        #[test]
        fn no_file_makes_the_reader_fall(bytes: Vec<u8>) {
            let _ = Recorded::parse(&bytes);
        }
    }

    fn one() -> Recorded {
        Recorded {
            method: "POST".to_owned(),
            path: "/api/v1/webhooks/webhook/stripe".to_owned(),
            query: None,
            headers: vec![
                ("content-type".to_owned(), b"application/json".to_vec()),
                ("host".to_owned(), b"127.0.0.1:8090".to_vec()),
                ("stripe-signature".to_owned(), b"t=1,v1=\xff".to_vec()),
            ],
            body: b"{\"id\": \"evt_1\"}\r\n".to_vec(),
            received_at: Timestamp(1_764_000_000_123),
        }
    }

    #[test]
    fn the_file_can_be_read_by_people() {
        insta::assert_snapshot!("delivery_file", String::from_utf8(one().to_bytes()).unwrap());
    }

    #[test]
    fn a_file_that_is_no_delivery_is_refused_with_the_reason() {
        let good = String::from_utf8(one().to_bytes()).unwrap();
        assert_eq!(Recorded::parse(good.as_bytes()), Ok(one()));
        for (from, to, why) in [
            ("\"format\": 1", "\"format\": 2", "has the format 2"),
            ("\"method\"", "\"verb\"", "unknown field `verb`"),
            ("\"base64\":\"", "\"base64\":\"?", "header stripe-signature has base64"),
        ] {
            let told = Recorded::parse(good.replace(from, to).as_bytes()).unwrap_err();
            assert!(told.contains(why), "{told}");
        }
    }

    #[test]
    fn it_is_sent_again_without_what_was_about_its_connection() {
        let recorded = one();
        let names: Vec<&str> = recorded.headers_to_send().map(|(name, _)| name).collect();
        assert_eq!(names, ["content-type", "stripe-signature"]);
    }

    #[test]
    fn only_its_owner_reads_the_file_and_none_is_written_over() {
        use std::os::unix::fs::PermissionsExt;

        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.delivery.json");
        one().write_new(&file).unwrap();
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(one().write_new(&file).unwrap_err().kind(), std::io::ErrorKind::AlreadyExists);
        assert_eq!(Recorded::read(&file).unwrap(), one());
    }
}
