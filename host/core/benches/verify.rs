//! What it costs to check a body of 1 KiB, for each algorithm. Figures are printed and judged by
//! nobody: `cargo bench -p hookbox-core`.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a benchmark measures time, prints it and may fail"
)]

use std::hint::black_box;
use std::time::Instant;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use hookbox_core::secret::Secret;
use hookbox_core::time::Timestamp;
use hookbox_core::verify::{Delivery, Outgoing, Scheme, Verifier, sign};

const NOW: Timestamp = Timestamp(1_750_861_210_000);
const ROUNDS: u32 = 20_000;
const URL: &str = "https://hooks.example.com/in";

fn main() {
    let body = format!(r#"{{"id":"evt_1","type":"t","data":"{}"}}"#, "x".repeat(1024 - 35));
    let secret = Secret::new("a secret of some length").unwrap();
    bare_hmac(body.as_bytes(), secret.expose());
    for name in ["github-256", "stripe", "intercom", "square", "hubspot-v2"] {
        let scheme = Scheme::named(name).unwrap();
        let out = Outgoing { method: "POST", url: URL, id: "id1", event_type: Some("t"), body: body.as_bytes() };
        let sent = sign(scheme, &secret, NOW, &out).unwrap();
        let headers: Vec<(&str, &[u8])> = sent.headers.iter().map(|(n, v)| (n.as_str(), v.as_bytes())).collect();
        let delivery = Delivery { method: "POST", url: &sent.url, query: "", headers: &headers, body: &sent.body };
        let verifier = Verifier::new(scheme, &[Secret::new(secret.expose()).unwrap()], None).unwrap();
        let began = Instant::now();
        for _ in 0..ROUNDS {
            black_box(verifier.verify(black_box(&delivery), NOW)).unwrap();
        }
        let each = began.elapsed() / ROUNDS;
        println!("{name}: {} bytes in {:.2} us", sent.body.len(), each.as_secs_f64() * 1e6);
    }
}

/// The yardstick: the signature alone, of the same bytes, as any receiver has to compute it.
fn bare_hmac(body: &[u8], secret: &[u8]) {
    let began = Instant::now();
    for _ in 0..ROUNDS {
        let mut mac = Hmac::<Sha256>::new_from_slice(black_box(secret)).unwrap();
        mac.update(black_box(body));
        black_box(mac.finalize());
    }
    let each = began.elapsed() / ROUNDS;
    println!("HMAC-SHA256 alone: {} bytes in {:.2} us", body.len(), each.as_secs_f64() * 1e6);
}
