//! The rules, each a function from a file to what breaks it.

use std::fmt;

use crate::source::Source;

/// Longest source file, lines.
const LINES_MAX: usize = 600;

/// Directory, name and the crates of ours that it may use; the others may use all.
pub(crate) const OUR_CRATES: [(&str, &str, &[&str]); 4] = [
    ("protocol", "seatkeeper-protocol", &[]),
    ("protocol/ledger", "seatkeeper-ledger", &["seatkeeper-protocol"]),
    ("election", "seatkeeper-election", &["seatkeeper-protocol"]),
    ("agent/client", "seatkeeper-client", &["seatkeeper-protocol"]),
];

/// The pure rooms of the agent.
const MIDDLE: [&str; 3] = ["agent/src/middle/", "agent/src/keys/", "agent/src/seam/"];
/// It sees the machine through the seams alone, so that the simulator runs all of it.
const NODE: &str = "agent/src/node/";
/// The rooms where IO happens, and those that wire them up.
const EDGE: [&str; 10] =
    ["quic", "mdns", "disk", "http", "webhook", "platform", "host", "cli", "demo", "node"];

/// What calls an operating system, and where it may stand.
const OS_CRATES: [&str; 11] = [
    "rustix",
    "windows_sys",
    "nix",
    "signal_hook",
    "libc",
    "socket2",
    "x11rb",
    "zbus",
    "notify_rust",
    "if_addrs",
    "winreg",
];
const OS_MAY: [&str; 2] = [
    "agent/src/platform/",
    // Where the agent's socket is depends on who asks.
    "agent/client/src/socket.rs",
];

/// Must give the same result on every machine and in every simulated run.
const DETERMINISTIC: [&str; 6] =
    ["protocol/", "election/src/", "agent/src/middle/", "agent/src/keys/", "agent/src/seam/", NODE];
/// The one place where keys get their chance from.
const CHANCE_OWNER: &str = "agent/src/keys/mod.rs";

/// A line that breaks a rule.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    path: String,
    line: usize,
    what: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.what)
    }
}

/// One finding per place where `word` stands as a word of its own.
fn words(source: &Source, code: &str, word: &str, what: &str) -> Vec<Finding> {
    let of_a_word = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(word)
        .filter(|(at, _)| {
            let (before, after) = (code[..*at].chars().next_back(), code[at + word.len()..].chars().next());
            let goes_on =
                |c: Option<char>, edge: Option<char>| edge.is_some_and(of_a_word) && c.is_some_and(of_a_word);
            !goes_on(before, word.chars().next()) && !goes_on(after, word.chars().next_back())
        })
        .map(|(at, _)| Finding {
            path: source.path.clone(),
            line: code[..at].matches('\n').count() + 1,
            what: what.to_owned(),
        })
        .collect()
}

pub(crate) fn middle_imports_edge(source: &Source) -> Vec<Finding> {
    let node = source.path.starts_with(NODE);
    if !node && !MIDDLE.iter().any(|room| source.path.starts_with(room)) {
        return Vec::new();
    }
    let code = source.shipped();
    let mut findings = Vec::new();
    for root in ["crate::", "super::super::"] {
        for (at, _) in code.match_indices(root) {
            let rest = &code[at + root.len()..];
            let imported: Vec<&str> = match rest.strip_prefix('{') {
                Some(group) => heads(group),
                None => rest.split(|c: char| !c.is_alphanumeric() && c != '_').take(1).collect(),
            };
            for edge in imported.into_iter().filter(|name| EDGE.contains(name) && !(node && *name == "node"))
            {
                let line = code[..at].matches('\n').count() + 1;
                let what = format!("imports `{edge}`, which is edge");
                findings.push(Finding { path: source.path.clone(), line, what });
            }
        }
    }
    findings
}

/// The first name of each branch of `use crate::{…}`.
fn heads(group: &str) -> Vec<&str> {
    let (mut depth, mut start, mut found) = (0, 0, Vec::new());
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            ',' | '}' if depth == 0 => {
                found.extend(group[start..at].trim().split("::").next());
                start = at + 1;
                if c == '}' {
                    break;
                }
            }
            _ => {}
        }
    }
    found
}

pub(crate) fn operating_system_call(source: &Source) -> Vec<Finding> {
    if OS_MAY.iter().any(|may| source.path.starts_with(may)) || source.is_test() {
        return Vec::new();
    }
    let may_use_sockets =
        source.path.starts_with("agent/src/quic/") || source.path.starts_with("agent/src/mdns/");
    OS_CRATES
        .into_iter()
        .filter(|name| !(may_use_sockets && *name == "socket2"))
        .flat_map(|name| {
            let what = format!("`{name}` outside the agent's platform module");
            words(source, source.shipped(), &format!("{name}::"), &what)
        })
        .collect()
}

pub(crate) fn clock_or_chance(source: &Source) -> Vec<Finding> {
    if !DETERMINISTIC.iter().any(|room| source.path.starts_with(room)) {
        return Vec::new();
    }
    let code = source.shipped();
    let banned = |word: &str, why: &str| words(source, code, word, &format!("`{word}`: {why}"));
    let mut findings = Vec::new();
    for (word, why) in [
        ("SystemTime", "time comes through the Clock seam, or is an argument"),
        ("HashMap", "its order is random: BTreeMap"),
        ("HashSet", "its order is random: BTreeSet"),
        ("thread::sleep", "sleep on the runtime's clock"),
        ("rand", "chance is an argument"),
        ("time::Instant::now", "tokio's clock can be paused, the machine's cannot"),
    ] {
        findings.extend(banned(word, why));
    }
    // Tokio's clock, which a simulation pauses, is the engine's own.
    findings.retain(|finding| {
        let line = code.lines().nth(finding.line - 1).unwrap_or_default();
        !line.contains("tokio::time::Instant::now")
    });
    let engine = source.path.starts_with("election/") || source.path.starts_with(NODE);
    if !engine || code.contains("std::time::Instant") {
        findings.extend(banned("Instant::now", "`now` is an argument"));
    }
    if source.path != CHANCE_OWNER {
        findings.extend(banned("getrandom", "chance is an argument"));
    }
    findings
}

pub(crate) fn too_long(source: &Source) -> Vec<Finding> {
    let lines = source.code.lines().count();
    if lines <= LINES_MAX {
        return Vec::new();
    }
    let what = format!("{lines} lines, at most {LINES_MAX}");
    vec![Finding { path: source.path.clone(), line: lines, what }]
}

pub(crate) fn allow_without_reason(source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    for attribute in ["#[allow(", "#![allow(", "#[expect(", "#![expect("] {
        for finding in words(source, &source.code, attribute, "an allow without a reason") {
            let from: String = source.code.lines().skip(finding.line - 1).collect::<Vec<_>>().join("\n");
            let attribute = from.find(attribute).map_or("", |at| &from[at..]);
            let attribute = attribute.split(")]").next().unwrap_or_default();
            if !attribute.contains("reason") {
                findings.push(finding);
            }
        }
    }
    findings
}

pub(crate) fn left_undone(source: &Source) -> Vec<Finding> {
    ["todo!", "unimplemented!", "#[ignore"]
        .into_iter()
        .flat_map(|word| words(source, &source.code, word, &format!("`{word}`")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::code_of;

    #[track_caller]
    fn check(rule: fn(&Source) -> Vec<Finding>, path: &str, text: &str, found: usize) {
        let source = Source { path: path.to_owned(), code: code_of(text) };
        assert_eq!(rule(&source).len(), found, "{path}: {text}: {:?}", rule(&source));
    }

    #[test]
    fn imports_of_the_edge_are_found() {
        let check = |text, found| check(middle_imports_edge, "agent/src/middle/x.rs", text, found);
        check("use crate::quic::Quic;", 1);
        check("use crate::{\n    keys,\n    disk::{self, node},\n    mdns,\n};", 2);
        check("fn f() { crate::platform::clock() }", 1);
        check("use super::super::node::Node;", 1);
        check("use crate::keys; use crate::middle::book; // crate::quic\nuse crate::nodes;", 0);
        let node = |text, found| super::tests::check(middle_imports_edge, "agent/src/node/x.rs", text, found);
        node("use crate::quic::Quic; use crate::platform::clock::SystemClock;", 2);
        node("use crate::seam::Net; use crate::node::Inner; use crate::middle::book::Book;", 0);
        node("fn f() {}\n#[cfg(test)]\nmod tests { use crate::disk::StateDir; }", 0);
        super::tests::check(middle_imports_edge, "agent/src/host.rs", "use crate::quic::Quic;", 0);
    }

    #[test]
    fn calls_of_the_operating_system_are_found() {
        check(operating_system_call, "agent/src/node/x.rs", "rustix::process::getpid();", 1);
        check(operating_system_call, "agent/src/cli/run.rs", "use nix::unistd::User;", 1);
        check(operating_system_call, "agent/src/platform/unix.rs", "use nix::unistd::User;", 0);
        check(operating_system_call, "agent/src/node/x.rs", "phoenix::rise(); // nix::x", 0);
        check(operating_system_call, "election/src/x.rs", "libc::fsync(1)", 1);
    }

    #[test]
    fn clocks_and_chance_are_found() {
        let ledger = |text, found| check(clock_or_chance, "protocol/ledger/src/x.rs", text, found);
        ledger("let now = Instant::now();", 1);
        ledger("use std::collections::HashMap;", 1);
        ledger("use std::collections::{BTreeMap, HashSet};", 1);
        ledger("rand::rng(); std::thread::sleep(d);", 2);
        ledger("let operand = 1; // HashMap", 0);
        ledger("fn f() {}\n#[cfg(test)]\nmod tests {\n use std::collections::HashMap;\n}", 0);
        let election = |text, found| check(clock_or_chance, "election/src/x.rs", text, found);
        election("use tokio::time::Instant; fn f() { Instant::now(); }", 0);
        election("let now = tokio::time::Instant::now();", 0);
        election("use std::time::Instant; fn f() { Instant::now(); }", 1);
        election("SystemTime::now();", 1);
        check(clock_or_chance, "agent/src/platform/clock.rs", "SystemTime::now();", 0);
        check(clock_or_chance, "agent/src/keys/mod.rs", "getrandom::fill(x)", 0);
        check(clock_or_chance, "agent/src/keys/code.rs", "getrandom::fill(x)", 1);
    }

    #[test]
    fn long_files_bare_allows_and_loose_ends_are_found() {
        check(too_long, "agent/src/x.rs", &"x\n".repeat(600), 0);
        check(too_long, "agent/src/x.rs", &"x\n".repeat(601), 1);
        check(allow_without_reason, "x.rs", "#[allow(dead_code)]", 1);
        check(
            allow_without_reason,
            "x.rs",
            "#![allow(\n    dead_code,\n    reason = \"so\"\n)]\n#[expect(x)]",
            1,
        );
        check(allow_without_reason, "x.rs", "#[allow(dead_code, reason = \"so\")]", 0);
        check(
            left_undone,
            "x.rs",
            "fn f() { todo!() }\n#[ignore = \"slow\"]\nfn g() { unimplemented!() }",
            3,
        );
        check(left_undone, "x.rs", "// todo!\nlet s = \"todo!\"; nottodo!();", 0);
    }
}
