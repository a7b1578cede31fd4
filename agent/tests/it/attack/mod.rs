//! Hostile machines: they speak the product's own protocol over real QUIC and TLS, but do not keep to it.
//!
//! | module | holds |
//! |---|---|
//! | [`peer`] | a machine that says what a test wants |
//! | `keys` | without a key, with a guessed code, with a replayed proof, with a revoked key |
//! | `floods` | frames that are none, silence, floods |

#![allow(clippy::print_stdout, reason = "figures are for whoever runs the tests")]

mod floods;
mod keys;
mod peer;
