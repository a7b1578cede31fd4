//! The simulator: an office of real agents (all code between the seams) on simulated machines, with checkers for every
//! invariant after every step.
//!
//! | module | holds |
//! |---|---|
//! | [`chance`] | chance that repeats, down to the crates that ask the system for it |
//! | [`clock`], [`disk`], [`net`] | the simulated hardware |
//! | [`device`], [`program`] | a machine, the run of its agent, and its programs |
//! | [`site`] | what admin and vendor do |
//! | [`world`] | true time: one step after the other |
//! | [`lending`] | what people do with borrowed seats |
//! | [`watch`], [`history`], [`check`] | what is seen, what the books were, what must hold |
//! | [`counts`], [`trace`] | what happened |
//! | [`script`] | stories: a cluster's behaviour as a script that people read |

pub mod batch;
pub mod chance;
pub mod check;
pub mod cli;
pub mod clock;
pub mod counts;
pub mod device;
pub mod disk;
pub mod history;
pub mod lending;
pub mod net;
pub mod program;
pub mod rival;
pub mod run;
pub mod schedule;
pub mod script;
pub mod site;
pub mod trace;
pub mod watch;
pub mod world;
