//! `seatkeeper limits`: who may use how many seats, and who goes first.

use clap::{Args, Subcommand};
use seatkeeper_client::{Client, api};
use seatkeeper_ledger::command::{Command, NodeLimits, Whom};
use seatkeeper_ledger::org::NodeId;
use seatkeeper_protocol::id::{Name, ProductId};

use super::args::SignArgs;
use super::device;
use super::fail::Fail;
use super::print;
use super::purchase::parse_node;
use super::sign::SiteSigner;

/// `limits`.
#[derive(Debug, Subcommand)]
pub enum LimitsCommand {
    /// Limit how many seats of a product somebody uses at once; 0 excludes. For a node: all its limits anew
    Set {
        /// The product
        product: ProductId,
        /// For whom.
        #[command(flatten)]
        whom: LimitedArgs,
        /// How many seats
        #[arg(long, value_name = "N", required_unless_present = "node")]
        seats: Option<u32>,
        /// What else is limited.
        #[command(flatten)]
        more: NodeArgs,
        /// With which key.
        #[command(flatten)]
        sign: SignArgs,
    },
    /// Remove a limit, or all limits of a node
    Remove {
        /// The product
        product: ProductId,
        /// For whom.
        #[command(flatten)]
        whom: LimitedArgs,
        /// With which key.
        #[command(flatten)]
        sign: SignArgs,
    },
    /// Say which users are in a group; without any the group is removed
    Group {
        /// The group's name
        name: Name,
        /// The users, all of them
        users: Vec<Name>,
        /// With which key.
        #[command(flatten)]
        sign: SignArgs,
    },
    /// Say who goes first in queues
    Priority {
        /// For whom.
        #[command(flatten)]
        whom: WhomArgs,
        /// 0 (as everybody) to 9 (first)
        #[arg(value_name = "N", value_parser = clap::value_parser!(u8).range(0..=9))]
        priority: u8,
        /// With which key.
        #[command(flatten)]
        sign: SignArgs,
    },
}

/// For whom a rule is.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct WhomArgs {
    /// A user
    #[arg(long, value_name = "NAME")]
    user: Option<Name>,
    /// The users of a group together
    #[arg(long, value_name = "NAME")]
    group: Option<Name>,
    /// Whoever uses a machine: its id, the beginning of it, or its name
    #[arg(long, value_name = "DEVICE")]
    device: Option<String>,
}

/// For whom a limit is.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct LimitedArgs {
    /// A user
    #[arg(long, value_name = "NAME")]
    user: Option<Name>,
    /// The users of a group together
    #[arg(long, value_name = "NAME")]
    group: Option<Name>,
    /// Whoever uses a machine: its id, the beginning of it, or its name
    #[arg(long, value_name = "DEVICE")]
    device: Option<String>,
    /// The machines of a unit of the organisation and of those below it, together
    #[arg(long, value_name = "NODE", value_parser = parse_node)]
    node: Option<NodeId>,
}

/// What is limited for a node only.
#[derive(Debug, Args)]
pub struct NodeArgs {
    /// With --node: how many borrowed seats at once
    #[arg(long, value_name = "N", requires = "node")]
    borrowed: Option<u32>,
    /// With --node: for how many days a seat may be borrowed
    #[arg(long, value_name = "N", requires = "node")]
    borrow_days: Option<u32>,
    /// With --node: how many of the seats that it may use must stay unborrowed
    #[arg(long, value_name = "N", requires = "node")]
    keep: Option<u32>,
}

impl LimitedArgs {
    /// A node, or whom else.
    fn of(self) -> Result<NodeId, WhomArgs> {
        let Self { user, group, device, node } = self;
        node.ok_or(WhomArgs { user, group, device })
    }
}

impl WhomArgs {
    async fn whom(self, client: &Client) -> Result<Whom, Fail> {
        match (self.user, self.group, self.device) {
            (Some(user), _, _) => Ok(Whom::User(user)),
            (_, Some(group), _) => Ok(Whom::Group(group)),
            (_, _, Some(id)) => {
                let devices = client.devices().await?;
                device::parse_device(&device::find(&devices, &id)?.id).map(Whom::Device)
            }
            (None, None, None) => Err(Fail::new(2, "say for whom: --user, --group or --device")),
        }
    }
}

pub(super) async fn limits(client: &Client, command: Option<LimitsCommand>, json: bool) -> Result<(), Fail> {
    let (command, sign, done) = match command {
        None => return list(client, json).await,
        Some(LimitsCommand::Set { product, whom, seats, more, sign }) => match whom.of() {
            Ok(node) => {
                let NodeArgs { borrowed, borrow_days, keep } = more;
                let limits = NodeLimits { seats, borrowed, borrow_days, kept: keep };
                if limits == NodeLimits::default() {
                    let say = "say what is limited: --seats, --borrowed, --borrow-days or --keep";
                    return Err(Fail::new(2, say));
                }
                let done = format!("Node {node} is limited in {product}: {limits}.");
                (Command::SetNodeLimits { product, node, limits }, sign, done)
            }
            Err(whom) => {
                let whom = whom.whom(client).await?;
                let seats = seats.unwrap_or_default();
                let done = match seats {
                    0 => format!("{product} is not for {whom}."),
                    1 => format!("1 seat of {product} at most is for {whom}."),
                    seats => format!("{seats} seats of {product} at most are for {whom}."),
                };
                (Command::SetLimit { product, whom, seats: Some(seats) }, sign, done)
            }
        },
        Some(LimitsCommand::Remove { product, whom, sign }) => match whom.of() {
            Ok(node) => {
                let done = format!("{product} is not limited for node {node}.");
                let limits = NodeLimits::default();
                (Command::SetNodeLimits { product, node, limits }, sign, done)
            }
            Err(whom) => {
                let whom = whom.whom(client).await?;
                let done = format!("{product} is not limited for {whom}.");
                (Command::SetLimit { product, whom, seats: None }, sign, done)
            }
        },
        Some(LimitsCommand::Group { name, users, sign }) => {
            let count = u32::try_from(users.len()).unwrap_or(u32::MAX);
            let done = match count {
                0 => format!("There is no group {name} any more."),
                count => format!("{} in the group {name}.", print::count(count, "user is", "users are")),
            };
            (Command::SetGroup { group: name, members: users }, sign, done)
        }
        Some(LimitsCommand::Priority { whom, priority, sign }) => {
            let whom = whom.whom(client).await?;
            let done = format!("The priority of {whom} in queues is {priority}.");
            (Command::SetPriority { whom, priority }, sign, done)
        }
    };
    SiteSigner::open(client, &sign).await?.send(&command).await?;
    print::line(done);
    Ok(())
}

async fn list(client: &Client, json: bool) -> Result<(), Fail> {
    let limits = client.limits().await?;
    if json {
        return print::json(&limits);
    }
    let row = |limit: &api::Limit| {
        vec![limit.product.clone(), whom(&limit.whom), limit.seats.to_string(), limit.used.to_string()]
    };
    let rows: Vec<_> = limits.limits.iter().map(row).collect();
    if !rows.is_empty() || limits.nodes.is_empty() {
        let none = "No limits: everybody may use every seat.";
        print::table(&["product", "for", "seats", "in use"], &rows, none);
    }
    if !limits.nodes.is_empty() {
        let rows: Vec<_> = limits.nodes.iter().map(node_row).collect();
        let head = ["product", "node", "seats", "in use", "borrowed", "in use", "days", "kept"];
        if !limits.limits.is_empty() {
            print::line("");
        }
        print::table(&head, &rows, "");
    }
    if !limits.priorities.is_empty() {
        let row = |priority: &api::Priority| vec![priority.priority.to_string(), whom(&priority.whom)];
        let rows: Vec<_> = limits.priorities.iter().map(row).collect();
        print::line("");
        print::table(&["priority", "for"], &rows, "");
    }
    if !limits.groups.is_empty() {
        let row = |group: &api::Group| vec![group.name.clone(), group.members.join(", ")];
        let rows: Vec<_> = limits.groups.iter().map(row).collect();
        print::line("");
        print::table(&["group", "users"], &rows, "");
    }
    Ok(())
}

fn node_row(limits: &api::NodeLimits) -> Vec<String> {
    let most = |limit: Option<u32>| limit.map_or_else(|| "-".to_owned(), |limit| limit.to_string());
    vec![
        limits.product.clone(),
        limits.node.clone(),
        most(limits.seats),
        limits.used.to_string(),
        most(limits.borrowed),
        limits.used_borrowed.to_string(),
        most(limits.borrow_days),
        most(limits.kept),
    ]
}

fn whom(whom: &api::Whom) -> String {
    match (&whom.user, &whom.group, &whom.device_name) {
        (Some(user), _, _) => format!("user {user}"),
        (_, Some(group), _) => format!("group {group}"),
        (_, _, Some(device)) => format!("device {device}"),
        (None, None, None) => "-".to_owned(),
    }
}
