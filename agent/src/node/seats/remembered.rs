//! What process trees hold outlives the agent: it is written down, and resumed by the next run.

use std::sync::Arc;

use seatkeeper_protocol::id::SessionId;
use seatkeeper_protocol::limits::SEATS_PER_DEVICE_MAX;
use serde::{Deserialize, Serialize};

use super::{Basis, Hold, SeatAsk};
use crate::middle::borrows::Kept;
use crate::node::errors::{NodeError, SeatError};
use crate::node::{Inner, lock};
use crate::seam::TreeIdentity;

/// The file in the state directory.
pub(crate) const RECORD: &str = "sessions";

/// A session and the tree that holds it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Remembered {
    basis: Basis,
    tree: TreeIdentity,
}

impl Remembered {
    pub(super) fn product(&self) -> &str {
        self.basis.product.as_str()
    }

    /// Whether it may be using a borrowed seat.
    pub(super) fn may_use(&self, kept: &Kept) -> bool {
        self.basis.product == kept.product && self.basis.user == kept.user
    }
}

impl Inner {
    /// Writes down what process trees hold, if that has changed.
    pub(super) fn remember(&self) {
        // What is written last must be what was true last.
        let mut written = lock(&self.seats.written);
        let remembered: Vec<Remembered> = {
            let mut state = self.seats.state();
            let with_tree =
                |hold: &Hold| hold.tree.clone().map(|tree| Remembered { basis: hold.basis.clone(), tree });
            let held: Vec<Remembered> = state.holds.values().filter_map(with_tree).collect();
            held.iter().for_each(|held| {
                state.remembered.remove(&held.basis.session);
            });
            held.into_iter().chain(state.remembered.values().cloned()).collect()
        };
        if *written == remembered {
            return;
        }
        match self.disk.write_record(RECORD, &remembered) {
            Ok(()) => *written = remembered,
            Err(error) => {
                tracing::warn!(%error, "running programs are not remembered across a restart of the agent");
            }
        }
    }

    fn forget_remembered(&self, session: &SessionId) {
        self.seats.state().remembered.remove(session);
    }

    /// Whether the session was held before this agent started: then it is not given back for want of an answer.
    pub(super) fn remembers(&self, session: &SessionId) -> bool {
        self.seats.state().remembered.contains_key(session)
    }

    /// After a restart: resumes what process trees still hold, gives back the rest.
    pub(crate) fn resume_remembered(self: &Arc<Self>) {
        let remembered: Vec<Remembered> = match self.disk.read_record(RECORD) {
            Ok(Some(remembered)) => remembered,
            Ok(None) => return,
            Err(error) => {
                tracing::warn!(%error, "running programs of the last run are not resumed");
                return;
            }
        };
        lock(&self.seats.written).clone_from(&remembered);
        self.seats.state().remembered = remembered.iter().map(|r| (r.basis.session, r.clone())).collect();
        for Remembered { basis, tree } in remembered.into_iter().take(SEATS_PER_DEVICE_MAX) {
            let inner = self.clone();
            self.tasks.spawn(async move { inner.resume_one(basis, tree).await });
        }
    }

    /// Tries until the site answers; the program runs on meanwhile.
    async fn resume_one(self: Arc<Self>, basis: Basis, identity: TreeIdentity) {
        loop {
            let Some(tree) = self.world.resume_tree(identity.clone()) else {
                self.forget_remembered(&basis.session);
                self.give_back_unseen(basis.session);
                return;
            };
            let ask = SeatAsk {
                user: basis.user.clone(),
                product: basis.product.clone(),
                version: basis.version.clone(),
                features: basis.features.clone(),
                pid: basis.pid,
                nonce: None,
                session: Some(basis.session),
                tree: Some(tree),
            };
            match self.take_seat(ask).await {
                Ok(hold) => {
                    tracing::info!(seat = %hold.granted.seat, "seat resumed after a restart");
                    return;
                }
                Err(SeatError::Node(NodeError::NoHolder(_) | NodeError::Unknown))
                    if !self.stop.is_cancelled() => {}
                Err(error) => {
                    self.forget_remembered(&basis.session);
                    self.remember();
                    tracing::warn!(session = ?basis.session, %error, "seat not resumed after a restart");
                    return;
                }
            }
        }
    }
}
