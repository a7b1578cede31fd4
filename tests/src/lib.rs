//! Tests of Seatkeeper as a whole.
//!
//! | test | holds |
//! |---|---|
//! | `house` | the rules of the source: who imports whom, what is banned |
//! | `fuzz` | whatever bytes come from a network, a disk or a person |
//! | `lan` | the real binary on hosts that are network namespaces on one bridge |
//!
//! | module | holds |
//! |---|---|
//! | `bench` | `seatkeeper-tests bench`: figures of real agents, each beside its target (Linux only) |
//! | [`sim`] | `seatkeeper-tests sim`: real agents on simulated time, network and disks |

#[cfg(target_os = "linux")]
pub mod bench;
pub mod sim;
