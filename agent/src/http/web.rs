//! The page's port: the same API for browsers, and the page itself.
//!
//! Everybody on this machine can reach it, so it shows what everybody here may see, and changes nothing without a
//! session (`session`). Beyond this machine it is served with TLS only.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use hyper::Request;
use hyper::body::Incoming;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::guard::Site;
use super::session::Sessions;
use super::{Api, HEAD_WITHIN, serve_each};

/// Connections served at once; more wait in the operating system's queue. A page has up to six.
const CONNECTIONS_MAX: usize = 64;
/// How long to wait before listening again at a port that somebody else has.
const LISTEN_AGAIN_AFTER: Duration = Duration::from_secs(10);

/// Where the page is served, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebConfig {
    /// The address; port 0 asks for a free one.
    pub address: SocketAddr,
    /// Certificate chain and key, PEM files. Needed beyond this machine.
    pub tls: Option<(PathBuf, PathBuf)>,
}

/// Why the page cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum WebError {
    /// Passwords would go over the network in the clear.
    #[error(
        "--web {0} can be reached from other machines and needs TLS: say --web-cert and --web-key, or use a loopback address"
    )]
    NeedsTls(SocketAddr),
    /// The certificate or key is unusable.
    #[error("{}: {reason}; name PEM files with a certificate chain and its private key", .path.display())]
    BadTls {
        /// Which file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
}

/// The page's port before it listens.
pub struct WebPort {
    address: SocketAddr,
    tls: Option<(TlsAcceptor, CertificateDer<'static>)>,
}

impl std::fmt::Debug for WebPort {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WebPort").field("address", &self.address).finish_non_exhaustive()
    }
}

impl WebPort {
    /// Reads certificate and key.
    ///
    /// # Errors
    /// [`WebError`].
    pub fn new(config: WebConfig) -> Result<Self, WebError> {
        let tls = match &config.tls {
            Some((certificate, key)) => Some(acceptor(certificate, key)?),
            None if config.address.ip().is_loopback() => None,
            None => return Err(WebError::NeedsTls(config.address)),
        };
        Ok(Self { address: config.address, tls })
    }
}

fn acceptor(chain: &Path, key: &Path) -> Result<(TlsAcceptor, CertificateDer<'static>), WebError> {
    let bad = |path: &Path, reason: String| WebError::BadTls { path: path.to_owned(), reason };
    let certificates = CertificateDer::pem_file_iter(chain)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| bad(chain, error.to_string()))?;
    let first =
        certificates.first().cloned().ok_or_else(|| bad(chain, "it holds no certificate".to_owned()))?;
    let secret = PrivateKeyDer::from_pem_file(key).map_err(|error| bad(key, error.to_string()))?;
    let mut config =
        rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| bad(chain, error.to_string()))?
            .with_no_client_auth()
            .with_single_cert(certificates, secret)
            .map_err(|error| bad(key, error.to_string()))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok((TlsAcceptor::from(Arc::new(config)), first))
}

impl Api {
    /// Serves browsers until `shutdown`, then closes all connections. While the port is somebody else's, it is tried
    /// again every 10 s; `told` hears why there is no page now, and where it is once there is.
    pub async fn serve_web(
        &self,
        port: WebPort,
        mut told: impl FnMut(Result<SocketAddr, &io::Error>),
        shutdown: CancellationToken,
    ) {
        let listening = listen(port.address, &mut told);
        let Some((listener, address)) = shutdown.run_until_cancelled(listening).await else { return };
        let certificate = port.tls.as_ref().map(|(_, certificate)| certificate.clone());
        let site = Arc::new(Site::new(address, certificate));
        self.sessions.served_at(site.url());
        tracing::info!(url = site.url(), "the page is served");
        let acceptor = port.tls.map(|(acceptor, _)| acceptor);
        let this = self.clone();
        let serve = move |stream: TcpStream| {
            let (api, site, acceptor) = (this.clone(), Arc::clone(&site), acceptor.clone());
            Some(async move { api.serve_browser(stream, acceptor, &site).await })
        };
        serve_each(CONNECTIONS_MAX, listener, serve, &shutdown).await;
    }

    async fn serve_browser(&self, stream: TcpStream, acceptor: Option<TlsAcceptor>, site: &Site) {
        // Events are small and wanted at once; a system that refuses sends them later.
        let _ = stream.set_nodelay(true);
        let ends = stream.local_addr().ok().zip(stream.peer_addr().ok());
        let admit =
            |request: &mut Request<Incoming>, sessions: &Sessions| site.admit(request, ends, sessions);
        let Some(acceptor) = acceptor else { return self.serve_connection(stream, admit).await };
        match tokio::time::timeout(HEAD_WITHIN, acceptor.accept(stream)).await {
            Ok(Ok(stream)) => self.serve_connection(stream, admit).await,
            Ok(Err(error)) => tracing::debug!(%error, "a browser's TLS handshake failed"),
            Err(_) => tracing::debug!("a browser's TLS handshake took too long"),
        }
    }
}

async fn listen(
    address: SocketAddr,
    told: &mut impl FnMut(Result<SocketAddr, &io::Error>),
) -> (TcpListener, SocketAddr) {
    loop {
        let listening = async {
            let listener = TcpListener::bind(address).await?;
            let address = listener.local_addr()?;
            Ok((listener, address))
        };
        match listening.await {
            Ok(listening) => {
                told(Ok(listening.1));
                return listening;
            }
            Err(error) => {
                told(Err(&error));
                tokio::time::sleep(LISTEN_AGAIN_AFTER).await;
            }
        }
    }
}
