//! Test bench: an office whose role controllers run.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use seatkeeper_election::controller::Later;
use seatkeeper_election::{
    Applied, Candidate, Controller, ProposeError, Recruit, RecruitError, Standing, Status, spawn_controller,
};
use seatkeeper_protocol::id::{DeviceId, NodeId};
use tokio::sync::watch;

use super::office::{DEADLINE, Office, SOON, TestEngine, device, node_id};

/// Every device has an engine that waits for a log; asking for it only takes notes.
#[derive(Default)]
struct Recruiter {
    stopped: Mutex<BTreeSet<DeviceId>>,
    refusing: Mutex<BTreeSet<DeviceId>>,
}

impl Recruit for Recruiter {
    fn start_log(&self, device: DeviceId) -> Later<'_, Result<NodeId, RecruitError>> {
        let refuses = self.refusing.lock().unwrap().contains(&device);
        Box::pin(async move {
            if refuses { Err(RecruitError("no room".to_owned())) } else { Ok(node_id(device.0[0])) }
        })
    }

    fn stop_log(&self, device: DeviceId) -> Later<'_, Result<(), RecruitError>> {
        self.stopped.lock().unwrap().insert(device);
        Box::pin(async { Ok(()) })
    }
}

pub(crate) struct Site {
    pub(crate) office: Office,
    pub(crate) standing: watch::Sender<Standing>,
    recruiter: Arc<Recruiter>,
    _controllers: Vec<Controller>,
}

pub(crate) fn candidate(n: u8) -> Candidate {
    Candidate {
        device: device(n),
        node: None,
        rank: 5,
        may_vote: true,
        connected: true,
        healthy: true,
        leaving: false,
        always_on: false,
    }
}

fn sized(standing: &mut Standing) {
    standing.enrolled = standing.candidates.len();
    standing.desktops = standing.enrolled;
}

impl Site {
    /// `office` with a controller on each device; the first `known` devices are enrolled.
    pub(crate) fn new(office: Office, known: u8) -> Self {
        let mut standing =
            Standing { candidates: (1..=known).map(candidate).collect(), ..Standing::default() };
        sized(&mut standing);
        let standing = watch::Sender::new(standing);
        let recruiter = Arc::new(Recruiter::default());
        let controllers = office
            .desks
            .values()
            .map(|desk| {
                spawn_controller(desk.engine.clone(), standing.subscribe(), Arc::clone(&recruiter) as _)
            })
            .collect();
        Self { office, standing, recruiter, _controllers: controllers }
    }

    /// A site of `devices` devices, once it has come to rest with `voters` and `standbys`.
    pub(crate) async fn settled(devices: u8, voters: usize, standbys: usize) -> Self {
        let site = Self::new(Office::of_devices(devices).await, devices);
        site.roles(voters, standbys).await;
        site
    }

    pub(crate) fn enroll(&self, n: u8) {
        self.standing.send_modify(|standing| {
            standing.candidates.push(candidate(n));
            sized(standing);
        });
    }

    pub(crate) fn revoke(&self, n: u8) {
        self.standing.send_modify(|standing| {
            standing.candidates.retain(|candidate| candidate.device != device(n));
            sized(standing);
        });
    }

    pub(crate) fn edit(&self, n: u8, edit: impl Fn(&mut Candidate)) {
        self.standing.send_modify(|standing| {
            standing.candidates.iter_mut().filter(|candidate| candidate.device == device(n)).for_each(edit);
        });
    }

    pub(crate) fn refuse_logs(&self, n: u8) {
        self.recruiter.refusing.lock().unwrap().insert(device(n));
    }

    pub(crate) fn was_stopped(&self, n: u8) -> bool {
        self.recruiter.stopped.lock().unwrap().contains(&device(n))
    }

    /// Waits until some leader with a quorum sees the site as wanted.
    pub(crate) async fn until(&self, mut wanted: impl FnMut(&Status) -> bool) -> Status {
        let search = async {
            loop {
                for desk in self.office.desks.values() {
                    let status = desk.engine.status().borrow().clone();
                    if status.is_leader && status.quorum_ok && wanted(&status) {
                        return status;
                    }
                }
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        };
        match tokio::time::timeout(SOON, search).await {
            Ok(status) => status,
            Err(_) => {
                let seen: Vec<_> = self.office.desks.keys().map(|n| self.office.status(*n)).collect();
                panic!("the site stays at {seen:#?}");
            }
        }
    }

    pub(crate) async fn roles(&self, voters: usize, standbys: usize) -> Status {
        self.until(|status| (status.voters(), status.members.len() - status.voters()) == (voters, standbys))
            .await
    }

    /// Proposes wherever the leader is, as an agent does: elsewhere only after a refusal.
    pub(crate) async fn propose(&self, command: &str) -> Applied {
        let engines: Vec<TestEngine> = self.office.desks.values().map(|desk| desk.engine.clone()).collect();
        propose_anywhere(&engines, command).await
    }
}

/// Goes from refusal to refusal until some engine takes the command.
pub(crate) async fn propose_anywhere(engines: &[TestEngine], command: &str) -> Applied {
    let search = async {
        loop {
            for engine in engines {
                match engine.propose(command.as_bytes().to_vec(), DEADLINE).await {
                    Ok(applied) => return applied,
                    Err(ProposeError::NotHolder { .. } | ProposeError::Stopped(_)) => {}
                    Err(error) => panic!("{error}"),
                }
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(SOON, search).await.expect("somebody takes the command")
}
