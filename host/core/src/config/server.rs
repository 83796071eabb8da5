//! The listeners, the store, and what is kept how long.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::reader::{Section, shown};
use super::{SecretSource, StoreLocation, provider};
use crate::time::Millis;

/// A body, unless its provider has a limit of its own.
pub const BODY_BYTES: u64 = 1 << 20;
/// Webhooks that are being read, checked or written at one time.
pub const IN_FLIGHT: u64 = 1024;
/// Attempts at one time.
pub const SLOTS: u64 = 16;

/// `server`: where webhooks come in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    pub listen: SocketAddr,
    pub body_bytes_max: u64,
    pub in_flight_max: u64,
}

/// `operator`: where the API is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operator {
    pub listen: SocketAddr,
    /// Nothing: `HOOKBOX_TOKEN`, where it is set.
    pub token: Option<SecretSource>,
    /// Names, beside the listener's own, that requests may name as their host.
    pub hosts: Vec<String>,
}

/// `engine`: how much runs at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Engine {
    pub slots: u64,
}

/// `keep`: how long what is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keep {
    pub succeeded_for: Millis,
    pub succeeded_max: u64,
    pub dead_for: Millis,
    pub dead_max: u64,
    pub events_for: Millis,
}

const fn days(n: u64) -> Millis {
    Millis(n * Millis::DAY.0)
}

pub(super) fn server(mut section: Section<'_>) -> Server {
    let listen = listen(&mut section).unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 8080)));
    let mut limits = section.section("limits");
    let server = Server {
        listen,
        body_bytes_max: limits.bytes("body", 1024..=16 << 20).unwrap_or(BODY_BYTES),
        in_flight_max: limits.number("in_flight", 1..=65_536).unwrap_or(IN_FLIGHT),
    };
    limits.finish();
    section.finish();
    server
}

pub(super) fn operator(mut section: Section<'_>) -> Operator {
    let listen = listen(&mut section).unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 5555)));
    let token = section.take("token").and_then(|value| provider::secret_source(&section, "token", value));
    let mut hosts = Vec::new();
    for (number, value) in section.list("hosts").into_iter().enumerate() {
        match value.as_str().filter(|host| is_host(host)) {
            Some(host) => hosts.push(host.to_owned()),
            None => section.mistake(
                &format!("hosts[{number}]"),
                format_args!("must be a name such as ops.example.com, got {}", shown(&value)),
            ),
        }
    }
    section.finish();
    Operator { listen, token, hosts }
}

fn listen(section: &mut Section<'_>) -> Option<SocketAddr> {
    let text = section.text("listen")?;
    let cure = |_| section.mistake("listen", format_args!("must be ADDRESS:PORT such as 127.0.0.1:8080, got {text:?}"));
    text.parse().map_err(cure).ok()
}

fn is_host(text: &str) -> bool {
    !text.is_empty() && text.len() <= 255 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-.:[]".contains(&b))
}

pub(super) fn store(root: &mut Section<'_>) -> StoreLocation {
    let text = root.text("store").unwrap_or_else(|| "sled:./data".to_owned());
    match text.strip_prefix("sled:") {
        Some(path) if !path.is_empty() => StoreLocation::Sled(PathBuf::from(path)),
        _ => {
            root.mistake("store", format_args!("must be sled:FOLDER, got {text:?}; there is no other store"));
            StoreLocation::Sled(PathBuf::from("./data"))
        }
    }
}

pub(super) fn engine(mut section: Section<'_>) -> Engine {
    let engine = Engine { slots: section.number("slots", 1..=512).unwrap_or(SLOTS) };
    section.finish();
    engine
}

pub(super) fn keep(mut section: Section<'_>) -> Keep {
    let span = Millis::HOUR..=days(3650);
    let keep = Keep {
        succeeded_for: section.duration("succeeded_for", span.clone()).unwrap_or(days(7)),
        succeeded_max: section.number("succeeded_max", 1..=100_000_000).unwrap_or(1_000_000),
        dead_for: section.duration("dead_for", span.clone()).unwrap_or(days(90)),
        dead_max: section.number("dead_max", 1..=100_000_000).unwrap_or(100_000),
        // Duplicates are told by the events that are kept.
        events_for: section.duration("events_for", days(7)..=*span.end()).unwrap_or(days(7)),
    };
    section.finish();
    keep
}
