//! TLS of a listener, whose certificate can be exchanged while it runs.

use std::io;
use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{self, ServerConfig};
use tokio_rustls::server::TlsStream;

/// TLS 1.2 and 1.3 for HTTP/1.1. Connections go on with the certificate that they began with.
#[derive(Debug)]
pub struct Tls(ArcSwap<ServerConfig>);

/// Why a certificate and its key cannot be used. Nothing of the key is told.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    #[error(
        "the certificate file holds none: it must be PEM, the host's own certificate first, then those that signed it"
    )]
    NoCertificate,
    #[error("the key file holds no private key: it must be PEM, without a password")]
    NoKey,
    #[error("the key is not the one of the certificate")]
    OtherKey,
    #[error("certificate or key is of no kind that can be used: {0}")]
    Kind(rustls::Error),
}

impl Tls {
    /// Of the texts of two PEM files.
    pub fn new(certificates: &[u8], key: &[u8]) -> Result<Tls, Unusable> {
        config(certificates, key).map(|config| Tls(ArcSwap::from_pointee(config)))
    }

    /// Takes over what another was made of, for connections that begin from now on.
    pub fn replace(&self, with: Tls) {
        self.0.store(with.0.into_inner());
    }

    pub(crate) async fn accept(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        TlsAcceptor::from(self.0.load_full()).accept(stream).await
    }
}

fn config(certificates: &[u8], key: &[u8]) -> Result<ServerConfig, Unusable> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(certificates).collect();
    let chain = chain.ok().filter(|chain| !chain.is_empty()).ok_or(Unusable::NoCertificate)?;
    let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| Unusable::NoKey)?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&TLS13, &TLS12])
        .map_err(Unusable::Kind)?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => Unusable::OtherKey,
            other => Unusable::Kind(other),
        })?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}
