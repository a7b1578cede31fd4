//! `doctor` and `debug`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{DEFAULT_LISTEN, DEFAULT_WEB, WebArg};

/// `doctor`. What is said here counts where no agent answers; one that does knows it.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// Where an agent that does not run keeps keys and data
    #[arg(long, value_name = "D")]
    pub state_dir: Option<PathBuf>,
    /// The UDP address that it would listen on
    #[arg(long, value_name = "ADDR:PORT", default_value_t = DEFAULT_LISTEN)]
    pub listen: SocketAddr,
    /// Where its page would be served, or `off`
    #[arg(long, value_name = "ADDR:PORT|off", default_value = "127.0.0.1:7411")]
    pub web: WebArg,
}

impl Default for DoctorArgs {
    fn default() -> Self {
        Self { state_dir: None, listen: DEFAULT_LISTEN, web: WebArg::At(DEFAULT_WEB) }
    }
}

/// `debug`.
#[derive(Debug, Subcommand)]
pub enum DebugCommand {
    /// Pack log, health and state, without secrets, for whoever looks into a fault
    Bundle {
        /// Write to this file (else seatkeeper-debug-….tar.gz here)
        #[arg(long, value_name = "FILE")]
        to: Option<PathBuf>,
    },
}
