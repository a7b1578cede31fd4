//! The Seatkeeper agent: the service on every machine, and the command line.
//!
//! The *middle* is pure: it takes `now` and events and answers effects. The *edge* does IO and imports the middle,
//! never the other way round; a test holds it to that.
//!
//! | module | room | holds |
//! |---|---|---|
//! | [`middle`] | middle | session, holder, standing, discovery book, health |
//! | [`keys`] | middle | identities, sealing, codes, admin key files |
//! | [`seam`] | middle | the traits through which a node reaches its machine |
//! | [`node`] | between | the agent's loop: wires engine, sessions and disk together; sees the machine through the seams alone |
//! | `plan` | between | what an admin wants, as commands of the ledger |
//! | [`host`] | edge | the real machine behind the seams |
//! | [`quic`] | edge | one UDP port, three ALPNs, mutual TLS |
//! | [`mdns`] | edge | finding and announcing |
//! | [`disk`] | edge | every path, atomic files, the state directory |
//! | [`http`] | edge | the local API |
//! | [`webhook`] | edge | telling a URL what somebody should know |
//! | [`platform`] | edge | everything an operating system does differently |
//! | [`cli`] | edge | the commands |
//! | [`demo`] | edge | `seatkeeper demo` |

pub mod cli;
pub mod demo;
pub mod disk;
pub mod host;
pub mod http;
pub mod keys;
pub mod mdns;
pub mod middle;
pub mod node;
mod plan;
pub mod platform;
pub mod quic;
pub mod seam;
pub mod webhook;
