//! Tests of the ledger as a whole. Every entry goes through [`office::Office::apply`], which checks the invariants.

mod admission;
pub(crate) mod brute;
mod golden;
mod licenses;
mod members;
pub(crate) mod office;
mod property;
mod queue;
mod renewals;
mod requests;
mod seats;
