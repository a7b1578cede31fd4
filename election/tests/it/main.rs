//! The engine on an in-process network with real logs on disk. Time is the runtime's paused clock: it runs on only
//! when nothing else can, so that a slow machine changes no outcome.
#![allow(missing_docs, reason = "tests")]

mod consensus;
mod controller;
mod office;
mod roles;
mod salvage;
mod site;
mod storage;
mod traps;
