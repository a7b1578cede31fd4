//! A LAN: one bridge in a network namespace of its own, and one namespace per host, each with a cable to the bridge.

use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use crate::host::Host;

/// The interface of a host, and the one a laptop gets when it leaves the dock.
pub(crate) const CABLE: &str = "eth0";
pub(crate) const WIFI: &str = "wlan0";

/// LANs made so far. Held while one is made: `ip` does not like to be the first twice at once.
static MADE: Mutex<u32> = Mutex::new(0);

/// A LAN with hosts `h1`, `h2`, …; taken down on drop, also after a failure.
pub(crate) struct Lan {
    hosts: Vec<Host>,
    net: Net,
    dir: Option<tempfile::TempDir>,
}

impl Lan {
    /// A LAN with `hosts` hosts on which nothing runs yet; nothing where none can be had.
    #[track_caller]
    pub(crate) fn new(hosts: u8) -> Option<Self> {
        if let Err(missing) = prerequisites() {
            skip(&missing);
            return None;
        }
        let binary = binary();
        let dir = tempfile::Builder::new().prefix("sk-lan").tempdir().expect("a folder for the hosts");
        let net = Net::new(hosts);
        let host = |number: u8| Host::new(number, net.namespace(number), dir.path(), &binary);
        Some(Self { hosts: (1..=hosts).map(host).collect(), net, dir: Some(dir) })
    }

    /// The same, where [`Lan::firewall`] can be used.
    #[track_caller]
    pub(crate) fn with_firewalls(hosts: u8) -> Option<Self> {
        let lan = Self::new(hosts)?;
        match Command::new("nft").arg("--version").output() {
            Ok(_) => Some(lan),
            Err(error) => {
                skip(&format!("it needs `nft` (package nftables): {error}"));
                None
            }
        }
    }

    /// What the host does with packets that come in, each rule in the words of nft(8); the rest is let in.
    pub(crate) fn firewall(&self, host: &Host, rules: &[&str]) {
        let nft = |words: &str| {
            let args = ["netns", "exec", &host.namespace, "nft", words];
            ip(&args);
        };
        nft("flush ruleset");
        nft("add table inet office");
        nft("add chain inet office in { type filter hook input priority 0; }");
        rules.iter().for_each(|rule| nft(&format!("add rule inet office in {rule}")));
    }

    /// Host `h<number>`.
    pub(crate) fn host(&self, number: u8) -> &Host {
        &self.hosts[usize::from(number) - 1]
    }

    pub(crate) fn hosts(&self) -> &[Host] {
        &self.hosts
    }

    /// Pulls the host's cable at the far end: the host sees its link up and hears nothing.
    pub(crate) fn cut(&self, host: &Host) {
        ip(&["-n", &self.net.switch, "link", "set", &port(host.number, CABLE), "nomaster"]);
    }

    /// Plugs the cable in again.
    pub(crate) fn heal(&self, host: &Host) {
        ip(&["-n", &self.net.switch, "link", "set", &port(host.number, CABLE), "master", "br0"]);
    }

    /// Whether multicast reaches the host, and with it what others announce.
    pub(crate) fn multicast(&self, host: &Host, reaches: bool) {
        let (far, flood) = (port(host.number, CABLE), if reaches { "on" } else { "off" });
        ip(&["-n", &self.net.switch, "link", "set", &far, "type", "bridge_slave", "mcast_flood", flood]);
    }

    /// Takes the host's IPv6 address, which would outlast a change of the other one.
    pub(crate) fn without_ipv6(&self, host: &Host) {
        ip(&["-n", &host.namespace, "-6", "address", "flush", "dev", CABLE]);
    }

    /// Leaves the host with one family of addresses alone, which must be before its agent starts. Of IPv6 it has what every
    /// link has by itself.
    pub(crate) fn only(&self, host: &Host, ipv6: bool) {
        if ipv6 {
            ip(&["-n", &host.namespace, "-4", "address", "flush", "dev", CABLE]);
        } else {
            let off = "echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6";
            ip(&["netns", "exec", &host.namespace, "sh", "-c", off]);
        }
    }

    /// Gives the host another address on the same interface, as a new DHCP lease does.
    pub(crate) fn change_address(&self, host: &Host) {
        ip(&["-n", &host.namespace, "address", "flush", "dev", CABLE, "scope", "global"]);
        address(&host.namespace, host.number + 100, CABLE);
    }

    /// Takes the laptop from its dock: the cable's interface goes away, another one with another address comes.
    pub(crate) fn undock(&self, host: &Host) {
        self.net.plug(host.number, WIFI, host.number + 200);
        ip(&["-n", &host.namespace, "link", "delete", CABLE]);
    }

    /// Power failure: everything on the host dies at the same moment, and nothing says so to the others.
    pub(crate) fn power_off(&self, host: &Host) {
        self.cut(host);
        host.kill();
    }

    /// Power is back: the agent starts with the machine.
    pub(crate) fn power_on(&self, host: &Host) {
        self.heal(host);
        host.start(&[]);
    }
}

impl Drop for Lan {
    fn drop(&mut self) {
        let keep = std::env::var_os("SEATKEEPER_TESTS_KEEP").is_some();
        if std::thread::panicking() {
            self.hosts.iter().for_each(Host::tell_logs);
        }
        if let Some(dir) = self.dir.take_if(|_| keep) {
            writeln!(std::io::stderr(), "kept: {}", dir.keep().display()).ok();
        }
    }
}

/// The namespaces; deleted on drop.
struct Net {
    switch: String,
    prefix: String,
    hosts: u8,
}

impl Net {
    fn new(hosts: u8) -> Self {
        let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
        *made += 1;
        let number = *made;
        let prefix = format!("sk{}n{number}", std::process::id());
        let net = Self { switch: format!("{prefix}sw"), prefix, hosts };
        ip(&["netns", "add", &net.switch]);
        // Snooping would hold multicast back until a querier is found, and there is none.
        ip(&["-n", &net.switch, "link", "add", "br0", "type", "bridge", "mcast_snooping", "0"]);
        ip(&["-n", &net.switch, "link", "set", "br0", "up"]);
        for host in 1..=hosts {
            let namespace = net.namespace(host);
            ip(&["netns", "add", &namespace]);
            ip(&["-n", &namespace, "link", "set", "lo", "up"]);
            net.plug(host, CABLE, host);
        }
        net
    }

    fn namespace(&self, host: u8) -> String {
        format!("{}h{host}", self.prefix)
    }

    /// A cable from the host's `interface` to the bridge.
    fn plug(&self, host: u8, interface: &str, number: u8) {
        let (namespace, far) = (self.namespace(host), port(host, interface));
        let ends = ["type", "veth", "peer", "name", &far, "netns", &self.switch];
        ip(&[&["-n", &namespace, "link", "add", interface][..], &ends].concat());
        ip(&["-n", &self.switch, "link", "set", &far, "master", "br0", "up"]);
        ip(&["-n", &namespace, "link", "set", interface, "up"]);
        address(&namespace, number, interface);
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        for namespace in (1..=self.hosts).map(|host| self.namespace(host)).chain([self.switch.clone()]) {
            Command::new("ip").args(["netns", "delete", &namespace]).output().ok();
        }
    }
}

/// The bridge's end of a cable.
fn port(host: u8, interface: &str) -> String {
    format!("h{host}{interface}")
}

fn address(namespace: &str, number: u8, interface: &str) {
    let address = format!("10.77.0.{number}/24");
    ip(&["-n", namespace, "address", "add", &address, "dev", interface]);
    ip(&["-n", namespace, "route", "add", "default", "dev", interface, "metric", &number.to_string()]);
}

#[track_caller]
fn ip(args: &[&str]) {
    let output = Command::new("ip").args(args).output().expect("ip runs");
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "ip {}: {text}", args.join(" "));
}

/// Says that a test was skipped; in CI none is.
#[track_caller]
pub(crate) fn skip(missing: &str) {
    assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "the LAN test cannot run: {missing}");
    // Past the test harness, which shows no output of a test that passes.
    writeln!(std::io::stderr(), "skipped: the LAN test cannot run here: {missing}").ok();
}

/// What keeps a LAN from being made here.
fn prerequisites() -> Result<(), String> {
    if std::fs::metadata("/proc/self").map_or(0, |me| me.uid()) != 0 {
        return Err("it needs root, to make network namespaces".to_owned());
    }
    let _made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
    let probe = format!("sk{}probe", std::process::id());
    let made = Command::new("ip").args(["netns", "add", &probe]).output();
    let made = made.map_err(|error| format!("it needs `ip` (package iproute2): {error}"))?;
    if !made.status.success() {
        let why = String::from_utf8_lossy(&made.stderr);
        return Err(format!("network namespaces cannot be made: {}", why.trim()));
    }
    Command::new("ip").args(["netns", "delete", &probe]).output().ok();
    Ok(())
}

/// The real program, which a workspace build puts beside the folder of the tests.
#[track_caller]
fn binary() -> PathBuf {
    let test = std::env::current_exe().expect("this test's own path");
    let binary = test.ancestors().nth(2).expect("target/debug/deps/lan").join("seatkeeper");
    assert!(binary.exists(), "{} is missing: run `cargo build -p seatkeeper` first", binary.display());
    binary
}
