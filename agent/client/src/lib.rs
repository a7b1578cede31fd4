//! Rust client of Seatkeeper's local API: HTTP/1.1 and JSON on the agent's socket (a named pipe on Windows).
//!
//! | module | holds |
//! |---|---|
//! | [`socket`] | which socket an agent listens on, and connecting to it |
//! | [`stream`] | answers that keep coming: a held seat, the site's events |
//! | [`verify`] | taking a seat without trusting the agent that gives it |
//!
//! ```no_run
//! # async fn example() -> Result<(), seatkeeper_client::ClientError> {
//! use seatkeeper_client::{Client, SeatRequest};
//!
//! let client = Client::connect_default();
//! let mut seat = client.take_seat(&SeatRequest::product("allplan-engineering")).await?;
//! // Use the program; the seat is given back when `seat` is dropped or the process ends.
//! while let Some(event) = seat.next_event().await? {
//!     eprintln!("{event:?}");
//! }
//! # Ok(())
//! # }
//! ```

#![warn(missing_docs)]

use std::path::{Path, PathBuf};
use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
pub use seatkeeper_protocol::api;
pub use seatkeeper_protocol::api::SeatRequest;
use serde::Serialize;
use serde::de::DeserializeOwned;

mod doctor;
mod recovery;
mod session;
pub mod socket;
pub mod stream;
pub mod verify;

pub use stream::{EventStream, SeatStream};

/// Largest answer that is read as one piece, bytes: the seats of a site at its limit fit.
pub const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Longest line of a stream, bytes.
pub const LINE_BYTES_MAX: usize = 256 * 1024;
/// How long an agent may take for an answer. Joining and founding a site wait for other machines.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nothing answers on the socket.
    #[error(
        "no agent answers at {}: {source}; start it with `seatkeeper agent`, or name its socket with --socket or SEATKEEPER_SOCKET",
        socket.display()
    )]
    NoAgent {
        /// The socket.
        socket: PathBuf,
        /// What the operating system says.
        source: std::io::Error,
    },
    /// The agent says no, and why.
    #[error("{}", .0.detail)]
    Problem(Box<api::Problem>),
    /// The connection broke in the middle.
    #[error("the connection to the agent broke: {0}; see `seatkeeper status`")]
    Broken(String),
    /// The agent did not answer in time.
    #[error("the agent did not answer within {} s; see `seatkeeper status`", .0.as_secs())]
    TimedOut(Duration),
    /// The answer is not what this version of the API promises.
    #[error("the agent's answer is not understood: {0}; update the older of the two programs")]
    Unreadable(String),
}

impl ClientError {
    /// The agent's problem, if it answered with one.
    pub fn problem(&self) -> Option<&api::Problem> {
        match self {
            Self::Problem(problem) => Some(problem),
            _ => None,
        }
    }

    /// Whether the agent may be back later with the same answer pending: it is away, restarting or too busy.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::NoAgent { .. } | Self::Broken(_) | Self::TimedOut(_) => true,
            Self::Problem(problem) => problem.status == 503,
            Self::Unreadable(_) => false,
        }
    }
}

/// A client of one agent. Cheap; each call makes a connection of its own.
#[derive(Clone, Debug)]
pub struct Client {
    socket: PathBuf,
}

impl Client {
    /// The agent of this machine, or the user's own: see [`socket::default_socket`].
    pub fn connect_default() -> Self {
        Self::with_socket(socket::default_socket())
    }

    /// The agent that listens on `socket`.
    pub fn with_socket(socket: impl Into<PathBuf>) -> Self {
        Self { socket: socket.into() }
    }

    /// The socket.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// How the site and this device are.
    ///
    /// # Errors
    /// Any [`ClientError`]; so for all calls.
    pub async fn status(&self) -> Result<api::Status, ClientError> {
        self.get("/v1/status").await
    }

    /// The site's identity.
    ///
    /// # Errors
    /// A problem `no-site` when this device belongs to none.
    pub async fn site(&self) -> Result<api::SiteDetail, ClientError> {
        self.get("/v1/site").await
    }

    /// Seats in use.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn seats(&self) -> Result<api::Seats, ClientError> {
        self.get("/v1/seats").await
    }

    /// Enrolled and waiting devices.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn devices(&self) -> Result<api::Devices, ClientError> {
        self.get("/v1/devices").await
    }

    /// Licenses.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn licenses(&self) -> Result<api::Licenses, ClientError> {
        self.get("/v1/licenses").await
    }

    /// Admins.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn admins(&self) -> Result<api::Admins, ClientError> {
        self.get("/v1/admins").await
    }

    /// Trusted vendors.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn vendors(&self) -> Result<api::Vendors, ClientError> {
        self.get("/v1/vendors").await
    }

    /// Limits, groups and priorities.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn limits(&self) -> Result<api::Limits, ClientError> {
        self.get("/v1/limits").await
    }

    /// The organisation: its nodes, and which devices belong to them.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn organisation(&self) -> Result<api::Organisation, ClientError> {
        self.get("/v1/org").await
    }

    /// What is registered as bought.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn purchases(&self) -> Result<api::Purchases, ClientError> {
        self.get("/v1/purchases").await
    }

    /// How what is installed compares with what was bought, by product.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn compliance(&self) -> Result<api::Compliance, ClientError> {
        self.get("/v1/compliance").await
    }

    /// The same of one product, in full.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn product_compliance(&self, product: &str) -> Result<api::ProductCompliance, ClientError> {
        self.get(&format!("/v1/compliance?product={}", escaped(product))).await
    }

    /// What would be different. Nothing is changed.
    ///
    /// # Errors
    /// A problem `bad-request` when a change would be refused.
    pub async fn compliance_what_if(
        &self,
        changes: &api::ComplianceChanges,
    ) -> Result<api::ComplianceDifferences, ClientError> {
        self.post("/v1/compliance/what-if", changes).await
    }

    /// The calculations of compliance that came to something new.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn calculations(&self) -> Result<api::Calculations, ClientError> {
        self.get("/v1/compliance/history").await
    }

    /// Machines that software is installed on: a page of them, after the one with this id.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn inventory(&self, after: Option<&str>) -> Result<api::Inventory, ClientError> {
        let after = after.map(|after| format!("?after={}", escaped(after))).unwrap_or_default();
        self.get(&format!("/v1/inventory{after}")).await
    }

    /// One machine and its programs.
    ///
    /// # Errors
    /// A problem `not-found` when nothing is known of it.
    pub async fn machine(&self, id: &str) -> Result<api::MachineDetail, ClientError> {
        self.get(&format!("/v1/inventory/machines/{}", escaped(id))).await
    }

    /// Programs of which the catalog says nothing.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn unknown_programs(&self) -> Result<api::UnknownPrograms, ClientError> {
        self.get("/v1/inventory/unknown").await
    }

    /// The catalog.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn catalog(&self) -> Result<api::Catalog, ClientError> {
        self.get("/v1/inventory/catalog").await
    }

    /// How much was used and refused.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn usage(&self) -> Result<api::Usage, ClientError> {
        self.get("/v1/usage").await
    }

    /// A page of the audit: records after this number, of a span of time. `from` and `to`: RFC 3339, or a day.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn audit(
        &self,
        after: u64,
        from: Option<&str>,
        to: Option<&str>,
    ) -> Result<api::AuditPage, ClientError> {
        // Times and days have no other characters; anything else would be another query.
        let clean = |text: &str| -> String {
            text.chars().filter(|c| c.is_ascii_alphanumeric() || "-:.".contains(*c)).collect()
        };
        let part = |name: &str, value: Option<&str>| {
            value.map(|value| format!("&{name}={}", clean(value))).unwrap_or_default()
        };
        self.get(&format!("/v1/audit?after={after}{}{}", part("from", from), part("to", to))).await
    }

    /// What the machines that keep the log say is the hash of a record of the audit.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn audit_heads(&self, seq: u64) -> Result<api::AuditHeads, ClientError> {
        self.get(&format!("/v1/audit/heads?seq={seq}")).await
    }

    /// What is needed to rotate the pool key.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn pool_key(&self) -> Result<api::PoolKeyInfo, ClientError> {
        self.get("/v1/pool-key").await
    }

    /// The newest events, at most 100, or those after a sequence number (waits up to 20 s for the first).
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn events(&self, after: Option<u64>) -> Result<api::Events, ClientError> {
        self.get(&events_path(after)).await
    }

    /// The newest events, or those after a sequence number, and all that follow.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn follow_events(&self, after: Option<u64>) -> Result<EventStream, ClientError> {
        let request = self.request(Method::GET, &events_path(after), "text/event-stream", Vec::new())?;
        let (response, connection) = self.send(request).await?;
        Ok(EventStream::new(succeeded(response).await?, connection))
    }

    /// Takes a seat and holds it as long as the answer is kept.
    ///
    /// # Errors
    /// A problem `no-seat` that names who has the seats, `not-licensed`, `no-holder`, …
    pub async fn take_seat(&self, request: &SeatRequest) -> Result<SeatStream, ClientError> {
        self.wait_for_seat(request, |_| {}).await
    }

    /// Takes a seat as [`Client::take_seat`] does; with [`SeatRequest::wait_s`], waits for one. `waiting` is told the place
    /// in the queue, and each time that it changes. Dropping what this returns before it is done gives the place up.
    ///
    /// # Errors
    /// As [`Client::take_seat`]; a problem `no-seat` also when the time is over.
    pub async fn wait_for_seat(
        &self,
        request: &SeatRequest,
        waiting: impl FnMut(&api::SeatWaiting),
    ) -> Result<SeatStream, ClientError> {
        let request = self.request(Method::POST, "/v1/seats", "application/x-ndjson", json(request)?)?;
        let (response, connection) = self.send(request).await?;
        SeatStream::begin(succeeded(response).await?, connection, waiting).await
    }

    /// Gives the seat of a session back and waits until it is free: for a wrapper that knows that the process tree it
    /// named has ended. Otherwise closing the stream does it.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn give_back(&self, session: &str) -> Result<(), ClientError> {
        let path = format!("/v1/seats/{session}");
        let request = self.request(Method::DELETE, &path, "application/json", Vec::new())?;
        let (response, _connection) = self.send(request).await?;
        succeeded(response).await.map(drop)
    }

    /// What proves a seat of the caller's, by its session or seat id, for a nonce (base64url, 16 to 64 bytes). Nothing
    /// is verified: that is [`verify`]'s.
    ///
    /// # Errors
    /// A problem `not-found` when the caller has no such seat on this device.
    pub async fn prove(&self, id: &str, nonce: &str) -> Result<api::SeatProof, ClientError> {
        let path = format!("/v1/seats/{}/proof", plain(id));
        self.post(&path, &api::ProofRequest { nonce: nonce.to_owned() }).await
    }

    /// Says that the user of a seat does something now, or has done nothing for `idle`: by its session or seat id. Say it
    /// at the user's input, once in some seconds at most; from then on, silence means that he does nothing. Who waits
    /// sees it, in whole minutes, and may ask for a seat that has been idle for five; nothing is taken away by it.
    ///
    /// # Errors
    /// A problem `not-found` when the caller has no such seat on this device.
    pub async fn activity(&self, id: &str, idle: Duration) -> Result<(), ClientError> {
        self.say_idle(id, &api::SeatActivity { idle_s: idle.as_secs(), ..api::SeatActivity::default() }).await
    }

    /// [`Client::activity`], naming who knows it.
    ///
    /// # Errors
    /// As [`Client::activity`].
    pub async fn say_idle(&self, id: &str, activity: &api::SeatActivity) -> Result<(), ClientError> {
        let path = format!("/v1/seats/{}/activity", plain(id));
        let request = self.request(Method::POST, &path, "application/json", json(activity)?)?;
        let (response, _connection) = self.send(request).await?;
        succeeded(response).await.map(drop)
    }

    /// Asks who has an idle seat, by its id as listed, to give it up. The caller must wait for a seat of that product on
    /// this device. Nothing is taken away by it.
    ///
    /// # Errors
    /// A problem `not-permitted` for who doesn't wait; `conflict` when the seat is not known to be idle, or was asked for
    /// lately.
    pub async fn ask_for_seat(
        &self,
        seat: &str,
        message: Option<&str>,
    ) -> Result<api::SeatAsked, ClientError> {
        let body = api::AskSeat { message: message.map(str::to_owned) };
        self.post(&format!("/v1/seats/{}/ask", plain(seat)), &body).await
    }

    /// Borrows a seat: this device then uses it without any network.
    ///
    /// # Errors
    /// A problem `no-seat`, `not-licensed`, `invalid` when the license does not allow it for so long, …
    pub async fn borrow(&self, request: &api::BorrowRequest) -> Result<api::Borrow, ClientError> {
        self.post("/v1/borrows", request).await
    }

    /// What is borrowed on this device; the site is not asked.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn borrows(&self) -> Result<api::Borrows, ClientError> {
        self.get("/v1/borrows").await
    }

    /// Gives back what the caller borrowed of a product.
    ///
    /// # Errors
    /// A problem `conflict` while programs use it, or when there is nothing.
    pub async fn return_borrow(
        &self,
        request: &api::ReturnRequest,
    ) -> Result<api::BorrowReturned, ClientError> {
        let body = json(request)?;
        self.exchange(self.request(Method::DELETE, "/v1/borrows", "application/json", body)?).await
    }

    /// Hands a command signed by an admin to the site.
    ///
    /// # Errors
    /// Any [`ClientError`]; a refusal by the ledger is an answer, not an error.
    pub async fn command(&self, command: &api::SignedCommand) -> Result<api::CommandResult, ClientError> {
        self.post("/v1/commands", command).await
    }

    /// Creates a site on this device.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn create_site(&self, body: &api::CreateSite) -> Result<api::SiteCreated, ClientError> {
        self.post("/v1/site", body).await
    }

    /// Joins this device to a site.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn join_site(&self, body: &api::Join) -> Result<api::Joined, ClientError> {
        self.post("/v1/site/join", body).await
    }

    /// Takes this device out of its site.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn leave_site(&self) -> Result<(), ClientError> {
        let request = self.request(Method::POST, "/v1/site/leave", "application/json", b"{}".to_vec())?;
        let (response, _connection) = self.send(request).await?;
        succeeded(response).await.map(drop)
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        self.exchange(self.request(Method::GET, path, "application/json", Vec::new())?).await
    }

    async fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, ClientError> {
        self.exchange(self.request(Method::POST, path, "application/json", json(body)?)?).await
    }

    fn request(
        &self,
        method: Method,
        path: &str,
        accept: &str,
        body: Vec<u8>,
    ) -> Result<Request<Full<Bytes>>, ClientError> {
        Request::builder()
            .method(method)
            .uri(path)
            .header("host", "localhost")
            .header("accept", accept)
            .header("content-type", "application/json")
            .body(Full::new(Bytes::from(body)))
            .map_err(|error| ClientError::Unreadable(error.to_string()))
    }

    async fn exchange<T: DeserializeOwned>(&self, request: Request<Full<Bytes>>) -> Result<T, ClientError> {
        let (response, _connection) = self.send(request).await?;
        let body = collect(succeeded(response).await?).await?;
        serde_json::from_slice(&body).map_err(|error| ClientError::Unreadable(error.to_string()))
    }

    async fn send(
        &self,
        request: Request<Full<Bytes>>,
    ) -> Result<(Response<Incoming>, Connection), ClientError> {
        let no_agent = |source| ClientError::NoAgent { socket: self.socket.clone(), source };
        let stream = socket::connect(&self.socket).await.map_err(no_agent)?;
        let broken = |error: hyper::Error| ClientError::Broken(error.to_string());
        let answer = async {
            let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
            let connection = Connection(tokio::spawn(async move { drop(connection.await) }));
            let response = sender.send_request(request).await.map_err(broken)?;
            Ok((response, connection))
        };
        let late = |_| ClientError::TimedOut(ANSWER_WITHIN);
        tokio::time::timeout(ANSWER_WITHIN, answer).await.map_err(late)?
    }
}

/// Drives one connection; dropping it closes the connection, which gives a seat back.
#[derive(Debug)]
pub(crate) struct Connection(tokio::task::JoinHandle<()>);

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// An id has only such characters; anything else would be another path.
fn plain(id: &str) -> String {
    id.chars().filter(char::is_ascii_alphanumeric).collect()
}

/// Text in a path or a query, whatever is in it.
fn escaped(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(byte).collect()
}

fn events_path(after: Option<u64>) -> String {
    match after {
        Some(after) => format!("/v1/events?after={after}"),
        None => "/v1/events".to_owned(),
    }
}

fn json(body: &impl Serialize) -> Result<Vec<u8>, ClientError> {
    serde_json::to_vec(body).map_err(|error| ClientError::Unreadable(error.to_string()))
}

/// The body of a 2xx answer; any other answer as a problem.
async fn succeeded(response: Response<Incoming>) -> Result<Incoming, ClientError> {
    let status = response.status();
    if status.is_success() {
        return Ok(response.into_body());
    }
    let body = collect(response.into_body()).await?;
    let problem = serde_json::from_slice(&body).unwrap_or_else(|_| api::Problem {
        kind: "about:blank".to_owned(),
        title: status.canonical_reason().unwrap_or("error").to_owned(),
        status: status.as_u16(),
        detail: format!("the agent answered {status}"),
        holders: Vec::new(),
        expected: None,
        retry_after_s: None,
    });
    Err(ClientError::Problem(Box::new(problem)))
}

async fn collect(body: Incoming) -> Result<Bytes, ClientError> {
    let whole = Limited::new(body, ANSWER_BYTES_MAX).collect();
    match tokio::time::timeout(ANSWER_WITHIN, whole).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) => Err(ClientError::Broken(error.to_string())),
        Err(_) => Err(ClientError::TimedOut(ANSWER_WITHIN)),
    }
}

#[cfg(test)]
mod tests;
