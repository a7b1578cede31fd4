//! What may stand on the command line.
//!
//! | module | holds |
//! |---|---|
//! | `site` | `site`, `admin`, `device` |
//! | `doctor` | `doctor`, `debug` |
//! | `license` | `license`, `vendor` |
//! | `comfort` | `--watch`, `completions`, `man` |

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgGroup, Args, Parser, Subcommand, ValueEnum};
use seatkeeper_protocol::id::{DeviceId, Feature, Name, Note, ProductId, SeatId, Version};
use seatkeeper_protocol::license::Date;
use seatkeeper_protocol::time::WallTime;

use crate::cli::audit::AuditArgs;
use crate::cli::compliance::ComplianceArgs;
use crate::cli::inventory::InventoryCommand;
use crate::cli::launcher::LauncherCommand;
use crate::cli::limits::LimitsCommand;
use crate::cli::notices::NoticesArgs;
use crate::cli::org::OrgCommand;
use crate::cli::purchase::{AllocationCommand, PurchaseCommand};

mod comfort;
mod doctor;
mod license;
mod site;

pub use comfort::{CompletionsArgs, ManArgs, WatchArgs, WebhookArgs};
pub use doctor::{DebugCommand, DoctorArgs};
pub use license::{LicenseCommand, VendorCommand};
pub use site::{AdminCommand, DeviceCommand, FormArg, Role, SettingsArgs, SiteCommand, YesNo};

/// Floating licenses without a server: the machines of an office elect one of them to hand out the seats.
#[derive(Debug, Parser)]
#[command(name = "seatkeeper", version, disable_help_subcommand = true, propagate_version = false)]
pub struct Cli {
    /// The agent's socket (else SEATKEEPER_SOCKET, else this machine's agent)
    #[arg(long, global = true, value_name = "P")]
    pub socket: Option<PathBuf>,
    /// Print JSON (listings and status)
    #[arg(long, global = true)]
    pub json: bool,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Where an agent listens, unless told otherwise.
const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), 7410);
/// Where it serves its page.
const DEFAULT_WEB: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 7411);

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the agent: the service on every machine
    Agent(AgentArgs),
    /// Watch three agents on this machine elect a holder, hand out seats and survive a crash
    Demo {
        /// Leave the agents running to play with
        #[arg(long)]
        keep: bool,
    },
    /// Create, join, show or leave a site
    #[command(subcommand)]
    Site(SiteCommand),
    /// Who administers the site
    #[command(subcommand)]
    Admin(AdminCommand),
    /// The machines of the site
    #[command(subcommand)]
    Device(DeviceCommand),
    /// The site's licenses and the vendors it trusts
    #[command(subcommand)]
    License(LicenseCommand),
    /// Who may use how many seats, and who goes first
    Limits {
        /// What to do with them; nothing: list them.
        #[command(subcommand)]
        command: Option<LimitsCommand>,
    },
    /// The organisation: its nodes, and which machines belong to them
    #[command(subcommand)]
    Org(OrgCommand),
    /// What was bought, for which part of the organisation
    #[command(subcommand)]
    Purchase(PurchaseCommand),
    /// Which part of a purchase is for which node
    #[command(subcommand)]
    Allocation(AllocationCommand),
    /// What is installed where
    #[command(subcommand)]
    Inventory(InventoryCommand),
    /// Whether what is installed is covered by what was bought
    Compliance(ComplianceArgs),
    /// For vendors: make keys, sign and verify licenses
    #[command(subcommand)]
    Vendor(VendorCommand),
    /// How the site and this machine are
    Status(WatchArgs),
    /// Look for what is wrong with the site, this machine and its network, and say how to mend it
    Doctor(DoctorArgs),
    /// For whoever looks into a fault
    #[command(subcommand)]
    Debug(DebugCommand),
    /// Open this machine's page in the browser, in your name
    Open {
        /// Print its address instead; it works once, within a minute
        #[arg(long)]
        print: bool,
    },
    /// Who uses which seat
    #[command(args_conflicts_with_subcommands = true)]
    Seats {
        /// Whether once.
        #[command(flatten)]
        watch: WatchArgs,
        /// What to do with them; nothing: list them.
        #[command(subcommand)]
        command: Option<SeatsCommand>,
    },
    /// What happened lately
    Events {
        /// Go on as it happens
        #[arg(long)]
        follow: bool,
    },
    /// How much was used and refused, by day or hour
    Usage(UsageArgs),
    /// List and export what was recorded, and verify that nothing of it was changed
    Audit(AuditArgs),
    /// Run a program that holds a seat as long as it or anything it started runs
    Run(RunArgs),
    /// Hold a seat until interrupted
    Hold(SeatArgs),
    /// Start programs with a seat from the desktop's menu
    #[command(subcommand)]
    Launcher(LauncherCommand),
    /// Borrow a seat: this machine then uses it without any network
    Borrow(BorrowArgs),
    /// Give a borrowed seat back
    Return {
        /// The product
        #[arg(value_name = "PRODUCT[@VERSION]")]
        product: ProductAt,
    },
    /// Desktop notices: on, off, or show those about borrowed seats (a desktop starts that by itself)
    Notices(NoticesArgs),
    /// Print a script by which a shell completes commands, such as for `source <(seatkeeper completions bash)`
    Completions(CompletionsArgs),
    /// Write the manual's pages
    #[command(hide = true)]
    Man(ManArgs),
}

/// `agent`.
#[derive(Debug, Args)]
pub struct AgentArgs {
    /// Take options from this file too: lines such as `listen = "[::]:7410"`; the command line wins
    #[arg(long, value_name = "F")]
    pub config: Option<PathBuf>,
    /// Where keys and data are kept
    #[arg(long, value_name = "D")]
    pub state_dir: Option<PathBuf>,
    /// The UDP address for other agents
    #[arg(long, value_name = "ADDR:PORT", default_value_t = DEFAULT_LISTEN)]
    pub listen: SocketAddr,
    /// An agent to dial besides those found; may be repeated
    #[arg(long, value_name = "ADDR:PORT")]
    pub peer: Vec<SocketAddr>,
    /// Neither announce this machine nor look for others by mDNS
    #[arg(long, conflicts_with = "mdns_interface")]
    pub no_mdns: bool,
    /// Use mDNS on this network interface only; may be repeated
    #[arg(long, value_name = "NAME")]
    pub mdns_interface: Vec<String>,
    /// This machine's name (else its host name)
    #[arg(long, value_name = "N")]
    pub name: Option<Name>,
    /// Join the site of the code in this file, unless in a site already; the file is then wiped
    #[arg(long, value_name = "F")]
    pub join_file: Option<PathBuf>,
    /// Whom to tell.
    #[command(flatten)]
    pub webhook: WebhookArgs,
    /// Where this machine's page is served, or `off`
    #[arg(long, value_name = "ADDR:PORT|off", default_value = "127.0.0.1:7411")]
    pub web: WebArg,
    /// The page's certificate chain (PEM); needed for an address that other machines reach
    #[arg(long, value_name = "F", requires = "web_key")]
    pub web_cert: Option<PathBuf>,
    /// The certificate's private key (PEM)
    #[arg(long, value_name = "F", requires = "web_cert")]
    pub web_key: Option<PathBuf>,
}

/// Where the page is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WebArg {
    /// Nowhere
    Off,
    /// There
    At(SocketAddr),
}

impl std::str::FromStr for WebArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "off" => Ok(Self::Off),
            _ => text.parse().map(Self::At).map_err(|_| {
                format!("`{text}` is neither an address with a port, such as 127.0.0.1:7411, nor `off`")
            }),
        }
    }
}

/// With which key a command is signed.
#[derive(Clone, Debug, Args)]
pub struct SignArgs {
    /// Which admin signs (else the only one with a key file of this site here)
    #[arg(long, value_name = "WHO")]
    pub admin: Option<Name>,
    /// Read the key's password from this file instead of asking
    #[arg(long, value_name = "F")]
    pub password_file: Option<PathBuf>,
}

/// `seats`.
#[derive(Debug, Subcommand)]
pub enum SeatsCommand {
    /// Ask who has an idle seat to give it up, while you wait for one; nothing is taken away
    Ask {
        /// Its id, as listed
        id: SeatId,
        /// What to say to who has it
        #[arg(long, value_name = "TEXT")]
        message: Option<Note>,
    },
    /// Take a seat away from whoever uses it
    Release {
        /// Its id, as listed
        id: SeatId,
        /// With which key.
        #[command(flatten)]
        sign: SignArgs,
    },
}

/// What seat is wanted.
#[derive(Debug, Args)]
pub struct SeatArgs {
    /// The product
    #[arg(value_name = "PRODUCT[@VERSION]")]
    pub product: ProductAt,
    /// A feature it needs; may be repeated
    #[arg(long, value_name = "F")]
    pub feature: Vec<Feature>,
    /// Wait in the queue while no seat is free: as long as it takes, or for so long (90s, 30m, 12h)
    #[arg(long, value_name = "DUR", value_parser = parse_duration, num_args = 0..=1, require_equals = true,
          default_missing_value = WAIT_FOREVER)]
    pub wait: Option<Duration>,
}

/// `usage`.
#[derive(Debug, Args)]
pub struct UsageArgs {
    /// This product alone
    pub product: Option<ProductId>,
    /// From this day, or time (RFC 3339)
    #[arg(long, value_name = "DATE", value_parser = parse_from)]
    pub from: Option<WallTime>,
    /// To the end of this day, or before this time
    #[arg(long, value_name = "DATE", value_parser = parse_to)]
    pub to: Option<WallTime>,
    /// By hour, of the last 7 days
    #[arg(long)]
    pub hours: bool,
    /// What would have come of the recorded starts if there had been N seats of the product
    #[arg(long, value_name = "N", requires = "product", conflicts_with_all = ["hours", "csv", "watch"])]
    pub what_if: Option<u32>,
    /// Comma separated values
    #[arg(long, conflicts_with_all = ["json", "watch"])]
    pub csv: bool,
    /// Whether once.
    #[command(flatten)]
    pub watch: WatchArgs,
}

/// `borrow`.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("end").args(["until", "lasts"]))]
pub struct BorrowArgs {
    /// The product
    #[arg(value_name = "PRODUCT[@VERSION]", required_unless_present = "list", requires = "end")]
    pub product: Option<ProductAt>,
    /// To the end of this day (2026-12-24), or until this time (RFC 3339)
    #[arg(long, value_name = "DATE", value_parser = parse_until)]
    pub until: Option<WallTime>,
    /// For so long, such as 12h, 7d or 2w
    #[arg(long = "for", value_name = "DUR", value_parser = parse_duration)]
    pub lasts: Option<Duration>,
    /// Prolong it to as long from then whenever the site is seen: a lost laptop then costs days, not months
    #[arg(long)]
    pub renew: bool,
    /// A feature it needs; may be repeated
    #[arg(long, value_name = "F")]
    pub feature: Vec<Feature>,
    /// List what is borrowed on this machine
    #[arg(long, conflicts_with_all = ["product", "until", "lasts", "renew", "feature"])]
    pub list: bool,
    /// Whether once.
    #[command(flatten)]
    pub watch: WatchArgs,
}

/// `--wait` without a time: as long as it takes.
const WAIT_FOREVER: &str = "3650d";

/// `run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// Which seat.
    #[command(flatten)]
    pub seat: SeatArgs,
    /// What to do when the seat is lost while the program runs
    #[arg(long, value_enum, value_name = "warn|terminate", default_value_t = OnLost::Warn, require_equals = true)]
    pub on_lost: OnLost,
    /// Tell the person in windows, where there is a screen: a refusal asks whether to wait
    #[arg(long)]
    pub window: bool,
    /// Write how it ended to this file, as JSON
    #[arg(long, value_name = "F")]
    pub status_file: Option<PathBuf>,
    /// The program and its arguments
    #[arg(last = true, required = true, num_args = 1.., value_name = "COMMAND")]
    pub command: Vec<std::ffi::OsString>,
}

/// What to do when the seat is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum OnLost {
    /// Tell
    Warn,
    /// Tell and end the program
    Terminate,
}

/// `PRODUCT[@VERSION]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProductAt {
    /// Product.
    pub product: ProductId,
    /// Version.
    pub version: Option<Version>,
}

impl std::str::FromStr for ProductAt {
    type Err = seatkeeper_protocol::id::IdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (product, version) = match text.split_once('@') {
            Some((product, version)) => (product, Some(Version::new(version)?)),
            None => (text, None),
        };
        Ok(Self { product: ProductId::new(product)?, version })
    }
}

impl std::fmt::Display for ProductAt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.product)?;
        self.version.as_ref().map_or(Ok(()), |version| write!(f, "@{version}"))
    }
}

/// Reads `90s`, `30m`, `12h`, `7d`, `2w`.
///
/// # Errors
/// A sentence.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is not a duration; write a number and s, m, h, d or w, such as 12h");
    let split = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
    let (number, unit) = text.split_at(split);
    let unit_s: u64 = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 60 * 60,
        "d" => 24 * 60 * 60,
        "w" => 7 * 24 * 60 * 60,
        _ => return Err(wrong()),
    };
    let number: u64 = number.parse().map_err(|_| wrong())?;
    match number.checked_mul(unit_s) {
        Some(seconds) if (1..=10 * 366 * 24 * 60 * 60).contains(&seconds) => Ok(Duration::from_secs(seconds)),
        _ => Err(format!("`{text}` is out of range; use one second to ten years")),
    }
}

/// A day to its end wherever on Earth, or an instant.
fn parse_until(text: &str) -> Result<WallTime, String> {
    Date::read(text).map_or_else(|| instant(text), |day| Ok(day.ends()))
}

/// The beginning of a day, UTC, or an instant.
pub(super) fn parse_from(text: &str) -> Result<WallTime, String> {
    Date::read(text).map_or_else(|| instant(text), |day| Ok(day.starts()))
}

/// The end of a day, UTC, or an instant.
pub(super) fn parse_to(text: &str) -> Result<WallTime, String> {
    Date::read(text).map_or_else(|| instant(text), |day| Ok(day.starts().plus_ms(24 * 60 * 60 * 1_000)))
}

fn instant(text: &str) -> Result<WallTime, String> {
    WallTime::from_rfc3339(text).map_err(|_| {
        format!("`{text}` is neither a day such as 2026-12-24 nor a time such as 2026-12-24T18:00:00+01:00")
    })
}

/// Whether `device` is meant by `id`: the whole of it or its beginning, 8 characters or more.
pub fn names_device(id: &str, device: &str) -> bool {
    let id = id.trim().to_ascii_lowercase();
    id.parse::<DeviceId>().is_ok_and(|id| id.to_string() == device)
        || (id.len() >= 8 && device.starts_with(&id))
}
