//! The machine: its name, its form and its addresses.

use std::collections::BTreeSet;
use std::net::IpAddr;

use seatkeeper_ledger::inventory::ADDRESSES_MAX;

/// The name of the network interface that never leaves the machine.
pub const LOOPBACK: &str = if cfg!(windows) {
    "Loopback Pseudo-Interface 1"
} else if cfg!(target_os = "macos") {
    "lo0"
} else {
    "lo"
};

/// Addresses that are looked at.
const INTERFACES_MAX: usize = 64;

/// The machine's name without its domain; `device` when it has none.
pub fn hostname() -> String {
    let full = raw_hostname();
    let short: String =
        full.split('.').next().unwrap_or_default().chars().filter(|c| !c.is_control()).collect();
    let short = short.trim();
    if short.is_empty() { "device".to_owned() } else { short.to_owned() }
}

#[cfg(unix)]
fn raw_hostname() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

#[cfg(windows)]
fn raw_hostname() -> String {
    std::env::var("COMPUTERNAME").unwrap_or_default()
}

/// The machine's own addresses, without those that mean something on the machine or its cable alone: sorted, none twice,
/// at most [`ADDRESSES_MAX`]. Empty when it has none, or doesn't say.
pub fn addresses() -> Vec<IpAddr> {
    let interfaces = if_addrs::get_if_addrs()
        .inspect_err(|error| tracing::debug!(%error, "the machine's addresses are not known"))
        .unwrap_or_default();
    let own = interfaces.iter().filter(|interface| !interface.is_loopback() && !interface.is_link_local());
    let own: BTreeSet<IpAddr> = own.map(if_addrs::Interface::ip).filter(|ip| !ip.is_unspecified()).collect();
    own.into_iter().take(ADDRESSES_MAX).collect()
}

/// An address of this machine on one of its networks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Interface {
    pub(crate) name: String,
    /// The system's number for it.
    pub(crate) index: u32,
    pub(crate) address: IpAddr,
    /// How many bits of the address all machines there have in common.
    pub(crate) prefix: u8,
    pub(crate) is_loopback: bool,
}

/// The addresses of the interfaces that are up, at most [`INTERFACES_MAX`]. Not those of a line to one other machine, which
/// have no neighbors.
///
/// # Errors
/// As the system says.
pub(crate) fn interfaces() -> std::io::Result<Vec<Interface>> {
    let found = if_addrs::get_if_addrs()?;
    let up = found.into_iter().filter(|found| found.is_loopback() || (found.is_oper_up() && !found.is_p2p()));
    let interface = |found: if_addrs::Interface| Interface {
        index: found.index.unwrap_or(0),
        address: found.ip(),
        prefix: match &found.addr {
            if_addrs::IfAddr::V4(v4) => v4.prefixlen,
            if_addrs::IfAddr::V6(v6) => v6.prefixlen,
        },
        is_loopback: found.is_loopback(),
        name: found.name,
    };
    Ok(up.map(interface).take(INTERFACES_MAX).collect())
}

/// Whether this is a laptop: it may be gone tomorrow, so it votes only when there are no desktops to do it.
/// When the machine doesn't say, it is none.
#[cfg(target_os = "linux")]
pub fn is_laptop() -> bool {
    use std::path::Path;
    is_laptop_by(Path::new("/sys/class/dmi/id/chassis_type"), Path::new("/sys/class/power_supply"))
}

/// Whether this is a laptop.
#[cfg(windows)]
pub fn is_laptop() -> bool {
    super::windows::has_battery()
}

/// Whether this is a laptop: not known on this system, so it is none.
#[cfg(not(any(target_os = "linux", windows)))]
pub fn is_laptop() -> bool {
    false
}

#[cfg(target_os = "linux")]
fn is_laptop_by(chassis: &std::path::Path, power: &std::path::Path) -> bool {
    // SMBIOS 7.4.1: portable, laptop, notebook, sub-notebook, tablet, convertible, detachable.
    const PORTABLE: [&str; 7] = ["8", "9", "10", "14", "30", "31", "32"];
    // Desktop, low profile, pizza box, mini tower, tower, all in one, rack: a UPS there shows as a battery.
    const STATIONARY: [&str; 8] = ["3", "4", "5", "6", "7", "13", "17", "23"];
    let read = |path: &std::path::Path| std::fs::read_to_string(path).unwrap_or_default().trim().to_owned();
    let chassis = read(chassis);
    if PORTABLE.contains(&chassis.as_str()) {
        return true;
    }
    if STATIONARY.contains(&chassis.as_str()) {
        return false;
    }
    let Ok(supplies) = std::fs::read_dir(power) else { return false };
    supplies.flatten().any(|supply| {
        // A wireless mouse has a battery too; its scope is "Device".
        read(&supply.path().join("type")) == "Battery" && read(&supply.path().join("scope")) != "Device"
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_is_one_plain_label() {
        let name = hostname();
        assert!(!name.is_empty() && !name.contains('.') && !name.contains(char::is_control), "{name:?}");
    }

    #[test]
    fn addresses_are_of_use_to_others() {
        let found = addresses();
        assert!(found.is_sorted() && found.len() <= ADDRESSES_MAX, "{found:?}");
        assert!(!found.iter().any(|address| address.is_loopback() || address.is_unspecified()), "{found:?}");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn forms_are_told_apart() {
        let check = |chassis: &str, supplies: &[(&str, &str)], laptop: bool| {
            let dir = tempfile::tempdir().unwrap();
            let chassis_file = dir.path().join("chassis_type");
            std::fs::write(&chassis_file, format!("{chassis}\n")).unwrap();
            let power = dir.path().join("power");
            for (n, (kind, scope)) in supplies.iter().enumerate() {
                let supply = power.join(n.to_string());
                std::fs::create_dir_all(&supply).unwrap();
                std::fs::write(supply.join("type"), kind).unwrap();
                std::fs::write(supply.join("scope"), scope).unwrap();
            }
            assert_eq!(is_laptop_by(&chassis_file, &power), laptop, "chassis {chassis}, {supplies:?}");
        };
        check("10", &[], true);
        check("3", &[("Battery", "")], false);
        check("1", &[("Mains", ""), ("Battery", "Device")], false);
        check("1", &[("Battery", "System")], true);
        check("", &[], false);
    }
}
