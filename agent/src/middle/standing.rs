//! Who should keep the log and vote (design section 6, rules 1, 2 and 4). The election crate acts on these ranks.

use std::collections::{BTreeMap, BTreeSet};

use seatkeeper_election::{Candidate, Standing};
use seatkeeper_protocol::id::{DeviceId, NodeId};
use seatkeeper_protocol::time::BootTime;

/// How long a device must have been connected before it is promoted, milliseconds.
pub const HEALTHY_AFTER_MS: u64 = 5_000;

/// What the holder knows of an enrolled device.
#[derive(Clone, Debug)]
pub struct DeviceFacts {
    /// Who.
    pub device: DeviceId,
    /// Whether it leaves with its user.
    pub laptop: bool,
    /// Declared always-on.
    pub always_on: bool,
    /// Whether it can open the pool key, or is the holder itself: without it nobody may vote.
    pub has_pool_key: bool,
    /// It holds, and its clock is too far off the other voters': somebody else has to.
    pub clock_off: bool,
    /// Its node, if it is in the membership.
    pub node: Option<NodeId>,
}

/// Connected devices, what they mean to do, and who must go.
#[derive(Clone, Debug, Default)]
pub struct Presence {
    /// Connected since, on the holder's boot clock.
    pub since: BTreeMap<DeviceId, BootTime>,
    /// Devices that said they are leaving.
    pub leaving: BTreeSet<DeviceId>,
    /// Devices that are being revoked or leave the site, out of the membership first, and by how many requests.
    banned: BTreeMap<DeviceId, usize>,
}

impl Presence {
    /// A request wants `device` out of the membership. Whether it is the only one.
    pub fn ban(&mut self, device: DeviceId) -> bool {
        let requests = self.banned.entry(device).or_default();
        *requests = requests.saturating_add(1);
        *requests == 1
    }

    /// That request is decided. Whether it was the last one.
    pub fn unban(&mut self, device: DeviceId) -> bool {
        match self.banned.get_mut(&device) {
            Some(requests) if *requests > 1 => {
                *requests -= 1;
                false
            }
            _ => self.banned.remove(&device).is_some(),
        }
    }
}

/// When a device becomes healthy that is not yet; the standing changes then.
pub fn next_change(now: BootTime, presence: &Presence) -> Option<BootTime> {
    presence.since.values().map(|since| since.plus_ms(HEALTHY_AFTER_MS)).filter(|at| *at > now).min()
}

/// The standing of all enrolled devices. `me` is the holder: connected to itself.
pub fn standing(now: BootTime, me: DeviceId, devices: &[DeviceFacts], presence: &Presence) -> Standing {
    let enrolled = devices.iter().filter(|facts| !presence.banned.contains_key(&facts.device)).count();
    let desktops = devices.iter().filter(|facts| !facts.laptop).count();
    let candidates = devices
        .iter()
        .filter(|facts| !presence.banned.contains_key(&facts.device))
        .map(|facts| {
            let since = presence.since.get(&facts.device);
            let long = since.is_some_and(|since| now.ms_since(*since) >= HEALTHY_AFTER_MS);
            Candidate {
                device: facts.device,
                node: facts.node,
                rank: rank(facts),
                may_vote: facts.has_pool_key && !facts.clock_off && (!facts.laptop || desktops < 3),
                connected: facts.device == me || since.is_some(),
                healthy: facts.device == me || long,
                leaving: presence.leaving.contains(&facts.device),
                always_on: facts.always_on,
            }
        })
        .collect();
    Standing { enrolled, desktops, candidates }
}

/// Lower is better: always-on, then desktops, then laptops.
fn rank(facts: &DeviceFacts) -> u32 {
    match (facts.always_on, facts.laptop) {
        (true, _) => 0,
        (false, false) => 1,
        (false, true) => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(n: u8, laptop: bool) -> DeviceFacts {
        DeviceFacts {
            device: DeviceId([n; 20]),
            laptop,
            always_on: false,
            has_pool_key: true,
            clock_off: false,
            node: None,
        }
    }

    fn present(devices: &[DeviceFacts], since: u64) -> Presence {
        Presence {
            since: devices.iter().map(|f| (f.device, BootTime(since))).collect(),
            ..Presence::default()
        }
    }

    #[test]
    fn a_laptop_votes_only_while_desktops_are_few() {
        for (desktops, votes) in [(2u8, true), (3, false)] {
            let mut devices: Vec<_> = (0..desktops).map(|n| facts(n, false)).collect();
            devices.push(facts(9, true));
            let standing = standing(BootTime(9_000), DeviceId([0; 20]), &devices, &present(&devices, 0));
            assert_eq!(standing.candidates.last().map(|c| c.may_vote), Some(votes), "{desktops} desktops");
        }
    }

    #[test]
    fn healthy_comes_after_five_seconds_and_wakes_us_then() {
        let devices = [facts(0, false), facts(1, false)];
        let presence = present(&devices, 1_000);
        let healthy =
            |now| standing(BootTime(now), DeviceId([0; 20]), &devices, &presence).candidates[1].healthy;
        assert!(!healthy(5_999));
        assert!(healthy(6_000));
        assert_eq!(next_change(BootTime(2_000), &presence), Some(BootTime(6_000)));
        assert_eq!(next_change(BootTime(6_000), &presence), None);
    }

    #[test]
    fn a_banned_device_is_no_candidate() {
        let devices = [facts(0, false), facts(1, false)];
        let mut presence = present(&devices, 0);
        let candidates = |presence: &Presence| {
            let standing = standing(BootTime(9_000), DeviceId([0; 20]), &devices, presence);
            assert_eq!(standing.enrolled, standing.candidates.len());
            standing.candidates.len()
        };
        assert!(presence.ban(devices[1].device));
        assert_eq!(candidates(&presence), 1);
        // A repetition of the request, which ends later or earlier than the first one.
        assert!(!presence.ban(devices[1].device));
        assert!(!presence.unban(devices[1].device));
        assert_eq!(candidates(&presence), 1);
        assert!(presence.unban(devices[1].device));
        assert_eq!(candidates(&presence), 2);
    }
}
