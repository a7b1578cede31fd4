//! Seats that programs on this device use: taking, holding, resuming, losing and giving them back.
//!
//! A seat is held by a connection to the local API, by a process tree, or by both; it is given back when neither is
//! left. What process trees hold is remembered on disk, so that a restarted agent resumes it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use seatkeeper_ledger::command::{Checkout, Command, Grant, Outcome, Refusal, Waiting};
use seatkeeper_protocol::api::{FORMAT, SeatEvent, SeatGranted};
use seatkeeper_protocol::fault::{Fault, planted};
use seatkeeper_protocol::id::{Feature, Name, ProductId, SeatId, SessionId, Version};
use seatkeeper_protocol::limits::{PING_EVERY_MS, SEATS_PER_DEVICE_MAX};
use seatkeeper_protocol::time::BootTime;
use serde::{Deserialize, Serialize};
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use super::Inner;
use super::command::Answer;
use super::errors::{NodeError, SeatError};
use super::submit::WITHIN;
use crate::middle::idle::Idleness;
use crate::middle::sessions::Sessions;
use crate::seam::{BoxTree, TreeIdentity};

/// Events waiting for one program.
const EVENTS_MAX: usize = 16;
/// How long a return is tried; then the seat comes back by its ttl.
const RETURN_WITHIN: Duration = Duration::from_secs(120);
/// Without a pong for this long, programs hear that the site is out of reach.
const UNREACHABLE_AFTER_MS: u64 = 2 * PING_EVERY_MS + 2_000;
/// The runtime's timers stop while the machine sleeps: deadlines are looked at this often while seats are held.
const LOOK_EVERY: Duration = Duration::from_secs(1);

mod borrowed;
mod contact;
mod idle;
mod overslept;
mod proof;
mod remembered;
mod waiting;

pub use proof::SeatKey;
pub(crate) use remembered::RECORD;
use remembered::Remembered;
use waiting::Line;
pub use waiting::{SeatWait, WaitEvent, Waited};
pub(crate) use waiting::{idle_of, seat_holders};

/// What a program asks for.
#[derive(Debug)]
pub struct SeatAsk {
    /// Who, from the operating system.
    pub user: Name,
    /// The product.
    pub product: ProductId,
    /// The version; `None`: whatever is owned.
    pub version: Option<Version>,
    /// Features.
    pub features: Vec<Feature>,
    /// The process, for people.
    pub pid: Option<u32>,
    /// What the ticket of an online seat and the device proof are to cover.
    pub nonce: Option<Vec<u8>>,
    /// Resumes this session.
    pub session: Option<SessionId>,
    /// The process tree that holds the seat beside the connection.
    pub tree: Option<BoxTree>,
}

/// A seat held by a connection. Dropping it gives the seat back, unless a process tree still holds it.
#[derive(Debug)]
pub struct SeatHold {
    /// The seat.
    pub granted: SeatGranted,
    /// What happens to it. Ends after [`SeatEvent::Lost`], or when another connection resumes the session.
    pub events: mpsc::Receiver<SeatEvent>,
    _connection: Connection,
}

struct Connection {
    inner: Arc<Inner>,
    session: SessionId,
    number: u64,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.session)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.inner.connection_closed(self.session, self.number);
    }
}

#[derive(Debug)]
struct Hold {
    granted: SeatGranted,
    basis: Basis,
    connection: Option<(u64, mpsc::Sender<SeatEvent>)>,
    tree: Option<TreeIdentity>,
    /// The borrowed seat that it uses without the site.
    borrowed: Option<SeatId>,
    /// What the program wants in its tickets.
    nonce: Option<Vec<u8>>,
    /// The file of the license that the ticket names, if it is known.
    license_text: Option<String>,
}

/// What it takes to resume a session after a restart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Basis {
    session: SessionId,
    user: Name,
    product: ProductId,
    version: Option<Version>,
    features: Vec<Feature>,
    pid: Option<u32>,
}

impl Basis {
    fn of(session: SessionId, ask: &SeatAsk) -> Self {
        Self {
            session,
            user: ask.user.clone(),
            product: ask.product.clone(),
            version: ask.version.clone(),
            features: ask.features.clone(),
            pid: ask.pid,
        }
    }

    fn wants(&self) -> Checkout {
        let Self { session, user, product, version, features, pid } = self.clone();
        Checkout { session, user, product, version, features, pid }
    }

    fn checkout(&self) -> Command {
        Command::Checkout(self.wants())
    }
}

/// Whether a session is here already.
enum Begun {
    /// It is held.
    Here(SessionId, SeatGranted),
    /// The site is to be asked, and what a proof is to cover.
    Asks(Taking, Basis, Option<Vec<u8>>),
}

/// What the site answered.
enum Asked {
    Granted(Box<SeatGranted>),
    /// And for how many minutes the seats that are named have been idle.
    Waiting(Box<Waiting>, Vec<(SeatId, u16)>),
}

/// The seats of this device.
#[derive(Debug, Default)]
pub(crate) struct Seats {
    state: Mutex<State>,
    /// What the disk has of what process trees hold; locked while that is written.
    written: Mutex<Vec<Remembered>>,
    changed: Notify,
    /// The number of the last pong.
    heard: watch::Sender<u64>,
    taking: watch::Sender<BTreeSet<SessionId>>,
}

/// Nobody else takes this session as long as this lives.
struct Taking {
    inner: Arc<Inner>,
    session: SessionId,
}

impl Drop for Taking {
    fn drop(&mut self) {
        self.inner.seats.taking.send_if_modified(|sessions| sessions.remove(&self.session));
    }
}

/// A granted seat on its way to its program. If nobody takes it over, it goes back.
struct OnItsWay {
    taking: Taking,
    granted: SeatGranted,
}

impl Drop for OnItsWay {
    fn drop(&mut self) {
        self.taking.inner.release_unless_held(self.taking.session);
    }
}

#[derive(Debug, Default)]
struct State {
    sessions: Sessions,
    holds: BTreeMap<SessionId, Hold>,
    /// Who waits, and how it is called.
    waits: BTreeMap<SessionId, watch::Sender<Line>>,
    connections: u64,
    answered: Option<BootTime>,
    unreachable: bool,
    /// What the last run held and this one has not resumed yet.
    remembered: BTreeMap<SessionId, Remembered>,
    /// Sessions that are being returned without knowing whether they were granted.
    returning: BTreeSet<SessionId>,
    idle: Idleness,
    /// Seats that programs were told to be asked for, and when.
    asked: BTreeMap<SeatId, BootTime>,
    /// The device is leaving its site: nothing new is taken.
    closed: bool,
}

impl State {
    fn tell_all(&self, event: impl Fn(&SessionId) -> Option<SeatEvent>) {
        for (session, hold) in &self.holds {
            if let (Some((_, events)), Some(event)) = (&hold.connection, event(session)) {
                // A program that does not read is not waited for.
                let _ = events.try_send(event);
            }
        }
    }
}

impl Seats {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the session waits or has a seat here.
    fn knows(&self, session: &SessionId) -> bool {
        let state = self.state();
        state.waits.contains_key(session) || state.holds.contains_key(session)
    }

    /// The device means to leave its site: nothing new is taken. Refused while programs use seats.
    pub(crate) fn close(&self) -> Result<(), NodeError> {
        let mut state = self.state();
        let held = state.holds.values().map(|hold| hold.basis.product.as_str());
        // After a restart of the agent these run on, on seats that are not resumed yet.
        let mut products: Vec<&str> =
            held.chain(state.remembered.values().map(Remembered::product)).collect();
        products.sort_unstable();
        products.dedup();
        if products.is_empty() {
            state.closed = true;
            return Ok(());
        }
        Err(NodeError::Conflict(format!(
            "programs on this machine use seats of {}; end them first, then leave",
            products.join(", ")
        )))
    }

    /// The device stays in its site after all.
    pub(crate) fn reopen(&self) {
        self.state().closed = false;
    }

    /// The device left its site: nothing is held any more.
    pub(crate) fn forget(&self) {
        let mut state = self.state();
        state.tell_all(|_| Some(SeatEvent::Lost { reason: "this machine left the site".to_owned() }));
        *state = State { connections: state.connections, ..State::default() };
    }
}

impl Inner {
    /// Waits until nobody else takes this session.
    async fn taking(self: &Arc<Self>, session: SessionId) -> Taking {
        let mut taking = self.seats.taking.subscribe();
        loop {
            if self.seats.taking.send_if_modified(|sessions| sessions.insert(session)) {
                return Taking { inner: self.clone(), session };
            }
            // The sender lives as long as `self`.
            let _ = taking.changed().await;
        }
    }

    /// Begins to take or resume a seat.
    async fn begin(self: &Arc<Self>, mut ask: SeatAsk) -> Result<(Begun, Option<BoxTree>), SeatError> {
        let tree = ask.tree.take();
        let session = match ask.session {
            Some(session) => session,
            None => SessionId(super::random()?),
        };
        // One at a time per session: a wrapper that reconnects and the agent that resumes would race.
        let taking = self.taking(session).await;
        if let Some(granted) = self.resume_here(&session, &ask)? {
            return Ok((Begun::Here(session, granted), tree));
        }
        let held = {
            let state = self.seats.state();
            if state.closed {
                return Err(NodeError::Conflict("this machine is leaving the site".to_owned()).into());
            }
            if state.returning.contains(&session) {
                return Err(SeatError::Refused(Refusal::SessionEnded));
            }
            let held = state.holds.contains_key(&session);
            if !held && state.holds.len() + state.waits.len() >= SEATS_PER_DEVICE_MAX {
                return Err(SeatError::Refused(Refusal::Limit {
                    what: "seats on one machine".to_owned(),
                    limit: u64::try_from(SEATS_PER_DEVICE_MAX).unwrap_or(u64::MAX),
                }));
            }
            held
        };
        let basis = Basis::of(session, &ask);
        // Who is here and wants another ticket keeps what it has until that comes.
        let borrowed = if held { None } else { self.take_borrowed(&basis, ask.nonce.as_deref()) };
        Ok((
            match borrowed {
                Some(granted) => Begun::Here(session, granted),
                None => Begun::Asks(taking, basis, ask.nonce),
            },
            tree,
        ))
    }

    /// Takes or resumes a seat.
    pub(crate) async fn take_seat(self: &Arc<Self>, ask: SeatAsk) -> Result<SeatHold, SeatError> {
        let (begun, tree) = self.begin(ask).await?;
        let (taking, basis, nonce) = match begun {
            Begun::Here(session, granted) => return self.attach(session, granted, tree),
            Begun::Asks(taking, basis, nonce) => (taking, basis, nonce),
        };
        let session = basis.session;
        // In a task of its own: a program that gives up while it waits must not leave a seat behind.
        let (answer_in, answer) = oneshot::channel();
        let inner = self.clone();
        self.tasks.spawn(async move {
            let result = match inner.ask(&basis, nonce.as_deref(), basis.checkout()).await {
                Ok(Asked::Granted(granted)) => Ok(OnItsWay { taking, granted: *granted }),
                Ok(Asked::Waiting(..)) => {
                    Err(NodeError::Internal("a place for who does not wait".to_owned()).into())
                }
                Err(error) => Err(error),
            };
            // If the program has gone away, the answer is dropped, here or on its way, and the seat goes back.
            let _ = answer_in.send(result);
        });
        let given =
            answer.await.map_err(|_| NodeError::Internal("the checkout was abandoned".to_owned()))??;
        self.attach(session, given.granted.clone(), tree)
    }

    /// A session that this agent still holds needs nobody's answer, unless its ticket is to carry another nonce.
    fn resume_here(&self, session: &SessionId, ask: &SeatAsk) -> Result<Option<SeatGranted>, SeatError> {
        let state = self.seats.state();
        let Some(hold) = state.holds.get(session) else { return Ok(None) };
        let held = state.sessions.held(session).map(|held| held.deadline);
        let Some(until) = held.or_else(|| self.borrowed_until(hold.borrowed)) else { return Ok(None) };
        if hold.basis.user != ask.user || hold.basis.product != ask.product {
            return Err(SeatError::Refused(Refusal::Conflict(
                "this session belongs to another user or product".to_owned(),
            )));
        }
        if hold.borrowed.is_none() && ask.nonce.is_some() && ask.nonce != hold.nonce {
            return Ok(None);
        }
        let mut granted = hold.granted.clone();
        granted.until_boot_ms = until.0;
        if let Some(nonce) = &ask.nonce {
            granted.proof = self.prove(&granted.ticket, nonce);
        }
        Ok(Some(granted))
    }

    /// Asks the holder by a checkout, or a wait; on a grant the session is held, by nobody yet.
    async fn ask(
        self: &Arc<Self>,
        basis: &Basis,
        nonce: Option<&[u8]>,
        command: Command,
    ) -> Result<Asked, SeatError> {
        let answer = match self.device_command_with(&command, nonce, WITHIN).await {
            Ok(answer) => answer,
            Err(error) => {
                let known = self.remembers(&basis.session) || self.seats.knows(&basis.session);
                if error == NodeError::Unknown && !known {
                    // It may have been granted: whatever it was, it is given back.
                    self.give_back_unseen(basis.session);
                }
                return Err(error.into());
            }
        };
        match &answer.outcome {
            Outcome::Granted(grant) => {
                let granted = self.granted(basis, nonce, grant, &answer)?;
                Ok(Asked::Granted(Box::new(granted)))
            }
            Outcome::Waiting(waiting) => Ok(Asked::Waiting(waiting.clone(), answer.idle)),
            Outcome::Refused(Refusal::NoSeat(denial)) => Err(SeatError::NoSeat(denial.clone(), answer.idle)),
            Outcome::Refused(refusal) => Err(SeatError::Refused(refusal.clone())),
            outcome => Err(NodeError::Internal(format!("unexpected outcome {outcome:?}")).into()),
        }
    }

    fn granted(
        self: &Arc<Self>,
        basis: &Basis,
        nonce: Option<&[u8]>,
        grant: &Grant,
        answer: &Answer,
    ) -> Result<SeatGranted, SeatError> {
        let Some(ticket) = &answer.ticket else {
            return Err(NodeError::Internal("a seat came without its ticket".to_owned()).into());
        };
        self.check_ticket(grant.seat, ticket)?;
        let ticket = ticket.to_text().map_err(|error| NodeError::Internal(error.to_string()))?;
        let sent = if planted(Fault::DeadlineFromReceiving) { self.clock.mono() } else { answer.sent };
        let mut state = self.seats.state();
        if state.closed {
            drop(state);
            self.give_back(basis.session, Some(grant.attach));
            return Err(NodeError::Conflict("this machine is leaving the site".to_owned()).into());
        }
        let deadline = state.sessions.granted(basis.session, grant.attach, grant.ttl_ms, sent);
        let granted = SeatGranted {
            format: FORMAT,
            seat: grant.seat.to_string(),
            session: basis.session.to_string(),
            license: grant.license.to_string(),
            product: grant.product.to_string(),
            version: grant.version.to_string(),
            shared: grant.shared,
            durability: if answer.durability_single { "single" } else { "majority" }.to_owned(),
            until_boot_ms: deadline.0,
            proof: nonce.and_then(|nonce| self.prove(&ticket, nonce)),
            ticket,
        };
        state.waits.remove(&basis.session);
        // What holds the session already goes on to.
        let (connection, tree) =
            state.holds.remove(&basis.session).map_or((None, None), |hold| (hold.connection, hold.tree));
        let hold = Hold {
            granted: granted.clone(),
            basis: basis.clone(),
            connection,
            tree,
            borrowed: None,
            nonce: nonce.map(<[u8]>::to_vec),
            license_text: answer.license.clone(),
        };
        hold.tell_granted();
        state.holds.insert(basis.session, hold);
        drop(state);
        self.seats.changed.notify_one();
        Ok(granted)
    }

    /// Gives the held session to a connection, and to a tree if there is one.
    fn attach(
        self: &Arc<Self>,
        session: SessionId,
        granted: SeatGranted,
        tree: Option<BoxTree>,
    ) -> Result<SeatHold, SeatError> {
        let (events_in, events) = mpsc::channel(EVENTS_MAX);
        let number = {
            let mut state = self.seats.state();
            state.connections += 1;
            let number = state.connections;
            let Some(hold) = state.holds.get_mut(&session) else {
                return Err(NodeError::Conflict(
                    "the seat was lost before the program could use it; start it again".to_owned(),
                )
                .into());
            };
            hold.connection = Some((number, events_in));
            if let Some(tree) = &tree {
                if hold.tree.is_some() {
                    // Watched already: the program's wrapper reconnected.
                    return Ok(SeatHold {
                        granted,
                        events,
                        _connection: Connection { inner: self.clone(), session, number },
                    });
                }
                hold.tree = Some(tree.identity());
            }
            number
        };
        if let Some(tree) = tree {
            self.watch_tree(session, tree);
            self.remember();
        }
        Ok(SeatHold { granted, events, _connection: Connection { inner: self.clone(), session, number } })
    }

    fn watch_tree(self: &Arc<Self>, session: SessionId, mut tree: BoxTree) {
        let inner = self.clone();
        let stop = self.stop.clone();
        self.tasks.spawn(async move {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tree.ended() => {}
            }
            let free = {
                let mut state = inner.seats.state();
                match state.holds.get_mut(&session) {
                    Some(hold) => {
                        hold.tree = None;
                        hold.connection.is_none()
                    }
                    None => false,
                }
            };
            if free {
                inner.release(session);
            }
            inner.remember();
        });
    }

    fn connection_closed(self: &Arc<Self>, session: SessionId, number: u64) {
        if self.stop.is_cancelled() {
            // The agent stops, the program runs on: it resumes when the agent is back, or the ttl ends the seat.
            return;
        }
        let free = {
            let mut state = self.seats.state();
            let Some(hold) = state.holds.get_mut(&session) else { return };
            if hold.connection.as_ref().is_none_or(|(current, _)| *current != number) {
                return;
            }
            hold.connection = None;
            hold.tree.is_none()
        };
        if free {
            self.release(session);
        }
    }

    fn release_unless_held(self: &Arc<Self>, session: SessionId) {
        let free = {
            let state = self.seats.state();
            state.holds.get(&session).is_some_and(|hold| hold.connection.is_none() && hold.tree.is_none())
        };
        if free {
            self.release(session);
        }
    }

    /// A wrapper says that its whole tree is done. Waits until the seat is back, so that the next program finds it
    /// free; the tree's end would be noticed only after the wrapper's own.
    pub(crate) async fn done(self: &Arc<Self>, session: SessionId) {
        let returned = self.release(session);
        self.remember();
        if let Some(returned) = returned {
            let _ = returned.await;
        }
    }

    /// The program is done: the seat goes back.
    fn release(self: &Arc<Self>, session: SessionId) -> Option<JoinHandle<()>> {
        let held = {
            let mut state = self.seats.state();
            state.holds.remove(&session);
            state.sessions.released(&session)
        };
        held.map(|held| self.give_back(session, Some(held.attach)))
    }

    /// Returns a session in the background.
    fn give_back(self: &Arc<Self>, session: SessionId, attach: Option<u32>) -> JoinHandle<()> {
        let inner = self.clone();
        self.tasks.spawn(async move {
            let command = Command::Return { session, attach };
            match inner.device_command(&command, RETURN_WITHIN).await {
                Ok(answer) => tracing::debug!(?session, outcome = ?answer.outcome, "session returned"),
                Err(error) => tracing::info!(?session, %error, "session not returned; it ends by its ttl"),
            }
        })
    }

    /// Returns a session of which nobody knows whether it was granted. Until that is answered it cannot be taken again:
    /// the return would end the new grant.
    fn give_back_unseen(self: &Arc<Self>, session: SessionId) {
        self.seats.state().returning.insert(session);
        let returned = self.give_back(session, None);
        let inner = self.clone();
        self.tasks.spawn(async move {
            let _ = returned.await;
            inner.seats.state().returning.remove(&session);
        });
    }
}
