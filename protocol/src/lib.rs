//! What Seatkeeper machines must agree on, bit for bit.
//!
//! | module | holds |
//! |---|---|
//! | [`id`] | newtypes for devices, sites, seats, requests, products |
//! | [`time`] | wall-clock and boot-clock instants |
//! | [`limits`] | every bound, in one place, asserted against each other |
//! | [`frame`] | bounded, versioned postcard frames |
//! | [`license`] | the license file: parse, sign, verify |
//! | [`ticket`] | the signed proof of a seat, and the pool key's certificate |
//! | [`roster`] | the numbered, signed list of devices |
//! | [`audit`] | the signed head of the audit |
//! | [`wire`] | messages between agents |
//! | [`api`] | JSON types of the local API |
//!
//! This crate does no IO, reads no clock, draws no randomness and has no map whose order is random.
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

pub mod api;
pub mod audit;
pub mod backup;
pub mod fault;
pub mod frame;
pub mod id;
pub mod license;
pub mod limits;
pub mod recovery;
pub mod roster;
pub mod ticket;
pub mod time;
pub mod wire;
