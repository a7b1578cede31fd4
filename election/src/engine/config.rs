//! An engine's settings.

use std::time::Duration;

use openraft::{Config, SnapshotPolicy};

use super::error::StartError;

/// The clockwork of elections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// How often a leader shows that it lives.
    pub heartbeat: Duration,
    /// The shortest silence after which a voter stands for election; also how long a vote may take.
    pub election_min: Duration,
    /// The longest such silence; also how long a leader counts as alive without an answer.
    pub election_max: Duration,
}

impl Timing {
    /// For voters on cables: 100 ms, 200-400 ms.
    pub fn lan() -> Self {
        Self {
            heartbeat: Duration::from_millis(100),
            election_min: Duration::from_millis(200),
            election_max: Duration::from_millis(400),
        }
    }

    /// For a site with voters on Wi-Fi: 250 ms, 750-1500 ms.
    pub fn wifi() -> Self {
        Self {
            heartbeat: Duration::from_millis(250),
            election_min: Duration::from_millis(750),
            election_max: Duration::from_millis(1_500),
        }
    }
}

impl Default for Timing {
    fn default() -> Self {
        Self::lan()
    }
}

/// An engine's settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EngineConfig {
    /// The clockwork of elections.
    pub timing: Timing,
    /// After how many entries a snapshot is taken.
    pub snapshot_every_entries: u64,
    /// How many entries before the snapshot are kept for those who lag a little.
    pub keep_log_entries: u64,
    /// Proposals that may wait at once; more are refused as busy.
    pub proposals_max: usize,
    /// Incoming streams served at once, of one machine a quarter of them; more are closed.
    pub streams_max: usize,
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self {
            timing: Timing::default(),
            snapshot_every_entries: 5_000,
            keep_log_entries: 1_000,
            proposals_max: 4_096,
            streams_max: 256,
        }
    }
}

fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl EngineConfig {
    pub(crate) fn raft(&self) -> Result<Config, StartError> {
        let timing = self.timing;
        let config = Config {
            cluster_name: "seatkeeper".to_owned(),
            heartbeat_interval: ms(timing.heartbeat),
            election_timeout_min: ms(timing.election_min),
            election_timeout_max: ms(timing.election_max),
            // A machine that comes back must not unseat a leader that the others can hear.
            enable_pre_vote: Some(true),
            // Without it, a leader that hears nobody but is heard keeps everybody from electing another.
            quorum_loss_probe_interval: Some(ms(timing.election_max).saturating_mul(2)),
            // A restarted leader stands for election like everybody else: a term is one holder's, without a break.
            enable_leader_restore: Some(false),
            snapshot_policy: SnapshotPolicy::LogsSinceLast(self.snapshot_every_entries.max(1)),
            max_in_snapshot_log_to_keep: self.keep_log_entries,
            replication_lag_threshold: self.snapshot_every_entries.saturating_mul(2).max(100),
            purge_batch_size: 64,
            max_payload_entries: 1_024,
            install_snapshot_timeout: 10_000,
            backoff: "100ms 200ms 400ms ...1s".to_owned(),
            api_channel_size: Some(8_192),
            notification_channel_size: Some(8_192),
            ..Config::default()
        };
        config.validate().map_err(|error| StartError::Config(error.to_string()))
    }
}
