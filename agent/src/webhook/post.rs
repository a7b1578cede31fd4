//! One request to the receiver: a connection of its own, over TLS unless it stays on this machine.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::{CONTENT_TYPE, HOST, USER_AGENT};
use hyper::{Method, Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_util::task::AbortOnDropHandle;
use zeroize::Zeroizing;

use crate::middle::webhook::{ID_HEADER, SIGNATURE_HEADER};

/// How long all of a request may take.
const WITHIN: Duration = Duration::from_secs(10);
/// A shorter secret could be guessed.
const SECRET_BYTES_MIN: usize = 16;

/// Where events go.
pub struct Target {
    uri: Uri,
    host: String,
    port: u16,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    secret: Zeroizing<String>,
}

impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // A URL may have a token in it.
        f.debug_struct("Target").field("host", &self.host).field("port", &self.port).finish_non_exhaustive()
    }
}

/// Why a webhook cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// No URL.
    #[error("--webhook is not a URL such as https://example.com/hooks/seatkeeper")]
    NotAUrl,
    /// Neither HTTPS nor on this machine.
    #[error(
        "--webhook goes over the network without TLS; use https (http is for receivers on this machine alone)"
    )]
    Plain,
    /// The secret is short.
    #[error(
        "the webhook's secret is shorter than {SECRET_BYTES_MIN} bytes; make one with `openssl rand -hex 32`"
    )]
    Short,
    /// Nobody is trusted.
    #[error(
        "this machine has no list of certificate authorities ({0}); install ca-certificates, or set SSL_CERT_FILE"
    )]
    NoRoots(String),
}

impl Target {
    /// Reads the machine's certificate authorities, for https.
    ///
    /// # Errors
    /// When it cannot be used; the text says what to do.
    pub fn new(url: &str, secret: Zeroizing<String>) -> Result<Self, TargetError> {
        let uri: Uri = url.parse().map_err(|_| TargetError::NotAUrl)?;
        let host = uri.host().ok_or(TargetError::NotAUrl)?;
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        if secret.len() < SECRET_BYTES_MIN {
            return Err(TargetError::Short);
        }
        let (port, tls) = match uri.scheme_str() {
            Some("https") => {
                let name = ServerName::try_from(host.clone()).map_err(|_| TargetError::NotAUrl)?;
                (443, Some((trusting_the_machine()?, name)))
            }
            Some("http") if stays_here(&host) => (80, None),
            Some("http") => return Err(TargetError::Plain),
            _ => return Err(TargetError::NotAUrl),
        };
        let port = uri.port_u16().unwrap_or(port);
        Ok(Self { host, port, tls, secret, uri })
    }

    pub(super) fn secret(&self) -> &[u8] {
        self.secret.as_bytes()
    }

    /// Posts it once. Whoever answers with 2xx has taken it.
    pub(super) async fn post(&self, id: &str, signature: &str, body: &[u8]) -> Result<(), String> {
        let posting = async {
            let stream = TcpStream::connect((self.host.as_str(), self.port))
                .await
                .map_err(|error| format!("no connection: {error}"))?;
            match &self.tls {
                None => self.send(stream, id, signature, body).await,
                Some((connector, name)) => {
                    let stream = connector.connect(name.clone(), stream).await;
                    self.send(stream.map_err(|error| format!("no TLS: {error}"))?, id, signature, body).await
                }
            }
        };
        let late = |_| format!("no answer within {} s", WITHIN.as_secs());
        match tokio::time::timeout(WITHIN, posting).await.map_err(late)?? {
            status if status.is_success() => Ok(()),
            status => Err(format!("it answered {status}")),
        }
    }

    async fn send(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        id: &str,
        signature: &str,
        body: &[u8],
    ) -> Result<StatusCode, String> {
        let broken = |error: hyper::Error| format!("the connection broke: {error}");
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
        let path = self.uri.path_and_query().map_or("/", |path| path.as_str());
        let host = self.uri.authority().map_or(self.host.as_str(), |authority| {
            // Without what stands before an @: that is not for this header.
            authority.as_str().rsplit('@').next().unwrap_or_default()
        });
        let request = Request::builder()
            .method(Method::POST)
            .uri(path)
            .header(HOST, host)
            .header(CONTENT_TYPE, "application/json")
            .header(USER_AGENT, concat!("seatkeeper/", env!("CARGO_PKG_VERSION")))
            .header(ID_HEADER, id)
            .header(SIGNATURE_HEADER, signature)
            .body(Full::new(Bytes::copy_from_slice(body)))
            .map_err(|error| error.to_string())?;
        // Whoever answers and hangs up has answered: only the answer counts, of which the status alone is read.
        let _driven = AbortOnDropHandle::new(tokio::spawn(connection));
        sender.send_request(request).await.map(|answer| answer.status()).map_err(broken)
    }
}

fn stays_here(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Whom this machine trusts: an office's own authority is there, and one that was found out is not any more.
fn trusting_the_machine() -> Result<TlsConnector, TargetError> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(found.certs);
    if added == 0 {
        let why = found.errors.first().map_or_else(|| "none was found".to_owned(), ToString::to_string);
        return Err(TargetError::NoRoots(why));
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(|error| TargetError::NoRoots(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_leave_the_machine_by_tls_only() {
        let check = |url: &str, expected: Result<(&str, u16, bool), TargetError>| {
            let target = Target::new(url, Zeroizing::new("0123456789abcdef".to_owned()));
            let found =
                target.as_ref().map(|target| (target.host.as_str(), target.port, target.tls.is_some()));
            assert_eq!(found.map_err(Clone::clone), expected, "{url}");
        };
        check("http://localhost:9/x", Ok(("localhost", 9, false)));
        check("http://127.0.0.1/x?y=z", Ok(("127.0.0.1", 80, false)));
        check("http://[::1]:81", Ok(("::1", 81, false)));
        check("http://example.com/x", Err(TargetError::Plain));
        check("http://localhost.example.com/x", Err(TargetError::Plain));
        check("http://10.0.0.1/x", Err(TargetError::Plain));
        check("ftp://localhost/x", Err(TargetError::NotAUrl));
        check("example.com", Err(TargetError::NotAUrl));
        check("/x", Err(TargetError::NotAUrl));
        let short = Target::new("http://localhost/", Zeroizing::new("0123456789abcde".to_owned()));
        assert_eq!(short.unwrap_err(), TargetError::Short);
        assert!(
            !format!(
                "{:?}",
                Target::new("http://u:pw@localhost/tok", Zeroizing::new("0123456789abcdef".to_owned()))
            )
            .contains("tok")
        );
    }
}
