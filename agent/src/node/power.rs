//! What becomes of the machine: before it sleeps it lets go of its offices, and when it wakes it looks for the site at
//! once.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use super::Inner;
use super::leaving::Stands;
use crate::seam::PowerChange;

/// How long the holder's answer to the intent is awaited, where nothing else shows that it was heard.
const HEARD_WITHIN: Duration = Duration::from_millis(500);
/// Follows `changes` until the agent stops.
pub(super) async fn follow(inner: Arc<Inner>, mut changes: mpsc::Receiver<PowerChange>) {
    let mut next = None;
    // Of a machine that is to sleep and then to be switched off, both wait.
    let mut delays = Vec::new();
    loop {
        let change = match next.take() {
            Some(change) => Some(change),
            None => tokio::select! {
                biased;
                () = inner.stop.cancelled() => return,
                change = changes.recv() => change,
            },
        };
        match change {
            None => return,
            Some(PowerChange::Stays) => inner.stay().await,
            Some(PowerChange::Goes(delay)) => {
                delays.push(delay);
                tokio::select! {
                    biased;
                    () = inner.stop.cancelled() => {}
                    // It slept before this was done, or sleeps not at all.
                    change = changes.recv() => next = change,
                    () = inner.go() => {}
                }
                // Whatever came of it.
                if !matches!(next, Some(PowerChange::Goes(_))) {
                    delays.clear();
                }
            }
        }
    }
}

impl Inner {
    /// The machine is about to go, and this agent may be back.
    async fn go(self: &Arc<Self>) {
        let begun = self.clock.mono();
        // Pings come after the intent on the same stream: whoever answers one that is sent from here on has heard of it.
        let (pings, mut heard) = (self.seats.pings(), self.seats.heard());
        let told = async {
            // The holder has nobody to tell: what it does is heard by all.
            if self.duty().is_none() && self.known().holder.is_some() && self.site().is_some() {
                let _ = tokio::time::timeout(HEARD_WITHIN, heard.wait_for(|pong| *pong > pings)).await;
            }
        };
        tokio::join!(self.hand_over(Stands::Away), told);
        tracing::info!(ms = self.clock.mono().ms_since(begun), "ready for the machine to go");
    }

    /// The machine is back, or stays: this agent takes its intent back and looks for the site.
    async fn stay(self: &Arc<Self>) {
        if self.take_back().await {
            if let Some(discovery) = &self.discovery {
                discovery.renew();
            }
            self.woke.notify_one();
            self.seats.look();
        }
    }
}
