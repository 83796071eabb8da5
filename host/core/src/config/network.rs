//! Networks by their addresses.

use std::net::IpAddr;

use ipnet::IpNet;

use super::reader::Section;

/// Networks in one list.
pub const NETWORKS_MAX: usize = 256;

/// `10.0.0.0/8` or a single address; none where the key is missing.
pub(super) fn list(section: &mut Section<'_>, key: &'static str) -> Vec<IpNet> {
    let fields = section.list(key, 1..=NETWORKS_MAX).unwrap_or_default();
    fields.iter().filter_map(|field| field.parsed(network)).collect()
}

/// Bits beyond the prefix are refused: they are a slip that would let in other addresses than were meant.
fn network(text: &str) -> Result<IpNet, String> {
    let net = text.parse::<IpNet>().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from));
    let refuse = || format!("must be an address or a network such as 192.0.2.0/24 or 2001:db8::/32, got {text:?}");
    let net = net.ok_or_else(refuse)?;
    if net.addr() != net.network() {
        return Err(format!("has bits beyond its prefix; write {}", net.trunc()));
    }
    Ok(net)
}
