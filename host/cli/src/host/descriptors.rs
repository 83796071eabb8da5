//! File descriptors: each connection takes one, and systems give a process few of them unless it asks.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What a host has open besides connections: the store, plugins, pipes, connections of the operator.
const OTHERS: u64 = 512;

/// Asks for as many as `connections` need, and returns how many connections there can be.
pub(super) fn for_connections(connections: usize) -> usize {
    let wanted = u64::try_from(connections).unwrap_or(u64::MAX).saturating_add(OTHERS);
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_some_and(|current| current < wanted) {
        let current = limit.maximum.map_or(wanted, |maximum| maximum.min(wanted));
        // Refused, the limit stays as it was, which is looked at below.
        let _ = setrlimit(Resource::Nofile, Rlimit { current: Some(current), maximum: limit.maximum });
    }
    let there = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    // With few descriptors, half of them are for connections.
    let possible = usize::try_from(there.saturating_sub(OTHERS).max(there / 2)).unwrap_or(usize::MAX);
    if possible < connections {
        tracing::warn!(
            "of {connections} connections only {possible} can be open at one time: this process may open {there} files; \
             raise that limit (ulimit -n, or LimitNOFILE of systemd) or lower server.limits.connections"
        );
    }
    possible.min(connections)
}
