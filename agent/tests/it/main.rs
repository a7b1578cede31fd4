//! The real binary on the loopback interface: programs, signals and seats on one machine.

#![cfg(unix)]

mod api;
#[cfg(target_os = "linux")]
mod idle;
mod licenses;
mod office;
mod queue;
mod run;
mod verify;
