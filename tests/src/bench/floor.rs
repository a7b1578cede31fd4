//! What physics asks for: a write that is on the disk, and a message there and back.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use redb::{Database, Durability, TableDefinition};
use seatkeeper::keys;
use seatkeeper::quic::Quic;
use seatkeeper::seam::{Gate, Inbound, Network, Peer};
use seatkeeper_election::seam::Channel;
use seatkeeper_protocol::id::DeviceId;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::office::sentence;
use super::stats::Samples;
use super::{Failure, Setting};

/// What a checkout weighs in the log and on the wire, about.
const RECORD_BYTES: usize = 200;
const TABLE: TableDefinition<'static, u64, &[u8]> = TableDefinition::new("log");

/// Medians, milliseconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Floor {
    pub(super) fdatasync_ms: f64,
    pub(super) commit_ms: f64,
    pub(super) echo_ms: f64,
}

impl Floor {
    /// Measures each `times` times.
    pub(super) async fn measure(setting: &Setting, times: usize) -> Result<Self, Failure> {
        let folder =
            tempfile::Builder::new().prefix("sk-floor").tempdir_in(&setting.dir).map_err(sentence)?;
        let path = folder.path().to_owned();
        let on_disk = tokio::task::spawn_blocking(move || {
            Ok::<_, Failure>((fdatasync(&path, times)?, commit(&path, times)?))
        });
        let (fdatasync, commit) = on_disk.await.map_err(sentence)??;
        let echo = echo(times).await?;
        Ok(Self { fdatasync_ms: fdatasync.p50_ms(), commit_ms: commit.p50_ms(), echo_ms: echo.p50_ms() })
    }

    /// A commit at a majority: the record is on a second machine's disk, and this one knows.
    pub(super) fn majority_ms(self) -> f64 {
        self.commit_ms + self.echo_ms
    }
}

/// A small record is appended to a file and is on the disk.
fn fdatasync(dir: &Path, times: usize) -> Result<Samples, Failure> {
    let mut file = std::fs::File::create(dir.join("append")).map_err(sentence)?;
    let mut samples = Samples::default();
    for _ in 0..times {
        let began = Instant::now();
        file.write_all(&[7; RECORD_BYTES]).map_err(sentence)?;
        file.sync_data().map_err(sentence)?;
        samples.add(began.elapsed());
    }
    Ok(samples)
}

/// A small record is in the database, durably.
fn commit(dir: &Path, times: usize) -> Result<Samples, Failure> {
    let database = Database::create(dir.join("commit")).map_err(sentence)?;
    let mut samples = Samples::default();
    for index in 0..times as u64 {
        let began = Instant::now();
        let mut txn = database.begin_write().map_err(sentence)?;
        txn.set_durability(Durability::Immediate).map_err(sentence)?;
        txn.open_table(TABLE).map_err(sentence)?.insert(index, &[7; RECORD_BYTES][..]).map_err(sentence)?;
        txn.commit().map_err(sentence)?;
        samples.add(began.elapsed());
    }
    Ok(samples)
}

/// Everybody may connect; who is where is known beforehand.
struct Open(BTreeMap<DeviceId, SocketAddr>);

impl Gate for Open {
    fn admit(&self, _peer: &Peer, _channel: Channel) -> Result<(), String> {
        Ok(())
    }

    fn addresses(&self, device: &DeviceId) -> Vec<SocketAddr> {
        self.0.get(device).copied().into_iter().collect()
    }
}

fn endpoint(
    known: BTreeMap<DeviceId, SocketAddr>,
) -> Result<(DeviceId, Quic, mpsc::Receiver<Inbound>), Failure> {
    let key = keys::generate().map_err(sentence)?;
    let (certificate, private) = keys::identity::self_signed(&key).map_err(sentence)?;
    let listen = SocketAddr::from(([127, 0, 0, 1], 0));
    let (quic, inbound) =
        Quic::bind(listen, certificate, private, Arc::new(Open(known))).map_err(sentence)?;
    Ok((keys::public(&key).device(), quic, inbound))
}

/// A small message over the agent's own transport, there and back.
async fn echo(times: usize) -> Result<Samples, Failure> {
    let (device, far, mut inbound) = endpoint(BTreeMap::new())?;
    let answering = tokio::spawn(async move {
        let Some(Inbound { mut stream, .. }) = inbound.recv().await else { return };
        let mut message = [0; RECORD_BYTES];
        while stream.read_exact(&mut message).await.is_ok() && stream.write_all(&message).await.is_ok() {}
    });
    let address = SocketAddr::from(([127, 0, 0, 1], far.port()));
    let (_, near, _streams) = endpoint(BTreeMap::from([(device, address)]))?;
    let mut stream = near.open(device, Channel::Raft).await.map_err(sentence)?;
    let (mut samples, mut message) = (Samples::default(), [7; RECORD_BYTES]);
    for _ in 0..times {
        let began = Instant::now();
        stream.write_all(&message).await.map_err(sentence)?;
        stream.read_exact(&mut message).await.map_err(sentence)?;
        samples.add(began.elapsed());
    }
    drop(stream);
    near.shutdown().await;
    far.shutdown().await;
    answering.await.map_err(sentence)?;
    Ok(samples)
}
