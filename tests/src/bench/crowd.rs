//! A holder with a thousand devices, half of which use a seat.
//!
//! The devices are agents in this process, each with its own key, state folder and port: they join by a code, keep
//! their sessions over QUIC, ping, and take seats like any other. What is measured is the holder, a process of its own.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt, stream};
use seatkeeper::host::{self, HostConfig, MdnsChoice};
use seatkeeper::node::{Node, SeatAsk, SeatHold};
use seatkeeper_client::api;
use seatkeeper_protocol::id::{Name, ProductId};

use super::idle::Use;
use super::office::{Office, PRODUCT, sentence, until};
use super::report::{Report, Target};
use super::{Failure, Setting};

const PART: &str = "crowd";
/// Five voters and two standbys, as a large office has; none of the crowd keeps the log.
const MACHINES: usize = 7;
/// Devices that start or join at once.
const AT_ONCE: usize = 8;
/// How long the crowd is left alone before the holder is measured: everybody has pinged a few times.
const CALM_DOWN: Duration = Duration::from_secs(20);
/// A thousand devices join one after the other: each is written down by a majority.
const JOIN_WITHIN: Duration = Duration::from_secs(300);

pub(super) async fn crowd(setting: &Setting, report: &mut Report) -> Result<(), Failure> {
    let devices = setting.times(1_000, 100);
    let office = Office::open(setting, MACHINES).await?;
    for machine in &office.machines {
        office.signed(&["device", "set", &machine.name, "--always-on", "yes"]).await?;
    }
    let crowd = tokio::time::timeout(JOIN_WITHIN, Crowd::gather(setting, &office, devices)).await;
    let crowd = crowd.map_err(|_| format!("{devices} devices did not join in time"))??;
    let holder = office.one_with_role("holder").await?;
    crowd.seen_by(&office, holder).await?;
    tokio::time::sleep(CALM_DOWN).await;
    let used = Use::begin(office.machines[holder].process()?)?;
    tokio::time::sleep(Duration::from_secs(setting.times(60, 10) as u64)).await;
    let cost = used.end()?;
    if office.one_with_role("holder").await? != holder {
        return Err("another machine became the holder while it was measured".to_owned());
    }
    crowd.seen_by(&office, holder).await?;
    let name = |what| format!("holder of {} sessions and {} seats, {what}", devices, crowd.seats.len());
    report.judge(PART, name("RSS"), cost.rss_mib, "MiB", Target::AtMost(80.0));
    report.judge(PART, name("of a core"), cost.cpu_percent, "%", Target::AtMost(10.0));
    crowd.go().await;
    office.close().await;
    Ok(())
}

/// Devices in this process.
struct Crowd {
    nodes: Vec<Node>,
    seats: Vec<SeatHold>,
    _dir: tempfile::TempDir,
}

impl Crowd {
    /// Starts them, has them join, and gives every other one a seat.
    async fn gather(setting: &Setting, office: &Office, devices: usize) -> Result<Self, Failure> {
        let dir = tempfile::Builder::new().prefix("sk-crowd").tempdir_in(&setting.dir).map_err(sentence)?;
        let code = office.invite(devices).await?;
        let peers: Vec<SocketAddr> = office.machines.iter().filter_map(|machine| machine.listens()).collect();
        let starting = stream::iter(0..devices).map(|number| {
            let folder = dir.path().join(number.to_string());
            join(folder, format!("d{number}"), peers.clone(), code.clone())
        });
        let nodes: Vec<Node> = starting.buffer_unordered(AT_ONCE).try_collect().await?;
        let seating = nodes.iter().step_by(2).map(take_seat);
        let seats = stream::iter(seating).buffer_unordered(AT_ONCE).try_collect().await?;
        Ok(Self { nodes, seats, _dir: dir })
    }

    /// Waits until the holder has a session with every device and knows every seat.
    async fn seen_by(&self, office: &Office, holder: usize) -> Result<(), Failure> {
        let client = &office.machines[holder].client;
        until("every device is online and has its seat", async || {
            let status = client.status().await?;
            let online = status.devices.map_or(0, |devices| devices.online);
            let used: u32 = status.pools.iter().map(|pool| pool.online).sum();
            let all = (self.nodes.len() + MACHINES, self.seats.len());
            Ok(((online as usize, used as usize) == all).then_some(()))
        })
        .await
    }

    async fn go(self) {
        drop(self.seats);
        stream::iter(&self.nodes).for_each_concurrent(AT_ONCE * 8, Node::stop).await;
    }
}

async fn join(
    state_dir: PathBuf,
    name: String,
    peers: Vec<SocketAddr>,
    code: String,
) -> Result<Node, Failure> {
    let config = HostConfig {
        state_dir,
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        peers,
        mdns: MdnsChoice::Off,
        name: Some(name),
        join_file: None,
    };
    let node = host::start(config).await.map_err(sentence)?;
    node.join(api::Join { code: Some(code) }).await.map_err(sentence)?;
    Ok(node)
}

async fn take_seat(node: &Node) -> Result<SeatHold, Failure> {
    let ask = SeatAsk {
        user: Name::new("eva").map_err(sentence)?,
        product: ProductId::new(PRODUCT).map_err(sentence)?,
        version: None,
        features: Vec::new(),
        pid: None,
        nonce: None,
        session: None,
        tree: None,
    };
    node.take_seat(ask).await.map_err(sentence)
}
