//! Red Hat's and SUSE's packages. Their database is in one of several formats, so rpm itself is asked.

use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use seatkeeper_ledger::inventory::Software;

use super::{Found, ScanError};

/// The databases, and what changes when packages do.
pub(super) const WATCHED: [&str; 8] = [
    "usr/lib/sysimage/rpm/rpmdb.sqlite",
    "usr/lib/sysimage/rpm/rpmdb.sqlite-wal",
    "usr/lib/sysimage/rpm/Packages.db",
    "usr/lib/sysimage/rpm/Packages",
    "var/lib/rpm/rpmdb.sqlite",
    "var/lib/rpm/rpmdb.sqlite-wal",
    "var/lib/rpm/Packages.db",
    "var/lib/rpm/Packages",
];
const FORMAT: &str = r"%{NAME}\t%{VENDOR}\t%{VERSION}-%{RELEASE}\n";
/// Longest answer, bytes; one of 10,000 packages has about 600 KiB.
const ANSWER_BYTES_MAX: u64 = 8 * 1024 * 1024;
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// A minute.
const LOOKS: u32 = 1_200;

/// Adds what rpm knows; `false`: it has no database here.
pub(super) fn scan(root: &Path, rpm: &Path, found: &mut Found) -> Result<bool, ScanError> {
    if !WATCHED.iter().any(|path| root.join(path).exists()) {
        return Ok(false);
    }
    let answer = ask(rpm, LOOKS).map_err(ScanError::Rpm)?;
    parse(&answer, found);
    Ok(true)
}

pub(super) fn parse(answer: &[u8], found: &mut Found) {
    for line in answer.split(|byte| *byte == b'\n') {
        let line = String::from_utf8_lossy(line);
        let mut parts = line.split('\t').map(|part| if part == "(none)" { "" } else { part });
        let (Some(name), Some(vendor), Some(version)) = (parts.next(), parts.next(), parts.next()) else {
            continue;
        };
        // Keys are kept as if they were packages.
        if name != "gpg-pubkey" && !found.add(Software::read(name, vendor, version)) {
            return;
        }
    }
}

/// Runs rpm, for as many looks as it may take. The error is a part of a sentence.
pub(super) fn ask(rpm: &Path, looks: u32) -> Result<Vec<u8>, String> {
    let mut command = Command::new(rpm);
    command.args(["-qa", "--queryformat", FORMAT]).current_dir("/").env_clear().env("LC_ALL", "C");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().map_err(|error| format!("{}: {error}", rpm.display()))?;
    let answer = answer_of(&mut child, looks);
    if answer.is_err() {
        // It may have ended by itself; it is waited for either way.
        let _ = child.kill();
        let _ = child.wait();
    }
    answer
}

fn answer_of(child: &mut Child, looks: u32) -> Result<Vec<u8>, String> {
    let Some(output) = child.stdout.take() else { return Err("it has no output".to_owned()) };
    let late = || format!("it took more than {} s", (LOOK_EVERY * looks).as_secs());
    let (sender, answers) = mpsc::channel();
    let read = move || {
        let mut answer = Vec::new();
        let read = output.take(ANSWER_BYTES_MAX + 1).read_to_end(&mut answer);
        // Nobody waits any more when it took too long.
        let _ = sender.send(read.map(|_| answer));
    };
    std::thread::Builder::new().name("rpm".to_owned()).spawn(read).map_err(|error| error.to_string())?;
    let answer = answers.recv_timeout(LOOK_EVERY * looks).map_err(|_| late())?;
    let answer = answer.map_err(|error| error.to_string())?;
    if answer.len() as u64 > ANSWER_BYTES_MAX {
        return Err(format!("its answer is longer than {} MiB", ANSWER_BYTES_MAX >> 20));
    }
    // It ends right after it has closed its output.
    for _ in 0..looks {
        match child.try_wait() {
            Ok(None) => std::thread::park_timeout(LOOK_EVERY),
            Ok(Some(status)) if status.success() => return Ok(answer),
            Ok(Some(status)) => return Err(format!("it ended with {status}")),
            Err(error) => return Err(error.to_string()),
        }
    }
    Err(late())
}
