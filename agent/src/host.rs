//! The real machine behind the seams: QUIC, mDNS, the state directory, the system's clocks and processes.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ed25519_dalek::SigningKey;
use seatkeeper_election::EngineConfig;
use seatkeeper_election::seam::Clock;
use seatkeeper_ledger::inventory::Software;
use seatkeeper_protocol::id::Name;
use tokio::sync::mpsc;

use crate::disk::{self, StateDir, read_bounded};
use crate::keys::identity;
use crate::mdns::{self, Interfaces, Mdns};
use crate::node::{Node, NodeConfig, StartError};
use crate::platform;
use crate::platform::clock::SystemClock;
use crate::platform::files::{self, Exposure};
use crate::platform::tree::ProcessTree;
use crate::quic::Quic;
use crate::seam::checks::{Heard, Look};
use crate::seam::{
    BoxTree, Checks, Discovery, Disk, Gate, Inbound, Later, Network, PowerChange, Programs, TreeIdentity,
    Users, World,
};

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
    /// A file with an invitation's code: joined by it once, then wiped. It may be absent.
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

/// Joins by the code in a file as soon as the site is found, then wipes the file.
async fn join_by_file(node: Node, file: PathBuf) {
    let code = match join_code(&file) {
        Ok(Some(code)) => code,
        // Wiped when the machine joined, or never needed.
        Ok(None) => return,
        Err(reason) => return tracing::error!("{reason}"),
    };
    match node.join_when_found(code).await {
        Ok(()) => {
            if let Err(error) = files::wipe(&file) {
                let file = file.display();
                tracing::warn!(%error, "the code in {file} is used up, but the file could not be deleted; delete it");
            }
        }
        Err(error) => tracing::error!(%error, "joining by the join file failed"),
    }
}

/// The invitation's code in a file; `None` when there is none.
fn join_code(file: &Path) -> Result<Option<String>, String> {
    let shown = file.display();
    let unusable = |error: std::io::Error| format!("the join file {shown} cannot be used: {error}");
    match files::exposure(file, true) {
        Ok(None) => {}
        Ok(Some(Exposure::ForeignOwner(uid))) => {
            return Err(format!(
                "the join file {shown} belongs to the user with the id {uid}; give it to the agent's user with `chown`"
            ));
        }
        Ok(Some(Exposure::OthersRead | Exposure::OthersWrite)) => {
            return Err(format!(
                "the join file {shown} is not used because others may read or change it; they may have its code, so make \
                 a new one with `seatkeeper site invite`, write it there and run `chmod 600 {shown}`"
            ));
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unusable(error)),
    }
    let code = read_bounded(file, JOIN_FILE_BYTES_MAX).map_err(unusable)?;
    Ok(Some(String::from_utf8_lossy(&code).trim().to_owned()))
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
        let Some(interfaces) = self.mdns.interfaces() else { return Ok(None) };
        let mdns = Mdns::start(interfaces).map_err(|error| error.to_string())?;
        Ok(Some(Arc::new(mdns)))
    }

    fn users(&self) -> Option<Arc<dyn Users>> {
        platform::idle::users()
    }

    fn power(&self) -> Option<mpsc::Receiver<PowerChange>> {
        platform::power::changes()
    }

    fn programs(&self) -> Option<Arc<dyn Programs>> {
        Some(Arc::new(Installed))
    }

    fn checks(&self) -> Option<Arc<dyn Checks>> {
        Some(Arc::new(HostChecks { dir: self.dir.dir().to_owned(), mdns: self.mdns.clone() }))
    }

    fn resume_tree(&self, identity: TreeIdentity) -> Option<BoxTree> {
        ProcessTree::resume(identity).map(|tree| Box::new(tree) as BoxTree)
    }
}

impl MdnsChoice {
    fn interfaces(&self) -> Option<Interfaces> {
        match self {
            Self::Off => None,
            Self::All => Some(Interfaces::All),
            Self::Only(names) => Some(Interfaces::Only(names.clone())),
        }
    }
}

/// Looking at this machine.
struct HostChecks {
    dir: PathBuf,
    mdns: MdnsChoice,
}

impl Checks for HostChecks {
    fn look(&self) -> Look {
        let subnets = platform::host::interfaces().unwrap_or_default();
        Look {
            subnets: subnets.iter().filter(|own| !own.is_loopback).map(mdns::subnet).collect(),
            ..look_at(&self.dir)
        }
    }

    fn files(&self) -> Vec<(String, u64)> {
        disk::files(&self.dir).unwrap_or_default()
    }

    fn hear(&self, within: Duration) -> Later<'_, Result<Vec<Heard>, String>> {
        Box::pin(async move {
            let Some(on) = self.mdns.interfaces() else { return Ok(Vec::new()) };
            mdns::hear(&on, within).await.map_err(|error| error.to_string())
        })
    }
}

/// Looks at a state folder, whether an agent has it or not.
pub fn look_at(dir: &Path) -> Look {
    Look {
        folder: dir.display().to_string(),
        space: platform::files::space(dir).map_err(|error| error.to_string()),
        rights: disk::rights(dir).map_err(|error| error.to_string()),
        subnets: Vec::new(),
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

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_join_file_is_private_or_absent_and_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("join");
        assert_eq!(join_code(&file), Ok(None));

        std::fs::write(&file, "swift-otter\n").unwrap();
        for (mode, said) in [(0o644, "chmod 600"), (0o620, "chmod 600"), (0o600, "")] {
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
            match join_code(&file) {
                Ok(code) => assert_eq!((code.as_deref(), said), (Some("swift-otter"), ""), "{mode:o}"),
                Err(reason) => assert!(!said.is_empty() && reason.contains(said), "{mode:o}: {reason}"),
            }
        }

        // A second name of the same bytes shows that they were overwritten.
        let other = dir.path().join("other");
        std::fs::hard_link(&file, &other).unwrap();
        files::wipe(&file).unwrap();
        assert!(!file.exists());
        assert_eq!(std::fs::read(&other).unwrap(), [0; 12]);
        std::fs::write(&file, vec![b'x'; JOIN_FILE_BYTES_MAX + 1]).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
        assert!(join_code(&file).unwrap_err().contains("1024 bytes"));
    }
}
