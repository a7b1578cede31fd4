//! Fuzz tests: whatever comes from a network, a disk or a person is read or refused, never more.
//!
//! | module | holds |
//! |---|---|
//! | `target` | how one target runs: its corpus, each input as it is and as a recipe of changes to the corpus |
//! | `recipe` | from random bytes to a changed copy of something valid |
//! | `heap` | how much memory a call takes at most |
//! | `samples` | valid encodings, from which the corpora were written |
//! | the others | the targets |
//!
//! Each target replays its corpus, then tries some thousand fresh random inputs. One that fails is written into the
//! corpus; once understood, it gets a name that says what it was, and stays.
//!
//! - one target: `cargo test -p seatkeeper-tests --test fuzz license`
//! - longer: `SEATKEEPER_FUZZ_RUNS=10000000 cargo test --release -p seatkeeper-tests --test fuzz`
//! - again: with the `SEATKEEPER_FUZZ_SEED` that the failure printed
//! - to write the samples in the corpora anew: `SEATKEEPER_WRITE_CORPUS=1 cargo test -p seatkeeper-tests --test fuzz corpora`

mod api;
mod audit;
mod examples;
mod frames;
mod heap;
mod inventory;
mod ledger;
mod license;
mod recipe;
mod samples;
mod signed;
mod target;
