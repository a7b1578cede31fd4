//! Tests of the ledger as a whole. Every entry goes through [`office::Office::apply`], which checks the invariants.

mod admission;
mod borrow;
pub(crate) mod brute;
pub(crate) mod chance;
mod golden;
mod licenses;
mod members;
mod million;
pub(crate) mod office;
mod property;
mod queue;
mod random;
mod renewals;
mod requests;
mod rules;
mod seats;
mod steps;
mod usage;
