//! What an office is compared with: who heard each request once, what a turn in the queue promises, and what was before.

use seatkeeper_protocol::id::RequestId;

use super::RandomOffice;
use crate::command::{Actor, Command, Outcome, Refusal};
use crate::{ActorKey, Ledger, encode};

impl RandomOffice {
    /// That hearing some requests again has changed nothing.
    pub(in crate::tests) fn compare(&mut self) {
        let state = &self.office.ledger.state;
        (self.once.state.index, self.once.state.hash) = (state.index, state.hash);
        assert!(self.once == self.office.ledger, "I4: the state of who heard each request once differs");
        self.office.check();
        self.check_turns();
        self.counts.add("comparisons", 1);
    }

    /// Whose turn it is gets a seat if he asks, and nobody else who waits does.
    fn check_turns(&mut self) {
        let ledger = &self.office.ledger;
        for place in ledger.queue(self.office.time) {
            let waiting = ledger.waiting_session(&place.session).expect("who has a place waits");
            if ledger.device(&place.device).is_none_or(|record| record.lost.is_some()) {
                continue;
            }
            let epoch = ledger.epoch(&ActorKey::Device(place.device)).unwrap_or(0) + 1;
            let actor = Actor::Device(place.device);
            let command = Command::Wait(waiting.want.clone());
            let entry = self.entry(actor, RequestId { epoch, counter: 1 }, command);
            let outcome =
                ledger.clone().apply(self.office.index + 1, self.office.term, &encode(&entry).unwrap());
            match (place.turn, &outcome) {
                (true, Outcome::Granted(_)) | (false, Outcome::Waiting(_)) => {}
                // All that covers it is gone, or there is a limit since: whoever asks is told so.
                (false, Outcome::Refused(Refusal::NotLicensed { .. } | Refusal::OverLimit(_))) => {}
                (false, Outcome::Refused(Refusal::OverNodeLimit(_))) => {}
                _ => panic!("{place:?} asks and gets {outcome:?}"),
            }
            self.counts.add(if place.turn { "turns" } else { "places without a turn" }, 1);
        }
    }

    /// A refusal changes nothing but memory, records and the count of refusals.
    pub(super) fn unchanged_if_refused(&mut self, mut before: Ledger) {
        self.compare();
        let ledger = &self.office.ledger;
        let Some((index, _, Outcome::Refused(_))) = self.told.back() else { return };
        // The step may have been none, or have asked twice: the second time is compared by `once`.
        if *index != before.index() + 1 || ledger.index() != *index {
            return;
        }
        (before.state.index, before.state.hash) = (ledger.state.index, ledger.state.hash);
        before.state.memories = ledger.state.memories.clone();
        before.state.records = ledger.state.records.clone();
        before.state.usage = ledger.state.usage.clone();
        assert!(before == *ledger, "a refusal has changed something");
    }
}
