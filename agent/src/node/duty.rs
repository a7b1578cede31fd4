//! The holder's duties, for one term: leases, proposals, tickets, pongs, roster, standing.
//!
//! A [`Duty`] begins when this device's engine leads and has proven it by a read; it is the same object for the
//! whole term, so that an Expire proposed in the term is never forgotten (invariant I6).

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ed25519_dalek::SigningKey;
use seatkeeper_election::ProposeError;
use seatkeeper_ledger::ActorKey;
use seatkeeper_ledger::command::{Actor, AdminRole, Borrowed, Command, Entry, Grant, Outcome, Refusal};
use seatkeeper_ledger::{decode_command, decode_outcome, encode, encode_outcome};
use seatkeeper_protocol::fault::{Fault, planted};
use seatkeeper_protocol::id::{DeviceId, Feature, Name, ProductId, RequestId, SeatId, SessionId, Version};
use seatkeeper_protocol::limits::NONCE_BYTES_MAX;
use seatkeeper_protocol::ticket::{FORMAT, SeatKind, Ticket, TicketBody};
use seatkeeper_protocol::time::{BootTime, WallTime};
use seatkeeper_protocol::wire::{
    AdminRequest, BorrowPlace, PeerRefusal, Ping, Pong, Query, Request, Response,
};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::Inner;
use super::answers::{self, Unanswered};
use super::log::Log;
use super::reads::{READ_WITHIN, READS_MAX, read_gate};
use crate::middle::asks::Asks;
use crate::middle::leases::Leases;
use crate::middle::site_time::ClockReports;

/// A proposal that is not decided by then is answered as unknown; the asker sends it again.
const PROPOSE_WITHIN: Duration = Duration::from_secs(3);
/// How long an answer waits for the standby of a two-device site (invariant I2).
const STANDBY_WITHIN: Duration = Duration::from_secs(1);
/// How long a device that is being shut out may take to leave the membership.
const LEAVE_MEMBERSHIP_WITHIN: Duration = Duration::from_secs(8);
/// How long an events query waits for something to happen.
const EVENTS_WITHIN: Duration = Duration::from_secs(20);
/// What a pool key is sealed for.
pub const POOL_KEY_CONTEXT: &[u8] = b"seatkeeper pool key";

/// The holder of one term.
pub(crate) struct Duty {
    pub(crate) term: u64,
    pub(crate) log: Arc<Log>,
    /// Shared by all duties of one term (invariant I6).
    pub(crate) leases: Arc<Mutex<Leases>>,
    /// Who asks for which idle seat.
    pub(super) asks: Mutex<Asks>,
    /// Whether the last ping showed this clock to be off.
    clock_off: AtomicBool,
    pool_key: Mutex<Option<(u32, SigningKey)>>,
    /// Expiries being proposed now.
    expiries: Mutex<BTreeSet<SessionId>>,
    reads: mpsc::Sender<oneshot::Sender<u64>>,
    /// Something changed that the books' keeper should look at.
    pub(crate) wake: Notify,
    pub(crate) stop: CancellationToken,
}

impl Duty {
    /// `leases` is the table of an earlier duty of the same term, if there was one.
    pub(crate) fn new(
        inner: &Arc<Inner>,
        log: Arc<Log>,
        term: u64,
        leases: Option<Arc<Mutex<Leases>>>,
    ) -> Arc<Self> {
        let (reads, waiting) = mpsc::channel(READS_MAX);
        let stop = inner.stop.child_token();
        let duty = Arc::new(Self {
            term,
            log,
            leases: leases.unwrap_or_else(|| Arc::new(Mutex::new(Leases::default()))),
            asks: Mutex::default(),
            clock_off: AtomicBool::new(false),
            pool_key: Mutex::default(),
            expiries: Mutex::default(),
            reads,
            wake: Notify::new(),
            stop: stop.clone(),
        });
        tokio::spawn(read_gate(duty.log.clone(), waiting, stop));
        duty
    }

    pub(crate) fn leases(&self) -> MutexGuard<'_, Leases> {
        self.leases.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn clocks(&self) -> ClockReports {
        ClockReports(self.log.engine.clocks())
    }

    /// Whether nobody proposes this session's expiry already; then the caller does.
    pub(crate) fn claim_expiry(&self, session: SessionId) -> bool {
        self.expiries.lock().unwrap_or_else(PoisonError::into_inner).insert(session)
    }

    /// The proposal has been answered, one way or the other.
    pub(crate) fn expiry_done(&self, session: SessionId) {
        self.expiries.lock().unwrap_or_else(PoisonError::into_inner).remove(&session);
    }

    /// The site's time: the median of this clock and of what the other voters reported.
    pub(crate) fn time(&self, inner: &Inner) -> WallTime {
        if planted(Fault::OneClock) {
            return inner.clock.wall();
        }
        let own = (inner.device, inner.clock.wall());
        self.clocks().median(inner.clock.mono(), own, self.voters().into_iter())
    }

    /// Whether this clock is too far off the others' for a holder (design section 5, "Time").
    pub(crate) fn is_clock_off(&self, inner: &Inner) -> bool {
        let own = (inner.device, inner.clock.wall());
        !planted(Fault::OneClock) && self.clocks().is_off(inner.clock.mono(), own, self.voters().into_iter())
    }

    fn voters(&self) -> Vec<DeviceId> {
        let status = self.log.engine.status();
        let status = status.borrow();
        status.members.iter().filter(|member| member.voter).map(|member| member.peer.device).collect()
    }

    /// Answers a ping received at `received`, after a read begun since (invariant I6).
    pub(crate) async fn pong(
        &self,
        inner: &Inner,
        device: DeviceId,
        ping: Ping,
        received: BootTime,
    ) -> Option<Pong> {
        let (done, confirmed) = oneshot::channel();
        let term = if planted(Fault::PongWithoutRead) {
            self.term
        } else {
            self.reads.try_send(done).ok()?;
            confirmed.await.ok()?
        };
        if term != self.term || self.stop.is_cancelled() {
            return None;
        }
        let off = self.is_clock_off(inner);
        if self.clock_off.swap(off, Ordering::Relaxed) != off {
            self.wake.notify_one();
        }
        let ledger = self.log.books.read();
        let mut leases = self.leases();
        let mut live = Vec::with_capacity(ping.sessions.len());
        let mut released = Vec::new();
        for (session, attach) in ping.sessions {
            let waits = ledger.waiting_session(&session).filter(|waiting| waiting.device == device);
            if let Some(waiting) = waits.filter(|waiting| waiting.attach == attach) {
                if leases.heard(&session, attach, waiting.ttl_ms, received) {
                    live.push(session);
                }
                continue;
            }
            let own = ledger.session(&session).filter(|record| record.device == device);
            let Some(record) = own else { continue };
            let seat = ledger.seat(record.seat);
            if !ledger.live(&session, attach) {
                let by = seat.and_then(|seat| seat.released_by.clone());
                released.extend(by.filter(|_| record.attach == attach).map(|by| (session, by)));
                continue;
            }
            let ttl_ms = seat.map_or(0, |seat| seat.ttl_ms);
            if leases.heard(&session, attach, ttl_ms, received) {
                live.push(session);
            }
        }
        let asked = self.hear_idle(&ledger, &mut leases, &device, &ping.idle, &live, received);
        drop(leases);
        let borrows = ledger
            .borrowed_by(&device)
            .map(|(seat, record, borrow)| BorrowPlace {
                seat,
                serial: borrow.serial,
                recalled: record.released_by.is_some(),
            })
            .collect();
        let lost = ledger.device(&device).is_some_and(|record| record.lost.is_some());
        let survey = ledger.survey();
        drop(ledger);
        let time = self.time(inner);
        Some(Pong {
            number: ping.number,
            term,
            live,
            released,
            queue: Vec::new(),
            time,
            borrows,
            lost,
            asked,
            survey,
        })
    }

    /// Answers a request of `device`.
    pub(crate) async fn answer(
        self: &Arc<Self>,
        inner: &Arc<Inner>,
        device: DeviceId,
        request: &Request,
    ) -> Response {
        match request {
            Request::Device { nonce: Some(nonce), .. } if nonce.len() > NONCE_BYTES_MAX => {
                refused(Refusal::Invalid(format!("a nonce has at most {NONCE_BYTES_MAX} bytes")))
            }
            Request::Device { request, command, nonce } => match decode_command(command) {
                Ok(command) => self.device_command(inner, device, *request, command, nonce.as_deref()).await,
                Err(error) => refused(Refusal::Invalid(error.to_string())),
            },
            Request::Admin(admin) => self.admin_command(inner, admin).await,
            Request::Query(query) => self.query(inner, query).await,
            Request::Ask { seat, user, note } => self.ask(inner, device, *seat, user, note.clone()).await,
            Request::StartLog | Request::StopLog | Request::Audit(_) => inner.not_holder(),
        }
    }

    async fn device_command(
        &self,
        inner: &Arc<Inner>,
        device: DeviceId,
        request: RequestId,
        command: Command,
        nonce: Option<&[u8]>,
    ) -> Response {
        let _ban = match command {
            Command::Leave => match self.out_of_membership(inner, device).await {
                Ok(ban) => ban,
                Err(response) => return response,
            },
            _ => None,
        };
        self.propose(inner, Actor::Device(device), request, command, nonce).await
    }

    async fn admin_command(&self, inner: &Arc<Inner>, admin: &AdminRequest) -> Response {
        let command = match decode_command(&admin.command) {
            Ok(command) => command,
            Err(error) => return refused(Refusal::Invalid(error.to_string())),
        };
        let actor = Actor::Admin { name: admin.admin.clone(), signature: admin.signature.clone() };
        let Command::RevokeDevice { device } = command else {
            return self.propose(inner, actor, admin.request, command, None).await;
        };
        // Out of the membership first, so that the log never depends on it again. Only an admin may cause that.
        if !self.signed_by_admin(admin, &command) {
            return self.propose(inner, actor, admin.request, command, None).await;
        }
        let _ban = match self.out_of_membership(inner, device).await {
            Ok(ban) => ban,
            Err(response) => return response,
        };
        self.propose(inner, actor, admin.request, command, None).await
    }

    fn signed_by_admin(&self, admin: &AdminRequest, command: &Command) -> bool {
        let ledger = self.log.books.read();
        let (Some(site), Some(known)) = (ledger.site(), ledger.admin(&admin.admin)) else { return false };
        // A reader's or an old request is for the ledger to refuse: it must not move anything first.
        let fresh = ledger.is_new(&ActorKey::Admin(admin.admin.clone()), admin.request);
        if known.role != AdminRole::Admin || !fresh {
            return false;
        }
        let message = seatkeeper_ledger::command::admin_message(
            &site.id,
            &site.generation,
            &admin.admin,
            &admin.request,
            command,
        );
        message.is_ok_and(|message| known.key.verifies(&message, &admin.signature))
    }

    /// Takes a device out of the membership; hands over first when it is this one.
    /// The ban that is answered keeps it out until the command is decided.
    async fn out_of_membership(&self, inner: &Arc<Inner>, device: DeviceId) -> Result<Option<Ban>, Response> {
        let mut status = self.log.engine.status();
        if status.borrow_and_update().member_on(device).is_none() {
            return Ok(Some(Ban::new(inner, device)));
        }
        if self.log.books.read().devices().len() <= 1 {
            return Ok(None); // The ledger refuses to lose its last device, and says so.
        }
        // The only log holder waits here too: nobody can be left with the books.
        let ban = Ban::new(inner, device);
        self.wake.notify_one();
        let gone = async {
            loop {
                let now = status.borrow_and_update().clone();
                if !now.is_leader {
                    return Err(inner.not_holder());
                }
                if now.member_on(device).is_none() {
                    return Ok(());
                }
                if status.changed().await.is_err() {
                    return Err(inner.not_holder());
                }
            }
        };
        match tokio::time::timeout(LEAVE_MEMBERSHIP_WITHIN, gone).await {
            Ok(result) => result.map(|()| Some(ban)),
            Err(_) => Err(refused(Refusal::Conflict(
                "the machine keeps the books and no other can take its place yet; wait until others are connected and \
                 try again"
                    .to_owned(),
            ))),
        }
    }

    /// A command of the holder itself, decided in this term.
    pub(crate) async fn propose_own(&self, inner: &Inner, command: Command) -> Option<Outcome> {
        let request = RequestId { epoch: 0, counter: 0 };
        let actor = Actor::Holder(inner.device);
        match self.propose(inner, actor, request, command, None).await {
            Response::Outcome { outcome, .. } => decode_outcome(&outcome).ok(),
            _ => None,
        }
    }

    /// Commits a command and answers with its outcome, signed if it is a grant (invariant I3). `nonce` is no part of
    /// what is committed: it comes into the ticket.
    async fn propose(
        &self,
        inner: &Inner,
        actor: Actor,
        request: RequestId,
        command: Command,
        nonce: Option<&[u8]>,
    ) -> Response {
        let device = match &actor {
            Actor::Device(device) => Some(*device),
            _ => None,
        };
        let entry = Entry { time: self.time(inner), term: self.term, actor, request, command };
        let bytes = match encode(&entry) {
            Ok(bytes) => bytes,
            Err(error) => return refused(Refusal::Invalid(error.to_string())),
        };
        if planted(Fault::TicketBeforeCommit)
            && let Some(device) = device
            && let Some(answer) = self.answer_early(inner, device, &bytes, nonce)
        {
            return answer;
        }
        let applied = match self.log.engine.propose(bytes, PROPOSE_WITHIN).await {
            Ok(applied) => applied,
            Err(ProposeError::NotHolder { leader }) => {
                let holder = leader.map(|leader| leader.device).filter(|device| *device != inner.device);
                let term = self.log.engine.status().borrow().term;
                return Response::NotHolder { term, holder };
            }
            Err(ProposeError::TooLarge { .. }) => {
                return refused(Refusal::Invalid("the request is too large".to_owned()));
            }
            Err(ProposeError::Busy) => return Response::Refused(PeerRefusal::Busy),
            Err(ProposeError::Unknown | ProposeError::Stopped(_)) => return Response::Unknown,
        };
        let Ok(outcome) = decode_outcome(&applied.outcome) else { return Response::Unknown };
        let ticket = match (&outcome, device) {
            (Outcome::Granted(grant), Some(device)) => {
                Some(self.ticket(inner, &Terms::of(grant, nonce), device))
            }
            (Outcome::Borrowed(borrowed), Some(device)) => {
                Some(self.ticket(inner, &Terms::of_borrow(borrowed), device))
            }
            _ => None,
        };
        let ticket = match ticket {
            Some(Some(ticket)) => Some(Box::new(ticket)),
            // Granted, but not provable here: another holder answers the same request.
            Some(None) => return Response::Unknown,
            None => None,
        };
        let durability_single = !self.durable(applied.index).await;
        let license = self.license_file(&outcome);
        let idle = self.idle_of(inner, &outcome);
        Response::Outcome { outcome: applied.outcome, ticket, license, durability_single, idle }
    }

    /// [`Fault::TicketBeforeCommit`]: signs what the entry would come to.
    fn answer_early(
        &self,
        inner: &Inner,
        device: DeviceId,
        bytes: &[u8],
        nonce: Option<&[u8]>,
    ) -> Option<Response> {
        let mut ahead = self.log.books.read().clone();
        let outcome = ahead.apply(ahead.index() + 1, self.term, bytes);
        let Outcome::Granted(grant) = &outcome else { return None };
        let ticket = self.ticket(inner, &Terms::of(grant, nonce), device).map(Box::new);
        let license = self.license_file(&outcome);
        let (engine, entry) = (self.log.engine.clone(), bytes.to_vec());
        tokio::spawn(async move { engine.propose(entry, PROPOSE_WITHIN).await });
        let outcome = encode_outcome(&outcome).ok()?;
        Some(Response::Outcome { outcome, ticket, license, durability_single: false, idle: Vec::new() })
    }

    /// The file of the license that a grant names. A borrow's is in its outcome, for its device to keep.
    fn license_file(&self, outcome: &Outcome) -> Option<String> {
        let Outcome::Granted(grant) = outcome else { return None };
        let ledger = self.log.books.read();
        let file = &ledger.license(&grant.license)?.file;
        // An admin may have put another license into its place meanwhile.
        (file.hash() == grant.license_hash).then(|| file.file())
    }

    /// Whether a second disk has the entry (invariant I2).
    async fn durable(&self, index: u64) -> bool {
        let (voters, members) = {
            let status = self.log.engine.status();
            let status = status.borrow();
            (status.voters(), status.members.len())
        };
        if voters > 1 {
            return true;
        }
        members > 1 && self.log.engine.acked_by_standby(index, STANDBY_WITHIN).await
    }

    fn ticket(&self, inner: &Inner, terms: &Terms<'_>, device: DeviceId) -> Option<Ticket> {
        let (certificate, generation) = {
            let ledger = self.log.books.read();
            (ledger.pool_key()?.certificate.clone(), ledger.site()?.generation)
        };
        let key = self.pool_key(inner)?;
        let body = TicketBody {
            format: FORMAT,
            license: terms.license.clone(),
            license_hash: terms.license_hash,
            site: certificate.site,
            generation,
            seat: terms.seat,
            kind: if terms.ends.is_some() { SeatKind::Borrowed } else { SeatKind::Online },
            product: terms.product.clone(),
            version: terms.version.clone(),
            features: terms.features.to_vec(),
            user: terms.user.clone(),
            device,
            serial: terms.serial,
            nonce: terms.nonce.map(<[u8]>::to_vec),
            issued: terms.issued,
            ends: terms.ends,
        };
        Ticket::sign(&body, certificate, &key)
            .inspect_err(|error| tracing::error!(%error, "ticket not signed"))
            .ok()
    }

    /// The current pool key, if it was sealed to this device.
    pub(crate) fn pool_key(&self, inner: &Inner) -> Option<SigningKey> {
        let mut cached = self.pool_key.lock().unwrap_or_else(PoisonError::into_inner);
        let number = self.log.books.read().pool_key()?.certificate.number;
        if let Some((_, signing)) = cached.as_ref().filter(|(cached, _)| *cached == number) {
            return Some(signing.clone());
        }
        let (certificate, signing) = self.log.books.pool_key(&inner.device, &inner.key)?;
        *cached = Some((certificate.number, signing.clone()));
        Some(signing)
    }

    /// A look at the books, after a read.
    async fn query(self: &Arc<Self>, inner: &Arc<Inner>, query: &Query) -> Response {
        match self.log.engine.read_index(READ_WITHIN).await {
            Ok(read) if read.term == self.term => {}
            _ => return inner.not_holder(),
        }
        if let Query::Events { after: Some(after) } = query {
            let mut applied = self.log.books.applied();
            let news = async {
                while self.log.books.read().next_seq() <= after.saturating_add(1) {
                    if applied.changed().await.is_err() {
                        return;
                    }
                }
            };
            tokio::select! {
                () = news => {}
                () = tokio::time::sleep(EVENTS_WITHIN) => {}
                () = self.stop.cancelled() => return inner.not_holder(),
            }
        }
        match answers::json(inner, self, query) {
            Ok(json) => Response::Json(json),
            Err(Unanswered::Refused(refusal)) => refused(refusal),
            Err(Unanswered::Json(error)) => {
                tracing::error!(%error, "an answer could not be written as JSON");
                Response::Unknown
            }
        }
    }
}

/// What a ticket says of what was granted.
struct Terms<'a> {
    seat: SeatId,
    serial: u64,
    license: &'a Name,
    license_hash: [u8; 32],
    product: &'a ProductId,
    version: &'a Version,
    features: &'a [Feature],
    user: &'a Name,
    nonce: Option<&'a [u8]>,
    issued: WallTime,
    ends: Option<WallTime>,
}

impl<'a> Terms<'a> {
    fn of(grant: &'a Grant, nonce: Option<&'a [u8]>) -> Self {
        Self {
            seat: grant.seat,
            serial: grant.serial,
            license: &grant.license,
            license_hash: grant.license_hash,
            product: &grant.product,
            version: &grant.version,
            features: &grant.features,
            user: &grant.user,
            nonce,
            issued: grant.issued,
            ends: None,
        }
    }

    /// Without a nonce: it is kept for programs that are not there yet.
    fn of_borrow(borrowed: &'a Borrowed) -> Self {
        Self {
            seat: borrowed.seat,
            serial: borrowed.serial,
            license: &borrowed.license,
            license_hash: borrowed.license_hash,
            product: &borrowed.product,
            version: &borrowed.version,
            features: &borrowed.features,
            user: &borrowed.user,
            nonce: None,
            issued: borrowed.issued,
            ends: Some(borrowed.ends),
        }
    }
}

/// A device must stay out of the membership as long as this lives.
struct Ban {
    inner: Arc<Inner>,
    device: DeviceId,
}

impl Ban {
    fn new(inner: &Arc<Inner>, device: DeviceId) -> Self {
        inner.ban(device, true);
        Self { inner: inner.clone(), device }
    }
}

impl Drop for Ban {
    fn drop(&mut self) {
        self.inner.ban(self.device, false);
    }
}

pub(super) fn refused(refusal: Refusal) -> Response {
    let outcome = encode_outcome(&Outcome::Refused(refusal)).unwrap_or_default();
    Response::Outcome { outcome, ticket: None, license: None, durability_single: false, idle: Vec::new() }
}
