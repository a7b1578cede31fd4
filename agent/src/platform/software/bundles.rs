//! Flatpaks and Snaps of all users. They come beside the system's packages; what can't be read of them is left out.

use std::path::Path;

use seatkeeper_ledger::inventory::Software;

use super::Found;
use crate::disk::read_bounded;

const FLATPAKS: &str = "var/lib/flatpak/app";
/// Where Snaps are mounted, by distribution.
const SNAPS: [&str; 2] = ["snap", "var/lib/snapd/snap"];
/// What changes when they do: what is in use of a Snap is a link in its own folder, but each change leaves a file here.
pub(super) const WATCHED: [&str; 2] = [FLATPAKS, "var/lib/snapd/snaps"];
/// Folders that are looked at.
const FOLDERS_MAX: usize = 4_096;
const SNAP_BYTES_MAX: usize = 1024 * 1024;

pub(super) fn scan(root: &Path, found: &mut Found) {
    // A Flatpak's name is that of its folder; its version stands in no place that is easy to read.
    each_folder(&root.join(FLATPAKS), |folder, name| {
        if folder.join("current").exists() {
            found.add(Software::read(name, "Flatpak", ""));
        }
    });
    for snaps in SNAPS {
        each_folder(&root.join(snaps), |folder, _| {
            let Ok(bytes) = read_bounded(&folder.join("current/meta/snap.yaml"), SNAP_BYTES_MAX) else {
                return;
            };
            let text = String::from_utf8_lossy(&bytes);
            found.add(Software::read(value(&text, "name"), "Snap", value(&text, "version")));
        });
    }
}

fn each_folder(folder: &Path, mut each: impl FnMut(&Path, &str)) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.take(FOLDERS_MAX).flatten() {
        if let Some(name) = entry.file_name().to_str() {
            each(&entry.path(), name);
        }
    }
}

/// What stands behind a key at the top of a `snap.yaml`, which is a text without line breaks in what is read of it.
fn value<'a>(text: &'a str, key: &str) -> &'a str {
    let mut lines = text.lines();
    let value = lines.find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
    value.unwrap_or_default().trim().trim_matches(['"', '\''])
}
