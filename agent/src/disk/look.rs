//! Looking at a state folder, whether an agent has it or not.

use std::io;
use std::path::Path;

use crate::middle::health::Wrong;
use crate::platform::files::{self, Exposure};
use crate::seam::checks::FILES_MAX;

/// What an agent refuses to start with when others may read it.
const SECRETS: [&str; 3] = ["identity.key", "site", "sessions"];
/// What everybody may read.
const PUBLIC: [&str; 2] = ["format", "lock"];

/// The files of a state folder with their sizes, bytes, by name; at most [`FILES_MAX`].
///
/// # Errors
/// When the folder can't be read.
pub fn files(dir: &Path) -> io::Result<Vec<(String, u64)>> {
    let mut found = Vec::new();
    add_files(dir, "", &mut found)?;
    if dir.join("audit").is_dir() {
        add_files(&dir.join("audit"), "audit/", &mut found)?;
    }
    found.sort();
    Ok(found)
}

fn add_files(dir: &Path, prefix: &str, found: &mut Vec<(String, u64)>) -> io::Result<()> {
    for entry in std::fs::read_dir(dir)?.take(FILES_MAX.saturating_sub(found.len())) {
        let entry = entry?;
        // One that is gone by now has no size.
        if let Some(meta) = entry.metadata().ok().filter(std::fs::Metadata::is_file) {
            found.push((format!("{prefix}{}", entry.file_name().to_string_lossy()), meta.len()));
        }
    }
    Ok(())
}

/// The folders and files of a state folder whose rights are wrong, with their paths.
///
/// # Errors
/// When the folder can't be looked at.
pub fn rights(dir: &Path) -> io::Result<Vec<(String, Wrong)>> {
    let mut found: Vec<(String, Wrong)> = wrong(dir, false)?.into_iter().collect();
    // Behind a folder that others can't enter nobody reads anything.
    let open = files::exposure(dir, true)?.is_some();
    for entry in std::fs::read_dir(dir)?.take(FILES_MAX) {
        let entry = entry?;
        let name = entry.file_name();
        let is = |names: &[&str]| names.iter().any(|known| name.as_os_str() == *known);
        match wrong(&entry.path(), is(&SECRETS) || (open && !is(&PUBLIC))) {
            Ok(bad) => found.extend(bad),
            // Temporary files come and go.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    found.sort();
    Ok(found)
}

fn wrong(path: &Path, secret: bool) -> io::Result<Option<(String, Wrong)>> {
    let wrong = files::exposure(path, secret)?.map(|exposure| match exposure {
        Exposure::ForeignOwner(uid) => Wrong::ForeignOwner(uid),
        Exposure::OthersWrite => Wrong::OthersWrite,
        Exposure::OthersRead => Wrong::OthersRead,
    });
    Ok(wrong.map(|wrong| (path.display().to_string(), wrong)))
}

#[cfg(all(test, unix))]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn wrong_rights_are_named() {
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().join("state");
        fs::create_dir(&state).unwrap();
        let mode = |name: &str, mode| {
            let path = state.join(name);
            if !path.exists() {
                fs::write(&path, "x").unwrap();
            }
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        };
        let check = |expected: &[(&str, Wrong)]| {
            let expected: Vec<(String, Wrong)> = expected
                .iter()
                .map(|(name, wrong)| (state.join(name).display().to_string(), *wrong))
                .map(|(path, wrong)| (path.trim_end_matches('/').to_owned(), wrong))
                .collect();
            assert_eq!(rights(&state).unwrap(), expected);
        };
        mode(".", 0o700);
        mode("format", 0o644);
        mode("identity.key", 0o600);
        mode("log-7.redb", 0o644);
        check(&[]);
        mode("identity.key", 0o640);
        check(&[("identity.key", Wrong::OthersRead)]);
        mode("identity.key", 0o602);
        check(&[("identity.key", Wrong::OthersWrite)]);
        mode("identity.key", 0o600);
        mode(".", 0o755);
        check(&[("log-7.redb", Wrong::OthersRead)]);
        mode(".", 0o770);
        check(&[("", Wrong::OthersWrite), ("log-7.redb", Wrong::OthersRead)]);
        assert_eq!(rights(&dir.path().join("absent")).unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn files_are_listed_with_the_audits() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("audit")).unwrap();
        fs::write(dir.path().join("audit/1"), "1234").unwrap();
        fs::write(dir.path().join("epoch"), "12").unwrap();
        assert_eq!(files(dir.path()).unwrap(), [("audit/1".to_owned(), 4), ("epoch".to_owned(), 2)]);
    }
}
