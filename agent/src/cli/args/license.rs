//! `license` and `vendor`.

use std::path::PathBuf;

use clap::Subcommand;
use seatkeeper_protocol::id::{Name, ProductId};

use super::SignArgs;

/// `license`.
#[derive(Debug, Subcommand)]
pub enum LicenseCommand {
    /// Trust a vendor's key for its products
    Trust {
        /// The vendor's public key, or the file with it
        #[arg(value_name = "VENDOR-KEY-FILE|PUBKEY")]
        key: String,
        /// The vendor's name as in its licenses (else as in the key file)
        #[arg(long, value_name = "N")]
        name: Option<Name>,
        /// What its products begin with; may be repeated
        #[arg(long, value_name = "PREFIX", required = true, num_args = 1..)]
        product: Vec<ProductId>,
        /// With which key.
        #[command(flatten)]
        sign: SignArgs,
    },
    /// Add a license file
    Add {
        /// The file
        file: PathBuf,
        /// With which key.
        #[command(flatten)]
        sign: SignArgs,
    },
    /// List them
    List,
    /// Show one
    Show {
        /// Its id
        id: String,
    },
    /// Remove one; running seats stay until they are given back
    Remove {
        /// Its id
        id: Name,
        /// With which key.
        #[command(flatten)]
        sign: SignArgs,
    },
}

/// `vendor`.
#[derive(Debug, Subcommand)]
pub enum VendorCommand {
    /// Make a signing key: FILE, and FILE.pub for customers
    Keygen {
        /// The vendor's name as in its licenses
        #[arg(long, value_name = "N")]
        name: Name,
        /// The key file
        #[arg(short, long, value_name = "FILE", default_value = "vendor.key")]
        output: PathBuf,
    },
    /// Sign a license
    Sign {
        /// The license without a signature
        file: PathBuf,
        /// The key file
        #[arg(long, value_name = "KEYFILE")]
        key: PathBuf,
        /// Sign though it names no site, so that it works at every site at once
        #[arg(long)]
        unbound: bool,
        /// Where to write the signed license (else to standard output)
        #[arg(short, long, value_name = "OUT")]
        output: Option<PathBuf>,
    },
    /// Check a license file
    Verify {
        /// The license
        file: PathBuf,
        /// The vendor's public key, or the file with it (else the key that the license names)
        #[arg(long, value_name = "PUB")]
        key: Option<String>,
    },
}
