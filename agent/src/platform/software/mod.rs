//! What is installed on this machine, as its own lists name it.
//!
//! Of a list that is partly damaged, what can be read counts. A list that can't be read at all is an error, and never
//! an empty list: that would say that everything is gone.
//!
//! | module | holds |
//! |---|---|
//! | `dpkg` | Debian's packages and those of its relatives |
//! | `rpm` | Red Hat's and SUSE's |
//! | `bundles` | Flatpaks and Snaps, which come beside them |
//! | `windows` | the Uninstall keys |

#[cfg(unix)]
mod bundles;
#[cfg(unix)]
mod dpkg;
#[cfg(unix)]
mod rpm;
#[cfg(all(test, unix))]
mod tests;
#[cfg(windows)]
mod windows;

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;

use seatkeeper_ledger::inventory::{SOFTWARE_MAX, Software};

/// Why it is not known what is installed.
#[derive(Debug, thiserror::Error)]
pub enum ScanError {
    /// No list that is known here.
    #[error(
        "this system keeps no list of installed programs that Seatkeeper can read (those of dpkg, rpm and Windows); \
         import what is installed from a file"
    )]
    NoList,
    /// A list that can't be read.
    #[error("the list of installed programs in {} can't be read ({source}); let the agent read it", .list.display())]
    Unreadable {
        /// Which.
        list: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// rpm does not answer as it should.
    #[error("rpm does not tell what is installed ({0}); see whether `rpm -qa` does")]
    Rpm(String),
}

/// What is installed on this machine: sorted, nothing twice, at most [`SOFTWARE_MAX`]. Blocks for as long as it takes to
/// read files, and where there is rpm for up to a minute.
///
/// # Errors
/// When the system keeps no list that is known here, or a list can't be read.
pub fn scan() -> Result<Vec<Software>, ScanError> {
    #[cfg(unix)]
    let found = unix(std::path::Path::new("/"), std::path::Path::new("/usr/bin/rpm"))?;
    #[cfg(windows)]
    let found = windows::scan()?;
    Ok(found.0.into_iter().collect())
}

/// A number that is another one when something may have been installed or removed since; it is of use only to this run
/// of the program. Cheap: it looks at times and sizes.
pub fn changed_marker() -> u64 {
    #[cfg(unix)]
    return unix_marker(std::path::Path::new("/"));
    #[cfg(windows)]
    return windows::changed_marker();
}

/// What was found so far.
#[derive(Debug, Default)]
struct Found(BTreeSet<Software>);

impl Found {
    /// Whether there is room for more; a list of more is cut.
    fn add(&mut self, software: Option<Software>) -> bool {
        if self.0.len() < SOFTWARE_MAX {
            self.0.extend(software);
            return true;
        }
        tracing::warn!(max = SOFTWARE_MAX, "more programs are installed than are looked at");
        false
    }
}

#[cfg(unix)]
fn unix(root: &std::path::Path, rpm: &std::path::Path) -> Result<Found, ScanError> {
    let mut found = Found::default();
    let dpkg = dpkg::scan(root, &mut found)?;
    let rpm = rpm::scan(root, rpm, &mut found)?;
    if !dpkg && !rpm {
        return Err(ScanError::NoList);
    }
    bundles::scan(root, &mut found);
    Ok(found)
}

#[cfg(unix)]
fn unix_marker(root: &std::path::Path) -> u64 {
    use std::hash::{DefaultHasher, Hash, Hasher};

    let mut hasher = DefaultHasher::new();
    for path in [dpkg::WATCHED.as_slice(), rpm::WATCHED.as_slice(), bundles::WATCHED.as_slice()].concat() {
        let state = std::fs::metadata(root.join(path)).ok();
        (path, state.map(|state| (state.len(), state.modified().ok()))).hash(&mut hasher);
    }
    hasher.finish()
}
