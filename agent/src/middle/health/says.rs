//! Every sentence of health and of `doctor`, with the names of its values. A page that speaks another language finds its
//! own by the code; where a code has two sentences, the values that are there tell which.

use seatkeeper_protocol::api::Health;

use super::Args;

/// What is said of one condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Says {
    /// Stable code.
    pub code: &'static str,
    /// `ok`, `info`, `warning` or `error`.
    pub severity: &'static str,
    /// The sentence, with the names of values in braces.
    pub template: &'static str,
}

impl Says {
    /// The sentence with these values.
    pub fn told(&self, args: Args) -> Health {
        let text = fill(self.template, &args);
        Health { code: self.code.to_owned(), severity: self.severity.to_owned(), text, args }
    }
}

/// Puts the values where the template names them. A value is text, whatever it contains.
fn fill(template: &str, args: &Args) -> String {
    let mut text = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, named)) = rest.split_once('{') {
        text.push_str(before);
        let (name, after) = named.split_once('}').unwrap_or((named, ""));
        debug_assert!(args.contains_key(name), "no value for {name} in: {template}");
        text.push_str(args.get(name).map_or("?", String::as_str));
        rest = after;
    }
    text.push_str(rest);
    text
}

macro_rules! says {
    ($($name:ident: $code:literal, $severity:literal, $template:literal;)*) => {
        $(
            #[doc = concat!("`", $code, "`.")]
            pub const $name: Says = Says { code: $code, severity: $severity, template: $template };
        )*

        /// All of them.
        pub const ALL: &[Says] = &[$($name),*];
    };
}

says! {
    NO_SITE: "no-site", "info",
        "this machine belongs to no site; run `seatkeeper site create NAME --admin WHO` on the first machine, \
         `seatkeeper site join CODE` on the others";
    WAITING: "waiting", "info", "site `{site}` knows that this machine wants to join; an admin admits it with `seatkeeper device admit`";
    NO_HOLDER: "no-holder", "error",
        "no machine of the site can hand out seats now; switch on another machine that votes, or check the \
         network";
    NO_QUORUM: "no-quorum", "error",
        "no seats can be handed out now: {live} of the {voters} machines that vote answer, {needed} must; switch \
         on another one, or check the network; if they are gone for good, see `seatkeeper site recover --plan`";
    NO_QUORUM_MISSED: "no-quorum", "error",
        "no seats can be handed out now: {live} of the {voters} machines that vote answer, {needed} must; switch \
         on or connect again: {missed}; if they are gone for good, see `seatkeeper site recover --plan`";
    VOTERS_MISSED: "voters-missed", "info",
        "{live} of the {voters} machines that vote answer, which is enough; not heard of: {missed}; whoever stays \
         away loses the vote to another machine that is on";
    TURNED_AWAY: "turned-away", "error", "the site turns this machine away: {reason}";
    TWO_SITES: "two-sites", "warning",
        "two sites here are named `{site}`: this machine's ({id}) and one seen at {address} ({other}); if that \
         was created by mistake, run `seatkeeper site leave` on its machines and let them join this one";
    SEVERAL_SITES: "several-sites", "info", "several sites are nearby: {sites}; ask an admin of yours for a code and run `seatkeeper site join CODE`";
    NEWER_GENERATION: "newer-generation", "error",
        "the site was recovered without this machine: generation {other} of it was seen at {address}, this \
         machine is in generation {generation} and follows once it has met one that can show how; if this lasts, run \
         `seatkeeper site leave` here and join again with a new code";
    OLDER_GENERATION: "older-generation", "warning",
        "a machine at {address} has missed that the site was recovered: it is in generation {other}, the site in \
         {generation}, and follows once it has met one that can show how; if this lasts, run `seatkeeper site \
         leave` there and join again with a new code";
    DURABILITY_SINGLE: "durability-single", "info", "only one machine keeps the books; they are lost if its disk fails, so let a second machine join";
    POOL_KEY_EXPOSED: "pool-key-exposed", "warning",
        "a revoked machine had the key that signs tickets; run `seatkeeper device revoke` for it again with the \
         recovery code to replace the key";
    LOG_FAILED: "log-failed", "error", "this machine can no longer keep the books: {reason}; check its disk, then restart the agent";
    AUDIT_UNWRITTEN: "audit-unwritten", "warning",
        "this machine cannot write down the records of the audit: {reason}; make room or check its disk, or they \
         are lost here once 10,000 newer ones have come";
    CLOCK_AHEAD: "clock-off", "warning", "this machine's clock is {apart} ahead of the site's; set it right: until then it may not borrow seats";
    CLOCK_BEHIND: "clock-off", "warning", "this machine's clock is {apart} behind the site's; set it right: until then it may not borrow seats";
    DEVICE_LOST: "device-lost", "error",
        "this machine was reported as lost and gets no seats; if it is found, an admin says so with `seatkeeper \
         device lost DEVICE --found`";
    BORROW_ENDS: "borrow-ends", "warning",
        "the borrowed seat of {product} ends in {left}; connect to the site and borrow again, or save your work \
         by then";
    LICENSE_ENDS: "license-ends", "warning",
        "the license {license} for {product} ends on {until}, in {left}; ask the vendor for its successor and add \
         that with `seatkeeper license add`";
    LICENSE_ENDED: "license-ended", "warning",
        "the license {license} for {product} ended on {until}, and {seats} of its seats are still in use; add its \
         successor with `seatkeeper license add`, or let these programs end";
    DISK_FULL: "disk-full", "error",
        "the disk of {path} is full: {free} of {total} are left, and soon nothing can be written down; make room \
         now";
    DISK_LOW: "disk-low", "warning",
        "the disk of {path} is nearly full: {free} of {total} are left; make room before nothing can be written \
         down any more";
    FOREIGN_OWNER: "foreign-owner", "error",
        "{path} belongs to another user (uid {uid}); run the agent as that user, or give it to the agent's with \
         `chown`";
    OTHERS_WRITE: "others-write", "error", "{path} can be changed by other users; run `chmod go-w {path}`";
    OTHERS_READ: "others-read", "error", "{path} can be read by other users; run `chmod go-r {path}`";
    WEB_PORT_TAKEN: "web-port-taken", "warning",
        "this machine's page cannot be served: {address} is taken by another program; stop that, or start the \
         agent with another --web; it is tried again every 10 s";
    WEB_PORT_TAKEN_BY: "web-port-taken", "warning",
        "this machine's page cannot be served: {address} is taken by {program}; stop that, or start the agent \
         with another --web; it is tried again every 10 s";
    WEB_PORT_FAILED: "web-port-failed", "warning", "this machine's page cannot be served at {address}: {reason}; start the agent with another --web";
    UDP_PORT_CLOSED: "udp-port-closed", "warning",
        "a call from {peer} to {address} does not reach this machine; allow incoming UDP port {port} in its \
         firewall";
    MULTICAST_OFF: "multicast-off", "warning",
        "this machine does not hear its own multicast on {interfaces}, so it is not found and finds nobody; allow \
         UDP port 5353 (mDNS) in its firewall, or name another machine with --peer";
    MULTICAST_BLOCKED: "multicast-blocked", "warning",
        "nobody else is heard by multicast on {interfaces}, though {peers} can be reached there; allow UDP port \
         5353 (mDNS) in the firewalls, and multicast in the switch or access point (IGMP snooping, client \
         isolation), or name a machine with --peer";
    BUG: "bug", "error", "the books refused something impossible, please report it: {detail}";

    // What only `doctor` says.
    AGENT_OK: "agent-ok", "ok", "the agent answers; it is version {version}";
    NO_AGENT: "no-agent", "error", "{reason}";
    SITE_OK: "site-ok", "ok", "this machine belongs to site `{site}` ({id}), generation {generation}";
    HOLDER_OK: "holder-ok", "ok", "the licenses are held by {holder}, which answers within {ms} ms";
    HOLDER_HERE: "holder-ok", "ok", "the licenses are held by this machine";
    HOLDER_SILENT: "holder-silent", "error",
        "the licenses are held by {holder}, which does not answer ({reason}); check the network between it and \
         this machine";
    QUORUM_OK: "quorum-ok", "ok", "{live} of the {voters} machines that vote answer, {needed} must";
    QUORUM_UNKNOWN: "quorum-unknown", "info", "how many machines that vote answer is not known here; ask on a machine that votes";
    MULTICAST_OK: "multicast-ok", "ok", "this machine hears {peers} by multicast on {interfaces}";
    MULTICAST_ALONE: "multicast-ok", "ok",
        "multicast works on {interfaces}, as far as this machine alone can tell: no other machine of the site is \
         there";
    MULTICAST_NOT_USED: "multicast-not-used", "info", "machines are not looked for by multicast: the agent was started with --no-mdns";
    MULTICAST_UNKNOWN: "multicast-unknown", "info", "whether multicast works could not be tried: {reason}";
    UDP_PORT_OK: "udp-port-ok", "ok", "a call from {peer} to {address} reaches this machine";
    UDP_PORT_ALONE: "udp-port-unknown", "info",
        "whether UDP port {port} can be reached from outside is not known: no other machine of the site is \
         connected";
    UDP_PORT_UNKNOWN: "udp-port-unknown", "info", "whether UDP port {port} can be reached from outside is not known: {reason}";
    UDP_PORT_FREE: "udp-port-ok", "ok", "UDP {address} is free for the agent";
    UDP_PORT_TAKEN: "udp-port-taken", "error",
        "UDP {address} is taken by another program; stop that, or start the agent with another --listen";
    UDP_PORT_TAKEN_BY: "udp-port-taken", "error",
        "UDP {address} is taken by {program}; stop that, or start the agent with another --listen";
    UDP_PORT_FAILED: "udp-port-failed", "error", "UDP {address} cannot be listened at: {reason}; start the agent with another --listen";
    SITES_OK: "sites-ok", "ok", "no other site named `{site}` is nearby";
    GENERATION_OK: "generation-ok", "ok", "no machine of another generation of the site is nearby";
    CLOCK_OK: "clock-ok", "ok", "this machine's clock agrees with the site's within {off_s} s";
    CLOCK_UNKNOWN: "clock-unknown", "info", "whether this machine's clock is right is not known: it has not heard from the holder yet";
    DISK_OK: "disk-ok", "ok", "the disk of {path} has {free} of {total} left";
    DISK_UNKNOWN: "disk-unknown", "info", "how much room the disk of {path} has is not known: {reason}";
    LICENSES_OK: "licenses-ok", "ok", "no license ends within {days} days";
    LICENSES_UNKNOWN: "licenses-unknown", "info", "whether a license ends soon is not known: the holder does not answer";
    RIGHTS_OK: "rights-ok", "ok", "other users can neither read nor change what is in {path}";
    RIGHTS_UNKNOWN: "rights-unknown", "warning", "{path} cannot be looked at: {reason}; run this as the agent's user";
    STATE_DIR_NEW: "state-dir-new", "info", "{path} does not exist; the agent makes it when it first starts";
    WEB_PORT_OK: "web-port-ok", "ok", "this machine's page is served at {address}";
    WEB_PORT_FREE: "web-port-ok", "ok", "{address} is free for this machine's page";
    WEB_OFF: "web-off", "info", "this machine serves no page: the agent was started with `--web off`";
}
