//! Who may make a request, before anything looks at it.
//!
//! The page's port can be reached by every program and every page on this machine. A page of another site must neither
//! read (its name for us is not ours: DNS rebinding; and nothing here allows other origins) nor change anything (it has
//! neither the cookie, which is `SameSite=Strict`, nor the token that each change carries).

use std::net::SocketAddr;
use std::sync::Arc;

use axum::http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri, header};
use axum::response::Response;
use rustls::pki_types::{CertificateDer, ServerName};
use subtle::ConstantTimeEq;

use super::problem::Problem;
use super::session::store::Hashed;
use super::session::{Access, Cookie, Sessions, no_session, now};
use crate::platform::local::Caller;
use crate::platform::peer;

/// Carries a session's token against forged requests.
const CSRF_HEADER: &str = "x-seatkeeper-csrf";
/// Where a session begins.
const SESSION: &str = "/v1/session";
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
                      font-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'";

/// What the page's listener is called.
#[derive(Clone, Debug)]
pub(super) struct Site {
    address: SocketAddr,
    /// With TLS: the certificate, whose names are ours.
    certificate: Option<CertificateDer<'static>>,
    cookie: Arc<Cookie>,
}

impl Site {
    pub(super) fn new(address: SocketAddr, certificate: Option<CertificateDer<'static>>) -> Self {
        let attributes = if certificate.is_some() { "; Secure" } else { "" };
        let name = format!("seatkeeper-session-{}", address.port());
        Self { address, certificate, cookie: Arc::new(Cookie { name, attributes }) }
    }

    /// Where a browser on this machine finds the page.
    pub(super) fn url(&self) -> String {
        let scheme = if self.certificate.is_some() { "https" } else { "http" };
        match self.address.ip() {
            ip if ip.is_unspecified() => format!("{scheme}://localhost:{}", self.address.port()),
            _ => format!("{scheme}://{}", self.address),
        }
    }

    /// Whether `host`, as a browser names it, means us.
    fn is_ours(&self, host: &str) -> bool {
        let default_port = if self.certificate.is_some() { 443 } else { 80 };
        let Ok(authority) = host.parse::<axum::http::uri::Authority>() else { return false };
        if authority.port_u16().unwrap_or(default_port) != self.address.port() || host.contains('@') {
            return false;
        }
        let name = authority.host();
        if matches!(name, "localhost" | "127.0.0.1" | "[::1]") {
            return true;
        }
        let bare = name.trim_start_matches('[').trim_end_matches(']');
        if bare.parse().is_ok_and(|ip: std::net::IpAddr| ip == self.address.ip()) {
            return true;
        }
        let Some(certificate) = &self.certificate else { return false };
        let Ok(name) = ServerName::try_from(bare) else { return false };
        webpki::EndEntityCert::try_from(certificate)
            .is_ok_and(|certificate| certificate.verify_is_valid_for_subject_name(&name).is_ok())
    }

    /// Lets a request of a browser in, with the caller and session that it has. `ends`: our and its end of the connection.
    ///
    /// # Errors
    /// The answer to a request that may not be made.
    pub(super) fn admit<B>(
        &self,
        request: &mut Request<B>,
        ends: Option<(SocketAddr, SocketAddr)>,
        sessions: &Sessions,
    ) -> Result<(), Problem> {
        let headers = request.headers();
        let host = host(headers, request.uri());
        if !host.is_some_and(|host| self.is_ours(host)) {
            let detail = format!("this page is not served under that name; open {}", self.url());
            return Err(Problem::new(StatusCode::FORBIDDEN, "host", detail));
        }
        let scheme = if self.certificate.is_some() { "https" } else { "http" };
        if let Some(origin) = headers.get(header::ORIGIN) {
            let own = host.is_some_and(|host| origin.as_bytes() == format!("{scheme}://{host}").as_bytes());
            if !own {
                let detail = "pages of other sites may not use this agent";
                return Err(Problem::new(StatusCode::FORBIDDEN, "origin", detail));
            }
        }
        let token = cookie(headers, &self.cookie.name).map(Hashed::of);
        let session = token.and_then(|token| sessions.store().find(&token, now()));
        let begins = request.method() == Method::POST && request.uri().path() == SESSION;
        if !begins && !is_safe(request.method()) {
            let session = session.as_ref().ok_or_else(no_session)?;
            check_csrf(headers, &session.csrf)?;
        }
        let token = token.filter(|_| session.is_some());
        let peer_uid = ends.filter(|_| begins).and_then(|(ours, theirs)| peer::user_of(ours, theirs));
        let caller = session.map(|session| session.caller).unwrap_or_else(nobody);
        request.extensions_mut().insert(caller);
        request.extensions_mut().insert(Access {
            sessions: sessions.clone(),
            token,
            cookie: Some(Arc::clone(&self.cookie)),
            peer_uid,
        });
        Ok(())
    }
}

/// Lets a request of the socket in: everybody there has a name. An admin's token is its user's own.
pub(super) fn admit_local<B>(request: &mut Request<B>, caller: &Caller, sessions: &Sessions) {
    let bearer = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token = bearer.and_then(|value| value.strip_prefix("Bearer ")).map(|token| Hashed::of(token.trim()));
    let token = token.filter(|token| {
        let session = sessions.store().find(token, now());
        session.is_some_and(|session| session.caller.user == caller.user)
    });
    request.extensions_mut().insert(caller.clone());
    request.extensions_mut().insert(Access {
        sessions: sessions.clone(),
        token,
        cookie: None,
        peer_uid: None,
    });
}

/// What every answer to a browser carries.
pub(super) fn dress(response: &mut Response) {
    let headers = response.headers_mut();
    let fixed = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (header::HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
}

/// Somebody without a session, who may look.
fn nobody() -> Caller {
    Caller { user: String::new(), uid: None, pid: None, manages_device: false }
}

fn is_safe(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

fn host<'a>(headers: &'a HeaderMap, uri: &'a Uri) -> Option<&'a str> {
    let mut named = headers.get_all(header::HOST).iter();
    let host = named.next().and_then(|host| host.to_str().ok());
    // A request that names two hosts, or another one in its line, wants to be understood in two ways.
    let line = uri.authority().map(|authority| authority.as_str());
    match (host, line) {
        (Some(host), line) if named.next().is_none() && line.is_none_or(|line| line == host) => Some(host),
        _ => None,
    }
}

fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value)
}

fn check_csrf(headers: &HeaderMap, expected: &str) -> Result<(), Problem> {
    let given = headers.get(CSRF_HEADER).map_or(&b""[..], HeaderValue::as_bytes);
    if bool::from(given.ct_eq(expected.as_bytes())) {
        return Ok(());
    }
    let detail = "the request does not carry this session's token; load the page again";
    Err(Problem::new(StatusCode::FORBIDDEN, "csrf", detail))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site() -> Site {
        Site::new("127.0.0.1:7411".parse().unwrap(), None)
    }

    #[test]
    fn only_our_own_names_are_ours() {
        let check = |host: &str, is_ours| assert_eq!(site().is_ours(host), is_ours, "{host}");
        check("127.0.0.1:7411", true);
        check("localhost:7411", true);
        check("[::1]:7411", true);
        check("localhost", false);
        check("localhost:80", false);
        check("evil.example:7411", false);
        check("localhost.evil.example:7411", false);
        check("x@localhost:7411", false);
        check("127.0.0.2:7411", false);
        check("", false);
        check(":7411", false);
        check("[::1", false);
    }

    #[test]
    fn a_certificates_names_are_ours() {
        let certificate = rcgen::generate_simple_self_signed(["seats.example.com".to_owned()]).unwrap();
        let site = Site::new("0.0.0.0:443".parse().unwrap(), Some(certificate.cert.der().clone()));
        assert!(site.is_ours("seats.example.com"));
        assert!(site.is_ours("seats.example.com:443"));
        assert!(!site.is_ours("other.example.com"));
        assert!(!site.is_ours("10.0.0.1"));
        assert_eq!(site.url(), "https://localhost:443");
    }

    fn asked(method: &str, path: &str, headers: &[(&str, &str)]) -> (Result<(), Problem>, Option<Caller>) {
        let sessions = Sessions::new();
        let eva = Caller { user: "eva".to_owned(), uid: None, pid: None, manages_device: false };
        sessions.store().begin(Hashed::of("token"), eva, "csrf".to_owned(), now());
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut request = request.body(()).unwrap();
        let admitted = site().admit(&mut request, None, &sessions);
        (admitted, request.extensions().get::<Caller>().cloned())
    }

    const HOST: (&str, &str) = ("host", "localhost:7411");
    const COOKIE: (&str, &str) = ("cookie", "a=b; seatkeeper-session-7411=token");

    #[test]
    fn what_a_browser_may_ask() {
        let refused = |method: &str, path: &str, headers: &[(&str, &str)], kind: &str| {
            let problem = asked(method, path, headers).0.unwrap_err();
            assert_eq!(problem.0.kind, kind, "{method} {path} {headers:?}");
        };
        let admitted = |method: &str, path: &str, headers: &[(&str, &str)], user: &str| {
            let (admitted, caller) = asked(method, path, headers);
            assert!(admitted.is_ok(), "{method} {path} {headers:?}");
            assert_eq!(caller.unwrap().user, user);
        };
        admitted("GET", "/v1/seats", &[HOST], "");
        admitted("GET", "/v1/seats", &[HOST, COOKIE], "eva");
        admitted("GET", "/v1/seats", &[HOST, ("origin", "http://localhost:7411")], "");
        refused("GET", "/v1/seats", &[], "host");
        refused("GET", "/v1/seats", &[("host", "evil.example:7411")], "host");
        refused("GET", "/v1/seats", &[HOST, HOST], "host");
        refused("GET", "http://evil.example/v1/seats", &[HOST], "host");
        refused("GET", "/v1/seats", &[HOST, ("origin", "http://evil.example")], "origin");
        refused("GET", "/v1/seats", &[HOST, ("origin", "null")], "origin");
        // Another of our names is another origin.
        refused("GET", "/v1/seats", &[HOST, ("origin", "http://127.0.0.1:7411")], "origin");
        refused("GET", "/v1/seats", &[HOST, ("origin", "https://localhost:7411")], "origin");
        refused("POST", "/v1/borrows", &[HOST], "no-session");
        refused("POST", "/v1/borrows", &[HOST, ("cookie", "seatkeeper-session-7411=other")], "no-session");
        refused("POST", "/v1/borrows", &[HOST, ("cookie", "seatkeeper-session-7412=token")], "no-session");
        refused("POST", "/v1/borrows", &[HOST, COOKIE], "csrf");
        refused("POST", "/v1/borrows", &[HOST, COOKIE, ("x-seatkeeper-csrf", "other")], "csrf");
        refused("DELETE", "/v1/borrows", &[HOST, COOKIE, ("x-seatkeeper-csrf", "")], "csrf");
        admitted("POST", "/v1/borrows", &[HOST, COOKIE, ("x-seatkeeper-csrf", "csrf")], "eva");
        admitted("POST", "/v1/session", &[HOST], "");
        refused("DELETE", "/v1/session", &[HOST, COOKIE], "csrf");
    }
}
