//! The real binary on the loopback interface: programs, signals and seats on one machine.

#![cfg(unix)]

mod api;
mod audit;
mod launcher;
mod licenses;
mod office;
mod queue;
mod run;
mod verify;
