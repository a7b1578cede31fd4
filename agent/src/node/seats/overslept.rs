//! Seats that ran out while the machine slept: their programs slept as well, and go on with a seat if one is free.

use std::sync::Arc;
use std::time::Duration;

use seatkeeper_protocol::id::SessionId;

use super::{Asked, Basis, OnItsWay, Taking};
use crate::middle::sessions::Held;
use crate::node::Inner;

/// Deadlines are looked at each second; after so many milliseconds without a look, the machine has slept.
pub(super) const SLEPT_MS: u64 = 4_000;
/// How long its program waits for the answer before it hears that its seat is lost: it runs again, and has none. The
/// look that begins this may come a second late.
const ANSWERS_WITHIN: Duration = Duration::from_millis(400);

impl Inner {
    /// Asks for the seat again that ran out in a sleep, and tells its program only if there is none.
    pub(super) fn resume_overslept(self: &Arc<Self>, session: SessionId, held: Held) {
        let hold =
            self.seats.state().holds.get(&session).map(|hold| (hold.basis.clone(), hold.nonce.clone()));
        let slept = "this machine slept past the seat's ttl";
        let Some((basis, nonce)) = hold else { return self.lose(session, Some(held.attach), slept) };
        if !self.seats.taking.send_if_modified(|sessions| sessions.insert(session)) {
            // Its wrapper asks for it just now.
            return self.lose(session, Some(held.attach), slept);
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
        let lose = |why: &str| {
            if !self.goes_on_borrowed(&basis.session) {
                let ttl_s = held.ttl_ms / 1_000;
                let reason = format!("this machine slept past the seat's ttl of {ttl_s} s, and {why}");
                self.lose(basis.session, Some(held.attach), &reason);
            }
        };
        let asking = self.ask(&basis, nonce.as_deref(), basis.checkout());
        tokio::pin!(asking);
        let (told, answer) = match tokio::time::timeout(ANSWERS_WITHIN, &mut asking).await {
            Ok(answer) => (false, answer),
            Err(_) => {
                lose("the site does not answer yet");
                // What may come of it all the same goes back, unless the program has asked again.
                (true, asking.await)
            }
        };
        match answer {
            Ok(Asked::Granted(granted)) => {
                tracing::info!(seat = %granted.seat, product = %granted.product, "seat granted anew after a sleep");
                // Its program may have ended meanwhile.
                drop(OnItsWay { taking, granted: *granted });
            }
            _ if told => {}
            Ok(Asked::Waiting(..)) => lose("there is none"),
            Err(error) => lose(&error.to_string()),
        }
    }
}
