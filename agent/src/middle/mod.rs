//! The pure middle of the agent: no IO, no clock, no randomness.

pub mod sighting;
