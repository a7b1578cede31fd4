//! JSON types of `doctor` and of what is packed for whoever looks into a fault.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Health;

/// `GET /v1/doctor`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Doctor {
    /// 1.
    pub format: u32,
    /// What was looked at, in the order in which faults should be looked for.
    pub checks: Vec<Health>,
}

impl Doctor {
    /// Whether nothing needs to be done.
    pub fn is_well(&self) -> bool {
        self.checks.iter().all(|check| matches!(check.severity.as_str(), "ok" | "info"))
    }
}

/// A peer's answer to who asked it to call back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CalledBack {
    /// 1.
    pub format: u32,
    /// The address that was called: where the asking device's connection comes from.
    pub address: String,
    /// Whether the device answered there.
    pub reached: bool,
    /// Why not.
    pub reason: Option<String>,
}

/// `GET /v1/debug/state`, on the socket and for who manages the device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DebugState {
    /// 1.
    pub format: u32,
    /// The agent's version.
    pub version: String,
    /// The system and processor that it was built for, such as `linux x86_64`.
    pub system: String,
    /// When this was looked at.
    pub time: Option<String>,
    /// For how long the machine has run, seconds.
    pub up_s: u64,
    /// The settings in force, by the names of the options.
    pub settings: BTreeMap<String, String>,
    /// The files of the state folder.
    pub files: Vec<StateFile>,
    /// What the log on this device says; `null` when it keeps none.
    pub election: Option<ElectionState>,
}

/// A file of the state folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateFile {
    /// Its name.
    pub name: String,
    /// Its size.
    pub bytes: u64,
}

/// What the log on a device says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ElectionState {
    /// The term.
    pub term: u64,
    /// The device that leads.
    pub leader: Option<String>,
    /// Whether a majority of voters answers.
    pub quorum_ok: bool,
    /// Voters heard of lately.
    pub voters_live: u32,
    /// The last entry applied to the books.
    pub last_applied: u64,
    /// The last entry in the log.
    pub last_log: u64,
    /// Whether a change of the membership is half way.
    pub joint: bool,
    /// Why the engine has stopped, if it has.
    pub stopped: Option<String>,
    /// The log holders.
    pub members: Vec<ElectionMember>,
}

/// A log holder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ElectionMember {
    /// Device id.
    pub device: String,
    /// Its node id, random per log.
    pub node: String,
    /// Whether it votes.
    pub voter: bool,
    /// The last entry that it is known to have; known on the leader only.
    pub matched: Option<u64>,
    /// For how long it has not answered, milliseconds; known on the leader only.
    pub silent_ms: Option<u64>,
}
