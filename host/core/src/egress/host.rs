//! The host of a URL, in the one way of writing it that we take.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const NAME_BYTES_MAX: usize = 253;
const LABEL_BYTES_MAX: usize = 63;

/// Two are equal where they name the same: a name is in lower case, an IPv4 address is never in the clothes of IPv6.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Host {
    Name(String),
    Address(IpAddr),
}

/// Not a host as we take it. Resolvers take `127.1`, `0x7f.1`, `017700000001` and `2130706433` for 127.0.0.1: what can be
/// read in two ways is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadHost {
    #[error("has no host")]
    Empty,
    #[error("must not have a user name or password before the host")]
    UserInfo,
    #[error("has a port that is no number from 1 to 65535")]
    Port,
    #[error("has a number for a host: write an IPv4 address as four decimal numbers, 192.0.2.1")]
    Number,
    #[error("has no IPv6 address between its brackets")]
    Address,
    #[error("has a character that no host name has; write a name of other letters in its xn-- form")]
    Character,
    #[error("has a host name that is too long, or a part of it that is empty")]
    Length,
}

impl Host {
    pub fn parse(text: &str) -> Result<Host, BadHost> {
        if let Some(inner) = text.strip_prefix('[') {
            // Zones name an interface of this machine.
            let inner = inner.strip_suffix(']').ok_or(BadHost::Address)?;
            let address: Ipv6Addr = inner.parse().map_err(|_| BadHost::Address)?;
            return Ok(Host::Address(IpAddr::V6(address).to_canonical()));
        }
        if text.is_empty() {
            return Err(BadHost::Empty);
        }
        let name = text.to_ascii_lowercase();
        if !name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_' | b'.')) {
            return Err(BadHost::Character);
        }
        let ends = name.rsplit('.').next().unwrap_or_default();
        if is_number(ends) {
            let address: Ipv4Addr = name.parse().map_err(|_| BadHost::Number)?;
            return Ok(Host::Address(IpAddr::V4(address)));
        }
        let fits = |label: &str| (1..=LABEL_BYTES_MAX).contains(&label.len());
        if name.len() > NAME_BYTES_MAX || !name.split('.').all(fits) {
            return Err(BadHost::Length);
        }
        Ok(Host::Name(name))
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Host::Name(name) => f.write_str(name),
            Host::Address(IpAddr::V4(address)) => write!(f, "{address}"),
            Host::Address(IpAddr::V6(address)) => write!(f, "[{address}]"),
        }
    }
}

/// What a resolver may take for a number: decimal or octal digits, or hexadecimal ones after `0x`.
fn is_number(label: &str) -> bool {
    let hexadecimal = label.strip_prefix("0x").is_some_and(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()));
    hexadecimal || (!label.is_empty() && label.bytes().all(|b| b.is_ascii_digit()))
}

/// Host and port of an authority.
pub(super) fn split(authority: &str) -> Result<(&str, Option<u16>), BadHost> {
    if authority.contains('@') {
        return Err(BadHost::UserInfo);
    }
    let end = authority.rfind(']').map_or(0, |at| at + 1);
    let (host, port) = match authority.get(end..).and_then(|rest| rest.find(':')) {
        Some(at) => authority.split_at(end + at),
        None => (authority, ""),
    };
    if port.is_empty() {
        return Ok((host, None));
    }
    let digits = port.strip_prefix(':').filter(|digits| digits.bytes().all(|b| b.is_ascii_digit()));
    let number = digits.and_then(|digits| digits.parse().ok()).filter(|number| *number > 0);
    number.map(|number| (host, Some(number))).ok_or(BadHost::Port)
}
