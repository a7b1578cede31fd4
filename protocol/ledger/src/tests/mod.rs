//! Tests of the ledger as a whole. Every entry goes through [`office::Office::apply`], which checks the invariants.

mod golden;
mod licenses;
mod members;
mod office;
mod property;
mod requests;
mod seats;
