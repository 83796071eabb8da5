//! From names to addresses.

use std::io;
use std::net::IpAddr;

use async_trait::async_trait;

/// Where a name leads. What it answers is looked at before anything is connected.
#[async_trait]
pub trait Resolve: Send + Sync {
    async fn resolve(&self, name: &str) -> io::Result<Vec<IpAddr>>;
}

/// As every program of this machine resolves names.
#[derive(Debug, Default)]
pub struct SystemResolver;

#[async_trait]
impl Resolve for SystemResolver {
    async fn resolve(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        let found = tokio::net::lookup_host((name, 0)).await?;
        Ok(found.map(|address| address.ip()).collect())
    }
}
