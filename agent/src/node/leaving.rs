//! Going: this machine lets go of its vote, and of the holder's office.

use std::sync::Arc;
use std::time::Duration;

use seatkeeper_election::Status;

use super::{Inner, keeper, lock, log};

/// How long a graceful leave may take (design section 6, rule 4).
const LEAVE_WITHIN: Duration = Duration::from_secs(2);
/// A vote that a machine was asked about comes within this time, or not at all, milliseconds.
const VOTE_COMES_WITHIN_MS: u64 = 500;

/// Whether this machine is here, by its own will.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Stands {
    #[default]
    Here,
    /// It has handed over and may be back.
    Away,
    /// The agent stops.
    Stopping,
}

impl Inner {
    /// The holder is about to hear that this device keeps a log and stays.
    pub(crate) fn note_vote_coming(&self) {
        *lock(&self.vote_coming) = Some(self.clock.mono());
    }

    /// Waits for a vote that may be under way: who goes before it comes is a voter that is dead.
    async fn await_vote(&self, log: &log::Log) {
        let told = *lock(&self.vote_coming);
        let Some(until) = told.map(|told| told.plus_ms(VOTE_COMES_WITHIN_MS)) else { return };
        let left = Duration::from_millis(until.ms_since(self.clock.mono()));
        let mut status = log.engine.status();
        let votes = |status: &Status| status.member_on(self.device).is_some_and(|member| member.voter);
        let _ = tokio::time::timeout(left, status.wait_for(votes)).await;
    }

    /// Tells everybody that this machine goes, and lets go of log and holder's office within [`LEAVE_WITHIN`]. Who
    /// is told to stop after that was done for a machine that goes does not do it twice.
    pub(super) async fn hand_over(self: &Arc<Self>, goes: Stands) {
        let mut stands = self.stands.lock().await;
        let done = *stands != Stands::Here;
        if goes == Stands::Stopping {
            // At once: nobody takes it back from here on.
            *stands = goes;
        }
        if done {
            return;
        }
        self.let_go().await;
        *stands = goes;
    }

    /// This machine stays after all, unless its agent stops. Whether it does.
    pub(super) async fn take_back(self: &Arc<Self>) -> bool {
        let mut stands = self.stands.lock().await;
        if *stands == Stands::Stopping {
            return false;
        }
        *stands = Stands::Here;
        self.leaving.send_replace(false);
        self.intends(self.device, false);
        if let Some(log) = self.log() {
            log.engine.stay();
        }
        true
    }

    async fn let_go(self: &Arc<Self>) {
        if self.site().is_none() {
            return;
        }
        let begun = self.clock.mono();
        self.leaving.send_replace(true);
        self.intends(self.device, true);
        let Some(log) = self.log() else { return };
        self.await_vote(&log).await;
        // A machine that could take this vote. Without one there is nothing to wait for but a new holder.
        let heirs = self.site().is_some_and(|site| site.has_other_than_voters(&self.device));
        match self.duty() {
            Some(duty) => keeper::refresh(self, &duty),
            None if !heirs => return,
            None => {}
        }
        let spent = Duration::from_millis(self.clock.mono().ms_since(begun));
        let outcome = log.engine.leave(LEAVE_WITHIN.saturating_sub(spent), heirs).await;
        tracing::info!(?outcome, "left");
    }
}
