//! The LAN test: real agents, each on a host that is a network namespace, all on one bridge.
//!
//! | module | holds |
//! |---|---|
//! | `lan` | the bridge, its hosts, cables that can be pulled |
//! | `host` | an agent and the command line on one host |
//! | `logind` | what tells a host that it is going to sleep |
//! | `program` | a program that holds a seat |
//! | `office` | a site with a license on a LAN |
//! | the others | the tests |
//!
//! It needs Linux, root, `ip` and for some tests `nft`; elsewhere each test says that it was skipped, except in CI (`CI=true`), where it
//! fails. `SEATKEEPER_TESTS_KEEP=1` keeps the hosts' files.

#![cfg(target_os = "linux")]

mod borrow;
mod doctor;
mod failover;
mod host;
mod joining;
mod lan;
mod logind;
mod moving;
mod office;
mod organisation;
mod power;
mod program;
mod recovery;
mod seats;
mod sleep;
mod wait;
