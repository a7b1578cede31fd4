//! Debian's packages, from dpkg's status file, and from the folder that images without dpkg have in its place.

use std::io;
use std::path::Path;

use seatkeeper_ledger::inventory::Software;

use super::{Found, ScanError};
use crate::disk::read_bounded;

const STATUS: &str = "var/lib/dpkg/status";
const STATUS_FOLDER: &str = "var/lib/dpkg/status.d";
/// What changes when packages do.
pub(super) const WATCHED: [&str; 2] = [STATUS, STATUS_FOLDER];
/// Bytes of a status file; one with 10,000 packages has about 10 MiB.
const STATUS_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Files of the folder.
const FILES_MAX: usize = 10_000;

/// Adds what dpkg knows; `false`: it isn't there.
pub(super) fn scan(root: &Path, found: &mut Found) -> Result<bool, ScanError> {
    let status = read(&root.join(STATUS))?;
    if let Some(bytes) = &status {
        parse(bytes, found);
    }
    let Ok(folder) = std::fs::read_dir(root.join(STATUS_FOLDER)) else { return Ok(status.is_some()) };
    for entry in folder.take(FILES_MAX).flatten() {
        // Beside a package's own file there may be one with the sums of its files.
        let name = entry.file_name();
        if !name.as_encoded_bytes().ends_with(b".md5sums")
            && let Some(mut bytes) = read(&entry.path())?
        {
            // What is in the folder is installed, and says so or not.
            bytes.splice(0..0, *b"Status: install ok installed\n");
            parse(&bytes, found);
        }
    }
    Ok(true)
}

fn read(path: &Path) -> Result<Option<Vec<u8>>, ScanError> {
    match read_bounded(path, STATUS_BYTES_MAX) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(ScanError::Unreadable { list: path.to_owned(), source }),
    }
}

/// Paragraphs with empty lines between them, of lines as in `Package: bash`; lines that begin with a space go on with
/// the one before (deb822).
pub(super) fn parse(bytes: &[u8], found: &mut Found) {
    let mut entry = Entry::default();
    for line in bytes.split(|byte| *byte == b'\n') {
        let line = String::from_utf8_lossy(line);
        if !line.trim().is_empty() {
            entry.line(&line);
        } else if !found.add(std::mem::take(&mut entry).software()) {
            return;
        }
    }
    found.add(entry.software());
}

#[derive(Default)]
struct Entry {
    package: String,
    maintainer: String,
    version: String,
    installed: bool,
}

impl Entry {
    fn line(&mut self, line: &str) {
        let Some((key, value)) = line.split_once(':').filter(|_| !line.starts_with([' ', '\t'])) else {
            return;
        };
        let value = value.trim();
        match key.to_ascii_lowercase().as_str() {
            "package" => value.clone_into(&mut self.package),
            "maintainer" => value.clone_into(&mut self.maintainer),
            "version" => value.clone_into(&mut self.version),
            // What is wanted, whether it is in order, and what is: a package on hold is installed too.
            "status" => self.installed = value.split_whitespace().nth(2) == Some("installed"),
            _ => {}
        }
    }

    /// `None`: it is not installed, or damaged; every package has a version.
    fn software(self) -> Option<Software> {
        let whole = self.installed && !self.version.is_empty();
        whole.then(|| Software::read(&self.package, &self.maintainer, &self.version)).flatten()
    }
}
