//! The real machine behind the seams: QUIC, mDNS, the state directory, the system's clocks and processes.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ed25519_dalek::SigningKey;
use seatkeeper_election::EngineConfig;
use seatkeeper_election::seam::Clock;
use seatkeeper_ledger::inventory::Software;
use seatkeeper_protocol::id::Name;
use tokio::sync::mpsc;

use crate::disk::{StateDir, read_bounded};
use crate::keys::identity;
use crate::mdns::{Interfaces, Mdns};
use crate::node::{Node, NodeConfig, StartError};
use crate::platform;
use crate::platform::clock::SystemClock;
use crate::platform::tree::ProcessTree;
use crate::quic::Quic;
use crate::seam::{BoxTree, Discovery, Disk, Gate, Inbound, Network, Programs, TreeIdentity, Users, World};

/// Longest join file, bytes.
const JOIN_FILE_BYTES_MAX: usize = 1_024;

/// How an agent is started on this machine.
#[derive(Clone, Debug)]
pub struct HostConfig {
    /// Where its state lives.
    pub state_dir: PathBuf,
    /// The UDP address to listen on.
    pub listen: SocketAddr,
    /// Addresses to dial beside what mDNS shows.
    pub peers: Vec<SocketAddr>,
    /// Whether and where to use mDNS.
    pub mdns: MdnsChoice,
    /// The device's name; the host name by default.
    pub name: Option<String>,
    /// A file with an invitation's code: joined by it once, then deleted.
    pub join_file: Option<PathBuf>,
}

/// Whether and where to use mDNS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MdnsChoice {
    /// Not at all.
    Off,
    /// On all interfaces.
    All,
    /// On these.
    Only(Vec<String>),
}

/// Starts a node on this machine.
///
/// # Errors
/// When the state directory, the port or the log cannot be used; the text says why and what to do.
pub async fn start(config: HostConfig) -> Result<Node, StartError> {
    let dir = StateDir::open(&config.state_dir).map_err(|error| StartError::Machine(error.to_string()))?;
    let name = config.name.unwrap_or_else(platform::host::hostname);
    let name = Name::new(name).map_err(|error| StartError::BadInput(error.to_string()))?;
    let host = Host { dir: Arc::new(dir), listen: config.listen, mdns: config.mdns };
    let laptop = platform::host::is_laptop();
    let node = Node::start(
        NodeConfig { name, laptop, peers: config.peers, engine: EngineConfig::default() },
        Arc::new(host),
    )
    .await?;
    if let Some(file) = config.join_file {
        tokio::spawn(join_by_file(node.clone(), file));
    }
    Ok(node)
}

/// Joins by the code in a file as soon as the site is found, then deletes the file.
async fn join_by_file(node: Node, file: PathBuf) {
    let code = match read_bounded(&file, JOIN_FILE_BYTES_MAX) {
        Ok(code) => String::from_utf8_lossy(&code).trim().to_owned(),
        Err(error) => {
            return tracing::error!(file = %file.display(), %error, "the join file cannot be used");
        }
    };
    match node.join_when_found(code).await {
        Ok(()) => remove(&file),
        Err(error) => tracing::error!(%error, "joining by the join file failed"),
    }
}

fn remove(file: &Path) {
    if let Err(error) = std::fs::remove_file(file) {
        tracing::warn!(file = %file.display(), %error, "the join file could not be deleted");
    }
}

struct Host {
    dir: Arc<StateDir>,
    listen: SocketAddr,
    mdns: MdnsChoice,
}

impl World for Host {
    fn clock(&self) -> Arc<dyn Clock> {
        Arc::new(SystemClock)
    }

    fn disk(&self) -> Arc<dyn Disk> {
        self.dir.clone()
    }

    fn bind(
        &self,
        key: &SigningKey,
        gate: Arc<dyn Gate>,
    ) -> Result<(Arc<dyn Network>, mpsc::Receiver<Inbound>), String> {
        let (certificate, tls_key) = identity::self_signed(key).map_err(|error| error.to_string())?;
        let bound = Quic::bind(self.listen, certificate, tls_key, gate);
        let (quic, inbound) = bound.map_err(|error| error.to_string())?;
        Ok((Arc::new(quic), inbound))
    }

    fn discovery(&self) -> Result<Option<Arc<dyn Discovery>>, String> {
        let interfaces = match &self.mdns {
            MdnsChoice::Off => return Ok(None),
            MdnsChoice::All => Interfaces::All,
            MdnsChoice::Only(names) => Interfaces::Only(names.clone()),
        };
        let mdns = Mdns::start(interfaces).map_err(|error| error.to_string())?;
        Ok(Some(Arc::new(mdns)))
    }

    fn users(&self) -> Option<Arc<dyn Users>> {
        platform::idle::users()
    }

    fn programs(&self) -> Option<Arc<dyn Programs>> {
        Some(Arc::new(Installed))
    }

    fn resume_tree(&self, identity: TreeIdentity) -> Option<BoxTree> {
        ProcessTree::resume(identity).map(|tree| Box::new(tree) as BoxTree)
    }
}

/// What the system says is installed.
struct Installed;

impl Programs for Installed {
    fn marker(&self) -> u64 {
        platform::software::changed_marker()
    }

    fn scan(&self) -> Result<Vec<Software>, String> {
        platform::software::scan().map_err(|error| error.to_string())
    }

    fn users(&self) -> Vec<Name> {
        platform::people::logged_in()
    }

    fn addresses(&self) -> Vec<IpAddr> {
        platform::host::addresses()
    }
}
