//! A seat that outlives interruptions: of the site, and of the agent itself.

use std::time::Duration;

use seatkeeper_client::{Client, ClientError, SeatStream, api};
use seatkeeper_election::seam::Clock;
use seatkeeper_protocol::time::BootTime;
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinHandle;

use super::args::SeatArgs;
use super::{idle, notices, print};
use crate::platform::clock::SystemClock;

/// How soon and how rarely an agent that went away is asked again.
const RETRY: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));
/// How soon and how rarely a lost seat is asked for again.
const REGAIN: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(15));
/// Changes waiting to be told.
const CHANGES_MAX: usize = 16;

/// What happens to a held seat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// The site or the agent is out of reach; the seat lives until then.
    Unreachable(BootTime),
    /// Contact is back, with the seat.
    Reachable,
    /// The seat is borrowed, and its time is over in so many seconds.
    Ends(u64),
    /// Somebody who waits asks for it.
    Asked(Box<Asked>),
    /// The seat is gone.
    Lost(String),
    /// A lost seat was regained.
    Regained,
}

/// Who asks for a seat that seems idle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) user: String,
    pub(super) device_name: String,
    pub(super) waiting: u32,
    pub(super) message: Option<String>,
}

/// A seat held in the background until this is dropped.
#[derive(Debug)]
pub(super) struct HeldSeat {
    client: Client,
    pub(super) granted: api::SeatGranted,
    changes: mpsc::Receiver<Change>,
    task: JoinHandle<()>,
}

impl HeldSeat {
    /// Takes a seat, or waits for one if the request says so; `place` hears where it stands, and whether not for the
    /// first time.
    pub(super) async fn take(
        client: Client,
        request: api::SeatRequest,
        place: impl FnMut(&api::SeatRequest, &api::SeatWaiting, bool),
    ) -> Result<Self, ClientError> {
        let mut waited = false;
        let mut place = place;
        let stream = wait(&client, &request, |request, waiting, again| {
            waited = true;
            place(request, waiting, again);
        });
        let stream = stream.await?;
        let granted = stream.granted().clone();
        if waited {
            notices::of_grant(&granted);
        }
        // Whoever asked without a session resumes the one it got. It does not wait any more.
        let request = api::SeatRequest { session: Some(granted.session.clone()), wait_s: None, ..request };
        let (sender, changes) = mpsc::channel(CHANGES_MAX);
        let own = client.clone();
        let session = watch::Sender::new(granted.session.clone());
        let watching = idle::watch_display(client.clone(), session.subscribe());
        let keeper = Keeper { client, request, session, lease: Lease::of(&granted), changes: sender };
        let task = tokio::spawn(async move {
            tokio::select! {
                () = keeper.keep(stream) => {}
                never = watching => match never {},
            }
        });
        Ok(Self { client: own, granted, changes, task })
    }

    /// Gives the seat back and waits until it is free; for a tree that is known to have ended.
    pub(super) async fn give_back(&self) {
        self.task.abort();
        // What fails here the agent does when it sees the end of the tree.
        self.client.give_back(&self.granted.session).await.ok();
    }

    /// What happens next. Cancel safe. `None`: nothing will happen any more.
    pub(super) async fn change(&mut self) -> Option<Change> {
        self.changes.recv().await
    }
}

impl Drop for HeldSeat {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Takes a seat. A place in the queue outlives an agent that goes away for a while.
async fn wait(
    client: &Client,
    request: &api::SeatRequest,
    mut tell: impl FnMut(&api::SeatRequest, &api::SeatWaiting, bool),
) -> Result<SeatStream, ClientError> {
    let until = request.wait_s.map(|wait_s| SystemClock.mono().plus_ms(wait_s.saturating_mul(1_000)));
    let mut request = request.clone();
    let mut told = false;
    let mut pause = RETRY.0;
    let waiting = Notify::new();
    let telling = idle::tell_who(client, &request.product, &waiting);
    tokio::pin!(telling);
    loop {
        let mut waits = None;
        let taking = client.wait_for_seat(&request, |place| {
            waits = Some(place.session.clone());
            tell(&request, place, told);
            told = true;
            waiting.notify_one();
        });
        let taken = tokio::select! {
            taken = taking => taken,
            never = &mut telling => match never {},
        };
        let Some(left_ms) = until.map(|until| until.ms_since(SystemClock.mono())) else { return taken };
        match taken {
            Err(error) if error.is_transient() && told && left_ms > 0 => {}
            taken => return taken,
        }
        if waits.is_some() {
            request.session = waits;
            pause = RETRY.0;
        }
        tokio::time::sleep(pause.min(Duration::from_millis(left_ms))).await;
        pause = RETRY.1.min(pause * 2);
        let left_ms = until.map_or(0, |until| until.ms_since(SystemClock.mono()));
        request.wait_s = Some(left_ms.div_ceil(1_000));
    }
}

/// Tells on the terminal.
pub(super) fn say_place(request: &api::SeatRequest, place: &api::SeatWaiting, again: bool) {
    let (product, position) = (&request.product, place.position);
    let version = request.version.as_ref().map(|version| format!("@{version}")).unwrap_or_default();
    print::note(if again {
        format!("seatkeeper: place {position} in the queue for a seat of {product}{version}")
    } else {
        format!(
            "seatkeeper: waiting for a seat of {product}{version}, place {position} in the queue: {}; Ctrl-C gives \
             the place up",
            place.detail
        )
    });
}

/// The request of `seatkeeper run` and `hold`.
pub(super) fn request(args: &SeatArgs) -> api::SeatRequest {
    api::SeatRequest {
        wait_s: args.wait.map(|wait| wait.as_secs()),
        version: args.product.version.as_ref().map(ToString::to_string),
        features: args.feature.iter().map(ToString::to_string).collect(),
        ..api::SeatRequest::product(args.product.product.to_string())
    }
}

/// How long the seat lives, as the agent said last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Lease {
    /// Where it ends without further contact.
    until: BootTime,
    /// Whether the site was out of reach.
    unreachable: bool,
}

impl Lease {
    fn of(granted: &api::SeatGranted) -> Self {
        Self { until: BootTime(granted.until_boot_ms), unreachable: false }
    }
}

/// Holds the stream, and resumes the session when it breaks.
struct Keeper {
    client: Client,
    request: api::SeatRequest,
    /// The session that the seat has now.
    session: watch::Sender<String>,
    lease: Lease,
    changes: mpsc::Sender<Change>,
}

impl Keeper {
    async fn keep(mut self, mut stream: SeatStream) {
        loop {
            let lost = self.follow(stream).await;
            stream = match lost {
                Some(reason) => {
                    self.tell(Change::Lost(reason)).await;
                    let Some(regained) = self.regain().await else { return };
                    self.tell(Change::Regained).await;
                    regained
                }
                None => match self.resume().await {
                    Ok(resumed) => {
                        self.tell(Change::Reachable).await;
                        resumed
                    }
                    Err(reason) => {
                        self.tell(Change::Lost(reason)).await;
                        let Some(regained) = self.regain().await else { return };
                        self.tell(Change::Regained).await;
                        regained
                    }
                },
            };
            self.lease = Lease::of(stream.granted());
        }
    }

    /// Follows the stream to its end; the reason if the seat is lost, nothing if only the agent is.
    async fn follow(&mut self, mut stream: SeatStream) -> Option<String> {
        loop {
            match stream.next_event().await {
                Ok(Some(api::SeatEvent::Granted(granted))) => {
                    self.lease = Lease::of(&granted);
                }
                Ok(Some(api::SeatEvent::Unreachable { until_boot_ms })) => {
                    let until = BootTime(until_boot_ms);
                    self.lease = Lease { until, unreachable: true };
                    self.tell(Change::Unreachable(until)).await;
                }
                Ok(Some(api::SeatEvent::Reachable)) => {
                    self.lease.unreachable = false;
                    self.tell(Change::Reachable).await;
                }
                Ok(Some(api::SeatEvent::Alive { until_boot_ms })) => {
                    self.lease.until = BootTime(until_boot_ms)
                }
                Ok(Some(api::SeatEvent::Asked { user, device_name, waiting, message, .. })) => {
                    let asked = Asked { user, device_name, waiting, message };
                    self.tell(Change::Asked(Box::new(asked))).await;
                }
                Ok(Some(api::SeatEvent::Ends { left_s, .. })) => self.tell(Change::Ends(left_s)).await,
                // Nobody waits who has a seat.
                Ok(Some(api::SeatEvent::Waiting(_) | api::SeatEvent::NoSeat(_))) => {}
                Ok(Some(api::SeatEvent::Lost { reason })) => return Some(reason),
                Ok(None) | Err(_) => return None,
            }
        }
    }

    /// Resumes the session until its lease ends.
    async fn resume(&self) -> Result<SeatStream, String> {
        let ends = self.lease.until;
        let mut told = self.lease.unreachable;
        let mut wait = RETRY.0;
        loop {
            match self.client.take_seat(&self.request).await {
                Ok(stream) => return Ok(stream),
                Err(error) if !error.is_transient() => return Err(error.to_string()),
                Err(error) if SystemClock.mono() >= ends => return Err(error.to_string()),
                Err(_) => {}
            }
            if !told {
                told = true;
                self.tell(Change::Unreachable(ends)).await;
            }
            let left = Duration::from_millis(ends.ms_since(SystemClock.mono()));
            tokio::time::sleep(wait.min(left)).await;
            wait = RETRY.1.min(wait * 2);
        }
    }

    /// Asks for the lost seat again and again; `None` when it will not come back.
    async fn regain(&mut self) -> Option<SeatStream> {
        let mut wait = REGAIN.0;
        loop {
            tokio::time::sleep(wait).await;
            wait = REGAIN.1.min(wait * 2);
            let mut taken = self.client.take_seat(&self.request).await;
            if has_kind(&taken, "session-ended") {
                // The old session is over for good, so a new one cannot be a second seat.
                self.request.session = None;
                taken = self.client.take_seat(&self.request).await;
            }
            let later = taken.as_ref().is_err_and(ClientError::is_transient) || has_kind(&taken, "no-seat");
            if !later {
                let stream = taken.ok()?;
                self.request.session = Some(stream.granted().session.clone());
                self.session.send_replace(stream.granted().session.clone());
                return Some(stream);
            }
        }
    }

    async fn tell(&self, change: Change) {
        // Nobody listens any more: the task is about to be ended.
        self.changes.send(change).await.ok();
    }
}

fn has_kind(taken: &Result<SeatStream, ClientError>, kind: &str) -> bool {
    let problem = taken.as_ref().err().and_then(ClientError::problem);
    problem.is_some_and(|problem| problem.kind == kind)
}
