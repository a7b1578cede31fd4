//! Who is logged in on this machine.

use std::collections::BTreeSet;

use seatkeeper_ledger::inventory::{USERS_MAX, clean};
use seatkeeper_protocol::id::Name;

/// Who is logged in now, as the system names them (on Windows `DOMAIN\name`): sorted, nobody twice, at most
/// [`USERS_MAX`]. Empty where the system doesn't say. May ask the network for names.
pub fn logged_in() -> Vec<Name> {
    #[cfg(unix)]
    let names = unix::names(std::path::Path::new("/run/user"), unix::name_of);
    #[cfg(windows)]
    let names = super::windows::active_users();
    let names: BTreeSet<Name> = names.iter().filter_map(|name| clean(name)).collect();
    names.into_iter().take(USERS_MAX).collect()
}

/// The user of this process, as agents name him.
#[cfg(unix)]
pub fn own_name() -> String {
    let id = rustix::process::geteuid().as_raw();
    unix::name_of(id).unwrap_or_else(|| format!("uid:{id}"))
}

/// The user of this process, as agents name him: not known without asking an agent.
#[cfg(windows)]
pub fn own_name() -> String {
    String::new()
}

#[cfg(unix)]
mod unix {
    use std::path::Path;

    /// Folders that are looked at.
    const FOLDERS_MAX: usize = 4_096;
    /// The first id of a person; those below are the system's.
    const PERSON: u32 = 1_000;
    /// Who has no account.
    const NOBODY: u32 = 65_534;

    /// The names of those who have a folder, which systemd makes at a user's first login and removes after the last
    /// logout.
    pub(super) fn names(folder: &Path, name_of: impl Fn(u32) -> Option<String>) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
        let ids = entries.take(FOLDERS_MAX).flatten();
        let ids = ids.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        ids.filter(|id| *id >= PERSON && *id != NOBODY).filter_map(name_of).collect()
    }

    pub(super) fn name_of(id: u32) -> Option<String> {
        nix::unistd::User::from_uid(id.into()).ok().flatten().map(|user| user.name)
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn people_have_folders() {
            let dir = tempfile::tempdir().unwrap();
            for folder in ["0", "999", "1000", "1001", "65534", "x", "-1", "4294967296"] {
                std::fs::create_dir(dir.path().join(folder)).unwrap();
            }
            let mut found = names(dir.path(), |id| (id != 1_001).then(|| format!("user-{id}")));
            found.sort();
            assert_eq!(found, ["user-1000"]);
            assert!(names(&dir.path().join("absent"), |_| None).is_empty());
            assert_eq!(name_of(0).as_deref(), Some("root"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_sorted_and_bounded() {
        let found = logged_in();
        assert!(found.is_sorted() && found.len() <= USERS_MAX, "{found:?}");
    }
}
