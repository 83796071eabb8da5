//! Where a request comes from.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::http::{Extensions, HeaderMap};
use ipnet::IpNet;

use crate::serve::Peer;

const FORWARDED_FOR: &str = "x-forwarded-for";

/// The peer. Where it is a trusted proxy: the first address of X-Forwarded-For, from the right, that is none. What
/// stands further left was written by strangers. An address that does not parse ends the search.
pub(crate) fn of(headers: &HeaderMap, extensions: &Extensions, trusted: &[IpNet]) -> IpAddr {
    // Without a connection there is no address: this one is nobody's.
    let peer = extensions.get::<Peer>().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |Peer(address)| *address);
    let mut source = peer.to_canonical();
    for address in forwarded(headers) {
        if !is_in(trusted, source) {
            break;
        }
        let Some(address) = address else { break };
        source = address.to_canonical();
    }
    source
}

pub(crate) fn is_in(networks: &[IpNet], address: IpAddr) -> bool {
    networks.iter().any(|network| network.contains(&address))
}

/// From the right.
fn forwarded(headers: &HeaderMap) -> impl Iterator<Item = Option<IpAddr>> {
    let values = headers.get_all(FORWARDED_FOR).iter().rev();
    values.flat_map(|value| value.to_str().unwrap_or("?").rsplit(',').map(|text| address(text.trim())))
}

/// With or without a port.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    bare.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()))
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    fn source(peer: &str, forwarded: &[&str]) -> String {
        let mut request = Request::builder();
        for value in forwarded {
            request = request.header(FORWARDED_FOR, *value);
        }
        let (mut head, ()) = request.body(()).unwrap().into_parts();
        head.extensions.insert(Peer(peer.parse().unwrap()));
        of(&head.headers, &head.extensions, &["10.0.0.0/8".parse().unwrap(), "2001:db8::/32".parse().unwrap()])
            .to_string()
    }

    #[test]
    fn a_stranger_is_not_believed() {
        assert_eq!(source("192.0.2.1", &["198.51.100.7"]), "192.0.2.1");
        assert_eq!(source("2001:db9::1", &["198.51.100.7"]), "2001:db9::1");
    }

    #[test]
    fn a_trusted_proxy_is_believed_up_to_the_first_stranger_from_the_right() {
        assert_eq!(source("10.0.0.1", &["203.0.113.9, 198.51.100.7"]), "198.51.100.7");
        assert_eq!(source("10.0.0.1", &["203.0.113.9, 198.51.100.7, 10.0.0.2"]), "198.51.100.7");
        assert_eq!(source("10.0.0.1", &["203.0.113.9", "198.51.100.7"]), "198.51.100.7");
        assert_eq!(source("::ffff:10.0.0.1", &["198.51.100.7:4711"]), "198.51.100.7");
        assert_eq!(source("2001:db8::1", &["[2001:db9::2]:4711"]), "2001:db9::2");
    }

    #[test]
    fn what_is_no_address_ends_the_search() {
        for forwarded in [&[][..], &[""], &["198.51.100.7, unknown"], &["198.51.100.7,"]] {
            assert_eq!(source("10.0.0.1", forwarded), "10.0.0.1", "{forwarded:?}");
        }
    }
}
