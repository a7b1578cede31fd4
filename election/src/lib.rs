//! Electing the holder: consensus engine, durable log, role changes.
//!
//! | module | holds |
//! |---|---|
//! | [`seam`] | the traits through which clocks and streams come in |
//! | [`machine`] | the state machine that the log drives |
//! | [`store`] | log, vote and snapshot in one redb file |
//! | [`engine`] | proposals, reads, transfer: what the agent talks to |
//! | [`Reading`] | what other members' wall clocks say |
//! | [`status`] | what an engine tells about itself |
//! | [`roles`] | who should vote: a pure plan |
//! | [`controller`] | carries the plan out while this node leads |
//!
//! Commands are opaque bytes. What a leader grants goes through the log ([`Engine::propose`]) or a confirmed read
//! ([`Engine::read_index`]), never through a lease: the runtime's clock stops while a machine sleeps.
#![warn(missing_docs)]
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::cast_possible_truncation
    )
)]

mod clocks;
pub mod controller;
pub mod engine;
pub mod machine;
mod network;
pub mod roles;
pub mod seam;
mod server;
pub mod status;
pub mod store;
mod types;
mod wire;

pub use clocks::Reading;
pub use controller::{Controller, LeaveOutcome, Recruit, RecruitError, spawn_controller};
pub use engine::config::{EngineConfig, Timing};
pub use engine::error::{ChangeError, InitError, ProposeError, ReadError, StartError, TransferError};
pub use engine::{Applied, Engine, ReadIndex};
pub use machine::{RestoreError, StateMachine};
pub use roles::{Candidate, Standing, Step, View, plan};
pub use status::{Member, Peer, Status};
pub use store::{LogStore, Salvaged};

#[cfg(test)]
extern crate self as seatkeeper_election;
#[cfg(test)]
mod tests;
