//! What makes the command line comfortable, `--watch`, `completions`, man pages; and the webhook.

use std::path::PathBuf;

use clap::Args;
use clap_complete::Shell;

/// For what may be looked at as it changes.
#[derive(Clone, Copy, Debug, Args)]
pub struct WatchArgs {
    /// Show it again at each change, until Ctrl-C
    #[arg(long, conflicts_with = "json")]
    pub watch: bool,
}

/// `completions`.
#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// The shell
    pub shell: Shell,
}

/// `man`, for whoever makes packages.
#[derive(Debug, Args)]
pub struct ManArgs {
    /// The folder that the pages are written to
    #[arg(long, value_name = "DIR")]
    pub to: PathBuf,
}

/// Where an agent posts what somebody should know.
#[derive(Debug, Args)]
pub struct WebhookArgs {
    /// Post denials, the end of licenses, and a lost quorum to this address
    #[arg(long, value_name = "URL", requires = "webhook_secret_file")]
    pub webhook: Option<String>,
    /// The secret that these are signed with
    #[arg(long, value_name = "F", requires = "webhook")]
    pub webhook_secret_file: Option<PathBuf>,
}
