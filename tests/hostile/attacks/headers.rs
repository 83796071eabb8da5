//! Guests that write into a request what belongs to the host: another line, another request, where it ends, where it goes.

use super::requests::shop_once;
use crate::guest::{Guest, Verdict, sender};
use crate::http::ask;
use crate::server::{Heard, at};

const FORBIDDEN: Verdict = Verdict::Says("header forbidden");
const INVALID: Verdict = Verdict::Says("header invalid");

pub(crate) fn guests() -> Vec<Guest> {
    let mut all = headers();
    all.extend(lines());
    all.extend(framing());
    all
}

fn with(name: &'static str, header: &str, value: &str, verdict: Verdict) -> Guest {
    let request = ask("GET", &at("shop.example"), "/", &[(header, value)]);
    sender(name, &format!("(call $send {request})")).ends(verdict)
}

fn headers() -> Vec<Guest> {
    vec![
        with("sets-the-host-header", "host", "vault.example", FORBIDDEN),
        with("sets-the-host-header-in-capitals", "HOST", "vault.example", FORBIDDEN),
        with("sets-the-authority-of-http-2", ":authority", "vault.example", INVALID),
        with("sets-the-path-of-http-2", ":path", "/hidden", INVALID),
        with("sets-the-connection-header", "connection", "keep-alive, x-secret", FORBIDDEN),
        with("sets-the-keep-alive-header", "keep-alive", "timeout=100000", FORBIDDEN),
        with("sets-the-transfer-encoding", "transfer-encoding", "chunked", FORBIDDEN),
        with("sets-the-transfer-encoding-in-capitals", "Transfer-Encoding", "identity", FORBIDDEN),
        with("asks-for-an-upgrade", "upgrade", "websocket", FORBIDDEN),
        with("asks-for-an-upgrade-to-http-2", "http2-settings", "AAMAAABkAARAAAAA", FORBIDDEN),
        with("names-itself-to-a-proxy", "proxy-authorization", "Basic YTpi", FORBIDDEN),
        with("holds-a-connection-to-a-proxy", "proxy-connection", "keep-alive", FORBIDDEN),
        with("hides-a-line-in-a-header", "x-a", "b\\r\\nhost: vault.example", INVALID),
        with("hides-a-line-behind-a-line-feed", "x-a", "b\\nhost: vault.example", INVALID),
        with("hides-a-line-behind-a-carriage-return", "x-a", "b\\rhost: vault.example", INVALID),
        with("hides-a-request-in-a-header", "x-a", "b\\r\\n\\r\\nGET /hidden HTTP/1.1\\r\\n", INVALID),
        with("has-a-zero-in-a-header", "x-a", "b\\0c", INVALID),
        with("hides-a-line-in-the-name-of-a-header", "x-a: b\\r\\nhost", "vault.example", INVALID),
        with("has-a-colon-in-the-name-of-a-header", "host:", "vault.example", INVALID),
        with("has-a-space-in-the-name-of-a-header", "host ", "vault.example", INVALID),
        with("has-a-header-without-a-name", "", "vault.example", INVALID),
    ]
}

/// In the first line of a request, and in where it goes.
fn lines() -> Vec<Guest> {
    let send = |name, method: &str, host: &str, path: &str, verdict| {
        sender(name, &format!("(call $send {})", ask(method, host, path, &[]))).ends(verdict)
    };
    let shop = at("shop.example");
    let never = |name, method: &str| {
        send(name, method, &shop, "/", Verdict::Says("HTTP-request-denied")).told("is never allowed")
    };
    let (method, path) = (Verdict::Says("method invalid"), Verdict::Says("path invalid"));
    vec![
        never("asks-for-a-tunnel", "CONNECT"),
        never("asks-for-a-tunnel-in-small-letters", "connect"),
        never("asks-for-a-trace", "TRACE"),
        never("asks-for-a-trace-in-small-letters", "Trace"),
        send("hides-a-request-in-its-method", "GET /hidden HTTP/1.1\\r\\n\\r\\nGET", &shop, "/", method),
        send("has-a-space-in-its-method", "GET /hidden", &shop, "/", method),
        send("has-no-method", "", &shop, "/", method),
        send("has-a-method-of-sixty-five-bytes", &"X".repeat(65), &shop, "/", method),
        send("hides-a-request-in-its-path", "GET", &shop, "/ HTTP/1.1\\r\\nhost: a\\r\\n\\r\\nGET /hidden", path),
        send("hides-a-line-in-its-path", "GET", &shop, "/\\r\\nhost: vault.example", path),
        send("has-a-space-in-its-path", "GET", &shop, "/ HTTP/1.0", path),
        send("names-another-host-in-its-path", "GET", &shop, &format!("http://{}/hidden", at("127.0.0.1")), path),
        send("has-no-slash-before-its-path", "GET", &shop, "@vault.example/", path),
        send("has-a-path-of-nine-thousand-bytes", "GET", &shop, &format!("/{}", "a".repeat(9000)), path),
        send(
            "hides-a-line-in-its-host",
            "GET",
            &format!("{shop}\\r\\nx-a: b"),
            "/",
            Verdict::Says("authority invalid"),
        ),
        // It is a path all the same.
        send("begins-its-path-with-two-slashes", "GET", &shop, &format!("//{}/", at("127.0.0.1")), {
            Verdict::Says("welcome to the shop")
        })
        .heard(shop_once),
    ]
}

/// Where a request ends.
fn framing() -> Vec<Guest> {
    let shop = at("shop.example");
    let post = |name, length: &str, text: &str, verdict| {
        let job = format!(
            "(call $post @\"{shop}\" @\"/\" (call $with (call $fields) @\"content-length\" @\"{length}\") @\"{text}\"
               (i32.const 1))"
        );
        sender(name, &job).ends(verdict)
    };
    let send = |name, headers: &[(&str, &str)], verdict| {
        sender(name, &format!("(call $send {})", ask("GET", &shop, "/", headers))).ends(verdict)
    };
    vec![
        send("gives-its-length-twice", &[("content-length", "0"), ("content-length", "30")], INVALID),
        send("gives-a-length-with-a-sign", &[("content-length", "+5")], INVALID),
        send("gives-two-lengths-in-one", &[("content-length", "0, 30")], INVALID),
        send("gives-a-length-and-no-body", &[("content-length", "5")], Verdict::Says("HTTP-request-body-size")),
        post("gives-a-length-that-overflows", "18446744073709551616", "12345", INVALID),
        post("writes-more-than-it-said", "3", "12345", Verdict::Says("body refused")).heard(nothing_beyond_its_length),
        post("writes-less-than-it-said", "30", "12345", Verdict::Says("HTTP-request-body-size"))
            .heard(nothing_beyond_its_length),
        post("writes-a-request-behind-its-body", "1", "1GET /hidden HTTP/1.1", Verdict::Says("body refused"))
            .heard(nothing_beyond_its_length),
    ]
}

fn nothing_beyond_its_length(heard: &[Heard]) {
    let beyond = |heard: &Heard| heard.text.contains("345") && heard.text.contains("content-length: 3\r\n");
    assert!(heard.len() <= 1 && !heard.iter().any(|heard| beyond(heard) || heard.text.contains("hidden")), "{heard:?}");
}
