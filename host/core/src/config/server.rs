//! The host itself: listeners, store, slots and what is kept.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use ipnet::IpNet;

use super::network;
use super::oidc::Oidc;
use super::reader::{Field, Section};
use super::source::{self, SecretSource};
use crate::limits::{STACK_BYTES, STACK_BYTES_MAX, STACK_BYTES_MIN};
use crate::rate::Rate;
use crate::time::Millis;

/// Body of one webhook: the largest common senders stay far below.
pub const BODY_BYTES: u64 = 1 << 20;
pub const BODY_BYTES_MIN: u64 = 1 << 10;
/// GitHub is said to send up to 25 MiB.
pub const BODY_BYTES_MAX: u64 = 32 << 20;
/// Bodies that are held at one time, together: some dozens of the largest that come, and thousands of the usual ones.
pub const BODIES_BYTES: u64 = 64 << 20;
/// The largest body that may be taken has room.
pub const BODIES_BYTES_MIN: u64 = BODY_BYTES_MAX;
pub const BODIES_BYTES_MAX: u64 = 64 << 30;
/// Webhooks that are read, checked or written at one time.
pub const IN_FLIGHT: u32 = 1024;
pub const IN_FLIGHT_MAX: u32 = 65_536;
/// Webhooks of one source address: far more than a sender posts, far fewer than wear a host out.
pub const PER_SOURCE: Rate = match Rate::per_second(100) {
    Some(rate) => rate,
    None => unreachable!(),
};
/// Runs that may wait: a row of each is kept in memory.
pub const QUEUE: u64 = 1_000_000;
pub const QUEUE_MAX: u64 = 10_000_000;
/// Connections of the public listener at one time: one that says nothing takes about 10 KiB.
pub const CONNECTIONS: u32 = 16_384;
pub const CONNECTIONS_MIN: u32 = 64;
pub const CONNECTIONS_MAX: u32 = 1_000_000;
/// Host names of the operator listener, besides its own.
pub const HOSTS_MAX: usize = 64;
/// Attempts at one time: several for each core of a small machine, since most of them wait.
pub const SLOTS: u32 = 16;
/// What the pool of instances holds.
pub const SLOTS_MAX: u32 = 512;
pub const KEPT_FOR_MIN: Millis = Millis::SECOND;
pub const KEPT_FOR_MAX: Millis = Millis(3650 * Millis::DAY.0);
/// Runs that may be kept, whatever their age.
pub const KEPT_MAX: u64 = 100_000_000;

const HOST_BYTES_MAX: usize = 253;

/// The public listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    pub listen: SocketAddr,
    /// Where the public calls it, for schemes that sign the URL: origin, and what a proxy puts before the path.
    pub public_url: Option<String>,
    /// Without it, plain HTTP: behind a proxy that speaks TLS.
    pub tls: Option<TlsFiles>,
    pub body_bytes_max: u64,
    /// Of all bodies that are held at one time.
    pub bodies_bytes_max: u64,
    pub connections_max: u32,
    pub in_flight_max: u32,
    pub queue_max: u64,
    /// Webhooks of one source address, good or bad.
    pub per_source: Rate,
    /// Whose word on the source of a request is believed.
    pub trusted_proxies: Vec<IpNet>,
}

/// Two PEM files, from the folder of hooks.yaml.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The host's own certificate, then those that signed it.
    pub cert: PathBuf,
    pub key: PathBuf,
}

/// The operator's listener: API and UI.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operator {
    /// Beyond loopback only with a token, which may be in the environment alone: whoever reads that checks it.
    pub listen: SocketAddr,
    pub token: Option<SecretSource>,
    /// Without it, plain HTTP.
    pub tls: Option<TlsFiles>,
    pub login: Login,
    pub oidc: Option<Oidc>,
    /// What a Host header may say besides the listener's own address; lower case, without a port.
    pub hosts: Vec<String>,
    /// Whose word on the source of a request is believed.
    pub trusted_proxies: Vec<IpNet>,
}

/// Who has to log in to the operator's listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Login {
    /// Whoever does not sit at this machine; everybody where a token is configured.
    #[default]
    Elsewhere,
    Everybody,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreLocation {
    /// A folder, from the folder of hooks.yaml.
    Sled(PathBuf),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Engine {
    /// Attempts that run at one time.
    pub slots: u32,
    /// Of each of them.
    pub stack_bytes: usize,
}

/// How long what is kept, and how many at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    pub succeeded_for: Millis,
    pub succeeded_max: u64,
    pub dead_for: Millis,
    pub dead_max: u64,
    pub cancelled_for: Millis,
    pub cancelled_max: u64,
    /// Events that no handler wanted.
    pub events_for: Millis,
    /// What operators did.
    pub audit_for: Millis,
    pub audit_max: u64,
}

impl Default for Server {
    fn default() -> Server {
        Server {
            listen: loopback(8080),
            public_url: None,
            tls: None,
            body_bytes_max: BODY_BYTES,
            bodies_bytes_max: BODIES_BYTES,
            connections_max: CONNECTIONS,
            in_flight_max: IN_FLIGHT,
            queue_max: QUEUE,
            per_source: PER_SOURCE,
            trusted_proxies: Vec::new(),
        }
    }
}

impl Server {
    pub(super) fn read(mut section: Section<'_>) -> Server {
        let usual = Server::default();
        let listen = section.parsed("listen", address).unwrap_or(usual.listen);
        let public_url = section.parsed("public_url", super::provider::url);
        let tls = section.take("tls").and_then(TlsFiles::read);
        let trusted_proxies = network::list(&mut section, "trusted_proxies");
        let mut limits = section.section("limits");
        let body_bytes_max = limits.size("body", BODY_BYTES_MIN..=BODY_BYTES_MAX).unwrap_or(usual.body_bytes_max);
        let bodies = BODIES_BYTES_MIN..=BODIES_BYTES_MAX;
        let bodies_bytes_max = limits.size("bodies", bodies).unwrap_or(usual.bodies_bytes_max);
        let connections = CONNECTIONS_MIN..=CONNECTIONS_MAX;
        let connections_max = limits.number("connections", connections).unwrap_or(usual.connections_max);
        let in_flight_max = limits.number("in_flight", 1..=IN_FLIGHT_MAX).unwrap_or(usual.in_flight_max);
        let queue_max = limits.number("queue", 1..=QUEUE_MAX).unwrap_or(usual.queue_max);
        let per_source = limits.parsed("per_source", str::parse).unwrap_or(usual.per_source);
        limits.finish();
        section.finish();
        Server {
            listen,
            public_url,
            tls,
            body_bytes_max,
            bodies_bytes_max,
            connections_max,
            in_flight_max,
            queue_max,
            per_source,
            trusted_proxies,
        }
    }
}

impl TlsFiles {
    fn read(field: Field<'_>) -> Option<TlsFiles> {
        let mut section = field.section();
        let mut file = |key, what| match section.take(key) {
            Some(field) => field.parsed(|text| match source::is_path(text) {
                true => Ok(PathBuf::from(text)),
                false => Err("must be the path of a PEM file"),
            }),
            None => {
                section.place_of(key).wrong(format_args!("is missing; write the path of the {what} as a PEM file"));
                None
            }
        };
        let (cert, key) = (file("cert", "certificate"), file("key", "private key"));
        section.finish();
        Some(TlsFiles { cert: cert?, key: key? })
    }
}

impl Default for Operator {
    fn default() -> Operator {
        Operator {
            listen: loopback(5555),
            token: None,
            tls: None,
            login: Login::default(),
            oidc: None,
            hosts: Vec::new(),
            trusted_proxies: Vec::new(),
        }
    }
}

impl Operator {
    pub(super) fn read(mut section: Section<'_>, server: &Server) -> Operator {
        let field = section.take("listen");
        let place = field.as_ref().map_or_else(|| section.place_of("listen"), |field| field.place().clone());
        let listen = field.and_then(|field| field.parsed(address)).unwrap_or(Operator::default().listen);
        // One listener for both would show the operator's API to the public.
        if listen == server.listen && listen.port() != 0 {
            place.wrong(format_args!("must differ from server.listen, both are {listen}"));
        }
        let token = section.take("token").and_then(SecretSource::read);
        let tls = section.take("tls").and_then(TlsFiles::read);
        let login = section.parsed("login", login).unwrap_or_default();
        let oidc = section.take("oidc").and_then(Oidc::read);
        let hosts = section.list("hosts", 0..=HOSTS_MAX).unwrap_or_default();
        let hosts = hosts.iter().filter_map(|host| host.parsed(host_name)).collect();
        let trusted_proxies = network::list(&mut section, "trusted_proxies");
        section.finish();
        Operator { listen, token, tls, login, oidc, hosts, trusted_proxies }
    }
}

impl Default for StoreLocation {
    fn default() -> StoreLocation {
        StoreLocation::Sled(PathBuf::from("./data"))
    }
}

impl StoreLocation {
    pub(super) fn read(field: Option<Field<'_>>) -> StoreLocation {
        field.and_then(|field| field.parsed(store)).unwrap_or_default()
    }
}

/// A URL may hold a password: it is not quoted.
fn store(text: &str) -> Result<StoreLocation, &'static str> {
    if ["postgres:", "postgresql:"].iter().any(|scheme| text.starts_with(scheme)) {
        return Err("PostgreSQL is not built yet; write sled:./data");
    }
    let path = text.strip_prefix("sled:").filter(|path| source::is_path(path));
    path.map(|path| StoreLocation::Sled(path.into())).ok_or("must be sled: and a folder, such as sled:./data")
}

impl Default for Engine {
    fn default() -> Engine {
        Engine { slots: SLOTS, stack_bytes: STACK_BYTES }
    }
}

impl Engine {
    pub(super) fn read(mut section: Section<'_>) -> Engine {
        let slots = section.number("slots", 1..=SLOTS_MAX).unwrap_or(SLOTS);
        let stack = section.size("stack", STACK_BYTES_MIN as u64..=STACK_BYTES_MAX as u64);
        let stack_bytes = stack.and_then(|bytes| usize::try_from(bytes).ok()).unwrap_or(STACK_BYTES);
        section.finish();
        Engine { slots, stack_bytes }
    }
}

impl Default for Retention {
    fn default() -> Retention {
        Retention {
            succeeded_for: Millis(7 * Millis::DAY.0),
            succeeded_max: 1_000_000,
            dead_for: Millis(90 * Millis::DAY.0),
            dead_max: 100_000,
            cancelled_for: Millis(7 * Millis::DAY.0),
            cancelled_max: 100_000,
            events_for: Millis(7 * Millis::DAY.0),
            audit_for: Millis(365 * Millis::DAY.0),
            audit_max: 100_000,
        }
    }
}

impl Retention {
    pub(super) fn read(mut section: Section<'_>) -> Retention {
        let usual = Retention::default();
        let (spans, counts) = (KEPT_FOR_MIN..=KEPT_FOR_MAX, 1..=KEPT_MAX);
        let retention = Retention {
            succeeded_for: section.span("succeeded_for", spans.clone()).unwrap_or(usual.succeeded_for),
            succeeded_max: section.number("succeeded_max", counts.clone()).unwrap_or(usual.succeeded_max),
            dead_for: section.span("dead_for", spans.clone()).unwrap_or(usual.dead_for),
            dead_max: section.number("dead_max", counts.clone()).unwrap_or(usual.dead_max),
            cancelled_for: section.span("cancelled_for", spans.clone()).unwrap_or(usual.cancelled_for),
            cancelled_max: section.number("cancelled_max", counts.clone()).unwrap_or(usual.cancelled_max),
            events_for: section.span("events_for", spans.clone()).unwrap_or(usual.events_for),
            audit_for: section.span("audit_for", spans).unwrap_or(usual.audit_for),
            audit_max: section.number("audit_max", counts).unwrap_or(usual.audit_max),
        };
        section.finish();
        retention
    }
}

fn login(text: &str) -> Result<Login, String> {
    match text {
        "elsewhere" => Ok(Login::Elsewhere),
        "everybody" => Ok(Login::Everybody),
        _ => Err(format!("must be elsewhere or everybody, got {text:?}")),
    }
}

fn loopback(port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)
}

fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| format!("must be an IP address and a port, such as 127.0.0.1:8080, got {text:?}"))
}

fn host_name(text: &str) -> Result<String, String> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_');
    let name = (1..=HOST_BYTES_MAX).contains(&text.len()) && text.bytes().all(allowed);
    let address = text.parse::<IpAddr>().is_ok();
    match name || address {
        true => Ok(text.to_ascii_lowercase()),
        false => Err(format!("must be a host name without scheme and port, such as hooks.example.com, got {text:?}")),
    }
}
