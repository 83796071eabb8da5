//! Bodies that were compressed on their way.

use std::io::Write;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use hookbox_core::secret::Secret;
use hookbox_core::verify::{Outgoing, Scheme, sign};
use hookbox_http::providers::Providers;
use serde_json::json;

use crate::harness::{Host, JSON, NOW, live, signed, webhook};

const ORDER: &[u8] = br#"{"event_id":"7","type":"order.paid","data":{"text":"text text text text"}}"#;

fn gzip(data: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

fn sent(body: &[u8], encoding: &str) -> Request<Body> {
    webhook("my-shop", "generic", "", body, &[JSON, ("content-encoding", encoding)])
}

#[tokio::test]
async fn a_compressed_body_is_verified_and_kept_as_sent_and_read_inflated() {
    let host = Host::new();
    let mut zlib = ZlibEncoder::new(Vec::new(), Compression::best());
    zlib.write_all(ORDER).unwrap();
    for (body, encoding) in [(gzip(ORDER), "gzip"), (zlib.finish().unwrap(), "deflate")] {
        let answer = host.deliver(sent(&body, encoding)).await;
        let expected = if encoding == "gzip" { StatusCode::ACCEPTED } else { StatusCode::OK };
        assert_eq!(answer.status, expected, "the same delivery in another encoding is a duplicate");
        let event = host.get(&format!("/api/v1/events/{}", answer.json()["id"].as_str().unwrap())).await.json();
        assert_eq!(event["type"], "order.paid");
        assert_eq!(event["attributes"]["sent-encoding"], "gzip", "{event}");
        assert_eq!(event["attributes"].get("header.content-encoding"), None);
        assert!(event.to_string().contains("text text text text"), "{event}");
        assert_eq!(event["data_bytes"], json!(gzip(ORDER).len()), "it is kept as it was sent");
    }
}

#[tokio::test]
async fn a_body_that_cannot_be_inflated_is_refused_once_its_sender_is_known() {
    let bomb = gzip(&vec![b' '; 4 << 20]);
    let cut = &gzip(ORDER)[..20];
    let cases = [
        (bomb.as_slice(), "gzip", StatusCode::PAYLOAD_TOO_LARGE),
        (cut, "gzip", StatusCode::BAD_REQUEST),
        (ORDER, "br", StatusCode::UNSUPPORTED_MEDIA_TYPE),
        (ORDER, "gzip, gzip", StatusCode::UNSUPPORTED_MEDIA_TYPE),
    ];
    for (body, encoding, status) in cases {
        let host = Host::new();
        assert_eq!(host.deliver(sent(body, encoding)).await.status, status, "{encoding}");
        let other = "whsec_b3RoZXIgb3RoZXIgb3RoZXIgb3RoZXIgb3RoZXI=";
        let headers = [JSON, ("content-encoding", encoding)];
        let forged = host.deliver(signed("my-shop", "generic", other, NOW, "", body, &headers)).await;
        assert_eq!(forged.status, StatusCode::UNAUTHORIZED, "a stranger inflates nothing");
        assert!(host.is_untouched());
    }
}

#[tokio::test]
async fn a_body_without_an_encoding_is_handed_over_byte_for_byte() {
    let bodies: [(&str, &[u8]); 6] = [
        ("application/json", br#"{ "a" : 1.0 }"#),
        ("application/x-www-form-urlencoded", b"payload=%7B%7D&b=+"),
        ("multipart/form-data; boundary=x", b"--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--x--\r\n"),
        ("application/xml", b"<?xml version=\"1.0\"?>\n<a b='1'/>\r\n"),
        ("text/plain", b" text \n"),
        ("application/octet-stream", &[0, 0xff, 0x1f, 0x8b]),
    ];
    for (content_type, body) in bodies {
        let host = Host::new();
        let answer = host.deliver(webhook("my-shop", "generic", "", body, &[("content-type", content_type)])).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{content_type}");
        let id = answer.json()["id"].as_str().unwrap().parse().unwrap();
        let event = host.store.event(id).await.unwrap().event;
        assert_eq!((event.data.as_slice(), event.payload().as_ref()), (body, body), "{content_type}");
        assert_eq!(event.content_type, content_type);
    }
}

#[tokio::test]
async fn a_body_of_any_type_is_kept_byte_for_byte() {
    let host = Host::new();
    let multipart = b"--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--x--\r\n";
    for (content_type, body) in [
        ("application/json", &b" {\"b\" : 1.0,\r\n \"a\":\"\\u00e9\" }\n"[..]),
        ("application/x-www-form-urlencoded", b"payload=%7B%7D&a=1+2&a="),
        ("multipart/form-data; boundary=x", multipart),
        ("application/xml", b"<?xml version=\"1.0\"?>\r\n<order id='1'/>"),
        ("text/plain; charset=latin1", b"caf\xe9\r\n"),
        ("application/octet-stream", b"\0\x01\xff\xfe{"),
    ] {
        let answer = host.deliver(webhook("my-shop", "generic", "", body, &[("content-type", content_type)])).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{content_type}");
        let id = answer.json()["id"].as_str().unwrap().parse().unwrap();
        let event = host.store.event_input(id).await.unwrap();
        assert_eq!((event.content_type.as_str(), event.payload().as_ref()), (content_type, body));
    }
}

#[tokio::test]
async fn an_event_says_how_much_of_it_was_signed() {
    let host = Host::new();
    let providers = [("shop", "generic", "full"), ("mail", "mailgun", "partial"), ("bot", "telegram", "none")];
    host.providers.store(Providers::new(providers.map(|(name, scheme, _)| live(name, scheme, None))).into());
    for (name, scheme, integrity) in providers {
        let scheme = Scheme::named(scheme).unwrap();
        let secret = Secret::new(crate::harness::SECRET).unwrap();
        let signed = sign(scheme, &secret, NOW, &Outgoing::post("id-1", b"{}")).unwrap();
        let mut request = Request::post(format!("{}/{name}", crate::harness::WEBHOOKS)).header(JSON.0, JSON.1);
        for (header, value) in &signed.headers {
            request = request.header(header, value);
        }
        let answer = host.deliver(request.body(Body::from(signed.body)).unwrap()).await;
        assert!(answer.status.is_success(), "{name}: {answer:?}");
        let latest = host.get("/api/v1/events?limit=1").await.json()["items"][0].clone();
        assert_eq!(
            (&latest["attributes"]["integrity"], &latest["attributes"]["provider"]),
            (&json!(integrity), &json!(name))
        );
    }
}
