//! Looking for faults: what is only known when somebody tries. And calling back who asks for it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use seatkeeper_election::seam::{Channel, Transport};
use seatkeeper_protocol::api::{self, FORMAT};
use seatkeeper_protocol::id::DeviceId;
use seatkeeper_protocol::roster::Role;
use seatkeeper_protocol::time::BootTime;
use seatkeeper_protocol::wire::{PeerRefusal, Request, Response};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::{Inner, Node, lock};
use crate::middle::doctor::{Call, Findings, Holder, Multicast, Neighbor, checks};
use crate::middle::health::{Args, Called, Voters, args};
use crate::seam::Peer;
use crate::seam::checks::Look;

/// How long answers to a question by multicast are waited for.
const HEAR: Duration = Duration::from_millis(1_500);
/// Peers asked to call this machine.
const CALLERS_ASKED: usize = 3;
/// How long a peer may take to call back and say what came of it.
const CALLED_WITHIN: Duration = Duration::from_secs(6);
/// How long a machine that votes may take to answer a dial.
const VOTER_WITHIN: Duration = Duration::from_secs(2);
/// Machines called at once on behalf of others.
const CALLS_MAX: usize = 4;
/// A device is called once in this time at most, milliseconds.
const CALL_EVERY_MS: u64 = 1_000;

/// Who asked to be called lately.
pub(crate) struct Callers {
    asked: Mutex<BTreeMap<DeviceId, BootTime>>,
    free: Semaphore,
}

impl Default for Callers {
    fn default() -> Self {
        Self { asked: Mutex::default(), free: Semaphore::new(CALLS_MAX) }
    }
}

impl Callers {
    /// Whether a device may be called now.
    fn may_ask(&self, device: DeviceId, now: BootTime) -> bool {
        let mut asked = lock(&self.asked);
        asked.retain(|_, at| now.ms_since(*at) < CALL_EVERY_MS);
        // Those who asked within a second are as many as devices are connected, at most.
        let free = !asked.contains_key(&device);
        if free {
            asked.insert(device, now);
        }
        free
    }
}

impl Node {
    /// Looks for faults, also where somebody has to be asked: takes some seconds.
    pub async fn doctor(&self) -> api::Doctor {
        let _alone = self.inner.watch.doctor.lock().await;
        let findings = self.inner.examine().await;
        api::Doctor { format: FORMAT, checks: checks(&findings) }
    }

    /// What whoever looks into a fault wants to know. No secrets.
    pub async fn debug_state(&self) -> api::DebugState {
        let inner = &self.inner;
        let files = match inner.watch.checks.clone() {
            Some(checks) => tokio::task::spawn_blocking(move || checks.files()).await.unwrap_or_default(),
            None => Vec::new(),
        };
        api::DebugState {
            format: FORMAT,
            version: super::version().to_string(),
            system: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
            time: inner.clock.wall().rfc3339(),
            up_s: inner.clock.mono().0 / 1_000,
            settings: lock(&inner.watch.settings).clone(),
            files: files.into_iter().map(|(name, bytes)| api::StateFile { name, bytes }).collect(),
            election: self.engine().map(|status| election(&status)),
        }
    }
}

fn election(status: &seatkeeper_election::Status) -> api::ElectionState {
    let member = |member: &seatkeeper_election::Member| api::ElectionMember {
        device: member.peer.device.to_string(),
        node: member.peer.node.to_string(),
        voter: member.voter,
        matched: member.matched,
        silent_ms: member.silent_ms,
    };
    api::ElectionState {
        term: status.term,
        leader: status.leader.map(|leader| leader.device.to_string()),
        quorum_ok: status.quorum_ok,
        voters_live: u32::try_from(status.voters_live).unwrap_or(u32::MAX),
        last_applied: status.last_applied,
        last_log: status.last_log,
        joint: status.joint,
        stopped: status.fatal.clone(),
        members: status.members.iter().map(member).collect(),
    }
}

impl Inner {
    async fn examine(self: &Arc<Self>) -> Findings {
        let begun = Instant::now();
        let status = async {
            let (status, answered) = self.status().await;
            (status, answered, begun.elapsed())
        };
        let ((status, answered, took), heard, (call, callers), look) =
            tokio::join!(status, self.hear(), self.ask_for_call(), self.fresh_look());
        self.watch.note_call(&call, self.clock.mono());
        let holder = match (&answered, self.known().holder) {
            (Ok(()), _) if self.duty().is_some() => Holder::Here,
            (Ok(()), _) => Holder::Answers {
                name: status.holder.as_ref().map_or_else(String::new, |holder| holder.name.clone()),
                ms: tenths(took),
            },
            (Err(_), None) => Holder::Nobody,
            (Err(_), Some(holder)) if holder == self.device => Holder::Nobody,
            (Err(reason), Some(holder)) => {
                Holder::Silent { name: self.name_of(&holder), reason: reason.clone() }
            }
        };
        Findings {
            version: super::version().to_string(),
            site: self.site().map(|site| site_args(&site)),
            quorum: self.voters(status.quorum.as_ref().filter(|_| answered.is_ok())).await,
            holder,
            multicast: self.among(heard, &callers),
            port: self.net.0.port(),
            call,
            clock_off_ms: self.clock_off_ms(),
            look,
            page: lock(&self.watch.page).clone(),
            health: status.health,
        }
    }

    async fn fresh_look(&self) -> Look {
        let look = match &self.watch.checks {
            Some(checks) => self.look_after(checks).await,
            None => None,
        };
        look.unwrap_or_else(|| {
            let unknown = "this machine is not looked at".to_owned();
            Look {
                folder: self.disk.place(""),
                space: Err(unknown.clone()),
                rights: Err(unknown),
                subnets: Vec::new(),
            }
        })
    }

    /// What was heard by multicast, and by whom else it might have been.
    fn among(&self, multicast: Multicast, answering: &[DeviceId]) -> Multicast {
        let Multicast::Heard(heard) = multicast else { return multicast };
        let neighbor = |(device, neighbor): (DeviceId, Neighbor)| Neighbor {
            answers: answering.contains(&device),
            ..neighbor
        };
        Multicast::Among(heard, self.neighbors().into_iter().map(neighbor).collect())
    }

    async fn hear(&self) -> Multicast {
        let (Some(checks), Some(_)) = (&self.watch.checks, &self.discovery) else {
            return Multicast::NotUsed;
        };
        match checks.hear(HEAR).await {
            Ok(heard) => Multicast::Heard(heard),
            Err(reason) => Multicast::Failed(reason),
        }
    }

    /// The machines that vote and those that do not answer: by the holder's word if all do, else each is tried.
    async fn voters(&self, told: Option<&api::Quorum>) -> Option<(Voters, Vec<String>)> {
        let number = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
        if let Some(quorum) = told.filter(|quorum| quorum.live >= quorum.voters) {
            return Some((Voters { live: number(quorum.live), all: number(quorum.voters) }, Vec::new()));
        }
        let voters = self.voting_devices();
        let trying = voters.iter().map(|device| async {
            let open = self.net.open(*device, Channel::Session);
            let answers =
                *device == self.device || matches!(tokio::time::timeout(VOTER_WITHIN, open).await, Ok(Ok(_)));
            (!answers).then_some(*device)
        });
        let missed: Vec<DeviceId> = trying
            .collect::<FuturesUnordered<_>>()
            .filter_map(|missed| async move { missed })
            .collect()
            .await;
        let mut missed: Vec<String> = missed.iter().map(|device| self.name_of(device)).collect();
        missed.sort();
        let voters = match told {
            // The holder hears of them all, this machine perhaps not.
            Some(quorum) => Voters { live: number(quorum.live), all: number(quorum.voters) },
            None => Voters { live: voters.len().saturating_sub(missed.len()), all: voters.len() },
        };
        (voters.all > 0).then_some((voters, missed))
    }

    /// By the log on this machine, else by the roster.
    fn voting_devices(&self) -> Vec<DeviceId> {
        if let Some(log) = self.log() {
            let status = log.engine.status();
            let status = status.borrow();
            return status.members.iter().filter(|member| member.voter).map(|m| m.peer.device).collect();
        }
        let Some(site) = self.site() else { return Vec::new() };
        site.log_holders().into_iter().filter(|device| site.role(device) == Some(Role::Voter)).collect()
    }

    /// Asks others to call this machine. What came of it, and who answered anything at all.
    pub(super) async fn ask_for_call(self: &Arc<Self>) -> (Call, Vec<DeviceId>) {
        let port = self.net.0.port();
        let first = self.known().holder;
        let mut peers: Vec<DeviceId> = self.neighbors().into_iter().map(|(device, _)| device).collect();
        peers.sort_by_key(|device| Some(*device) != first);
        peers.truncate(CALLERS_ASKED);
        if peers.is_empty() {
            return (Call::Alone, Vec::new());
        }
        let asking = peers.into_iter().map(|device| async move {
            let asked = tokio::time::timeout(CALLED_WITHIN, self.exchange(device, &Request::CallBack)).await;
            let peer = self.name_of(&device);
            let answers = matches!(asked, Ok(Ok(_))).then_some(device);
            let call = match asked {
                Ok(Ok(Response::Json(json))) => match serde_json::from_slice::<api::CalledBack>(&json) {
                    Ok(told) => {
                        let called = Called { port, address: told.address, peer };
                        match told.reached {
                            true => Call::Reached(called),
                            false if self.is_own(&called.address) => Call::Closed(called),
                            false => Call::Unknown(format!(
                                "{} sees this machine at {}, which is a router's address that leads nowhere",
                                called.peer, called.address
                            )),
                        }
                    }
                    Err(error) => Call::Unknown(format!("{peer} answers something else: {error}")),
                },
                Ok(Ok(Response::Refused(refusal))) => {
                    Call::Unknown(format!("{peer} does not call: {refusal}"))
                }
                Ok(Ok(_)) => Call::Unknown(format!("{peer} cannot try it")),
                // An older version closes the stream at what it doesn't know.
                Ok(Err(failure)) => Call::Unknown(failure.reason),
                Err(_) => Call::Unknown(format!("{peer} does not answer")),
            };
            (call, answers)
        });
        let mut asking: FuturesUnordered<_> = asking.collect();
        let (mut best, mut answering) = (Call::Alone, Vec::new());
        while let Some((call, answers)) = asking.next().await {
            answering.extend(answers);
            match call {
                // Whoever gets through shows that it is open.
                Call::Reached(_) => return (call, answering),
                Call::Closed(_) => best = call,
                _ if matches!(best, Call::Closed(_)) => {}
                _ => best = call,
            }
        }
        (best, answering)
    }

    /// Whether this machine has the address; what is not known may be so.
    fn is_own(&self, address: &str) -> bool {
        let Ok(ip) = address.parse::<SocketAddr>().map(|address| address.ip().to_canonical()) else {
            return false;
        };
        let own = self.own_addresses();
        ip.is_loopback() || own.is_empty() || own.contains(&ip)
    }

    /// Calls a device that asks for it, where its own connection comes from.
    pub(super) async fn call_back(&self, peer: Peer) -> Response {
        let Ok(_place) = self.watch.callers.free.try_acquire() else {
            return Response::Refused(PeerRefusal::Busy);
        };
        if !self.watch.callers.may_ask(peer.device, self.clock.mono()) {
            return Response::Refused(PeerRefusal::Busy);
        }
        let called = self.net.0.call(peer.device, peer.address).await;
        if called.as_ref().is_err_and(|error| error.kind() == std::io::ErrorKind::Unsupported) {
            return Response::Unknown;
        }
        let told = api::CalledBack {
            format: FORMAT,
            address: peer.address.to_string(),
            reached: called.is_ok(),
            reason: called.err().map(|error| error.to_string()),
        };
        serde_json::to_vec(&told).map_or(Response::Unknown, Response::Json)
    }
}

fn site_args(site: &super::record::Site) -> Args {
    args([
        ("site", site.name.to_string()),
        ("id", site.id.short()),
        ("generation", site.generation.number.to_string()),
    ])
}

/// Milliseconds and tenths of them.
fn tenths(took: Duration) -> String {
    let tenths = took.as_micros() / 100;
    format!("{}.{}", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_called_once_in_a_second() {
        let callers = Callers::default();
        let (a, b) = (DeviceId([1; 20]), DeviceId([2; 20]));
        assert!(callers.may_ask(a, BootTime(10_000)));
        assert!(!callers.may_ask(a, BootTime(10_999)));
        assert!(callers.may_ask(b, BootTime(10_999)));
        assert!(callers.may_ask(a, BootTime(11_000)));
        assert_eq!(lock(&callers.asked).len(), 2);
        assert!(callers.may_ask(b, BootTime(20_000)));
        assert_eq!(lock(&callers.asked).len(), 1, "those of long ago are forgotten");
    }

    #[test]
    fn times_are_short() {
        let shown = [0, 99, 100, 1_250, 12_345].map(|us| tenths(Duration::from_micros(us)));
        assert_eq!(shown, ["0.0", "0.0", "0.1", "1.2", "12.3"]);
    }
}
