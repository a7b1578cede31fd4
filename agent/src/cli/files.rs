//! Files that people name on the command line.

use std::io::Read;
use std::path::Path;

use zeroize::Zeroizing;

use super::fail::Fail;

/// Longest secret in a file, bytes.
const SECRET_BYTES_MAX: usize = 4096;

/// Reads a text file of at most `max` bytes.
pub(crate) fn read_text(path: &Path, max: usize) -> Result<String, Fail> {
    let cannot = |error: std::io::Error| Fail::input(format!("{} cannot be read: {error}", path.display()));
    let file = std::fs::File::open(path).map_err(cannot)?;
    let limit = u64::try_from(max).unwrap_or(u64::MAX).saturating_add(1);
    let mut bytes = Vec::new();
    file.take(limit).read_to_end(&mut bytes).map_err(cannot)?;
    if bytes.len() > max {
        return Err(Fail::input(format!("{} is longer than {max} bytes", path.display())));
    }
    String::from_utf8(bytes).map_err(|_| Fail::input(format!("{} is not a text file", path.display())))
}

/// The first line of a file: a password or a code.
pub(crate) fn read_secret(path: &Path) -> Result<Zeroizing<String>, Fail> {
    let text = Zeroizing::new(read_text(path, SECRET_BYTES_MAX)?);
    let first = text.lines().next().unwrap_or_default();
    if first.is_empty() {
        return Err(Fail::input(format!("the first line of {} is empty", path.display())));
    }
    Ok(Zeroizing::new(first.to_owned()))
}

/// Writes a new file; an existing one stays as it is.
pub(crate) fn write_new(path: &Path, text: &str, secret: bool) -> Result<(), Fail> {
    if path.exists() {
        return Err(exists(path));
    }
    write(path, text, secret)
}

/// A file is not overwritten.
pub(crate) fn exists(path: &Path) -> Fail {
    Fail::input(format!("{} exists already; move it away or choose another name", path.display()))
}

/// Writes a file whole or not at all.
pub(crate) fn write(path: &Path, text: &str, secret: bool) -> Result<(), Fail> {
    write_bytes(path, text.as_bytes(), secret)
}

/// Writes a file that is no text, whole or not at all.
pub(crate) fn write_bytes(path: &Path, bytes: &[u8], secret: bool) -> Result<(), Fail> {
    let mode = if secret { crate::disk::Mode::Secret } else { crate::disk::Mode::Public };
    crate::disk::write_atomic(path, bytes, mode)
        .map_err(|error| Fail::other(format!("{} cannot be written: {error}", path.display())))
}
