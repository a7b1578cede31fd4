//! The real binary on the loopback interface: programs, signals and seats on one machine.

#![cfg(unix)]

mod api;
mod attack;
mod audit;
mod comfort;
mod compliance;
mod damage;
mod devices;
mod doctor;
mod http;
#[cfg(target_os = "linux")]
mod idle;
mod launcher;
mod licenses;
#[cfg(target_os = "linux")]
mod logind;
mod metrics;
#[cfg(target_os = "linux")]
mod notices;
mod office;
mod organisation;
mod queue;
mod rest;
mod run;
mod verify;
mod web;
mod webhook;
