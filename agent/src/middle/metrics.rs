//! Metrics: what is measured, and Prometheus' text format of it.
//!
//! The text is written here: all values but one histogram are known only at a scrape, and what it takes for that is the
//! last third of this file. (`prometheus-client` would bring a registry, parking_lot and a derive macro along.)

use std::collections::BTreeMap;
use std::fmt::{Display, Write};
use std::time::Duration;

use seatkeeper_protocol::api;

/// What it is sent as.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Upper bounds of the buckets of checkouts, milliseconds: from a commit on a fast disk to a site that changes its holder.
const BOUNDS_MS: [u32; 12] = [1, 2, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 10_000];
/// The rules that refuse.
const RULES: [&str; 4] = ["no-seat", "queue", "not-licensed", "limit"];
/// Products that denials are counted of: any program may ask for any product.
const PRODUCTS_MAX: usize = 500;
/// Stands for the products beyond.
const OTHER: &str = "other";
/// The roles there are.
const ROLES: [&str; 6] = ["holder", "voter", "standby", "spare", "waiting", "none"];

/// Everything that is measured.
#[derive(Clone, Debug)]
pub struct Measured {
    /// This agent's version.
    pub version: &'static str,
    /// When it was started, milliseconds.
    pub started_ms: i64,
    /// The newest term.
    pub term: u64,
    /// Terms that somebody held since.
    pub elections: u64,
    /// Devices connected to this one.
    pub peers: usize,
    /// How far this clock is ahead of the site's; `None`: not known.
    pub clock_ahead_ms: Option<i64>,
    /// The log here, if there is one.
    pub log: Option<LogSizes>,
    /// Checkouts of programs here.
    pub checkouts: Durations,
    /// Denials in the site.
    pub denials: Denials,
    /// When licenses end.
    pub licenses: Vec<LicenseEnd>,
    /// What the holder says, or this agent alone.
    pub status: api::Status,
}

/// How large a log is.
#[derive(Clone, Copy, Debug)]
pub struct LogSizes {
    /// Entries that no snapshot has taken the place of.
    pub entries: u64,
    /// The snapshot.
    pub snapshot_bytes: u64,
    /// Its file, with the snapshot.
    pub bytes: Option<u64>,
    /// The last entry.
    pub last: u64,
    /// The last one that was applied.
    pub applied: u64,
}

/// When a license ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LicenseEnd {
    /// Product.
    pub product: String,
    /// License id.
    pub license: String,
    /// Milliseconds.
    pub ends_ms: i64,
}

/// How long something took, each time.
#[derive(Clone, Debug, Default)]
pub struct Durations {
    /// By bound, and beyond the last.
    counts: [u64; BOUNDS_MS.len() + 1],
    sum: Duration,
    /// How often it came to nothing.
    pub failed: u64,
}

impl Durations {
    /// Once more.
    pub fn observe(&mut self, took: Duration) {
        let within = |bound: &u32| took <= Duration::from_millis(u64::from(*bound));
        let bucket = BOUNDS_MS.iter().position(within).unwrap_or(BOUNDS_MS.len());
        if let Some(count) = self.counts.get_mut(bucket) {
            *count = count.saturating_add(1);
        }
        self.sum = self.sum.saturating_add(took);
    }
}

/// Denials since this agent was first asked, counted by following the site's events. The numbers of events are in the
/// books, so that none is counted twice, or left out, because somebody else holds: a counter only ever grows, and begins
/// anew only with the agent.
#[derive(Clone, Debug, Default)]
pub struct Denials {
    /// The last event that was looked at.
    seen: Option<u64>,
    counts: BTreeMap<(String, String), u64>,
}

impl Denials {
    /// After which event to ask for more. The last one seen comes again, so that the holder has something to answer at once.
    pub fn after(&self) -> Option<u64> {
        self.seen.map(|seen| seen.saturating_sub(1))
    }

    /// Counts the denials of a page. Whether there may be more.
    pub fn take(&mut self, events: &[api::Event]) -> bool {
        let Some(last) = events.last().map(|event| event.seq) else { return false };
        // What was before is nobody's news.
        let Some(seen) = self.seen.replace(last) else { return false };
        for event in events.iter().filter(|event| event.seq > seen && event.kind == "denied") {
            let rule = event.code.as_deref().filter(|code| RULES.contains(code)).unwrap_or(OTHER);
            self.count(event.product.as_deref().unwrap_or(OTHER), rule);
        }
        last > seen
    }

    fn count(&mut self, product: &str, rule: &str) {
        let key = (product.to_owned(), rule.to_owned());
        let full = self.counts.len() >= PRODUCTS_MAX * RULES.len() && !self.counts.contains_key(&key);
        let key = if full { (OTHER.to_owned(), rule.to_owned()) } else { key };
        let count = self.counts.entry(key).or_default();
        *count = count.saturating_add(1);
    }
}

/// A metric's name, what it is, and its value.
type Value<T, V> = (&'static str, &'static str, fn(&T) -> V);

/// The text.
pub fn render(of: &Measured) -> String {
    let mut text = Text::default();
    machine(&mut text, of);
    checkouts(&mut text, &of.checkouts);
    site(&mut text, &of.status);
    pools(&mut text, &of.status.pools);
    denials(&mut text, of);
    text.family("seatkeeper_license_end_timestamp_seconds", "gauge", "When a license in force ends.");
    for end in &of.licenses {
        text.sample("", &[("product", &end.product), ("license", &end.license)], seconds(end.ends_ms));
    }
    text.text
}

fn machine(text: &mut Text, of: &Measured) {
    text.family("seatkeeper_build_info", "gauge", "The version of this agent.");
    text.sample("", &[("version", of.version)], 1);
    text.family("process_start_time_seconds", "gauge", "When this agent was started.");
    text.sample("", &[], seconds(of.started_ms));
    text.family("seatkeeper_role", "gauge", "1 for the role of this machine.");
    let role = of.status.me.as_ref().map_or("none", |me| me.role.as_str());
    for known in ROLES {
        text.sample("", &[("role", known)], u8::from(role == known));
    }
    text.single("seatkeeper_term", "gauge", "The newest term that this agent knows.", of.term);
    let help = "Terms with a holder that this agent has seen.";
    text.single("seatkeeper_elections_total", "counter", help, of.elections);
    text.single("seatkeeper_peers", "gauge", "Machines connected to this one.", of.peers);
    text.family(
        "seatkeeper_clock_skew_seconds",
        "gauge",
        "How far the clock here is ahead of the time of the site.",
    );
    if let Some(ahead) = of.clock_ahead_ms {
        text.sample("", &[], seconds(ahead));
    }
    let log = of.log;
    let of_log: [Value<LogSizes, Option<u64>>; 5] = [
        ("seatkeeper_log_size_bytes", "The file of log and snapshot here.", |log| log.bytes),
        ("seatkeeper_log_entries", "Entries that the snapshot does not have.", |log| Some(log.entries)),
        ("seatkeeper_log_last_index", "The last entry of the log here.", |log| Some(log.last)),
        ("seatkeeper_log_applied_index", "The last entry that was applied here.", |log| Some(log.applied)),
        ("seatkeeper_snapshot_size_bytes", "The snapshot here.", |log| Some(log.snapshot_bytes)),
    ];
    for (name, help, value) in of_log {
        text.family(name, "gauge", help);
        if let Some(value) = log.as_ref().and_then(value) {
            text.sample("", &[], value);
        }
    }
}

fn checkouts(text: &mut Text, of: &Durations) {
    let help = "How long checkouts of programs on this machine took, granted or not.";
    text.family("seatkeeper_checkout_duration_seconds", "histogram", help);
    let mut together = 0u64;
    for (bound, count) in BOUNDS_MS.iter().zip(&of.counts) {
        together = together.saturating_add(*count);
        let bound = seconds(i64::from(*bound)).to_string();
        text.sample("_bucket", &[("le", &bound)], together);
    }
    let all = of.counts.iter().fold(0u64, |all, count| all.saturating_add(*count));
    text.sample("_bucket", &[("le", "+Inf")], all);
    text.sample("_sum", &[], of.sum.as_secs_f64());
    text.sample("_count", &[], all);
    let help = "Checkouts of programs on this machine that nobody answered.";
    text.single("seatkeeper_checkouts_failed_total", "counter", help, of.failed);
}

fn site(text: &mut Text, status: &api::Status) {
    let holder = u8::from(status.holder.is_some());
    text.single("seatkeeper_holder_reachable", "gauge", "Whether a holder answers this machine.", holder);
    let quorum: [Value<api::Quorum, u32>; 4] = [
        ("seatkeeper_quorum_voters", "Machines that vote.", |quorum| quorum.voters),
        ("seatkeeper_quorum_live", "Machines that vote and answered lately.", |quorum| quorum.live),
        ("seatkeeper_quorum_needed", "How many of them must answer.", |quorum| quorum.needed),
        ("seatkeeper_quorum_ok", "Whether enough of them do.", |quorum| u32::from(quorum.ok)),
    ];
    for (name, help, value) in quorum {
        text.family(name, "gauge", help);
        if let Some(quorum) = &status.quorum {
            text.sample("", &[], value(quorum));
        }
    }
    let devices: [Value<api::DeviceCount, u32>; 2] = [
        ("seatkeeper_devices_enrolled", "Machines of the site.", |devices| devices.enrolled),
        ("seatkeeper_devices_online", "Machines connected to the holder.", |devices| devices.online),
    ];
    for (name, help, value) in devices {
        text.family(name, "gauge", help);
        if let Some(devices) = &status.devices {
            text.sample("", &[], value(devices));
        }
    }
    text.family("seatkeeper_health", "gauge", "1 for what is not as it should be.");
    let told: std::collections::BTreeSet<(&str, &str)> =
        status.health.iter().map(|health| (health.code.as_str(), health.severity.as_str())).collect();
    for (code, severity) in told {
        text.sample("", &[("code", code), ("severity", severity)], 1);
    }
}

fn pools(text: &mut Text, pools: &[api::Pool]) {
    let labels = |pool: &'_ api::Pool| [pool.product.clone(), pool.version.clone(), pool.license.clone()];
    let values: [Value<api::Pool, u32>; 5] = [
        ("seatkeeper_seats_owned", "Seats of a license.", |pool| pool.owned),
        ("seatkeeper_seats_free", "Seats of a license that are free.", |pool| pool.free),
        ("seatkeeper_seats_offline", "Seats in use on machines that are away.", |pool| pool.offline),
        ("seatkeeper_seats_over", "Seats in use beyond what is owned.", |pool| pool.over),
        ("seatkeeper_queue_waiting", "Programs that wait for a seat of a license.", |pool| pool.waiting),
    ];
    for (name, help, value) in values {
        text.family(name, "gauge", help);
        for pool in pools {
            let [product, version, license] = labels(pool);
            let labels = [("product", &*product), ("version", &*version), ("license", &*license)];
            text.sample("", &labels, value(pool));
        }
    }
    text.family("seatkeeper_seats_used", "gauge", "Seats of a license in use.");
    for pool in pools {
        let [product, version, license] = labels(pool);
        let kinds = [
            ("online", pool.online),
            ("borrowed", pool.borrowed),
            ("parked", pool.parked),
            ("grace", pool.grace),
        ];
        for (kind, used) in kinds {
            let labels =
                [("product", &*product), ("version", &*version), ("license", &*license), ("kind", kind)];
            text.sample("", &labels, used);
        }
    }
}

/// Also what never happened yet, for products that are owned: a counter that begins with its first denial would hide it.
fn denials(text: &mut Text, of: &Measured) {
    let mut counts = of.denials.counts.clone();
    if of.denials.seen.is_some() {
        for pool in &of.status.pools {
            for rule in RULES {
                counts.entry((pool.product.clone(), rule.to_owned())).or_default();
            }
        }
    }
    text.family("seatkeeper_denials_total", "counter", "Starts in the site that were refused.");
    for ((product, rule), count) in &counts {
        text.sample("", &[("product", product), ("reason", rule)], count);
    }
}

/// Milliseconds as seconds.
fn seconds(ms: i64) -> f64 {
    // Whole and rest apart, and each far from where a float has no room for it.
    let (whole, rest) = (ms.div_euclid(1_000), ms.rem_euclid(1_000));
    let whole = i32::try_from(whole).map_or_else(|_| whole.to_string().parse().unwrap_or(0.0), f64::from);
    whole + f64::from(u16::try_from(rest).unwrap_or(0)) / 1_000.0
}

/// The text format, one family after the other.
#[derive(Default)]
struct Text {
    text: String,
    family: &'static str,
}

impl Text {
    /// Begins a metric.
    fn family(&mut self, name: &'static str, kind: &str, help: &str) {
        self.family = name;
        // A String takes everything.
        write!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}\n").ok();
    }

    /// A value of the metric that was begun.
    fn sample(&mut self, suffix: &str, labels: &[(&str, &str)], value: impl Display) {
        write!(self.text, "{}{suffix}", self.family).ok();
        for (number, (name, label)) in labels.iter().enumerate() {
            let open = if number == 0 { '{' } else { ',' };
            let label = label.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            write!(self.text, "{open}{name}=\"{label}\"").ok();
        }
        let close = if labels.is_empty() { "" } else { "}" };
        writeln!(self.text, "{close} {value}").ok();
    }

    /// A metric of one value.
    fn single(&mut self, name: &'static str, kind: &str, help: &str, value: impl Display) {
        self.family(name, kind, help);
        self.sample("", &[], value);
    }
}

#[cfg(test)]
mod tests;
