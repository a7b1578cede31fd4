//! Tests of the ledger as a whole. Every entry goes through [`office::Office::apply`], which checks the invariants.

mod admission;
mod audit;
mod borrow;
pub(crate) mod brute;
pub(crate) mod chance;
mod counts;
mod divided;
mod golden;
mod happenings;
mod holds;
mod inventory;
mod licenses;
mod members;
mod million;
pub(crate) mod office;
mod organisation;
mod property;
mod queue;
mod random;
mod renewals;
mod requests;
mod rules;
mod seats;
mod steps;
mod units;
mod usage;
mod whatif;
