//! `/v1/session`: in whose name a page works, and which admin has signed in.
//!
//! Nobody can tell who clicks in a browser: so a person's own program fetches a code from the socket, where the
//! operating system says who asks, and the browser exchanges it for a session. An admin's sealed key is opened here and
//! kept in memory, so that scripts and pages need no cryptography of their own; the ledger checks each signature.
//!
//! | module | holds |
//! |---|---|
//! | `store` | codes, sessions, failed sign-ins; their limits |
//! | `signer` | commands in the name of the admin signed in |

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use axum::body::Body;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use data_encoding::BASE64URL_NOPAD;
use seatkeeper_election::seam::Clock;
use seatkeeper_protocol::api;
use seatkeeper_protocol::time::BootTime;
use seatkeeper_protocol::wire::Query;
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

#[cfg(test)]
use super::describe::Signs;
use super::problem::Problem;
use super::routes::read_json;
use crate::keys::admin::{self, AdminKey, AdminKeyError};
use crate::keys::signing::{CommandSigner, SignedFor};
use crate::keys::{self, KeyError};
use crate::node::{Node, NodeError};
use crate::platform::clock::SystemClock;
use crate::platform::local::Caller;
use store::{ADMIN_MS, CODE_MS, Hashed, Session, SignedIn, Store};

mod signer;
pub(super) mod store;

pub(super) use signer::AdminSigner;

/// Sign-ins that open a key at the same time: each takes 64 MiB and a core.
const OPENINGS_MAX: usize = 1;

/// All sessions of this agent.
#[derive(Clone, Debug)]
pub(super) struct Sessions(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    store: Mutex<Store>,
    openings: Semaphore,
    /// Where the page is.
    url: OnceLock<String>,
}

impl Sessions {
    pub(super) fn new() -> Self {
        Self(Arc::new(Inner {
            store: Mutex::default(),
            openings: Semaphore::new(OPENINGS_MAX),
            url: OnceLock::new(),
        }))
    }

    /// The page is served at `url`, from now on.
    pub(super) fn served_at(&self, url: String) {
        // Set once: a listener that comes back has the same address.
        let _ = self.0.url.set(url);
    }

    pub(super) fn store(&self) -> MutexGuard<'_, Store> {
        self.0.store.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) fn now() -> BootTime {
    SystemClock.mono()
}

/// 128 random bits as text.
pub(super) fn secret() -> Result<Zeroizing<String>, KeyError> {
    let bytes = Zeroizing::new(keys::random::<16>()?);
    Ok(Zeroizing::new(BASE64URL_NOPAD.encode(bytes.as_ref())))
}

/// How a request came, and with which session. Each has one as an extension.
#[derive(Clone, Debug)]
pub(super) struct Access {
    pub(super) sessions: Sessions,
    /// The session's token, hashed, if it is alive and the caller's own.
    pub(super) token: Option<Hashed>,
    /// The session's cookie; `None`: it came over the socket.
    pub(super) cookie: Option<Arc<Cookie>>,
    /// The user whose program asks, where the system tells for connections of browsers.
    pub(super) peer_uid: Option<u32>,
}

/// The cookie that carries a session's token. Cookies know no ports, and several agents may serve pages on one machine,
/// so its name does.
#[derive(Debug)]
pub(super) struct Cookie {
    pub(super) name: String,
    /// Beside those that each has.
    pub(super) attributes: &'static str,
}

impl Cookie {
    fn set(&self, token: &str) -> String {
        format!("{}={token}; HttpOnly; SameSite=Strict; Path=/{}", self.name, self.attributes)
    }
}

impl Access {
    fn session(&self) -> Option<Session> {
        self.sessions.store().find(self.token.as_ref()?, now())
    }
}

/// Makes a code with which a browser works in the caller's name, once, within a minute. On the socket only.
#[cfg_attr(test, utoipa::path(
    post, path = "/v1/session/codes", responses((status = 201, body = api::SessionCode), Signs)
))]
pub(super) async fn open_code(
    Extension(caller): Extension<Caller>,
    Extension(access): Extension<Access>,
) -> Result<Response, Problem> {
    if access.cookie.is_some() {
        return Err(Problem::not_permitted(
            "a code is made only on the agent's socket, where it is known who asks; run `seatkeeper open`",
        ));
    }
    let url = access.sessions.0.url.get().ok_or_else(|| {
        Problem::new(
            StatusCode::CONFLICT,
            "no-web",
            "this agent has no page now: it was started with `--web off`, or its port is taken; see `seatkeeper status`",
        )
    })?;
    let code = secret().map_err(internal)?;
    access.sessions.store().add_code(Hashed::of(&code), caller, now());
    let ends = SystemClock.wall().plus_ms(i64::try_from(CODE_MS).unwrap_or(0));
    let answer = api::SessionCode {
        format: api::FORMAT,
        code: code.to_string(),
        url: format!("{url}/#code={}", code.as_str()),
        ends: ends.rfc3339(),
    };
    Ok((StatusCode::CREATED, Json(answer)).into_response())
}

/// Begins the session of a page by a code. On the web port only.
#[cfg_attr(test, utoipa::path(
    post, path = "/v1/session", request_body = api::UseCode, responses((status = 200, body = api::Session), Signs)
))]
pub(super) async fn begin(
    State(node): State<Node>,
    Extension(access): Extension<Access>,
    body: Body,
) -> Result<Response, Problem> {
    let api::UseCode { code } = read_json(body).await?;
    let Some(cookie) = access.cookie.clone() else {
        return Err(Problem::bad_request("a code is used by a browser; on the socket it is known who asks"));
    };
    let caller = access.sessions.store().use_code(&Hashed::of(&code), now()).ok_or_else(|| {
        Problem::new(
            StatusCode::FORBIDDEN,
            "code-used",
            "this code was used already or is older than a minute; run `seatkeeper open` again",
        )
    })?;
    // A code that is on its way to a browser can be seen by other users of this machine, in the list of programs.
    if let (Some(theirs), Some(own)) = (access.peer_uid, caller.uid)
        && theirs != own
    {
        tracing::warn!(user = %caller.user, uid = theirs, "another user tried to use a code");
        return Err(Problem::not_permitted("this code is another user's; run `seatkeeper open` yourself"));
    }
    let (token, csrf) = (secret().map_err(internal)?, secret().map_err(internal)?);
    let hashed = Hashed::of(&token);
    access.sessions.store().begin(hashed, caller, csrf.to_string(), now());
    let access = Access { token: Some(hashed), ..access };
    let cookie = cookie.set(&token);
    Ok(([(header::SET_COOKIE, cookie)], Json(described(&node, &access, None))).into_response())
}

/// In whose name requests are made, and which admin has signed in.
#[cfg_attr(test, utoipa::path(
    get, path = "/v1/session", responses((status = 200, body = api::Session))
))]
pub(super) async fn show(
    State(node): State<Node>,
    Extension(caller): Extension<Caller>,
    Extension(access): Extension<Access>,
) -> Json<api::Session> {
    Json(described(&node, &access, Some(&caller)))
}

/// Ends the session.
#[cfg_attr(test, utoipa::path(
    delete, path = "/v1/session", responses((status = 204, description = "There is no session any more."))
))]
pub(super) async fn end(Extension(access): Extension<Access>) -> Response {
    if let Some(token) = &access.token {
        access.sessions.store().end(token);
    }
    match access.cookie {
        Some(cookie) => {
            let gone = format!("{}; Max-Age=0", cookie.set(""));
            (StatusCode::NO_CONTENT, [(header::SET_COOKIE, gone)]).into_response()
        }
        None => StatusCode::NO_CONTENT.into_response(),
    }
}

/// Signs an admin in for a quarter of an hour: opens the sealed key by its password.
///
/// On the socket the answer has a token, which later requests carry as `Authorization: Bearer`.
#[cfg_attr(test, utoipa::path(
    put, path = "/v1/session/admin", request_body = api::SignIn,
    responses((status = 200, body = api::Session), Signs)
))]
pub(super) async fn sign_in(
    State(node): State<Node>,
    Extension(caller): Extension<Caller>,
    Extension(mut access): Extension<Access>,
    body: Body,
) -> Result<Json<api::Session>, Problem> {
    let api::SignIn { key, password } = read_json(body).await?;
    let password = Zeroizing::new(password);
    let site = node.site().ok_or(NodeError::NoSite)?;
    let site =
        SignedFor::read(&site).ok_or_else(|| Problem::internal("this agent's site is not understood"))?;
    let opened = open_key(&access.sessions, key, password).await?;
    if opened.site != site.id {
        return Err(Problem::bad_request(
            "this is an admin key of another site; choose the one of this site",
        ));
    }
    let role = role_of(&node, &opened).await?;
    let signer = CommandSigner::new(site, opened.name.clone(), opened.key, SystemClock.wall());
    let mut token = None;
    if access.token.is_none() {
        // On the socket: a page has had a session before anything is looked at.
        let (fresh, csrf) = (secret().map_err(internal)?, secret().map_err(internal)?);
        access.sessions.store().begin(Hashed::of(&fresh), caller.clone(), csrf.to_string(), now());
        access.token = Some(Hashed::of(&fresh));
        token = Some(fresh.to_string());
    }
    let admin = SignedIn::new(opened.name, role, signer, now());
    let kept = access.token.is_some_and(|token| access.sessions.store().set_admin(&token, Some(admin)));
    if !kept {
        return Err(no_session());
    }
    let described = described(&node, &access, Some(&caller));
    Ok(Json(api::Session { token, ..described }))
}

/// Signs the admin out.
#[cfg_attr(test, utoipa::path(
    delete, path = "/v1/session/admin", responses((status = 200, body = api::Session))
))]
pub(super) async fn sign_out(
    State(node): State<Node>,
    Extension(caller): Extension<Caller>,
    Extension(access): Extension<Access>,
) -> Json<api::Session> {
    if let Some(token) = &access.token {
        access.sessions.store().set_admin(token, None);
    }
    Json(described(&node, &access, Some(&caller)))
}

/// Opens a sealed key, slowed after wrong passwords.
async fn open_key(
    sessions: &Sessions,
    text: String,
    password: Zeroizing<String>,
) -> Result<AdminKey, Problem> {
    let unusable = |error: &AdminKeyError| Problem::bad_request(error.to_string());
    let key = admin::read_admin(&text).map_err(|error| unusable(&error))?.key;
    let Ok(_opening) = sessions.0.openings.try_acquire() else { return Err(slowed(1_000)) };
    let slowed_ms = sessions.store().slowed_ms(&key, now());
    if slowed_ms > 0 {
        return Err(slowed(slowed_ms));
    }
    let opened = tokio::task::spawn_blocking(move || admin::open_admin(&text, &password)).await;
    match opened.map_err(|_| Problem::internal("the key could not be looked at"))? {
        Ok(opened) => {
            sessions.store().succeeded(&key);
            Ok(opened)
        }
        Err(error @ AdminKeyError::WrongPassword) => {
            sessions.store().failed(key, now());
            tracing::warn!(key = %key, "a wrong password for an admin's key");
            Err(Problem::new(StatusCode::FORBIDDEN, "wrong-password", error.to_string()))
        }
        Err(error) => Err(unusable(&error)),
    }
}

fn slowed(ms: u64) -> Problem {
    let seconds = ms.div_ceil(1_000);
    let detail =
        format!("too many wrong passwords, or somebody else is signing in; try again in {seconds} s");
    Problem::new(StatusCode::TOO_MANY_REQUESTS, "slow-down", detail).retry_after(seconds)
}

/// What the site lets this admin do.
async fn role_of(node: &Node, opened: &AdminKey) -> Result<String, Problem> {
    let admins = node.query(Query::Admins).await?;
    let admins: api::Admins =
        serde_json::from_slice(&admins).map_err(|error| Problem::internal(error.to_string()))?;
    let key = keys::public(&opened.key).to_string();
    let known =
        admins.admins.into_iter().find(|admin| admin.name == opened.name.as_str() && admin.key == key);
    known.map(|admin| admin.role).ok_or_else(|| {
        Problem::not_permitted(format!(
            "{} is no admin of this site with this key; ask another admin",
            opened.name
        ))
    })
}

/// The session as the API tells it. `caller`: on the socket, where everybody has a name.
fn described(node: &Node, access: &Access, caller: Option<&Caller>) -> api::Session {
    let session = access.session();
    let caller = match (&session, &access.cookie) {
        (Some(session), _) => Some(&session.caller),
        (None, None) => caller,
        (None, Some(_)) => None,
    };
    let ends = |admin: &SignedIn| {
        let left = admin.left_ms(now()).min(ADMIN_MS);
        SystemClock.wall().plus_ms(i64::try_from(left).unwrap_or(0)).rfc3339()
    };
    let me = node.me();
    api::Session {
        format: api::FORMAT,
        user: caller.map(|caller| caller.user.clone()),
        manages_device: caller.is_some_and(|caller| caller.manages_device),
        csrf: session.as_ref().filter(|_| access.cookie.is_some()).map(|session| session.csrf.clone()),
        device: api::SessionDevice { id: me.id, name: me.name },
        site: node.site().map(|site| site.name),
        admin: session.and_then(|session| session.admin).map(|admin| api::SessionAdmin {
            name: admin.name.to_string(),
            ends: ends(&admin),
            role: admin.role,
        }),
        token: None,
    }
}

pub(super) fn no_session() -> Problem {
    Problem::new(
        StatusCode::UNAUTHORIZED,
        "no-session",
        "this page may only look: run `seatkeeper open` on this machine to work in your name",
    )
}

fn internal(error: KeyError) -> Problem {
    Problem::internal(error.to_string())
}
