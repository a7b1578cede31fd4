//! The programs of a device: they use seats by what their agent tells them, and by nothing else.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use seatkeeper::node::{Node, SeatAsk, SeatError, SeatHold, WaitEvent, Waited};
use seatkeeper::seam::{BoxTree, Later, Tree, TreeIdentity};
use seatkeeper_protocol::api::{SeatEvent, SeatGranted};
use seatkeeper_protocol::frame;
use seatkeeper_protocol::id::{Name, ProductId, SessionId};
use seatkeeper_protocol::ticket::{SeatKind, Ticket, TicketBody};
use tokio::sync::{Notify, watch};

use super::watch::{Seen, Watch};

/// How long a patient program waits.
const PATIENCE: Duration = Duration::from_secs(60 * 60);

/// How a program holds its seat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// As `seatkeeper run`: by a connection and its process tree; resumes when the agent is back.
    Run,
    /// As `curl`: by its connection alone, which ends with the agent.
    Connection,
}

/// Where a program stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// It has asked and waits.
    Asking,
    /// It has a place in the queue.
    Waiting {
        /// The place's session.
        session: SessionId,
        /// 1 for who is next.
        position: u32,
    },
    /// It may use the seat until this time of the device's boot clock, milliseconds.
    Using {
        /// The seat's session.
        session: SessionId,
        /// The seat.
        seat: String,
        /// The license that its ticket names.
        license: String,
        /// Deadline.
        until: u64,
        /// By the ticket of a borrowed seat, which needs no contact.
        borrowed: bool,
    },
    /// It does not run any more, or must not use the seat.
    Over(String),
}

/// A program on a device. Its state outlives the agent.
#[derive(Clone, Debug)]
pub struct Program(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    number: u64,
    device: usize,
    kind: Kind,
    user: Name,
    product: ProductId,
    /// It waits in the queue when no seat is free.
    patient: bool,
    state: Mutex<State>,
    /// Its agent tells it what happens to its seat.
    connected: AtomicBool,
    /// The site said that only one disk has its grant.
    single: AtomicBool,
    /// The process lives.
    running: watch::Sender<bool>,
    /// It drops its connection and asks again for the same session.
    reconnect: Notify,
}

impl Program {
    /// A program that has not asked yet.
    pub fn new(
        number: u64,
        device: usize,
        kind: Kind,
        user: Name,
        product: ProductId,
        patient: bool,
    ) -> Self {
        Self(Arc::new(Inner {
            number,
            device,
            kind,
            user,
            product,
            patient,
            state: Mutex::new(State::Asking),
            connected: AtomicBool::new(false),
            single: AtomicBool::new(false),
            running: watch::Sender::new(true),
            reconnect: Notify::new(),
        }))
    }

    /// Its number, which is also its process id.
    pub fn number(&self) -> u64 {
        self.0.number
    }

    /// How it holds its seat.
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// Who runs it.
    pub fn user(&self) -> &Name {
        &self.0.user
    }

    /// Where it stands.
    pub fn state(&self) -> State {
        self.lock().clone()
    }

    /// Whether its process lives.
    pub fn is_running(&self) -> bool {
        *self.0.running.borrow()
    }

    /// Whether its agent tells it what happens to its seat. Without, it keeps to the deadline that it knows.
    pub fn is_connected(&self) -> bool {
        self.0.connected.load(Ordering::Relaxed)
    }

    /// Whether the site said that only one disk has its grant.
    pub fn is_single(&self) -> bool {
        self.0.single.load(Ordering::Relaxed)
    }

    /// Drops its connection and asks again for the same session, as a program does that was interrupted.
    pub fn reconnect(&self) {
        self.0.reconnect.notify_waiters();
    }

    /// Ends the process, whatever it was doing.
    pub fn end(&self) {
        self.over("ended");
        self.0.running.send_replace(false);
    }

    /// The connection to the agent broke: who has nothing else ends, who has not got an answer gives up.
    pub fn agent_died(&self) {
        self.0.connected.store(false, Ordering::Relaxed);
        let asking = matches!(*self.lock(), State::Asking);
        if asking || self.0.kind == Kind::Connection {
            self.end();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn over(&self, why: &str) {
        let mut state = self.lock();
        if !matches!(*state, State::Over(_)) {
            *state = State::Over(why.to_owned());
        }
    }

    fn extend(&self, until: u64) {
        if let State::Using { until: known, .. } = &mut *self.lock() {
            *known = (*known).max(until);
        }
    }

    /// Asks the agent for a seat, or for the one it has had; then lives with it until it ends.
    pub async fn live(self, node: Node, watch: Watch) {
        let mut session = match self.state() {
            State::Using { session, .. } | State::Waiting { session, .. } => Some(session),
            State::Asking => None,
            State::Over(_) => return,
        };
        let (device, program) = (self.0.device, self.0.number);
        let mut running = self.0.running.subscribe();
        loop {
            let ask = SeatAsk {
                user: self.0.user.clone(),
                product: self.0.product.clone(),
                version: None,
                features: Vec::new(),
                pid: u32::try_from(program).ok(),
                nonce: None,
                session,
                tree: (self.0.kind == Kind::Run).then(|| self.tree()),
            };
            let asked = tokio::select! {
                biased;
                asked = self.ask(&node, ask) => asked,
                _ = running.wait_for(|running| !running) => return,
            };
            let mut hold = match asked {
                Ok(Some(hold)) => hold,
                // The agent is stopping: what is left of a connection is nothing.
                Ok(None) if self.0.kind == Kind::Connection => return self.end(),
                Ok(None) => return,
                // A wrapper tries to get back what its child still uses.
                Err(SeatError::Node(_)) if session.is_some() && self.is_running() => {
                    tokio::time::sleep(Duration::from_millis(500)).await;
                    continue;
                }
                Err(error) => {
                    let reason = error.to_string();
                    watch.note(Seen::Refused { device, program, reason: reason.clone() });
                    self.over(&reason);
                    self.end();
                    return;
                }
            };
            if !self.is_running() {
                return;
            }
            self.0.connected.store(true, Ordering::Relaxed);
            self.granted(&hold.granted, &watch);
            let mut again = false;
            loop {
                let event = tokio::select! {
                    biased;
                    event = hold.events.recv() => event,
                    _ = running.wait_for(|running| !running) => break,
                    () = self.0.reconnect.notified() => {
                        again = true;
                        break;
                    }
                };
                match event {
                    Some(SeatEvent::Alive { until_boot_ms }) => self.alive(until_boot_ms, &watch),
                    Some(SeatEvent::Unreachable { until_boot_ms }) => self.extend(until_boot_ms),
                    Some(SeatEvent::Granted(granted)) => self.granted(&granted, &watch),
                    Some(
                        SeatEvent::Reachable
                        | SeatEvent::Ends { .. }
                        | SeatEvent::Asked { .. }
                        | SeatEvent::Waiting(_)
                        | SeatEvent::NoSeat(_),
                    ) => {}
                    Some(SeatEvent::Lost { reason }) => {
                        self.over(&reason);
                        watch.note(Seen::Lost { device, program, reason });
                        self.end();
                        return;
                    }
                    // Superseded, or the agent is stopping.
                    None => break,
                }
            }
            let ended = !self.is_running();
            self.0.connected.store(false, Ordering::Relaxed);
            if again && !ended {
                if self.0.kind == Kind::Connection {
                    // Its connection was all that held the seat: until it is answered it has none.
                    *self.lock() = State::Asking;
                }
                session = hold.granted.session.parse().ok();
                drop(hold);
                continue;
            }
            drop(hold);
            if !ended && self.0.kind == Kind::Connection {
                self.end();
            }
            return;
        }
    }

    /// Asks, and waits if it is patient. Nothing if the agent stops meanwhile.
    async fn ask(&self, node: &Node, ask: SeatAsk) -> Result<Option<SeatHold>, SeatError> {
        if !self.0.patient || matches!(self.state(), State::Using { .. }) {
            return node.take_seat(ask).await.map(Some);
        }
        let mut wait = match node.wait_for_seat(ask, PATIENCE).await? {
            Waited::Seat(hold) => return Ok(Some(hold)),
            Waited::Waiting(wait) => wait,
        };
        loop {
            match wait.next().await {
                Some(WaitEvent::Place(place)) => {
                    if let Ok(session) = place.session.parse() {
                        *self.lock() = State::Waiting { session, position: place.position };
                    }
                }
                Some(WaitEvent::Seat(hold)) => return Ok(Some(hold)),
                Some(WaitEvent::Over(error)) => return Err(error),
                None => return Ok(None),
            }
        }
    }

    fn granted(&self, granted: &SeatGranted, watch: &Watch) {
        let (device, program) = (self.0.device, self.0.number);
        let Ok(session) = granted.session.parse::<SessionId>() else {
            return watch.note(Seen::Wrong(format!("a grant with the session {}", granted.session)));
        };
        watch.note(Seen::Granted { device, program, ticket: granted.ticket.clone() });
        self.0.single.store(granted.durability == "single", Ordering::Relaxed);
        let until = granted.until_boot_ms;
        let borrowed = kind_of(&granted.ticket) == Some(SeatKind::Borrowed);
        let (seat, license) = (granted.seat.clone(), granted.license.clone());
        *self.lock() = State::Using { session, seat, license, until, borrowed };
        if !borrowed {
            watch.note(Seen::Alive { device, session, until });
        }
    }

    fn alive(&self, until: u64, watch: &Watch) {
        self.extend(until);
        if let State::Using { session, .. } = self.state() {
            watch.note(Seen::Alive { device: self.0.device, session, until });
        }
    }

    fn identity(&self) -> TreeIdentity {
        TreeIdentity {
            pid: u32::try_from(self.0.number).unwrap_or(u32::MAX),
            start_time: self.0.number,
            token: format!("program {}", self.0.number),
        }
    }

    fn tree(&self) -> BoxTree {
        Box::new(ProgramTree(self.clone()))
    }

    /// Its tree, if this is the one that is looked for and a process of it lives.
    pub fn tree_if(&self, identity: &TreeIdentity) -> Option<BoxTree> {
        (self.is_running() && self.identity() == *identity).then(|| self.tree())
    }
}

/// What a ticket says of its kind.
pub fn kind_of(ticket: &str) -> Option<SeatKind> {
    let ticket = Ticket::from_text(ticket).ok()?;
    frame::decode_body::<TicketBody>(&ticket.body).ok().map(|body| body.kind)
}

/// A program as the agent watches it.
#[derive(Debug)]
struct ProgramTree(Program);

impl Tree for ProgramTree {
    fn identity(&self) -> TreeIdentity {
        self.0.identity()
    }

    fn ended(&mut self) -> Later<'_, ()> {
        let mut running = self.0.0.running.subscribe();
        Box::pin(async move {
            // The sender lives as long as the program, which this tree keeps.
            let _ = running.wait_for(|running| !running).await;
        })
    }
}
