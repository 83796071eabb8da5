//! Which requests a plugin may send: a grant for each kind, and which addresses they may go to.
//!
//! A request passes two gates. The first is the grant: method, scheme, host and
//! port as the guest wrote them. The second is the addresses that the host
//! resolved the name to: those that only this machine or its own network
//! reaches are refused unless a network was granted. Whoever connects must
//! connect to an address that passed, and resolve no second time.

mod address;
mod host;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;

pub use address::is_public;
pub use host::{BadHost, Host};

use crate::secret::Secret;

/// Grants of one plugin.
pub const GRANTS_MAX: usize = 64;
/// Requests of one attempt.
pub const REQUESTS: u32 = 100;
pub const REQUESTS_MAX: u32 = 10_000;
/// Requests of one attempt at one time.
pub const REQUESTS_AT_ONCE: u32 = 8;
pub const REQUESTS_AT_ONCE_MAX: u32 = 64;
/// Bodies of all responses of one attempt.
pub const RESPONSE_BYTES: u64 = 8 << 20;
pub const RESPONSE_BYTES_MAX: u64 = 256 << 20;

const METHODS_MAX: usize = 16;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scheme {
    Http,
    Https,
}

impl Scheme {
    pub fn parse(text: &str) -> Option<Scheme> {
        match text {
            "http" => Some(Scheme::Http),
            "https" => Some(Scheme::Https),
            _ => None,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Scheme::Http => "http",
            Scheme::Https => "https",
        }
    }

    pub fn port(self) -> u16 {
        match self {
            Scheme::Http => 80,
            Scheme::Https => 443,
        }
    }
}

/// Where a request goes, as far as a grant looks at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    pub scheme: Scheme,
    pub host: Host,
    pub port: u16,
}

impl Destination {
    /// `authority` is what stands between `//` and the path: a host, and a port where it is not the scheme's own.
    /// Names and passwords in it are refused: whoever reads the grant does not see them.
    pub fn parse(scheme: Scheme, authority: &str) -> Result<Destination, BadHost> {
        let (host, port) = host::split(authority)?;
        Ok(Destination { scheme, host: Host::parse(host)?, port: port.unwrap_or_else(|| scheme.port()) })
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme.name(), self.host)?;
        if self.port == self.scheme.port() { Ok(()) } else { write!(f, ":{}", self.port) }
    }
}

/// Which hosts a grant names.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Hosts {
    One(Host),
    /// `*.example.com`: every name below it, and not itself. Holds `.example.com`.
    Below(String),
    /// `*`
    Any,
}

/// `POST https://hooks.slack.com`: requests that a plugin may send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// In capital letters; all of them where there is none.
    methods: Vec<String>,
    scheme: Scheme,
    hosts: Hosts,
    port: u16,
    /// Secrets that the host fills in, by the name of the header, in lower case.
    pub headers: BTreeMap<String, Vec<String>>,
}

impl Grant {
    /// `[METHOD,METHOD ]SCHEME://HOST[:PORT]`, where the host may be `*.example.com` or `*`.
    pub fn parse(text: &str) -> Result<Grant, String> {
        let (methods, url) = match text.trim().split_once(char::is_whitespace) {
            Some((methods, url)) => (methods_of(methods)?, url.trim_start()),
            None => (Vec::new(), text.trim()),
        };
        let form = "write it as in POST https://hooks.slack.com";
        let (scheme, rest) = url.split_once("://").ok_or_else(|| format!("has no scheme: {form}"))?;
        let scheme = Scheme::parse(scheme).ok_or_else(|| format!("must begin with https:// or http://: {form}"))?;
        let authority = rest.strip_suffix('/').unwrap_or(rest);
        if authority.contains(['/', '?', '#']) {
            return Err("must end after the host: all of its paths are granted".to_owned());
        }
        let (host, port) = host::split(authority).map_err(|error| error.to_string())?;
        let hosts = match host.strip_prefix('*') {
            Some("") => Hosts::Any,
            Some(below) if below.starts_with('.') => match Host::parse(below.trim_start_matches('.')) {
                Ok(Host::Name(name)) => Hosts::Below(format!(".{name}")),
                Ok(Host::Address(_)) => return Err("has no names below an address".to_owned()),
                Err(error) => return Err(error.to_string()),
            },
            Some(_) => return Err("may have a * in place of whole labels only, as in *.example.com".to_owned()),
            None => Hosts::One(Host::parse(host).map_err(|error| error.to_string())?),
        };
        let port = port.unwrap_or_else(|| scheme.port());
        Ok(Grant { methods, scheme, hosts, port, headers: BTreeMap::new() })
    }

    /// Whether it names no host.
    pub fn is_for_any_host(&self) -> bool {
        self.hosts == Hosts::Any
    }

    /// Whether others on the way could read what it carries: plain HTTP, and not only to networks of one's own.
    pub fn is_exposed(&self, networks: &[IpNet]) -> bool {
        let within = match &self.hosts {
            Hosts::One(Host::Address(address)) => is_within(*address, networks),
            // Where a name leads is seen when it is resolved.
            Hosts::One(Host::Name(_)) | Hosts::Below(_) | Hosts::Any => !networks.is_empty(),
        };
        self.scheme == Scheme::Http && !within
    }

    pub fn allows(&self, method: &str, to: &Destination) -> bool {
        let host = match (&self.hosts, &to.host) {
            (Hosts::Any, _) => true,
            (Hosts::One(granted), host) => granted == host,
            (Hosts::Below(suffix), Host::Name(name)) => name.len() > suffix.len() && name.ends_with(suffix),
            (Hosts::Below(_), Host::Address(_)) => false,
        };
        let method = self.methods.is_empty() || self.methods.iter().any(|granted| granted == method);
        host && method && self.scheme == to.scheme && self.port == to.port
    }
}

impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.methods.is_empty() {
            write!(f, "{} ", self.methods.join(","))?;
        }
        write!(f, "{}://", self.scheme.name())?;
        match &self.hosts {
            Hosts::One(host) => write!(f, "{host}")?,
            Hosts::Below(suffix) => write!(f, "*{suffix}")?,
            Hosts::Any => f.write_str("*")?,
        }
        if self.port == self.scheme.port() { Ok(()) } else { write!(f, ":{}", self.port) }
    }
}

fn methods_of(text: &str) -> Result<Vec<String>, String> {
    let methods: Vec<String> = text.split(',').map(str::to_ascii_uppercase).collect();
    if methods.len() > METHODS_MAX {
        return Err(format!("must name at most {METHODS_MAX} methods"));
    }
    match methods.iter().find(|method| method.is_empty() || !method.bytes().all(|b| b.is_ascii_uppercase())) {
        Some(bad) => Err(format!("names {bad:?}, which is no method: write them as in GET,POST")),
        // A tunnel would carry anything.
        None if methods.iter().any(|method| method == "CONNECT") => Err("must not grant CONNECT".to_owned()),
        None => Ok(methods),
    }
}

fn is_within(address: IpAddr, networks: &[IpNet]) -> bool {
    let address = address.to_canonical();
    networks.iter().any(|network| network.contains(&address))
}

/// Everything that one plugin may send, and how much of it.
#[derive(Debug, Clone)]
pub struct Egress {
    pub grants: Vec<Grant>,
    /// Addresses that are not public and that it may reach all the same.
    pub networks: Vec<IpNet>,
    /// Secrets that grants name for headers. The plugin itself never sees them.
    pub secrets: BTreeMap<String, Arc<Secret>>,
    pub requests_max: u32,
    pub at_once_max: u32,
    pub response_bytes_max: u64,
}

impl Default for Egress {
    fn default() -> Egress {
        Egress {
            grants: Vec::new(),
            networks: Vec::new(),
            secrets: BTreeMap::new(),
            requests_max: REQUESTS,
            at_once_max: REQUESTS_AT_ONCE,
            response_bytes_max: RESPONSE_BYTES,
        }
    }
}

impl Egress {
    /// The first gate.
    pub fn is_granted(&self, method: &str, to: &Destination) -> bool {
        self.grants.iter().any(|grant| grant.allows(method, to))
    }

    /// The second one.
    pub fn is_reachable(&self, address: IpAddr) -> bool {
        is_public(address) || self.is_within_networks(address)
    }

    /// In its place for a request that carries a secret and is not encrypted.
    pub fn is_within_networks(&self, address: IpAddr) -> bool {
        is_within(address, &self.networks)
    }

    /// The secret that a header of such a request may carry.
    pub fn secret(&self, method: &str, to: &Destination, header: &str, name: &str) -> Option<&Arc<Secret>> {
        let carries = |grant: &&Grant| grant.headers.get(header).is_some_and(|names| names.iter().any(|n| n == name));
        self.grants.iter().filter(|grant| grant.allows(method, to)).find(carries)?;
        self.secrets.get(name)
    }
}
