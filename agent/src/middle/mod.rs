//! The pure middle of the agent: no IO, no clock, no randomness. `now` is always an argument.

pub mod asks;
pub mod audit;
pub mod book;
pub mod borrows;
pub mod contacts;
pub mod doctor;
pub mod health;
pub mod idle;
pub mod leases;
pub mod metrics;
pub mod nearby;
pub mod sessions;
pub mod sighting;
pub mod site_time;
pub mod standing;
pub mod webhook;
