//! The Uninstall keys of Windows: of the machine, in 64 and 32 bits, and of every user whose registry is loaded.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::path::PathBuf;

use seatkeeper_ledger::inventory::{SOFTWARE_MAX, Software};
use winreg::enums::{KEY_READ, KEY_WOW64_32KEY, KEY_WOW64_64KEY};
use winreg::{HKLM, HKU, RegKey};

use super::{Found, ScanError};

const UNINSTALL: &str = r"SOFTWARE\Microsoft\Windows\CurrentVersion\Uninstall";
/// How the ids of people begin: of local and domain accounts, and of Entra ID's.
const PEOPLE: [&str; 2] = ["S-1-5-21-", "S-1-12-1-"];
/// Users whose registry is looked at.
const USERS_MAX: usize = 256;

pub(super) fn scan() -> Result<Found, ScanError> {
    let mut found = Found::default();
    for list in lists().map_err(|source| ScanError::Unreadable { list: PathBuf::from(UNINSTALL), source })? {
        for (_, entry) in entries(&list) {
            if !found.add(software(&entry)) {
                return Ok(found);
            }
        }
    }
    Ok(found)
}

pub(super) fn changed_marker() -> u64 {
    let mut hasher = DefaultHasher::new();
    for list in lists().unwrap_or_default() {
        for (name, entry) in entries(&list) {
            name.hash(&mut hasher);
            // Parts of a 64 bit number that counts since 1601.
            if let Ok(written) = entry.query_info().map(|info| info.last_write_time) {
                (written.dwHighDateTime, written.dwLowDateTime).hash(&mut hasher);
            }
        }
    }
    hasher.finish()
}

/// The lists that there are. The machine's own is always there.
fn lists() -> io::Result<Vec<RegKey>> {
    let mut lists = vec![HKLM.open_subkey_with_flags(UNINSTALL, KEY_READ | KEY_WOW64_64KEY)?];
    lists.extend(HKLM.open_subkey_with_flags(UNINSTALL, KEY_READ | KEY_WOW64_32KEY));
    let users = HKU.enum_keys().take(USERS_MAX).flatten();
    let people = users.filter(|sid| PEOPLE.iter().any(|begin| sid.starts_with(begin)));
    lists.extend(people.flat_map(|sid| HKU.open_subkey(format!(r"{sid}\{UNINSTALL}"))));
    Ok(lists)
}

/// The entries of a list by name, as far as they may be read.
fn entries(list: &RegKey) -> impl Iterator<Item = (String, RegKey)> {
    let names = list.enum_keys().take(SOFTWARE_MAX).flatten();
    names.filter_map(|name| list.open_subkey(&name).ok().map(|entry| (name, entry)))
}

/// `None`: it is a part or an update of another entry, or is not for people to see.
fn software(entry: &RegKey) -> Option<Software> {
    let text = |name: &str| entry.get_value::<String, _>(name).unwrap_or_default();
    let hidden = entry.get_value::<u32, _>("SystemComponent").is_ok_and(|hidden| hidden == 1);
    if hidden || !text("ParentKeyName").is_empty() {
        return None;
    }
    Software::read(&text("DisplayName"), &text("Publisher"), &text("DisplayVersion"))
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_lists_can_be_read() {
        super::super::scan().unwrap();
        assert_eq!(super::changed_marker(), super::changed_marker());
    }
}
