//! Every path inside the state folder, and files that are either whole or absent.

mod look;
mod state;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

pub use crate::platform::files::Mode;
pub use look::{files, rights};
pub use state::{StateDir, StateDirError};

use crate::platform::files;

/// What temporary files end with; one that is left over is from a crash.
const TEMPORARY: &str = ".tmp";

/// Writes a file so that a reader, also after a power cut, sees the old content or the new, never a part.
///
/// # Errors
/// As the system says; the old file is untouched then.
pub fn write_atomic(path: &Path, bytes: &[u8], mode: Mode) -> io::Result<()> {
    static COUNT: AtomicU64 = AtomicU64::new(0);

    let (Some(dir), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not the path of a file"));
    };
    let dir = if dir == Path::new("") { Path::new(".") } else { dir };
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let temporary =
        dir.join(format!(".{}.{}.{count}{TEMPORARY}", name.to_string_lossy(), std::process::id()));
    let written = write_whole(&temporary, bytes, mode).and_then(|()| std::fs::rename(&temporary, path));
    if let Err(error) = written {
        // The error that counts is the first one.
        let _ = std::fs::remove_file(&temporary);
        return Err(error);
    }
    files::sync_dir(dir)
}

fn write_whole(path: &Path, bytes: &[u8], mode: Mode) -> io::Result<()> {
    let mut file = match files::create_new(path, mode) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            // Left by a crashed process that had our number.
            std::fs::remove_file(path)?;
            files::create_new(path, mode)?
        }
        opened => opened?,
    };
    file.write_all(bytes)?;
    file.sync_all()
}

/// Reads a file of at most `max` bytes.
///
/// # Errors
/// As the system says; [`io::ErrorKind::FileTooLarge`] over the limit.
pub fn read_bounded(path: &Path, max: usize) -> io::Result<Vec<u8>> {
    let limit = u64::try_from(max).unwrap_or(u64::MAX);
    let mut bytes = Vec::new();
    File::open(path)?.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() > max {
        let sentence = format!("{} has more than {max} bytes", path.display());
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, sentence));
    }
    Ok(bytes)
}

/// The temporary files that a crash left in `dir`, which may be absent.
fn leftovers(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let entries = match std::fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(found),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with('.') && name.ends_with(TEMPORARY) {
            found.push(entry.path());
        }
    }
    Ok(found)
}
