//! Connections: to addresses that passed the second gate, verified, and kept for the next request of the same plugin
//! version.

use std::error::Error as StdError;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hookbox_core::egress::{Egress, Host};
use http::{Request, Response};
use hyper::body::Incoming;
use hyper_util::client::legacy::{self, Builder};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::client::Resumption;
use rustls::{ClientConfig, RootCertStore};
use tracing::warn;
use wasmtime_wasi_http::{Error, WasiBody};

use super::connect::{CONNECT, Connector, TooSlow};
use super::places::OfPlugin;
use super::{Refusal, Resolve};

/// A connection that nobody uses is closed after this, or twice this where it was just looked for such ones: within the
/// time that another one waits for its place.
const IDLE: Duration = Duration::from_secs(4);
const _: () = assert!(2 * IDLE.as_millis() < CONNECT.as_millis());
const IDLE_PER_HOST_MAX: usize = 4;
/// TLS sessions that are kept to shorten the next handshake: eight for each of eight servers.
const SESSIONS_MAX: usize = 64;
/// Addresses of one family that are tried: they share the time to connect, so that each has a quarter of it.
const ADDRESSES_MAX: usize = 4;
/// What is read of an answer before the guest takes it, and its head at most.
const BUFFER_BYTES: usize = 64 << 10;
/// Of the head of an HTTP/2 answer. Each header counts 32 bytes more than it has, and HTTP/2 has no bound of their number:
/// a guest that copies what it got is to hold little more than that.
const HEADERS_BYTES_MAX: u32 = 16 << 10;
/// The same of HTTP/2: of one answer, and of all of one connection.
const WINDOW_BYTES: u32 = 64 << 10;
const WINDOWS_BYTES: u32 = 256 << 10;

/// Cloning it shares the connections.
#[derive(Clone)]
pub(crate) struct Client {
    pool: Pool,
    /// For requests that others on the way could read and must not: to the plugin's own networks only.
    private: Pool,
}

type Pool = legacy::Client<Connector, WasiBody>;

impl Client {
    pub(crate) fn new(
        egress: Arc<Egress>,
        resolver: Arc<dyn Resolve>,
        mut tls: ClientConfig,
        places: Arc<OfPlugin>,
    ) -> Client {
        // A cloned one shares its sessions, by which a server would know one plugin as another.
        tls.resumption = Resumption::in_memory_sessions(SESSIONS_MAX);
        let gate = Gate { egress, resolver, places: Arc::clone(&places), private: false };
        let pool = |gate| pool(Connector::new(gate, tls.clone(), Arc::clone(&places)));
        Client { private: pool(Gate { private: true, ..gate.clone() }), pool: pool(gate) }
    }

    /// The same, for a request that carries a secret and is not encrypted.
    pub(super) fn private(self) -> Client {
        Client { pool: self.private.clone(), ..self }
    }

    pub(super) async fn request(&self, request: Request<WasiBody>) -> Result<Response<Incoming>, Refusal> {
        self.pool.request(request).await.map_err(|error| refusal(&error))
    }
}

fn pool(connector: Connector) -> Pool {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE)
        .pool_max_idle_per_host(IDLE_PER_HOST_MAX)
        .http1_max_buf_size(BUFFER_BYTES)
        .http2_max_header_list_size(HEADERS_BYTES_MAX)
        .http2_initial_stream_window_size(WINDOW_BYTES)
        .http2_initial_connection_window_size(WINDOWS_BYTES)
        .http2_max_send_buf_size(BUFFER_BYTES);
    builder.build(connector)
}

/// Certificates are verified against the roots that this machine trusts. Where it has none, no certificate is good.
pub(crate) fn tls() -> ClientConfig {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    let (good, _) = roots.add_parsable_certificates(found.certs);
    if good == 0 {
        warn!(errors = ?found.errors, "plugins can send no https requests: install the certificates of this system \
               (ca-certificates)");
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let versions = &[&rustls::version::TLS13, &rustls::version::TLS12];
    let builder = ClientConfig::builder_with_provider(provider).with_protocol_versions(versions);
    #[expect(clippy::expect_used, reason = "fails only where a provider has no cipher for these versions; ring has")]
    builder.expect("ring speaks TLS 1.2 and 1.3").with_root_certificates(roots).with_no_client_auth()
}

/// The second gate for a host that is an address already: no resolver is asked for it.
pub(super) fn look(egress: &Egress, host: &Host, private: bool) -> Result<(), Refusal> {
    match host {
        Host::Address(address) => Prohibited::look(egress, *address, private)
            .map_err(|why| Refusal { error: Error::DestinationIpProhibited, reason: why.to_string() }),
        Host::Name(_) => Ok(()),
    }
}

/// Resolves, and lets pass what may be reached.
#[derive(Clone)]
pub(super) struct Gate {
    egress: Arc<Egress>,
    resolver: Arc<dyn Resolve>,
    places: Arc<OfPlugin>,
    /// Only to the plugin's own networks.
    private: bool,
}

#[derive(Debug, Clone, Copy, thiserror::Error)]
enum Prohibited {
    #[error("{0} is no public address: if the plugin is to reach it, add its network to grants.networks")]
    NotPublic(IpAddr),
    #[error(
        "{0} is in none of grants.networks, and the request would carry a secret over http://: use https://, or add \
         its network"
    )]
    Exposed(IpAddr),
}

impl Prohibited {
    /// Why an address does not pass the second gate, if it does not.
    fn look(egress: &Egress, address: IpAddr, private: bool) -> Result<(), Prohibited> {
        if !egress.is_reachable(address) {
            return Err(Prohibited::NotPublic(address));
        }
        if private && !egress.is_within_networks(address) {
            return Err(Prohibited::Exposed(address));
        }
        Ok(())
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the name was not resolved: {0}")]
struct Unresolved(io::Error);

pub(super) type BoxError = Box<dyn StdError + Send + Sync>;

impl Gate {
    /// Those of a URL's host that passed; the port is the URL's.
    pub(super) async fn addresses(&self, host: &str) -> Result<Vec<SocketAddr>, BoxError> {
        let (mut tried, mut refused) = (Vec::new(), None);
        for address in self.found(host).await? {
            match Prohibited::look(&self.egress, address, self.private) {
                Ok(()) => tried.push(SocketAddr::new(address, 0)),
                Err(why) => refused = refused.or(Some(why)),
            }
        }
        // In the order of the resolver, which knows what is near.
        let (mut six, mut four) = (0, 0);
        tried.retain(|address| {
            let of_family = if address.is_ipv6() { &mut six } else { &mut four };
            *of_family += 1;
            *of_family <= ADDRESSES_MAX
        });
        match refused {
            _ if !tried.is_empty() => Ok(tried),
            Some(why) => Err(why.into()),
            None => Err(Unresolved(io::Error::other("it has no address")).into()),
        }
    }

    async fn found(&self, host: &str) -> Result<Vec<IpAddr>, BoxError> {
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        if let Ok(address) = bare.parse() {
            return Ok(vec![address]);
        }
        let place = self.places.lookup().await?;
        // Of its own: a lookup that nobody waits for any longer keeps its place until it ends.
        let (resolver, name) = (Arc::clone(&self.resolver), host.to_owned());
        let looking = tokio::spawn(async move {
            let found = resolver.resolve(&name).await;
            drop(place);
            found
        });
        Ok(looking.await?.map_err(Unresolved)?)
    }
}

/// What the guest is told of a failure, and what its operator is.
fn refusal(error: &legacy::Error) -> Refusal {
    if let Some(prohibited) = cause::<Prohibited>(error) {
        return Refusal { error: Error::DestinationIpProhibited, reason: prohibited.to_string() };
    }
    let kind = if cause::<TooSlow>(error).is_some() {
        Error::ConnectionTimeout
    } else if cause::<Unresolved>(error).is_some() {
        Error::DnsError { rcode: None, info_code: None }
    } else if let Some(tls) = cause::<rustls::Error>(error) {
        match tls {
            rustls::Error::InvalidCertificate(_) => Error::TlsCertificateError,
            _ => Error::TlsProtocolError,
        }
    } else if error.is_connect() {
        match cause::<io::Error>(error).map(io::Error::kind) {
            Some(io::ErrorKind::TimedOut) => Error::ConnectionTimeout,
            _ => Error::ConnectionRefused,
        }
    } else if let Some(Error::HttpRequestBodySize(size)) = cause::<Error>(error) {
        Error::HttpRequestBodySize(*size)
    } else {
        Error::HttpProtocolError
    };
    Refusal { error: kind, reason: root(error) }
}

/// The innermost error of this type.
fn cause<T: StdError + 'static>(error: &legacy::Error) -> Option<&T> {
    causes(error).filter_map(|error| error.downcast_ref()).last()
}

fn root(error: &legacy::Error) -> String {
    causes(error).last().map(ToString::to_string).unwrap_or_default()
}

fn causes(error: &legacy::Error) -> impl Iterator<Item = &(dyn StdError + 'static)> {
    let first: &(dyn StdError + 'static) = error;
    std::iter::successors(Some(first), |error| behind(*error))
}

/// An error that is wrapped in one of input and output is not its source.
fn behind<'e>(error: &'e (dyn StdError + 'static)) -> Option<&'e (dyn StdError + 'static)> {
    match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(inner) => Some(inner),
        None => error.source(),
    }
}

#[cfg(test)]
mod tests;
