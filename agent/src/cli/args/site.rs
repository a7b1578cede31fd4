//! `site`, `admin` and `device`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use seatkeeper_protocol::id::{Name, PublicKey};

use super::{SignArgs, WatchArgs, parse_duration};

/// `site`.
#[derive(Debug, Subcommand)]
pub enum SiteCommand {
    /// Create a site with this machine as its first
    Create {
        /// The site's name
        name: Name,
        /// The first admin's name
        #[arg(long, value_name = "WHO")]
        admin: Name,
        /// Read the new key's password from this file instead of asking
        #[arg(long, value_name = "F")]
        password_file: Option<PathBuf>,
    },
    /// Print a code with which machines join
    Invite {
        /// How long the code works, such as 30m, 12h or 7d
        #[arg(long = "for", value_name = "DUR", default_value = "7d", value_parser = parse_duration)]
        lasts: Duration,
        /// How many machines it admits
        #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000))]
        uses: u32,
        /// Where a machine of the site answers, for networks without mDNS
        #[arg(long, value_name = "ADDR:PORT")]
        address: Option<SocketAddr>,
        /// With which key.
        #[command(flatten)]
        sign: SignArgs,
    },
    /// Join a site by a code, or wait to be admitted
    Join {
        /// The code
        #[arg(conflicts_with = "join_file")]
        code: Option<String>,
        /// Read the code from this file
        #[arg(long, value_name = "F")]
        join_file: Option<PathBuf>,
    },
    /// Show the site's identity
    Show,
    /// Take this machine out of its site
    Leave,
    /// Write the site's books into a file, which only the recovery code opens
    Export {
        /// The file
        #[arg(long, short = 'o', value_name = "FILE")]
        output: PathBuf,
    },
    /// Go on from such a file, after all machines with newer books were lost for good
    Import {
        /// The file
        file: PathBuf,
        /// Do not ask whether they are off
        #[arg(long)]
        yes: bool,
        /// Read the recovery code from this file instead of asking
        #[arg(long, value_name = "F")]
        code_file: Option<PathBuf>,
    },
    /// Go on from this machine's books alone, after most of the voting machines were lost for good
    Recover {
        /// Only show what that would mean
        #[arg(long)]
        plan: bool,
        /// Do not ask whether the other machines are off
        #[arg(long)]
        yes: bool,
        /// Read the recovery code from this file instead of asking
        #[arg(long, value_name = "F")]
        code_file: Option<PathBuf>,
    },
}

/// `admin`.
#[derive(Debug, Subcommand)]
pub enum AdminCommand {
    /// Add a person, or replace the person's key
    Add {
        /// The person's name
        name: Name,
        /// What the person may do
        #[arg(long, value_enum, default_value_t = Role::Admin)]
        role: Role,
        /// The person's own public key; else a key file is made here
        #[arg(long, value_name = "PUBKEY", conflicts_with = "new_password_file")]
        key: Option<PublicKey>,
        /// Read the new key's password from this file instead of asking
        #[arg(long, value_name = "F")]
        new_password_file: Option<PathBuf>,
        /// With which key.
        #[command(flatten)]
        sign: SignArgs,
    },
    /// List them
    List,
    /// Remove a person
    Remove {
        /// The person's name
        name: Name,
        /// With which key.
        #[command(flatten)]
        sign: SignArgs,
    },
    /// Change the password of a key file
    Passwd {
        /// Read the new password from this file instead of asking
        #[arg(long, value_name = "F")]
        new_password_file: Option<PathBuf>,
        /// Which key.
        #[command(flatten)]
        sign: SignArgs,
    },
}

/// What an admin may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Role {
    /// Everything
    Admin,
    /// Look
    Reader,
}

/// `device`.
#[derive(Debug, Subcommand)]
pub enum DeviceCommand {
    /// List them, and those that wait to be admitted
    List(WatchArgs),
    /// Admit a waiting machine; compare its id with what it shows first
    Admit {
        /// Its id, or the beginning of it (8 characters or more)
        id: String,
        /// With which key.
        #[command(flatten)]
        sign: SignArgs,
    },
    /// Shut a machine out for good
    Revoke {
        /// Its id, the beginning of it, or its name
        id: String,
        /// Read the recovery code from this file (needed if the machine knew the pool key)
        #[arg(long, value_name = "F")]
        recovery_file: Option<PathBuf>,
        /// With which key.
        #[command(flatten)]
        sign: SignArgs,
    },
    /// Report a machine as lost: it gets no seats, and what it borrowed comes back as the licenses allow
    Lost {
        /// Its id, the beginning of it, or its name
        id: String,
        /// It is found again
        #[arg(long)]
        found: bool,
        /// With which key.
        #[command(flatten)]
        sign: SignArgs,
    },
    /// Set what you know better than the machine
    Set {
        /// Its id, the beginning of it, or its name
        id: String,
        /// What is set.
        #[command(flatten)]
        settings: SettingsArgs,
        /// With which key.
        #[command(flatten)]
        sign: SignArgs,
    },
}

/// What `device set` sets.
#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
pub struct SettingsArgs {
    /// Its name
    #[arg(long, value_name = "N")]
    pub name: Option<Name>,
    /// Whether it is always on
    #[arg(long, value_enum, value_name = "yes|no")]
    pub always_on: Option<YesNo>,
    /// Whether it stays or leaves
    #[arg(long, value_enum, value_name = "desktop|laptop")]
    pub form: Option<FormArg>,
}

/// Yes or no.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum YesNo {
    /// Yes
    Yes,
    /// No
    No,
}

/// What kind of machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FormArg {
    /// Stays where it is
    Desktop,
    /// Leaves
    Laptop,
}
