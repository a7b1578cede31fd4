//! Seats that ran out while the machine slept: their programs slept as well, and go on with a seat if one is free.

use std::sync::Arc;

use seatkeeper_protocol::id::SessionId;

use super::{Asked, Basis, OnItsWay, Taking};
use crate::middle::sessions::Held;
use crate::node::Inner;
use crate::node::errors::{NodeError, SeatError};

/// Deadlines are looked at each second; after so many milliseconds without a look, the machine has slept.
pub(super) const SLEPT_MS: u64 = 4_000;
/// How long the site is looked for before the program hears that its seat is lost, milliseconds: Wi-Fi takes its time
/// after a sleep.
const RESUME_WITHIN_MS: u64 = 15_000;

impl Inner {
    /// Asks for the seat again that ran out in a sleep, and tells the program only if there is none: what it has is not
    /// used meanwhile, by its deadline, and nobody else is told that it is free.
    pub(super) fn resume_overslept(self: &Arc<Self>, session: SessionId, held: Held) {
        let hold =
            self.seats.state().holds.get(&session).map(|hold| (hold.basis.clone(), hold.nonce.clone()));
        let Some((basis, nonce)) = hold else { return };
        if !self.seats.taking.send_if_modified(|sessions| sessions.insert(session)) {
            // Its wrapper asks for it just now.
            return self.lose(session, Some(held.attach), "this machine slept past the seat's ttl");
        }
        let taking = Taking { inner: self.clone(), session };
        let inner = self.clone();
        self.tasks.spawn(async move { inner.resume_or_lose(basis, nonce, held, taking).await });
    }

    async fn resume_or_lose(
        self: Arc<Self>,
        basis: Basis,
        nonce: Option<Vec<u8>>,
        held: Held,
        taking: Taking,
    ) {
        let session = basis.session;
        let until = self.clock.mono().plus_ms(RESUME_WITHIN_MS);
        let refused = loop {
            match self.ask(&basis, nonce.as_deref(), basis.checkout()).await {
                Ok(Asked::Granted(granted)) => {
                    tracing::info!(seat = %granted.seat, product = %granted.product, "seat resumed after a sleep");
                    // Its program may have ended meanwhile.
                    return drop(OnItsWay { taking, granted: *granted });
                }
                Ok(Asked::Waiting(..)) => break "there is none".to_owned(),
                Err(SeatError::Node(NodeError::NoHolder(_) | NodeError::Unknown))
                    if self.clock.mono() < until && self.seats.knows(&session) => {}
                Err(error) => break error.to_string(),
            }
        };
        if !self.goes_on_borrowed(&session) {
            let reason =
                format!("this machine slept past the seat's ttl of {} s, and {refused}", held.ttl_ms / 1_000);
            self.lose(session, Some(held.attach), &reason);
        }
    }
}
