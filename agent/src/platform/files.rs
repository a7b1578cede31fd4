//! Permissions of files and folders. On Windows a file inherits the rights of its folder, which under `%ProgramData%`
//! and `%APPDATA%` are right already; so the checks there always pass.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::path::Path;

use crate::middle::health::Space;

/// Who may read a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Its owner alone (0600).
    Secret,
    /// Everybody (0644).
    Public,
}

/// What is wrong with the rights of a file or folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exposure {
    /// It belongs to another user, with this id.
    ForeignOwner(u32),
    /// Others than its owner may write into it.
    OthersWrite,
    /// Others than its owner may read it.
    OthersRead,
}

/// Opens a new file for writing; fails if it exists.
///
/// # Errors
/// As the system says.
pub fn create_new(path: &Path, mode: Mode) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(match mode {
            Mode::Secret => 0o600,
            Mode::Public => 0o644,
        });
    }
    #[cfg(windows)]
    let _ = mode;
    options.open(path)
}

/// Creates a folder (0700) and the folders above it.
///
/// # Errors
/// As the system says.
pub fn create_private_dir(path: &Path) -> io::Result<()> {
    create_dir(path, 0o700)
}

/// Creates a folder and the folders above it with this Unix mode; existing ones are left as they are.
///
/// # Errors
/// As the system says.
pub fn create_dir(path: &Path, mode: u32) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt;
        builder.mode(mode);
    }
    #[cfg(windows)]
    let _ = mode;
    builder.create(path)
}

/// Deletes a file with a secret, whose bytes are overwritten first. What a file system or disk keeps besides is out of
/// reach.
///
/// # Errors
/// As the system says; the file is still there then.
pub fn wipe(path: &Path) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).open(path)?;
    let len = file.metadata()?.len();
    io::copy(&mut io::repeat(0).take(len), &mut file)?;
    file.sync_all()?;
    drop(file);
    std::fs::remove_file(path)
}

/// Makes a rename in this folder durable.
///
/// # Errors
/// As the system says.
pub fn sync_dir(path: &Path) -> io::Result<()> {
    // Windows refuses to open a folder for this; its rename is a journalled change of the file system.
    #[cfg(unix)]
    File::open(path)?.sync_all()?;
    #[cfg(windows)]
    let _ = path;
    Ok(())
}

/// How much may still be written on the disk of `path`, and how much it holds in all, bytes.
///
/// # Errors
/// As the system says.
#[cfg(unix)]
pub fn space(path: &Path) -> io::Result<Space> {
    let disk = rustix::fs::statvfs(path)?;
    let bytes = |blocks: u64| blocks.saturating_mul(disk.f_frsize);
    Ok(Space { free: bytes(disk.f_bavail), total: bytes(disk.f_blocks) })
}

/// How much may still be written on the disk of `path`, and how much it holds in all, bytes.
///
/// # Errors
/// As the system says.
#[cfg(windows)]
pub fn space(path: &Path) -> io::Result<Space> {
    let (free, total) = super::windows::space(path)?;
    Ok(Space { free, total })
}

/// What is wrong with the rights of `path`, if anything. `secret`: nobody else may even read it.
///
/// # Errors
/// When the path cannot be looked at.
#[cfg(unix)]
pub fn exposure(path: &Path, secret: bool) -> io::Result<Option<Exposure>> {
    use std::os::unix::fs::MetadataExt;

    let meta = std::fs::metadata(path)?;
    let me = rustix::process::geteuid().as_raw();
    Ok(if meta.uid() != me && me != 0 {
        Some(Exposure::ForeignOwner(meta.uid()))
    } else if meta.mode() & 0o022 != 0 {
        Some(Exposure::OthersWrite)
    } else if secret && meta.mode() & 0o044 != 0 {
        Some(Exposure::OthersRead)
    } else {
        None
    })
}

/// What is wrong with the rights of `path`, if anything.
///
/// # Errors
/// When the path cannot be looked at.
#[cfg(windows)]
pub fn exposure(path: &Path, secret: bool) -> io::Result<Option<Exposure>> {
    let _ = secret;
    std::fs::metadata(path).map(|_| None)
}
