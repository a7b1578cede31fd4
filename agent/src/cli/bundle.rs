//! `seatkeeper debug bundle`: what whoever looks into a fault needs to see, in one file. Nothing in it lets anybody act.

use std::io::Write;
use std::path::PathBuf;

use flate2::Compression;
use flate2::write::GzEncoder;
use seatkeeper_client::{Client, ClientError};
use seatkeeper_election::seam::Clock;
use seatkeeper_protocol::time::WallTime;
use serde::Serialize;

use super::args::{DebugCommand, DoctorArgs};
use super::fail::Fail;
use super::{doctor, files, print};
use crate::platform::clock::SystemClock;
use crate::platform::host;

/// Said first in the archive.
const README: &str = "What is in here: how a Seatkeeper site and one of its machines are, and what the agent of that machine \
logged lately. There are names of machines and users and network addresses in it, but no keys, codes or passwords.\n";

pub(super) async fn debug(client: &Client, command: DebugCommand) -> Result<(), Fail> {
    let DebugCommand::Bundle { to } = command;
    let now = SystemClock.wall();
    let name = format!("seatkeeper-debug-{}", stem(now));
    let to = to.unwrap_or_else(|| PathBuf::from(format!("{name}.tar.gz")));
    if to.exists() {
        return Err(files::exists(&to));
    }
    print::note("Looking; this takes some seconds.");
    let mut bundle = Bundle::new(name, now);
    let missing = fill(&mut bundle, client).await.map_err(unwritten)?;
    let bytes = bundle.done().map_err(unwritten)?;
    files::write_bytes(&to, &bytes, true)?;
    print::line(to.display().to_string());
    for missing in &missing {
        print::note(format!("missing: {missing}"));
    }
    Ok(())
}

/// `pc1-20261224T180000Z`.
fn stem(now: WallTime) -> String {
    let host: String = host::hostname().chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
    let time = now.rfc3339().unwrap_or_default();
    let time: String = time.chars().filter(|c| c.is_ascii_alphanumeric()).collect();
    format!("{host}-{time}")
}

fn unwritten(error: std::io::Error) -> Fail {
    Fail::other(format!("the bundle cannot be made: {error}"))
}

/// Packs everything that can be had; answers what could not.
async fn fill(bundle: &mut Bundle, client: &Client) -> std::io::Result<Vec<String>> {
    bundle.add("README.txt", README.as_bytes())?;
    bundle.add("version.txt", concat!("seatkeeper ", env!("CARGO_PKG_VERSION"), "\n").as_bytes())?;
    let mut missing = Vec::new();
    let status = client.status().await;
    if let Err(error @ ClientError::NoAgent { .. }) = &status {
        let error = error.to_string();
        match doctor::without_agent(&error, DoctorArgs::default()).await {
            Ok(found) => bundle.add_json("doctor.json", &found)?,
            Err(fail) => missing.push(format!("doctor.json: {}", fail.text)),
        }
        missing.push(format!("all that the agent knows: {error}"));
    } else {
        if let Ok(status) = &status {
            bundle.add_json("health.json", &status.health)?;
        }
        bundle.add_answer("status.json", status, &mut missing)?;
        bundle.add_answer("devices.json", client.devices().await, &mut missing)?;
        bundle.add_answer("state.json", client.debug_state().await, &mut missing)?;
        bundle.add_answer("doctor.json", client.doctor().await, &mut missing)?;
        match client.debug_log().await {
            Ok(log) => bundle.add("log.txt", log.as_bytes())?,
            Err(error) => missing.push(format!("log.txt: {error}")),
        }
    }
    if !missing.is_empty() {
        bundle.add("missing.txt", (missing.join("\n") + "\n").as_bytes())?;
    }
    Ok(missing)
}

struct Bundle {
    folder: String,
    time_s: u64,
    archive: tar::Builder<GzEncoder<Vec<u8>>>,
}

impl Bundle {
    fn new(folder: String, now: WallTime) -> Self {
        let archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::default()));
        Self { folder, time_s: u64::try_from(now.0 / 1_000).unwrap_or(0), archive }
    }

    fn add(&mut self, name: &str, bytes: &[u8]) -> std::io::Result<()> {
        let mut header = tar::Header::new_gnu();
        header.set_size(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        header.set_mode(0o600);
        header.set_mtime(self.time_s);
        self.archive.append_data(&mut header, format!("{}/{name}", self.folder), bytes)
    }

    fn add_json(&mut self, name: &str, value: &impl Serialize) -> std::io::Result<()> {
        let mut text = serde_json::to_vec_pretty(value)?;
        text.push(b'\n');
        self.add(name, &text)
    }

    fn add_answer(
        &mut self,
        name: &str,
        answer: Result<impl Serialize, ClientError>,
        missing: &mut Vec<String>,
    ) -> std::io::Result<()> {
        match answer {
            Ok(value) => self.add_json(name, &value),
            Err(error) => {
                missing.push(format!("{name}: {error}"));
                Ok(())
            }
        }
    }

    fn done(self) -> std::io::Result<Vec<u8>> {
        let mut packed = self.archive.into_inner()?;
        packed.flush()?;
        packed.finish()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn a_bundle_can_be_unpacked() {
        let mut bundle = Bundle::new("b".to_owned(), WallTime(1_800_000_000_000));
        bundle.add("log.txt", b"line\n").unwrap();
        bundle.add_json("x.json", &[1, 2]).unwrap();
        let mut archive =
            tar::Archive::new(flate2::read::GzDecoder::new(std::io::Cursor::new(bundle.done().unwrap())));
        let mut found = Vec::new();
        for entry in archive.entries().unwrap() {
            let mut entry = entry.unwrap();
            let mut text = String::new();
            entry.read_to_string(&mut text).unwrap();
            let path = entry.path().unwrap().display().to_string();
            found.push((path, entry.header().mode().unwrap(), text));
        }
        assert_eq!(found[0], ("b/log.txt".to_owned(), 0o600, "line\n".to_owned()));
        assert_eq!(found[1].0, "b/x.json");
        assert_eq!(found.len(), 2);
    }

    #[test]
    fn its_name_says_where_and_when() {
        let stem = stem(WallTime(1_798_135_200_000));
        assert!(stem.ends_with("-20261224T180000Z"), "{stem}");
    }
}
