//! The newest pool key of each site.
//!
//! A root key signs for ever: nothing in the certificate of a pool key that was replaced says so. What an application
//! can know is that it has seen a newer one. From then on the older one gives no seat, except that seats borrowed before
//! run to their end.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use seatkeeper_protocol::id::{Generation, SiteId};
use seatkeeper_protocol::ticket::{PoolKeyCertificate, TicketBody};
use seatkeeper_protocol::time::WallTime;
use serde::{Deserialize, Serialize};

use super::VerifyError;

/// The format of the file.
const FORMAT: u32 = 1;
/// Generations of sites that are remembered; the longest known go first.
const KEYS_MAX: usize = 64;
/// Largest file, bytes.
const FILE_BYTES_MAX: u64 = 64 * 1024;
const _: () = assert!(FILE_BYTES_MAX > KEYS_MAX as u64 * 256);

/// What is known, shared by clones, and kept in a file if there is one.
#[derive(Clone, Debug, Default)]
pub(super) struct Memory {
    file: Option<PathBuf>,
    keys: Arc<Mutex<Vec<Newest>>>,
}

/// The newest pool key of one generation of a site.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Newest {
    site: SiteId,
    generation: Generation,
    number: u32,
    /// The site's time in the first ticket that it signed here.
    since: WallTime,
}

impl Newest {
    /// Whether it takes the place of the key that `certificate` names.
    fn replaces(&self, certificate: &PoolKeyCertificate) -> bool {
        let (mine, theirs) = (&self.generation, &certificate.generation);
        self.site == certificate.site
            && (mine.number > theirs.number || (mine == theirs && self.number > certificate.number))
    }
}

impl Memory {
    pub(super) fn kept_in(file: PathBuf) -> Self {
        Self { file: Some(file), ..Self::default() }
    }

    /// Whether the key is the newest that was ever seen of its site, or the ticket was there before a newer one was.
    pub(super) fn check(
        &self,
        certificate: &PoolKeyCertificate,
        ticket: &TicketBody,
    ) -> Result<(), VerifyError> {
        let keys = self.read()?;
        match keys.iter().find(|newest| newest.replaces(certificate)) {
            // Whoever has the old key can make such tickets too, but none that outlives the longest borrow.
            Some(newest) if ticket.ends.is_some() && ticket.issued <= newest.since => Ok(()),
            Some(newest) => {
                Err(VerifyError::PoolKeyReplaced { number: certificate.number, newest: newest.number })
            }
            None => Ok(()),
        }
    }

    /// Remembers the key of a ticket that proved good, if it is newer.
    pub(super) fn learn(
        &self,
        certificate: &PoolKeyCertificate,
        issued: WallTime,
    ) -> Result<(), VerifyError> {
        let mut keys = self.read()?;
        let PoolKeyCertificate { site, generation, number, .. } = *certificate;
        let same = |newest: &Newest| newest.site == site && newest.generation == generation;
        let known = keys.iter().any(|newest| same(newest) && newest.number == number);
        if known || keys.iter().any(|newest| newest.replaces(certificate)) {
            return Ok(());
        }
        keys.retain(|newest| {
            newest.site != site || (newest.generation.number == generation.number && !same(newest))
        });
        keys.push(Newest { site, generation, number, since: issued });
        let over = keys.len().saturating_sub(KEYS_MAX);
        keys.drain(..over);
        match &self.file {
            Some(file) => write(file, &keys).map_err(|error| failed(file, error)),
            None => Ok(()),
        }
    }

    /// What is known now: another process may have learned more.
    fn read(&self) -> Result<MutexGuard<'_, Vec<Newest>>, VerifyError> {
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(file) = &self.file
            && let Some(kept) = read(file).map_err(|error| failed(file, error))?
        {
            *keys = kept;
        }
        Ok(keys)
    }
}

fn failed(file: &Path, error: io::Error) -> VerifyError {
    VerifyError::Memory { file: file.to_owned(), problem: error.to_string() }
}

/// The file.
#[derive(Serialize, Deserialize)]
struct Record {
    format: u32,
    keys: Vec<KeyRecord>,
}

#[derive(Serialize, Deserialize)]
struct KeyRecord {
    site: String,
    generation: u32,
    /// Hexadecimal.
    generation_id: String,
    number: u32,
    since_ms: i64,
}

/// `None`: there is no file.
fn read(file: &Path) -> io::Result<Option<Vec<Newest>>> {
    let open = match std::fs::File::open(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        open => open?,
    };
    let mut bytes = Vec::new();
    open.take(FILE_BYTES_MAX).read_to_end(&mut bytes)?;
    let damaged = || io::Error::new(io::ErrorKind::InvalidData, "it is damaged");
    let record: Record = serde_json::from_slice(&bytes).map_err(|_| damaged())?;
    if record.format != FORMAT {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "a newer release wrote it"));
    }
    let newest = |key: KeyRecord| {
        let id = data_encoding::HEXLOWER.decode(key.generation_id.as_bytes()).ok()?.try_into().ok()?;
        Some(Newest {
            site: key.site.parse().ok()?,
            generation: Generation { number: key.generation, id },
            number: key.number,
            since: WallTime(key.since_ms),
        })
    };
    let keys: Option<Vec<Newest>> = record.keys.into_iter().take(KEYS_MAX).map(newest).collect();
    keys.map(Some).ok_or_else(damaged)
}

/// Whole or not at all.
fn write(file: &Path, keys: &[Newest]) -> io::Result<()> {
    let keys = keys.iter().map(|newest| KeyRecord {
        site: newest.site.to_string(),
        generation: newest.generation.number,
        generation_id: data_encoding::HEXLOWER.encode(&newest.generation.id),
        number: newest.number,
        since_ms: newest.since.0,
    });
    let bytes = serde_json::to_vec(&Record { format: FORMAT, keys: keys.collect() })?;
    let mut name = file.as_os_str().to_owned();
    name.push(format!(".{}.new", std::process::id()));
    let new = PathBuf::from(name);
    let written = std::fs::File::create(&new).and_then(|mut open| {
        open.write_all(&bytes)?;
        open.sync_all()
    });
    written.and_then(|()| std::fs::rename(&new, file)).inspect_err(|_| {
        let _ = std::fs::remove_file(&new);
    })
}
