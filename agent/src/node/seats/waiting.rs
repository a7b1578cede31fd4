//! Programs on this device that wait for a seat.
//!
//! A place in the queue is kept as long as the program's connection: pings name it, and a new holder gives it a full
//! ttl. It grants nothing. When the site says that it is this session's turn, or has lost its place, the session asks
//! anew; a seat that this brings counts from the sending of that request (invariant I7).

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use seatkeeper_ledger::command::{self, Command, Denial, Waiting};
use seatkeeper_protocol::api::{FORMAT, SeatHolder, SeatWaiting};
use seatkeeper_protocol::id::{SeatId, SessionId};
use seatkeeper_protocol::time::{BootTime, WallTime};
use seatkeeper_protocol::wire::QueuePlace;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{Asked, Basis, Begun, EVENTS_MAX, LOOK_EVERY, OnItsWay, SeatAsk, SeatHold, State, Taking};
use crate::node::Inner;
use crate::node::asks::seconds;
use crate::node::errors::{NodeError, SeatError};
use crate::seam::BoxTree;

/// A waiting session asks no sooner again than this.
const PAUSE: Duration = Duration::from_millis(200);

/// What came of asking with patience.
#[derive(Debug)]
pub enum Waited {
    /// A seat at once.
    Seat(SeatHold),
    /// A place in the queue.
    Waiting(SeatWait),
}

/// What happens to a place in the queue.
#[derive(Debug)]
pub enum WaitEvent {
    /// It is this; the first, or another than before.
    Place(SeatWaiting),
    /// It has become a seat.
    Seat(SeatHold),
    /// It is over without one.
    Over(SeatError),
}

/// A place in the queue, kept by a connection. Dropping it gives the place up.
pub struct SeatWait {
    inner: Arc<Inner>,
    session: SessionId,
    first: Option<SeatWaiting>,
    events: mpsc::Receiver<Event>,
    tree: Option<BoxTree>,
    _gone: DropGuard,
}

impl std::fmt::Debug for SeatWait {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SeatWait({:?})", self.session)
    }
}

/// [`WaitEvent`] on its way to the program.
enum Event {
    Place(SeatWaiting),
    Granted(Box<OnItsWay>),
    Over(SeatError),
}

impl SeatWait {
    /// What happens next; nothing after [`WaitEvent::Seat`] or [`WaitEvent::Over`], or when the agent stops. Cancel safe.
    pub async fn next(&mut self) -> Option<WaitEvent> {
        std::future::poll_fn(|cx| self.poll_next(cx)).await
    }

    /// [`SeatWait::next`].
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<WaitEvent>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(WaitEvent::Place(first)));
        }
        self.events.poll_recv(cx).map(|event| {
            Some(match event? {
                Event::Place(place) => WaitEvent::Place(place),
                Event::Over(error) => WaitEvent::Over(error),
                Event::Granted(given) => {
                    match self.inner.attach(self.session, given.granted.clone(), self.tree.take()) {
                        Ok(hold) => WaitEvent::Seat(hold),
                        Err(error) => WaitEvent::Over(error),
                    }
                }
            })
        })
    }
}

/// What a waiting session hears of its place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Line {
    position: u32,
    /// It should ask anew.
    ask: bool,
}

impl State {
    /// Tells a waiting session its place; `None`: it has lost it.
    pub(super) fn call(&self, session: &SessionId, place: Option<&QueuePlace>) {
        let Some(line) = self.waits.get(session) else { return };
        line.send_if_modified(|line| {
            let before = *line;
            line.position = place.map_or(line.position, |place| place.position);
            line.ask |= place.is_none_or(|place| place.ask);
            *line != before
        });
    }
}

impl Inner {
    /// Takes a seat, or waits for one.
    pub(crate) async fn wait_for_seat(
        self: &Arc<Self>,
        ask: SeatAsk,
        within: Duration,
    ) -> Result<Waited, SeatError> {
        let within_ms = u64::try_from(within.as_millis()).unwrap_or(u64::MAX);
        let until = BootTime(self.clock.mono().0.saturating_add(within_ms));
        let (begun, tree) = self.begin(ask).await?;
        let (taking, basis, nonce) = match begun {
            Begun::Here(session, granted) => return self.attach(session, granted, tree).map(Waited::Seat),
            Begun::Asks(taking, basis, nonce) => (taking, basis, nonce),
        };
        let session = basis.session;
        let (events_in, events) = mpsc::channel(EVENTS_MAX);
        let gone = CancellationToken::new();
        let guard = gone.clone().drop_guard();
        let waiter = Waiter { inner: self.clone(), basis, nonce, until, gone, events: events_in, told: 0 };
        // In a task of its own: a program that gives up must leave neither a place nor a seat behind.
        self.tasks.spawn(waiter.wait(taking));
        let mut wait = SeatWait { inner: self.clone(), session, first: None, events, tree, _gone: guard };
        match wait.next().await {
            Some(WaitEvent::Seat(hold)) => Ok(Waited::Seat(hold)),
            Some(WaitEvent::Over(error)) => Err(error),
            Some(WaitEvent::Place(place)) => {
                wait.first = Some(place);
                Ok(Waited::Waiting(wait))
            }
            None => Err(NodeError::NoHolder("the agent is stopping".to_owned()).into()),
        }
    }

    /// The session has a place in the queue; it hears of it by this.
    fn waits(&self, session: SessionId, waiting: &Waiting) -> watch::Receiver<Line> {
        let mut state = self.seats.state();
        state.sessions.waits(session, waiting.attach);
        let line = Line { position: waiting.position, ask: false };
        let sender = state.waits.entry(session).or_default();
        sender.send_replace(line);
        sender.subscribe()
    }

    /// The session waits no longer. Its place, or the seat that it may have got meanwhile, goes back.
    fn stops_waiting(self: &Arc<Self>, session: SessionId) {
        let waited = {
            let mut state = self.seats.state();
            state.sessions.waits_no_more(&session);
            state.waits.remove(&session).is_some()
        };
        if waited {
            self.give_back_unseen(session);
        }
    }
}

/// A session that waits.
struct Waiter {
    inner: Arc<Inner>,
    basis: Basis,
    nonce: Option<Vec<u8>>,
    until: BootTime,
    /// The program does not wait any more.
    gone: CancellationToken,
    events: mpsc::Sender<Event>,
    /// The position that the program knows.
    told: u32,
}

/// Why a session that waits goes on.
enum Called {
    /// It should ask anew.
    Ask,
    /// Its time is over.
    Late,
    /// The program is gone.
    Gone,
    /// The agent stops: the program may come back for its place.
    Stop,
}

impl Waiter {
    async fn wait(mut self, taking: Taking) {
        let session = self.basis.session;
        let mut line: Option<watch::Receiver<Line>> = None;
        loop {
            match self.ask(Command::Wait(self.basis.wants())).await {
                Ok(Asked::Granted(granted)) => return self.give(taking, *granted).await,
                Ok(Asked::Waiting(waiting, idle)) => {
                    line = Some(self.inner.waits(session, &waiting));
                    self.tell(place(&waiting, &idle));
                }
                // The place outlives a holder, and a while without contact.
                Err(SeatError::Node(NodeError::NoHolder(_) | NodeError::Unknown)) if line.is_some() => {}
                Err(error) => return self.over(error).await,
            }
            let Some(line) = &mut line else { return };
            let asked = tokio::time::Instant::now();
            match self.called(line).await {
                Called::Ask => tokio::time::sleep_until(asked + PAUSE).await,
                Called::Late => return self.ask_once_more(taking).await,
                Called::Gone => return self.inner.stops_waiting(session),
                Called::Stop => return,
            }
        }
    }

    async fn ask(&self, command: Command) -> Result<Asked, SeatError> {
        self.inner.ask(&self.basis, self.nonce.as_deref(), command).await
    }

    /// Until there is a reason to do something.
    async fn called(&mut self, line: &mut watch::Receiver<Line>) -> Called {
        loop {
            if self.inner.stop.is_cancelled() {
                return Called::Stop;
            }
            if self.gone.is_cancelled() {
                return Called::Gone;
            }
            let left_ms = self.until.ms_since(self.inner.clock.mono());
            if left_ms == 0 {
                return Called::Late;
            }
            let Line { position, ask } = *line.borrow_and_update();
            if ask {
                return Called::Ask;
            }
            self.moved(position);
            tokio::select! {
                () = self.gone.cancelled() => {}
                () = self.inner.stop.cancelled() => {}
                // Without a sender the device has left its site: asking says so.
                changed = line.changed() => if changed.is_err() { return Called::Ask },
                // The runtime's timers stop while the machine sleeps.
                () = tokio::time::sleep(LOOK_EVERY.min(Duration::from_millis(left_ms))) => {}
            }
        }
    }

    /// The time is over: a last look, which says why there is no seat.
    async fn ask_once_more(self, taking: Taking) {
        match self.ask(self.basis.checkout()).await {
            Ok(Asked::Granted(granted)) => self.give(taking, *granted).await,
            Ok(Asked::Waiting(..)) => {
                self.over(NodeError::Internal("a place at the end".to_owned()).into()).await
            }
            Err(error) => self.over(error).await,
        }
    }

    async fn give(self, taking: Taking, granted: super::SeatGranted) {
        // If the program has gone away, this is dropped, here or on its way, and the seat goes back.
        let _ = self.events.send(Event::Granted(Box::new(OnItsWay { taking, granted }))).await;
    }

    async fn over(self, error: SeatError) {
        self.inner.stops_waiting(self.basis.session);
        let _ = self.events.send(Event::Over(error)).await;
    }

    /// The program hears of another position.
    fn moved(&mut self, position: u32) {
        if position != self.told {
            let detail = match position {
                1 => "it is next".to_owned(),
                2 => "1 waits before it".to_owned(),
                more => format!("{} wait before it", more - 1),
            };
            let session = self.basis.session.to_string();
            self.tell(SeatWaiting {
                format: FORMAT,
                session,
                position,
                expected: None,
                detail,
                holders: Vec::new(),
            });
        }
    }

    fn tell(&mut self, place: SeatWaiting) {
        if place.position != self.told {
            self.told = place.position;
            // A program that does not read is not waited for.
            let _ = self.events.try_send(Event::Place(place));
        }
    }
}

fn place(waiting: &Waiting, idle: &[(SeatId, u16)]) -> SeatWaiting {
    SeatWaiting {
        format: FORMAT,
        session: waiting.session.to_string(),
        position: waiting.position,
        expected: waiting.denial.next_return.and_then(WallTime::rfc3339),
        detail: waiting.denial.with_idle(|seat| idle_of(idle, seat)),
        holders: seat_holders(&waiting.denial, idle),
    }
}

/// For how many minutes a seat has been idle, of those that are known.
pub(crate) fn idle_of(idle: &[(SeatId, u16)], seat: SeatId) -> Option<u16> {
    idle.iter().find(|(id, _)| *id == seat).map(|(_, minutes)| *minutes)
}

/// Who has the seats, as the API tells it.
pub(crate) fn seat_holders(denial: &Denial, idle: &[(SeatId, u16)]) -> Vec<SeatHolder> {
    let holder = |holder: &command::SeatHolder| SeatHolder {
        seat: holder.seat.to_string(),
        user: holder.user.to_string(),
        device: holder.device.to_string(),
        device_name: holder.device_name.to_string(),
        since: holder.since.rfc3339(),
        idle_s: idle_of(idle, holder.seat).map(seconds),
    };
    denial.holders.iter().map(holder).collect()
}
