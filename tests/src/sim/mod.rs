//! The simulator.

pub mod chance;
pub mod clock;
pub mod disk;
pub mod net;
