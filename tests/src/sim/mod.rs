//! The simulator.

pub mod chance;
