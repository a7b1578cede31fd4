//! Reads that prove the holder's leadership, shared by the pings that wait for them (invariant I6).

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::log::Log;

/// A read that is not confirmed by then is not answered.
pub(super) const READ_WITHIN: Duration = Duration::from_secs(3);
/// Pings waiting for the next read.
pub(super) const READS_MAX: usize = 16_384;

/// Waiting pings share the next read; one is in flight. A read serves only those that waited when it began.
pub(super) async fn read_gate(
    log: Arc<Log>,
    mut waiting: mpsc::Receiver<oneshot::Sender<u64>>,
    stop: CancellationToken,
) {
    let mut batch = Vec::new();
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            got = waiting.recv_many(&mut batch, READS_MAX) => if got == 0 { return },
        }
        match log.engine.read_index(READ_WITHIN).await {
            Ok(read) => batch.drain(..).for_each(|done| {
                let _ = done.send(read.term);
            }),
            Err(error) => {
                tracing::debug!(%error, "a read was not confirmed: pings stay unanswered");
                batch.clear();
            }
        }
    }
}
