//! A site on some hosts of a LAN, with a license.

use serde_json::Value;

use crate::host::{Done, Host};
use crate::lan::Lan;
use crate::program::Program;
use crate::wait::wait_until;

/// The product of the license.
pub(crate) const CAD: &str = "example-cad";
/// How long a seat of the license lives without contact, seconds: the shortest there is.
pub(crate) const TTL_S: u64 = 15;

/// No agent or no holder.
pub(crate) const UNAVAILABLE: i32 = 69;
/// No seat is free.
pub(crate) const NO_SEAT: i32 = 75;

/// A site. Its admin sits at the host it was created on.
pub(crate) struct Office<'a> {
    pub(crate) hosts: Vec<&'a Host>,
    admin: &'a Host,
}

impl<'a> Office<'a> {
    /// All hosts of the LAN in one site with three seats of [`CAD`], settled.
    #[track_caller]
    pub(crate) fn of(lan: &'a Lan) -> Self {
        Self::with_ttl(lan, TTL_S)
    }

    /// The same, with seats that live `ttl_s` seconds without contact.
    #[track_caller]
    pub(crate) fn with_ttl(lan: &'a Lan, ttl_s: u64) -> Self {
        start(lan.hosts());
        let (first, others) = lan.hosts().split_first().expect("a host");
        let mut office = Self::found(first, "office");
        office.license(CAD, 3, ttl_s);
        office.join(&others.iter().collect::<Vec<_>>());
        office.settle();
        office
    }

    /// A site whose only machine is `admin`, where an agent runs.
    #[track_caller]
    pub(crate) fn found(admin: &'a Host, name: &str) -> Self {
        std::fs::write(admin.file("password"), "correct horse\n").expect("the password is written");
        let office = Self { hosts: vec![admin], admin };
        let created = office.signed(&["--json", "site", "create", name, "--admin", "eva"]);
        let created: Value = serde_json::from_str(&created).expect("JSON");
        let recovery = created["recovery_code"].as_str().expect("a recovery code");
        std::fs::write(admin.file("recovery"), recovery).expect("the recovery code is written");
        office
    }

    /// A command of the admin.
    #[track_caller]
    pub(crate) fn signed(&self, args: &[&str]) -> String {
        let password = self.admin.file("password");
        self.admin.ok(&[args, &["--password-file", password.to_str().expect("a plain path")]].concat())
    }

    /// Buys `seats` seats of `product`, which may be borrowed, from a new vendor.
    #[track_caller]
    pub(crate) fn license(&self, product: &str, seats: u32, ttl_s: u64) {
        self.license_on(product, seats, ttl_s, "borrow = { max_days = 30 }\n");
    }

    /// Buys `seats` seats of `product` from a new vendor, on further terms.
    #[track_caller]
    pub(crate) fn license_on(&self, product: &str, seats: u32, ttl_s: u64, terms: &str) {
        let site = self.admin.json(&["site", "show"])["id"].as_str().expect("a site id").to_owned();
        let path = |suffix: &str| {
            let path = self.admin.file(&format!("{product}{suffix}"));
            path.to_str().expect("a plain path").to_owned()
        };
        let (key, public, text, signed) = (path(".key"), path(".key.pub"), path(".txt"), path(".license"));
        let license = format!(
            r#"# Seatkeeper license v1
license = "{product}-1"
vendor = "{product}-vendor"
customer = "The office"
issued = 2025-12-20
product = "{product}"
title = "Example"
version = "2026"
seats = {seats}
site = "{site}"
ttl = "{ttl_s}s"
{terms}"#
        );
        std::fs::write(&text, license).expect("the license is written");
        self.admin.ok(&["vendor", "keygen", "--name", &format!("{product}-vendor"), "-o", &key]);
        self.admin.ok(&["vendor", "sign", &text, "--key", &key, "-o", &signed]);
        self.signed(&["license", "trust", &public, "--product", product]);
        self.signed(&["license", "add", &signed]);
    }

    /// A code for `uses` machines.
    #[track_caller]
    pub(crate) fn invite(&self, uses: usize) -> String {
        self.signed(&["site", "invite", "--uses", &uses.to_string()]).trim().to_owned()
    }

    /// Has them join by one code, at the same time.
    #[track_caller]
    pub(crate) fn join(&mut self, hosts: &[&'a Host]) {
        if hosts.is_empty() {
            return;
        }
        let code = self.invite(hosts.len());
        std::thread::scope(|scope| {
            for host in hosts {
                scope.spawn(|| host.ok(&["site", "join", &code]));
            }
        });
        self.hosts.extend(hosts);
    }

    /// Waits until every machine is there and as many vote as should.
    #[track_caller]
    pub(crate) fn settle(&self) {
        let voters = if self.hosts.len() < 3 { 1 } else { 3 };
        let standbys = (self.hosts.len() - voters).min(2);
        let mut seen = String::new();
        wait_until(&format!("{voters} voters and {standbys} standbys, all online"), 60, || {
            let devices = self.devices()?;
            seen = devices.iter().map(|(name, role, online)| format!("{name} {role} {online}, ")).collect();
            let count =
                |roles: &[&str]| devices.iter().filter(|(_, role, _)| roles.contains(&&**role)).count();
            let all = devices.len() == self.hosts.len() && devices.iter().all(|(_, _, online)| *online);
            (all && count(&["holder", "voter"]) == voters && count(&["standby"]) == standbys).then_some(())
        });
    }

    /// Name, role and whether online of every machine in the site, revoked ones apart.
    pub(crate) fn devices(&self) -> Option<Vec<(String, String, bool)>> {
        let listing = self.listing(&["device", "list"])?;
        let device = |device: &Value| {
            let text = |field: &str| device[field].as_str().map(str::to_owned);
            Some((text("name")?, text("role")?, device["online"].as_bool()?))
        };
        let devices = listing["devices"].as_array()?.iter().map(device).collect::<Option<Vec<_>>>()?;
        Some(devices.into_iter().filter(|(_, role, _)| role != "revoked").collect())
    }

    /// The ids of the seats in use.
    pub(crate) fn seats(&self) -> Option<Vec<String>> {
        let listing = self.listing(&["seats"])?;
        listing["seats"].as_array()?.iter().map(|seat| seat["id"].as_str().map(str::to_owned)).collect()
    }

    /// A listing from the first host whose agent answers it.
    fn listing(&self, args: &[&str]) -> Option<Value> {
        self.hosts.iter().find_map(|host| {
            let done = host.cli(&[&["--json"], args].concat());
            if done.code == 0 { serde_json::from_str(&done.out).ok() } else { None }
        })
    }

    /// The hosts of this role.
    #[track_caller]
    pub(crate) fn with_role(&self, wanted: &str) -> Vec<&'a Host> {
        let devices = wait_until("a list of the devices", 20, || self.devices());
        let has = |host: &Host| devices.iter().any(|(name, role, _)| *name == host.name && role == wanted);
        self.hosts.iter().copied().filter(|host| has(host)).collect()
    }

    /// The holder.
    #[track_caller]
    pub(crate) fn holder(&self) -> &'a Host {
        wait_until("a holder", 20, || self.with_role("holder").first().copied())
    }

    /// The others.
    pub(crate) fn without(&self, host: &Host) -> Vec<&'a Host> {
        self.hosts.iter().copied().filter(|other| other.number != host.number).collect()
    }
}

/// Starts agents at the same time.
pub(crate) fn start(hosts: &[Host]) {
    std::thread::scope(|scope| {
        for host in hosts {
            scope.spawn(|| host.start(&[]));
        }
    });
}

/// Takes a seat and gives it back at once.
#[track_caller]
pub(crate) fn checkout(host: &Host, product: &str) -> Done {
    host.cli(&["run", product, "--", "true"])
}

/// Takes a seat and gives it back, as often as it takes to get one.
#[track_caller]
pub(crate) fn checkout_soon(host: &Host, within_s: u64) {
    let mut last = None;
    wait_until(&format!("a seat on {}", host.name), within_s, || {
        let done = checkout(host, CAD);
        let code = done.code;
        last = Some(done);
        (code == 0).then_some(())
    });
}

/// That no more programs use a seat than there are.
#[track_caller]
pub(crate) fn never_more_than(seats: usize, programs: &mut [Program]) {
    let using: Vec<&str> =
        programs.iter_mut().filter_map(|program| program.uses_seat().then_some(&*program.host)).collect();
    assert!(using.len() <= seats, "{} seats, in use on {}", seats, using.join(", "));
}
