//! Everything an operating system does differently. No other module calls the system; Unix and Windows stand side
//! by side here, and Windows' `unsafe` calls are in `windows` alone.
//!
//! | module | holds |
//! |---|---|
//! | `browser` | opening it |
//! | [`child`] | the child of `seatkeeper run` |
//! | [`clock`] | the two clocks |
//! | `dumps` | no image of the memory on the disk |
//! | [`files`] | permissions of files and folders |
//! | [`host`] | the machine's name, form and addresses |
//! | [`idle`] | for how long people have had no input |
//! | [`local`] | the local socket or pipe and who calls through it |
//! | [`lock`] | one agent per state folder |
//! | [`manager`] | the system's service manager |
//! | `notices` | desktop notices |
//! | [`paths`] | where state and keys are kept |
//! | `peer` | whose program is at the other end of a connection |
//! | `ports` | which program has a port |
//! | [`people`] | who is logged in |
//! | [`power`] | being told before the machine sleeps |
//! | [`signals`] | being told to stop |
//! | [`software`] | what is installed |
//! | [`terminal`] | the terminal of a command |
//! | [`tree`] | watching a process and everything it started |

pub(crate) mod browser;
pub mod child;
pub mod clock;
pub(crate) mod dialog;
pub(crate) mod dumps;
pub mod files;
pub mod host;
pub mod idle;
pub mod local;
pub mod lock;
pub mod manager;
pub(crate) mod menu;
pub(crate) mod notices;
pub mod paths;
pub(crate) mod peer;
pub mod people;
pub(crate) mod ports;
pub mod power;
pub mod signals;
pub mod software;
pub mod terminal;
pub mod tree;

#[cfg(windows)]
pub(crate) mod windows;
