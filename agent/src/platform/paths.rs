//! Where state and keys are kept. Every path inside the state folder is decided in `disk`.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

/// The default state folder: `/var/lib/seatkeeper` for root, else `$XDG_STATE_HOME/seatkeeper` or
/// `~/.local/state/seatkeeper`. `None` when the user has no home folder.
#[cfg(unix)]
pub fn default_state_dir() -> Option<PathBuf> {
    state_dir_of(rustix::process::geteuid().is_root(), &|name| std::env::var_os(name))
}

/// The default state folder: `%ProgramData%\Seatkeeper`.
#[cfg(windows)]
pub fn default_state_dir() -> Option<PathBuf> {
    absolute(std::env::var_os("ProgramData")).map(|dir| dir.join("Seatkeeper"))
}

/// Where a person's admin key files are kept: `$XDG_CONFIG_HOME/seatkeeper/admins` or
/// `~/.config/seatkeeper/admins`. `None` when the user has no home folder.
#[cfg(unix)]
pub fn admin_key_dir() -> Option<PathBuf> {
    admin_dir_of(&|name| std::env::var_os(name))
}

/// Where a person's admin key files are kept: `%APPDATA%\Seatkeeper\admins`.
#[cfg(windows)]
pub fn admin_key_dir() -> Option<PathBuf> {
    absolute(std::env::var_os("APPDATA")).map(|dir| dir.join("Seatkeeper").join("admins"))
}

/// Where a person says whether he wants notices. `None` when the user has no home folder.
pub fn notices_file() -> Option<PathBuf> {
    // Beside the admin keys.
    Some(admin_key_dir()?.parent()?.join("notices"))
}

#[cfg(unix)]
fn state_dir_of(root: bool, variable: &dyn Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    if root {
        return Some(PathBuf::from("/var/lib/seatkeeper"));
    }
    absolute(variable("XDG_STATE_HOME"))
        .or_else(|| absolute(variable("HOME")).map(|home| home.join(".local/state")))
        .map(|dir| dir.join("seatkeeper"))
}

#[cfg(unix)]
fn admin_dir_of(variable: &dyn Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    absolute(variable("XDG_CONFIG_HOME"))
        .or_else(|| absolute(variable("HOME")).map(|home| home.join(".config")))
        .map(|dir| dir.join("seatkeeper").join("admins"))
}

/// The program that a command's first word starts: named by its whole path, or found in the folders of `PATH`.
pub(crate) fn find_program(word: &str) -> Option<PathBuf> {
    if word.contains(std::path::is_separator) {
        return Some(PathBuf::from(word)).filter(|path| path.is_absolute() && is_program(path));
    }
    find_program_in(&std::env::var_os("PATH")?, word)
}

/// A program in one of these folders, written as `PATH` is.
pub(crate) fn find_program_in(path: &OsStr, name: &str) -> Option<PathBuf> {
    // Windows finds programs by their names without the suffix, which is empty elsewhere.
    let names = [name.to_owned(), format!("{name}{}", std::env::consts::EXE_SUFFIX)];
    std::env::split_paths(path)
        .flat_map(|dir| names.clone().map(|name| dir.join(name)))
        .find(|program| is_program(program))
}

#[cfg(unix)]
fn is_program(path: &Path) -> bool {
    path.is_file() && rustix::fs::access(path, rustix::fs::Access::EXEC_OK).is_ok()
}

#[cfg(windows)]
fn is_program(path: &Path) -> bool {
    path.is_file()
}

/// The XDG specification has relative paths ignored; an empty variable is one too.
fn absolute(value: Option<OsString>) -> Option<PathBuf> {
    value.map(PathBuf::from).filter(|path| path.is_absolute())
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn state_and_keys_follow_the_user() {
        let check = |vars: &[(&str, &str)], root: bool, state: Option<&str>, keys: Option<&str>| {
            let variable = |name: &str| vars.iter().find(|(n, _)| *n == name).map(|(_, v)| OsString::from(v));
            assert_eq!(state_dir_of(root, &variable), state.map(PathBuf::from), "{vars:?}");
            assert_eq!(admin_dir_of(&variable), keys.map(PathBuf::from), "{vars:?}");
        };
        let home = ("HOME", "/home/eva");
        let (state, keys) = ("/home/eva/.local/state/seatkeeper", "/home/eva/.config/seatkeeper/admins");
        check(&[home], false, Some(state), Some(keys));
        check(&[home], true, Some("/var/lib/seatkeeper"), Some(keys));
        check(&[home, ("XDG_STATE_HOME", "relative")], false, Some(state), Some(keys));
        let xdg = [home, ("XDG_STATE_HOME", "/s"), ("XDG_CONFIG_HOME", "/c")];
        check(&xdg, false, Some("/s/seatkeeper"), Some("/c/seatkeeper/admins"));
        check(&[], false, None, None);
    }
}
