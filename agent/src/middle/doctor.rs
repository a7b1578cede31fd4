//! What `doctor` says of what it found.

use std::net::IpAddr;

use seatkeeper_protocol::api::Health;

use super::health::says::{self, Says};
use super::health::{Args, Called, Condition, LICENSE_DAYS, Voters, args, key, names};
use crate::seam::checks::{Heard, Look, Subnet};

/// What was found.
#[derive(Clone, Debug)]
pub struct Findings {
    /// The agent's version.
    pub version: String,
    /// The site's name, id and generation, as values of a sentence.
    pub site: Option<Args>,
    /// Who holds, and whether it answers.
    pub holder: Holder,
    /// The machines that vote, and those that do not answer, by name; `None`: not known.
    pub quorum: Option<(Voters, Vec<String>)>,
    /// Whether others are heard by multicast.
    pub multicast: Multicast,
    /// The UDP port.
    pub port: u16,
    /// Whether it can be reached.
    pub call: Call,
    /// This clock less the site's, milliseconds.
    pub clock_off_ms: Option<i64>,
    /// Room and rights.
    pub look: Look,
    /// This machine's page.
    pub page: Option<Page>,
    /// What status says.
    pub health: Vec<Health>,
}

/// Who holds, and whether it answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holder {
    /// This device.
    Here,
    /// Another one, which answered.
    Answers {
        /// Its name.
        name: String,
        /// How long that took, in milliseconds and tenths of them.
        ms: String,
    },
    /// Another one, which did not.
    Silent {
        /// Its name.
        name: String,
        /// Why.
        reason: String,
    },
    /// Nobody, as far as is known.
    Nobody,
}

/// Whether others are heard by multicast.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Multicast {
    /// Nobody looks.
    NotUsed,
    /// It could not be tried.
    Failed(String),
    /// What was heard.
    Heard(Vec<Heard>),
    /// The same, and who can be reached, by name and addresses.
    Among(Vec<Heard>, Vec<Neighbor>),
}

/// A machine of the site that can be reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Neighbor {
    /// Its name.
    pub name: String,
    /// Its addresses.
    pub addresses: Vec<IpAddr>,
    /// Whether it has just answered. A connection outlives a cable for some seconds.
    pub answers: bool,
}

/// What came of asking others to call this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Call {
    /// Somebody called and was answered.
    Reached(Called),
    /// Somebody called and nobody answered.
    Closed(Called),
    /// Nobody is there to call.
    Alone,
    /// Nobody could call, and why.
    Unknown(String),
}

/// This machine's page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Page {
    /// There is to be no page.
    Off,
    /// It is served there.
    Served(String),
    /// It cannot be served.
    Trouble(Condition),
}

/// All checks, in the order in which faults should be looked for.
pub fn checks(found: &Findings) -> Vec<Health> {
    let mut list = List { checks: Vec::new(), health: &found.health };
    list.tell(&says::AGENT_OK, args([("version", found.version.clone())]));
    if let Some(site) = &found.site {
        list.unless(&["turned-away"], &says::SITE_OK, site.clone());
        holder(&mut list, found);
        quorum(&mut list, found);
    } else {
        list.all(&["no-site", "waiting", "turned-away"]);
    }
    multicast(&mut list, &found.multicast, &found.look.subnets);
    if let Some(site) = &found.site {
        call(&mut list, found);
        let name = site.get("site").cloned().unwrap_or_default();
        list.unless(&["two-sites"], &says::SITES_OK, args([("site", name)]));
        list.unless(&["newer-generation", "older-generation"], &says::GENERATION_OK, args([]));
        match found.clock_off_ms {
            Some(off_ms) => {
                let off_s = off_ms.unsigned_abs().div_ceil(1_000).max(1).to_string();
                list.unless(&["clock-off"], &says::CLOCK_OK, args([("off_s", off_s)]));
            }
            None => list.tell(&says::CLOCK_UNKNOWN, args([])),
        }
        if matches!(found.holder, Holder::Here | Holder::Answers { .. }) {
            let days = args([("days", LICENSE_DAYS.to_string())]);
            list.unless(&["license-ends", "license-ended"], &says::LICENSES_OK, days);
        } else {
            list.tell(&says::LICENSES_UNKNOWN, args([]));
        }
    }
    list.checks.extend(machine(&found.look));
    match &found.page {
        None => {}
        Some(Page::Off) => list.tell(&says::WEB_OFF, args([])),
        Some(Page::Served(address)) => list.tell(&says::WEB_PORT_OK, args([("address", address.clone())])),
        Some(Page::Trouble(condition)) => list.checks.push(condition.health()),
    }
    list.rest()
}

/// What is said of a state folder.
pub fn machine(look: &Look) -> Vec<Health> {
    let path = || ("path", look.folder.clone());
    let mut checks = Vec::new();
    checks.push(match &look.space {
        Ok(space) if space.is_low() => {
            Condition::DiskLow { path: look.folder.clone(), space: *space }.health()
        }
        Ok(space) => says::DISK_OK.told(space.args(&look.folder)),
        Err(reason) => says::DISK_UNKNOWN.told(args([path(), ("reason", reason.clone())])),
    });
    match &look.rights {
        Ok(wrong) if wrong.is_empty() => checks.push(says::RIGHTS_OK.told(args([path()]))),
        Ok(wrong) => checks.extend(
            wrong
                .iter()
                .map(|(path, wrong)| Condition::Rights { path: path.clone(), wrong: *wrong }.health()),
        ),
        Err(reason) => checks.push(says::RIGHTS_UNKNOWN.told(args([path(), ("reason", reason.clone())]))),
    }
    checks
}

struct List<'a> {
    checks: Vec<Health>,
    health: &'a [Health],
}

impl List<'_> {
    fn tell(&mut self, says: &Says, args: Args) {
        self.checks.push(says.told(args));
    }

    /// What status says under these codes; whether it says anything.
    fn all(&mut self, codes: &[&str]) -> bool {
        let before = self.checks.len();
        let of_codes = self.health.iter().filter(|health| codes.contains(&health.code.as_str()));
        self.checks.extend(of_codes.cloned());
        self.checks.len() > before
    }

    fn unless(&mut self, codes: &[&str], says: &Says, args: Args) {
        if !self.all(codes) {
            self.tell(says, args);
        }
    }

    /// And whatever else status says, but for what was looked at anew.
    fn rest(mut self) -> Vec<Health> {
        const LOOKED_AT: [&str; 11] = [
            "no-holder",
            "no-quorum",
            "multicast-blocked",
            "udp-port-closed",
            "disk-low",
            "disk-full",
            "web-port-taken",
            "web-port-failed",
            "others-read",
            "others-write",
            "foreign-owner",
        ];
        for health in self.health {
            let known = self.checks.iter().any(|check| key(check) == key(health));
            if !known && !LOOKED_AT.contains(&health.code.as_str()) {
                self.checks.push(health.clone());
            }
        }
        self.checks
    }
}

fn holder(list: &mut List<'_>, found: &Findings) {
    match &found.holder {
        Holder::Here => list.tell(&says::HOLDER_HERE, args([])),
        Holder::Answers { name, ms } => {
            list.tell(&says::HOLDER_OK, args([("holder", name.clone()), ("ms", ms.clone())]));
        }
        Holder::Silent { name, reason } => {
            let values = args([("holder", name.clone()), ("reason", reason.clone())]);
            list.tell(&says::HOLDER_SILENT, values);
        }
        // That too few vote says why, and what to do.
        Holder::Nobody if found.quorum.as_ref().is_some_and(|(voters, _)| !voters.suffice()) => {}
        Holder::Nobody => list.checks.push(Condition::NoHolder.health()),
    }
}

fn quorum(list: &mut List<'_>, found: &Findings) {
    match found.quorum.clone() {
        None => list.tell(&says::QUORUM_UNKNOWN, args([])),
        Some((voters, missed)) if !voters.suffice() => {
            list.checks.push(Condition::NoQuorum { voters, missed }.health());
        }
        Some((voters, missed)) if voters.live < voters.all && !missed.is_empty() => {
            list.checks.push(Condition::VotersMissed { voters, missed }.health());
        }
        Some((voters, _)) => list.tell(&says::QUORUM_OK, voters.args()),
    }
}

fn call(list: &mut List<'_>, found: &Findings) {
    let port = ("port", found.port.to_string());
    match &found.call {
        Call::Reached(called) => list.tell(&says::UDP_PORT_OK, called.args()),
        Call::Closed(called) => list.checks.push(Condition::UdpPortClosed(called.clone()).health()),
        Call::Alone => list.tell(&says::UDP_PORT_ALONE, args([port])),
        Call::Unknown(reason) => {
            list.tell(&says::UDP_PORT_UNKNOWN, args([port, ("reason", reason.clone())]));
        }
    }
}

fn multicast(list: &mut List<'_>, multicast: &Multicast, subnets: &[Subnet]) {
    let (heard, neighbors) = match multicast {
        Multicast::NotUsed => return list.tell(&says::MULTICAST_NOT_USED, args([])),
        Multicast::Failed(reason) => {
            return list.tell(&says::MULTICAST_UNKNOWN, args([("reason", reason.clone())]));
        }
        Multicast::Heard(heard) => (heard, &[] as &[Neighbor]),
        Multicast::Among(heard, neighbors) => (heard, neighbors.as_slice()),
    };
    if heard.is_empty() {
        let reason = "this machine is on no network".to_owned();
        return list.tell(&says::MULTICAST_UNKNOWN, args([("reason", reason)]));
    }
    // Who must be heard there, since he can be reached there.
    let answering: Vec<Neighbor> = neighbors.iter().filter(|neighbor| neighbor.answers).cloned().collect();
    let near = |heard: &Heard| near(&heard.interface, &answering, subnets);
    let matters = |heard: &&Heard| !near(heard).is_empty();
    let all_silent = heard.iter().all(|heard| !heard.own && heard.others.is_empty());
    let interfaces = |which: &[&Heard]| which.iter().map(|heard| heard.interface.clone()).collect::<Vec<_>>();
    let silent: Vec<&Heard> = heard
        .iter()
        .filter(|heard| !heard.own && heard.others.is_empty() && (all_silent || matters(heard)))
        .collect();
    if !silent.is_empty() {
        return list.checks.push(Condition::MulticastOff { interfaces: interfaces(&silent) }.health());
    }
    let deaf: Vec<&Heard> = heard.iter().filter(|heard| heard.others.is_empty()).filter(matters).collect();
    if !deaf.is_empty() {
        let peers = deaf.iter().flat_map(|heard| near(heard)).collect();
        let interfaces = interfaces(&deaf);
        return list.checks.push(Condition::MulticastBlocked { interfaces, peers }.health());
    }
    let loud: Vec<&Heard> = heard.iter().filter(|heard| !heard.others.is_empty()).collect();
    if loud.is_empty() {
        let own: Vec<&Heard> = heard.iter().filter(|heard| heard.own).collect();
        return list.tell(&says::MULTICAST_ALONE, args([("interfaces", names(&interfaces(&own)))]));
    }
    let mut others: Vec<String> = Vec::new();
    for ip in loud.iter().flat_map(|heard| &heard.others) {
        let known = neighbors.iter().find(|neighbor| neighbor.addresses.contains(ip));
        let name = known.map_or_else(|| ip.to_string(), |known| known.name.clone());
        if !others.contains(&name) {
            others.push(name);
        }
    }
    let values = [("interfaces", names(&interfaces(&loud))), ("peers", names(&others))];
    list.tell(&says::MULTICAST_OK, args(values));
}

/// Which machines that can be reached are on the network of an interface, by name.
pub fn near(interface: &str, neighbors: &[Neighbor], subnets: &[Subnet]) -> Vec<String> {
    let of_interface: Vec<&Subnet> = subnets.iter().filter(|subnet| subnet.interface == interface).collect();
    let is_near = |neighbor: &&Neighbor| {
        neighbor.addresses.iter().any(|ip| of_interface.iter().any(|subnet| subnet.has(*ip)))
    };
    neighbors.iter().filter(is_near).map(|neighbor| neighbor.name.clone()).collect()
}

#[cfg(test)]
mod tests;
