//! Somebody with the key of an enrolled device who speaks for another generation of the site: a machine that was
//! restored from a backup, or that took part in a forced recovery which the others know nothing of.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use ed25519_dalek::SigningKey;
use seatkeeper::keys;
use seatkeeper::seam::frames::{read_frame, write_frame};
use seatkeeper::seam::{BoxStream, Disk, Gate, Network, Peer};
use seatkeeper_election::seam::Channel;
use seatkeeper_protocol::id::{DeviceId, Generation, SiteId};
use seatkeeper_protocol::limits::SESSION_FRAME_BYTES_MAX;
use seatkeeper_protocol::wire::{FromPeer, Hello, Opening, Query, Request, Response, SiteRef};
use tokio::runtime::{Builder, Runtime};

use super::chance::Chance;
use super::clock::SimClock;
use super::disk::{Latency, SimDisk};
use super::net::{NetCard, SimNet};
use super::watch::{Seen, Watch};

/// How long it tries, milliseconds.
const TRIES_MS: u64 = 5_000;

/// The rival's machine.
#[derive(Debug)]
pub struct Rival {
    clock: SimClock,
    card: NetCard,
    run: Option<(Runtime, u64)>,
}

/// Whom it speaks to.
struct Addresses(Vec<(DeviceId, SocketAddr)>);

impl Gate for Addresses {
    fn admit(&self, _peer: &Peer, _channel: Channel) -> Result<(), String> {
        Err("a rival answers nobody".to_owned())
    }

    fn addresses(&self, device: &DeviceId) -> Vec<SocketAddr> {
        self.0.iter().filter(|(id, _)| id == device).map(|(_, address)| *address).collect()
    }
}

impl Rival {
    /// A machine that does nothing yet.
    pub fn new(net: &SimNet, clock: SimClock) -> Self {
        let card = net.attach(SocketAddr::from(([10, 9, 9, 9], 7410)), &clock);
        Self { clock, card, run: None }
    }

    /// Speaks to everybody with the key on `disk`.
    pub fn send(
        &mut self,
        now: u64,
        disk: &SimDisk,
        site: (SiteId, Generation),
        others: Vec<(DeviceId, SocketAddr)>,
        watch: Watch,
    ) {
        if self.run.is_some() {
            return;
        }
        let copy = SimDisk::of(&disk.image()).mount(Latency::NONE, Chance::new(now));
        let disk: &dyn Disk = &*copy;
        let Ok(Some(seed)) = disk.read_record::<[u8; 32]>("identity.key") else { return };
        let runtime = Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .expect("a runtime without IO needs nothing of the system");
        let card = self.card.clone();
        let key = keys::public(&SigningKey::from_bytes(&seed));
        runtime.spawn(async move {
            let (network, _inbound) = card.network(key, Arc::new(Addresses(others.clone())));
            let (site, generation) = site;
            let rivals = [
                Generation { number: generation.number + 1, id: generation.id },
                Generation { number: generation.number, id: [7; 16] },
            ];
            for (device, _) in others.iter().filter(|(device, _)| *device != key.device()) {
                for generation in rivals {
                    let site = SiteRef { site, generation };
                    let answered =
                        tokio::time::timeout(Duration::from_secs(1), greet(&*network, *device, site));
                    watch.note(Seen::Rival { answered: answered.await.ok().flatten() });
                }
            }
        });
        self.run = Some((runtime, now + TRIES_MS));
    }

    /// Runs for one step.
    pub fn run(&mut self, now: u64, quantum: Duration, net: &SimNet) {
        let Some((runtime, until)) = &self.run else { return };
        self.clock.run_quantum(runtime, quantum);
        if now >= *until {
            net.kill(self.card.host());
            self.run = None;
        }
    }
}

async fn open(network: &dyn Network, device: DeviceId, opening: Opening) -> Option<BoxStream> {
    let mut stream = network.open(device, Channel::Session).await.ok()?;
    write_frame(&mut stream, &opening, SESSION_FRAME_BYTES_MAX).await.ok()?;
    Some(stream)
}

/// What it is answered, but for a refusal.
async fn greet(network: &dyn Network, device: DeviceId, site: SiteRef) -> Option<String> {
    let mut stream = open(network, device, Opening::Control(Hello { site, roster: 0 })).await?;
    match read_frame::<FromPeer>(&mut stream, SESSION_FRAME_BYTES_MAX).await.ok()? {
        FromPeer::Refused(_) => {}
        other => return Some(format!("{other:?}").chars().take(100).collect()),
    }
    let mut stream = open(network, device, Opening::Request(site, Request::Query(Query::Seats))).await?;
    match read_frame::<Response>(&mut stream, SESSION_FRAME_BYTES_MAX).await.ok()? {
        Response::Refused(_) => None,
        other => Some(format!("{other:?}").chars().take(100).collect()),
    }
}
