//! The simulator.

pub mod chance;
pub mod disk;
