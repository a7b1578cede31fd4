//! The real binary on the loopback interface: programs, signals and seats on one machine.

#![cfg(unix)]

mod api;
mod audit;
mod compliance;
mod damage;
#[cfg(target_os = "linux")]
mod idle;
mod launcher;
mod licenses;
#[cfg(target_os = "linux")]
mod logind;
mod office;
mod organisation;
mod queue;
mod run;
mod verify;
