//! WebAssembly text by which a guest sends a request and says what came of it: the name of the error as `wasi:http` has
//! it, what was wrong with the request itself, or the first words of the answer.

use std::fmt::Write;

/// Of `error-code`, in its order.
const ERRORS: [&str; 39] = [
    "DNS-timeout",
    "DNS-error",
    "destination-not-found",
    "destination-unavailable",
    "destination-IP-prohibited",
    "destination-IP-unroutable",
    "connection-refused",
    "connection-terminated",
    "connection-timeout",
    "connection-read-timeout",
    "connection-write-timeout",
    "connection-limit-reached",
    "TLS-protocol-error",
    "TLS-certificate-error",
    "TLS-alert-received",
    "HTTP-request-denied",
    "HTTP-request-length-required",
    "HTTP-request-body-size",
    "HTTP-request-method-invalid",
    "HTTP-request-URI-invalid",
    "HTTP-request-URI-too-long",
    "HTTP-request-header-section-size",
    "HTTP-request-header-size",
    "HTTP-request-trailer-section-size",
    "HTTP-request-trailer-size",
    "HTTP-response-incomplete",
    "HTTP-response-header-section-size",
    "HTTP-response-header-size",
    "HTTP-response-body-size",
    "HTTP-response-trailer-section-size",
    "HTTP-response-trailer-size",
    "HTTP-response-transfer-coding",
    "HTTP-response-content-coding",
    "HTTP-response-timeout",
    "HTTP-upgrade-failed",
    "HTTP-protocol-error",
    "loop-detected",
    "configuration-error",
    "internal-error",
];

/// Texts are a place and a length. `$ask` makes a request, `$go` sends it, `$wait` waits for the answer and `$told` says
/// it; `$send` does all of it. Where something fails the words are in `$no`, and what comes after passes them on.
const CALLS: &str = r#"
(global $no (mut i32) (i32.const 0))
(global $no-bytes (mut i32) (i32.const 0))
(func $because (param $text i32) (param $bytes i32)
  (if (i32.eqz (global.get $no))
    (then (global.set $no (local.get $text)) (global.set $no-bytes (local.get $bytes)))))
(func $with (param $fields i32) (param $name i32) (param $name-bytes i32) (param $value i32) (param $value-bytes i32) (result i32)
  (call $append (local.get $fields) (local.get $name) (local.get $name-bytes) (local.get $value) (local.get $value-bytes)
    (i32.const 256))
  (if (i32.load8_u (i32.const 256))
    (then
      (if (i32.eq (i32.load8_u (i32.const 257)) (i32.const 1)) (then (call $because @"header forbidden")))
      (call $because @"header invalid")))
  (local.get $fields))
(func $ask (param $method i32) (param $method-bytes i32) (param $host i32) (param $host-bytes i32)
  (param $path i32) (param $path-bytes i32) (param $fields i32) (result i32)
  (local $request i32)
  (local.set $request (call $request (local.get $fields)))
  (if (call $set-method (local.get $request) (i32.const 9) (local.get $method) (local.get $method-bytes))
    (then (call $because @"method invalid")))
  (drop (call $set-scheme (local.get $request) (i32.const 1) (i32.const 0) (i32.const 0) (i32.const 0)))
  (if (call $set-authority (local.get $request) (i32.const 1) (local.get $host) (local.get $host-bytes))
    (then (call $because @"authority invalid")))
  (if (call $set-path (local.get $request) (i32.const 1) (local.get $path) (local.get $path-bytes))
    (then (call $because @"path invalid")))
  (local.get $request))
(func $go (param $request i32) (result i32)
  (if (global.get $no) (then (return (i32.const -1))))
  (call $handle (local.get $request) (i32.const 0) (i32.const 0) (i32.const 256))
  (if (i32.load8_u (i32.const 256))
    (then (call $named (i32.load8_u (i32.const 264))) (return (i32.const -1))))
  (i32.load (i32.const 264)))
(func $wait (param $future i32) (result i32)
  (local $ready i32)
  (if (global.get $no) (then (return (i32.const -1))))
  (local.set $ready (call $answered (local.get $future)))
  (call $block (local.get $ready))
  (call $drop-pollable (local.get $ready))
  (call $get-answer (local.get $future) (i32.const 256))
  (if (i32.load8_u (i32.const 272))
    (then (call $named (i32.load8_u (i32.const 280))) (return (i32.const -1))))
  (i32.load (i32.const 280)))
(func $body-of (param $response i32) (result i32)
  (call $consume (local.get $response) (i32.const 256))
  (call $body-stream (i32.load (i32.const 260)) (i32.const 256))
  (i32.load (i32.const 260)))
(func $told (param $response i32) (result i32)
  (if (global.get $no) (then (return (call $say (global.get $no) (global.get $no-bytes)))))
  (call $read (call $body-of (local.get $response)) (i64.const 65536) (i32.const 256))
  (if (i32.load8_u (i32.const 256)) (then (return (call $say @"no body"))))
  (call $say (i32.load (i32.const 260)) (i32.load (i32.const 264))))
;; All of the body, and whether it came to its end.
(func $drink (param $response i32) (result i32)
  (local $stream i32) (local $free i32)
  (if (global.get $no) (then (return (call $say (global.get $no) (global.get $no-bytes)))))
  (local.set $stream (call $body-of (local.get $response)))
  (local.set $free (global.get $heap))
  (loop $more
    (global.set $heap (local.get $free))
    (call $read (local.get $stream) (i64.const 65536) (i32.const 256))
    (br_if $more (i32.eqz (i32.load8_u (i32.const 256)))))
  (if (i32.load8_u (i32.const 260)) (then (return (call $say @"whole"))))
  (call $say @"broken off"))
(func $send (param $method i32) (param $method-bytes i32) (param $host i32) (param $host-bytes i32)
  (param $path i32) (param $path-bytes i32) (param $fields i32) (result i32)
  (call $told (call $wait (call $go (call $ask (local.get $method) (local.get $method-bytes) (local.get $host)
    (local.get $host-bytes) (local.get $path) (local.get $path-bytes) (local.get $fields))))))
;; With a body, written so many times.
(func $post (param $host i32) (param $host-bytes i32) (param $path i32) (param $path-bytes i32) (param $fields i32)
  (param $text i32) (param $bytes i32) (param $times i32) (result i32)
  (local $request i32) (local $body i32) (local $stream i32) (local $future i32)
  (local.set $request (call $ask @"POST" (local.get $host) (local.get $host-bytes) (local.get $path)
    (local.get $path-bytes) (local.get $fields)))
  (call $request-body (local.get $request) (i32.const 256))
  (if (i32.load8_u (i32.const 256)) (then (call $because @"body invalid")))
  (local.set $body (i32.load (i32.const 260)))
  (local.set $future (call $go (local.get $request)))
  (if (global.get $no) (then (return (call $told (i32.const -1)))))
  (call $body-write (local.get $body) (i32.const 256))
  (local.set $stream (i32.load (i32.const 260)))
  (loop $more
    (call $print (local.get $stream) (local.get $text) (local.get $bytes) (i32.const 256))
    (if (i32.load8_u (i32.const 256)) (then (return (call $say @"body refused"))))
    (local.set $times (i32.sub (local.get $times) (i32.const 1)))
    (br_if $more (local.get $times)))
  (call $drop-output (local.get $stream))
  (call $body-finish (local.get $body) (i32.const 0) (i32.const 0) (i32.const 256))
  (if (i32.load8_u (i32.const 256)) (then (call $named (i32.load8_u (i32.const 264)))))
  (call $told (call $wait (local.get $future))))
"#;

/// More of a module that sends requests.
pub(crate) fn calls() -> String {
    let mut calls = CALLS.to_owned();
    calls.push_str("(func $named (param $case i32)\n");
    for (case, name) in ERRORS.iter().enumerate() {
        let _ =
            writeln!(calls, "(if (i32.eq (local.get $case) (i32.const {case})) (then (call $because @\"{name}\")))");
    }
    calls.push(')');
    calls
}

/// A request without a body, and what it needs to be sent: see `$send`.
pub(crate) fn ask(method: &str, host: &str, path: &str, headers: &[(&str, &str)]) -> String {
    let with = |fields, (name, value): &(&str, &str)| format!("(call $with {fields} @\"{name}\" @\"{value}\")");
    let fields = headers.iter().fold("(call $fields)".to_owned(), with);
    format!("@\"{method}\" @\"{host}\" @\"{path}\" {fields}")
}

/// The body of a handler that asks and says what it is told.
pub(crate) fn get(host: &str) -> String {
    format!("(call $send {})", ask("GET", host, "/", &[]))
}
