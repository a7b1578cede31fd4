//! The local API: HTTP/1.1 and JSON on the agent's socket (design section 9).
//!
//! Who may call is decided by the operating system's word about the caller, never by what a body says: everybody on
//! the machine may look and take seats in their own name; only who manages the device may found, join or leave a
//! site; site commands carry an admin's signature, which the ledger checks.
//!
//! | module | holds |
//! |---|---|
//! | `routes` | where the resources are |
//! | `look`, `page` | listings, and pages of them |
//! | `site` | founding, joining and leaving a site |
//! | [`web`] | the same for browsers: the page's port |
//! | `guard` | which requests are let in, and in whose name |
//! | `session` | sessions of pages, admins who sign in |
//! | `seats` | `POST /v1/seats`: a seat held by an open answer |
//! | `idle` | whether a seat is used, and asking for an idle one |
//! | `events` | `GET /v1/events` |
//! | `audit` | `GET /v1/audit` |
//! | `admin` | what admins change |
//! | `idempotency` | requests that are sent again |
//! | `describe` | the description of all this, made by tests |
//! | `assets` | the page's files |
//! | `metrics` | `GET /metrics` |
//! | `doctor`, [`recent`] | looking for faults; the newest lines of the log |
//! | `problem` | errors as problem+json |
//! | `io` | a connection that is watched while it answers |

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::response::IntoResponse;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::node::Node;
use crate::platform::local::{Caller, LocalListener, LocalStream};

mod admin;
mod assets;
mod audit;
mod borrows;
mod compliance;
#[cfg(test)]
mod describe;
mod doctor;
mod events;
mod guard;
mod idempotency;
mod idle;
mod io;
mod look;
mod metrics;
mod page;
mod problem;
pub mod recent;
mod recovery;
mod routes;
mod seats;
mod session;
mod site;
pub mod web;

use problem::Problem;
use session::Sessions;

/// Connections served at once; more wait in the operating system's queue.
pub const CONNECTIONS_MAX: usize = 512;
/// Connections of one user at once; more are closed.
pub const CONNECTIONS_PER_USER_MAX: usize = 256;
const _: () = assert!(CONNECTIONS_PER_USER_MAX < CONNECTIONS_MAX, "one user cannot shut out the others");
/// How long a client may take to send a request's head.
const HEAD_WITHIN: Duration = Duration::from_secs(10);
/// How long to wait before accepting again after the operating system refused (no file descriptors left).
const ACCEPT_AGAIN_AFTER: Duration = Duration::from_millis(100);

/// The API, for the socket and for browsers.
#[derive(Clone)]
pub struct Api {
    router: Router,
    sessions: Sessions,
}

impl std::fmt::Debug for Api {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Api").finish_non_exhaustive()
    }
}

impl Api {
    /// The API of `node`.
    pub fn new(node: Node) -> Self {
        Self { router: routes::router(node), sessions: Sessions::new() }
    }

    /// Serves the socket until `shutdown`, then closes all connections.
    ///
    /// Stop the node first: a seat whose stream is closed while the node still works is given back.
    pub async fn serve(&self, listener: LocalListener, shutdown: CancellationToken) {
        let (this, users) = (self.clone(), Arc::new(Users::default()));
        let serve = move |(stream, caller): (LocalStream, Caller)| {
            let place = Users::enter(&users, &caller.user);
            if place.is_none() {
                tracing::warn!(user = %caller.user, "a user has too many connections to the agent");
            }
            let (api, place) = (this.clone(), place?);
            Some(async move {
                let _place = place;
                let admit = |request: &mut Request<Incoming>, sessions: &Sessions| {
                    guard::admit_local(request, &caller, sessions);
                    Ok(())
                };
                api.serve_connection(stream, admit).await;
            })
        };
        serve_each(CONNECTIONS_MAX, listener, serve, &shutdown).await;
    }

    /// Serves one connection; `admit` lets each of its requests in, or answers it.
    async fn serve_connection(
        &self,
        stream: impl io::Io + 'static,
        admit: impl Fn(&mut Request<Incoming>, &Sessions) -> Result<(), Problem>,
    ) {
        let io = io::SharedIo::new(stream);
        let spoken_to = io.clone();
        let routes = TowerToHyperService::new(self.router.clone());
        // A layer on the router would build all routes anew for each connection, and most carry one request.
        let service = service_fn(|mut request: Request<Incoming>| {
            request.extensions_mut().insert(spoken_to.clone());
            let admitted = admit(&mut request, &self.sessions);
            let answer = admitted.map(|()| routes.call(request));
            async {
                let mut response = match answer {
                    Ok(answer) => answer.await?,
                    Err(problem) => problem.into_response(),
                };
                guard::dress(&mut response);
                Ok::<_, std::convert::Infallible>(response)
            }
        });
        let served = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_WITHIN)
            .serve_connection(TokioIo::new(io), service)
            .await;
        if let Err(error) = served {
            // Mostly a client that went away, which is how seats are given back.
            tracing::debug!(%error, "a connection to the API ended");
        }
    }
}

/// What connections come from.
trait Accept {
    type Connection: Send;
    fn accept(&mut self) -> impl Future<Output = std::io::Result<Self::Connection>> + Send;
}

impl Accept for LocalListener {
    type Connection = (LocalStream, Caller);
    async fn accept(&mut self) -> std::io::Result<Self::Connection> {
        Self::accept(self).await
    }
}

impl Accept for TcpListener {
    type Connection = TcpStream;
    async fn accept(&mut self) -> std::io::Result<TcpStream> {
        Self::accept(self).await.map(|(stream, _)| stream)
    }
}

/// Accepts connections until `shutdown` and serves each in a task of its own, at most `max` at once; then ends all of them.
/// `serve` may turn one away.
async fn serve_each<L: Accept, S: Future<Output = ()> + Send + 'static>(
    max: usize,
    mut listener: L,
    serve: impl Fn(L::Connection) -> Option<S>,
    shutdown: &CancellationToken,
) {
    let free = Arc::new(Semaphore::new(max));
    let tasks = TaskTracker::new();
    loop {
        let next = async {
            let permit = Arc::clone(&free).acquire_owned().await;
            (permit, listener.accept().await)
        };
        let Some((permit, accepted)) = shutdown.run_until_cancelled(next).await else { break };
        match accepted {
            Ok(connection) => {
                let Some(serving) = serve(connection) else { continue };
                let shutdown = shutdown.clone();
                tasks.spawn(async move {
                    let _permit = permit;
                    shutdown.run_until_cancelled(serving).await;
                });
            }
            Err(error) => {
                tracing::warn!(%error, "a connection to the API was not accepted");
                tokio::time::sleep(ACCEPT_AGAIN_AFTER).await;
            }
        }
    }
    tasks.close();
    tasks.wait().await;
}

/// Counts the connections of each user.
#[derive(Debug, Default)]
struct Users(Mutex<BTreeMap<String, usize>>);

/// One connection's place; dropping it frees the place.
#[derive(Debug)]
struct Place {
    users: Arc<Users>,
    user: String,
}

impl Users {
    fn enter(users: &Arc<Self>, user: &str) -> Option<Place> {
        let mut counts = users.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(user.to_owned()).or_default();
        if *count >= CONNECTIONS_PER_USER_MAX {
            return None;
        }
        *count += 1;
        Some(Place { users: Arc::clone(users), user: user.to_owned() })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.users.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.user) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.user);
            }
        }
    }
}

#[cfg(all(test, unix))]
mod tests;
