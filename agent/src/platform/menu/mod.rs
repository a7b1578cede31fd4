//! Entries of the desktop's menu that start a program with a seat.

#[cfg(unix)]
mod desktop;
#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

use std::io;
use std::path::{Path, PathBuf};

#[cfg(unix)]
use unix as sys;
#[cfg(windows)]
use windows as sys;

pub(crate) use sys::Menu;

/// Files in a folder that are looked at.
const ENTRIES_MAX: usize = 10_000;

/// What is to be started, and how it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// What the menu says.
    pub(crate) name: String,
    /// `PRODUCT[@VERSION]`.
    pub(crate) product: String,
    /// A file, or a name that the desktop knows.
    pub(crate) icon: Option<String>,
    /// Everything before the program: this program with its own arguments.
    pub(crate) launcher: Vec<String>,
    /// The program and its arguments.
    pub(crate) command: Vec<String>,
}

/// An entry that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Installed {
    /// By what it is removed.
    pub(crate) id: String,
    /// What the menu says.
    pub(crate) name: String,
    /// `PRODUCT[@VERSION]`.
    pub(crate) product: String,
    /// Where it is.
    pub(crate) path: PathBuf,
}

/// Why the menu stays as it is.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MenuError {
    /// No home folder.
    #[error("this user has no folder for menu entries; set HOME")]
    NoFolder,
    /// The system's menu has no such entry.
    #[cfg(unix)]
    #[error("the system's menu has no entry {0:?}; they are the .desktop files in /usr/share/applications")]
    NotInSystem(String),
    /// Something else has this name.
    #[cfg(unix)]
    #[error("{} was not made by Seatkeeper; choose another --name", .0.display())]
    NotOurs(PathBuf),
    /// There is no such entry.
    #[error("there is no entry {0:?} in the menu; `seatkeeper launcher list` shows those of Seatkeeper")]
    NotFound(String),
    /// It cannot be written into an entry.
    #[error("{0:?} cannot stand in a menu entry: {1}")]
    Unfit(String, &'static str),
    /// The system's own words.
    #[error("{} cannot be {done}: {source}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// Written, read or removed.
        done: &'static str,
        /// Why.
        source: io::Error,
    },
}

impl MenuError {
    fn file(path: &Path, done: &'static str, source: io::Error) -> Self {
        Self::File { path: path.to_owned(), done, source }
    }
}

#[cfg(unix)]
/// An entry's id in file names: lower case letters, digits and dashes.
fn slug(text: &str) -> String {
    let mapped = text.chars().map(|c| match c {
        'a'..='z' | '0'..='9' => c,
        'A'..='Z' => c.to_ascii_lowercase(),
        _ => '-',
    });
    let words: String = mapped.take(64).collect();
    let slug = words.split('-').filter(|word| !word.is_empty()).collect::<Vec<_>>().join("-");
    if slug.is_empty() { "program".to_owned() } else { slug }
}

/// The entries in a folder, by the id of each.
fn list(folder: &Path, installed: impl Fn(&Path) -> Option<Installed>) -> Result<Vec<Installed>, MenuError> {
    let files = match std::fs::read_dir(folder) {
        Ok(files) => files,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(MenuError::file(folder, "read", error)),
    };
    let files = files.take(ENTRIES_MAX).flatten();
    let mut found: Vec<Installed> = files.filter_map(|file| installed(&file.path())).collect();
    found.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(found)
}

#[cfg(unix)]
fn write(path: &Path, text: &str) -> Result<(), MenuError> {
    let failed = |error| MenuError::file(path, "written", error);
    if let Some(dir) = path.parent() {
        std::fs::create_dir_all(dir).map_err(failed)?;
    }
    crate::disk::write_atomic(path, text.as_bytes(), crate::disk::Mode::Public).map_err(failed)
}

fn remove(path: &Path) -> Result<(), MenuError> {
    std::fs::remove_file(path).map_err(|error| MenuError::file(path, "removed", error))
}

#[cfg(all(test, unix))]
mod tests {
    use super::slug;

    #[test]
    fn a_name_becomes_a_file_name() {
        for (name, expected) in [
            ("Example CAD", "example-cad"),
            ("../../etc/passwd", "etc-passwd"),
            ("żółw", "w"),
            ("--", "program"),
            ("a/b\0c\n", "a-b-c"),
        ] {
            assert_eq!(slug(name), expected, "{name:?}");
        }
        assert_eq!(slug(&"a".repeat(100)).len(), 64);
    }
}
